/* Runs the plan: one attempt, three stages in a pipeline, one verdict. */
#include "bin/deliver/deliver.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "cpim/cpim.h"
#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLAIM_RETRY_MS 50
#define CLAIM_WAIT_MS  5000
#define DEAF_MS        6000 /* for each step of on_deaf; a stage has 5 s to end */
#define MESSAGE_FD     3    /* of a composed message, in cpm-msrp-serve */

struct run;

struct child {
    struct run *run;
    struct loop_child watch;
    pid_t pid; /* 0: not started, or gone */
    int wait_status;
    bool started;
};

struct run {
    struct plan *plan;
    struct loop *loop;
    struct journal *journal;
    struct child composer;
    struct child child[STAGES];
    int message_fd;       /* composed, or -1 */
    int64_t begun, asked; /* the latter: for the claim, first */
    bool claimed;         /* the attempt is ours to end */
    int failed;           /* the status of a start that failed, or 0 */
    bool timed_out;
    int signal;
    bool asked_to_end; /* the stages had a signal */
    struct loop_timer timer, claim;
    struct watch watch;
};

static void look_for_end(struct run *r)
{
    if (r->composer.pid)
        return;
    for (int i = 0; i < STAGES; i++) {
        if (r->child[i].pid)
            return;
    }
    loop_stop(r->loop);
}

static void send_all(struct run *r, int signal)
{
    if (r->composer.pid)
        (void)kill(r->composer.pid, signal);
    for (int i = 0; i < STAGES; i++) {
        if (r->child[i].pid)
            (void)kill(r->child[i].pid, signal); /* it may be gone: then it is reaped soon */
    }
}

static void on_deaf(void *arg);

static void give_time(struct run *r)
{
    loop_at(r->loop, &r->timer, clock_ms() + DEAF_MS, on_deaf, r);
}

/* The signal 0 is for those who have one already. */
static void order_end(struct run *r, int signal)
{
    send_all(r, signal);
    if (!r->asked_to_end)
        give_time(r);
    r->asked_to_end = true;
}

/* Whoever does not end, or is stopped, is made to: by TERM, then by KILL. What that leaves with the
 * recipient is ended before the next attempt (cpm-bye --cleanup). */
static void on_deaf(void *arg)
{
    struct run *r = arg;
    if (!r->asked_to_end) {
        order_end(r, SIGTERM);
        return;
    }
    send_all(r, SIGKILL);
    give_time(r);
}

/* --- Starting. */

static void open_and_begin(void *arg);

static void on_composed(void *arg, int wait_status)
{
    struct run *r = arg;
    r->composer.pid = 0;
    r->failed = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
    if (r->timed_out)
        r->failed = EX_TEMPFAIL;
    if (r->failed || r->signal)
        loop_stop(r->loop);
    else
        open_and_begin(r);
}

/* The message is made before there is an attempt. */
static void compose(void *arg)
{
    struct run *r = arg;
    struct child *c = &r->composer;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int err = null < 0 ? errno : file_temporary(&r->message_fd);
    struct spawn_fd fds[] = {{null, STDIN_FILENO}, {r->message_fd, STDOUT_FILENO}};
    bool stdin_content = strcmp(r->plan->content, "-") == 0;
    char **argv = r->plan->compose.v;
    if (!err) /* "-" is our stdin, which the composer reads in our place */
        err = stdin_content ? spawn(argv[0], argv, fds + 1, 1, &c->pid)
                            : spawn(argv[0], argv, fds, 2, &c->pid);
    if (null >= 0)
        (void)close(null);
    if (!err) {
        loop_child(r->loop, &c->watch, c->pid, on_composed, r);
    } else {
        err_line("cpm-compose", strerror(err), NULL);
        r->failed = spawn_status(err);
        loop_stop(r->loop);
    }
}

/* As a shell says it of a program that is missing (127) or cannot be executed (126): the other
 * stages would wait for it. */
static bool did_not_start(int wait_status)
{
    return WIFEXITED(wait_status) &&
           (WEXITSTATUS(wait_status) == 126 || WEXITSTATUS(wait_status) == 127);
}

static void on_child(void *arg, int wait_status)
{
    struct child *c = arg;
    struct run *r = c->run;
    c->pid = 0;
    c->wait_status = wait_status;
    if (did_not_start(wait_status) && !r->failed) {
        r->failed = WEXITSTATUS(wait_status);
        order_end(r, SIGTERM);
    }
    look_for_end(r);
}

static int start_stage(struct run *r, int i, int from, int to)
{
    struct child *c = &r->child[i];
    struct spawn_fd fds[3];
    size_t n = 0;
    fds[n++] = (struct spawn_fd){from, STDIN_FILENO};
    if (to >= 0)
        fds[n++] = (struct spawn_fd){to, STDOUT_FILENO};
    if (i == SERVE && r->message_fd >= 0)
        fds[n++] = (struct spawn_fd){r->message_fd, MESSAGE_FD};
    char **argv = r->plan->stage[i].v;
    int err = spawn_loaded(argv[0], argv, fds, n, &c->pid);
    if (err) {
        err_line(argv[0], strerror(err), NULL);
        r->failed = spawn_status(err);
        return err;
    }
    c->run = r;
    c->started = true;
    loop_child(r->loop, &c->watch, c->pid, on_child, c);
    return 0;
}

