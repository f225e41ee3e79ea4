/* Inside lib/sip: what the owner of a dialog and the one that takes over from it share. From the
 * option struct to messages: hops, local addresses, headers, the INVITE as facts, dialogs. */
#ifndef SIP_AGENT_H
#define SIP_AGENT_H

#include "base/net.h"
#include "journal/line.h"
#include "sip/auth.h"
#include "sip/sip.h"
#include "sip/stack.h"
#include "sip/target.h"
#include "sip/uri.h"

/* check.c */
int fault_set(struct sip_fault *f, int status, const char *what, const char *why, const char *hint);

/* --- local.c: our own addresses. */

/* More of a peer of one dialog is no peer (sip_stack_limit). */
#define REQUESTS_MAX 256
#define GUESTS_MAX   64

struct local {
    struct loop *loop;
    struct sip_stack *stack;
    struct dns *dns;
    const struct sip_config *config;
    struct tls_context *tls; /* once something goes by TLS */
    char tls_why[TLS_WHY_SIZE];
    struct net_addr again; /* the address of a dead owner, to be bound again; len 0: none */
    struct local_end {
        enum sip_transport transport;
        struct net_addr bound;
    } ends[8];
    size_t n;
};

/* Makes the stack and the resolver, which are the caller's to free: the stack first, then dialogs
 * and targets, the resolver and `tls` last. 0 or ENOSYS. */
int local_start(struct local *l, struct loop *loop, const struct sip_config *c,
                const struct sip_stack_ops *ops, void *arg);
/* Makes sure that something listens for the answers to a request to `to`, and makes TLS ready where
 * it needs that. 0, net_open's errors, or tls_context_new's. */
int local_listen(struct local *l, const struct sip_hop *to, struct net_addr *bound);
/* What an error of local_listen or of the stack is about. */
const char *local_why(const struct local *l, int error);
/* host:port as `to` shall see us; only after local_listen. The caller frees it. */
char *local_sent_by(const struct local *l, const struct sip_hop *to);

/* --- hdr.c: messages and their headers. */

struct header_wish {     /* one -H */
    struct slice method; /* empty: INVITE */
    struct slice name;
    struct slice value; /* p == NULL: not a header at all; n == 0: take the header out */
};
struct header_wish header_wish(const char *text);

#define SIP_ALLOW "INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS, INFO, MESSAGE"

/* A request with Request-URI, Max-Forwards and User-Agent. NULL: libosip2 refuses the URI. */
struct osip_message *request_new(const struct sip_config *c, const char *method, const char *uri);
/* The -H of this message's method; the last thing before it is sent. */
void headers_apply(struct osip_message *m, const struct sip_config *c);
/* <sip:user@host:port;transport=tcp>;+g.3gpp.icsi-ref="..." (RFC 3840), for a request to `uri`. The
 * caller frees it. */
char *contact_value(const struct sip_config *c, const char *uri, const char *sent_by,
                    enum sip_transport t);
int64_t header_number(const struct osip_message *m, const char *name, int64_t otherwise);
/* Does a list header (Supported, Require, Allow) hold this token? */
bool header_lists(const struct osip_message *m, const char *name, const char *token);

/* "1800;refresher=uac": seconds, or 0 if there is none; *refresher is "uac", "uas" or "". */
int64_t session_expires(const struct osip_message *m, const char **refresher);

/* --- body.c */
bool type_is(const char *type, const char *wanted); /* whatever its parameters; NULL: no type */
/* The content of that type: the whole body (also where no type is named), or a part of a multipart
 * one. False: there is none. */
bool body_of(const struct osip_message *m, const char *type, struct slice *content);

/* --- call.c: an INVITE as it was sent. It lives in the journal too, so that another process can
 * cancel it. */

struct routes {
    char **v; /* name-addr each */
    size_t n;
};
void routes_add(struct routes *r, struct slice value);
void routes_free(struct routes *r);
/* EVENT.1.uri and so on of the fold, as many as the number in `count` says: a list that became
 * empty has no line that says so. */
void routes_from_facts(struct routes *r, const struct journal *facts, const char *event,
                       const char *count);
typedef int emit_f(void *arg, struct line_out *o, bool durable);
int routes_emit(const struct routes *r, const char *event, const char *sid, emit_f *emit,
                void *arg);

struct call {
    char *call_id, *from, *from_tag, *to, *uri;
    char *via;     /* sent-by */
    char *contact; /* the whole value */
    char branch[64];
    int64_t cseq;
    struct routes route;
    struct credentials credentials; /* that it was sent with; not in the journal */
    struct sip_hop hop;
    struct net_addr local;
};

void call_free(struct call *k);
char *uri_wire(const char *text); /* as it has to stand on the wire; the caller frees it */
/* The Routes: those of --proxy, and one more where there is one. */
void call_route(struct call *k, const struct sip_config *c, const char *further);
int call_emit(const struct call *k, const char *sid, emit_f *emit, void *arg);
int call_from_facts(struct call *k, const struct journal *facts); /* ENOENT, EBADMSG */
/* EVENT.transport, EVENT.next-hop and the local address of the fold; EBADMSG */
int hop_from_facts(struct sip_hop *hop, struct net_addr *local, const struct journal *facts,
                   const char *event, const char *local_key);

