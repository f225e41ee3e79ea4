/* What the files of the snapshot share. Private to the room. */
#ifndef STATUS_SNAPSHOT_INT_H
#define STATUS_SNAPSHOT_INT_H

#include "journal/glance.h"
#include "status/snapshot.h"

struct item { /* an entry as it is remembered */
    struct status_entry e;
    struct queue_name name;
    struct glance glance; /* how far its journal was read */
    int64_t newest_ms;    /* of the lines */
    int64_t counted_ms;   /* lines up to this one were counted before the file was another one */
    enum status_stage failed_in; /* its last attempt */
    bool ended, delivered;
};

#define STATUS_MINUTES 60
struct minute {
    int64_t minute; /* since 1970 */
    uint64_t failures, deliveries;
};

struct snapshot {
    struct queue *queue;
    char *path; /* of it, or of the session file when there is no queue */
    struct snapshot_options options;
    struct status_summary sum;
    struct item *items; /* by ID */
    size_t count;
    struct status_attempt attempts[STATUS_ATTEMPTS]; /* the newest first */
    size_t attempt_count;
    struct minute minutes[STATUS_MINUTES];
};

/* What a line says about an item, and what it means for counters and attempts. */
void status_line(struct snapshot *s, struct item *i, const struct line *l);
void status_item_free(struct item *i); /* what it holds */
void status_hour(struct snapshot *s);  /* sums up the last 60 minutes */
void status_histograms(struct snapshot *s);
void status_disk(struct snapshot *s);
size_t status_reason_of(enum status_stage stage, int code); /* an index of status_reasons */

/* A copy without session ids of MSRP and, with `mask`, without users of addresses. */
char *status_clean(struct slice text, bool mask);

#endif
