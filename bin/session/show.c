/* cpm-session show: the fold as a table, or as JSON. */
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"
#include "bin/session/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS_MAX 100

struct attempt {
    char *sid, *n, *status, *why;
    int64_t started_ms, ended_ms;
};

struct fact {
    const char *key, *value;
};

struct show {
    struct session *s;
    struct attempt attempts[ATTEMPTS_MAX]; /* the last ones */
    size_t attempt_count;
    struct fact *facts;
    size_t fact_count;
    int width;        /* of the keys' column */
    uint64_t changes; /* lines that were seen, and those that were shown */
    uint64_t shown;
    bool live; /* the table stands; what comes is added to it */
    int status;
};

/* --- What the lines say of the attempts. */

static void forget_attempt(struct attempt *a)
{
    free(a->sid);
    free(a->n);
    free(a->status);
    free(a->why);
    *a = (struct attempt){0};
}

static void begin_attempt(struct show *w, const struct line *l)
{
    if (w->attempt_count == ATTEMPTS_MAX) {
        forget_attempt(&w->attempts[0]);
        memmove(w->attempts, w->attempts + 1, (ATTEMPTS_MAX - 1) * sizeof *w->attempts);
        w->attempt_count--;
    }
    w->attempts[w->attempt_count++] = (struct attempt){
        .sid = slice_dup(l->sid), .n = slice_dup(line_get(l, "n")), .started_ms = l->wall_ms};
}

static void end_attempt(struct show *w, const struct line *l)
{
    for (size_t i = w->attempt_count; i-- > 0;) {
        struct attempt *a = &w->attempts[i];
        if (!slice_is(l->sid, a->sid) || a->status)
            continue;
        a->status = slice_dup(line_get(l, "status"));
        a->why = slice_dup(line_get(l, "why"));
        a->ended_ms = l->wall_ms;
    }
}

/* --- Values. */

enum unit { UNIT_NONE, UNIT_NUMBER, UNIT_OCTETS, UNIT_RATE, UNIT_MS, UNIT_SECONDS };

/* By the last word of the key; the value is a whole number besides. */
static enum unit unit_of(const char *key, const char *value, uint64_t *number)
{
    static const struct {
        const char *name;
        enum unit unit;
    } units[] = {
        {"octets", UNIT_OCTETS}, {"size", UNIT_OCTETS},
        {"total", UNIT_OCTETS},  {"max-size", UNIT_OCTETS},
        {"window", UNIT_OCTETS}, {"rate", UNIT_RATE},
        {"ms", UNIT_MS},         {"session-expires", UNIT_SECONDS},
        {"code", UNIT_NUMBER},   {"retry-after", UNIT_SECONDS},
        {"status", UNIT_NUMBER}, {"cseq", UNIT_NUMBER},
        {"chunks", UNIT_NUMBER}, {"invite-cseq", UNIT_NUMBER},
        {"routes", UNIT_NUMBER}, {"n", UNIT_NUMBER},
    };
    const char *dot = strrchr(key, '.'), *last = dot ? dot + 1 : key;
    if (!slice_number(slice_of(value), INT64_C(1) << 53, number))
        return UNIT_NONE;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(units[i].name, last) == 0)
            return units[i].unit;
    }
    return UNIT_NONE;
}

static void print_text(const char *text)
{
    struct buf b = BUF_UP_TO((LINE_MAX_SIZE + 1) * UTF8_SHOWN_MAX);
    if (utf8_show(&b, slice_of(text), LINE_MAX_SIZE) == 0 && b.n > 0)
        (void)fwrite(b.p, 1, b.n, stdout);
    buf_free(&b);
}

static void print_remark(enum unit unit, uint64_t number)
{
    char text[24] = "";
    if ((unit == UNIT_OCTETS || unit == UNIT_RATE) && number >= 1024)
        num_size_text(text, number);
    else if (unit == UNIT_MS && number >= 1000)
        num_duration_text(text, (int64_t)number);
    else if (unit == UNIT_SECONDS && number >= 60)
        num_duration_text(text, (int64_t)number * 1000);
    if (*text)
        printf("  (%s%s)", text, unit == UNIT_RATE ? "/s" : "");
}

static void print_row(const struct show *w, const char *key, const char *value)
{
    uint64_t number = 0;
    enum unit unit = unit_of(key, value, &number);
    printf("%-*s  ", w->width, key);
    print_text(value);
    print_remark(unit, number);
    (void)putchar('\n');
}

/* --- The table. */

static void add_fact(void *arg, const char *key, const char *value)
{
    struct show *w = arg;
    w->facts = mem_grow(w->facts, w->fact_count + 1, sizeof *w->facts);
    w->facts[w->fact_count++] = (struct fact){key, value};
}

