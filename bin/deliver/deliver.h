/* The parts of cpm-deliver: the plan (which programs with which arguments) and its run. */
#ifndef BIN_DELIVER_H
#define BIN_DELIVER_H

#include "base/argv.h"
#include "base/opt.h"
#include "journal/journal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INVITE, SERVE, BYE, STAGES };

struct plan {
    const char *session; /* -s, or NULL: a file of our own */
    const char *attempt;
    const char *content; /* the operand when a message has to be composed of it, else NULL */
    const char *message; /* the operand when it is a message */
    const char *to;      /* for the summary */
    bool keep_session;
    int64_t timeout_ms; /* 0: none */
    char *own_session;  /* the path of a session file that we make and remove */
    char *known_id;     /* the Message-ID that the session file is bound to; NULL: none yet */
    struct argv compose;
    struct argv stage[STAGES];
};

/* The option tables of the stages, for our own command line; NULL-terminated. */
extern const struct opt *const plan_tables[];

/* Fills in the commands. `message` is the path by which cpm-msrp-serve shall open the message,
 * `sid` the attempt or NULL. False: a program was not found, which is said. */
bool plan_make(struct plan *p, const char *message, const char *sid);
void plan_clear(struct plan *p); /* forgets the commands, for another plan_make */

/* --- message.c; `fd` is the message where it has no name (made by us, or from stdin), or -1. */

/* Keeps stdin in a nameless file. A status. */
int message_from_stdin(int *fd);

/* The Message-ID that the session file is bound to, for the caller to free; NULL: none. */
char *message_bound_id(const char *session);

/* Is it the message that the session file belongs to? */
bool message_is_bound(const struct plan *p, int fd, const struct journal *j);

/* Binds a session file that is kept to the content of a message that we made. A status. */
int message_bind_content(const struct plan *p, int fd, struct journal *j);

/* --- watch.c: cpm-status beside the delivery, where the command line asked for it. */

struct watch {
    struct loop *loop;
    struct loop_child child;
    pid_t pid; /* 0: not started, or gone */
    bool ending;
};

extern const struct opt watch_table[];

void watch_start(struct watch *w, struct loop *l, const char *session, const char *sid);
void watch_end(struct watch *w); /* runs the loop until it has ended, for a moment at most */

/* --- ends.c: the pipes between the stages. */

struct ends {
    int read, write; /* what a stage reads, and the one before it writes; -1: none */
};

/* The first stage reads nothing, and nobody here reads what the last one writes. 0 or an errno
 * value; ends_close closes what is open in either case. */
int ends_open(struct ends e[STAGES + 1]);
void ends_close(const struct ends e[STAGES + 1]);

/* --- say.c */

/* What became of the attempt, in plain words, on a terminal or with -v; the others read the exit
 * status and the journal. `to` may be NULL. */
void say_end(const struct journal *j, const char *to, int status, int64_t ms);

/* --- */

/* Prints the shell pipeline that a run would be. 0 or EX_IOERR. */
int plan_print(struct plan *p);

/* Delivers. The exit status. */
int plan_run(struct plan *p);

#endif
