/* What a queue and its sessions look like now: a snapshot that is brought up to date by reading
 * alone. It takes no lock, makes no file and refuses what the queue refuses; an entry may move,
 * grow or vanish at any moment, and a line may be torn (cpm-queue(5), cpm-session(5)).
 *
 * The first update reads all, a further one what the kernel tells of (inotify), of journals what
 * was appended, and the locks of the deliveries under way. Where notices were lost, all is read
 * again in pieces, one an update, and what is shown may be old until the last one (`complete`).
 * Where there are no notices, each update reads all names.
 *
 * Times are milliseconds since 1970 (wall clock), 0: none; sizes are octets. Errors are errno
 * values. Texts stay valid until the next update (or the loop's); they are cleaned: the session ids
 * of MSRP paths are left out, and with `mask` what names a person too. They are octets from
 * outside all the same: what writes them into HTML or JSON has to escape them. */
#ifndef STATUS_SNAPSHOT_H
#define STATUS_SNAPSHOT_H

#include "queue/queue.h"

struct snapshot;

struct snapshot_options {
    bool mask;              /* nobody is named (journal_clean) */
    int64_t since_ms;       /* the counters count what happened from then on */
    int64_t stuck_after_ms; /* for snapshot_health: so long nothing may be overdue */
};

/* Of a queue, or of one session file, which need not be there yet. ENOENT, EPERM, EREMOTE as for
 * queue_open. Nothing is read before the first update. */
int snapshot_open(struct snapshot **out, const char *queue, const struct snapshot_options *o);
void snapshot_open_session(struct snapshot **out, const char *path,
                           const struct snapshot_options *o);
void snapshot_close(struct snapshot *s); /* NULL is harmless */

void snapshot_update(struct snapshot *s);

/* Begins to read all from the loop, piece by piece, then takes in what the kernel tells and reads
 * what is to be read, so that updates find little left; one that comes before all is read reads the
 * rest. What is shown may change while the loop runs. Close the snapshot before the loop. */
void snapshot_follow(struct snapshot *s, struct loop *l);

/* --- The whole. */

enum status_state { /* of an entry; each is in one of them */
                    STATUS_WAITING,
                    STATUS_DELIVERING, /* waiting, and an attempt is under way */
                    STATUS_HELD,
                    STATUS_DONE,
                    STATUS_FAILED,
                    STATUS_STATES
};
extern const char *const status_state_names[]; /* "waiting" ... */

#define STATUS_BUCKETS 10
struct status_histogram { /* counts[i]: at most bounds[i]; not cumulative; the last has no bound */
    const double *bounds; /* STATUS_BUCKETS of them */
    uint64_t counts[STATUS_BUCKETS + 1];
    double sum;
    uint64_t count;
};

/* Why an attempt failed: in which stage, and what the peer answered. A bounded table; "4xx" is any
 * other code of that class, "none" that there was no code. */
enum status_stage { STAGE_NONE, STAGE_INVITE, STAGE_TRANSFER };
extern const char *const status_stage_names[]; /* "none" ... */
struct status_reason {
    enum status_stage stage;
    const char *code;
    int low, high;
};
#define STATUS_REASONS 34
extern const struct status_reason status_reasons[STATUS_REASONS];

/* What happened since options.since_ms: none of these ever becomes less. What happened before is
 * not in here, because after each start it would look like an event. */
struct status_counters {
    uint64_t accepted;   /* entries */
    uint64_t started;    /* attempts */
    uint64_t ended[256]; /* attempts, by their exit status; [255] is that and any other */
    uint64_t failed[STATUS_REASONS]; /* attempts that ended with another status than 0 */
    uint64_t delivered;              /* entries */
    uint64_t delivered_octets;       /* of them */
    uint64_t confirmed_octets; /* by recipients, in whatever attempt, also one that is under way */
    uint64_t given_up[WHY_EXPIRED + 1]; /* entries, by enum queue_why */
    struct status_histogram delivery_s; /* from the birth of a message to its delivery */
    struct status_histogram attempt_s;  /* of attempts that ended, whatever their status */
    struct status_histogram size;       /* of delivered messages */
};

