/* What a line of a journal says about its entry, and what happened with it. */
#include "status/snapshot_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "journal/clean.h"

#include <stdlib.h>
#include <string.h>

static const double seconds[STATUS_BUCKETS] = {1, 5, 15, 60, 300, 900, 3600, 21600, 86400, 259200};
static const double attempt_s[STATUS_BUCKETS] = {0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800};
static const double octets[STATUS_BUCKETS] = {1e3, 1e4, 1e5, 1e6, 5e6, 1e7, 5e7, 1e8, 5e8, 1e9};

void status_histograms(struct snapshot *s)
{
    s->sum.counters.delivery_s.bounds = seconds;
    s->sum.counters.attempt_s.bounds = attempt_s;
    s->sum.counters.size.bounds = octets;
}

static void observe(struct status_histogram *h, double value)
{
    unsigned i = 0;
    while (i < STATUS_BUCKETS && value > h->bounds[i])
        i++;
    h->counts[i]++;
    h->sum += value;
    h->count++;
}

static uint64_t number(const struct line *l, const char *key)
{
    uint64_t n;
    return slice_number(line_get(l, key), INT64_MAX, &n) ? n : 0;
}

static int64_t moment(const struct line *l, const char *key)
{
    struct slice v = line_get(l, key);
    int64_t ms;
    return v.p && clock_parse(v.p, v.n, &ms) == 0 ? ms : 0;
}

static void set(struct snapshot *s, const char **text, struct slice value)
{
    char *clean = journal_clean(value, s->options.mask);
    texts_drop(&s->texts, *text);
    *text = texts_keep(&s->texts, clean);
    free(clean);
}

static unsigned place_of(const char *const *names, unsigned count, struct slice word)
{
    for (unsigned i = 1; i < count; i++) {
        if (slice_is(word, names[i]))
            return i;
    }
    return 0;
}

static bool counts(const struct snapshot *s, const struct item *i, const struct line *l)
{
    return l->wall_ms >= s->options.since_ms && l->wall_ms > i->counted_ms;
}

/* So many octets of this attempt are confirmed by now. */
static void confirmed(struct snapshot *s, struct item *i, const struct line *l)
{
    uint64_t n = number(l, "octets");
    if (n > i->e.octets && counts(s, i, l))
        s->sum.counters.confirmed_octets += n - i->e.octets;
    i->e.octets = n;
}

/* --- What ended. */

static void keep_attempt(struct snapshot *s, const struct item *i)
{
    struct status_attempt *a = s->attempts;
    size_t at = s->attempt_count;
    while (at > 0 && a[at - 1].ended_ms < i->e.ended_ms)
        at--;
    if (at == STATUS_ATTEMPTS)
        return;
    if (s->attempt_count == STATUS_ATTEMPTS) {
        s->attempt_count--;
        free(a[s->attempt_count].id);
        free(a[s->attempt_count].to);
        free(a[s->attempt_count].why);
    }
    memmove(a + at + 1, a + at, (s->attempt_count - at) * sizeof *a);
    s->attempt_count++;
    a[at] = (struct status_attempt){i->e.ended_ms,    i->e.started_ms,   mem_dup(i->e.id),
                                    mem_dup(i->e.to), mem_dup(i->e.why), i->e.status,
                                    i->e.code,        i->e.octets};
}

static struct minute *minute_of(struct snapshot *s, int64_t ms)
{
    int64_t now = s->sum.now_ms / 60000, then = ms / 60000;
    if (then > now + 1 || then <= now - STATUS_MINUTES || then < 0)
        return NULL;
    struct minute *m = &s->minutes[then % (STATUS_MINUTES + 1)];
    if (m->minute != then)
        *m = (struct minute){.minute = then};
    return m;
}

void status_hour(struct snapshot *s)
{
    int64_t now = s->sum.now_ms / 60000;
    s->sum.failures_hour = s->sum.deliveries_hour = 0;
    for (size_t i = 0; i <= STATUS_MINUTES; i++) {
        const struct minute *m = &s->minutes[i];
        if (m->minute <= now - STATUS_MINUTES)
            continue;
        s->sum.failures_hour += m->failures;
        s->sum.deliveries_hour += m->deliveries;
    }
}

static void deliver(struct snapshot *s, struct item *i, const struct line *l)
{
    struct status_counters *c = &s->sum.counters;
    struct minute *m = minute_of(s, l->wall_ms);
    if (m && l->wall_ms > i->counted_ms)
        m->deliveries++;
    i->delivered = true;
    if (!counts(s, i, l))
        return;
    c->delivered++;
    c->delivered_octets += i->e.octets;
    observe(&c->size, (double)i->e.octets);
    if (i->e.birth_ms > 0 && l->wall_ms >= i->e.birth_ms)
        observe(&c->delivery_s, (double)(l->wall_ms - i->e.birth_ms) / 1000);
}

static void count_end(struct status_counters *c, const struct item *i)
{
    c->ended[i->e.status]++;
    if (i->e.status != 0)
        c->failed[status_reason_of(i->failed_in, i->e.code)]++;
    if (i->e.ended_ms >= i->e.started_ms)
        observe(&c->attempt_s, (double)(i->e.ended_ms - i->e.started_ms) / 1000);
}

