/* The snapshot as JSON. */
#include "base/json.h"

#include "base/clock.h"
#include "base/num.h"
#include "status/answer.h"
#include "status/answer_int.h"
#include "status/past.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_LIMIT 1000

/* A list of what may be long because of what others said ends early, and says so, before the answer
 * is too large to be one. */
#define LIST_OCTETS (STATUS_ANSWER_MAX - (1 << 20))

struct list {
    FILE *f;
    bool any, cut;
};

static void text(FILE *f, const char *key, const char *value)
{
    (void)fprintf(f, ",\"%s\":", key);
    json_string(f, value);
}

static void flag(FILE *f, const char *key, bool value)
{
    (void)fprintf(f, ",\"%s\":%s", key, value ? "true" : "false");
}

static void number(FILE *f, const char *key, int64_t value)
{
    (void)fprintf(f, ",\"%s\":%" PRId64, key, value);
}

static void moment(FILE *f, const char *key, int64_t ms)
{
    char when[CLOCK_TEXT_SIZE];
    clock_text(when, ms);
    if (ms > 0)
        text(f, key, when);
    else
        (void)fprintf(f, ",\"%s\":null", key);
}

/* The members of an entry. */
static void put_members(FILE *f, const struct status_entry *e)
{
    (void)fputs("\"id\":", f);
    json_string(f, e->id);
    text(f, "state", status_state_names[e->state]);
    text(f, "recipient", e->recipient);
    text(f, "to", e->to);
    moment(f, "due", e->due_ms);
    moment(f, "birth", e->birth_ms);
    moment(f, "expires", e->expires_ms);
    number(f, "attempts", e->attempts);
    moment(f, "started", e->started_ms);
    moment(f, "ended", e->ended_ms);
    if (e->status >= 0)
        number(f, "status", e->status);
    number(f, "code", e->code);
    text(f, "why", e->why);
    text(f, "given_up", queue_why_names[e->fate]);
    text(f, "wish", queue_wish_names[e->wish]);
    if (e->state == STATUS_DELIVERING)
        text(f, "phase", status_phase_names[e->phase]);
    number(f, "octets", (int64_t)e->octets);
    number(f, "total", (int64_t)e->total);
    number(f, "rate", (int64_t)e->rate);
    if (*e->sid)
        text(f, "sid", e->sid);
    (void)fprintf(f, ",\"abandoned\":%s,\"readable\":%s", e->abandoned ? "true" : "false",
                  e->error ? "false" : "true");
}

static void put_states(FILE *f, const uint64_t entries[STATUS_STATES])
{
    (void)fputs("\"entries\":{", f);
    for (int i = 0; i < STATUS_STATES; i++)
        (void)fprintf(f, "%s\"%s\":%" PRIu64, i ? "," : "", status_state_names[i], entries[i]);
    (void)fputc('}', f);
}

unsigned json_queue(const struct status_request *r, FILE *f)
{
    const struct status_summary *sum = snapshot_summary(r->s);
    (void)fputs("{\"queue\":", f);
    json_string(f, sum->queue);
    moment(f, "now", sum->now_ms);
    (void)fputc(',', f);
    put_states(f, sum->entries);
    flag(f, "told", sum->told);
    flag(f, "complete", sum->complete);
    number(f, "error", sum->error);
    number(f, "unreadable", (int64_t)sum->unreadable);
    number(f, "abandoned", (int64_t)sum->abandoned);
    number(f, "recipients", (int64_t)sum->recipients);
    moment(f, "oldest_birth", sum->oldest_birth_ms);
    moment(f, "oldest_due", sum->oldest_due_ms);
    number(f, "failures_last_hour", (int64_t)sum->failures_hour);
    number(f, "deliveries_last_hour", (int64_t)sum->deliveries_hour);
    number(f, "rate", (int64_t)sum->rate);
    (void)fputs("}\n", f);
    return 200;
}

static void begin_member(struct list *l)
{
    (void)fputs(l->any ? ",\n{" : "\n{", l->f);
    l->any = true;
}

/* The next member begins. NULL: no more of them. */
static FILE *next(struct list *l)
{
    l->cut = l->cut || ftello(l->f) > LIST_OCTETS;
    if (l->cut)
        return NULL;
    begin_member(l);
    return l->f;
}

static void end_list(const struct list *l, bool more)
{
    (void)fprintf(l->f, "],\"more\":%s}\n", more || l->cut ? "true" : "false");
}

static void on_entry(void *arg, const struct status_entry *e)
{
    FILE *f = next(arg);
    if (!f)
        return;
    put_members(f, e);
    (void)fputc('}', f);
}

static unsigned fail(FILE *f, unsigned status, const char *what)
{
    (void)fputs("{\"error\":", f);
    json_string(f, what);
    (void)fputs("}\n", f);
    return status;
}

unsigned json_not_found(const struct status_request *r, FILE *f)
{
    (void)r;
    return fail(f, 404, "there is no such page");
}

unsigned json_entries(const struct status_request *r, FILE *f)
{
    struct status_wanted w;
    struct list l = {.f = f};
    bool more, good = status_wanted_read(&w, r->query, PAGE_LIMIT);
    if (good) {
        (void)fputs("{\"entries\":[", f);
        snapshot_entries(r->s, &w.filter, on_entry, &l, &more);
        end_list(&l, more);
    }
    status_wanted_free(&w);
    return good ? 200 : fail(f, 400, "no such state");
}

