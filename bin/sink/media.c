/* MSRP connections: listening, dialling, reading and writing. */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "bin/sink/sink.h"
#include "msrp/shown.h"
#include "trace/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_MAX       ((size_t)1024 * 1024)
#define HELD_MS       100 /* how long responses are held to turn their order */
#define TLS_HANDSHAKE 22  /* the type of the first record */
#define RATE_PARTS    20  /* reads a second under --behave read-rate */

struct media {
    struct media *next;
    struct sink *sink;
    struct loop_fd watch;
    int fd;
    struct net_addr bound;
};

struct held {
    struct held *next;
    int64_t due;
    size_t n;
    char bytes[];
};

static void on_io(void *arg, uint32_t events);

static struct conn *conn_new(struct sink *s, int fd, const struct net_addr *peer)
{
    struct conn *k = mem_new(sizeof *k);
    k->sink = s;
    k->sock.fd = fd;
    k->peer = *peer;
    k->parser = msrp_parser_new();
    k->out = BUF_UP_TO(OUT_MAX);
    net_tune_stream(fd);
    return k;
}

static void watch(struct conn *k, uint32_t events)
{
    events = sock_events(&k->sock, events);
    int error = loop_watch(k->sink->loop, &k->watch, k->sock.fd, events, on_io, k);
    if (error)
        err_die(EX_OSERR, "epoll", strerror(error), NULL);
}

/* --- The end of a connection. */

static void unlink_conn(struct conn *k)
{
    struct conn **at = k->call ? &k->call->conns : &k->sink->strangers;
    while (*at != k)
        at = &(*at)->next;
    *at = k->next;
    if (k->call && k->call->carrier == k)
        k->call->carrier = NULL;
}

void conn_close(struct conn *k)
{
    if (k->sock.fd < 0)
        return;
    loop_cancel(k->sink->loop, &k->throttle);
    loop_cancel(k->sink->loop, &k->held_due);
    loop_unwatch(k->sink->loop, &k->watch);
    trace_flow_free(k->flow);
    sock_close(&k->sock);
    unlink_conn(k);
    k->next = k->sink->dead_conns;
    k->sink->dead_conns = k;
    sink_reap_soon(k->sink);
}

void conn_free(struct conn *k)
{
    while (k->held) {
        struct held *h = k->held;
        k->held = h->next;
        free(h);
    }
    msrp_parser_free(k->parser);
    buf_free(&k->out);
    free(k);
}

/* The peer closed, or the connection broke. */
static void lost(struct conn *k, int error)
{
    struct line_out o;
    struct call *c = k->call;
    event_begin(&o, c, "sink.closed");
    line_number(&o, "octets", c ? (int64_t)c->octets : 0);
    line_text(&o, "inside", msrp_parser_idle(k->parser) ? NULL : "yes");
    event_peer(&o, "why", error ? sock_why(&k->sock, error) : NULL);
    event_end(&o);
    trace_end(k->flow, false);
    conn_close(k);
    if (c && c->state == CALL_DRAINING && call_is_drained(c))
        call_end(c);
}

/* --- Writing. */

static uint32_t reads(const struct conn *k)
{
    return k->throttle.place ? 0 : EPOLLIN;
}

static void flush(struct conn *k)
{
    while (k->sock.fd >= 0 && k->out.n) {
        ssize_t n = sock_write(&k->sock, k->out.p, k->out.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            lost(k, errno);
            return;
        }
        if (n < 0)
            break;
        trace_octets(k->flow, true, k->out.p, (size_t)n);
        buf_drop(&k->out, (size_t)n);
    }
    if (k->sock.fd >= 0)
        watch(k, reads(k) | (k->out.n ? EPOLLOUT : 0));
}

void media_send(struct conn *k, struct slice bytes)
{
    if (k->sock.fd < 0)
        return;
    msrp_show_sent(&k->peer, k->sock.tls != NULL, bytes, 0);
    bool idle = !k->out.n;
    if (buf_add_slice(&k->out, bytes)) {
        lost(k, ENOBUFS);
        return;
    }
    if (idle && k->connected)
        flush(k);
}

static void held_due(void *arg)
{
    struct conn *k = arg;
    int64_t now = clock_ms();
    while (k->sock.fd >= 0 && k->held && k->held->due <= now) {
        struct held *h = k->held;
        k->held = h->next;
        media_send(k, (struct slice){h->bytes, h->n});
        free(h);
    }
    if (k->sock.fd >= 0 && k->held)
        loop_at(k->sink->loop, &k->held_due, k->held->due, held_due, k);
}