/* The INVITE with the offer and every header of clauses I1 to I7 and C1. */
struct osip_message *call_invite(const struct call *k, const struct sip_config *c, int64_t min_se,
                                 struct slice offer);
/* CANCEL, and the ACK for a final response that is no 2xx: both on the INVITE's branch (RFC 3261
 * 9.1, 17.1.1.3). */
struct osip_message *call_cancel(const struct call *k, const struct sip_config *c);
struct osip_message *call_ack(const struct call *k, const struct sip_config *c,
                              const struct osip_message *response);

/* --- sending.c: how requests of a dialog get to its next hop. */

struct sending; /* one that is under way, or that waits for the DNS */

struct way {
    char *uri;          /* of the next hop; NULL: not known yet */
    struct sip_hop hop; /* its target that was used last */
    struct sending *sendings;
};
void way_free(struct way *w); /* after the stack was freed: nothing is sent any more */

struct dialog;
/* Sends a whole message but for its Via to the targets of the dialog's next hop, one after the
 * other, as far as there is a transport error, no answer, or a 503 (RFC 3263 4.3). The one that the
 * dialog used last goes first. What the DNS does not know in time goes where the INVITE went. Takes
 * over the message; NULL is one that could not be made. `ops` hear of the end, from the loop; a 503
 * then comes without its client. NULL for an ACK, which has no answer. */
struct sending *sending_new(struct dialog *d, struct local *l, struct osip_message *m,
                            const struct sip_client_ops *ops, void *arg);
void sending_forget(struct sending *s); /* `ops` are not called any more */

/* --- dialog.c: RFC 3261 12. */

struct dialog {
    char *call_id;
    char *local, *local_tag;
    char *remote, *remote_tag;      /* tag "": none, of a peer of RFC 2543 (RFC 3261 12.1.2) */
    char *target;                   /* URI */
    char *contact;                  /* our Contact */
    struct routes route;            /* the route set, in our order */
    int64_t invite_cseq;            /* of the INVITE that the ACK has to repeat */
    int64_t cseq;                   /* the last that we used */
    int64_t remote_cseq;            /* the last of the peer's; -1: none yet */
    struct credentials credentials; /* of the INVITE, for its ACK */
    struct sip_hop hop;             /* where the INVITE went */
    struct net_addr local_addr;
    struct way way;
};

/* From the INVITE and a 2xx to it. EBADMSG: its Record-Route cannot be used; there is a dialog all
 * the same, without route, so that it can be ended. */
int dialog_from_response(struct dialog *d, const struct call *k, const struct osip_message *m);
void dialog_free(struct dialog *d);
int dialog_emit(const struct dialog *d, int64_t expires, const char *refresher, const char *sid,
                emit_f *emit, void *arg);
int dialog_from_facts(struct dialog *d, const struct journal *facts); /* ENOENT, EBADMSG */
int64_t cseq_of(const struct osip_message *m);                        /* the number; -1: none */
const char *tag_of(const struct osip_message *m, bool to); /* of To or From; NULL: none */
/* Does the message belong to it? */
bool dialog_matches(const struct dialog *d, const struct osip_message *m);
void dialog_retarget(struct dialog *d, const struct osip_message *m); /* by its Contact */

/* A request inside the dialog, with its route and number, and where it goes. NULL with *err. */
struct osip_message *dialog_request(const struct dialog *d, const struct sip_config *c,
                                    const char *method, int64_t cseq);
/* The URI of the next hop: the first Route, or the remote target. */
struct slice dialog_next(const struct dialog *d);

/* --- request.c: requests in a dialog. */

struct dialog_client; /* one under way, until its answer counts */

/* What who speaks in a dialog has besides the dialog. The first four are its owner's. */
struct voice {
    struct local *local;
    struct journal *facts;
    emit_f *emit;
    void *arg;
    struct auth *auth; /* voice_free frees it */
    struct dialog_client *clients;
};
void voice_free(struct voice *v); /* before the stack is freed; nobody is called any more */

void dialog_ack(struct dialog *d, struct local *l, int64_t cseq); /* for the 2xx of that number */
/* Sends a request that dialog_request made, or NULL where it could not, whose line (emit_cseq) is
 * written. A 401 or 407 that can be met is not reported: the request goes out again with the next
 * number. `ops` hear of the rest, from the loop. The dialog has to outlive it. */
struct dialog_client *dialog_send(struct dialog *d, struct voice *v, struct osip_message *m,
                                  const struct sip_client_ops *ops, void *arg);
void dialog_client_forget(struct dialog_client *r); /* `ops` are not called any more */
void dialog_client_hand_over(struct dialog_client *r, const struct sip_client_ops *ops, void *arg);
void dialog_forget(struct voice *v, const struct dialog *d); /* forgets all requests in it */

/* The lines that go before a BYE or CANCEL. */
int emit_cseq(int64_t cseq, const char *method, const char *sid, emit_f *emit, void *arg);
int emit_bye_sent(int64_t cseq, const char *method, const char *sid, emit_f *emit, void *arg);
int emit_bye_answered(const char *method, int code, const char *reason, const char *sid,
                      emit_f *emit, void *arg);
int emit_bye_failed(const char *method, int code, const char *why, const char *sid, emit_f *emit,
                    void *arg);
const char *reason_of(const struct osip_message *m); /* never NULL */

#endif
