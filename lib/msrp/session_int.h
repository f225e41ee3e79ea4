/* What the files of a session share. */
#ifndef MSRP_SESSION_INT_H
#define MSRP_SESSION_INT_H

#include "base/pace.h"
#include "msrp/conn.h"
#include "msrp/session.h"
#include "msrp/share.h"

/* Messages of the peer on their way in. The chunks of several may alternate (RFC 4975 5.1), and
 * empty SENDs may stand between. */
#define MSRP_INBOX     8
#define MSRP_INBOX_MAX (2 * MSRP_INCOMING_MAX) /* octets */
struct msrp_incoming;
struct msrp_inbox {
    struct msrp_incoming *all[MSRP_INBOX]; /* made when they begin, freed when they are whole */
    size_t now;                            /* whose chunk is coming in */
    size_t octets;                         /* of all of them */
};

enum link_state {
    LINK_FREE,
    LINK_DIALLING,
    LINK_SILENT,    /* nothing that names the session came yet */
    LINK_PRESENTED, /* the session id was presented; the answer will choose */
    LINK_BOUND,     /* the session's */
    LINK_LEAVING,   /* refused */
};

struct link {
    struct msrp_session *session;
    enum link_state state;
    struct msrp_conn *conn;
    char *from_path;          /* of the first request */
    int64_t since;            /* clock_ms */
    struct loop_timer silent; /* until then the session id must have come */
    bool spoke;               /* octets came */
    bool passed_over;         /* the answer named another one, and that was noted */
    int code;                 /* the answer to the request that is coming in */
    const char *why;          /* its comment */
    bool refuse;              /* close after that answer */
    struct msrp_inbox inbox;
};

/* A message that came before its connection was the session's. */
struct msrp_kept {
    const struct link *link; /* may be gone */
    char *from_path;
    char *type;
    struct buf body;
};

struct msrp_session {
    struct msrp_session_plan plan;
    const struct msrp_session_ops *ops;
    void *arg;
    char *own_path;
    struct msrp_uri own;

    struct loop_fd listener;
    struct loop_timer listen_timer;
    char *hop;                /* the host of the answer's first hop, with TLS */
    char *fingerprint;        /* of the answer, or NULL */
    struct tls_peer expected; /* made of these */
    int tls_status;           /* of the last connection that failed in TLS; 0: none did */
    char tls_error[TLS_WHY_SIZE + NET_TEXT_SIZE + 16];
    struct msrp_share *share;       /* instead of a listener of our own, or NULL */
    struct link *links[MSRP_LINKS]; /* made when they are needed, freed with the session */
    size_t links_used;
    struct link *bound;
    struct msrp_kept kept[MSRP_INBOX];
    size_t kept_n;

    bool answered;
    char *peer_path;
    struct net_addr targets[8]; /* what may be dialled, in this order */
    size_t n_targets;
    size_t next_target;
    unsigned dial_rounds;     /* how often all of them were dialled in vain */
    char name[DNS_NAME_SIZE]; /* of the path's host, to be looked up; empty: none */
    uint16_t name_port;
    struct dns *dns;
    struct dns_query *lookup;
    struct net_addr media; /* of the answer's c= and m=, to be dialled last; len 0: none */
    bool dial_waits;       /* for the look-up */
    bool only_dialled;     /* the peer will not connect */
    char dial_error[512];  /* empty: none */
    char unfit[256];       /* why the last connection that came was not the session's; or empty */
    bool unfit_theirs;     /* it knew the session id, or the answer named its host */
    int unfit_status;      /* 0: nothing that breaks the protocol */
    char lost_why[256];    /* of the bound connection, where it broke the protocol */
    struct loop_timer accept_timer;
    struct loop_timer dial_timer;
    struct loop_timer speak_timer;
    struct loop_timer tick; /* of the bound connection */

    struct msrp_sender *sender;
    struct pace received; /* each whole message of the peer's may be a line in the journal */
    uint64_t taken;       /* stream position, when last looked at */
    uint64_t confirmed;   /* octets, the same */
    int64_t taken_since;  /* when one of them last moved, or neither was waited for */
    bool stopping;
    int stop_status;
    const char *stop_why;
    struct loop_timer stop_timer;
    bool done;
    bool closing;
    struct loop_timer close_timer;
};

/* session.c */
void msrp_session_fail(struct msrp_session *s, int status, const char *why);
void msrp_session_bind(struct msrp_session *s, struct link *l, const char *role);
void msrp_session_look(struct msrp_session *s);            /* is there a verdict? */
void msrp_session_lost(struct msrp_session *s, int error); /* EPROTO: by lost_why */
void msrp_session_is_closed(struct msrp_session *s);       /* is it by now? */

/* links.c: connections, before and after one of them is the session's. */
struct link *msrp_link_add(struct msrp_session *s, enum link_state state);
void msrp_link_drop(struct link *l);
void msrp_links_choose(struct msrp_session *s); /* the answer is there: binds, refuses */
void msrp_links_leave(struct msrp_session *s, bool hasty);
bool msrp_links_any(const struct msrp_session *s);
void msrp_links_close_others(struct msrp_session *s);
void msrp_links_note_silent(struct msrp_session *s); /* those that still are */
void msrp_link_hand_on(struct link *l);              /* what came before it was bound */
bool msrp_link_expected(const struct link *l); /* does it come from a host that the answer named? */
extern const struct msrp_conn_ops msrp_link_ops;

/* incoming.c: at the head, the octets and the end of a SEND with content: 0, or the code to answer
 * with and *why; after a code the rest of that SEND is not to be shown. */
int msrp_inbox_head(struct msrp_inbox *in, const struct msrp_head *h, const char **why);
int msrp_inbox_data(struct msrp_inbox *in, struct slice data, const char **why);
/* *whole is the message's octets, the caller's to free, where that was the last that was missing.
 */
int msrp_inbox_end(struct msrp_inbox *in, const struct msrp_event *ev, const char **why,
                   struct buf *whole);
/* A SEND without content that says that its message is given up. */
void msrp_inbox_abort(struct msrp_inbox *in, struct slice message_id);
void msrp_inbox_free(struct msrp_inbox *in);
void msrp_links_forget_kept(struct msrp_session *s);
/* Whose certificate will not be seen any more cannot be told from others. */
void msrp_link_forget_kept(const struct link *l);

/* secure.c */
int msrp_secure_learn(struct msrp_session *s,
                      const struct msrp_answer *answer); /* EINVAL, EPROTO */
void msrp_secure_free(struct msrp_session *s);
/* Has the link's peer the certificate that the answer speaks of? Else tls_error says what is wrong.
 */
bool msrp_secure_is_peer(struct msrp_session *s, struct link *l);
/* A connection was lost. True: that ends the session, by tls_status and tls_error. */
bool msrp_secure_lost(struct msrp_session *s, struct link *l, int error, const char *why);
int msrp_secure_status(const struct msrp_session *s); /* where nobody comes: 75, or what TLS said */

/* dial.c: connections that we open. */
int msrp_dial_learn(struct msrp_session *s, const struct msrp_answer *answer);
void msrp_dial_later(struct msrp_session *s, int64_t ms);
void msrp_dial_next(void *session);
void msrp_dial_failed(struct msrp_session *s, const struct net_addr *to, const char *why);

#endif
