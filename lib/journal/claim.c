/* The claim, the roles, and the start and end of an attempt. */
#include "journal/journal_int.h"

#include "base/file.h"
#include "base/lock.h"
#include "base/rand.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>

/* Not inside an attempt that never began, and not where an outcome stands. */
static bool attempt_open(const struct journal *j)
{
    return journal_sid(j)[0] != '\0' && !journal_has(j, "outcome");
}

int journal_outcome(struct journal *j, int status, const char *why, struct slice *text)
{
    struct line_out *o = &j->written;
    line_begin(o, "outcome", journal_sid(j));
    line_number(o, "status", status);
    line_free_text(o, "why", slice_of(why));
    /* 0 follows from msrp.transferred, which is on the disk. */
    int err = journal_append_once(j, o, status != EX_OK, text);
    /* Under the append lock: giving room back while another appends would cut his line off. */
    if (lock_wait(j->fd, BYTE_APPEND, LOCK_EXCLUSIVE) == 0) {
        (void)file_unreserve(j->fd); /* room that stays reserved is only room */
        int unlocked = lock_drop(j->fd, BYTE_APPEND);
        err = err ? err : unlocked;
    }
    return err;
}

/* An attempt whose processes are all dead has no end: it gets one. */
static int close_dead_attempt(struct journal *j)
{
    if (!attempt_open(j))
        return 0;
    bool done = journal_has(j, "msrp.transferred");
    int err = journal_outcome(j, done ? EX_OK : EX_TEMPFAIL, "crashed", NULL);
    return err == EEXIST ? 0 : err;
}

static int begin_attempt(struct journal *j, struct slice *text)
{
    char sid[JOURNAL_SID_SIZE];
    bool grew;
    int64_t n = journal_number(j, "attempt.start.n", 0) + 1;
    rand_token(sid, sizeof sid - 1);
    line_begin(&j->written, "attempt.start", sid);
    line_number(&j->written, "n", n);
    int err = journal_append(j, &j->written, true, text);
    return err ? err : journal_read(j, &grew);
}

/* With the exclusive claim in hand: is it still this file, and how did its last attempt end? */
static int settle(struct journal *j, enum journal_role role)
{
    bool same, grew;
    int err = file_same(j->fd, j->path, &same);
    if (!err && !same)
        err = ESTALE;
    if (!err && role)
        err = journal_take_role(j, role);
    if (!err)
        err = journal_read(j, &grew);
    if (!err)
        err = close_dead_attempt(j);
    return err ? err : journal_read(j, &grew);
}

static int claim(struct journal *j, enum journal_role role)
{
    int err = lock_try(j->fd, BYTE_CLAIM, LOCK_EXCLUSIVE);
    if (err)
        return err;
    err = settle(j, role);
    if (err)
        (void)lock_drop(j->fd, BYTE_CLAIM); /* gone with the process at the latest */
    return err;
}

int journal_claim(struct journal *j)
{
    return claim(j, 0);
}

int journal_begin(struct journal *j, struct slice *text)
{
    int err = journal_has(j, "msrp.transferred") ? EEXIST : 0;
    if (!err)
        err = file_reserve(j->fd, ATTEMPT_ROOM);
    if (!err)
        err = begin_attempt(j, text);
    if (!err)
        err = lock_try(j->fd, BYTE_CLAIM, LOCK_SHARED);
    if (err)
        (void)lock_drop(j->fd, BYTE_CLAIM); /* gone with the process at the latest */
    return err;
}

int journal_start(struct journal *j, enum journal_role role, struct slice *text)
{
    int err = claim(j, role);
    return err ? err : journal_begin(j, text);
}

int journal_freeze(struct journal *j)
{
    bool grew;
    int err = lock_wait(j->fd, BYTE_APPEND, LOCK_EXCLUSIVE);
    if (err)
        return err;
    err = journal_read(j, &grew);
    if (err)
        journal_thaw(j);
    return err;
}

void journal_thaw(struct journal *j)
{
    (void)lock_drop(j->fd, BYTE_APPEND); /* gone with the process at the latest */
}

int journal_take_role(struct journal *j, enum journal_role role)
{
    int err = lock_try(j->fd, (off_t)role, LOCK_EXCLUSIVE);
    return err == EAGAIN ? EBUSY : err;
}

bool journal_claimed(struct journal *j)
{
    bool held = false;
    return lock_held(j->fd, BYTE_CLAIM, &held) == 0 && held;
}

/* May `sid` (NULL: whichever is last) be joined, as the file stands now? */
static int joinable(const struct journal *j, const char *sid, enum journal_role role)
{
    if (sid)
        return strcmp(sid, journal_sid(j)) == 0 && !journal_has(j, "outcome") ? 0 : ENOENT;
    return attempt_open(j) && !journal_has_lines_of(j, role) ? 0 : EAGAIN;
}

int journal_join(struct journal *j, const char *sid, enum journal_role role)
{
    bool grew;
    int err = journal_read(j, &grew);
    if (!err)
        err = joinable(j, sid, role);
    if (!err && !sid && !journal_claimed(j))
        err = EAGAIN; /* its processes are dead: that attempt is nobody's */
    if (!err)
        err = lock_try(j->fd, BYTE_CLAIM, LOCK_SHARED);
    if (err)
        return err;
    /* Between the look and the lock somebody may have ended this attempt and begun another. */
    err = journal_read(j, &grew);
    if (!err)
        err = joinable(j, sid, role);
    if (err)
        (void)lock_drop(j->fd, BYTE_CLAIM);
    return err;
}

static bool holds(struct journal *j, enum journal_role role)
{
    bool held = false;
    if (lock_held(j->fd, (off_t)role, &held) != 0 || !held)
        return false;
    j->seen[role] = true;
    return true;
}

bool journal_seen(const struct journal *j, enum journal_role role)
{
    return j->seen[role];
}

enum journal_life journal_life(struct journal *j, enum journal_role role)
{
    bool grew;
    if (holds(j, role))
        return LIFE_ALIVE;
    /* What it wrote last may not have been read yet. But a stage that has only just come may have
     * written that: so its byte is looked at once more. */
    if (journal_read(j, &grew) != 0 || holds(j, role))
        return LIFE_ALIVE;
    return j->seen[role] || journal_has_lines_of(j, role) ? LIFE_GONE : LIFE_ABSENT;
}
