/* Reading the file, once or as it grows. */
#include "base/clock.h"
#include "base/err.h"
#include "bin/session/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define APPEARS_MS 250

static int read_on(struct session *s)
{
    bool grew;
    int err = journal_read(s->journal, &grew);
    if (!err)
        return EX_OK;
    err_line(s->path, err == ESTALE ? "the file became shorter" : strerror(err), NULL);
    return EX_IOERR;
}

/* With `may_be_missing` a journal that is not there is no error. */
static int open_and_read(struct session *s, bool may_be_missing, journal_line_h *on_line, void *arg)
{
    int status;
    const char *hint;
    int err = journal_open(&s->journal, s->path, JOURNAL_READ);
    if (err == ENOENT && may_be_missing)
        return EX_OK;
    if (err) {
        const char *why = journal_open_error(err, &hint, &status);
        err_line(s->path, why, hint);
        return err == ENOENT ? EX_NOINPUT : status;
    }
    journal_on_line(s->journal, on_line, arg);
    return read_on(s);
}

int session_read(struct session *s, journal_line_h *on_line, void *arg)
{
    return open_and_read(s, false, on_line, arg);
}

struct following {
    struct session *s;
    const struct session_follow *f;
    struct loop *loop;
    struct loop_timer timer, appears;
    bool ended;
    int status;
};

static void stop(struct following *w, int status)
{
    w->ended = true;
    w->status = status;
    loop_stop(w->loop);
}

/* Its lines were all read before the claim was seen to be free. */
static bool is_abandoned(const struct following *w)
{
    struct journal *j = w->s->journal;
    return w->f->needs_life && *journal_sid(j) && !journal_claimed(j) && !journal_has(j, "outcome");
}

static void on_change(void *arg)
{
    struct following *w = arg;
    bool abandoned = is_abandoned(w);
    int status = read_on(w->s);
    if (status) {
        stop(w, status);
    } else if (w->f->look(w->f->arg)) {
        stop(w, EX_OK);
    } else if (abandoned && is_abandoned(w)) {
        err_line(w->s->path, "no process works on it any more, and it has no outcome", NULL);
        stop(w, EX_TEMPFAIL);
    }
}

/* With no time to wait at all, what is there counts. */
static void on_timeout(void *arg)
{
    struct following *w = arg;
    if (w->s->journal)
        on_change(w);
    if (w->ended)
        return;
    err_linef(w->s->path, NULL, "%s did not come in time", w->f->what);
    stop(w, EX_TEMPFAIL);
}

/* A file that is not there yet is waited for: the stage that makes it may be slower than we are. */
static void on_appear(void *arg)
{
    struct following *w = arg;
    int status = open_and_read(w->s, true, w->f->on_line, w->f->arg);
    if (status)
        stop(w, status);
    else if (!w->s->journal)
        loop_at(w->loop, &w->appears, clock_ms() + APPEARS_MS, on_appear, w);
    else
        journal_watch(w->s->journal, w->loop, JOURNAL_LINES, on_change, w);
}

int session_follow(struct session *s, const struct session_follow *f)
{
    struct following w = {.s = s, .f = f, .loop = loop_new()};
    if (s->timeout_ms >= 0)
        loop_at(w.loop, &w.timer, clock_ms() + s->timeout_ms, on_timeout, &w);
    on_appear(&w);
    if (!w.ended)
        loop_run(w.loop);
    journal_close(s->journal);
    s->journal = NULL;
    loop_free(w.loop);
    return w.status;
}