static int by_key(const void *a, const void *b)
{
    const struct fact *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static void take_facts(struct show *w)
{
    free(w->facts);
    w->facts = NULL;
    w->fact_count = 0;
    journal_each(w->s->journal, add_fact, w);
    if (w->fact_count > 0)
        qsort(w->facts, w->fact_count, sizeof *w->facts, by_key);
    w->width = (int)strlen("msrp.listening.accept-types");
    for (size_t i = 0; i < w->fact_count; i++) {
        int n = (int)strlen(w->facts[i].key);
        w->width = n > w->width ? n : w->width;
    }
}

/* Is it of the message, whatever the attempt? */
static bool is_lasting(const char *key)
{
    struct slice k = slice_of(key);
    return slice_starts(k, "entry.") || slice_starts(k, "learnt.") ||
           slice_starts(k, "msrp.transferred");
}

static void print_facts(const struct show *w, bool lasting)
{
    for (size_t i = 0; i < w->fact_count; i++) {
        if (is_lasting(w->facts[i].key) == lasting)
            print_row(w, w->facts[i].key, w->facts[i].value);
    }
}

static void print_moment(const char *before, int64_t ms)
{
    char when[CLOCK_TEXT_SIZE];
    clock_text(when, ms);
    printf("%s%s", before, when);
}

static void print_earlier(const struct show *w)
{
    if (w->attempt_count > 1)
        printf("\nearlier attempts\n");
    for (size_t i = 0; i + 1 < w->attempt_count; i++) {
        const struct attempt *a = &w->attempts[i];
        print_text(a->n);
        printf("  ");
        print_text(a->sid);
        print_moment("  ", a->started_ms);
        printf("  ");
        print_text(a->status ? a->status : "no outcome");
        printf("  ");
        print_text(a->why ? a->why : "");
        (void)putchar('\n');
    }
}

static void print_table(struct show *w)
{
    take_facts(w);
    if (w->attempt_count == 0)
        (void)puts("no attempt yet");
    else
        print_row(w, "attempt", journal_sid(w->s->journal));
    if (w->attempt_count > 0) {
        const struct attempt *a = &w->attempts[w->attempt_count - 1];
        char when[CLOCK_TEXT_SIZE];
        clock_text(when, a->started_ms);
        print_row(w, "began", when);
        clock_text(when, a->ended_ms);
        if (a->ended_ms > 0)
            print_row(w, "ended", when);
    }
    (void)putchar('\n');
    print_facts(w, true);
    (void)putchar('\n');
    print_facts(w, false);
    print_earlier(w);
}

/* --- JSON. */

static void json_value(const char *key, const char *value)
{
    uint64_t number;
    if (unit_of(key, value, &number) == UNIT_NONE)
        json_string(stdout, value);
    else
        printf("%" PRIu64, number);
}

static void json_pair(const char *before, const char *key, const char *value)
{
    printf("%s\"%s\":", before, key);
    if (value)
        json_value(key, value);
    else
        printf("null");
}

static void json_moment(const char *key, int64_t ms)
{
    char when[CLOCK_TEXT_SIZE];
    clock_text(when, ms);
    json_pair(",", key, ms > 0 ? when : NULL);
}

static void json_attempt(const struct attempt *a)
{
    json_pair("{", "attempt", a->sid);
    json_pair(",", "n", a->n);
    json_moment("began", a->started_ms);
    json_moment("ended", a->ended_ms);
    json_pair(",", "status", a->status);
    json_pair(",", "why", a->why);
    printf("}");
}

static void print_json(struct show *w)
{
    take_facts(w);
    json_pair("{", "attempt", journal_sid(w->s->journal));
    printf(",\"facts\":{");
    for (size_t i = 0; i < w->fact_count; i++) {
        printf("%s", i > 0 ? "," : "");
        json_string(stdout, w->facts[i].key);
        printf(":");
        json_value(w->facts[i].key, w->facts[i].value);
    }
    printf("},\"attempts\":[");
    for (size_t i = 0; i < w->attempt_count; i++) {
        printf("%s", i > 0 ? "," : "");
        json_attempt(&w->attempts[i]);
    }
    printf("]}\n");
}

/* --- The command. */

static void print_line(const struct show *w, const struct line *l)
{
    for (size_t i = 0; i < l->count; i++) {
        if (slice_is(l->pairs[i].key, "sid"))
            continue;
        char *key = mem_format("%.*s.%.*s", (int)l->event.n, l->event.p, (int)l->pairs[i].key.n,
                               l->pairs[i].key.p);
        char *value = slice_dup(l->pairs[i].value);
        print_row(w, key, value);
        free(key);
        free(value);
    }
}

static void on_line(void *arg, const struct line *l, struct slice text)
{
    struct show *w = arg;
    (void)text;
    if (l->wall_ms == 0)
        return;
    w->changes++;
    if (slice_is(l->event, "attempt.start") && l->sid.n > 0)
        begin_attempt(w, l);
    else if (slice_is(l->event, "outcome"))
        end_attempt(w, l);
    if (w->live && !w->s->json)
        print_line(w, l);
}

static bool show_more(void *arg)
{
    struct show *w = arg;
    if (w->attempt_count == 0 || w->shown == w->changes)
        return false;
    w->shown = w->changes;
    if (w->s->json)
        print_json(w);
    else if (!w->live)
        print_table(w);
    w->live = true;
    w->status = err_output();
    return w->status != EX_OK || journal_has(w->s->journal, "outcome");
}

int session_show(struct session *s, char **operands)
{
    struct show *w = mem_new(sizeof *w);
    const struct session_follow f = {on_line, show_more, w, "the outcome", true};
    (void)operands;
    w->s = s;
    int status = s->follow ? session_follow(s, &f) : session_read(s, on_line, w);
    if (!status && !s->follow) {
        if (s->json)
            print_json(w);
        else
            print_table(w);
        w->status = err_output();
    }
    status = status ? status : w->status;
    for (size_t i = 0; i < w->attempt_count; i++)
        forget_attempt(&w->attempts[i]);
    free(w->facts);
    free(w);
    return status;
}
