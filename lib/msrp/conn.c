#include "msrp/conn_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "msrp/shown.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define READ_SIZE 16384
#define READS     16 /* at a time; others want to be served too */
#define LEAVE_MS  2000
#define REPORT_ID 20 /* characters */

static void on_io(void *arg, uint32_t events);
static void on_broken(void *arg);
static void pump(struct msrp_conn *c);

static struct msrp_conn *new_conn(struct loop *loop, int fd, const struct net_addr *peer,
                                  const struct msrp_conn_ops *ops, void *arg)
{
    struct msrp_conn *c = mem_new(sizeof(*c));
    c->loop = loop;
    c->ops = ops;
    c->arg = arg;
    c->peer = *peer;
    c->out.sock.fd = fd;
    c->text = BUF_UP_TO(TEXT_MAX);
    c->answers = BUF_UP_TO(ANSWERS_ROOM);
    c->parser = msrp_parser_new();
    return c;
}

/* --- Ending. */

void msrp_conn_free(struct msrp_conn *c)
{
    if (!c)
        return;
    loop_unwatch(c->loop, &c->io);
    msrp_out_close(&c->out);
    loop_cancel(c->loop, &c->timer);
    if (c->busy) {
        c->gone = true;
        return;
    }
    msrp_parser_free(c->parser);
    buf_free(&c->text);
    buf_free(&c->answers);
    free(c);
}

static void enter(struct msrp_conn *c)
{
    c->busy++;
}

/* The counterpart of enter: only now may the memory go. */
static void leave(struct msrp_conn *c)
{
    if (--c->busy == 0 && c->gone)
        msrp_conn_free(c);
}

static void lost(struct msrp_conn *c, int error, const char *why)
{
    if (c->gone || c->ended)
        return;
    c->ended = true;
    c->sender = NULL;
    loop_unwatch(c->loop, &c->io);
    loop_cancel(c->loop, &c->timer);
    enter(c);
    c->ops->lost(c->arg, c, error, why);
    leave(c);
}

static void broke(struct msrp_conn *c, int error)
{
    msrp_out_over(&c->out, error);
    lost(c, error, error ? sock_why(&c->out.sock, error) : "closed by the peer");
}

static void on_leave_timer(void *arg)
{
    struct msrp_conn *c = arg;
    lost(c, ETIMEDOUT, "");
}

/* --- Watching. */

static void on_unwatched(void *arg)
{
    struct msrp_conn *c = arg;
    lost(c, c->error, strerror(c->error));
}

static bool may_read(const struct msrp_conn *c)
{
    return c->answers.n < ANSWERS_MAX;
}

static void watch(struct msrp_conn *c)
{
    uint32_t events = c->waits || c->phase == DIALLING ? EPOLLOUT : 0;
    if (c->phase != DIALLING && may_read(c))
        events |= EPOLLIN;
    events = sock_events(&c->out.sock, events);
    if (c->io.on && c->io.events == events)
        return;
    c->error = loop_watch(c->loop, &c->io, c->out.sock.fd, events, on_io, c);
    if (c->error) /* from the loop, because the owner may not know us yet */
        loop_at(c->loop, &c->timer, clock_ms(), on_unwatched, c);
}

/* The caller has entered. A long transfer comes back here by EPOLLOUT, so that reading has its
 * turn. */
static void pump(struct msrp_conn *c)
{
    if (c->gone || c->ended || c->broken || c->phase == DIALLING || c->phase == SHAKING)
        return;
    msrp_conn_write(c);
    if (c->broken) {
        loop_at(c->loop, &c->timer, clock_ms(), on_broken, c);
        return;
    }
    if (c->phase == LEAVING && msrp_conn_is_idle(c) && msrp_parser_idle(c->parser)) {
        c->phase = SHUT;
        msrp_out_end(&c->out);
    }
    if (c->phase == SHUT && c->hasty)
        lost(c, 0, "");
    else
        watch(c);
}

void msrp_conn_leave(struct msrp_conn *c, bool hasty)
{
    if (c->phase == LEAVING || c->phase == SHUT || c->ended)
        return;
    c->phase = LEAVING;
    c->hasty = hasty;
    loop_at(c->loop, &c->timer, clock_ms() + LEAVE_MS, on_leave_timer, c);
    c->waits = true; /* for its next turn, which begins with what came */
    watch(c);
}

void msrp_conn_pump(struct msrp_conn *c)
{
    enter(c);
    pump(c);
    leave(c);
}

void msrp_conn_send(struct msrp_conn *c, struct msrp_sender *s, int fd)
{
    c->sender = s;
    c->file = fd;
    msrp_conn_pump(c);
}

static void added(struct msrp_conn *c, int err)
{
    if (err) /* we stop reading long before */
        lost(c, err, "the peer takes no answers");
}

void msrp_conn_answer(struct msrp_conn *c, const struct msrp_head *request, int code,
                      const char *comment)
{
    added(c, msrp_frame_response(&c->answers, request, code, comment));
}

void msrp_conn_report(struct msrp_conn *c, const struct msrp_head *request, uint64_t octets)
{
    char id[MSRP_IDENT_MAX + 1];
    rand_token(id, REPORT_ID);
    added(c, msrp_frame_report(&c->answers, id, request, (struct msrp_range){1, octets, octets},
                               200, NULL));
}

/* --- Receiving. */

