/* Inside cpm-sink: the sink, its calls (one SIP dialog each) and its MSRP connections.
 *
 * A call lives from its INVITE to `sink.ended`. What ends inside a callback is only marked and put
 * on a list; the reaper frees it from the loop, so nothing is freed under somebody's feet. */
#ifndef SINK_SINK_H
#define SINK_SINK_H

#include "base/loop.h"
#include "base/net.h"
#include "base/sock.h"
#include "bin/sink/behave.h"
#include "bin/sink/store.h"
#include "journal/line.h"
#include "msrp/msrp.h"
#include "sip/stack.h"

#define SINK_BUCKETS   4096
#define SINK_READ_SIZE ((size_t)256 * 1024)
#define SINK_TYPE      "message/cpim"

struct osip_message;
struct conn;

struct sink {
    struct loop *loop;
    struct sip_stack *stack;
    struct tls_context *sip_tls; /* NULL: no TLS */
    struct tls_plan msrp_plan;
    struct tls_context *msrp_tls, *msrp_bare; /* with a certificate and without; made when needed */
    const char *store;                        /* folder; NULL: nothing is kept */
    const char *const *rules;
    size_t n_rules;
    int64_t t1;
    struct media *media; /* MSRP listeners */
    struct net_bind msrp_bind;
    bool has_msrp_bind;
    struct call *dialogs[SINK_BUCKETS];  /* by Call-ID */
    struct call *sessions[SINK_BUCKETS]; /* by MSRP session id */
    struct call *dead_calls;
    struct conn *strangers; /* connections that no call has yet */
    struct conn *dead_conns;
    struct loop_timer reaper;
    uint64_t invites;
    uint64_t ended, complete, faulty; /* calls */
    uint64_t until;                   /* stop after so many; 0: never */
    bool unfit; /* a call that was accepted did not end complete and without errors */
    char in[SINK_READ_SIZE];
    char nonce[25]; /* of all challenges */
};

enum call_state {
    CALL_RINGING,   /* no final answer yet */
    CALL_ANSWERED,  /* 200 sent, no ACK */
    CALL_CONFIRMED, /* ACK came */
    CALL_DRAINING,  /* BYE came; what is on its way on the MSRP connection is still read */
    CALL_ENDED,
};

struct call {
    struct sink *sink;
    struct call *next_dialog, *next_session, *next_dead;
    enum call_state state;
    struct behave behave;
    char sid[24]; /* the number of its INVITE */

    /* The dialog. Header values are as the peer's requests carry them; ours have the tag. */
    struct sip_hop hop; /* where the INVITE came from */
    char *call_id;
    char *remote, *local;
    char *remote_tag, *local_tag;
    char *target;  /* URI of the peer's Contact */
    char *contact; /* URI of ours */
    char *sent_by; /* host:port of ours */
    char **routes;
    size_t n_routes;
    int64_t invite_cseq;
    int64_t remote_cseq;
    int64_t local_cseq;
    struct sip_server *invite;   /* until its ACK */
    struct sip_server *reinvite; /* the same */
    int64_t reinvite_cseq;
    struct request *requests; /* ours, under way */
    struct osip_message *yes; /* the 200, to be repeated */
    int64_t repeats;
    uint64_t acks;
    int64_t expires; /* s; 0: no session timer */
    bool uac_refreshes;
    bool bye_sent;
    uint32_t nonce_count; /* the last in its credentials */
    uint32_t rseq;        /* of the reliable provisional response whose PRACK is due; 0: none */
    bool rung;            /* the answer is due, once that came */

    struct loop_timer ring, late, bye_after, expiry, drain;

    /* Offer and answer. */
    char *offer;      /* the whole description */
    char *offer_path; /* its a=path */
    bool secure;      /* it is msrps: */
    char *offer_fingerprint;
    uint64_t offer_size; /* its file-selector size; 0: none */
    bool dials;          /* we connect */
    struct buf answer;
    char session[24];  /* our MSRP session id */
    char *path;        /* our own path */
    char *answer_path; /* what the answer says; NULL: nothing */

    /* The media. */
    struct conn *conns;
    struct conn *carrier; /* the connection that the message comes on */
    bool dialled;
    struct msrp_receipt receipt;
    struct store store;
    struct buf head; /* the first octets, for the CPIM check */
    uint64_t octets;
    uint64_t chunks;
    bool success_report; /* as the first chunk says */
    enum msrp_failure_report failure_report;
    bool refused; /* a chunk got an error: what follows is not the sender's fault */
    bool complete;
    uint64_t sends_open; /* our SENDs without an answer */
    unsigned fired;      /* which of the OCTETS behaviours happened */

    uint64_t errors;
};

/* --- event.c: what the sink says on stdout. */

