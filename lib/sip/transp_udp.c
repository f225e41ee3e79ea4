#include "base/mem.h"
#include "sip/stack_int.h"
#include "trace/trace.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAMS_A_TURN 64

struct udp_socket {
    struct udp_socket *next;
    struct sip_stack *stack;
    uint64_t id;
    int fd;
    struct net_addr bound;
    struct loop_fd watch;
};

/* --- What ICMP says about destinations: the kernel keeps it in the socket's error queue, with the
 * address that it is about (IP_RECVERR). */

static const struct sock_extended_err *error_in(struct msghdr *h)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
            (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
            return (const struct sock_extended_err *)(const void *)CMSG_DATA(c);
    }
    return NULL;
}

static bool next_error(struct udp_socket *u)
{
    union {
        struct cmsghdr align;
        char room[512];
    } control;
    char payload[1];
    struct sip_hop hop = {.transport = SIP_UDP};
    struct iovec io = {payload, sizeof payload};
    struct msghdr h = {.msg_name = &hop.addr.ss,
                       .msg_namelen = sizeof hop.addr.ss,
                       .msg_iov = &io,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof control};
    if (recvmsg(u->fd, &h, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return false;
    hop.addr.len = h.msg_namelen;
    const struct sock_extended_err *e = error_in(&h);
    /* A path MTU is no failure: the next transmission goes in fragments. */
    if (e && e->ee_errno != 0 && e->ee_errno != EMSGSIZE)
        trans_fail_address(u->stack, SIP_UDP, &hop.addr, (int)e->ee_errno);
    return true;
}

static void read_errors(struct udp_socket *u)
{
    for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
        if (!next_error(u))
            break;
    }
    int pending;
    socklen_t n = sizeof pending;
    (void)getsockopt(u->fd, SOL_SOCKET, SO_ERROR, &pending, &n); /* or epoll reports it for ever */
}

/* --- Reading. */

/* CRLF or a few NULs keep a NAT binding alive; nobody wants an answer. */
static bool is_keepalive(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != '\r' && p[i] != '\n' && p[i] != '\0')
            return false;
    }
    return true;
}

static bool next_datagram(struct udp_socket *u)
{
    struct sip_stack *s = u->stack;
    struct sip_hop from = {.transport = SIP_UDP, .connection = u->id};
    from.addr.len = sizeof from.addr.ss;
    ssize_t n = recvfrom(u->fd, s->datagram, SIP_MESSAGE_MAX + 1, 0,
                         (struct sockaddr *)&from.addr.ss, &from.addr.len);
    if (n < 0)
        return errno == EINTR;
    trace_datagram(false, &u->bound, &from.addr, (struct slice){s->datagram, (size_t)n});
    if (n > SIP_MESSAGE_MAX || is_keepalive(s->datagram, (size_t)n))
        return true;
    stack_message(s, (struct slice){s->datagram, (size_t)n}, &from);
    return true;
}

static void on_udp(void *arg, uint32_t events)
{
    struct udp_socket *u = arg;
    struct sip_stack *s = u->stack;
    stack_enter(s);
    if (events & EPOLLERR)
        read_errors(u);
    for (int i = 0; i < DATAGRAMS_A_TURN && (events & EPOLLIN) && !s->doomed; i++) {
        if (!next_datagram(u))
            break;
    }
    stack_leave(s);
}

/* --- Writing. */

/* The socket that the hop names, else the first of its family. */
static struct udp_socket *socket_for(const struct sip_stack *s, const struct sip_hop *hop)
{
    struct udp_socket *first = NULL;
    for (struct udp_socket *u = s->udp; u; u = u->next) {
        if (u->bound.ss.ss_family != hop->addr.ss.ss_family)
            continue;
        if (u->id == hop->connection)
            return u;
        if (!first)
            first = u;
    }
    return first;
}

const struct net_addr *udp_bound(const struct sip_stack *s, const struct sip_hop *hop)
{
    const struct udp_socket *u = socket_for(s, hop);
    return u ? &u->bound : NULL;
}

static int send_datagram(const struct udp_socket *u, const struct sip_hop *hop, struct slice text)
{
    ssize_t n =
        sendto(u->fd, text.p, text.n, 0, (const struct sockaddr *)&hop->addr.ss, hop->addr.len);
    if (n < 0)
        return errno;
    message_shown(true, hop, text);
    trace_datagram(true, &u->bound, &hop->addr, text);
    return 0;
}

int udp_send(struct sip_stack *s, struct sip_hop *hop, struct slice text)
{
    struct udp_socket *u = socket_for(s, hop);
    if (!u)
        return EADDRNOTAVAIL;
    hop->connection = u->id;
    int err = send_datagram(u, hop, text);
    if (err && err != EAGAIN) {
        /* It may be the ICMP error of another datagram, which is reported only once. */
        read_errors(u);
        err = send_datagram(u, hop, text);
    }
    /* A full buffer is a lost datagram: the retransmission makes up for it. */
    return err == EAGAIN || err == ENOBUFS ? 0 : err;
}

/* --- Opening. */

static int want_errors(int fd, int family)
{
    int on = 1;
    int r = family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on)
                               : setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
    return r < 0 ? errno : 0;
}

int udp_listen(struct sip_stack *s, const struct net_bind *b, int family, bool reuse,
               struct net_addr *bound)
{
    struct udp_socket *u = mem_new(sizeof *u);
    int err = net_open(SOCK_DGRAM, b, family, reuse, &u->fd, bound);
    if (err)
        goto free_it;
    u->stack = s;
    u->id = ++s->serial << 32;
    u->bound = *bound;
    err = want_errors(u->fd, bound->ss.ss_family);
    if (!err)
        err = loop_watch(s->loop, &u->watch, u->fd, EPOLLIN, on_udp, u);
    if (err)
        goto close_it;
    struct udp_socket **tail = &s->udp;
    while (*tail)
        tail = &(*tail)->next;
    *tail = u;
    return 0;
close_it:
    (void)close(u->fd);
free_it:
    free(u);
    return err;
}

void udp_free(struct sip_stack *s)
{
    while (s->udp) {
        struct udp_socket *u = s->udp;
        s->udp = u->next;
        loop_unwatch(s->loop, &u->watch);
        (void)close(u->fd);
        free(u);
    }
}
