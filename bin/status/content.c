/* What is shown of a queue: how many entries are in each state, by their names alone, and whether
 * something is overdue. Of a session: its last attempt, by the journal. */
#include "bin/status/status.h"

#include "base/clock.h"
#include "base/mem.h"
#include "journal/journal.h"
#include "queue/queue.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (64 << 10)

struct content {
    const struct status_config *config;
    struct queue *queue; /* NULL: a session */
};

struct counts {
    uint64_t n[QUEUE_FAILED + 1];
    int64_t oldest_due; /* epoch seconds; 0: nothing waits */
};

int content_open(struct content **out, const struct status_config *c)
{
    struct content *s = mem_new(sizeof *s);
    s->config = c;
    int err = c->session ? 0 : queue_open(&s->queue, c->folder, false);
    if (err)
        free(s);
    else
        *out = s;
    return err;
}

void content_close(struct content *s)
{
    if (s)
        queue_close(s->queue);
    free(s);
}

static bool count(void *arg, const struct queue_name *n)
{
    struct counts *c = arg;
    c->n[n->state]++;
    if (n->state == QUEUE_WAIT && (c->oldest_due == 0 || n->due < c->oldest_due))
        c->oldest_due = n->due;
    return true;
}

static int count_all(const struct content *s, struct counts *c)
{
    int err = 0;
    *c = (struct counts){0};
    for (int state = QUEUE_WAIT; state <= QUEUE_FAILED && !err; state++)
        err = queue_walk(s->queue, (enum queue_state)state, count, NULL, c);
    return err;
}

static int64_t overdue_s(const struct counts *c)
{
    int64_t late = c->oldest_due ? clock_wall_ms() / 1000 - c->oldest_due : 0;
    return late > 0 ? late : 0;
}

static bool is_stuck(const struct content *s, const struct counts *c)
{
    return overdue_s(c) > s->config->stuck_after_ms / 1000;
}

static void show_counts(const struct content *s, struct counts *c, struct http_answer *out)
{
    struct buf *b = &out->body;
    int err = 0;
    for (int i = QUEUE_WAIT; i <= QUEUE_FAILED && !err; i++)
        err = buf_format(b, "%s %" PRIu64 "\n", queue_state_names[i], c->n[i]);
    if (!err)
        err = buf_format(b, "overdue %" PRId64 " s\n", overdue_s(c));
    if (!err && is_stuck(s, c))
        err = buf_add_text(b, "stuck\n");
    if (err)
        out->status = 500;
}

static void show_metrics(const struct counts *c, struct http_answer *out)
{
    struct buf *b = &out->body;
    out->type = "text/plain; version=0.0.4; charset=utf-8";
    int err = buf_add_text(b, "# HELP cpm_queue_entries Entries of the queue.\n"
                              "# TYPE cpm_queue_entries gauge\n");
    for (int i = QUEUE_WAIT; i <= QUEUE_FAILED && !err; i++)
        err = buf_format(b, "cpm_queue_entries{state=\"%s\"} %" PRIu64 "\n", queue_state_names[i],
                         c->n[i]);
    if (!err)
        err = buf_format(b,
                         "# HELP cpm_queue_overdue_seconds How long the oldest waiting message is "
                         "overdue.\n# TYPE cpm_queue_overdue_seconds gauge\n"
                         "cpm_queue_overdue_seconds %" PRId64 "\n",
                         overdue_s(c));
    if (err)
        out->status = 500;
}

/* --- A session. */

static void show_session(const struct content *s, struct http_answer *out)
{
    struct journal *j;
    bool grew;
    if (journal_open(&j, s->config->session, JOURNAL_READ) != 0) {
        out->status = 503;
        (void)buf_add_text(&out->body, "the session file cannot be read\n"); /* it fits */
        return;
    }
    int err = journal_read(j, &grew);
    const char *outcome = journal_get(j, "outcome.status");
    if (!err)
        err =
            buf_format(&out->body, "attempt %s\n%s\ntransferred %s\noutcome %s\n", journal_sid(j),
                       journal_claimed(j) ? "under way" : "nobody works on it",
                       journal_has(j, "msrp.transferred") ? "yes" : "no", outcome ? outcome : "-");
    if (err)
        out->status = 503;
    journal_close(j);
}

/* --- */

void content_answer(void *arg, const char *path, const char *query, struct http_answer *out)
{
    struct content *s = arg;
    struct counts c;
    (void)query;
    *out = (struct http_answer){200, "text/plain; charset=utf-8", BUF_UP_TO(ANSWER_MAX)};
    bool health = strcmp(path, "/healthz") == 0, metrics = strcmp(path, "/metrics") == 0;
    if (strcmp(path, "/") != 0 && !health && (!metrics || !s->queue)) {
        out->status = 404;
        (void)buf_add_text(&out->body, "nothing is here\n"); /* it fits */
    } else if (!s->queue) {
        show_session(s, out);
    } else if (count_all(s, &c) != 0) {
        out->status = 503;
        (void)buf_add_text(&out->body, "the queue cannot be read\n"); /* it fits */
    } else if (metrics) {
        show_metrics(&c, out);
    } else {
        show_counts(s, &c, out);
        if (health && is_stuck(s, &c))
            out->status = 503;
    }
}
