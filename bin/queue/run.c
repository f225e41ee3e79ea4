/* run: a pass over what is due; with --watch, one after the other as entries come and become due.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/limit.h"
#include "base/mem.h"
#include "runner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_A_TIME       64   /* entries that are taken on before the loop has its turn */
#define BUSY_LOOK_S     30   /* when others were at work on what is due */
#define PURGE_S         3600 /* with --watch */
#define FD_EACH         2    /* that a delivery holds: the journal and cpm-deliver's pidfd */
#define FD_OTHER        32   /* ours, and what a delivery has open for a moment */
#define PROCESSES_EACH  4    /* cpm-deliver and the stages */
#define PROCESSES_OTHER 16   /* ours, and what the user runs beside */

static void look(void *arg);

/* Our own fault would be the next delivery's too. What was put off is tried by the next pass; with
 * --watch that comes after a while, since the fault may be mended meanwhile. */
static void rest(struct runner *r)
{
    bool again = r->config->watch && !r->broken && !r->signal;
    if (r->resting)
        return;
    r->resting = true;
    err_warn("%s: ended by status %d, the fault is on this side: %zu due entries were not tried%s",
             again ? "pass" : "run", r->ours, line_left(r), again ? ", the next pass comes" : "");
    if (again)
        loop_at(r->loop, &r->look, clock_ms() + r->config->policy.first_ms, look, r);
}

static void look_for_end(struct runner *r)
{
    if (r->active > 0)
        return;
    if (r->ours)
        rest(r);
    if (r->signal || r->broken || (!r->config->watch && (r->ours || !r->first)))
        loop_stop(r->loop);
}

static void fill(void *arg)
{
    struct runner *r = arg;
    struct queue_name n;
    int taken = 0;
    while (!r->signal && !r->ours && r->active < r->config->jobs) {
        if (taken++ == AT_A_TIME) {
            loop_at(r->loop, &r->fill, clock_ms(), fill, r);
            return;
        }
        struct recipient *to = line_next(r, &n);
        if (!to)
            break;
        r->active++;
        if (!delivery_start(r, to, &n))
            runner_over(r, to);
    }
    look_for_end(r);
}

static void fill_soon(struct runner *r)
{
    if (r->fill.place == 0)
        loop_at(r->loop, &r->fill, clock_ms(), fill, r);
}

void runner_over(struct runner *r, struct recipient *to)
{
    r->active--;
    line_back(r, to);
    fill_soon(r);
}

/* --- What is due. */

struct names {
    struct runner *r;
    struct queue_name *v;
    size_t count, room;
};

/* With --to: his alone. By the name, so somebody who shares the eight digits may be served too. */
static bool is_wanted(const struct runner *r, const struct queue_name *n)
{
    const struct opt_list *to = &r->config->to;
    for (size_t i = 0; i < to->n; i++) {
        if (queue_is_for(n, r->hashes[i]))
            return true;
    }
    return to->n == 0;
}

static bool take_name(void *arg, const struct queue_name *n)
{
    struct names *s = arg;
    struct runner *r = s->r;
    if (!is_wanted(r, n))
        return true;
    if (r->when == WHEN_DUE && n->due > clock_wall_ms() / 1000) {
        r->next_due = n->due < r->next_due ? n->due : r->next_due;
        return true;
    }
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 256;
        s->v = mem_grow(s->v, s->room, sizeof *s->v);
    }
    s->v[s->count++] = *n;
    return true;
}

static int by_due(const void *a, const void *b)
{
    const struct queue_name *x = a, *y = b;
    if (x->due != y->due)
        return x->due < y->due ? -1 : 1;
    return strcmp(x->id, y->id);
}

static int take_names(struct runner *r)
{
    struct names s = {.r = r};
    r->next_due = INT64_MAX;
    line_clear(r); /* what was there is read again */
    int err = queue_walk(r->queue, QUEUE_WAIT, take_name, NULL, &s);
    if (s.count > 0)
        qsort(s.v, s.count, sizeof *s.v, by_due);
    for (size_t i = 0; i < s.count; i++)
        line_add(r, &s.v[i]);
    free(s.v);
    return err;
}

/* --- With --watch. */

/* When the next one is due; the wall clock may be set meanwhile, so not too far ahead. */
static void look_at(struct runner *r, int64_t due)
{
    int64_t now = clock_wall_ms();
    if (r->resting)
        return;
    int64_t in = (r->counts.busy ? BUSY_LOOK_S : PURGE_S) * 1000LL;
    if (due <= now / 1000)
        in = 0;
    else if (due < (now + in) / 1000)
        in = due * 1000 - now;
    int64_t when = clock_ms() + in;
    if (r->look.place == 0 || r->look.due > when)
        loop_at(r->loop, &r->look, when, look, r);
}

