/* The snapshot as JSON. */
#include "base/json.h"

#include "base/clock.h"
#include "base/num.h"
#include "status/answer_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_LIMIT 1000

struct list {
    FILE *f;
    bool any;
};

static void text(FILE *f, const char *key, const char *value)
{
    (void)fprintf(f, ",\"%s\":", key);
    json_string(f, value);
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

static void put_entry(FILE *f, const struct status_entry *e)
{
    (void)fputs("{\"id\":", f);
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
    (void)fprintf(f, ",\"abandoned\":%s,\"readable\":%s}", e->abandoned ? "true" : "false",
                  e->error ? "false" : "true");
}

unsigned json_queue(const struct status_request *r, FILE *f)
{
    const struct status_summary *sum = snapshot_summary(r->s);
    (void)fputs("{\"queue\":", f);
    json_string(f, sum->queue);
    moment(f, "now", sum->now_ms);
    (void)fputs(",\"entries\":{", f);
    for (int i = 0; i < STATUS_STATES; i++)
        (void)fprintf(f, "%s\"%s\":%" PRIu64, i ? "," : "", status_state_names[i], sum->entries[i]);
    (void)fputc('}', f);
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

static void on_entry(void *arg, const struct status_entry *e)
{
    struct list *l = arg;
    (void)fputs(l->any ? ",\n" : "\n", l->f);
    l->any = true;
    put_entry(l->f, e);
}

static bool state_of(const char *word, unsigned *states)
{
    for (unsigned i = 0; word && i < STATUS_STATES; i++) {
        if (strcmp(word, status_state_names[i]) == 0)
            *states = 1U << i;
    }
    return !word || *states != 0;
}

unsigned json_entries(const struct status_request *r, FILE *f)
{
    char *state = status_parameter(r->query, "state");
    char *recipient = status_parameter(r->query, "recipient");
    char *reason = status_parameter(r->query, "reason");
    char *after = status_parameter(r->query, "after");
    struct status_filter filter = {0, recipient, reason, PAGE_LIMIT, after};
    struct list l = {f, false};
    bool more, good = state_of(state, &filter.states);
    if (good) {
        (void)fputs("{\"entries\":[", f);
        snapshot_entries(r->s, &filter, on_entry, &l, &more);
        (void)fprintf(f, "],\"more\":%s}\n", more ? "true" : "false");
    } else {
        (void)fputs("{\"error\":\"no such state\"}\n", f);
    }
    free(state);
    free(recipient);
    free(reason);
    free(after);
    return good ? 200 : 400;
}

unsigned json_entry(const struct status_request *r, FILE *f)
{
    const struct status_entry *e = snapshot_entry(r->s, r->id);
    if (e)
        put_entry(f, e);
    else
        (void)fputs("{\"error\":\"no such entry\"}", f);
    (void)fputc('\n', f);
    return e ? 200 : 404;
}

unsigned json_attempts(const struct status_request *r, FILE *f)
{
    const struct status_attempt *a;
    size_t n = snapshot_attempts(r->s, &a);
    (void)fputs("{\"attempts\":[", f);
    for (size_t i = 0; i < n; i++) {
        (void)fprintf(f, "%s\n{\"id\":", i ? "," : "");
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
    (void)fputs("]}\n", f);
    return 200;
}
