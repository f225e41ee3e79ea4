#include "status/past.h"

#include "base/mem.h"
#include "base/num.h"
#include "status/answer_int.h"

#include <stdlib.h>
#include <string.h>

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

static void say_why(struct status_history *h, const struct line *l, const char *key)
{
    struct status_past *p = &h->list[h->count - 1];
    if (!line_get(l, key).p)
        return;
    free(p->why);
    p->why = snapshot_clean(h->s, line_get(l, key));
}

/* What went wrong first is why. */
static void fail(struct status_history *h, const struct line *l)
{
    struct status_past *p = &h->list[h->count - 1];
    if (*p->why != '\0' || p->code != 0)
        return;
    p->code = (int)(number(l, "code") % 1000);
    say_why(h, l, line_get(l, "reason").p ? "reason" : "why");
}

static void end(struct status_history *h, const struct line *l)
{
    struct status_past *p = &h->list[h->count - 1];
    uint64_t status = number(l, "status");
    p->ended_ms = l->wall_ms;
    p->status = status < 255 ? (int)status : 255;
    if (*p->why == '\0' || status == 0)
        say_why(h, l, "why");
}

static void of_attempt(struct status_history *h, const struct line *l)
{
    struct status_past *p = h->count ? &h->list[h->count - 1] : NULL;
    if (slice_is(l->event, "attempt.start"))
        add(h, l);
    else if (!p || !slice_is(l->sid, p->sid) || p->status >= 0)
        return;
    else if (slice_is(l->event, "msrp.progress") || slice_is(l->event, "msrp.transferred"))
        p->octets = number(l, "octets");
    else if (slice_is(l->event, "invite.failed") || slice_is(l->event, "msrp.failed"))
        fail(h, l);
    else if (slice_is(l->event, "outcome"))
        end(h, l);
}

/* --- Lines. */

static void drop_lines(struct status_history *h)
{
    for (size_t i = 0; i < h->line_count; i++)
        free(h->lines[i]);
    h->line_count = 0;
    h->lines_older = 0;
}

static void keep_line(struct status_history *h, struct slice text)
{
    char **place = &h->lines[h->line_count];
    if (h->line_count == STATUS_LINES) {
        place = &h->lines[h->lines_older++ % STATUS_LINES];
        free(*place);
    } else {
        h->line_count++;
    }
    *place = slice_dup(text);
}

/* Until the wanted attempt begins, its lines are those of none. */
static void on_line(void *arg, const struct line *l, struct slice text)
{
    struct status_history *h = arg;
    of_attempt(h, l);
    if (h->wanted != STATUS_EVERY && slice_is(l->event, "attempt.start")) {
        const struct status_past *p = &h->list[h->count - 1];
        if (h->wanted == STATUS_LAST || h->wanted == p->n) {
            memcpy(h->sid, p->sid, sizeof h->sid);
            drop_lines(h);
        }
    }
    ladder_line(h->call, l, text);
    if (h->wanted == STATUS_EVERY || slice_is(l->sid, h->sid))
        keep_line(h, text);
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

static void hand_on(const struct snapshot *s, struct line *l, journal_line_h *handler, void *arg)
{
    char *texts[LINE_MAX_KEYS];
    for (size_t i = 0; i < l->count; i++) {
        struct line_pair *p = &l->pairs[i];
        texts[i] = is_secret(p->key) ? mem_dup("***") : snapshot_clean(s, p->value);
        p->value = slice_of(texts[i]);
    }
    handler(arg, l, SLICE(""));
    for (size_t i = 0; i < l->count; i++)
        free(texts[i]);
}

void status_history_lines(const struct status_history *h, journal_line_h *handler, void *arg)
{
    struct line l;
    for (size_t i = 0; i < h->line_count; i++) {
        const char *text = h->lines[(h->lines_older + i) % STATUS_LINES];
        if (line_parse(slice_of(text), &l) == 0) /* as it did when it was kept */
            hand_on(h->s, &l, handler, arg);
    }
}

/* --- Life. */

/* The ladder gets the lines as they are, as it tells dialogs apart by their tags; it shows none of
 * these, and cleans what it shows. */
struct status_history *status_history_new(struct snapshot *s, const char *id, int64_t wanted)
{
    struct status_history *h = mem_new(sizeof *h);
    const struct ladder_options o = {
        .mask = snapshot_masks(s), .attempt = wanted > 0 ? h->sid : NULL, .last = true};
    h->s = s;
    h->wanted = wanted;
    h->call = ladder_new(&o);
    h->error = snapshot_journal(s, id, on_line, h);
    return h;
}

void status_history_free(struct status_history *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->count; i++)
        free(h->list[i].why);
    drop_lines(h);
    ladder_free(h->call);
    free(h);
}

struct status_history *status_history_asked(struct snapshot *s, const char *id, const char *query,
                                            const struct status_past **one)
{
    char *text = status_parameter(query, "attempt");
    int64_t n = STATUS_LAST;
    bool good = !text || num_int(text, 1, INT64_MAX, &n) == 0;
    free(text);
    *one = NULL;
    if (!good)
        return NULL;
    struct status_history *h = status_history_new(s, id, n);
    if (n == STATUS_LAST && h->count > 0)
        *one = &h->list[h->count - 1];
    for (size_t i = 0; i < h->count && n != STATUS_LAST; i++) {
        if (h->list[i].n == n)
            *one = &h->list[i];
    }
    if (*one || n == STATUS_LAST)
        return h;
    status_history_free(h);
    return NULL;
}