static void purge(struct runner *r)
{
    const struct config *c = r->config;
    int err = queue_purge(r->queue, c->keep_ms, c->keep_failed_ms, clock_wall_ms());
    if (err)
        err_warn("%s: %s", queue_folder(r->queue), strerror(err));
    r->purge_at = clock_ms() + PURGE_S * 1000LL;
}

static void begin_pass(struct runner *r)
{
    if (clock_ms() >= r->purge_at)
        purge(r);
    r->counts.busy = 0;
    r->ours = 0;
    r->challenger = NULL;
    r->let_in = false;
    r->resting = false;
    int err = take_names(r);
    if (err) {
        err_line(queue_folder(r->queue), strerror(err), NULL);
        r->ours = status_of_error(err);
        r->broken = true;
    }
    fill_soon(r);
}

static void look(void *arg)
{
    struct runner *r = arg;
    begin_pass(r);
    look_at(r, r->next_due);
}

static void on_arrival(void *arg, const struct queue_name *n)
{
    struct runner *r = arg;
    if (r->resting || (n && !is_wanted(r, n)))
        return;
    if (n && n->due <= clock_wall_ms() / 1000) {
        line_add(r, n);
        fill_soon(r);
    } else {
        look_at(r, n ? n->due : 0);
    }
}

/* The first one: what is under way is brought to its end, nothing else begun. The second one: that
 * is ended too, in order. */
static void on_signal(void *arg, int signal)
{
    struct runner *r = arg;
    if (r->signal || signal == SIGHUP)
        delivery_stop_all(r, SIGTERM);
    else
        err_warn("finishing what is under way (%lld); again: ending it", (long long)r->active);
    r->signal = signal;
    fill_soon(r);
}

/* --- The whole. */

/* How many deliveries a limit has room for: at least one. */
static int64_t fitting(uint64_t limit, uint64_t each, uint64_t other)
{
    if (limit < other + each)
        return 1;
    uint64_t n = (limit - other) / each;
    return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static int64_t at_most(int64_t jobs, int64_t possible, const char *of)
{
    if (possible >= jobs)
        return jobs;
    err_warn("--jobs: %lld, for more there are not enough %s", (long long)possible, of);
    return possible;
}

/* As many deliveries as there is room for. One too many would be a fault of ours in its middle. */
static int64_t possible_jobs(int64_t jobs)
{
    uint64_t fds = limit_descriptors((uint64_t)jobs * FD_EACH + FD_OTHER);
    jobs = at_most(jobs, fitting(fds, FD_EACH, FD_OTHER), "descriptors (ulimit -n)");
    return at_most(jobs, fitting(limit_processes(), PROCESSES_EACH, PROCESSES_OTHER),
                   "processes (ulimit -u)");
}

static int summary(const struct runner *r)
{
    const struct counts *c = &r->counts;
    if (err_verbosity == ERR_QUIET)
        return EX_OK;
    printf("delivered %lu, deferred %lu, refused %lu, expired %lu", c->delivered, c->deferred,
           c->refused, c->expired);
    if (c->held)
        printf(", held %lu", c->held);
    if (c->removed)
        printf(", removed %lu", c->removed);
    if (c->busy)
        printf(", under way elsewhere %lu", c->busy);
    printf("\n");
    return err_output();
}

static int pass(struct runner *r)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, 0};
    int err = loop_signals(r->loop, signals, on_signal, r);
    if (err) {
        err_line(queue_folder(r->queue), strerror(err), NULL);
        return EX_OSERR;
    }
    if (r->config->watch) {
        queue_watch(r->queue, r->loop, on_arrival, r);
        look(r);
    } else {
        begin_pass(r);
    }
    loop_run(r->loop);
    int status = summary(r);
    return r->ours ? r->ours : status;
}

int run(const struct config *c, char **operands, int count)
{
    struct config own = *c;
    struct runner r = {.config = &own, .when = c->to.n > 0 ? WHEN_ANY : WHEN_DUE};
    (void)operands;
    if (count > 0)
        err_die(EX_USAGE, "run", "takes no operand", "see cpm-queue --help");
    own.jobs = possible_jobs(c->jobs);
    int status = open_queue(c, false, &r.queue);
    if (status)
        return status;
    r.loop = loop_new();
    r.hashes = mem_new((c->to.n + 1) * sizeof *r.hashes);
    for (size_t i = 0; i < c->to.n; i++)
        queue_recipient(c->to.v[i], r.hashes[i]);
    status = pass(&r);
    free(r.hashes);
    line_free(&r);
    queue_close(r.queue);
    loop_free(r.loop);
    if (r.signal)
        err_die_by(r.signal);
    return status;
}
