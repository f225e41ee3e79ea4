/* The fence around libosip2's parser. It takes messages that RFC 3261 forbids (no Via, a CSeq of
 * another method, a status of 2000, a negative Content-Length), swallows the line after a status
 * line without a reason, needs quadratic time for many headers, and refuses whole messages for a
 * header that nobody asked for. So a message is read here line by line first; what libosip2 sees
 * is a clean text of the headers that make dialogs and transactions (Via, From, To, Call-ID, CSeq,
 * Contact, Route, Record-Route), everything else is hung into its struct as it came. Pure. */
#ifndef SIP_FENCE_H
#define SIP_FENCE_H

#include "base/buf.h"
#include "sip/stack.h"

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
