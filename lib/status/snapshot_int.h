/* What the files of the snapshot share. Private to the room. */
#ifndef STATUS_SNAPSHOT_INT_H
#define STATUS_SNAPSHOT_INT_H

#include "journal/glance.h"
#include "status/snapshot.h"

/* --- texts.c: each text once, as long as somebody keeps it. */

struct text;
struct texts { /* zeroed before the first */
    struct text **slot;
    size_t slots, count;
    uint32_t seed;
};
const char *texts_keep(struct texts *t, const char *text); /* the kept one */
void texts_drop(struct texts *t, const char *text);        /* a kept one */
void texts_free(struct texts *t);

/* --- groups.c: entries counted by a key. */

struct group_key {
    uint64_t a, b;
};
struct group;
struct groups { /* zeroed before the first */
    struct group **slot;
    size_t slots, count;
};
void groups_add(struct groups *t, struct texts *texts, const struct group_key *k, const char *text,
                enum status_state state);
void groups_subtract(struct groups *t, struct texts *texts, const struct group_key *k,
                     enum status_state state); /* what was added */
typedef void groups_shown_h(struct status_group *g, const struct group_key *k);
bool groups_each(const struct groups *t, size_t limit, groups_shown_h *shown,
                 status_group_h *handler, void *arg); /* are there more? */
void groups_free(struct groups *t, struct texts *texts);

/* --- snapshot.c and the others. */

struct item { /* an entry as it is remembered */
    struct status_entry e;
    char *id; /* also e.id */
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
    struct texts texts; /* all that items and groups show */
    struct groups recipients, reasons;
};

/* What a line says about an item, and what it means for counters and attempts. */
void status_line(struct snapshot *s, struct item *i, const struct line *l);
struct group_key status_recipient_key(const struct status_entry *e);
struct group_key status_reason_key(const struct status_entry *e);
void status_item_free(struct snapshot *s, struct item *i); /* what it holds */
void status_hour(struct snapshot *s);                      /* sums up the last 60 minutes */
void status_histograms(struct snapshot *s);
void status_disk(struct snapshot *s);
size_t status_reason_of(enum status_stage stage, int code); /* an index of status_reasons */

/* A copy without session ids of MSRP and, with `mask`, without users of addresses. */
char *status_clean(struct slice text, bool mask);

#endif
