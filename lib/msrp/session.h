/* The media side of one delivery: who connects, which connection is the session's, what the peer
 * sends, and the message on its way. Knows sockets by conn.h only, and no journal.
 *
 * The recipient's connections may come before the answer; they are answered and held, and the
 * answer chooses. No octet of the message leaves on a connection that somebody else opened before
 * the session id was presented on it (RFC 4975 5.4), but for speak_first_ms. */
#ifndef MSRP_SESSION_H
#define MSRP_SESSION_H

#include "base/dns.h"
#include "base/loop.h"
#include "base/net.h"
#include "base/tls.h"
#include "msrp/send.h"

#define MSRP_LINKS        32                  /* connections at once; a silent one goes first */
#define MSRP_INCOMING_MAX ((size_t)64 * 1024) /* of one message from the peer: IMDNs are small */

enum msrp_setup { MSRP_PASSIVE, MSRP_ACTPASS, MSRP_ACTIVE };

struct msrp_session_plan {
    struct loop *loop;
    struct tls_context *tls;   /* with our certificate: msrps; NULL: plain */
    enum msrp_setup setup;     /* what we offer */
    int64_t accept_timeout_ms; /* for the session; for each connection, to name it, too */
    int64_t stall_timeout_ms;
    int64_t dial_after_ms;
    int64_t speak_first_ms; /* 0: never */
    struct dns_config dns;  /* for a host name in the answer's path */
    int file;
    struct msrp_sending sending; /* paths are filled in here */
};

struct msrp_connected {
    const char *peer, *local; /* addresses */
    const char *role;         /* "active": we connected; "passive" */
    const char *tls;          /* "TLSv1.3"; NULL: plain */
    bool kernel;              /* it is the kernel that encrypts */
};

struct msrp_session_ops {
    /* Of msrp_session_share: the port is ours too, or why not (share.h). */
    void (*shared)(void *arg, int err);
    /* The session is bound, and the message begins. */
    void (*connected)(void *arg, const struct msrp_connected *c);
    /* A whole message of the peer. */
    void (*received)(void *arg, struct slice content_type, struct slice body);
    /* Once: the verdict. The session goes on answering until it is closed or freed, which must not
     * be done from in here. */
    void (*done)(void *arg, const struct msrp_outcome *o);
    /* After msrp_session_close, and not from inside it. */
    void (*closed)(void *arg);
};

struct msrp_session;
struct msrp_session *msrp_session_new(const struct msrp_session_plan *plan,
                                      const struct msrp_session_ops *ops, void *arg);
void msrp_session_free(struct msrp_session *s);

/* Listens. *bound tells where. Errors as net_open. */
int msrp_session_listen(struct msrp_session *s, const struct net_bind *b, int family,
                        struct net_addr *bound);

/* Or shares the port of this address with other processes; `shared` tells the end of it. The
 * session id is the one in our path. */
void msrp_session_share(struct msrp_session *s, const struct net_addr *at, const char *session_id);

/* Our own path (one URI), once it is known; copied. 0 or EINVAL. */
int msrp_session_name(struct msrp_session *s, const char *path);

struct msrp_answer {     /* texts are the caller's */
    const char *path;    /* the whole a=path; NULL: none */
    const char *setup;   /* a=setup; NULL: none that says who connects */
    const char *address; /* host:port of c= and m=, dialled too where the path's does not answer */
    bool cema;           /* and dialled first (RFC 6714) */
    const char *fingerprint; /* of the peer's certificate; NULL: its name and chain count */
};

/* The answer came. EINVAL: its path is no path, or its first hop is not reached by TCP; EPROTO: it
 * is msrps: where we are not, or the other way round. Harmless when called again. */
int msrp_session_answered(struct msrp_session *s, const struct msrp_answer *answer);

/* No new chunks, "#" for the one under way; answers are waited for until none is due, but not for
 * longer than a second. Then `done`: transferred if everything is confirmed, else this. */
void msrp_session_stop(struct msrp_session *s, int status, const char *why);

/* Answers what came, lets what still has to go out ("#", refusals) go out, and ends all
 * connections; not for longer than half a second. Harmless when called again. */
void msrp_session_close(struct msrp_session *s);

struct msrp_progress msrp_session_progress(const struct msrp_session *s);

/* Did the peer drop the connection while octets were unanswered? Then the next attempt should keep
 * to this window; else 0. */
uint64_t msrp_session_lesson(const struct msrp_session *s);

#endif
