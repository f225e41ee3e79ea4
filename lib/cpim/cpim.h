/* message/cpim (RFC 3862), with the headers of RFC 5438 (IMDN). Reading is lenient where real
 * messages need it, writing is strict. Only file.c does I/O; the rest is pure.
 *
 * A message is
 *
 *     From: <sip:alice@example.com>            message headers: names with case, no folding
 *     To: <sip:bob@example.com>
 *     NS: imdn <urn:ietf:params:imdn>
 *     imdn.Message-ID: 4a7c...
 *                                              a blank line
 *     Content-Type: image/jpeg                 content headers: MIME, names without case
 *                                              a blank line
 *     the content, any octets
 */
#ifndef CPIM_CPIM_H
#define CPIM_CPIM_H

#include "base/buf.h"
#include "base/mark.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CPIM_HEAD_MAX ((size_t)64 * 1024) /* everything before the content */

enum cpim_error {
    CPIM_OK,
    CPIM_MORE,  /* no verdict yet: come back with more octets */
    CPIM_EMPTY, /* from here on the message is at fault: status 65 */
    CPIM_NOT_CPIM,
    CPIM_OUTER_HEADERS,
    CPIM_BAD_HEADER,
    CPIM_NO_FROM,
    CPIM_BAD_FROM,
    CPIM_TWO_FROMS,
    CPIM_NO_TO,
    CPIM_BAD_TO,
    CPIM_NO_CONTENT_HEADERS,
    CPIM_CUT,
    CPIM_HEAD_TOO_LONG,
};
const char *cpim_error_text(enum cpim_error e); /* a static text, to stand behind "m.cpim: " */

/* --- Reading. */

/* The head of a message. All slices point into the caller's octets; one that is not there has
 * p == NULL. Of a header that may be repeated it is the first. */
struct cpim {
    struct slice headers;         /* all message headers, for cpim_next */
    struct slice content_headers; /* all content headers, for cpim_next; may be empty */
    size_t content_at;            /* octets before the content */

    struct slice from; /* the whole value: "Alice <sip:alice@example.com>" */
    struct slice from_uri;
    struct slice to;
    struct slice to_uri;
    struct slice cc;
    struct slice date_time; /* as written, not checked: wild ones are no RFC 3339 */
    struct slice subject;   /* without parameters, escapes as written */
    struct slice require;
    struct slice message_id;   /* imdn.Message-ID (RFC 5438 6.3) */
    struct slice dispositions; /* imdn.Disposition-Notification (RFC 5438 6.2) */

    struct slice content_type; /* with parameters; may be folded, see cpim_media_type */
    struct slice content_length;
    struct slice content_disposition;
    struct slice content_transfer_encoding;
};

/* Reads the head of a message from its first octets; `whole`: the message has no others. CPIM_MORE
 * is never given when `whole`, nor from CPIM_HEAD_MAX octets on. Tolerated: bare LF at line ends,
 * no space (or several) after a colon, `NS: imdn<urn...>`, no blank line before the content
 * headers, unknown headers, a URI without <>, prefix imdn without an NS header. */
enum cpim_error cpim_parse(struct slice start, bool whole, struct cpim *c);

struct cpim_header {
    struct slice name;
    struct slice parameters; /* ";lang=fr", mostly empty (RFC 3862 2.2) */
    struct slice value;      /* without blanks around it */
};
/* Takes the first header off *rest. False: none is left, or what is left is no header. */
bool cpim_next(struct slice *rest, struct cpim_header *h);

/* The URI of a From, To or cc value (RFC 3862 4.1): what is in <>, after a name that may be quoted
 * and hold escapes; or the value itself if it is a bare URI. p == NULL: there is none. */
struct slice cpim_uri_of(struct slice value);

/* "image/jpeg" of a Content-Type value: without parameters, never folded. Empty when it is not of
 * that form. A missing Content-Type means text/plain (RFC 2045 5.2); this gives it then. */
struct slice cpim_media_type(struct slice content_type);

/* --- Writing. */

struct cpim_draft {
    const char *from; /* URIs: sip, sips, tel or any other absolute one */
    const char *to;
    const char *subject;        /* NULL: none. UTF-8; controls and backslashes get escaped */
    const char *message_id;     /* RFC 3862's Token; 4 to 32 of it are an MSRP ident too */
    const char *dispositions;   /* "positive-delivery, display"; NULL or "none": no request */
    const char *type;           /* media type with parameters */
    int64_t wall_ms;            /* DateTime */
    int64_t octets;             /* of the content, for Content-Length; -1: not known, not written */
    const char *const *also_to; /* further recipients, with a To each */
    size_t also_count;
};

#define CPIM_DISPOSITIONS    "positive-delivery, display" /* what clients ask for */
#define CPIM_MESSAGE_ID_SIZE 33
void cpim_new_message_id(char text[CPIM_MESSAGE_ID_SIZE]); /* 32 hex digits, 122 random bits */

/* Appends the head of a message, both blank lines included. 0, or EINVAL: *field tells which member
 * ("from", "imdn" for the dispositions ...), *why what is wrong with it; nothing was appended then.
 * EMSGSIZE: the buffer's limit, or CPIM_HEAD_MAX. */
int cpim_compose(const struct cpim_draft *d, struct buf *head, const char **field,
                 const char **why);

/* What is wrong with a URI as an originator or recipient; NULL: nothing. */
const char *cpim_uri_fault(const char *uri);

/* The media type that goes with a file name's ending (without case), for the kinds of files that
 * people send. NULL: not known. */
const char *cpim_type_of_name(const char *name);

/* --- Files. */

/* Reads the head of a message from the start of a file (by pread, so the offset stays) and its
 * size. 0 and *verdict, or an errno value: EISDIR, ESPIPE (not a file) ... *head holds the octets
 * that *c points into; the caller frees it, also after an error. */
int cpim_read_head(int fd, char **head, struct cpim *c, uint64_t *octets, enum cpim_error *verdict);

/* What a message is known by over all attempts: its imdn.Message-ID; one that has none is known by
 * a mark of all its octets (32 hex digits, an MSRP ident too), so that another message is never
 * taken for it. 0, or an errno value. The caller frees *id. */
int cpim_identity(int fd, const struct cpim *c, char **id);

/* A mark of the content alone: two messages made of the same content at different times have it in
 * common. 0, or an errno value. */
int cpim_content_mark(int fd, const struct cpim *c, char hex[MARK_HEX_SIZE]);

/* Copies up to `most` octets, from and to where the descriptors stand, in constant memory, in the
 * kernel where it can. Waits where a descriptor makes it wait. 0, or an errno value; *reading tells
 * which side failed. */
int cpim_copy(int from, int to, uint64_t most, uint64_t *copied, bool *reading);

#endif
