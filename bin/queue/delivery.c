/* One entry on its way: claim, decide, deliver, decide again, move. */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const struct delivery *d, const char *what)
{
    err_step("%s to %s: %s", d->entry->name.id, queue_entry_get(d->entry, "entry.to"), what);
}

static void complain(const struct delivery *d, int err)
{
    err_line(d->entry->path, strerror(err), NULL);
    d->runner->ours = status_of_error(err);
}

/* Frees it without a word to the runner. */
static void forget(struct delivery *d)
{
    struct runner *r = d->runner;
    if (d->before)
        d->before->after = d->after;
    else
        r->deliveries = d->after;
    if (d->after)
        d->after->before = d->before;
    loop_cancel(r->loop, &d->limit);
    queue_entry_close(d->entry);
    argv_clear(&d->argv);
    free(d);
}

void delivery_end(struct delivery *d)
{
    struct runner *r = d->runner;
    struct recipient *to = d->to;
    forget(d);
    runner_over(r, to);
}

int delivery_status(int wait_status)
{
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

int delivery_spawn(struct delivery *d, const struct spawn_fd *fds, size_t n, bool group,
                   void (*handler)(void *arg, int wait_status))
{
    int err = group ? spawn_group(d->argv.v[0], d->argv.v, fds, n, &d->pid)
                    : spawn(d->argv.v[0], d->argv.v, fds, n, &d->pid);
    if (err) {
        err_line(d->argv.v[0], strerror(err), NULL);
        d->pid = 0;
        return err;
    }
    loop_child(d->runner->loop, &d->child, d->pid, handler, d);
    return 0;
}

void delivery_stop_all(struct runner *r, int signal)
{
    for (struct delivery *d = r->deliveries; d; d = d->after) {
        if (d->pid)
            (void)kill(d->pid, signal); /* it may be gone: then it is reaped soon */
    }
}

/* --- The attempt. */

/* With stdin and stdout of nobody: what is to be known is in the journal. */
static int spawn_silent(struct delivery *d, void (*handler)(void *arg, int wait_status))
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) {
        int err = errno;
        err_line("/dev/null", strerror(err), NULL);
        return err;
    }
    struct spawn_fd fds[] = {{null, STDIN_FILENO}, {null, STDOUT_FILENO}};
    int err = delivery_spawn(d, fds, 2, false, handler);
    (void)close(null);
    return err;
}

static bool begin_command(struct delivery *d, const char *program, const char *variable)
{
    char *path = spawn_find(program, variable);
    argv_clear(&d->argv);
    if (path)
        argv_own(&d->argv, path);
    else
        err_linef(program, "install it beside cpm-queue, or set the variable",
                  "not found (%s, beside cpm-queue, PATH)", variable);
    return path != NULL;
}

static void push_session(struct delivery *d)
{
    argv_add(&d->argv, "-s");
    argv_add(&d->argv, d->entry->path);
    argv_common(&d->argv);
    argv_given(&d->argv, sip_table);
    argv_given(&d->argv, dns_table);
}

static bool make_command(struct delivery *d)
{
    struct argv *a = &d->argv;
    if (!begin_command(d, "cpm-deliver", "CPM_EXEC_DELIVER"))
        return false;
    push_session(d);
    argv_own(a, mem_format("--attempt=%s", journal_sid(d->entry->journal)));
    argv_own(a, mem_format("--from=%s", queue_entry_get(d->entry, "entry.from")));
    argv_own(a, mem_format("--to=%s", queue_entry_get(d->entry, "entry.to")));
    argv_given(a, msrp_table);
    argv_given(a, deliver_table);
    argv_add(a, "--");
    argv_own(a, queue_body_path(d->runner->queue, d->entry->name.id));
    return true;
}

static void outcome(struct delivery *d, int status, const char *why)
{
    int err = journal_outcome(d->entry->journal, status, why, NULL);
    if (err && err != EEXIST)
        complain(d, err);
}

/* All stages are gone, or (when cpm-deliver was killed) still at work: their end is waited for. */
static void settle(void *arg)
{
    struct delivery *d = arg;
    struct journal *j = d->entry->journal;
    if (!d->waiting)
        return;
    int err = journal_claim(j);
    if (err == EAGAIN) {
        if (!d->watching)
            journal_watch(j, d->runner->loop, JOURNAL_LINES, settle, d);
        d->watching = true;
        return;
    }
    if (err) {
        if (err != ESTALE)
            complain(d, err);
        delivery_end(d);
        return;
    }
    d->waiting = false;
    d->runner->let_in = d->runner->let_in || queue_set_up(d->entry);
    delivery_step(d, WHEN_ENDED);
}

