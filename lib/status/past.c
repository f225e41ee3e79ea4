#include "status/past.h"

#include "base/mem.h"
#include "base/num.h"
#include "status/answer_int.h"

#include <stdlib.h>
#include <string.h>

/* --- Lines. */

struct selection {
    const struct snapshot *s;
    const struct status_lines *wanted;
    size_t count; /* those that are wanted */
    size_t skip;  /* the first of them */
};

static bool is_wanted(const struct selection *x, const struct line *l)
{
    return !x->wanted->sid || slice_is(l->sid, x->wanted->sid);
}

static void on_counted(void *arg, const struct line *l, struct slice text)
{
    struct selection *x = arg;
    (void)text;
    x->count += is_wanted(x, l);
}

/* Who knows these can send a BYE or CANCEL (RFC 3261 12.2, 9.1). */
static bool is_secret(struct slice key)
{
    static const char *const secret[] = {"from-tag", "to-tag", "local-tag", "remote-tag", "branch"};
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++) {
        if (slice_is(key, secret[i]))
            return true;
    }
    return false;
}

static void hand_on(const struct selection *x, const struct line *l)
{
    struct line shown = *l;
    char *texts[LINE_MAX_KEYS];
    for (size_t i = 0; i < shown.count; i++) {
        struct line_pair *p = &shown.pairs[i];
        texts[i] = is_secret(p->key) ? mem_dup("***") : snapshot_clean(x->s, p->value);
        p->value = slice_of(texts[i]);
    }
    x->wanted->handler(x->wanted->arg, &shown, SLICE(""));
    for (size_t i = 0; i < shown.count; i++)
        free(texts[i]);
}

static void on_shown(void *arg, const struct line *l, struct slice text)
{
    struct selection *x = arg;
    (void)text;
    if (!is_wanted(x, l))
        return;
    if (x->skip > 0)
        x->skip--;
    else
        hand_on(x, l);
}

int status_lines(struct snapshot *s, const char *id, const struct status_lines *wanted,
                 size_t *left_out)
{
    struct selection x = {.s = s, .wanted = wanted};
    *left_out = 0;
    int err = snapshot_journal(s, id, on_counted, &x);
    if (err)
        return err;
    *left_out = x.skip = x.count > wanted->limit ? x.count - wanted->limit : 0;
    return snapshot_journal(s, id, on_shown, &x);
}

/* --- Attempts. */

static void add(struct status_history *h, const struct line *l)
{
    if (h->count == STATUS_PAST) {
        free(h->list[0].why);
        memmove(h->list, h->list + 1, (STATUS_PAST - 1) * sizeof h->list[0]);
        h->count--;
        h->left_out++;
    }
    struct status_past *p = &h->list[h->count++];
    *p = (struct status_past){.n = h->left_out + (int64_t)h->count,
                              .started_ms = l->wall_ms,
                              .status = -1,
                              .why = mem_dup("")};
    size_t n = l->sid.n < LINE_NAME_MAX ? l->sid.n : LINE_NAME_MAX;
    memcpy(p->sid, l->sid.p, n);
}

static uint64_t number(const struct line *l, const char *key)
{
    uint64_t n;
    return slice_number(line_get(l, key), INT64_MAX, &n) ? n : 0;
}

static void say_why(struct status_past *p, const struct line *l, const char *key)
{
    if (!line_get(l, key).p)
        return;
    free(p->why);
    p->why = slice_dup(line_get(l, key));
}

/* What went wrong first is why. */
static void fail(struct status_past *p, const struct line *l)
{
    if (*p->why != '\0' || p->code != 0)
        return;
    p->code = (int)(number(l, "code") % 1000);
    say_why(p, l, line_get(l, "reason").p ? "reason" : "why");
}

static void end(struct status_past *p, const struct line *l)
{
    uint64_t status = number(l, "status");
    p->ended_ms = l->wall_ms;
    p->status = status < 255 ? (int)status : 255;
    if (*p->why == '\0' || status == 0)
        say_why(p, l, "why");
}

static void on_line(void *arg, const struct line *l, struct slice text)
{
    struct status_history *h = arg;
    struct status_past *p = h->count ? &h->list[h->count - 1] : NULL;
    (void)text;
    if (slice_is(l->event, "attempt.start"))
        add(h, l);
    else if (!p || !slice_is(l->sid, p->sid) || p->status >= 0)
        return;
    else if (slice_is(l->event, "msrp.progress") || slice_is(l->event, "msrp.transferred"))
        p->octets = number(l, "octets");
    else if (slice_is(l->event, "invite.failed") || slice_is(l->event, "msrp.failed"))
        fail(p, l);
    else if (slice_is(l->event, "outcome"))
        end(p, l);
}

int status_history_new(struct snapshot *s, const char *id, struct status_history **out)
{
    *out = mem_new(sizeof **out);
    struct status_lines all = {NULL, SIZE_MAX, on_line, *out};
    size_t left_out;
    return status_lines(s, id, &all, &left_out);
}

void status_history_free(struct status_history *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->count; i++)
        free(h->list[i].why);
    free(h);
}

bool status_attempt_wanted(const char *query, const struct status_history *h,
                           const struct status_past **out)
{
    char *text = status_parameter(query, "attempt");
    int64_t n = h->left_out + (int64_t)h->count;
    bool good = !text || num_int(text, 1, INT64_MAX, &n) == 0;
    free(text);
    *out = NULL;
    for (size_t i = 0; i < h->count && good; i++) {
        if (h->list[i].n == n)
            *out = &h->list[i];
    }
    return good && (*out || n == 0);
}
