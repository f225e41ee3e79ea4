/* libosip2, wrapped once: transports, message framing, transactions, timers. UAC and UAS alike.
 * What libosip2 does not do or does wrongly (nothing on stdout, size and header caps before
 * parsing, mandatory headers checked, compact forms made long, values with CR LF refused,
 * transactions freed outside their callbacks) is fenced behind this header and nowhere else. One
 * stack a process.
 *
 * Messages are libosip2's (struct osip_message, osip_message_t); this header does not include it.
 */
#ifndef SIP_STACK_H
#define SIP_STACK_H

#include "base/loop.h"
#include "base/net.h"
#include "base/slice.h"
#include "base/tls.h"

struct osip_message;
struct sip_stack;

enum sip_transport { SIP_UDP, SIP_TCP, SIP_TLS };
const char *sip_transport_name(enum sip_transport t); /* "udp" */
const char *sip_via_name(enum sip_transport t);       /* "UDP" */

#define SIP_MESSAGE_MAX (64 * 1024) /* RFC 3261 has no limit; libosip2 is quadratic in headers */
#define SIP_HEADERS_MAX 200

struct sip_timers { /* RFC 3261 17, ms */
    int64_t t1, t2, t4;
};
#define SIP_TIMERS_DEFAULT ((struct sip_timers){500, 4000, 5000})

/* Where a request goes, or where a message came from. */
struct sip_hop {
    enum sip_transport transport;
    struct net_addr addr;
    uint64_t connection; /* the stream (UDP: the socket) that it came on; 0: none, or find one */
    char domain[256];    /* that a TLS peer has to prove (RFC 5922); "": any that is trusted */
};

/* A request that came: handed out until its final response was given; an INVITE that got a 2xx,
 * until sip_server_acked or sip_server_forget. NULL for an ACK. */
struct sip_server;
/* A request of ours under way. */
struct sip_client;

struct sip_stack_ops {
    /* A new request (no retransmission of one that has a transaction). For ACK to a 2xx, and for a
     * CANCEL that matches (`invite` is then the INVITE that it cancels, else NULL): the stack has
     * answered neither. (A CANCEL for an INVITE that has its final response comes too late: that
     * one the stack answers with 200 itself, RFC 3261 9.2.) `m` lives until the transaction is
     * freed: as long as s is handed out, and until this function returns. Clone to keep longer. */
    void (*request)(void *arg, struct sip_server *s, const struct osip_message *m,
                    const struct sip_hop *from, struct sip_server *invite);
    /* A response that belongs to no transaction: a 2xx to an INVITE that was repeated or forked, or
     * the answer to what another process sent from this address. */
    void (*stray)(void *arg, const struct osip_message *m, const struct sip_hop *from);
    /* 64*T1 went by and nobody said that the ACK for the 2xx came (RFC 3261 13.3.1.4: BYE). May be
     * NULL. s is still handed out. */
    void (*unacked)(void *arg, struct sip_server *s);
};

struct sip_client_ops {
    void (*response)(void *arg, struct sip_client *c, const struct osip_message *m,
                     const struct sip_hop *from);
    /* The transaction ended without a final response: ETIMEDOUT (timer B, F), ECONNREFUSED,
     * ECONNRESET, EHOSTUNREACH, those of tls.h ... The client is gone after this, and after a final
     * response. */
    void (*failed)(void *arg, struct sip_client *c, int error);
};

/* 0, or ENOSYS when libosip2 cannot be started; the loop is the caller's. */
int sip_stack_new(struct sip_stack **out, struct loop *loop, struct sip_timers timers,
                  const struct sip_stack_ops *ops, void *arg);
/* Frees all transactions and sockets; what is still owed to a peer is not sent any more. From
 * within a callback too: no further callback comes, and the rest is done when it returns. */
void sip_stack_free(struct sip_stack *s);

/* How many requests of others may be kept at once, and how many connections that others made;
 * without this any number. What is more goes: a request is not heard (it will be repeated), and of
 * the connections the one that was silent for the longest time is closed. */
void sip_stack_limit(struct sip_stack *s, size_t requests, size_t guests);

/* For SIP_TLS; without this it gives EPROTONOSUPPORT. The context stays the caller's and has to
 * outlive the stack. Without a certificate of ours nobody can connect to us: then listening only
 * reserves the port that our connections come from, as peers use a connection that is there. */
void sip_stack_tls(struct sip_stack *s, struct tls_context *c);
/* What an error of a moment ago was about: EKEYREJECTED and EPROTO by their cause in TLS. */
const char *sip_stack_why(const struct sip_stack *s, int error);

