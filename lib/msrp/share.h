/* One TCP port for the MSRP of all deliveries of one user on one host.
 *
 * Every stage that shares the port holds the same listening socket, so the port and the connections
 * that wait at it live as long as any of them. One of them, the holder of a lock, accepts; when it
 * ends, in whatever way, the next one does. Who accepted a connection looks at its first request
 * without consuming it, and passes the connection to the stage whose session its To-Path names, by
 * a mailbox in the run folder that has the session id as its name. What belongs to nobody stays
 * with the stage that accepted it, whose session answers 481.
 *
 * What a death costs: the sessions of the others nothing, but for a connection that the dead one
 * had accepted (the kernel holds it back until it brought octets) and not passed on yet, because
 * its first request was there in part only; that one ends. A stage that is merely stopped (SIGSTOP)
 * while it holds the lock makes the others look by themselves.
 *
 * The peer may not put several sessions on one connection (RFC 4975 5.4 lets it): such peers need a
 * port for each session. */
#ifndef MSRP_SHARE_H
#define MSRP_SHARE_H

#include "base/loop.h"
#include "base/net.h"

#define MSRP_SHARE_PENDING 64 /* connections whose first request is not there yet */

struct msrp_share_plan {
    struct loop *loop;
    const char *session_id; /* of letters and digits; copied */
    struct net_addr at;     /* with a port */
    int64_t request_ms;     /* the time that a connection has for its first request */
};

struct msrp_share_ops {
    /* Once: the port is ours too, or why not: EADDRINUSE when somebody else has it, or an errno
     * value of the run folder. Not from inside msrp_share_open. */
    void (*opened)(void *arg, int err);
    /* The first request of this connection names our session, or nobody's. The descriptor is the
     * callee's. */
    void (*connection)(void *arg, int fd, const struct net_addr *peer);
};

struct msrp_share;
struct msrp_share *msrp_share_open(const struct msrp_share_plan *plan,
                                   const struct msrp_share_ops *ops, void *arg);

/* Connections that wait for their first request go to another stage. NULL is harmless. */
void msrp_share_close(struct msrp_share *s);

#endif
