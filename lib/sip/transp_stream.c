#include "base/clock.h"
#include "base/mem.h"
#include "base/sock.h"
#include "sip/fence.h"
#include "sip/stack_int.h"
#include "trace/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_MAX         (4 * SIP_MESSAGE_MAX)
#define READS_A_TURN    16
#define ACCEPTS_A_TURN  64
#define ACCEPT_PAUSE_MS 200
#define CONNECTIONS_MAX 65536

struct stream_listener {
    struct stream_listener *next;
    struct sip_stack *stack;
    enum sip_transport transport;
    int fd;
    struct net_addr bound;
    struct loop_fd watch;
    struct loop_timer pause; /* no descriptors left: listens again later */
};

struct conn {
    struct sip_stack *stack;
    struct conn *next_dead;
    uint64_t id;
    size_t slot;
    struct sip_hop peer;
    struct sock sock;
    struct trace_flow *flow;      /* NULL: nobody captures */
    bool connecting, dead, guest; /* the last: the peer made it */
    int64_t used;                 /* when it last brought a whole message; 0: never */
    struct loop_fd watch;
    struct loop_timer limit; /* to connect, or for the rest of a message */
    struct buf in, out;
};

/* --- Their table: the low half of an id is the place, the high half tells old from new. */

static struct conn *find_id(const struct sip_stack *s, uint64_t id)
{
    size_t place = (size_t)(id & UINT32_MAX);
    struct conn *c = place > 0 && place <= s->conns ? s->conn[place - 1] : NULL;
    return c && c->id == id ? c : NULL;
}

/* A connection for one domain serves another that its certificate names too (RFC 5922 7.3). */
static bool is_for_domain(const struct conn *c, const char *domain)
{
    struct tls_peer who = {TLS_CHECK_SIP, domain};
    if (c->peer.transport != SIP_TLS || !domain[0] || strcasecmp(c->peer.domain, domain) == 0)
        return true;
    return !c->connecting && !c->sock.shaking && tls_check_peer(c->sock.tls, &who) == 0;
}

static struct conn *find_peer(const struct sip_stack *s, const struct sip_hop *hop)
{
    for (size_t i = 0; i < s->conns; i++) {
        struct conn *c = s->conn[i];
        if (c && c->peer.transport == hop->transport && net_same_host(&c->peer.addr, &hop->addr) &&
            net_port(&c->peer.addr) == net_port(&hop->addr) && is_for_domain(c, hop->domain))
            return c;
    }
    return NULL;
}

static int take_slot(struct conn *c)
{
    struct sip_stack *s = c->stack;
    size_t i = 0;
    while (i < s->conns && s->conn[i])
        i++;
    if (i == CONNECTIONS_MAX)
        return EMFILE;
    if (i == s->conns) {
        size_t more = s->conns ? s->conns * 2 : 8;
        s->conn = mem_grow(s->conn, more, sizeof(struct conn *));
        memset(s->conn + s->conns, 0, (more - s->conns) * sizeof(struct conn *));
        s->conns = more;
    }
    s->conn[i] = c;
    c->slot = i;
    c->id = (++s->serial << 32) | (i + 1);
    c->peer.connection = c->id;
    return 0;
}

/* --- The end of one. */

static void drop(struct conn *c)
{
    struct sip_stack *s = c->stack;
    c->dead = true;
    s->guests -= c->guest;
    loop_unwatch(s->loop, &c->watch);
    loop_cancel(s->loop, &c->limit);
    trace_flow_free(c->flow);
    sock_close(&c->sock);
    s->conn[c->slot] = NULL;
    c->next_dead = s->dead_conn;
    s->dead_conn = c;
    stack_reap(s);
}

static void fail(struct conn *c, int error)
{
    if (c->dead)
        return;
    if (error == EKEYREJECTED || error == EPROTO)
        (void)snprintf(c->stack->tls_why, TLS_WHY_SIZE, "%s", sock_why(&c->sock, error));
    trace_end(c->flow, error != ECONNRESET);
    drop(c);
    trans_fail_connection(c->stack, c->id, error);
}