static void on_delivered(void *arg, int wait_status)
{
    struct delivery *d = arg;
    bool grew;
    d->pid = 0;
    d->waiting = true;
    d->exit_status = delivery_status(wait_status);
    int err = journal_read(d->entry->journal, &grew);
    /* It ended by itself and wrote nothing: a wrong option, say. */
    if (!err && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) != 0 &&
        !journal_has(d->entry->journal, "outcome") &&
        !journal_has(d->entry->journal, "msrp.transferred"))
        outcome(d, WEXITSTATUS(wait_status), "cpm-deliver");
    settle(d);
}

static void attempt(struct delivery *d)
{
    int err = journal_begin(d->entry->journal, NULL);
    if (err) {
        complain(d, err);
        delivery_end(d);
        return;
    }
    d->tried = true;
    say(d, "delivering");
    err = make_command(d) ? spawn_silent(d, on_delivered) : ENOENT;
    if (err && !d->pid) {
        outcome(d, spawn_status(err), "cpm-deliver was not started");
        d->waiting = true;
        settle(d);
    }
}

static void on_cleaned(void *arg, int wait_status)
{
    struct delivery *d = arg;
    d->pid = 0;
    if (delivery_status(wait_status) != 0)
        say(d, "what the last attempt left with the recipient may still stand");
    attempt(d);
}

/* A dialog that a dead attempt left is ended first. */
static void begin(struct delivery *d)
{
    if (queue_dangles(d->entry) && begin_command(d, "cpm-bye", "CPM_EXEC_BYE")) {
        push_session(d);
        argv_add(&d->argv, "--cleanup");
        if (spawn_silent(d, on_cleaned) == 0)
            return;
    }
    attempt(d);
}

/* --- Deciding. */

static void stop_pass(struct delivery *d, int status)
{
    err_warn("%s to %s: %d (see cpm-queue show %s)", d->entry->name.id,
             queue_entry_get(d->entry, "entry.to"), status, d->entry->name.id);
    d->runner->ours = status;
}

/* One recipient who wants credentials that we do not have is his own matter. Where a second one
 * does, and none has let us in, ours are wrong. */
static void note_challenge(struct delivery *d, int status)
{
    struct runner *r = d->runner;
    if (r->challenger && r->challenger != d->to && !r->let_in)
        stop_pass(d, status);
    r->challenger = d->to;
}

static void note_failure(struct delivery *d, const struct queue_decision *to)
{
    struct journal *j = d->entry->journal;
    int status = (int)journal_number(j, "outcome.status", EX_TEMPFAIL);
    enum queue_class c = queue_class_of_end(d->entry, status);
    char when[CLOCK_TEXT_SIZE];
    clock_text(when, to->due * 1000);
    err_step("%s to %s: not now (%d), next attempt %s", d->entry->name.id,
             queue_entry_get(d->entry, "entry.to"), status, when);
    d->runner->counts.deferred++;
    if (queue_class_of_end(d->entry, d->exit_status) == CLASS_OURS)
        stop_pass(d, d->exit_status);
    else if (c == CLASS_OURS && d->tried)
        stop_pass(d, status);
    else if (!queue_set_up(d->entry))
        d->to->not_before = to->due;
    if (queue_challenged(d->entry))
        note_challenge(d, status);
}

/* Moves it as decided. 0 or an errno value. */
static int obey(struct delivery *d, const struct queue_decision *decision)
{
    static const enum queue_state states[] = {[DO_FINISH] = QUEUE_DONE,
                                              [DO_HOLD] = QUEUE_HELD,
                                              [DO_FAIL] = QUEUE_FAILED,
                                              [DO_DEFER] = QUEUE_WAIT};
    char now[CLOCK_TEXT_SIZE];
    struct queue_name to = {.state = states[decision->what], .due = decision->due};
    clock_text(now, clock_wall_ms());
    memcpy(to.id, d->entry->name.id, sizeof to.id);
    memcpy(to.day, now, sizeof to.day - 1);
    return queue_move(d->entry, &to);
}

