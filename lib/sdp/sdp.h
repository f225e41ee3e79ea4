/* The offer of a deferred message and the answer to it (RFC 3264, 4566, 4975, 5547, 6135). Pure.
 * libosip2's SDP parser is used in this room only, behind a reader that forgives what real peers
 * write. */
#ifndef SDP_SDP_H
#define SDP_SDP_H

#include "base/buf.h"
#include "base/slice.h"

#define SDP_MAX_SIZE (32 * 1024)

/* What the offer is made of; all text is borrowed. NULL: no such attribute. */
struct sdp_offer {
    uint64_t session; /* sess-id of the o= line; the same in every refresh (RFC 4975 8.4) */
    uint64_t version;
    const char *path;          /* one or more MSRP URIs; the leftmost gives c= and the port of m= */
    const char *addrtype;      /* of c= where that host is a name: IP4 (or NULL), IP6 */
    const char *proto;         /* TCP/MSRP, TCP/TLS/MSRP */
    const char *setup;         /* passive, actpass, active (then the port of m= is 9, RFC 4145 4) */
    const char *direction;     /* sendonly */
    const char *accept_types;  /* message/cpim */
    const char *wrapped_types; /* a=accept-wrapped-types */
    const char *fingerprint;
    bool cema;    /* a=msrp-cema: c= and m= may be changed on the way (RFC 6714) */
    int64_t size; /* a=file-selector:size:; -1: none */
};

/* Adds the session description to `out`. 0; EINVAL: the path is not an MSRP URI with a port, or a
 * value holds a line end; EMSGSIZE: longer than the buffer may become. */
int sdp_offer_build(const struct sdp_offer *o, struct buf *out);

/* What a description says about its first message media. The texts are owned, never NULL; "" where
 * there is none. Media level goes before session level. */
struct sdp_view {
    bool found;       /* is there an m=message line? */
    int count;        /* of all m= lines */
    unsigned port;    /* 0: refused; 9: not to be dialled */
    int64_t max_size; /* -1: none given */
    int64_t size;     /* of a=file-selector; -1: none given */
    bool cema;        /* a=msrp-cema: connect to c= and m=, not to the path (RFC 6714) */
    char *proto;
    char *address; /* c= */
    char *path;    /* all URIs, one space between them */
    char *setup;   /* lower case */
    char *accept_types;
    char *wrapped_types;
    char *direction;   /* sendrecv where nothing is said */
    char *fingerprint; /* all of them, one space between: hash, octets, hash, ... */
};

/* Reads a description, an answer or an offer: bare LF, blank lines, leading spaces, unusual order
 * and unknown or empty attributes are forgiven. 0; ENOMSG: no description at all; EBADMSG: none
 * that can be read. After 0 the caller calls sdp_view_free. */
int sdp_read(struct slice body, struct sdp_view *m);
void sdp_view_free(struct sdp_view *m);

/* Does a list (a=accept-types, parameters ignored, "*" and "type/" + "*" too) hold this type? */
bool sdp_accepts(const char *types, const char *type);

/* Whether the message of `octets`, with content of this type (NULL: not known), may be sent on what
 * the answer says. */
struct sdp_refusal {
    int status;      /* exit status: 0, 69 or 76 */
    const char *why; /* one word for the journal: no-media, refused, no-path ... */
    const char *text;
};
struct sdp_refusal sdp_answer_check(const struct sdp_view *answer, int64_t octets,
                                    const char *type);
struct sdp_refusal sdp_read_refusal(int error); /* for what sdp_read gave */

/* How the answer's a=setup is to be taken (RFC 6135 4.2.2): "active" (the peer connects), "passive"
 * (we do), or "" where nothing usable is said: absent, holdconn, actpass. */
const char *sdp_answer_setup(const struct sdp_view *answer);

#endif
