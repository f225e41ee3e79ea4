/* The fence around libosip2's parser. A message is read here line by line first; what libosip2 sees
 * is a clean text of the headers that make dialogs and transactions (Via, From, To, Call-ID, CSeq,
 * Contact, Route, Record-Route), everything else is hung into its struct as it came. Pure.
 *
 * This is also the place that says what libosip2 (5.3.0) does not do or does wrongly, and who in
 * this room makes up for it:
 *
 *   prints on stdout what it cannot parse             trans.c: its trace goes nowhere
 *   takes requests without Via, From, To, CSeq,       here: 400
 *     a CSeq of another method or with no number
 *   takes a status of 2000, -1, 4294967301 (as 5);    here: silence; 505
 *     SIP/7.0
 *   takes a Content-Length that is negative or has    here: 400; a stream ends, as the next
 *     20 digits, and drops the body                     message in it cannot be found
 *   drops a body without Content-Type                 here: kept
 *   swallows the line after a status line that has    here: gets one
 *     no reason
 *   ends a head at a NUL or a lone CR                 head.c: 400
 *   refuses a whole message for a bad header that     here: it sees those headers only that
 *     nobody asked for                                  make dialogs and transactions
 *   knows eight compact names                         head.c: knows all
 *   splits some lists at commas and not others        here: one table
 *   parses multipart bodies, its weakest code         here: a body is octets
 *   needs quadratic time for headers and members of   here: SIP_MESSAGE_MAX, and
 *     lists, and has no limits                          SIP_HEADERS_MAX for both
 *   sends a value with CR LF as it is                 message.c: EINVAL
 *   keeps the text of a message, once made            message.c, via.c: force_update
 *   is read on in the middle of its kill callback     trans.c: freed by the reaper
 *   does not free transactions with itself            trans.c: trans_stop
 *   finds transactions and timers in linear lists     trans.c: a table, and the loop's timers
 *   has constants for T1, T2, T4                      trans.c: options
 *   ends an INVITE transaction with its 2xx           client.c: the next are strays; server.c:
 *                                                       repeated until the ACK (RFC 6026)
 *   has no transport, framing or keep-alives; names   transp*.c, fence_frame; addresses come
 *     port 5060 for sips:                               from hop.c alone
 *   has no random numbers worth the name              base/rand.h
 *   reads past the end of an SDP, and is strict       lib/sdp/tidy.c
 *     about its order
 *   keeps global state without locks                  one thread, one stack a process
 */
#ifndef SIP_FENCE_H
#define SIP_FENCE_H

#include "base/buf.h"
#include "sip/stack.h"

#define SHADOW "@" /* begins the names of headers that are not for the wire */

struct osip_event;

struct fence_fault {
    int code; /* what a request is to be answered with; 0: nothing */
    const char *why;
};

/* Where does the first message of a stream end? 0 and *whole; EAGAIN: more is needed (never once
 * SIP_MESSAGE_MAX octets are there); EBADMSG: no SIP, or a message whose end cannot be known; then
 * *whole is the length of its head if that is complete, else 0. Line ends before the start line
 * must have been taken off (RFC 3261 7.5). */
int fence_frame(struct slice in, size_t *whole);

/* Reads one whole message. Without `stream` octets after the Content-Length are ignored, and a
 * missing Content-Length means all (RFC 3261 18.3). 0 and an event of libosip2 that owns the
 * message, or EBADMSG and the fault. */
int fence_read(struct slice raw, bool stream, struct osip_event **event, struct fence_fault *fault);

void fence_drop(struct osip_event *event); /* with its message */

/* The text of the refusal, made from the lines of the request alone. ENOENT: not a request, an ACK,
 * or it lacks what a response needs. */
int fence_refuse(struct slice raw, const struct fence_fault *fault, struct buf *out);

#endif
