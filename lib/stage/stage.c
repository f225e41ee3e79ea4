#include "stage/stage_int.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FLUSH_WAIT_MS  2000
#define STOP_WAIT_MS   5000
#define SAME_SIGNAL_MS 50
#define ABANDONED_MS   500

static void look(struct stage *s);

/* --- Small questions. */

struct journal *stage_journal(struct stage *s)
{
    return s->journal;
}

const char *stage_sid(const struct stage *s)
{
    return s->sid;
}

/* Is there a neighbour whose end of input or EPIPE we may look at? cpm-bye's reader is no stage. */
bool stage_in_pipeline(const struct stage *s)
{
    if (s->options->alone)
        return false;
    return s->role == ROLE_INVITE ? s->out.pipe : s->in.given;
}

int64_t stage_start_timeout(const struct stage *s)
{
    return s->options->start_timeout_ms ? s->options->start_timeout_ms : STAGE_START_TIMEOUT_MS;
}

/* A newer attempt began, or this one has its outcome. */
bool stage_over(struct stage *s)
{
    return strcmp(s->sid, journal_sid(s->journal)) != 0 || journal_has(s->journal, "outcome");
}

/* The neighbour said that it is gone: end of input from before, EPIPE from behind. */
static bool neighbour_quiet(const struct stage *s, enum journal_role role)
{
    return role < s->role ? !s->in.open : s->out.gone;
}

/* In a pipeline the neighbour is waited for until the pipe says that it will not come. Of the
 * others the pipe says nothing, but that without a reader nobody behind is left. */
static bool waited_enough(const struct stage *s, enum journal_role role)
{
    bool neighbour = role + 1 == s->role || (s->role == ROLE_INVITE && role == ROLE_SERVE);
    if (stage_in_pipeline(s) && neighbour_quiet(s, role))
        return true;
    if (stage_in_pipeline(s) && neighbour && s->options->start_timeout_ms == 0)
        return false;
    return clock_ms() - s->started >= stage_start_timeout(s);
}

enum stage_partner stage_partner(struct stage *s, enum journal_role role)
{
    if (s->alive[role])
        return PARTNER_HERE;
    switch (journal_life(s->journal, role)) {
    case LIFE_ALIVE:
        s->alive[role] = s->looking; /* who dies after that causes another look */
        return PARTNER_HERE;
    case LIFE_GONE:
        return PARTNER_LOST;
    case LIFE_ABSENT:
        break;
    }
    return waited_enough(s, role) ? PARTNER_LOST : PARTNER_COMING;
}

/* --- Lines out. */

/* cpm-bye's stdout is the whole transcript, each line once, whichever way it came. */
void stage_show(struct stage *s, struct slice line)
{
    if (s->role == ROLE_BYE && seen_before(&s->seen, line))
        return;
    out_put(&s->out, line);
    in_pause(&s->in, out_full(&s->out));
}

int stage_emit(struct stage *s, struct line_out *o, enum stage_how how)
{
    struct slice text;
    if (how == STAGE_PROGRESS) {
        int err = line_end(o);
        if (!err)
            stage_show(s, (struct slice){o->text, o->n});
        return err;
    }
    int err = journal_append(s->journal, o, how == STAGE_DURABLE, &text);
    if (err == EMSGSIZE)
        return err;
    if (err) {
        if (!s->file_failed)
            err_line(journal_path(s->journal), strerror(err), "make room, then try again");
        s->file_failed = true;
        return err;
    }
    stage_show(s, text);
    return 0;
}

bool stage_is_mute(const struct stage *s)
{
    return s->file_failed;
}

int stage_outcome(struct stage *s, int status, const char *why)
{
    struct slice text;
    int err = journal_outcome(s->journal, status, why, &text);
    if (err == EEXIST)
        return 0;
    if (err) {
        err_line(journal_path(s->journal), strerror(err), "the outcome is not in the journal");
        s->file_failed = true;
    }
    return err;
}