struct status_summary {
    const char *queue;             /* or the session file */
    bool is_session;               /* one session file, no queue */
    int error;                     /* the queue cannot be read: errno; 0: it can */
    int64_t since_ms;              /* options.since_ms: the counters' beginning */
    int64_t now_ms;                /* of the update */
    double took_s;                 /* it */
    uint64_t updates, octets_read; /* of journals */
    uint64_t errors;               /* updates that could not read the queue */
    uint64_t disk_size, disk_free; /* octets of the queue's file system; size 0: not known */
    uint64_t disk_files;           /* so many files fit there; 0: there is no such limit */
    uint64_t disk_files_free;      /* so many more may be made */
    bool told;         /* the kernel tells what changes; else each update reads all names */
    bool complete;     /* false: notices were lost, and not all was looked at again yet */
    uint64_t overruns; /* so often notices were lost */
    uint64_t glances;  /* journals that were opened */
    uint64_t entries[STATUS_STATES];
    uint64_t unreadable;     /* entries of any state that are refused */
    uint64_t abandoned;      /* waiting, with an attempt whose processes died before its end */
    uint64_t recipients;     /* with at least one entry */
    int64_t oldest_birth_ms; /* of those that wait or are delivered now */
    int64_t oldest_due_ms;   /* of those that wait; may lie in the future */
    uint64_t failures_hour;  /* attempts that failed in the last 60 minutes, by the minute */
    uint64_t deliveries_hour;
    uint64_t sessions[3]; /* by enum status_phase */
    uint64_t rate;        /* octets a second of all sessions together */
    struct status_counters counters;
};

const struct status_summary *snapshot_summary(const struct snapshot *s);

/* True: the queue can be read and nothing is stuck. Else why not, as a line without its newline. */
bool snapshot_health(const struct snapshot *s, char why[256]);

/* --- Entries. */

enum status_phase { STATUS_INVITING, STATUS_TRANSFERRING, STATUS_ENDING };
extern const char *const status_phase_names[];

struct status_entry {
    const char *id; /* of a single session: the name of its file */
    enum status_state state;
    char recipient[QUEUE_RECIPIENT_SIZE];
    const char *to; /* "": not known yet */
    int64_t due_ms, birth_ms, expires_ms;
    int64_t attempts;
    int64_t started_ms, ended_ms; /* the last attempt; without an end, status is -1 */
    int status, code;             /* how it ended: exit status, and what SIP or MSRP said, or 0 */
    const char *why;
    enum queue_why fate;
    enum queue_wish wish;
    bool abandoned; /* its last attempt's processes died */
    int error;      /* it cannot be read (journal_open_error): the rest is not known */
    /* of the last attempt */
    const char *sid;
    enum status_phase phase;
    int64_t progress_ms; /* octets and rate are of this moment; 0: nothing was sent yet */
    uint64_t octets, total, rate;
};

struct status_filter {
    unsigned states;       /* 1 << enum status_state; 0: all */
    const char *recipient; /* its 8 digits, or its address as it is shown; NULL: all */
    const char *reason;    /* a part of `why`, or the exit status; NULL: all */
    size_t limit;          /* at most */
    const char *after;     /* the ID of the last one of the page before; NULL: from the first on */
};

/* A page of entries, in the order of their IDs (which begin with the recipient). *more: there are
 * further ones. */
typedef void status_entry_h(void *arg, const struct status_entry *e);
void snapshot_entries(const struct snapshot *s, const struct status_filter *f,
                      status_entry_h *handler, void *arg, bool *more);

/* Of the entries that wait the first ones, by when they are due or by their age, until the handler
 * gives false. Made for a few: it does not look at all of them. Those whose birth is not known have
 * no age. */
enum status_order { STATUS_BY_DUE, STATUS_BY_AGE };
typedef bool status_first_h(void *arg, const struct status_entry *e);
void snapshot_first(const struct snapshot *s, enum status_order order, status_first_h *handler,
                    void *arg);

const struct status_entry *snapshot_entry(const struct snapshot *s, const char *id); /* or NULL */

/* What the entries of a recipient have come to, or those whose last attempt failed alike. The ones
 * with most entries that are not done come first. Gives whether there are more. */
struct status_group {
    const char *text; /* the recipient's address, or why they failed; may be "" */
    char recipient[QUEUE_RECIPIENT_SIZE]; /* of a recipient */
    int status, code;                     /* of a reason */
    uint64_t entries[STATUS_STATES];
};
typedef void status_group_h(void *arg, const struct status_group *g);
bool snapshot_recipients(const struct snapshot *s, size_t limit, status_group_h *handler,
                         void *arg);
bool snapshot_reasons(const struct snapshot *s, size_t limit, status_group_h *handler, void *arg);

/* The sound lines of its journal; ENOENT, or journal_open's errors. What is shown of a value has to
 * be cleaned first: the caller frees it. */
int snapshot_journal(struct snapshot *s, const char *id, journal_line_h *handler, void *arg);
char *snapshot_clean(const struct snapshot *s, struct slice value);
bool snapshot_masks(const struct snapshot *s); /* is nobody named? */

/* --- Recent attempts that have ended, also of entries that are gone by now. The newest first. */

#define STATUS_ATTEMPTS 256
struct status_attempt {
    int64_t ended_ms, started_ms;
    char *id, *to, *why;
    int status, code;
    uint64_t octets; /* confirmed */
};

size_t snapshot_attempts(const struct snapshot *s, const struct status_attempt **first);

#endif