void stream_reap(struct sip_stack *s)
{
    while (s->dead_conn) {
        struct conn *c = s->dead_conn;
        s->dead_conn = c->next_dead;
        buf_free(&c->in);
        buf_free(&c->out);
        free(c);
    }
}

/* RFC 3261 has no timer for this, nor for a TLS handshake; what a request may take is a good
 * measure. It runs from the first octet and is not moved by the next. */
static void on_limit(void *arg)
{
    struct conn *c = arg;
    stack_enter(c->stack);
    struct sip_stack *s = c->stack;
    fail(c, ETIMEDOUT);
    stack_leave(s);
}

static void set_limit(struct conn *c)
{
    if (c->limit.place == 0)
        loop_at(c->stack->loop, &c->limit, clock_ms() + 64 * c->stack->timers.t1, on_limit, c);
}

/* Makes room for one more: who never said anything goes first, then who did so longest ago. */
static void make_room(struct sip_stack *s)
{
    struct conn *oldest = NULL;
    for (size_t i = 0; i < s->conns; i++) {
        struct conn *c = s->conn[i];
        if (c && c->guest &&
            (!oldest || c->used < oldest->used || (c->used == oldest->used && c->id < oldest->id)))
            oldest = c;
    }
    if (oldest)
        fail(oldest, ECONNABORTED);
}

/* --- Reading. */

static int write_text(struct conn *c, struct slice text);

/* Line ends keep a connection alive. Two are a ping, whose pong is one (RFC 5626 4.4.1). */
static void skip_keepalives(struct conn *c)
{
    size_t n = 0;
    while (n < c->in.n && (c->in.p[n] == '\r' || c->in.p[n] == '\n'))
        n++;
    bool ping = n >= 4 && memcmp(c->in.p, "\r\n\r\n", 4) == 0;
    if (n > 0)
        buf_drop(&c->in, n);
    int err = ping ? write_text(c, SLICE("\r\n")) : 0;
    if (err)
        fail(c, err);
}

/* The end of such a message is not known, so what follows it cannot be read. */
static void refuse_and_close(struct conn *c, size_t head)
{
    if (head > 0)
        stack_message(c->stack, (struct slice){c->in.p, head}, &c->peer);
    if (!c->dead)
        fail(c, EBADMSG);
}

static void take_messages(struct conn *c)
{
    while (!c->dead && !c->stack->doomed) {
        size_t whole;
        skip_keepalives(c);
        if (c->dead)
            break;
        int err = c->in.n > 0 ? fence_frame(buf_slice(&c->in), &whole) : EAGAIN;
        if (err == EBADMSG)
            refuse_and_close(c, whole);
        if (err)
            break;
        stack_message(c->stack, (struct slice){c->in.p, whole}, &c->peer);
        buf_drop(&c->in, whole);
        c->used = clock_ms();
        loop_cancel(c->stack->loop, &c->limit);
    }
    if (c->dead)
        return;
    if (c->in.n > 0)
        set_limit(c);
    else
        loop_cancel(c->stack->loop, &c->limit);
}

/* 0, EAGAIN, ECONNRESET at the end of the stream, or what happened. */
static int read_some(struct conn *c)
{
    size_t room;
    char *p = buf_room(&c->in, SIP_MESSAGE_MAX, &room);
    ssize_t n = sock_read(&c->sock, p, room);
    if (n <= 0)
        return n == 0 ? ECONNRESET : errno == EINTR ? 0 : errno;
    trace_octets(c->flow, false, p, (size_t)n);
    buf_wrote(&c->in, (size_t)n);
    return 0;
}

static void read_all(struct conn *c)
{
    for (int i = 0; !c->dead && !c->stack->doomed; i++) {
        if (i >= READS_A_TURN && !sock_pending(&c->sock))
            break;
        int err = read_some(c);
        if (err == EAGAIN)
            break;
        if (err)
            fail(c, err);
        else
            take_messages(c);
    }
}

/* --- Writing. */

static void on_conn(void *arg, uint32_t events);

static int watch(struct conn *c)
{
    uint32_t events = EPOLLIN | (c->connecting || c->out.n > 0 ? EPOLLOUT : 0);
    return loop_watch(c->stack->loop, &c->watch, c->sock.fd, sock_events(&c->sock, events), on_conn,
                      c);
}