int stage_bind(struct stage *s, const char *key, const char *value, const char **bound)
{
    char name[LINE_NAME_MAX];
    struct line_out o;
    bool grew;
    int n = snprintf(name, sizeof name, "entry.%s", key);
    if (n < 0 || (size_t)n >= sizeof name)
        return EINVAL;
    int err = journal_read(s->journal, &grew);
    if (err)
        return err;
    *bound = journal_get(s->journal, name);
    if (*bound)
        return strcmp(*bound, value) == 0 ? 0 : EEXIST;
    line_begin(&o, "entry", s->sid);
    line_text(&o, key, value);
    return stage_emit(s, &o, STAGE_FACT);
}

/* --- Lines in. */

/* What is no event line stays out of the transcript: it may be anything. */
static void copy_line(struct stage *s, struct slice text)
{
    struct line_out o;
    memcpy(o.text, text.p, text.n);
    o.text[text.n] = '\n';
    struct slice whole = {o.text, text.n + 1};
    if (s->role == ROLE_BYE && seen_has(&s->seen, whole))
        return;
    if (line_parse(text, &s->line) != 0) {
        err_step("standard input: a line that is no event line was dropped");
        return;
    }
    if (s->line.wall_ms == 0) {
        /* Written by a person or a script: it gets a time and our name. */
        if (line_complete(text, &o) == 0)
            stage_show(s, (struct slice){o.text, o.n});
        return;
    }
    stage_show(s, whole);
}

/* Facts are in the file before they are on the pipe: so cpm-bye reads the file first, and its
 * transcript has the order of the file. */
static void on_input_line(void *arg, struct slice text)
{
    struct stage *s = arg;
    if (s->first_sid[0] == '\0' && line_parse(text, &s->line) == 0 && s->line.sid.n > 0 &&
        s->line.sid.n <= LINE_NAME_MAX) {
        memcpy(s->first_sid, s->line.sid.p, s->line.sid.n);
        look(s);
    } else if (s->role == ROLE_BYE && !s->taking) {
        look(s);
    }
    s->taking = true;
    copy_line(s, text);
}

static void on_input_taken(void *arg)
{
    struct stage *s = arg;
    s->taking = false;
    if (s->role != ROLE_BYE)
        look(s);
}

static void on_changed(void *arg)
{
    struct stage *s = arg;
    in_pause(&s->in, out_full(&s->out));
    look(s);
}

/* Where the stages before have told of each line, the file does not say it too, until now. */
static void on_input_ended(void *arg)
{
    struct stage *s = arg;
    if (s->phase == WAITING || s->phase == WORKING)
        journal_watch(s->journal, s->loop, JOURNAL_LINES, on_changed, s);
    journal_look_soon(s->journal);
    on_changed(s);
}

static const struct in_ops in_ops = {on_input_line, on_input_taken, on_input_ended};

/* --- The phases. */

void stage_finish(struct stage *s, int status)
{
    s->status = status;
    s->phase = OVER;
    loop_stop(s->loop);
}

void stage_later(struct stage *s, int64_t ms)
{
    loop_at(s->loop, &s->timer, clock_ms() + ms, on_changed, s);
}

void stage_enter(struct stage *s)
{
    (void)snprintf(s->sid, sizeof s->sid, "%s", journal_sid(s->journal));
    s->phase = WORKING;
    s->started = clock_ms();
    loop_cancel(s->loop, &s->timer);
    /* A partner that does not come must be noticed without any other event. */
    stage_later(s, stage_start_timeout(s));
    transcript_begin(s);
    s->ops->joined(s, s->arg);
}

/* The pipe of a stage that is dead may be held open by somebody else for ever; what is still in it
 * comes at once. */
