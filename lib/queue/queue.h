/* The queue: a folder of session files, one for each message and recipient, whose names say when
 * they are due (cpm-queue(5) has the table of states and what each crash leaves).
 *
 *     FOLDER/tmp  FOLDER/lock
 *     FOLDER/msg/ID               the body: one hard link an entry to one inode
 *     FOLDER/wait/DUE-ID          due at DUE, ten digits of epoch seconds
 *     FOLDER/held/ID  FOLDER/done/YYYY-MM-DD/ID  FOLDER/failed/ID
 *
 * ID is 8 hexadecimal digits of the recipient, a dash, and 16 of the entry. Errors are errno
 * values. Who moves an entry holds its claim (journal.h); links, moves and removals are made in
 * steps under FOLDER/lock, shared, which the sweep alone takes exclusively (and an add that finds
 * its ID taken).
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "journal/journal.h"

struct queue;

/* Opens a queue; with `make` a missing one is made, durably. ENOENT: no queue there. EPERM: the
 * folder belongs to another user or others may write to it. EREMOTE: not a local file system. */
int queue_open(struct queue **out, const char *folder, bool make);
/* Only to look at it: nothing is made, and no step can be taken. */
int queue_look(struct queue **out, const char *folder);
void queue_close(struct queue *q); /* NULL is harmless */
const char *queue_folder(const struct queue *q);
const char *queue_wait_folder(const struct queue *q);

/* --- Names. */

#define QUEUE_RECIPIENT_SIZE 9
#define QUEUE_ID_SIZE        (QUEUE_RECIPIENT_SIZE + 17)
#define QUEUE_DAY_SIZE       sizeof("2026-11-22")

enum queue_state { QUEUE_WAIT, QUEUE_HELD, QUEUE_DONE, QUEUE_FAILED };
extern const char *const queue_state_names[]; /* "waiting" ... */

struct queue_name {
    enum queue_state state;
    int64_t due;              /* waiting: epoch seconds */
    char day[QUEUE_DAY_SIZE]; /* done: when */
    char id[QUEUE_ID_SIZE];
};

bool queue_is_id(const char *text);
bool queue_parse_waiting(const char *text, struct queue_name *n); /* DUE-ID */
/* A name as it stands in the folder of a state; `day`: of the folder in done/, else NULL. */
bool queue_parse(enum queue_state state, const char *day, const char *text, struct queue_name *n);
bool queue_is_day(const char *text);
void queue_recipient(const char *to, char hash[QUEUE_RECIPIENT_SIZE]); /* what the IDs begin with */
bool queue_is_for(const struct queue_name *n, const char *hash);
char *queue_path(const struct queue *q, const struct queue_name *n); /* the caller frees it */
char *queue_state_folder(const struct queue *q, enum queue_state state);
char *queue_body_path(const struct queue *q, const char *id);

/* The names of a state as they stand in the folder. A handler that gives false ends the walk.
 * `stray`, if set, hears of what is no name of an entry. Names alone are read, no file. */
typedef bool queue_name_h(void *arg, const struct queue_name *n);
typedef void queue_stray_h(void *arg, const char *path);
int queue_walk(const struct queue *q, enum queue_state state, queue_name_h *handler,
               queue_stray_h *stray, void *arg);

/* Calls the handler from the loop when a name comes into wait/; with NULL when names were missed
 * and the folder has to be read again. Stays until the loop ends. */
typedef void queue_arrival_h(void *arg, const struct queue_name *n);
void queue_watch(struct queue *q, struct loop *l, queue_arrival_h *handler, void *arg);

/* Where the entry of this ID is now. ENOENT: nowhere. */
int queue_find(const struct queue *q, const char *id, struct queue_name *n);

/* --- Adding. A batch is accepted as a whole: after queue_commit all of it is durable. */

struct queue_batch;

struct queue_new {
    const char *from, *to;
    const char *message; /* CPIM Message-ID; makes a repetition find what is there; NULL: none */
    int64_t born_ms, expires_ms; /* wall clock */
    bool notify;                 /* false: nobody is told when it fails */
};

struct queue_added {
    char id[QUEUE_ID_SIZE];
    bool known;             /* it was there already, */
    enum queue_state state; /* so */
};

struct queue_batch *queue_batch_new(struct queue *q);
/* A new body: write it to *fd, which stays the batch's. The entries that follow are its. */
int queue_add_body(struct queue_batch *b, int *fd);
void queue_drop_body(struct queue_batch *b); /* the last one, which has no entry yet, after all */
int queue_add_entry(struct queue_batch *b, const struct queue_new *n); /* EMSGSIZE: too long */
size_t queue_batch_count(const struct queue_batch *b);
/* Makes it all durable, then visible, then that durable. On an error entries that became visible
 * stay: adding the same again finds them. */