unsigned json_sessions(const struct status_request *r, FILE *f)
{
    struct status_filter now = {.states = 1U << STATUS_DELIVERING, .limit = PAGE_LIMIT};
    struct list l = {.f = f};
    bool more;
    (void)fputs("{\"sessions\":[", f);
    snapshot_entries(r->s, &now, on_entry, &l, &more);
    end_list(&l, more);
    return 200;
}

/* --- Sums. */

static void on_recipient(void *arg, const struct status_group *g)
{
    FILE *f = next(arg);
    if (!f)
        return;
    (void)fputs("\"recipient\":", f);
    json_string(f, g->recipient);
    text(f, "to", g->text);
    (void)fputc(',', f);
    put_states(f, g->entries);
    (void)fputc('}', f);
}

unsigned json_recipients(const struct status_request *r, FILE *f)
{
    struct list l = {.f = f};
    (void)fputs("{\"recipients\":[", f);
    end_list(&l, snapshot_recipients(r->s, PAGE_LIMIT, on_recipient, &l));
    return 200;
}

static void on_reason(void *arg, const struct status_group *g)
{
    FILE *f = next(arg);
    if (!f)
        return;
    (void)fprintf(f, "\"status\":%d,\"code\":%d", g->status, g->code);
    text(f, "why", g->text);
    (void)fputc(',', f);
    put_states(f, g->entries);
    (void)fputc('}', f);
}

unsigned json_reasons(const struct status_request *r, FILE *f)
{
    struct list l = {.f = f};
    (void)fputs("{\"reasons\":[", f);
    end_list(&l, snapshot_reasons(r->s, PAGE_LIMIT, on_reason, &l));
    return 200;
}

unsigned json_attempts(const struct status_request *r, FILE *f)
{
    const struct status_attempt *a;
    size_t n = snapshot_attempts(r->s, &a);
    struct list l = {.f = f};
    (void)fputs("{\"attempts\":[", f);
    for (size_t i = 0; i < n && next(&l); i++) {
        (void)fputs("\"id\":", f);
        json_string(f, a[i].id);
        text(f, "to", a[i].to);
        moment(f, "started", a[i].started_ms);
        moment(f, "ended", a[i].ended_ms);
        number(f, "status", a[i].status);
        number(f, "code", a[i].code);
        text(f, "why", a[i].why);
        number(f, "octets", (int64_t)a[i].octets);
        (void)fputc('}', f);
    }
    end_list(&l, false);
    return 200;
}

/* --- One entry, one session. */

static void put_past(FILE *f, const struct status_past *p)
{
    (void)fprintf(f, "\"n\":%" PRId64, p->n);
    text(f, "sid", p->sid);
    moment(f, "started", p->started_ms);
    moment(f, "ended", p->ended_ms);
    if (p->status >= 0)
        number(f, "status", p->status);
    number(f, "code", p->code);
    text(f, "why", p->why);
    number(f, "octets", (int64_t)p->octets);
}

static void put_slice(FILE *f, struct slice value)
{
    char *copy = slice_dup(value);
    json_string(f, copy);
    free(copy);
}

static void on_line(void *arg, const struct line *line, struct slice none)
{
    struct list *l = arg;
    FILE *f = l->f;
    char when[CLOCK_TEXT_SIZE];
    (void)none;
    begin_member(l);
    clock_text(when, line->wall_ms);
    (void)fprintf(f, "\"time\":\"%s\",\"program\":", when);
    put_slice(f, line->program);
    number(f, "pid", line->pid);
    (void)fputs(",\"event\":", f);
    put_slice(f, line->event);
    (void)fputs(",\"values\":{", f);
    for (size_t i = 0; i < line->count; i++) {
        (void)fputs(i ? "," : "", f);
        put_slice(f, line->pairs[i].key);
        (void)fputc(':', f);
        put_slice(f, line->pairs[i].value);
    }
    (void)fputs("}}", f);
}

static void put_journal(const struct status_history *h, FILE *f)
{
    struct list l = {.f = f};
    (void)fputs(",\"journal\":[", f);
    status_history_lines(h, on_line, &l);
    (void)fprintf(f, "],\"left_out\":%" PRIu64 ",\"error\":%d", h->lines_older, h->error);
}

unsigned json_entry(const struct status_request *r, FILE *f)
{
    const struct status_entry *e = snapshot_entry(r->s, r->id);
    struct list l = {.f = f};
    if (!e)
        return fail(f, 404, "no such entry");
    (void)fputc('{', f);
    put_members(f, e);
    struct status_history *past = status_history_new(r->s, r->id, STATUS_EVERY);
    (void)fputs(",\"history\":[", f);
    for (size_t i = 0; i < past->count; i++) {
        begin_member(&l);
        put_past(f, &past->list[i]);
        (void)fputc('}', f);
    }
    (void)fputc(']', f);
    put_journal(past, f);
    status_history_free(past);
    (void)fputs("}\n", f);
    return 200;
}

unsigned json_session(const struct status_request *r, FILE *f)
{
    const struct status_entry *e = snapshot_entry(r->s, r->id);
    const struct status_past *p;
    if (!e)
        return fail(f, 404, "no such entry");
    struct status_history *past = status_history_asked(r->s, r->id, r->query, &p);
    if (!past)
        return fail(f, 404, "no such attempt");
    (void)fputc('{', f);
    put_members(f, e);
    (void)fputs(",\"attempt\":{", f);
    if (p)
        put_past(f, p);
    (void)fputc('}', f);
    put_journal(past, f);
    (void)fputs("}\n", f);
    status_history_free(past);
    return 200;
}