static bool input_abandoned(struct stage *s)
{
    enum journal_role before = s->role == ROLE_BYE ? ROLE_SERVE : ROLE_INVITE;
    if (journal_life(s->journal, before) == LIFE_ALIVE) {
        s->abandoned = 0;
        return false;
    }
    if (s->abandoned == 0) {
        s->abandoned = clock_ms();
        stage_later(s, ABANDONED_MS);
    }
    return clock_ms() - s->abandoned >= ABANDONED_MS;
}

/* Does the one before still have something to say? */
static bool input_over(struct stage *s)
{
    if (s->file_failed)
        return true;
    /* Without a reader there is nothing to copy for; cpm-invite learns by our end that nobody is
     * left to ask for the BYE. */
    if (s->role == ROLE_SERVE && stage_in_pipeline(s) && s->out.gone &&
        journal_life(s->journal, ROLE_BYE) != LIFE_ALIVE)
        return true;
    if (s->in.given && !s->options->alone)
        return !s->in.open || input_abandoned(s);
    if (s->role != ROLE_BYE)
        return true;
    return strcmp(s->sid, journal_sid(s->journal)) != 0 ||
           (journal_life(s->journal, ROLE_INVITE) != LIFE_ALIVE &&
            journal_life(s->journal, ROLE_SERVE) != LIFE_ALIVE);
}

static void on_flush_timeout(void *arg)
{
    struct stage *s = arg;
    stage_finish(s, s->status);
}

static void copy_on(struct stage *s)
{
    if (s->phase == COPYING && input_over(s)) {
        s->phase = FLUSHING;
        out_flush(&s->out);
        loop_at(s->loop, &s->timer, clock_ms() + FLUSH_WAIT_MS, on_flush_timeout, s);
    }
    if (s->phase == FLUSHING && out_empty(&s->out))
        stage_finish(s, s->status);
}

static void step(struct stage *s)
{
    switch (s->phase) {
    case CLAIMING:
        stage_try_to_start(s);
        break;
    case WAITING:
        stage_try_to_join(s);
        break;
    case WORKING:
        s->ops->look(s, s->arg);
        break;
    case COPYING:
    case FLUSHING:
        copy_on(s);
        break;
    case OVER:
        break;
    }
}

/* The session file cannot be relied on any more: the session is ended in order, with 74. */
static void file_lost(struct stage *s, int err)
{
    if (s->file_failed)
        return;
    s->file_failed = true;
    err_line(journal_path(s->journal), err == ESTALE ? "was made shorter under way" : strerror(err),
             "leave it to the programs");
    if (s->phase == WORKING)
        s->ops->stop(s, s->arg, SIGTERM);
}

/* Who holds its byte now is known when it dies, whether or not anybody asked before. */
static void see_partners(struct stage *s)
{
    for (enum journal_role r = ROLE_INVITE; r <= ROLE_BYE; r++) {
        if (r != s->role && !journal_seen(s->journal, r))
            (void)journal_life(s->journal, r);
    }
}

/* Reads what is new, then lets the phase decide. */
static void look(struct stage *s)
{
    bool grew;
    if (s->looking || s->phase == OVER)
        return;
    s->looking = true;
    memset(s->alive, 0, sizeof s->alive);
    int err = journal_read(s->journal, &grew);
    if (err)
        file_lost(s, err);
    see_partners(s);
    enum phase before;
    do {
        before = s->phase;
        step(s);
    } while (s->phase != before && s->phase != OVER);
    s->looking = false;
    memset(s->alive, 0, sizeof s->alive);
}

void stage_end(struct stage *s, int status)
{
    if (s->phase != WORKING)
        return;
    /* msrp.transferred alone decides, once it is in the file. */
    bool lost = s->file_failed && !journal_has(s->journal, "msrp.transferred");
    s->status = lost ? EX_IOERR : status;
    s->phase = COPYING;
    stage_later(s, 0);
}

/* --- Signals. */

static void on_stop_timeout(void *arg)
{
    struct stage *s = arg;
    err_die_by(s->signal);
}