void event_begin(struct line_out *o, const struct call *c, const char *event);
/* A text of the peer's: cut rather than refused. NULL: no pair. */
void event_peer(struct line_out *o, const char *key, const char *value);
void event_peer_slice(struct line_out *o, const char *key, struct slice value);
void event_end(struct line_out *o);
/* sink.error: a check that failed. The first of a call are written, all are counted. */
void call_error(struct call *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sink_error(const char *why); /* of no call */

/* --- call.c: the life of a call. */

struct call *call_new(struct sink *s, const struct osip_message *invite,
                      const struct sip_hop *from);
/* By Call-ID and tags; NULL as a tag is any. */
struct call *call_find(struct sink *s, const char *call_id, const char *local_tag,
                       const char *remote_tag);
struct call *call_of_server(struct sink *s, const struct sip_server *server);
struct call *call_of_session(struct sink *s, struct slice session_id);
void call_set_session(struct call *c); /* draws the session id */
/* Connects if this is the moment for it ("early", "answer", "after-ack"). */
void call_dial(struct call *c, const char *moment);
void call_end(struct call *c);   /* sink.ended; a second time is harmless */
void call_drain(struct call *c); /* ends it once nothing more can come */
bool call_is_drained(const struct call *c);
void call_octets(struct call *c); /* octets came: do what was to happen there */
void sink_reap_soon(struct sink *s);
void sink_clear(struct sink *s); /* at the end of the program */

/* --- message.c: reading and building the messages of a dialog. */

int64_t message_cseq(const struct osip_message *m);  /* -1: none */
char *message_contact(const struct osip_message *m); /* URI; NULL: none; the caller frees it */
bool message_lists(const struct osip_message *m, const char *name, const char *token);
int64_t message_seconds(const struct osip_message *m, const char *name); /* 0: none */
/* A request of ours in a dialog: Request-URI, From, To, Call-ID, CSeq, Route, Max-Forwards. NULL:
 * the peer's Contact is no URI. */
struct osip_message *message_request(const struct call *c, const char *method, int64_t cseq);

/* --- invite.c: a new INVITE and its answer. */

void invite_new(struct sink *s, struct sip_server *server, const struct osip_message *m,
                const struct sip_hop *from);
void invite_answer(struct call *c); /* the final answer, now */
void invite_cancel(struct call *c, struct sip_server *server, const struct osip_message *m);
void session_timer_start(struct call *c, const struct osip_message *request);
void session_timer_header(const struct call *c, struct osip_message *response);
int respond(struct call *c, struct sip_server *server, struct osip_message *response);

void invite_prack(struct call *c, struct sip_server *server, const struct osip_message *m);

/* --- challenge.c: digest authentication. */

bool challenge_met(struct call *c, const struct osip_message *m);        /* or there is none */
void challenge_add(const struct call *c, struct osip_message *response); /* to a 401 */

/* --- dialog.c: requests inside a dialog, the peer's and ours. */

extern const struct sip_stack_ops dialog_ops; /* arg: the sink */
void dialog_request(struct call *c, const char *method);
void dialog_bye(struct call *c, const char *why);
void dialog_forget(struct call *c); /* all that is under way */

/* --- media.c: MSRP connections; the only file that reads and writes them. */

struct conn {
    struct sink *sink;
    struct call *call; /* NULL: not known yet */
    struct conn *next;
    struct sock sock; /* fd -1: closed */
    struct trace_flow *flow;
    bool begun; /* it is known whether TLS is spoken */
    struct loop_fd watch;
    struct loop_timer throttle;
    struct loop_timer held_due;
    struct held *held; /* responses that wait */
    struct msrp_parser *parser;
    struct buf out;
    struct net_addr peer;
    bool dialled; /* by us */
    bool connected;
    char first_id[16]; /* of our first SEND, while it has no answer */
    bool first_waits;
    bool second; /* of a session that is bound to another connection: 506 */

    /* The request that is being read. */
    bool take; /* its octets belong to the message */
    bool answered;
    int code;
};

int media_open(struct sink *s, const struct net_bind *b); /* --msrp-listen */
/* Listens where peers of the address `local` can connect to; *bound has the port. */
int media_listen(struct sink *s, const struct net_addr *local, struct net_addr *bound);
void media_dial(struct call *c); /* the connections of this call; at most once */
void media_send(struct conn *k, struct slice bytes);
/* After the delay, or in the order, that the call's behaviours ask for. */
void media_answer(struct conn *k, struct slice bytes);
void conn_close(struct conn *k); /* freed by the reaper */
void conn_free(struct conn *k);
void media_close(struct sink *s);

/* --- secure.c: TLS of these. A context that cannot be made ends the program. */

char *
secure_fingerprint(const struct call *c); /* for the answer; NULL: none. The caller frees it */
int secure_accept(struct conn *k);        /* the peer speaks TLS: 0 or an errno value */
int secure_dial(struct conn *k);          /* once it is connected; the same */
void secure_check(struct conn *k);        /* is it as the offer says? Errors by call_error */
void secure_close(struct sink *s);

/* --- receive.c: what comes on a connection. */

void receive_event(struct conn *k, const struct msrp_event *ev);
void receive_connected(struct conn *k);  /* our first SEND */
void receive_send_empty(struct conn *k); /* a SEND without a body */
void receive_call_over(struct call *c);  /* what ought to have come */

/* --- check.c: is a message what it should be? All report by call_error. */

void check_invite(struct call *c, const struct osip_message *m);
void check_offer(struct call *c, struct slice body);
void check_send(struct conn *k, const struct msrp_head *h);
void check_chunk_end(struct conn *k, const struct msrp_event *ev);
/* The verdict on the CPIM head, and its From and To for the event. */
void check_cpim(struct call *c, struct line_out *o);

#endif