/* cpm-msrp-serve, which everything waits for, is the last: so whoever sees what it says knows that
 * every stage was started, and that the delivery goes on without us. After a signal none is
 * started: a terminal has sent it only to those that were there. */
static int start_stages(struct run *r)
{
    static const int order[STAGES] = {BYE, INVITE, SERVE};
    struct ends ends[STAGES + 1];
    int err = ends_open(ends);
    for (int i = 0; i < STAGES && !err && !loop_signal_waits(r->loop); i++)
        err = start_stage(r, order[i], ends[order[i]].read, ends[order[i] + 1].write);
    ends_close(ends);
    if (err && !r->failed) {
        err_line("start", strerror(err), NULL);
        r->failed = EX_OSERR;
    }
    return err;
}

/* --- The verdict. */

/* A stage's own status, of the range that says something; else 0. */
static int stage_status(const struct child *c)
{
    if (!c->started || !WIFEXITED(c->wait_status))
        return 0;
    int status = WEXITSTATUS(c->wait_status);
    return status >= EX__BASE && status <= EX__MAX ? status : 0;
}

/* A stage that merely missed another one says 75: what the other says counts. */
static int first_status(const struct run *r)
{
    int later = 0;
    for (int i = 0; i < STAGES; i++) {
        int status = stage_status(&r->child[i]);
        if (status && status != EX_TEMPFAIL)
            return status;
        later = later ? later : status;
    }
    return later;
}

static int status_of(const struct run *r)
{
    if (journal_has(r->journal, "msrp.transferred"))
        return EX_OK;
    if (r->failed)
        return r->failed;
    if (r->timed_out)
        return EX_TEMPFAIL;
    if (r->signal)
        return 128 + r->signal;
    int status = first_status(r);
    if (status)
        return status;
    for (int i = STAGES; i-- > 0;) {
        const struct child *c = &r->child[i];
        if (c->started && WIFSIGNALED(c->wait_status))
            return 128 + WTERMSIG(c->wait_status);
        if (c->started && WEXITSTATUS(c->wait_status) != 0)
            return WEXITSTATUS(c->wait_status);
    }
    return EX_TEMPFAIL;
}

/* A stage that was killed could not say so itself. */
static void say_killed(const struct run *r)
{
    for (int i = 0; i < STAGES; i++) {
        const struct child *c = &r->child[i];
        if (c->started && WIFSIGNALED(c->wait_status))
            err_linef(r->plan->stage[i].v[0], "try again", "ended by signal %d (%s)",
                      WTERMSIG(c->wait_status), strsignal(WTERMSIG(c->wait_status)));
    }
}

static void say(const struct run *r, int status)
{
    if (status != EX_OK && !r->signal && !r->timed_out && !r->failed)
        say_killed(r);
    if (r->timed_out && status != EX_OK)
        err_linef("--timeout", "the next attempt starts anew", "not delivered in %.0f s",
                  (double)r->plan->timeout_ms / 1000);
    else
        say_end(r->journal, r->plan->to, status, clock_ms() - r->begun);
}

static int end_attempt(struct run *r)
{
    bool grew;
    if (journal_read(r->journal, &grew) != 0)
        return EX_IOERR;
    int status = status_of(r);
    if (!journal_has(r->journal, "outcome")) {
        int err =
            journal_outcome(r->journal, status, r->timed_out ? "timeout" : "stages ended", NULL);
        if (err && err != EEXIST)
            err_line(journal_path(r->journal), strerror(err), "the outcome is not in the journal");
    }
    say(r, status);
    return status;
}

/* --- The attempt. */

/* The stages see the order in the file, and end in order; a signal only for one that does not. */
static void on_timeout(void *arg)
{
    struct run *r = arg;
    struct line_out o;
    r->timed_out = true;
    if (!r->claimed) {
        order_end(r, SIGTERM);
        look_for_end(r);
        return;
    }
    line_begin(&o, "bye.request", journal_sid(r->journal));
    line_text(&o, "why", "timeout");
    if (journal_append(r->journal, &o, false, NULL) != 0)
        order_end(r, SIGTERM);
    else
        give_time(r);
}

/* A terminal has sent it to the stages too, and a second one would end them at once. */
static void on_signal(void *arg, int signal)
{
    struct run *r = arg;
    r->signal = signal;
    order_end(r, loop_signal_was_sent(r->loop) ? signal : 0);
    look_for_end(r);
}

/* The file was delivered already: good if it was this very message to this very recipient. */
static int already_transferred(struct run *r)
{
    const char *to = journal_get(r->journal, "entry.to");
    bool same_to = !r->plan->to || !to || strcmp(r->plan->to, to) == 0;
    if (same_to && message_is_bound(r->plan, r->message_fd, r->journal)) {
        err_step("delivered already");
        return EX_OK;
    }
    err_line(journal_path(r->journal),
             same_to ? "its message was delivered already" : "it belongs to another recipient",
             "use a new session file");
    return EX_USAGE;
}