static int flush(struct conn *c)
{
    while (c->out.n > 0) {
        ssize_t n = sock_write(&c->sock, c->out.p, c->out.n);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0 && errno != EINTR)
            return errno;
        trace_octets(c->flow, true, c->out.p, n > 0 ? (size_t)n : 0);
        if (n > 0)
            buf_drop(&c->out, (size_t)n);
    }
    return watch(c);
}

static int write_text(struct conn *c, struct slice text)
{
    if (buf_add_slice(&c->out, text) != 0)
        return ENOBUFS; /* the peer does not read */
    if (c->connecting || c->sock.shaking)
        return 0;
    message_shown(true, &c->peer, text);
    return flush(c);
}

/* What waits goes out once the peer has proved who it is, and not before. */
static int shake(struct conn *c)
{
    int err = sock_shake(&c->sock);
    if (err)
        return err == EAGAIN ? watch(c) : err;
    c->flow = stream_shown(c->sock.fd, &c->peer, c->guest, buf_slice(&c->out));
    if (!c->guest)
        loop_cancel(c->stack->loop, &c->limit);
    return flush(c);
}

static int after_connect(struct conn *c)
{
    struct tls_peer who = {c->peer.domain[0] ? TLS_CHECK_SIP : TLS_CHECK_CHAIN, c->peer.domain};
    int err = net_connected(c->sock.fd);
    c->connecting = false;
    if (!err && c->peer.transport == SIP_TLS)
        err = sock_tls_client(&c->sock, c->stack->tls, c->peer.domain, &who);
    return err ? err : shake(c);
}

static void on_conn(void *arg, uint32_t events)
{
    struct conn *c = arg;
    struct sip_stack *s = c->stack;
    int err = 0;
    stack_enter(s);
    if (c->connecting)
        err = after_connect(c);
    else if (c->sock.shaking)
        err = shake(c);
    else if ((events & EPOLLOUT) && (err = flush(c)) != 0)
        read_all(c); /* the peer's last words may tell more */
    if (err)
        fail(c, err);
    /* TLS may have octets already, from the handshake's end, or have to write before it reads. */
    if (!c->dead && !c->sock.shaking && ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || c->sock.tls))
        read_all(c);
    stack_leave(s);
}

/* --- Opening. */

static void welcome(struct conn *c)
{
    struct sip_stack *s = c->stack;
    if (s->guests >= s->guests_max)
        make_room(s);
    c->guest = true;
    s->guests++;
}

static int conn_new(struct sip_stack *s, const struct sip_hop *peer, int fd, bool guest,
                    struct conn **out)
{
    struct conn *c = mem_new(sizeof *c);
    c->stack = s;
    c->sock.fd = fd;
    c->connecting = !guest;
    c->peer = *peer;
    c->in = BUF_UP_TO(SIP_MESSAGE_MAX);
    c->out = BUF_UP_TO(OUT_MAX);
    int err = take_slot(c);
    if (err) {
        (void)close(fd);
        free(c);
        return err;
    }
    net_tune_stream(fd);
    if (guest)
        welcome(c);
    if (guest && peer->transport == SIP_TLS)
        err = sock_tls_server(&c->sock, s->tls, &(struct tls_peer){.check = TLS_CHECK_CHAIN});
    if (!err)
        err = guest && !c->sock.shaking ? shake(c) : watch(c);
    if (err) {
        drop(c);
        return err;
    }
    set_limit(c); /* whoever connects has something to say */
    *out = c;
    return 0;
}

static bool spoken(const struct sip_stack *s, enum sip_transport t)
{
    return t == SIP_TCP || (t == SIP_TLS && s->tls);
}

static const struct stream_listener *find_listener(const struct sip_stack *s,
                                                   const struct sip_hop *hop)
{
    for (const struct stream_listener *l = s->listeners; l; l = l->next) {
        if (l->transport == hop->transport && l->bound.ss.ss_family == hop->addr.ss.ss_family)
            return l;
    }
    return NULL;
}

