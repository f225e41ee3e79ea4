/* Inside lib/sip: the owner of a dialog, whose parts are files by RFC concept. */
#ifndef SIP_AGENT_INT_H
#define SIP_AGENT_INT_H

#include "base/buf.h"
#include "base/pace.h"
#include "sip/agent.h"

#define FORKS_MAX      64   /* dialogs of one INVITE; of those that ring more are not looked at */
#define OWN_END_MS     4000 /* for an end that nobody asked for: the verdict waits for it */
#define SESSION_MIN_SE 90   /* s, RFC 4028 4 */

/* One dialog that the INVITE made: early, the chosen one, or one that is acknowledged and ended at
 * once. */
struct fork {
    struct sip_agent *agent;
    struct dialog dialog;
    bool unroutable;           /* by its Record-Route */
    bool early;                /* no 2xx yet */
    int64_t rseq;              /* of its last reliable provisional response; -1: none yet */
    struct buf sdp;            /* from a provisional response */
    bool sdp_counts;           /* that one was reliable */
    struct dialog_client *bye; /* of a dialog that was not chosen */
    struct fork *next;
};

struct sdp_view;

/* Why there was or will be no session; said when the fate of the call is known, so that a process
 * that dies before that does not leave a dialog that everybody takes for ended. */
struct failure {
    int status; /* 0: none */
    int code;
    int64_t retry_after; /* s; -1: none */
    bool silent;         /* asked for, so no error line */
    char reason[128];
    char why[32];
    char detail[400]; /* what else the peer's answer says, or what was at fault; may be empty */
    char text[640];
    char hint[96]; /* may be empty */
};

/* The addresses that the INVITE is sent to, beginning with the recipient's; those up to `now` had
 * their turn. */
#define REDIRECT_ADDRESSES 10
#define REDIRECT_DEPTH     5 /* of a redirection that led to another one */
struct redirect {
    struct {
        char *uri;
        char *proxy; /* through which it is to be reached (305); NULL: none */
        int q;       /* thousandths */
        int depth;
    } v[REDIRECT_ADDRESSES];
    size_t n, now;
    struct failure best; /* what counts most of what they did */
};

struct sip_agent {
    struct loop *loop;
    const struct sip_config *config;
    struct journal *facts;
    const struct sip_ops *ops;
    void *arg;
    struct local local;
    struct voice voice;
    enum sip_state state;
    int status;
    struct pace remarks;    /* see agent_remark */
    bool unwritten;         /* a line could not be written: the session is to be ended */
    struct loop_timer poke; /* tells the caller, from the loop */

    /* the INVITE */
    struct call call;
    struct buf offer; /* our description, the same in offers and answers */
    uint64_t offer_session, offer_version;
    const char *offer_setup; /* static */
    int64_t octets;          /* of the message */
    int64_t min_se;          /* s */
    struct redirect redirect;
    struct targets *targets;
    struct failure setback; /* of the last target, while there may be others */
    int local_error;        /* why one could not even be tried */
    bool only_tls;          /* a certificate did not pass: nothing is said without TLS then */
    struct sip_client *invite;
    int too_small;       /* 422s seen */
    unsigned challenges; /* to this INVITE */
    bool provisional;
    int progress_code;
    struct loop_timer answer_timer;

    /* its answers */
    struct fork *forks;
    struct fork *chosen;
    struct loop_timer forks_timer; /* 64*T1 after the first 2xx */
    bool peer_updates;             /* UPDATE stands in its Allow */
    char *peer_path;               /* of the answer; the journal is read too late for this */
    const char *peer_setup;        /* static */
    bool open;                     /* the chosen one is of no use: a better one is welcome */
    struct loop_timer open_timer;  /* so long also from a branch that did not ring */

    /* the end */
    struct failure failure;
    struct sip_client *cancel;
    int cancel_code; /* its answer; 0: none yet */
    bool cancelled;  /* a CANCEL left */
    struct dialog_client *bye;
    struct fate {
        bool quiet;         /* bye.sent is not written yet */
        const char *method; /* NULL: not known yet */
        int code;
        char reason[128];
        const char *why;
    } fate;            /* of BYE or CANCEL, where it is not written yet */
    int64_t limit_due; /* 0: none */
    struct loop_timer limit_timer;
    struct loop_timer linger_timer;

    /* the session timer */
    int64_t expires; /* s; 0: none */
    bool refresher;  /* we are */
    struct dialog_client *refresh;
    const char *refresh_method;
    int refresh_tries;
    int64_t reinvite_cseq; /* of our last re-INVITE; 0: none */
    int64_t expiry_due;
    struct loop_timer refresh_timer;
    struct loop_timer expiry_timer;

    /* the peer's requests */
    struct sip_hop from;         /* where the one in hand came from */
    struct sip_server *reinvite; /* its 2xx was not acknowledged yet */
    bool reinvite_offered;       /* by that 2xx */
    int64_t reinvite_number;     /* its CSeq */
};

/* --- agent.c */
int agent_emit(struct sip_agent *a, struct line_out *o); /* a fact */
/* A line that the peer causes as often as it likes: written as long as there is credit, which grows
 * with time, so that no peer fills the disk or the room of the last words. */
