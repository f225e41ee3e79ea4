/* What the files of the snapshot share. Private to the room. */
#ifndef STATUS_SNAPSHOT_INT_H
#define STATUS_SNAPSHOT_INT_H

#include "journal/glance.h"
#include "status/snapshot.h"

#include <sys/types.h>

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

/* --- item.c: an entry as it is remembered. */

/* Those that wait, by when they are due, and those not done, by their age (the least first); those
 * that no notice tells of; those under way. */
enum list { LIST_DUE, LIST_BIRTH, LIST_AGAIN, LIST_DELIVERING, LISTS };

struct item {
    struct status_entry e; /* its id is the one below, but for a session file's */
    char id[QUEUE_ID_SIZE];
    /* its name in the queue, with e.due_ms */
    enum queue_state state;
    const char *day; /* a kept text */
    /* what else the fold needs */
    struct glance glance; /* how far its journal was read */
    int64_t newest_ms;    /* of the lines */
    int64_t counted_ms;   /* lines up to this one were counted before the file was another one */
    enum status_stage failed_in; /* its last attempt */
    bool ended, delivered;
    /* where it is remembered */
    bool counted; /* in the sums */
    bool changed; /* in snapshot.changed */
    bool named;   /* has a name, else it is */
    bool deleted, gone,
        twin;              /* deleted; not met; perhaps there under another one; else on its way */
    bool closed;           /* by one who may hold its claim */
    uint32_t closed_ms;    /* when: clock_ms, cut off */
    uint32_t lost_ms;      /* when it lost its name, the same */
    uint32_t turn;         /* the scan that met it last */
    uint32_t place[LISTS]; /* in snapshot.lists, 1-based; 0: not there */
    uint32_t rank;
    struct item *left, *right;
};

struct items {
    struct item **v;
    size_t n, room;
};
void items_add(struct items *l, struct item *i);

struct item *item_new(struct snapshot *s, const char *id); /* in no tree, not counted */
void item_start_over(struct snapshot *s, struct item *i);  /* another file has its name */
bool item_error_passes(int error);                         /* what was known still counts */
void item_forget(struct snapshot *s, struct item *i);      /* one that is in the tree */
void item_mark(struct snapshot *s, struct item *i);        /* to be looked at */
void item_leave(struct snapshot *s, struct item *i);       /* the sums; harmless when out */
void item_join(struct snapshot *s, struct item *i);
void items_free(struct snapshot *s); /* all of them */

/* --- tree.c: in the order of their IDs. */

struct item *tree_find(struct item *t, const char *id); /* or NULL */
void tree_add(struct item **root, struct item *i);
void tree_remove(struct item **root, struct item *i);
/* Those behind `after`, until the visitor gives false; the tree must stay as it is. */
typedef bool tree_visit_h(void *arg, struct item *i);
bool tree_visit(struct item *t, const char *after, tree_visit_h *visit, void *arg);

/* --- lists.c: some of the items. What is listed must not change its time. */

void list_add(struct snapshot *s, enum list which, struct item *i); /* not without its time */
void list_remove(struct snapshot *s, struct item *i);               /* from all of them */
int64_t list_least(const struct snapshot *s, enum list which);      /* 0: there is none */

/* The least first, until the visitor gives false; takes the time of those that were visited,
 * squared: for a few. */
void list_visit(const struct snapshot *s, enum list which, tree_visit_h *visit, void *arg);

/* --- names.c and scan.c: which items there are. */

struct folder {
    bool on; /* watched */
    bool root;
    enum queue_state state;
    const char *day; /* of done: one of a day; a text that is kept to the end. NULL: the state's */
};

/* Takes in what the kernel told. */
void names_take(struct snapshot *s);
void names_listen(struct snapshot *s); /* from now on, if that is to be had: s->notices */
void names_deaf(struct snapshot *s);   /* what was told is not enough: all is to be read again */
int names_watch(struct snapshot *s, const struct folder *f, const char *path);
struct item *names_found(struct snapshot *s, const struct queue_name *n);
void item_name(const struct item *i, struct queue_name *n);

struct scan {
    bool whole;             /* of all names: who is not met is gone */
    bool again, sweeping;   /* reading them once more; looking for who is gone */
    uint32_t turn;          /* its number */
    size_t met;             /* so many items */
    struct folder *folders; /* to read; those before `at` are done */
    size_t at, n, room;
    bool open; /* the one at `at`, */
    int fd;    /* here */
    char cursor[QUEUE_ID_SIZE];
};

/* About as many names as are read in some milliseconds, and for how many of them a glance stands.
 */
#define STATUS_SLICE       1024
#define STATUS_GLANCE_COST 4

void scan_begin(struct snapshot *s);                       /* all names, anew */
void scan_add(struct snapshot *s, const struct folder *f); /* this one too */
void scan_stop(struct snapshot *s);
bool scan_goes_on(const struct snapshot *s);
int scan_some(struct snapshot *s, size_t budget); /* in names; 0, or why one cannot be read */

/* --- update.c, follow.c */

void item_look(struct snapshot *s, struct item *i, bool unsure); /* it may be as it was */
bool status_settle(struct snapshot *s, size_t most); /* items that are marked; are there more? */
void status_pursue(struct snapshot *s);              /* goes on in the loop */

/* --- snapshot.c and the others. */

struct block;

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
    struct item *session; /* of a session file */
    struct item *items;   /* a tree */
    size_t count;         /* of all of them */
    struct items changed; /* told of, and not looked at yet */
    struct items lists[LISTS];
    struct block *blocks; /* of items, */
    struct item *unused;  /* by `right` */
    uint32_t ranks;       /* random */
    struct scan scan;
    int notices;            /* inotify; -1: none */
    struct folder *watched; /* by watch descriptor */
    size_t watched_room;
    dev_t wait_device; /* wait/, when listening began */
    ino_t wait_inode;
    struct loop *loop; /* or NULL */
    struct loop_fd wake;
    struct loop_timer next;
    struct status_attempt attempts[STATUS_ATTEMPTS]; /* the newest first */
    size_t attempt_count;
    struct minute minutes[STATUS_MINUTES + 1]; /* the next one may begin while we look */
    struct texts texts;                        /* all that items and groups show */
    struct groups recipients, reasons;
};

/* What a line says about an item, and what it means for counters and attempts. */
void status_line(struct snapshot *s, struct item *i, const struct line *l);
void status_hour(struct snapshot *s); /* sums up the last 60 minutes */
void status_histograms(struct snapshot *s);
void status_disk(struct snapshot *s);
size_t status_reason_of(enum status_stage stage, int code); /* an index of status_reasons */

#endif