static void begin(void *arg);

static int claim(struct run *r)
{
    const char *wanted = r->plan->attempt;
    int err =
        wanted ? journal_join(r->journal, wanted, ROLE_BYE) : journal_start(r->journal, 0, NULL);
    switch (err) {
    case 0:
        return EX_OK;
    case EEXIST:
        return already_transferred(r);
    case EAGAIN:
        if (clock_ms() - r->asked < CLAIM_WAIT_MS) {
            loop_at(r->loop, &r->claim, clock_ms() + CLAIM_RETRY_MS, begin, r);
            return -1;
        }
        err_line(journal_path(r->journal), "another attempt is under way", "wait for its end");
        return EX_TEMPFAIL;
    case ENOENT:
    case ESTALE:
        err_line(journal_path(r->journal), "that attempt is not under way", "start a new one");
        return EX_TEMPFAIL;
    default:
        err_line(journal_path(r->journal), strerror(err), "make room, then try again");
        return EX_OSERR;
    }
}

static void begin(void *arg)
{
    struct run *r = arg;
    struct plan *p = r->plan;
    r->failed = claim(r);
    if (r->failed < 0) {
        r->failed = 0;
        return;
    }
    if (r->failed || journal_has(r->journal, "msrp.transferred")) {
        loop_stop(r->loop);
        return;
    }
    r->claimed = true;
    r->failed = message_bind_content(p, r->message_fd, r->journal);
    if (r->failed) {
        loop_stop(r->loop);
        return;
    }
    char *fd_path = mem_format("/dev/fd/%d", MESSAGE_FD);
    if (!plan_make(p, r->message_fd >= 0 ? fd_path : p->message, journal_sid(r->journal)))
        r->failed = EX_CONFIG;
    else if (start_stages(r) != 0)
        order_end(r, SIGTERM);
    else
        watch_start(&r->watch, r->loop, journal_path(r->journal), journal_sid(r->journal));
    free(fd_path);
    if (!loop_signal_waits(r->loop)) /* else that is the end */
        look_for_end(r);
}

static int open_journal(struct run *r)
{
    const char *session = r->plan->session ? r->plan->session : r->plan->own_session;
    int status;
    bool grew;
    const char *hint;
    /* Where the file of an attempt is gone, a new one would be an entry that nobody added. */
    const char *attempt_wanted = r->plan->attempt;
    bool scratch = !r->plan->session && !r->plan->keep_session;
    int err = journal_open(&r->journal, session,
                           attempt_wanted ? JOURNAL_UPDATE
                           : scratch      ? JOURNAL_SCRATCH
                                          : JOURNAL_WRITE);
    if (err == ENOENT && attempt_wanted) {
        err_line(session, "that attempt is not under way", "start a new one");
        return EX_TEMPFAIL;
    }
    if (err) {
        const char *why = journal_open_error(err, &hint, &status);
        err_line(session, why, hint);
        return status;
    }
    return journal_read(r->journal, &grew) == 0 ? EX_OK : EX_IOERR;
}

static void open_and_begin(void *arg)
{
    struct run *r = arg;
    r->failed = open_journal(r);
    r->asked = clock_ms();
    if (r->failed)
        loop_stop(r->loop);
    else
        begin(r);
}

static int attempt(struct run *r)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, 0};
    int err = loop_signals(r->loop, signals, on_signal, r);
    if (err) {
        err_line("signals", strerror(err), NULL);
        return EX_OSERR;
    }
    if (r->plan->timeout_ms > 0)
        loop_at(r->loop, &r->timer, r->begun + r->plan->timeout_ms, on_timeout, r);
    loop_at(r->loop, &r->claim, r->begun, r->plan->content ? compose : open_and_begin, r);
    loop_run(r->loop);
    if (r->claimed)
        return end_attempt(r);
    if (r->timed_out)
        say(r, EX_TEMPFAIL);
    return r->timed_out ? EX_TEMPFAIL : r->failed;
}

int plan_run(struct plan *p)
{
    struct run r = {.plan = p, .message_fd = -1, .begun = clock_ms()};
    int status = EX_OK;
    if (p->content && p->session)
        p->known_id = message_bound_id(p->session);
    if (p->content && !plan_make(p, "", NULL))
        status = EX_CONFIG;
    else if (!p->content && strcmp(p->message, "-") == 0)
        status = message_from_stdin(&r.message_fd);
    r.loop = loop_new();
    if (!status)
        status = attempt(&r);
    journal_close(r.journal);
    watch_end(&r.watch);
    loop_free(r.loop);
    if (p->own_session && !p->keep_session)
        (void)unlink(p->own_session); /* it may never have been made */
    else if (p->own_session)
        err_linef(p->own_session, NULL, "the session file of this run is kept");
    if (r.message_fd >= 0)
        (void)close(r.message_fd);
    plan_clear(p);
    free(p->known_id);
    bool transferred = status == EX_OK && r.claimed;
    if (r.signal && !transferred)
        err_die_by(r.signal);
    return status;
}
