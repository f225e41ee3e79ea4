/* The past of an entry: its journal as it may be shown, and the attempts that it tells of. Private
 * to the room. */
#ifndef STATUS_PAST_H
#define STATUS_PAST_H

#include "status/snapshot.h"

/* The newest `limit` lines of an entry's journal (of one attempt: `sid`; NULL: all), with what may
 * be shown of their values: cleaned, and without what identifies a dialog, so that nobody can end
 * it who only looks. The text that the handler gets is empty. *left_out: so many older ones there
 * are. ENOENT, or journal_open's errors. */
struct status_lines {
    const char *sid;
    size_t limit;
    journal_line_h *handler;
    void *arg;
};
int status_lines(struct snapshot *s, const char *id, const struct status_lines *wanted,
                 size_t *left_out);

/* So many lines and attempts are shown: however they were chosen, they fit into an answer. */
#define STATUS_LINES 200

struct status_past { /* an attempt */
    int64_t n;       /* from 1 on */
    char sid[LINE_NAME_MAX + 1];
    int64_t started_ms, ended_ms;
    int status, code; /* status -1: it has no end */
    char *why;
    uint64_t octets; /* confirmed */
};

/* The newest attempts, in their order. */
#define STATUS_PAST 100
struct status_history {
    struct status_past list[STATUS_PAST];
    size_t count;
    int64_t left_out; /* older ones */
};

/* Whatever status_lines gives. The caller frees *out, by status_history_free, in any case. */
int status_history_new(struct snapshot *s, const char *id, struct status_history **out);
void status_history_free(struct status_history *h);

/* The attempt whose number the query has (attempt=N), else the last one; NULL: there is none yet.
 * False: there is no such attempt, or its lines are too old to be kept. */
bool status_attempt_wanted(const char *query, const struct status_history *h,
                           const struct status_past **out);

#endif
