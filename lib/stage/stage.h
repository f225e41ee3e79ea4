/* What the three stages share: the life of a stage in its attempt, from taking its byte to the exit
 * status. A stage is driven by facts: whenever the session file grew, a lock changed, input ended
 * or the reader went, `look` is called and decides from the fold (journal_get) what to do; it must
 * not mind being called too often.
 *
 *   stage_run:  start or join an attempt -> joined() -> look() ... look() -> stage_end(status)
 *               -> copy until the input ends, flush -> the exit status
 *
 * Everything about stdin, stdout, end of input, EPIPE, --alone and signals is in here. */
#ifndef STAGE_STAGE_H
#define STAGE_STAGE_H

#include "base/loop.h"
#include "journal/journal.h"

struct stage;

struct stage_options {
    const char *session; /* -s */
    const char *attempt; /* --attempt, or NULL */
    bool alone;
    int64_t
        start_timeout_ms; /* 0: the default, which in a pipeline gives way to the end of input */
};

#define STAGE_START_TIMEOUT_MS 60000

struct stage_ops {
    /* The attempt is ours: look at the input now, so that bad input becomes an event too. */
    void (*joined)(struct stage *s, void *arg);
    /* Something may have changed. Called only between joined and stage_end. */
    void (*look)(struct stage *s, void *arg);
    /* INT, TERM or HUP: end in order, by way of stage_end. A second signal ends the process at
     * once, and so do 5 seconds; in the end the program dies by that signal. */
    void (*stop)(struct stage *s, void *arg, int signal);
};

/* Runs the stage and gives its exit status, or dies by the signal that was caught. What goes wrong
 * here (the session file, a taken byte, nobody came) is said in one line on stderr. */
int stage_run(struct loop *loop, enum journal_role role, const struct stage_options *o,
              const struct stage_ops *ops, void *arg);

/* --- For the ops. */

struct journal *stage_journal(struct stage *s);
const char *stage_sid(const struct stage *s);
bool stage_in_pipeline(const struct stage *s);

enum stage_how {
    STAGE_FACT,     /* file, then stdout */
    STAGE_DURABLE,  /* the same, on the disk before this returns */
    STAGE_PROGRESS, /* stdout only, and the first to be dropped when the reader is slow */
};

/* Writes a line begun with line_begin(o, event, stage_sid(s)). 0; EMSGSIZE: a value cannot fit (76
 * when it came from the peer, 64 when from the user); else the file could not be written: the stage
 * then exits 74, and the caller ends the session in order all the same. */
int stage_emit(struct stage *s, struct line_out *o, enum stage_how how);

/* Was there a line that could not be written, or a file that could not be read? The others wait for
 * what they are not told, so such a stage waits for none of them: it does what it owes the peer,
 * and by its end they learn that nothing more will come. */
bool stage_is_mute(const struct stage *s);

/* Writes the outcome of the attempt (journal_outcome) where there is none yet. 0, or why it could
 * not be written (said here; the stage is mute then). */
int stage_outcome(struct stage *s, int status, const char *why);

/* Binds the session file to a fact of its entry ("to", "from", "message", ...): writes `entry
 * KEY=VALUE` where it is not there yet. EEXIST: the file belongs to another one, *bound (refuse
 * with 64, before anything is sent). */
int stage_bind(struct stage *s, const char *key, const char *value, const char **bound);

/* The other stages. COMING: not seen yet, and still waited for. LOST: it died, or did not come in
 * time (--start-timeout; in a pipeline: end of input from before, EPIPE from behind). */
enum stage_partner { PARTNER_COMING, PARTNER_HERE, PARTNER_LOST };
enum stage_partner stage_partner(struct stage *s, enum journal_role role);

/* Is another attempt under way in this file, or has this one its outcome? Then nobody waits for us.
 */
bool stage_over(struct stage *s);

/* The stage's work is done and its final event written; this is its exit status. */
void stage_end(struct stage *s, int status);

#endif