void media_answer(struct conn *k, struct slice bytes)
{
    const struct behave *b = k->call ? &k->call->behave : NULL;
    bool reverse = b && behave_is(b->msrp_order, "reverse");
    int64_t wait = b && b->msrp_delay_ms > 0 ? b->msrp_delay_ms : reverse ? HELD_MS : 0;
    if (!wait) {
        media_send(k, bytes);
        return;
    }
    struct held *h = mem_new(sizeof *h + bytes.n);
    h->due = clock_ms() + wait;
    h->n = bytes.n;
    memcpy(h->bytes, bytes.p, bytes.n);
    struct held **at = &k->held;
    while (*at && !reverse)
        at = &(*at)->next;
    h->next = *at;
    *at = h;
    loop_at(k->sink->loop, &k->held_due, k->held->due, held_due, k);
}

/* --- Reading. */

static void read_all(struct conn *k);

static void read_again(void *arg)
{
    struct conn *k = arg;
    watch(k, EPOLLIN | (k->out.n ? EPOLLOUT : 0));
    if (sock_pending(&k->sock))
        read_all(k);
}

/* Under --behave read-rate: no more reading until these octets have had their time. */
static void throttle(struct conn *k, size_t n)
{
    int64_t rate = k->call ? k->call->behave.read_rate : 0;
    if (rate <= 0 || k->sock.fd < 0)
        return;
    loop_at(k->sink->loop, &k->throttle, clock_ms() + (int64_t)n * 1000 / rate, read_again, k);
    watch(k, k->out.n ? EPOLLOUT : 0);
}

static size_t read_size(const struct conn *k)
{
    int64_t rate = k->call ? k->call->behave.read_rate : 0;
    if (rate <= 0 || rate / RATE_PARTS >= (int64_t)SINK_READ_SIZE)
        return SINK_READ_SIZE;
    return rate >= RATE_PARTS ? (size_t)(rate / RATE_PARTS) : 1;
}

static void consume(struct conn *k, struct slice in)
{
    struct msrp_event ev;
    struct slice got = in;
    while (k->sock.fd >= 0 && msrp_parse(k->parser, &in, &ev) != MSRP_MORE) {
        msrp_show_event(&k->peer, k->sock.tls != NULL, &ev, got);
        got = in;
        receive_event(k, &ev);
    }
}

static void read_some(struct conn *k)
{
    ssize_t n = sock_read(&k->sock, k->sink->in, read_size(k));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        lost(k, n < 0 ? errno : 0);
        return;
    }
    trace_octets(k->flow, false, k->sink->in, (size_t)n);
    consume(k, (struct slice){k->sink->in, (size_t)n});
    throttle(k, (size_t)n);
}

/* What TLS has taken from the socket already, the loop does not tell of. */
static void read_all(struct conn *k)
{
    do
        read_some(k);
    while (k->sock.fd >= 0 && !k->throttle.place && sock_pending(&k->sock));
}

static void say_connected(struct conn *k)
{
    struct line_out o;
    struct net_addr local;
    char text[NET_TEXT_SIZE];
    event_begin(&o, k->call, "sink.connected");
    net_addr_text(text, &k->peer);
    line_text(&o, "peer", text);
    if (!net_local(k->sock.fd, &local)) {
        net_addr_text(text, &local);
        line_text(&o, "local", text);
    }
    line_text(&o, "role", k->dialled ? "active" : "passive");
    line_text(&o, "tls", k->sock.tls ? tls_version(k->sock.tls) : NULL);
    event_end(&o);
}

/* Whoever connects to us tells by the first octet whether it speaks TLS. */
static int begin(struct conn *k)
{
    char first;
    if (k->dialled) {
        int error = net_connected(k->sock.fd);
        return error ? error : secure_dial(k);
    }
    ssize_t n = recv(k->sock.fd, &first, 1, MSG_PEEK);
    if (n <= 0)
        return n < 0 ? errno : ECONNRESET;
    return first == TLS_HANDSHAKE ? secure_accept(k) : 0;
}

