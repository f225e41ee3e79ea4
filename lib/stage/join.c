/* Getting into an attempt: cpm-invite starts one, the others join. */
#include "stage/stage_int.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <string.h>

#define CLAIM_RETRY_MS 50
#define CLAIM_WAIT_MS  5000
#define JOIN_RETRY_MS  20

static void refuse(struct stage *s, int status, const char *why, const char *hint)
{
    err_line(s->options->session, why, hint);
    stage_finish(s, status);
}

static void refuse_transferred(struct stage *s)
{
    if (s->role != ROLE_INVITE && stage_in_pipeline(s)) {
        stage_finish(s, EX_USAGE); /* cpm-invite has said it */
        return;
    }
    refuse(s, EX_USAGE, "its message was delivered already", "use a new session file");
}

static int resource_status(int err)
{
    return err == EACCES || err == EPERM ? EX_NOPERM : EX_OSERR;
}

void stage_try_to_start(struct stage *s)
{
    struct slice text;
    int err = journal_start(s->journal, s->role, &text);
    if (err == EAGAIN && clock_ms() - s->started < CLAIM_WAIT_MS) {
        stage_later(s, CLAIM_RETRY_MS); /* a lock that is freed wakes nobody */
        return;
    }
    switch (err) {
    case 0:
        stage_show(s, text);
        stage_enter(s);
        return;
    case EAGAIN:
    case EBUSY:
        refuse(s, EX_TEMPFAIL, "another attempt is under way", "wait for its end");
        return;
    case EEXIST:
        refuse_transferred(s);
        return;
    case ESTALE:
        refuse(s, EX_TEMPFAIL, "the file was moved away", "try again");
        return;
    default:
        refuse(s, resource_status(err), strerror(err), "make room, then try again");
    }
}

static void nobody_came(struct stage *s)
{
    if (stage_in_pipeline(s) && !s->in.open && !s->in.any)
        refuse(s, EX_TEMPFAIL, "standard input ended before any line",
               "a stage by itself needs --alone or </dev/null");
    else
        refuse(s, EX_TEMPFAIL, "no attempt to join", "start the other stages");
}

/* Which attempt: --attempt, or the first sid on stdin, or (NULL) the last. False: not known yet. */
static bool attempt_to_join(struct stage *s, const char **sid)
{
    *sid = s->options->attempt;
    if (*sid || !stage_in_pipeline(s))
        return true;
    *sid = s->first_sid[0] ? s->first_sid : NULL;
    if (*sid)
        return true;
    /* End of input is a reason to look: while the stage before lives, the file says it all. */
    enum journal_role before = s->role == ROLE_BYE ? ROLE_SERVE : ROLE_INVITE;
    return !s->in.open && journal_life(s->journal, before) == LIFE_ALIVE;
}

static bool given_up(struct stage *s, const char *sid)
{
    if (stage_in_pipeline(s) && !sid && !s->in.open)
        return true;
    if (stage_in_pipeline(s) && s->options->start_timeout_ms == 0)
        return false;
    return clock_ms() - s->started >= stage_start_timeout(s);
}

/* It failed so fast that it was over before we came: whose fault it was is said already. */
static bool over_already(const struct stage *s, const char *sid)
{
    return strcmp(sid, journal_sid(s->journal)) == 0 &&
           journal_number(s->journal, "outcome.status", EX_OK) != EX_OK;
}

void stage_try_to_join(struct stage *s)
{
    const char *sid;
    int err = EAGAIN;
    bool known = attempt_to_join(s, &sid);
    if (known)
        err = journal_join(s->journal, sid, s->role);
    if (err == 0) {
        stage_enter(s);
    } else if (err == ENOENT && over_already(s, sid)) {
        stage_finish(s, (int)journal_number(s->journal, "outcome.status", EX_TEMPFAIL));
    } else if (err == ENOENT) {
        refuse(s, EX_TEMPFAIL, "that attempt is not under way", "start a new one");
    } else if (err != EAGAIN) {
        refuse(s, resource_status(err), strerror(err), NULL);
    } else if (journal_has(s->journal, "msrp.transferred") &&
               (!journal_claimed(s->journal) || given_up(s, sid))) {
        refuse_transferred(s);
    } else if (given_up(s, known ? sid : NULL)) {
        nobody_came(s);
    } else {
        int64_t left = s->started + stage_start_timeout(s) - clock_ms();
        bool starting = journal_claimed(s->journal) && !journal_has(s->journal, "outcome");
        /* The starter holds the claim alone for a moment after attempt.start; a new attempt wakes
         * us. */
        stage_later(s, starting || left <= 0 ? JOIN_RETRY_MS : left);
    }
}