static int connect_to(struct sip_stack *s, const struct sip_hop *hop, struct conn **c)
{
    int fd;
    if (!spoken(s, hop->transport))
        return EPROTONOSUPPORT;
    const struct stream_listener *l = find_listener(s, hop);
    bool reserved = l && !l->watch.on;
    int err = net_connect_from(reserved ? &l->bound : NULL, &hop->addr, &fd);
    return err ? err : conn_new(s, hop, fd, false, c);
}

/* The stream that the hop names, else one to the same address, else a new one. A stream that turns
 * out to be broken when it is written to is replaced once. */
int stream_send(struct sip_stack *s, struct sip_hop *hop, struct slice text)
{
    struct conn *c = find_id(s, hop->connection);
    if (!c)
        c = find_peer(s, hop);
    hop->connection = 0;
    int err = c ? write_text(c, text) : ENOTCONN;
    if (c && err)
        fail(c, err);
    if (err == ENOTCONN || err == EPIPE || err == ECONNRESET) {
        err = connect_to(s, hop, &c);
        if (!err)
            err = write_text(c, text);
    }
    if (!err)
        hop->connection = c->id;
    return err;
}

static void on_listener(void *arg, uint32_t events);

static void listen_again(void *arg)
{
    struct stream_listener *l = arg;
    if (loop_watch(l->stack->loop, &l->watch, l->fd, EPOLLIN, on_listener, l) != 0)
        loop_at(l->stack->loop, &l->pause, clock_ms() + ACCEPT_PAUSE_MS, listen_again, l);
}

static void on_listener(void *arg, uint32_t events)
{
    struct stream_listener *l = arg;
    struct sip_stack *s = l->stack;
    int err = 0;
    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN && !err; i++) {
        struct sip_hop peer = {.transport = l->transport};
        struct conn *c;
        int fd;
        err = net_accept(l->fd, &fd, &peer.addr);
        if (!err)
            err = conn_new(s, &peer, fd, true, &c);
    }
    if (!err || err == EAGAIN)
        return;
    /* Out of descriptors or memory: the connection stays in the queue, and asking again at once
     * would only burn time. */
    loop_unwatch(s->loop, &l->watch);
    loop_at(s->loop, &l->pause, clock_ms() + ACCEPT_PAUSE_MS, listen_again, l);
}

static bool only_reserves(const struct sip_stack *s, enum sip_transport t)
{
    return t == SIP_TLS && !tls_context_fingerprint(s->tls)[0];
}

int stream_adopt(struct sip_stack *s, enum sip_transport t, int fd, const struct net_addr *bound)
{
    struct stream_listener **tail = &s->listeners, *l = mem_new(sizeof *l);
    *l = (struct stream_listener){.stack = s, .transport = t, .fd = fd, .bound = *bound};
    int err = only_reserves(s, t) ? 0 : loop_watch(s->loop, &l->watch, fd, EPOLLIN, on_listener, l);
    if (err) {
        (void)close(fd);
        free(l);
        return err;
    }
    while (*tail)
        tail = &(*tail)->next;
    *tail = l;
    return 0;
}

int stream_listen(struct sip_stack *s, enum sip_transport t, const struct net_bind *b, int family,
                  bool reuse, struct net_addr *bound)
{
    int fd, err = !spoken(s, t)         ? EPROTONOSUPPORT
                  : only_reserves(s, t) ? net_reserve(b, family, &fd, bound)
                                        : net_open(SOCK_STREAM, b, family, reuse, &fd, bound);
    return err ? err : stream_adopt(s, t, fd, bound);
}

const struct net_addr *stream_bound(const struct sip_stack *s, const struct sip_hop *hop)
{
    const struct stream_listener *l = find_listener(s, hop);
    return l ? &l->bound : NULL;
}

void stream_free(struct sip_stack *s)
{
    for (size_t i = 0; i < s->conns; i++) {
        if (s->conn[i])
            drop(s->conn[i]);
    }
    stream_reap(s);
    free(s->conn);
    s->conn = NULL;
    s->conns = 0;
    while (s->listeners) {
        struct stream_listener *l = s->listeners;
        s->listeners = l->next;
        loop_unwatch(s->loop, &l->watch);
        loop_cancel(s->loop, &l->pause);
        (void)close(l->fd);
        free(l);
    }
}
