/* MSRP, RFC 4975: URIs and paths, the incremental parser, frames, and what a receiver keeps. All of
 * it is pure: bytes and times in, bytes and verdicts out, no I/O, no clock. Errors are errno values
 * unless said otherwise. Octet positions are MSRP's: the first octet of a message is 1. */
#ifndef MSRP_MSRP_H
#define MSRP_MSRP_H

#include "base/buf.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* --- URIs, RFC 4975 section 6: msrp[s]://[userinfo@]host[:port]/session-id;tcp[;param...] */

struct msrp_uri {      /* slices point into the text that was parsed */
    bool secure;       /* msrps */
    struct slice host; /* without brackets */
    bool has_port;     /* there is no default port */
    uint16_t port;
    struct slice session;   /* may hold "/", "+" and "="; empty in a relay's URI */
    struct slice transport; /* "tcp" */
};

/* 0, or EINVAL. Surrounding blanks are not part of a URI. */
int msrp_uri_parse(struct slice text, struct msrp_uri *u);

/* Adds the URI as text; an IPv6 literal gets its brackets. 0 or EMSGSIZE. */
int msrp_uri_format(struct buf *b, const struct msrp_uri *u);

/* Equal by RFC 4975 6.1: IP literals by value, names and transport without case, the session id
 * with case, a port on one side only never matches. */
bool msrp_uri_same(const struct msrp_uri *a, const struct msrp_uri *b);

/* Equal by session id alone (RFC 6714 section 5: boxes on the way may rewrite the authority). An
 * empty session id equals nothing. */
bool msrp_uri_same_session(const struct msrp_uri *a, const struct msrp_uri *b);

/* A path is one or more URIs with one space between. The first is the next hop, the last the
 * endpoint itself. Empty slices when there is none. */
struct slice msrp_path_first(struct slice path);
struct slice msrp_path_last(struct slice path);
int msrp_path_check(struct slice path); /* 0 when it is one or more sound URIs, else EINVAL */

/* --- The parser. */

#define MSRP_ANY             UINT64_MAX /* "*" as range-end or total */
#define MSRP_HEAD_MAX        8192       /* start line and headers of one request or response */
#define MSRP_OTHER_BODY_MAX  10240      /* body of anything but SEND, RFC 4975 7.1 */
#define MSRP_IDENT_MAX       32         /* what we write, RFC 4975 section 9 */
#define MSRP_IDENT_TAKEN_MAX 64         /* what we read: there are peers with 36-character UUIDs */

enum msrp_failure_report { MSRP_FAILURE_YES, MSRP_FAILURE_PARTIAL, MSRP_FAILURE_NO };

struct msrp_range {
    uint64_t start; /* from 1; "1-0/0" is the bodiless SEND */
    uint64_t end;   /* or MSRP_ANY */
    uint64_t total; /* or MSRP_ANY */
};

/* The head of a request or response. The slices live in the parser until the call of msrp_parse
 * after the one that gave MSRP_END. */
struct msrp_head {
    bool request;
    struct slice id;      /* transact-id */
    struct slice method;  /* of a request */
    int code;             /* of a response */
    struct slice comment; /* of a response */
    struct slice to_path;
    struct slice from_path;
    struct slice message_id;
    bool has_range;
    struct msrp_range range;                 /* without the header: 1-* / * (RFC 4975 7.1.1) */
    enum msrp_failure_report failure_report; /* default yes */
    bool success_report;                     /* default no */
    int status;                              /* of a REPORT's Status header; 0: none */
    struct slice status_text;
    struct slice content_type;
    struct slice all; /* all lines, each with its CRLF */

    /* The frame is sound but a header is missing or makes no sense: what, for a 400. NULL: none. */
    const char *fault;
};

bool msrp_head_is(const struct msrp_head *h, const char *method);

enum msrp_kind {
    MSRP_MORE, /* the input is used up */
    MSRP_HEAD, /* a head is complete; ev->head */
    MSRP_DATA, /* octets of its body, in order; ev->data, valid until the next call */
    MSRP_END,  /* its end-line; ev->head, ev->flag, ev->body */
    MSRP_BAD,  /* no MSRP, or a limit passed: ev->why; close the connection, nothing follows */
};

struct msrp_event {
    enum msrp_kind kind;
    const struct msrp_head *head;
    struct slice data;
    char flag;     /* '$' the last chunk, '+' more to come, '#' aborted */
    bool has_body; /* at MSRP_HEAD and MSRP_END: a bodiless SEND differs from one with an empty body
                      (RFC 4975 7.1.1) */
    uint64_t body; /* octets of the body, as counted */
    const char *why;
};