void agent_remark(struct sip_agent *a, struct line_out *o);
int agent_emit_f(void *arg, struct line_out *o, bool durable);
const char *agent_sid(const struct sip_agent *a);
void agent_enter(struct sip_agent *a, enum sip_state state);
/* Stands bye.request in the file by now? Then no new request begins (but PRACK, which is owed). */
bool agent_end_asked(struct sip_agent *a);
void failure_make(struct failure *f, int status, int code, const char *reason, const char *why,
                  const char *text);
/* Sets the failure unless there is one already. */
void failure_set(struct sip_agent *a, int status, int code, const char *reason, const char *why,
                 const char *text);
/* Writes invite.failed and says its line. */
void failure_say(struct sip_agent *a);
void agent_fail(struct sip_agent *a, int status, int code, const char *reason, const char *why,
                const char *text); /* all three, and ended */

/* --- refusal.c */
/* Sets the failure for a final response, with its details. `fault` (may be NULL) tells what is
 * wrong with our credentials. */
void refusal_set(struct sip_agent *a, const struct osip_message *m, const struct sip_fault *fault);

/* --- invite.c */
void invite_start(struct sip_agent *a); /* to where a->call says */

/* --- redirect.c */
void redirect_begin(struct sip_agent *a);
void redirect_free(struct sip_agent *a);
/* A 3xx: true if it is followed. */
bool redirect_take(struct sip_agent *a, const struct osip_message *m);
/* Nothing came of the address that had its turn, as a->failure says: the next one, or the end. */
void redirect_failed(struct sip_agent *a);

/* --- prack.c */
void progress_emit(struct sip_agent *a, const struct osip_message *m); /* invite.progress */
void invite_progressed(struct sip_agent *a, const struct osip_message *m,
                       const struct sip_hop *from);

/* --- answer.c */
void invite_answered(struct sip_agent *a, const struct osip_message *m, const struct sip_hop *from);
void invite_stray(void *arg, const struct osip_message *m, const struct sip_hop *from);

/* --- fork.c */
struct fork *fork_find(const struct sip_agent *a, const struct osip_message *m); /* NULL: none */
/* The dialog of a provisional response or of a 2xx, made if it is new. NULL: too many ring; a 2xx
 * always gets one. */
struct fork *fork_early(struct sip_agent *a, const struct osip_message *m,
                        const struct sip_hop *from);
struct fork *fork_confirm(struct sip_agent *a, const struct osip_message *m,
                          const struct sip_hop *from);
void fork_end(struct sip_agent *a, struct fork *f); /* ACK and BYE, without lines */
void fork_unchoose(struct sip_agent *a);            /* its BYE goes on without lines */
bool forks_ringing(const struct sip_agent *a);      /* may another one still answer? */
void forks_drop_early(struct sip_agent *a);         /* they will not be answered any more */
void forks_free(struct sip_agent *a);

/* --- offer.c */
int offer_make(struct sip_agent *a); /* from msrp.listening; as sdp_offer_build */
void offer_answered(struct sip_agent *a, const struct sdp_view *answer);
/* Can what stands answer an offer of the peer? NULL, or why not. May turn our a=setup into the role
 * that we have. */
const char *offer_refusal(struct sip_agent *a, struct slice theirs);

/* --- bye.c */
void agent_cancel(struct sip_agent *a); /* CANCEL, if a 1xx allows it */
void agent_bye(struct sip_agent *a);    /* BYE in the chosen dialog */
void agent_limit(struct sip_agent *a, int64_t ms);
void agent_no_limit(struct sip_agent *a);
void bye_settled(struct sip_agent *a); /* is there anything left to wait for with its fate? */
/* The INVITE ended without a dialog while we were about to cancel it. */
void cancel_done(struct sip_agent *a, int code, const char *reason);
/* The session ends without anybody having asked: session.ended, then BYE. */
void session_lost(struct sip_agent *a, const char *by, const char *why);

/* --- refresh.c */
void session_timer_start(struct sip_agent *a, int64_t expires, bool refresher);
void session_timer_stop(struct sip_agent *a); /* also forgets a refresh under way */
void emit_refreshed(struct sip_agent *a, const char *by, const char *method, int64_t cseq);

/* --- indialog.c */
#define SIP_ACCEPT "application/sdp, message/imdn+xml, message/cpim"
void indialog_request(void *arg, struct sip_server *s, const struct osip_message *m,
                      const struct sip_hop *from, struct sip_server *invite);
void indialog_answer(struct sip_agent *a, struct sip_server *s, const struct osip_message *m,
                     int code);
void indialog_respond(struct sip_agent *a, struct sip_server *s, struct osip_message *r);

/* --- reoffer.c */
void reoffer_invite(struct sip_agent *a, struct sip_server *s, const struct osip_message *m);
void reoffer_update(struct sip_agent *a, struct sip_server *s, const struct osip_message *m);
void reoffer_acked(struct sip_agent *a, const struct osip_message *ack);
void reoffer_unacked(void *arg, struct sip_server *s);

/* --- notice.c */
void notice_info(struct sip_agent *a, struct sip_server *s, const struct osip_message *m);
void notice_message(struct sip_agent *a, struct sip_server *s, const struct osip_message *m);
/* The answer to a body that may be a notification. */
struct osip_message *notice_answer(const struct osip_message *m, bool *notification);
/* 415 */
struct osip_message *notice_unsupported(const struct osip_message *m, const char *accept);

#endif
