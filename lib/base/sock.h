/* A connected stream socket that may speak TLS: the same calls for both, for a loop. */
#ifndef BASE_SOCK_H
#define BASE_SOCK_H

#include "base/tls.h"

struct sock {
    int fd;
    struct tls *tls; /* NULL: plain */
    bool shaking;    /* the handshake is not done: nothing can be read or written yet */
};

/* Begins TLS, once the socket is connected. 0 or ENOMEM. */
int sock_tls_client(struct sock *s, struct tls_context *c, const char *sni,
                    const struct tls_peer *peer);
int sock_tls_server(struct sock *s, struct tls_context *c, const struct tls_peer *peer);

/* Goes on with the handshake, if there is one: 0, EAGAIN, or tls_handshake's errors. */
int sock_shake(struct sock *s);

/* As recv and send (without SIGPIPE): -1 and errno. After EAGAIN a write has to be repeated with
 * the same octets first. */
ssize_t sock_read(struct sock *s, void *p, size_t n);
ssize_t sock_write(struct sock *s, const void *p, size_t n);

/* Octets wait in TLS that the loop will not tell of. */
bool sock_pending(const struct sock *s);

/* What to watch for, where the owner wants `events` (EPOLLIN, EPOLLOUT): while it shakes, only what
 * the handshake waits for. */
uint32_t sock_events(const struct sock *s, uint32_t events);

/* Says the end if that can be done at once, then closes. fd becomes -1. */
void sock_close(struct sock *s);

/* The cause of an error: what TLS says of it, or strerror. */
const char *sock_why(const struct sock *s, int error);

#endif