static void take(struct msrp_conn *c, struct slice in)
{
    struct msrp_event ev;
    enum msrp_kind kind = MSRP_MORE;
    if (c->phase == SHUT)
        return; /* nothing can be answered any more */
    struct slice got = in;
    while (!c->gone && (kind = msrp_parse(c->parser, &in, &ev)) != MSRP_MORE) {
        msrp_show_event(&c->peer, c->out.sock.tls != NULL, &ev, got);
        got = in;
        if (kind == MSRP_BAD) {
            lost(c, EPROTO, ev.why);
            return;
        }
        c->ops->event(c->arg, c, &ev);
        if (c->ended)
            return;
    }
}

/* Is there more to read behind this? Before a verdict everything that came has to be seen: a
 * notification often stands right behind the last answer. */
static bool read_on(const struct msrp_conn *c, size_t n)
{
    return n == READ_SIZE || (c->sender && msrp_sender_outcome(c->sender));
}

static void read_some(struct msrp_conn *c)
{
    char bytes[READ_SIZE];
    for (int i = 0; i < READS && !c->gone && !c->ended && may_read(c); i++) {
        ssize_t n = sock_read(&c->out.sock, bytes, sizeof(bytes));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n == 0 && c->answers.n) /* it may have ended its own direction only */
            pump(c);
        if (n <= 0) {
            broke(c, c->broken ? c->broken : n < 0 ? errno : 0);
            return;
        }
        trace_octets(c->out.flow, false, bytes, (size_t)n);
        take(c, (struct slice){bytes, (size_t)n});
        if (!c->gone && c->sender)
            msrp_out_acknowledge(&c->out);
        if (!read_on(c, (size_t)n))
            return;
    }
}

/* Nothing can be written any more. What the peer had said before counts: the last answer may be
 * there, and it was our own answer that met a closed connection. */
static void on_broken(void *arg)
{
    struct msrp_conn *c = arg;
    enter(c);
    if (may_read(c))
        read_some(c);
    if (!c->gone && !c->ended)
        broke(c, c->broken);
    leave(c);
}

/* --- Hands are shaken. */

static void opened(struct msrp_conn *c)
{
    c->phase = OPEN;
    c->out.flow = trace_stream(c->out.sock.fd, &c->peer, c->dialled, c->out.sock.tls != NULL);
}

static void shake(struct msrp_conn *c)
{
    int err = sock_shake(&c->out.sock);
    if (err && err != EAGAIN) {
        broke(c, err);
        return;
    }
    if (!err)
        opened(c);
    watch(c);
    if (!err && c->dialled)
        c->ops->connected(c->arg, c);
}

static void dialled(struct msrp_conn *c)
{
    const struct msrp_conn_security *s = &c->security;
    int err = net_connected(c->out.sock.fd);
    if (!err && s->tls)
        err = sock_tls_client(&c->out.sock, s->tls, s->sni, &s->peer);
    if (err) {
        lost(c, err, strerror(err));
        return;
    }
    c->phase = SHAKING;
    shake(c);
}

static void on_io(void *arg, uint32_t events)
{
    struct msrp_conn *c = arg;
    enter(c);
    if (c->phase == DIALLING) {
        dialled(c);
    } else if (c->phase == SHAKING) {
        shake(c);
    } else {
        if (may_read(c)) /* also of a dead connection: its last words count */
            read_some(c);
        else if (events & (EPOLLHUP | EPOLLERR))
            lost(c, ECONNRESET, strerror(ECONNRESET));
        pump(c);
        if (!c->gone && !c->ended)
            c->ops->handled(c->arg, c);
    }
    leave(c);
}

/* --- Beginning. */

struct msrp_conn *msrp_conn_take(struct loop *loop, int fd, const struct net_addr *peer,
                                 struct tls_context *tls, const struct msrp_conn_ops *ops,
                                 void *arg)
{
    static const struct tls_peer anybody = {TLS_CHECK_LATER, NULL};
    struct msrp_conn *c = new_conn(loop, fd, peer, ops, arg);
    net_tune_stream(fd);
    c->phase = SHAKING;
    if (!tls)
        opened(c);
    if (tls && sock_tls_server(&c->out.sock, tls, &anybody) != 0) {
        c->error = ENOMEM;
        loop_at(c->loop, &c->timer, clock_ms(), on_unwatched, c);
        return c;
    }
    watch(c);
    return c;
}

int msrp_conn_dial(struct msrp_conn **out, struct loop *loop, const struct net_addr *to,
                   const struct msrp_conn_security *security, const struct msrp_conn_ops *ops,
                   void *arg)
{
    int fd;
    int err = net_connect(to, &fd);
    if (err)
        return err;
    struct msrp_conn *c = new_conn(loop, fd, to, ops, arg);
    net_tune_stream(fd);
    c->phase = DIALLING;
    c->dialled = true;
    c->security = *security;
    *out = c;
    watch(c);
    return 0;
}

bool msrp_conn_is_open(const struct msrp_conn *c)
{
    return c->phase == OPEN;
}

struct tls *msrp_conn_tls(const struct msrp_conn *c)
{
    return c->out.sock.tls;
}

const struct net_addr *msrp_conn_peer(const struct msrp_conn *c)
{
    return &c->peer;
}

void msrp_conn_local(const struct msrp_conn *c, char text[NET_TEXT_SIZE])
{
    struct net_addr local;
    text[0] = '\0';
    if (net_local(c->out.sock.fd, &local) == 0)
        net_addr_text(text, &local);
}

uint64_t msrp_conn_written(const struct msrp_conn *c)
{
    return c->written;
}

uint64_t msrp_conn_taken(const struct msrp_conn *c)
{
    uint64_t waiting = msrp_out_waiting(&c->out);
    return c->written - (waiting < c->written ? waiting : c->written);
}