static void connecting(struct conn *k)
{
    int error = k->begun ? 0 : begin(k);
    if (!error) {
        k->begun = true;
        error = sock_shake(&k->sock);
    }
    if (error == EAGAIN) {
        watch(k, EPOLLIN);
        return;
    }
    if (error) {
        if (k->call)
            call_error(k->call, "connect: %s", sock_why(&k->sock, error));
        lost(k, error);
        return;
    }
    k->connected = true;
    k->flow = trace_stream(k->sock.fd, &k->peer, k->dialled, k->sock.tls != NULL);
    if (k->dialled) {
        say_connected(k);
        receive_connected(k);
        flush(k);
    } else {
        watch(k, EPOLLIN);
        read_all(k);
    }
}

static void on_io(void *arg, uint32_t events)
{
    struct conn *k = arg;
    if (!k->connected) {
        connecting(k);
        return;
    }
    if (events & EPOLLOUT)
        flush(k);
    /* TLS may have to write before it reads. */
    if (k->sock.fd >= 0 &&
        (events & (EPOLLIN | EPOLLHUP | EPOLLERR) || (k->sock.tls && !k->throttle.place)))
        read_all(k);
}

/* --- Listening. */

static void on_listener(void *arg, uint32_t events)
{
    struct media *m = arg;
    struct net_addr peer;
    int fd;
    (void)events;
    while (!net_accept(m->fd, &fd, &peer)) {
        struct conn *k = conn_new(m->sink, fd, &peer);
        k->next = m->sink->strangers;
        m->sink->strangers = k;
        watch(k, EPOLLIN);
    }
}

static int listener_add(struct sink *s, int fd, const struct net_addr *bound)
{
    struct media *m = mem_new(sizeof *m);
    m->sink = s;
    m->fd = fd;
    m->bound = *bound;
    m->next = s->media;
    s->media = m;
    return loop_watch(s->loop, &m->watch, fd, EPOLLIN, on_listener, m);
}

int media_open(struct sink *s, const struct net_bind *b)
{
    struct net_addr bound;
    int fd;
    int error = net_open(SOCK_STREAM, b, AF_UNSPEC, true, &fd, &bound);
    return error ? error : listener_add(s, fd, &bound);
}

static int reachable_as(const struct media *m, const struct net_addr *local, struct net_addr *bound)
{
    uint16_t port = net_port(&m->bound);
    *bound = net_is_any(&m->bound) ? *local : m->bound;
    net_set_port(bound, port);
    return 0;
}

int media_listen(struct sink *s, const struct net_addr *local, struct net_addr *bound)
{
    struct net_addr at = *local;
    int fd;
    for (struct media *m = s->media; m; m = m->next)
        if (s->has_msrp_bind || net_same_host(&m->bound, local))
            return reachable_as(m, local, bound);
    net_set_port(&at, 0);
    int error = net_open_at(SOCK_STREAM, &at, false, &fd, bound);
    return error ? error : listener_add(s, fd, bound);
}

void media_close(struct sink *s)
{
    while (s->strangers)
        conn_close(s->strangers);
    while (s->media) {
        struct media *m = s->media;
        s->media = m->next;
        loop_unwatch(s->loop, &m->watch);
        (void)close(m->fd);
        free(m);
    }
}

/* --- Dialling. */

static int dial_address(const struct call *c, struct net_addr *to)
{
    struct msrp_uri u;
    size_t n;
    const char *why;
    if (msrp_uri_parse(msrp_path_first(slice_of(c->offer_path)), &u) || !u.has_port)
        return EINVAL;
    char *host = slice_dup(u.host);
    int error = net_resolve(host, u.port, AF_UNSPEC, SOCK_STREAM, to, 1, &n, &why);
    free(host);
    return error;
}

static int dial(struct call *c, const struct net_addr *to)
{
    int fd;
    int error = net_connect(to, &fd);
    if (error)
        return error;
    struct conn *k = conn_new(c->sink, fd, to);
    k->call = c;
    k->dialled = true;
    k->next = c->conns;
    c->conns = k;
    watch(k, EPOLLOUT);
    return 0;
}

void media_dial(struct call *c)
{
    struct net_addr to;
    if (c->dialled || c->state == CALL_ENDED)
        return;
    c->dialled = true;
    int error = dial_address(c, &to);
    for (int64_t i = 0; i < c->behave.connections && !error; i++)
        error = dial(c, &to);
    if (error)
        call_error(c, "connect to %s: %s", c->offer_path, strerror(error));
}