static void on_signal(void *arg, int signal_number)
{
    struct stage *s = arg;
    int64_t now = clock_ms();
    /* One order to stop may come twice: timeout(1) and service managers send it to the process and
     * to its group. */
    if (s->signal == signal_number && now - s->signalled < SAME_SIGNAL_MS)
        return;
    if (s->signal || s->phase == CLAIMING || s->phase == WAITING)
        err_die_by(signal_number);
    s->signal = signal_number;
    s->signalled = now;
    loop_at(s->loop, &s->stop_timer, clock_ms() + STOP_WAIT_MS, on_stop_timeout, s);
    if (s->phase == WORKING)
        s->ops->stop(s, s->arg, signal_number);
}

/* --- The whole. */

static int open_session(struct stage *s)
{
    int status;
    const char *hint;
    if (!s->options->session) {
        err_line("session file", "not given", "-s FILE");
        return EX_USAGE;
    }
    /* An attempt that was started has its file. Where it is gone, whoever started it is dead and
     * the entry has moved on: a new file in its place would be an entry that nobody added. */
    const char *attempt = s->options->attempt;
    int err =
        journal_open(&s->journal, s->options->session, attempt ? JOURNAL_UPDATE : JOURNAL_WRITE);
    if (err == ENOENT && attempt) {
        err_line(s->options->session, "that attempt is not under way", "start a new one");
        return EX_TEMPFAIL;
    }
    if (err) {
        const char *why = journal_open_error(err, &hint, &status);
        err_line(s->options->session, why, hint);
        return status;
    }
    bool grew;
    if (s->role == ROLE_BYE)
        journal_on_line(s->journal, transcript_line, s);
    err = journal_read(s->journal, &grew);
    if (!err && (s->role != ROLE_INVITE || s->options->attempt))
        err = journal_take_role(s->journal, s->role);
    if (err == EBUSY) {
        err_line(s->options->session, "this stage is running already", "wait for its end");
        return EX_TEMPFAIL;
    }
    if (err) {
        err_line(s->options->session, strerror(err), NULL);
        return EX_OSERR;
    }
    return 0;
}

/* In a pipeline the lines of the stages before come by the pipe. */
static enum journal_wait what_to_wait_for(const struct stage *s)
{
    if (s->in.open)
        return JOURNAL_LOCKS;
    return s->role == ROLE_INVITE && stage_in_pipeline(s) ? JOURNAL_CALLS : JOURNAL_LINES;
}

static void close_all(struct stage *s)
{
    loop_cancel(s->loop, &s->timer);
    loop_cancel(s->loop, &s->stop_timer);
    in_close(&s->in);
    out_close(&s->out);
    seen_free(&s->seen);
    buf_free(&s->before);
    journal_close(s->journal); /* last: it frees the locks */
}

int stage_run(struct loop *loop, enum journal_role role, const struct stage_options *o,
              const struct stage_ops *ops, void *arg)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, 0};
    struct stage s = {
        .loop = loop, .role = role, .options = o, .ops = ops, .arg = arg, .started = clock_ms()};
    s.phase = role == ROLE_INVITE && !o->attempt ? CLAIMING : WAITING;
    s.before = BUF_UP_TO(OUT_HELD_MAX);
    int status = open_session(&s);
    if (status) {
        journal_close(s.journal);
        return status;
    }
    out_open(&s.out, loop, on_changed, &s);
    s.in = (struct in){.loop = loop};
    if (role != ROLE_INVITE && !o->alone)
        in_open(&s.in, loop, &in_ops, &s);
    int err = loop_signals(loop, signals, on_signal, &s);
    if (err) {
        err_line("start", strerror(err), NULL);
        s.status = EX_OSERR;
    } else {
        journal_watch(s.journal, loop, what_to_wait_for(&s), on_changed, &s);
        loop_run(loop);
    }
    close_all(&s);
    if (s.signal)
        err_die_by(s.signal);
    return s.status;
}
