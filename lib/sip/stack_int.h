/* What the files of the stack share: stack.c, trans.c, client.c, server.c, transp*.c. */
#ifndef SIP_STACK_INT_H
#define SIP_STACK_INT_H

#include "base/buf.h"
#include "sip/stack.h"

#include <sys/time.h>

#include <osip2/osip.h>

/* --- Transactions. libosip2's state machines decide what each event means; which transaction an
 * event belongs to and when a timer is due is decided here, as its own lists are linear and its
 * T1, T2 and T4 are compile-time constants. */

struct trans {
    struct sip_stack *stack;
    struct trans *next; /* in its bucket, then in the list of the dead */
    char *key;
    uint64_t hash;
    bool client;
    bool dead; /* out of the table, freed by the reaper */
    osip_transaction_t *osip;
    state_t seen;  /* the state whose timers run */
    bool got;      /* libosip2 took a response that the caller has to see */
    int error;     /* a transport error to be reported from the loop */
    bool nonsense; /* what its peer sent could not be read */
    struct sip_hop hop;
    struct loop_timer timer;
    int64_t repeat_ms; /* 0: nothing is repeated */
    int64_t repeat_due, end_due;
};

struct sip_client {
    struct trans t;
    const struct sip_client_ops *ops; /* NULL: forgotten, or the final response came */
    void *arg;
    osip_message_t *message; /* only where there is no t.osip to own it */
};

struct sip_server {
    struct trans t;
    bool invite;
    bool handed;         /* the caller may hold a pointer to this */
    bool answered;       /* the final response was given */
    bool silent;         /* forgotten without an answer: only absorbs */
    bool accepted;       /* a 2xx to an INVITE: repeats it and absorbs (RFC 6026) */
    osip_message_t *yes; /* that 2xx */
};

struct udp_socket;
struct stream_listener;
struct conn;

struct sip_stack {
    struct loop *loop;
    struct sip_timers timers;
    const struct sip_stack_ops *ops;
    void *arg;
    osip_t *osip;
    unsigned inside; /* handlers of ours on the call stack */
    bool doomed;     /* sip_stack_free was called from inside */

    struct trans **bucket;
    size_t buckets, count;
    size_t servers, servers_max; /* of them those of others' requests */
    struct trans *dead;
    struct loop_timer reaper;

    uint64_t secret; /* makes the To tags of requests that are not kept */
    uint64_t serial; /* of sockets and streams */
    struct udp_socket *udp;
    struct stream_listener *listeners;
    struct conn **conn; /* by the low half of their ids, from 1 */
    size_t conns;
    size_t guests, guests_max; /* of them those that others made */
    struct conn *dead_conn;
    struct tls_context *tls; /* NULL: no TLS */
    char tls_why[TLS_WHY_SIZE];
    char *datagram;              /* SIP_MESSAGE_MAX + 1 */
    struct net_addr toward, own; /* what the kernel said of the way to this peer, */
    int64_t own_until;           /* for a moment */
};

/* Every handler that the loop calls stands between these, so that the stack can be freed from
 * within a callback. After stack_leave the stack may be gone. */
void stack_enter(struct sip_stack *s);
void stack_leave(struct sip_stack *s);
void stack_reap(struct sip_stack *s); /* soon, from the loop, frees what is dead */

/* A whole message came. */
void stack_message(struct sip_stack *s, struct slice raw, const struct sip_hop *from);

/* --- trans.c */

struct trans *trans_find(const struct sip_stack *s, const char *key);
void trans_add(struct trans *t, char *key); /* takes over the key */
void trans_end(struct trans *t);            /* out of the table, to be freed by the reaper */
void trans_free(struct trans *t);
/* Hands an event to the state machine, then sets the timers of its new state. */
void trans_run(struct trans *t, osip_event_t *event);
void trans_set_timer(struct trans *t);
int trans_init(struct trans *t, osip_fsm_type_t type, osip_message_t *m); /* 0 or EINVAL */
/* Reported from the loop; for client transactions without a final response only. */
void trans_fail(struct trans *t, int error);
void trans_fail_connection(struct sip_stack *s, uint64_t connection, int error);
void trans_note_nonsense(struct sip_stack *s, const struct sip_hop *from);
void trans_fail_address(struct sip_stack *s, enum sip_transport transport,
                        const struct net_addr *addr, int error);
int trans_start(struct sip_stack *s); /* libosip2 itself; 0 or ENOSYS */
void trans_stop(struct sip_stack *s);

/* The key of the transaction that a message belongs to, with another method than its own where
 * `method` says so. The caller frees it. */
char *trans_key(const osip_message_t *m, bool client, const char *method);

/* --- client.c, server.c */

void client_due(struct sip_client *c); /* its timer; or t.error has to be reported */
bool client_response(struct sip_stack *s, osip_event_t *event, const struct sip_hop *from);
void server_due(struct sip_server *v);
void server_request(struct sip_stack *s, osip_event_t *event, const struct sip_hop *from);

/* --- via.c */

const char *via_param(const osip_via_t *v, const char *name); /* "" without value; NULL: none */
void via_mark(osip_message_t *request, const struct net_addr *from); /* received, rport */
/* Where the responses go (RFC 3261 18.2.2, RFC 3581 4). */
void via_response_hop(const osip_message_t *request, const struct sip_hop *from,
                      struct sip_hop *to);

/* --- message.c */

/* Notes the tag that sip_response_to has to use: fresh, or that of `like`. */
void message_note_tag(osip_message_t *m, const osip_message_t *like);
/* The text for the wire, without the shadows; the caller frees it. 0, EINVAL or EMSGSIZE. */
int message_text(osip_message_t *m, char **text, size_t *n);

/* --- transp.c, transp_udp.c, transp_stream.c */

/* Sends and notes in the hop what it went out on. 0 or an errno value. */
int transp_send(struct sip_stack *s, struct sip_hop *hop, osip_message_t *m);
int transp_send_text(struct sip_stack *s, struct sip_hop *hop, struct slice text);
void transp_free(struct sip_stack *s);

int udp_listen(struct sip_stack *s, const struct net_bind *b, int family, bool reuse,
               struct net_addr *bound);
int udp_send(struct sip_stack *s, struct sip_hop *hop, struct slice text);
const struct net_addr *udp_bound(const struct sip_stack *s, const struct sip_hop *hop);
void udp_free(struct sip_stack *s);

int stream_listen(struct sip_stack *s, enum sip_transport t, const struct net_bind *b, int family,
                  bool reuse, struct net_addr *bound);
int stream_adopt(struct sip_stack *s, enum sip_transport t, int fd, const struct net_addr *bound);
int stream_send(struct sip_stack *s, struct sip_hop *hop, struct slice text);
const struct net_addr *stream_bound(const struct sip_stack *s, const struct sip_hop *hop);
void stream_reap(struct sip_stack *s);
void stream_free(struct sip_stack *s);

/* --- trace.c: what the transcript shows. */
void message_shown(bool sent, const struct sip_hop *hop, struct slice text);
/* A stream is open, and these messages go out now; its flow for the capture. */
struct trace_flow *stream_shown(int fd, const struct sip_hop *peer, bool guest,
                                struct slice waiting);

#endif