static void count(struct delivery *d, const struct queue_decision *decision)
{
    struct counts *c = &d->runner->counts;
    const char *id = d->entry->name.id;
    const char *to = queue_entry_get(d->entry, "entry.to");
    const char *status = queue_entry_get(d->entry, "outcome.status");
    switch (decision->what) {
    case DO_FINISH:
        c->delivered++;
        say(d, "delivered");
        break;
    case DO_HOLD:
        c->held++;
        err_warn("%s to %s: held (%s)", id, to, status);
        break;
    case DO_FAIL:
        *(decision->why == WHY_EXPIRED ? &c->expired : &c->refused) += 1;
        err_warn("%s to %s: %s (%s%s%s)", id, to, queue_why_names[decision->why],
                 *status ? status : "without an attempt", *status ? " " : "",
                 queue_entry_get(d->entry, "outcome.why"));
        break;
    case DO_REMOVE:
        c->removed++;
        break;
    case DO_DEFER:
        if (decision->failed)
            note_failure(d, decision);
        break;
    default:
        break;
    }
}

/* It is given up: the journal says so, then somebody is told, then it moves. True: that is under
 * way, or another look is needed. */
static bool give_up(struct delivery *d, const struct queue_decision *decision, enum queue_when when)
{
    int err = 0;
    if (d->entry->facts.why == WHY_NONE)
        err = queue_note_why(d->entry, decision->why);
    else if (notify_wanted(d))
        err = notify_start(d);
    else
        return false;
    if (err) {
        complain(d, err);
        delivery_end(d);
    } else if (!d->pid) {
        delivery_step(d, when);
    }
    return true;
}

static void decide(struct delivery *d, enum queue_when when, struct queue_decision *decision)
{
    int64_t now = clock_wall_ms();
    queue_decide(d->entry, &d->runner->config->policy, now, when, decision);
    if (decision->what == DO_DELIVER && d->to->not_before > now / 1000)
        *decision = (struct queue_decision){.what = DO_DEFER, .due = d->to->not_before};
}

/* Decides and does. A wish is written under the lock that we hold meanwhile: it comes before, and
 * counts, or after, and whoever has it sees that the entry has moved. */
void delivery_step(struct delivery *d, enum queue_when when)
{
    struct queue_decision decision;
    struct journal *j = d->entry->journal;
    int err = journal_freeze(j);
    if (!err) {
        decide(d, when, &decision);
        bool stays =
            decision.what == DO_NOTHING || decision.what == DO_DELIVER ||
            (decision.what == DO_FAIL && (d->entry->facts.why == WHY_NONE || notify_wanted(d)));
        if (decision.what == DO_REMOVE)
            err = queue_remove(d->entry);
        else if (!stays)
            err = obey(d, &decision);
        journal_thaw(j);
        if (!err && decision.what == DO_DELIVER) {
            begin(d);
            return;
        }
        if (!err && stays && decision.what == DO_FAIL && give_up(d, &decision, when))
            return;
    }
    if (err)
        complain(d, err);
    else
        count(d, &decision);
    delivery_end(d);
}

/* --- Taking it on. */

static int open_and_claim(struct runner *r, const struct queue_name *n, struct queue_entry **e)
{
    int err = queue_entry_open(r->queue, n, JOURNAL_UPDATE, e);
    if (err)
        return err;
    err = journal_claim((*e)->journal);
    if (err)
        queue_entry_close(*e);
    return err;
}

static void cannot_open(struct runner *r, const struct queue_name *n, int err)
{
    const char *hint;
    int status;
    char *path = queue_path(r->queue, n);
    const char *why = journal_open_error(err, &hint, &status);
    err_line(path, why, hint);
    free(path);
    if (err == ENOSPC || err == EDQUOT || err == EMFILE || err == ENFILE || err == EIO)
        r->ours = status_of_error(err);
}

static bool is_under_way(const struct runner *r, const char *id)
{
    for (const struct delivery *d = r->deliveries; d; d = d->after) {
        if (strcmp(d->entry->name.id, id) == 0)
            return true;
    }
    return false;
}

bool delivery_start(struct runner *r, struct recipient *to, const struct queue_name *n)
{
    struct queue_entry *e;
    if (is_under_way(r, n->id))
        return false;
    int err = open_and_claim(r, n, &e);
    if (err == EAGAIN)
        r->counts.busy++;
    if (err == EAGAIN || err == ENOENT || err == ESTALE)
        return false; /* somebody else has it, or was faster */
    if (err) {
        cannot_open(r, n, err);
        return false;
    }
    if (!*queue_entry_get(e, "entry.from") || !*queue_entry_get(e, "entry.to")) {
        err_line(e->path, "is no entry: it does not say from whom and to whom", "remove it");
        queue_entry_close(e);
        return false;
    }
    struct delivery *d = mem_new(sizeof *d);
    *d = (struct delivery){.runner = r, .to = to, .entry = e, .after = r->deliveries};
    if (d->after)
        d->after->before = d;
    r->deliveries = d;
    delivery_step(d, r->when);
    return true;
}