int queue_commit(struct queue_batch *b);
const struct queue_added *queue_batch_entry(const struct queue_batch *b, size_t i);
void queue_batch_free(struct queue_batch *b); /* what was not committed is gone */

/* --- An entry, opened. */

enum queue_wish { WISH_NONE, WISH_HOLD, WISH_REMOVE, WISH_RETRY, WISH_RELEASE, WISH_EXPIRE };
enum queue_why { WHY_NONE, WHY_REFUSED, WHY_EXPIRED };
extern const char *const queue_wish_names[];
extern const char *const queue_why_names[];

/* What the journal says and the fold does not keep. */
struct queue_facts {
    enum queue_wish wish; /* the last one that still stands */
    int64_t attempts;
    int64_t outcome_ms;   /* wall clock of the last attempt's outcome; 0: none */
    int64_t newest_ms;    /* of the newest line */
    enum queue_why why;   /* was given up, since the last attempt */
    bool notified;        /* and somebody was told */
    int64_t not_notified; /* so often the telling failed */
};

struct queue_entry {
    struct queue *q;
    struct queue_name name;
    char *path;
    struct journal *journal;
    struct queue_facts facts;
};

/* Opens and reads it. ENOENT: it was moved. */
int queue_entry_open(struct queue *q, const struct queue_name *n, enum journal_mode mode,
                     struct queue_entry **out);
void queue_entry_close(struct queue_entry *e); /* and with it the claim; NULL is harmless */
const char *queue_entry_get(const struct queue_entry *e, const char *key); /* "": not there */
int64_t queue_entry_time(const struct queue_entry *e, const char *key);    /* ms; 0: none */

/* Needs no claim: who holds it obeys at the end of the attempt. Durable. */
int queue_wish(struct queue_entry *e, enum queue_wish wish);
int queue_note_why(struct queue_entry *e, enum queue_why why);
int queue_note_notified(struct queue_entry *e, int status); /* 0: durable */

/* With the claim in hand. The entry's name and path follow. */
int queue_move(struct queue_entry *e, const struct queue_name *to);
int queue_remove(struct queue_entry *e);

/* --- The schedule: pure. */

struct queue_policy {
    int64_t first_ms, most_ms; /* back-off after the first failure, and its ceiling */
    int64_t factor;
    int64_t jitter; /* percent, to both sides */
};

enum queue_class { CLASS_DONE, CLASS_FAILED, CLASS_HELD, CLASS_OURS, CLASS_LATER };
/* What a queue does about an exit status (cpm-deliver(1)); `sent`: the INVITE left. */
enum queue_class queue_class_of(int status, bool sent);
/* The same for an attempt of this entry that ended. A certificate that the recipient showed for the
 * media, and credentials that he or a proxy before him wants (401, 407), are his matter: one
 * recipient must not stop the deliveries to all others. */
enum queue_class queue_class_of_end(const struct queue_entry *e, int status);
/* Did the last attempt end with credentials that were wanted? Of more than one recipient that says
 * that ours are wrong. */
bool queue_challenged(const struct queue_entry *e);

/* When the attempt after number `attempts` is due, in epoch seconds: the same for the same entry.
 */
int64_t queue_back_off(const struct queue_policy *p, const char *id, int64_t attempts,
                       int64_t ended_ms, int64_t retry_after_s, int64_t expires_ms);

enum queue_what { DO_NOTHING, DO_DELIVER, DO_FINISH, DO_HOLD, DO_DEFER, DO_FAIL, DO_REMOVE };
struct queue_decision {
    enum queue_what what;
    int64_t due;        /* DO_DEFER */
    enum queue_why why; /* DO_FAIL */
    bool failed;        /* an attempt failed just now, or its end was never dealt with */
};
/* What to do with an entry whose claim is ours. */
enum queue_when {
    WHEN_DUE,   /* what its name says counts */
    WHEN_ANY,   /* it is due now, whatever its name says */
    WHEN_ENDED, /* its attempt ended just now */
};
void queue_decide(const struct queue_entry *e, const struct queue_policy *p, int64_t now_ms,
                  enum queue_when when, struct queue_decision *d);
int64_t queue_notify_due(const struct queue_entry *e, const struct queue_policy *p); /* again */
bool queue_set_up(const struct queue_entry *e);  /* had the last attempt a session? */
bool queue_dangles(const struct queue_entry *e); /* did a dead attempt leave a dialog? */

/* --- Order in the house. */

/* Removes what is done or failed for longer than this. */
int queue_purge(struct queue *q, int64_t keep_ms, int64_t keep_failed_ms, int64_t now_ms);

/* Looks for what should not be, and with `repair` mends it. Each finding is one line of text. */
typedef void queue_finding_h(void *arg, const char *path, const char *what, bool mended);
int queue_check(struct queue *q, bool repair, queue_finding_h *handler, void *arg);

#endif
