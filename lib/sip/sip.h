/* The SIP side of a delivery: the INVITE with its headers and offer, the dialog with its session
 * timer and the peer's requests, and its end; for the process that owns the dialog (sip_agent) and
 * for the one that has to end a dead owner's dialog (sip_takeover). All facts leave through `emit`
 * as event lines, before the message that they speak of leaves.
 *
 * Statuses are exit statuses (sysexits), see sip_verdict. */
#ifndef SIP_SIP_H
#define SIP_SIP_H

#include "base/loop.h"
#include "base/opt.h"
#include "base/slice.h"
#include "journal/journal.h"

/* What the SIP options say; the C names are the options' names. All text is borrowed and has to
 * outlive the agent. NULL, 0 or an empty list: not given, the default stands beside it. */
struct sip_config {
    const char *from;       /* the authenticated originator's CPM Address: sip:, sips:, tel: */
    const char *to;         /* the recipient's CPM Address, the Request-URI */
    struct opt_list proxy;  /* Routes into the SIP/IP core; the first is the next hop */
    const char *transport;  /* udp, tcp, tls; NULL: the URI's, else TCP for a large INVITE with UDP
                               behind it (RFC 3261 18.1.1) */
    const char *dns_server; /* ADDR[:PORT][,…]; NULL: the system's */
    int64_t dns_timeout;    /* ms for one look-up; DNS_TIMEOUT_MS */
    const char *sip_bind;   /* ADDR[:PORT[-PORT]] */
    const char *sip_advertise; /* the host for Via and Contact */
    const char *auth_user;
    const char *auth_password_file;
    const char *sip_tls_ca;
    const char *sip_tls_cert;
    const char *sip_tls_key;
    int64_t session_expires;       /* ms; SIP_SESSION_EXPIRES_MS */
    int64_t min_se;                /* ms; 0: no Min-SE until a peer asks for it by 422 */
    const char *icsi;              /* the service, a plain URN; SIP_ICSI */
    const char *accept_contact;    /* the whole value; made from icsi */
    const char *asserted_identity; /* from */
    const char *referred_by;       /* from */
    const char *from_check;        /* yes (or NULL): the CPIM From has to be the originator; no */
    const char *user_agent;        /* SIP_USER_AGENT */
    const char *conversation_id;   /* has to be set before sip_agent_invite */
    const char *contribution_id;   /* the same */
    struct opt_list header;        /* "Name: value", "Name:", "METHOD:Name: value" */
    int64_t answer_timeout;        /* ms from the first INVITE to its final response */
    int64_t linger;                /* ms after the answer to a peer's BYE over UDP */
    int64_t t1, t2, t4;            /* ms, RFC 3261 17.1.1.1 */
};

#define SIP_ICSI               "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.deferred"
#define SIP_USER_AGENT         "CPM-serv/OMA1.0 cpm-delivery"
#define SIP_SESSION_EXPIRES_MS 1800000
#define SIP_ANSWER_TIMEOUT_MS  180000
#define SIP_LINGER_MS          2000
#define SIP_DNS_TIMEOUT_MS     10000
#define SIP_CONFIG_DEFAULT                                                                         \
    {                                                                                              \
        .session_expires = SIP_SESSION_EXPIRES_MS, .icsi = SIP_ICSI, .user_agent = SIP_USER_AGENT, \
        .answer_timeout = SIP_ANSWER_TIMEOUT_MS, .linger = SIP_LINGER_MS,                          \
        .dns_timeout = SIP_DNS_TIMEOUT_MS, .t1 = 500, .t2 = 4000, .t4 = 5000                       \
    }

/* Why something cannot go on: an exit status and the texts for the one error line. */
struct sip_fault {
    int status;       /* 0: no fault */
    char what[128];   /* "--to", "sip:bob@example.com" */
    char why[256];    /* "no such host" */
    const char *hint; /* what to do, static, or NULL */
};

