#include "base/sock.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

int sock_tls_client(struct sock *s, struct tls_context *c, const char *sni,
                    const struct tls_peer *peer)
{
    int err = tls_client(&s->tls, c, s->fd, sni, peer);
    s->shaking = !err;
    return err;
}

int sock_tls_server(struct sock *s, struct tls_context *c, const struct tls_peer *peer)
{
    int err = tls_server(&s->tls, c, s->fd, peer);
    s->shaking = !err;
    return err;
}

int sock_shake(struct sock *s)
{
    int err = s->shaking ? tls_handshake(s->tls) : 0;
    if (!err)
        s->shaking = false;
    return err;
}

ssize_t sock_read(struct sock *s, void *p, size_t n)
{
    return s->tls ? tls_read(s->tls, p, n) : recv(s->fd, p, n, 0);
}

ssize_t sock_write(struct sock *s, const void *p, size_t n)
{
    return s->tls ? tls_write(s->tls, p, n) : send(s->fd, p, n, MSG_NOSIGNAL);
}

bool sock_pending(const struct sock *s)
{
    return s->tls && !s->shaking && tls_pending(s->tls);
}

uint32_t sock_events(const struct sock *s, uint32_t events)
{
    if (!s->tls)
        return events;
    uint32_t wants = tls_events(s->tls);
    if (s->shaking)
        return wants ? wants : EPOLLIN | EPOLLOUT;
    return events | (wants & EPOLLOUT);
}

void sock_close(struct sock *s)
{
    if (s->tls)
        tls_shutdown(s->tls);
    tls_free(s->tls);
    s->tls = NULL;
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
}

const char *sock_why(const struct sock *s, int error)
{
    bool tls = s->tls && (error == EKEYREJECTED || error == EPROTO || error == ECONNRESET);
    return tls && tls_why(s->tls)[0] ? tls_why(s->tls) : strerrordesc_np(error);
}
