/* list, show. */
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "queue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct listing {
    const struct config *config;
    struct queue *queue;
    struct queue_name *names;
    size_t count, room, printed;
    char hash[QUEUE_RECIPIENT_SIZE]; /* of a single --to; else empty */
    int64_t now_ms;
};

static bool take_name(void *arg, const struct queue_name *n)
{
    struct listing *l = arg;
    if (l->hash[0] && !queue_is_for(n, l->hash))
        return true;
    if (l->count == l->room) {
        l->room = l->room ? l->room * 2 : 256;
        l->names = mem_grow(l->names, l->room, sizeof *l->names);
    }
    l->names[l->count++] = *n;
    return true;
}

static int by_state_and_due(const void *a, const void *b)
{
    const struct queue_name *x = a, *y = b;
    if (x->state != y->state)
        return x->state < y->state ? -1 : 1;
    int day = strcmp(x->day, y->day);
    if (x->due != y->due)
        return x->due < y->due ? -1 : 1;
    return day ? day : strcmp(x->id, y->id);
}

static bool is_wanted(const struct listing *l, const struct queue_entry *e, const struct view *v)
{
    const struct config *c = l->config;
    int64_t age = l->now_ms - queue_entry_time(e, "entry.birth");
    bool to = c->to.n == 0;
    for (size_t i = 0; i < c->to.n; i++)
        to = to || strcmp(c->to.v[i], queue_entry_get(e, "entry.to")) == 0;
    return to && (!c->state || strcmp(c->state, v->state) == 0) &&
           (c->older_ms == 0 || age >= c->older_ms) && (c->newer_ms == 0 || age < c->newer_ms);
}

/* --- Three ways to write a row. */

static const char *wish_of(const struct queue_entry *e)
{
    return e->facts.wish == WISH_NONE ? "" : queue_wish_names[e->facts.wish];
}

static void print_json_pair(const char *key, const char *value)
{
    if (!*value)
        return;
    printf(",\"%s\":", key);
    json_string(stdout, value);
}

static void print_json(const struct queue_entry *e, const struct view *v)
{
    printf("{\"id\":\"%s\",\"state\":\"%s\",\"attempts\":%" PRId64, e->name.id, v->state,
           e->facts.attempts);
    print_json_pair("due", v->when);
    print_json_pair("day", e->name.day);
    print_json_pair("from", queue_entry_get(e, "entry.from"));
    print_json_pair("to", queue_entry_get(e, "entry.to"));
    print_json_pair("message", queue_entry_get(e, "entry.message"));
    print_json_pair("birth", queue_entry_get(e, "entry.birth"));
    print_json_pair("expires", queue_entry_get(e, "entry.expires"));
    if (v->status >= 0)
        printf(",\"status\":%" PRId64, v->status);
    if (v->code > 0)
        printf(",\"code\":%" PRId64, v->code);
    print_json_pair("why", v->why);
    print_json_pair("detail", v->detail);
    print_json_pair("fate", queue_why_names[e->facts.why]);
    print_json_pair("wish", wish_of(e));
    print_json_pair("session", e->path);
    if (e->name.state != QUEUE_DONE) {
        char *body = queue_body_path(e->q, e->name.id);
        print_json_pair("body", body);
        free(body);
    }
    printf("}");
}

/* Values come from outside: no control character gets through. */
static void print_plain(const char *value)
{
    for (; *value; value++)
        (void)putchar((unsigned char)*value < ' ' || *value == 0x7f ? '?' : *value);
}

static void print_tsv(const struct queue_entry *e, const struct view *v)
{
    printf("%s\t%s\t%s\t%" PRId64 "\t", e->name.id, v->state, v->when, e->facts.attempts);
    if (v->status >= 0)
        printf("%" PRId64, v->status);
    printf("\t");
    print_plain(queue_entry_get(e, "entry.from"));
    printf("\t");
    print_plain(queue_entry_get(e, "entry.to"));
    printf("\t");
    print_plain(queue_entry_get(e, "entry.message"));
    printf("\t");
    print_plain(v->why);
    printf("\t");
    if (v->code > 0)
        printf("%" PRId64, v->code);
    printf("\n");
}

static void print_row(const struct queue_entry *e, const struct view *v)
{
    printf("%s  %-10s  %.19s%s %3" PRId64 "  ", e->name.id, v->state, *v->when ? v->when : "-",
           *v->when ? "Z" : "                   ", e->facts.attempts);
    print_plain(queue_entry_get(e, "entry.to"));
    if (v->status > 0) {
        printf("  %" PRId64 " ", v->status);
        if (v->code > 0)
            printf("%" PRId64 " ", v->code);
        print_plain(v->why);
    }
    if (e->name.state == QUEUE_WAIT && e->facts.wish != WISH_NONE)
        printf("  (%s %s)", queue_wish_names[e->facts.wish],
               journal_claimed(e->journal) ? "at the attempt's end" : "by the next run");
    printf("\n");
}

