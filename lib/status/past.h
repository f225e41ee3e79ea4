/* The past of an entry, from one reading of its journal: the attempts that it tells of, its newest
 * lines as they may be shown, and a call as a picture. Private to the room. */
#ifndef STATUS_PAST_H
#define STATUS_PAST_H

#include "ladder/ladder.h"
#include "status/snapshot.h"

struct status_past { /* an attempt */
    int64_t n;       /* from 1 on */
    char sid[LINE_NAME_MAX + 1];
    int64_t started_ms, ended_ms;
    int status, code; /* status -1: it has no end */
    char *why;
    uint64_t octets; /* confirmed */
};

/* So many lines and attempts are shown: however they were chosen, they fit into an answer. */
#define STATUS_LINES 200
#define STATUS_PAST  100

enum { STATUS_EVERY = -1, STATUS_LAST = 0 };
struct status_history {
    int error;                            /* ENOENT, or journal_open's errors */
    struct status_past list[STATUS_PAST]; /* the newest attempts, in their order */
    size_t count;
    int64_t left_out;     /* older ones */
    struct ladder *call;  /* the attempt that was asked for, or the last one */
    uint64_t lines_older; /* lines that are not kept */
    /* private */
    const struct snapshot *s;
    int64_t wanted;
    char sid[LINE_NAME_MAX + 1]; /* of the attempt whose lines are kept */
    char *lines[STATUS_LINES];   /* the newest, from `lines_older` on in a ring */
    size_t line_count;
};

/* Of one attempt, by its number or STATUS_LAST, or of STATUS_EVERY one. The caller frees it. */
struct status_history *status_history_new(struct snapshot *s, const char *id, int64_t wanted);
void status_history_free(struct status_history *h); /* NULL is harmless */

/* The lines that are kept, with what may be shown of their values: cleaned, and without what
 * identifies a dialog, so that nobody can end it who only looks. The text that the handler gets is
 * empty. */
void status_history_lines(const struct status_history *h, journal_line_h *handler, void *arg);

/* The history with the attempt whose number the query has (attempt=N), else with the last one.
 * *one: that; NULL: there is none yet. NULL: there is no such attempt, or its lines are too old to
 * be kept. */
struct status_history *status_history_asked(struct snapshot *s, const char *id, const char *query,
                                            const struct status_past **one);

#endif