struct msrp_parser;
struct msrp_parser *msrp_parser_new(void);
void msrp_parser_free(struct msrp_parser *p); /* NULL is harmless */

/* Takes octets from the front of *in and gives one event. Call until it gives MSRP_MORE or
 * MSRP_BAD. How the stream is split over calls makes no difference, but for the cuts of
 * MSRP_DATA. */
enum msrp_kind msrp_parse(struct msrp_parser *p, struct slice *in, struct msrp_event *ev);

/* Is the parser between two messages? False: a connection that ends here ends inside one. */
bool msrp_parser_idle(const struct msrp_parser *p);

/* --- Frames. Each adds its text to the buffer; 0, or EMSGSIZE. */

struct msrp_send {
    const char *id; /* transact-id */
    struct slice to_path;
    struct slice from_path;
    struct slice message_id;
    struct msrp_range range;
    enum msrp_failure_report failure_report;
    bool success_report;
    const char *content_type; /* NULL: the bodiless form of RFC 4975 7.1 */
};

/* The head of a SEND up to its first octet of data. Content-Type is the last header. */
int msrp_frame_send(struct buf *b, const struct msrp_send *s);

/* What ends a request: after data the CRLF that is not part of it, then the end-line. */
int msrp_frame_end(struct buf *b, const char *id, bool has_body, char flag);

/* A whole response to a request: one hop back, so the first URIs of its paths (RFC 4975 7.2). */
int msrp_frame_response(struct buf *b, const struct msrp_head *request, int code,
                        const char *comment /* NULL: the usual one */);

/* A whole REPORT about a range of the message that `request` belongs to (RFC 4975 7.1.3). */
int msrp_frame_report(struct buf *b, const char *id, const struct msrp_head *request,
                      struct msrp_range range, int code, const char *comment);

/* --- Receiving. */

/* Does this request get a response with that code? A REPORT never does; Failure-Report rules the
 * rest (RFC 4975 7.2). False for responses. */
bool msrp_answer_wanted(const struct msrp_head *h, int code);

/* A set of octets as merged ranges, in order. Bounded: more gaps than this and it is full. */
#define MSRP_RANGES_MAX 256
struct msrp_ranges {
    struct {
        uint64_t start, end; /* from 1, both inclusive */
    } r[MSRP_RANGES_MAX];
    size_t n;
};
int msrp_ranges_add(struct msrp_ranges *s, uint64_t start, uint64_t end); /* 0 or ENOSPC */
bool msrp_ranges_cover(const struct msrp_ranges *s, uint64_t total);      /* all of 1..total? */

/* One message on its way in, over all of its chunks, in whatever order they come. The octets
 * themselves are the caller's. Zero it before the first chunk. */
struct msrp_receipt {
    char message_id[MSRP_IDENT_TAKEN_MAX + 1];
    struct msrp_ranges have;
    uint64_t total; /* MSRP_ANY until the chunk with "$", or a Byte-Range, told it */
    uint64_t next;  /* where the chunk's next octet belongs, from 1 */
    uint64_t chunk_start;
    uint64_t chunks;
    bool complete; /* every octet is there, and the end was seen */
    bool aborted;  /* "#" */
};

/* At MSRP_HEAD of a SEND: 0, or the code to answer with (400) and *why. The chunk's octets belong
 * at r->next. A head with another Message-ID than the first chunk's begins the receipt anew. */
int msrp_receipt_head(struct msrp_receipt *r, const struct msrp_head *h, const char **why);
/* At MSRP_DATA, after the octets were put at r->next. 0, or 413: past the total. */
int msrp_receipt_data(struct msrp_receipt *r, size_t n, const char **why);
/* At MSRP_END. 0, or 413: too many gaps. After a bodiless SEND the receipt is as new. */
int msrp_receipt_end(struct msrp_receipt *r, const struct msrp_event *ev, const char **why);

/* --- Verdicts. */

/* The exit status that the code of a response or REPORT means (0 for 2xx), with words for people.
 */
int msrp_verdict(int code, const char **why);

/* The MSRP Message-ID that belongs to a CPIM Message-ID: itself where it is a legal ident of 4 to
 * 32 characters, else 32 hexadecimal digits made from it. The same in all attempts, so that the
 * recipient knows a repetition (RFC 4975 5.4). */
void msrp_message_id(char id[MSRP_IDENT_MAX + 1], struct slice cpim_id);

#endif