static void print(struct listing *l, const struct queue_entry *e, const struct view *v)
{
    bool first = l->printed++ == 0;
    if (l->config->json) {
        printf(first ? "[\n" : ",\n");
        print_json(e, v);
        return;
    }
    if (l->config->tsv) {
        print_tsv(e, v);
        return;
    }
    if (first)
        printf("%-25s  %-10s  %-20s %3s  %s\n", "id", "state", "due", "try",
               "recipient, last status");
    print_row(e, v);
}

static void print_all(struct listing *l)
{
    for (size_t i = 0; i < l->count; i++) {
        struct queue_entry *e;
        struct view v;
        struct queue_name n = l->names[i];
        int err = queue_entry_open(l->queue, &n, JOURNAL_READ, &e);
        if (err == ENOENT && queue_find(l->queue, n.id, &n) == 0) /* moved meanwhile */
            err = queue_entry_open(l->queue, &n, JOURNAL_READ, &e);
        if (err == ENOENT)
            continue;
        if (err) {
            err_warn("%s: cannot be read", n.id);
            continue;
        }
        view_of(e, &v);
        if (is_wanted(l, e, &v))
            print(l, e, &v);
        queue_entry_close(e);
    }
    if (l->config->json)
        printf(l->printed ? "\n]\n" : "[]\n");
}

int list(const struct config *c, char **operands, int count)
{
    struct listing l = {.config = c, .now_ms = clock_wall_ms()};
    (void)operands;
    if (count > 0)
        err_die(EX_USAGE, "list", "takes no operand", "see cpm-queue --help");
    int status = open_queue(c, false, &l.queue);
    if (status)
        return status;
    if (c->to.n == 1)
        queue_recipient(c->to.v[0], l.hash);
    int err = 0;
    for (int s = QUEUE_WAIT; s <= QUEUE_FAILED && !err; s++)
        err = queue_walk(l.queue, (enum queue_state)s, take_name, NULL, &l);
    if (l.count > 0)
        qsort(l.names, l.count, sizeof *l.names, by_state_and_due);
    print_all(&l);
    free(l.names);
    if (err)
        err_line(queue_folder(l.queue), strerror(err), NULL);
    queue_close(l.queue);
    status = err_output();
    return err ? EX_IOERR : status;
}

/* --- show */

static void print_fact(const char *key, const char *value)
{
    if (!*value)
        return;
    printf("%-10s ", key);
    print_plain(value);
    printf("\n");
}

static void print_entry(const struct queue_entry *e)
{
    struct view v;
    char *body = queue_body_path(e->q, e->name.id);
    view_of(e, &v);
    print_fact("id", e->name.id);
    print_fact("state", v.state);
    print_fact("due", v.when);
    print_fact("day", e->name.day);
    print_fact("from", queue_entry_get(e, "entry.from"));
    print_fact("to", queue_entry_get(e, "entry.to"));
    print_fact("message", queue_entry_get(e, "entry.message"));
    print_fact("birth", queue_entry_get(e, "entry.birth"));
    print_fact("expires", queue_entry_get(e, "entry.expires"));
    print_fact("notify", queue_entry_get(e, "entry.notify"));
    printf("%-10s %" PRId64 "\n", "attempts", e->facts.attempts);
    print_fact("status", queue_entry_get(e, "outcome.status"));
    if (v.code > 0)
        printf("%-10s %" PRId64 "\n", "code", v.code);
    print_fact("why", v.why);
    print_fact("detail", v.detail);
    print_fact("fate", queue_why_names[e->facts.why]);
    print_fact("wish", wish_of(e));
    print_fact("session", e->path);
    if (e->name.state != QUEUE_DONE)
        print_fact("body", body);
    free(body);
}

static int show_one(const struct config *c, struct queue *q, const char *id)
{
    struct queue_name n;
    struct queue_entry *e;
    struct view v;
    int err = queue_find(q, id, &n);
    if (!err)
        err = queue_entry_open(q, &n, JOURNAL_READ, &e);
    if (err) {
        err_line(id, err == ENOENT ? "there is no such entry" : strerror(err),
                 err == ENOENT ? "see cpm-queue list" : NULL);
        return err == ENOENT ? EX_NOINPUT : status_of_error(err);
    }
    view_of(e, &v);
    if (c->json) {
        print_json(e, &v);
        printf("\n");
    } else {
        print_entry(e);
    }
    queue_entry_close(e);
    return EX_OK;
}

int show(const struct config *c, char **operands, int count)
{
    struct queue *q;
    if (count == 0)
        err_die(EX_USAGE, "show", "no ID given", "see cpm-queue --help");
    int status = open_queue(c, false, &q);
    if (status)
        return status;
    for (int i = 0; i < count; i++) {
        int one = show_one(c, q, operands[i]);
        status = status ? status : one;
        if (i + 1 < count && !c->json)
            printf("\n");
    }
    queue_close(q);
    int written = err_output();
    return status ? status : written;
}
