/* What the files of cpm-session share. */
#ifndef BIN_SESSION_SESSION_H
#define BIN_SESSION_SESSION_H

#include "journal/journal.h"

#define SESSION_NOT_THERE 1 /* the exit status: there is no such key or attempt */

struct session {
    const char *path;
    struct journal *journal; /* NULL: not open */
    int64_t timeout_ms;      /* -1: none */
    bool follow, json, svg, mask;
    const char *color, *attempt;
};

/* Opens the file and reads it; the handler (NULL: none) sees its lines. 0, or an exit status with
 * its line said. */
int session_read(struct session *s, journal_line_h *on_line, void *arg);

/* The same for a file that grows and may not be there yet: calls `look` after each piece that was
 * read, until it is `done`. `what` is awaited: 75 when it did not come in time. */
struct session_follow {
    journal_line_h *on_line; /* NULL: none */
    bool (*look)(void *arg); /* done? */
    void *arg;
    const char *what;
    bool needs_life; /* 75 too once no process works on the last attempt */
};
int session_follow(struct session *s, const struct session_follow *f);

/* The commands; `operands` are those of the command line, with the name. */
int session_show(struct session *s, char **operands);
int session_ladder(struct session *s, char **operands);
int session_wait(struct session *s, char **operands);

#endif
