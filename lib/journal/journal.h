/* The session file: an append-only journal of event lines, its fold, its locks, and waiting for it
 * to grow. All rules of cpm-session(5) live in this room; no program handles a lock byte or a torn
 * line itself. Errors are errno values unless said otherwise. */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "base/loop.h"
#include "journal/line.h"

struct journal;

enum journal_role { ROLE_INVITE = 2, ROLE_SERVE = 3, ROLE_BYE = 4 }; /* the lock bytes */
const char *journal_role_program(enum journal_role r);

#define JOURNAL_SID_SIZE 13

/* --- Opening. JOURNAL_READ only looks; JOURNAL_WRITE creates the file where it is missing,
 * JOURNAL_UPDATE does not. JOURNAL_SCRATCH creates one whose name need not outlast a power loss.
 * Failures are file_open_private's, and JOURNAL_OPEN_FOLDER: others may write to its folder, and
 * JOURNAL_OPEN_FOREIGN: it is another kind of file, which is left as it is; journal_open_error puts
 * them into words. */
#define JOURNAL_OPEN_FOLDER  (-1)
#define JOURNAL_OPEN_FOREIGN (-2)
enum journal_mode { JOURNAL_READ, JOURNAL_UPDATE, JOURNAL_WRITE, JOURNAL_SCRATCH };
int journal_open(struct journal **out, const char *path, enum journal_mode mode);
void journal_close(struct journal *j); /* frees all locks */
const char *journal_open_error(int error, const char **what_to_do, int *status);
const char *journal_path(const struct journal *j);
int journal_same(const struct journal *j, bool *same); /* is the name still this file? */

/* --- Reading. Reads what was appended and folds it; *grew tells whether there was anything. The
 * handler, if set, sees every sound line of the file once, in order, with its text. ESTALE: the
 * file became shorter; the next call reads what is there now. */
typedef void journal_line_h(void *arg, const struct line *l, struct slice text);
void journal_on_line(struct journal *j, journal_line_h *handler, void *arg);
int journal_read(struct journal *j, bool *grew);

/* --- The fold. Keys are event and key: "msrp.listening.path"; lists "dialog.route.1.uri". entry,
 * learnt and msrp.transferred are folded over the whole file, the rest from the last
 * attempt.start. The text stays valid until the next journal_read. NULL: not there. */
const char *journal_get(const struct journal *j, const char *key);
int64_t journal_number(const struct journal *j, const char *key, int64_t otherwise);
bool journal_has(const struct journal *j,
                 const char *event); /* in this attempt (or the file, as above) */
typedef void journal_pair_h(void *arg, const char *key, const char *value);
void journal_each(const struct journal *j, journal_pair_h *handler, void *arg);
const char *journal_sid(const struct journal *j); /* of the last attempt; "" before the first */
bool journal_has_lines_of(const struct journal *j, enum journal_role r); /* in the last attempt */

/* --- Writing. One line by line_begin .. (line_end is done here, so time and order agree). With
 * `durable` it is on the disk when this returns. journal_append_once writes only if the last
 * attempt has no such event yet (EEXIST): for outcome. On success *text is the line as written,
 * valid until the next append. */
int journal_append(struct journal *j, struct line_out *o, bool durable, struct slice *text);
int journal_append_once(struct journal *j, struct line_out *o, bool durable, struct slice *text);

/* --- The claim and the roles. */

/* Takes the claim exclusively, looks that the name is still this file, takes the byte of `role`
 * (0: none), gives an attempt that has no end its outcome (crashed, or 0 after msrp.transferred),
 * reserves room, writes attempt.start durably with a new sid, and turns the claim into a shared
 * one. EAGAIN: the claim is held. EBUSY: the byte is held. EEXIST: already transferred. ESTALE:
 * the name is another file by now. ENOSPC and the like: no room. */
int journal_start(struct journal *j, enum journal_role role, struct slice *text);

/* The same in two steps, for one who decides between them (the queue). journal_claim: takes the
 * claim exclusively, looks, ends a dead attempt; also for one who holds it shared, once nobody else
 * does. EAGAIN: it is held; ESTALE: the name is another file by now. journal_begin: the rest. */
int journal_claim(struct journal *j);
int journal_begin(struct journal *j, struct slice *text);

/* Nobody appends between the two: what was read is the whole file. Nothing may be appended either.
 */
int journal_freeze(struct journal *j);
void journal_thaw(struct journal *j);

/* Takes the byte of a role. EBUSY: taken. It is kept until journal_close. */
int journal_take_role(struct journal *j, enum journal_role role);

/* Joins the attempt `sid`, or with NULL the last one if its claim is held, it has no outcome and no
 * line of `role`. Takes the claim, shared. EAGAIN: not now (look again later); ENOENT: `sid` is not
 * the last attempt, or has its outcome. */
int journal_join(struct journal *j, const char *sid, enum journal_role role);

/* A watcher's question about another stage. Before GONE or ABSENT is answered the file is read to
 * its end once more. */
enum journal_life {
    LIFE_ABSENT, /* byte free, and never seen in this attempt */
    LIFE_ALIVE,  /* byte held */
    LIFE_GONE,   /* byte free; it has a line in this attempt or was seen holding its byte */
};
enum journal_life journal_life(struct journal *j, enum journal_role role);
bool journal_seen(const struct journal *j, enum journal_role role); /* holding its byte, by us */
bool journal_claimed(struct journal *j); /* does anybody hold the claim? */

/* Ends the attempt that this process is in: outcome under byte 0, if there is none (durable unless
 * it is 0, which msrp.transferred says already); room given back. EEXIST: somebody else wrote it.
 */
int journal_outcome(struct journal *j, int status, const char *why, struct slice *text);

/* --- Waiting. Calls the handler from the loop when the file may have grown or a lock may have
 * changed: by inotify, and by a look every 250 ms where that is not to be had. For one who is told
 * of the lines in another way that look is enough (JOURNAL_LOCKS); who is not told any more asks
 * for JOURNAL_LINES then. JOURNAL_CALLS: only of what cpm-invite has to act on (msrp.listening,
 * msrp.failed, bye.request, outcome), and when a process ends. */
enum journal_wait { JOURNAL_LINES, JOURNAL_CALLS, JOURNAL_LOCKS };
void journal_watch(struct journal *j, struct loop *l, enum journal_wait what,
                   void (*handler)(void *arg), void *arg);
void journal_look_soon(struct journal *j); /* a process is ending: its locks are free in a moment */

#endif
