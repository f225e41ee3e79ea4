/* Event lines, the language of the pipes and of the session file (cpm-session(5)). Pure: no I/O. */
#ifndef JOURNAL_LINE_H
#define JOURNAL_LINE_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LINE_MAX_SIZE 4096 /* with the newline */
#define LINE_MAX_KEYS 64
#define LINE_NAME_MAX 64 /* of a program, an event, a key */

struct line_pair {
    struct slice key;
    struct slice value; /* decoded */
};

struct line {
    int64_t wall_ms; /* 0 in a bare line, which begins with the event */
    struct slice program;
    pid_t pid;
    struct slice event;
    struct slice sid; /* empty: none */
    struct line_pair pairs[LINE_MAX_KEYS];
    size_t count;
    char store[LINE_MAX_SIZE]; /* the decoded values live here */
};

/* Takes one line apart (without its newline). 0, or EBADMSG: torn (" !"), a NUL, or not a line as
 * a whole. A bare line (one that begins with the event) is a line with wall_ms 0. The struct does
 * not point into `text`. */
int line_parse(struct slice text, struct line *l);

/* The decoded value of `key` (also "sid"), or a slice with p == NULL. */
struct slice line_get(const struct line *l, const char *key);

/* Builds a line. Errors stick and are told by line_end, so callers check once. */
struct line_out {
    char text[LINE_MAX_SIZE + 1];
    size_t n;
    int error;
};

void line_begin(struct line_out *o, const char *event, const char *sid); /* sid may be NULL */
void line_text(struct line_out *o, const char *key, const char *value);  /* NULL value: no pair */
void line_number(struct line_out *o, const char *key, int64_t value);
/* Free text: cut with an ellipsis rather than refused when it would not fit. */
void line_free_text(struct line_out *o, const char *key, struct slice value);

/* Puts time, program and pid before it and the newline behind. 0, or EMSGSIZE: a value cannot fit
 * (76 when it came from the peer, 64 when from the user). */
int line_end(struct line_out *o);

/* The same for a bare line that came from elsewhere. */
int line_complete(struct slice bare, struct line_out *o);

#endif