static void end(struct snapshot *s, struct item *i, const struct line *l)
{
    uint64_t status = number(l, "status");
    if (i->ended || !slice_is(l->sid, i->e.sid))
        return;
    i->ended = true;
    i->e.ended_ms = l->wall_ms;
    i->e.status = status < 255 ? (int)status : 255;
    if (*i->e.why == '\0' || status == 0)
        set(s, &i->e.why, line_get(l, "why"));
    if (l->wall_ms <= i->counted_ms)
        return;
    keep_attempt(s, i);
    struct minute *m = minute_of(s, l->wall_ms);
    if (m && status != 0)
        m->failures++;
    if (counts(s, i, l))
        count_end(&s->sum.counters, i);
}

/* --- The events. */

static void begin(struct snapshot *s, struct item *i, const struct line *l)
{
    struct status_entry *e = &i->e;
    e->attempts++;
    e->started_ms = l->wall_ms;
    e->status = -1;
    e->code = 0;
    e->phase = STATUS_INVITING;
    e->ended_ms = e->progress_ms = 0;
    e->octets = e->total = e->rate = 0;
    e->fate = WHY_NONE;
    if (e->wish == WISH_RETRY || e->wish == WISH_RELEASE)
        e->wish = WISH_NONE;
    set(s, &e->why, SLICE(""));
    i->ended = false;
    i->failed_in = STAGE_NONE;
    set(s, &e->sid, l->sid.p ? l->sid : SLICE(""));
    if (counts(s, i, l))
        s->sum.counters.started++;
}

static void about(struct snapshot *s, struct item *i, const struct line *l)
{
    bool was_known = i->e.birth_ms != 0;
    if (line_get(l, "to").p)
        set(s, &i->e.to, line_get(l, "to"));
    if (line_get(l, "birth").p)
        i->e.birth_ms = moment(l, "birth");
    if (line_get(l, "expires").p)
        i->e.expires_ms = moment(l, "expires");
    if (!was_known && i->e.birth_ms != 0 && counts(s, i, l))
        s->sum.counters.accepted++;
}

static void progress(struct snapshot *s, struct item *i, const struct line *l)
{
    i->e.phase = STATUS_TRANSFERRING;
    i->e.progress_ms = l->wall_ms;
    confirmed(s, i, l);
    if (line_get(l, "total").p)
        i->e.total = number(l, "total");
    i->e.rate = number(l, "rate");
}

static void fail(struct snapshot *s, struct item *i, const struct line *l)
{
    uint64_t code = number(l, "code");
    struct slice why = line_get(l, "reason");
    i->e.phase = STATUS_ENDING;
    if (line_get(l, "octets").p)
        confirmed(s, i, l);
    if (i->failed_in != STAGE_NONE)
        return; /* what went wrong first is why */
    i->failed_in = slice_is(l->event, "invite.failed") ? STAGE_INVITE : STAGE_TRANSFER;
    i->e.code = code <= 999 ? (int)code : 0;
    set(s, &i->e.why, why.p ? why : line_get(l, "why"));
}

static void transferred(struct snapshot *s, struct item *i, const struct line *l)
{
    i->e.phase = STATUS_ENDING;
    i->e.progress_ms = l->wall_ms;
    confirmed(s, i, l);
    if (!i->delivered)
        deliver(s, i, l);
}

static void of_attempt(struct snapshot *s, struct item *i, const struct line *l)
{
    if (slice_is(l->event, "msrp.listening"))
        i->e.total = number(l, "octets");
    else if (slice_is(l->event, "msrp.connected"))
        i->e.phase = STATUS_TRANSFERRING;
    else if (slice_is(l->event, "msrp.progress"))
        progress(s, i, l);
    else if (slice_is(l->event, "msrp.transferred"))
        transferred(s, i, l);
    else if (slice_is(l->event, "invite.failed") || slice_is(l->event, "msrp.failed"))
        fail(s, i, l);
    else if (slice_is(l->event, "outcome"))
        end(s, i, l);
}

void status_line(struct snapshot *s, struct item *i, const struct line *l)
{
    if (slice_is(l->event, "attempt.start")) {
        begin(s, i, l);
    } else if (slice_is(l->event, "entry")) {
        about(s, i, l);
    } else if (slice_is(l->event, "queue.wish")) {
        i->e.wish = (enum queue_wish)place_of(queue_wish_names, WISH_EXPIRE + 1, line_get(l, "do"));
        if (i->e.wish == WISH_RETRY || i->e.wish == WISH_RELEASE)
            i->e.fate = WHY_NONE;
    } else if (slice_is(l->event, "queue.failed")) {
        i->e.fate = (enum queue_why)place_of(queue_why_names, WHY_EXPIRED + 1, line_get(l, "why"));
        if (counts(s, i, l))
            s->sum.counters.given_up[i->e.fate]++;
    } else if (slice_is(l->sid, i->e.sid)) {
        of_attempt(s, i, l);
    }
}
