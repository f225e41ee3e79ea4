/* The sender of one message: chunks, unanswered transactions, reports, the verdict. Pure: it is
 * told the time, what the socket took and what the peer said, and it says what goes out next. */
#ifndef MSRP_SEND_H
#define MSRP_SEND_H

#include "msrp/msrp.h"

/* RFC 4975 7.1.1: larger chunks must be interruptible. */
#define MSRP_INTERRUPTIBLE 2048
#define MSRP_ANSWER_MS     30000 /* RFC 4975 7.1.4 */

/* Chunks begin as one alone, with what the most common clients send themselves, and grow with the
 * good answers, still one at a time, to what every known peer takes: there are peers that cannot
 * take a second chunk before they answered the first, peers that take no SEND of more than 64 kB
 * with its headers, and peers that hang up with more than that unanswered. A slow start grows no
 * faster with more chunks at once. Only then come several, and larger ones; above 1 MiB a chunk and
 * 16 MiB unanswered nothing is gained (make bench). */
#define MSRP_CHUNK_START  ((uint64_t)10 * 1024)
#define MSRP_CHUNK_GENTLE ((uint64_t)60 * 1024) /* also when good answers were not asked for */
#define MSRP_CHUNK_MAX    ((uint64_t)1024 * 1024)
#define MSRP_WINDOW_MIN   ((uint64_t)2048)
#define MSRP_WINDOW_MAX   ((uint64_t)16 * 1024 * 1024)

/* Where the octets are. */
struct msrp_octets {
    /* Before the last end-line: are they still what they were at the start? 0 or ESTALE. */
    int (*unchanged)(void *arg);
    void *arg;
};

struct msrp_sending {
    struct slice to_path;
    struct slice from_path;
    struct slice message_id;
    const char *content_type;
    uint64_t total; /* not 0 */
    struct msrp_octets octets;
    enum msrp_failure_report failure_report;
    bool success_report;
    bool require_report;       /* without a REPORT it is not delivered */
    int64_t report_timeout_ms; /* the wait for REPORTs, or for errors when answers are not due */
    uint64_t chunk;            /* a fixed size, or 0: it grows */
    uint64_t window_max;       /* an earlier attempt's lesson, or 0 */
    bool stop_and_wait;
    void (*token)(char *text, size_t n); /* NULL: random */
};

struct msrp_outcome {
    int status; /* 0: transferred */
    int code;   /* of the peer's answer or REPORT; 0: none */
    char reason[128];
    const char *why;
    const char *report; /* "none", "success", "missing" */
};

struct msrp_piece { /* octets of the message, to go out behind the text; offset from 0 */
    uint64_t offset;
    uint64_t n;
};

struct msrp_sender;
struct msrp_sender *msrp_sender_new(const struct msrp_sending *what); /* copies what it needs */
void msrp_sender_free(struct msrp_sender *s);                         /* NULL is harmless */

/* What goes out next: text is added to *text, then come the octets of *piece. Called when all of
 * the former piece is out. `at` is the stream position of the text's end. Without `may_open` an
 * open chunk is ended but no other begun. False: nothing now. */
bool msrp_sender_next(struct msrp_sender *s, int64_t now, uint64_t at, bool may_open,
                      struct buf *text, struct msrp_piece *piece);

/* So many octets of the piece went out. */
void msrp_sender_sent(struct msrp_sender *s, size_t n);

/* The rest of the piece cannot be read. */
void msrp_sender_unreadable(struct msrp_sender *s, int error);

/* Is an open chunk to be ended here, with "#"? The rest of the piece is then not sent. */
bool msrp_sender_cut(const struct msrp_sender *s);

/* Ends an open chunk with "+", where that may be, so that something else can go out; what is left
 * of the piece is then not sent. False: not here. */
bool msrp_sender_interrupt(struct msrp_sender *s, int64_t now, uint64_t at, struct buf *text);

/* The peer's TCP took everything up to this stream position: the time for answers runs. */
void msrp_sender_taken(struct msrp_sender *s, int64_t now, uint64_t position);

void msrp_sender_response(struct msrp_sender *s, const struct msrp_head *h, int64_t now);
void msrp_sender_report(struct msrp_sender *s, const struct msrp_head *h, int64_t now);

/* No new chunks, and "#" for the open one: msrp_sender_next gives it. Answers still count. */
void msrp_sender_stop(struct msrp_sender *s);

/* The end, for a reason from outside, whatever was confirmed. */
void msrp_sender_fail(struct msrp_sender *s, int status, const char *why);

/* The same, but transferred if everything is confirmed, or reported as a whole. */
void msrp_sender_give_up(struct msrp_sender *s, int status, const char *why);

int64_t msrp_sender_due(const struct msrp_sender *s); /* when msrp_sender_time must be called */
void msrp_sender_time(struct msrp_sender *s, int64_t now);

/* The verdict, once there is one; then only a "#" may still have to go out. */
const struct msrp_outcome *msrp_sender_outcome(const struct msrp_sender *s);

struct msrp_progress {
    uint64_t gone;      /* octets of the message that the socket took */
    uint64_t confirmed; /* and that were answered well; where answers are not asked for: whose
                           chunks the peer's TCP took */
    uint64_t chunks;    /* begun */
    uint64_t window;    /* octets that may be unanswered */
};
struct msrp_progress msrp_sender_progress(const struct msrp_sender *s);

/* The recipient hung up, or broke the connection. After the verdict that means nothing. */
void msrp_sender_hung_up(struct msrp_sender *s);

/* If it did so, or fell silent, with octets unanswered: the window that the next attempt should
 * keep to, smaller than this one's. Else 0. */
uint64_t msrp_sender_lesson(const struct msrp_sender *s);

bool msrp_sender_waits(const struct msrp_sender *s); /* are answers still due? */

/* Does more of the message wait for answers alone? */
bool msrp_sender_blocked(const struct msrp_sender *s);

#endif