/* Looks at the options before anything is sent: URIs (RFC 3261 19.1, RFC 3966; quotes, line ends
 * and everything that could become a header refused), a way to a next hop, header values, numbers.
 * With `whole` false (a takeover needs no addresses) --from and --to may be missing. 0 or the
 * fault's status, 64. */
int sip_config_check(const struct sip_config *c, bool whole, struct sip_fault *f);

/* Is the CPIM From the originator (clause A4c)? Compared as URIs without display name and
 * parameters (user with case, host without), or as telephone numbers where both are (tel:, or the
 * user of a sip: URI that is a number). Visual separators do not count. */
bool sip_same_originator(const char *cpim_from, const char *from);

/* The exit status for a final response to the INVITE, the only such table (RFC 3261 21). */
int sip_verdict(int code);
/* And where there is none: an errno value of the transport, or of tls.h. */
int sip_error_verdict(int error);

/* --- The owner of the dialog. */

struct sip_agent;

struct sip_ops {
    /* Writes a line that was begun. 0, EMSGSIZE (the value came from the peer or the user), or the
     * line could not be written. */
    int (*emit)(void *arg, struct line_out *o, bool durable);
    /* sip_agent_state, sip_agent_owes or sip_agent_status may have changed. Called from the loop,
     * and from within sip_agent_invite and sip_agent_end. */
    void (*changed)(void *arg);
};

enum sip_state {
    SIP_IDLE,    /* nothing was sent */
    SIP_CALLING, /* the INVITE is under way */
    SIP_TALKING, /* the session is set up */
    SIP_ENDING,  /* BYE or CANCEL is under way, or waits for the 1xx that allows it */
    SIP_ENDED,   /* the fate of the session is written; only debts are left */
};

/* `config` and `facts` have to outlive the agent. Gives 0; nothing is opened or sent yet. */
int sip_agent_new(struct sip_agent **out, struct loop *loop, const struct sip_config *config,
                  struct journal *facts, const struct sip_ops *ops, void *arg);
void sip_agent_free(struct sip_agent *a); /* what is still owed is not sent any more */

/* Sends the INVITE with the offer made of msrp.listening in the fold. Every outcome is an event:
 * invite.answered, or invite.failed (with its line on stderr). */
void sip_agent_invite(struct sip_agent *a);

/* Ends the session: BYE, CANCEL, or nothing but invite.failed why=cancelled. `limit_ms` is the most
 * that is waited for the peer (0: as the RFC's timers say); a second call can only shorten it. */
void sip_agent_end(struct sip_agent *a, const char *why, int64_t limit_ms);

/* Writes invite.failed for a reason of the caller before anything was sent. */
void sip_agent_refuse(struct sip_agent *a, const struct sip_fault *f, const char *why);

enum sip_state sip_agent_state(const struct sip_agent *a);
bool sip_agent_owes(const struct sip_agent *a);  /* has it to stay for the peer's sake? */
int sip_agent_status(const struct sip_agent *a); /* 0: set up and ended in order */

/* --- Ending the dialog of an owner that died. */

struct sip_takeover;

struct sip_takeover_ops {
    int (*emit)(void *arg, struct line_out *o, bool durable);
    void (*done)(void *arg); /* once, from the loop; bye.answered or bye.failed is written */
};

#define SIP_TAKEOVER_MS 4000 /* the most that an unanswered BYE or CANCEL takes */

/* From the facts of the last attempt alone (invite.sent, invite.route, invite.progress,
 * dialog.confirmed, dialog.route, dialog.cseq, dialog.refreshed): ACK and BYE for an answered
 * INVITE; else CANCEL, with ACK for the final response to the INVITE, and ACK and BYE for a 200
 * that crosses. Binds the dead owner's local address where that is to be had. Only the transport,
 * header and timer options of `config` count. ENOENT: nothing was sent, or all is over. */
int sip_takeover_start(struct sip_takeover **out, struct loop *loop,
                       const struct sip_config *config, struct journal *facts,
                       const struct sip_takeover_ops *ops, void *arg);
void sip_takeover_free(struct sip_takeover *t);

#endif
