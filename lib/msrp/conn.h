/* One MSRP connection: a socket, its parser, the answers that wait to go out, and the message that
 * is sent on it. This and file.h are all the I/O of the room. */
#ifndef MSRP_CONN_H
#define MSRP_CONN_H

#include "base/loop.h"
#include "base/net.h"
#include "base/tls.h"
#include "msrp/send.h"

struct msrp_conn;

/* From inside these, a connection may be closed or freed, this one too. */
struct msrp_conn_ops {
    void (*connected)(void *arg, struct msrp_conn *c); /* only of one that we dialled */
    void (*event)(void *arg, struct msrp_conn *c, const struct msrp_event *ev);
    /* What came was told by `event`, and what it asked was answered: the time for verdicts. */
    void (*handled)(void *arg, struct msrp_conn *c);
    /* It is gone, and not by msrp_conn_free: the caller frees it. error 0: the peer closed it.
     * EPROTO: it was no MSRP, `why` says what was wrong. Also at the end of msrp_conn_leave. */
    void (*lost)(void *arg, struct msrp_conn *c, int error, const char *why);
};

/* Takes over an accepted socket, or dials: 0 or an errno value of connect(2). With `tls` it speaks
 * TLS, as server or client; errors are then also those of tls.h. Whoever connects to us is asked
 * for a certificate, whatever it is: ask tls_check_peer. One that we dial has to be `peer`, and
 * hears `sni` (may be NULL); these texts have to outlive the connection. */
struct msrp_conn *msrp_conn_take(struct loop *loop, int fd, const struct net_addr *peer,
                                 struct tls_context *tls, const struct msrp_conn_ops *ops,
                                 void *arg);
struct msrp_conn_security {
    struct tls_context *tls;
    const char *sni;
    struct tls_peer peer;
};
int msrp_conn_dial(struct msrp_conn **out, struct loop *loop, const struct net_addr *to,
                   const struct msrp_conn_security *security, /* without a context: plain */
                   const struct msrp_conn_ops *ops, void *arg);
void msrp_conn_free(struct msrp_conn *c); /* closes at once; NULL is harmless */

/* Hears what came, lets what waits go out, then ends our direction and waits a little for the
 * peer's end, so that the last answer is not lost by a reset; in haste it does not wait. Then
 * `lost` is called. */
void msrp_conn_leave(struct msrp_conn *c, bool hasty);

bool msrp_conn_is_open(const struct msrp_conn *c);    /* connected, and hands were shaken */
struct tls *msrp_conn_tls(const struct msrp_conn *c); /* NULL: plain. For asking, once it is open */

const struct net_addr *msrp_conn_peer(const struct msrp_conn *c);
void msrp_conn_local(const struct msrp_conn *c, char text[NET_TEXT_SIZE]);

/* Adds an answer: it goes out between chunks, or interrupts one. */
void msrp_conn_answer(struct msrp_conn *c, const struct msrp_head *request, int code,
                      const char *comment);

/* The same for a REPORT that all `octets` of the message are here whose last SEND this is. */
void msrp_conn_report(struct msrp_conn *c, const struct msrp_head *request, uint64_t octets);

/* From now on the message in `fd` goes out as the sender says. Both stay the caller's. */
void msrp_conn_send(struct msrp_conn *c, struct msrp_sender *s, int fd);

void msrp_conn_pump(struct msrp_conn *c); /* the sender has something new to say */

/* Stream positions: what was written, and what of it the peer's TCP took. */
uint64_t msrp_conn_written(const struct msrp_conn *c);
uint64_t msrp_conn_taken(const struct msrp_conn *c);

#endif