/* Listens on UDP, or accepts on TCP and TLS. *bound tells where. Several are possible. Errors as
 * net_open, and EPROTONOSUPPORT. */
int sip_stack_listen(struct sip_stack *s, enum sip_transport t, const struct net_bind *b,
                     int family, bool reuse, struct net_addr *bound);

/* The same with a socket that listens on `bound` already; it is the stack's now, also on an error.
 */
int sip_stack_adopt(struct sip_stack *s, enum sip_transport t, int fd,
                    const struct net_addr *bound);

/* The local address that a peer at `hop` can send to: the UDP socket or the listener of that family
 * that the stack would use, with the host that the kernel prefers towards the hop where it is bound
 * to any. Right for Via and Contact. EADDRNOTAVAIL: there is none of that kind. */
int sip_local(struct sip_stack *s, const struct sip_hop *hop, struct net_addr *local);

/* --- Sending. All take over the message. */

/* Starts a client transaction. The top Via must be there (sip_via_add). On an error at once
 * `failed` is still called from the loop, never from inside. */
struct sip_client *sip_request(struct sip_stack *s, struct osip_message *m,
                               const struct sip_hop *to, const struct sip_client_ops *ops,
                               void *arg);
/* Forgets the caller: the transaction runs out by itself, without callbacks, within 64*T1. A 2xx to
 * a forgotten INVITE comes by `stray`. */
void sip_client_forget(struct sip_client *c);
const struct osip_message *sip_client_message(const struct sip_client *c);

/* Outside any transaction: ACK for a 2xx. 0 or an errno value of the moment. */
int sip_send(struct sip_stack *s, struct osip_message *m, const struct sip_hop *to);

/* Answers; takes over the response. A 2xx to an INVITE is repeated by the stack (T1 doubling to T2)
 * until sip_server_acked or 64*T1, also over streams (RFC 3261 13.3.1.4). EALREADY: it has its
 * final response; else an errno value of the moment. */
int sip_respond(struct sip_stack *s, struct sip_server *t, struct osip_message *response);
/* The same for a request of which nothing shall be kept: a repetition of it is handed out again,
 * and gets the same To tag again (RFC 3261 8.2.7). A refusal to an INVITE is not repeated. */
int sip_respond_stateless(struct sip_stack *s, struct sip_server *t, struct osip_message *response);
void sip_server_acked(struct sip_server *t);
/* Never answer this one; or, after a 2xx, do not wait for its ACK. Retransmissions are still
 * absorbed. */
void sip_server_forget(struct sip_server *t);
const struct osip_message *sip_server_message(const struct sip_server *t); /* the request */

/* --- Building and reading messages. */

/* Puts a Via with a fresh branch (also given back, 64 bytes) for `to` on top; rport on UDP (RFC
 * 3581). `sent_by` is host:port as the peer shall see it. */
int sip_via_add(struct osip_message *m, enum sip_transport t, const char *sent_by, char branch[64]);

/* A response to `request` with Via, From, To (with a tag if it has none and status > 100), Call-ID,
 * CSeq and Record-Route copied as RFC 3261 8.2.6 wants. The tag is made once for a request that
 * came through the stack: all its responses, and those to its CANCEL, carry the same. */
struct osip_message *sip_response_to(const struct osip_message *request, int status,
                                     const char *reason /* NULL: the standard one */);

/* The n-th value (0-based) of a header, by its long name. Of a message that came: every header,
 * whatever form its name had; lists are split at their commas, but for Accept-Contact and its like.
 * Of a message that was built here: what sip_header_add added, but for Via, From, To, Call-ID,
 * CSeq, Route and Record-Route, which are in libosip2's struct. The text lives as long as the
 * message. NULL: not there. */
const char *sip_header(const struct osip_message *m, const char *name, int n);
struct slice sip_body(const struct osip_message *m, const char **content_type);
int sip_status(const struct osip_message *m);         /* 0 for a request */
const char *sip_method(const struct osip_message *m); /* of a response: its CSeq method */

/* Adds a header, after those of its name (a Via too: sip_via_add puts it on top). EINVAL: CR or LF
 * in the value, no token as the name, or a value of Via, From, To, Call-ID, CSeq, Route or
 * Record-Route that does not parse. */
int sip_header_add(struct osip_message *m, const char *name, const char *value);
/* Takes out all headers of that name, also those in libosip2's struct. */
void sip_header_remove(struct osip_message *m, const char *name);
/* Replaces body and Content-Type; an empty body takes both out. EINVAL as above. */
int sip_body_set(struct osip_message *m, const char *content_type, struct slice body);

#endif
