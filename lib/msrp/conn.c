#include "msrp/conn.h"

#include "base/clock.h"
#include "base/mem.h"
#include "msrp/out.h"
#include "msrp/shown.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define READ_SIZE   16384
#define READS       16          /* at a time; others want to be served too */
#define TEXT_MAX    (64 * 1024) /* heads and end-lines that wait */
#define ANSWERS_MAX (64 * 1024) /* then we stop reading until the peer takes some */
#define SEND_SIZE   ((uint64_t)1024 * 1024)
#define SENDS       64 /* at a time, before answers are looked for */
#define LEAVE_MS    2000

enum phase { DIALLING, SHAKING, OPEN, LEAVING, SHUT };

struct msrp_conn {
    struct loop *loop;
    const struct msrp_conn_ops *ops;
    void *arg;
    struct loop_fd io;
    struct loop_timer timer;
    struct net_addr peer;
    enum phase phase;
    bool dialled;
    struct msrp_conn_security security; /* of one that we dial */
    struct msrp_out out;
    int busy;   /* inside handlers */
    bool gone;  /* freed while busy */
    bool ended; /* `lost` was called */
    bool waits; /* for the socket, or for its next turn, to write */
    bool hasty; /* leaves without waiting for the peer's end */
    int broken; /* writing failed so: what came before is still to be read */
    int error;
    struct msrp_parser *parser;

    struct buf text; /* goes out first */
    size_t text_out; /* so much of it went out */
    struct msrp_piece piece;
    struct buf answers; /* wait for a place between chunks */
    uint64_t written;
    struct msrp_sender *sender;
    int file;
};

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
    c->answers = BUF_UP_TO(2 * ANSWERS_MAX);
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

/* --- Sending. */

/* Where the text that waits will end in the stream. */
static uint64_t text_end(const struct msrp_conn *c)
{
    return c->written + (c->text.n - c->text_out);
}

/* What a call that writes gave. True: go on. */
static bool wrote(struct msrp_conn *c, ssize_t n)
{
    if (n >= 0) {
        c->written += (uint64_t)n;
        return true;
    }
    c->waits = errno == EAGAIN;
    if (errno != EAGAIN && errno != EINTR)
        c->broken = errno;
    return errno == EINTR;
}

static bool write_text(struct msrp_conn *c)
{
    ssize_t n =
        msrp_out_text(&c->out, c->text.p + c->text_out, c->text.n - c->text_out, c->piece.n > 0);
    if (!wrote(c, n))
        return false;
    c->text_out += n > 0 ? (size_t)n : 0;
    if (c->text_out == c->text.n) {
        buf_clear(&c->text);
        c->text_out = 0;
    }
    return true;
}

static bool write_piece(struct msrp_conn *c)
{
    size_t most = (size_t)(c->piece.n < SEND_SIZE ? c->piece.n : SEND_SIZE);
    ssize_t n = msrp_out_file(&c->out, c->file, c->piece.offset, most);
    if (n == 0 || (n < 0 && !msrp_out_is_sockets(errno))) {
        msrp_sender_unreadable(c->sender, n == 0 ? ENODATA : errno);
        c->piece.n = 0;
        return true;
    }
    if (!wrote(c, n))
        return false;
    if (n > 0) {
        c->piece.offset += (uint64_t)n;
        c->piece.n -= (uint64_t)n;
        msrp_sender_sent(c->sender, (size_t)n);
    }
    return true;
}

/* Answers go out where no chunk is open. */
static void move_answers(struct msrp_conn *c)
{
    if (c->answers.n == 0 || c->text.n)
        return;
    if (c->sender && !msrp_sender_interrupt(c->sender, clock_ms(), text_end(c), &c->text))
        return;
    c->piece.n = 0;
    if (buf_add(&c->text, c->answers.p, c->answers.n) == 0)
        buf_clear(&c->answers);
    msrp_show_sent(&c->peer, c->out.sock.tls, buf_slice(&c->text), c->piece.n);
}

static bool ask_sender(struct msrp_conn *c)
{
    if (!c->sender)
        return false;
    bool more = msrp_sender_next(c->sender, clock_ms(), text_end(c), c->answers.n == 0, &c->text,
                                 &c->piece);
    if (more)
        msrp_show_sent(&c->peer, c->out.sock.tls, buf_slice(&c->text), c->piece.n);
    return more;
}

/* The chunk under way is not to be finished: what is left of the piece stays here. */
static bool is_cut(const struct msrp_conn *c)
{
    return c->sender && msrp_sender_cut(c->sender);
}

/* One step; false: nothing to do, or the socket is full. */
static bool step(struct msrp_conn *c)
{
    if (c->text.n)
        return write_text(c);
    if (c->piece.n && is_cut(c))
        c->piece.n = 0;
    move_answers(c);
    if (c->text.n)
        return true;
    if (c->piece.n)
        return write_piece(c);
    return ask_sender(c);
}

static bool idle(const struct msrp_conn *c)
{
    return c->text.n == 0 && c->answers.n == 0 && c->piece.n == 0 && msrp_out_is_empty(&c->out);
}

static void flush(struct msrp_conn *c)
{
    int err = msrp_out_flush(&c->out);
    if (err == EAGAIN)
        c->waits = true;
    else if (err)
        c->broken = err;
}

/* The caller has entered. A long transfer comes back here by EPOLLOUT, so that reading has its
 * turn. */
static void pump(struct msrp_conn *c)
{
    if (c->gone || c->ended || c->broken || c->phase == DIALLING || c->phase == SHAKING)
        return;
    c->waits = false;
    int n = 0;
    while (n < SENDS && step(c))
        n++;
    if (!c->broken)
        flush(c);
    if (c->broken) {
        loop_at(c->loop, &c->timer, clock_ms(), on_broken, c);
        return;
    }
    if (n == SENDS)
        c->waits = true;
    if (c->phase == LEAVING && idle(c) && msrp_parser_idle(c->parser)) {
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

void msrp_conn_answer(struct msrp_conn *c, const struct msrp_head *request, int code,
                      const char *comment)
{
    int err = msrp_frame_response(&c->answers, request, code, comment);
    if (err) /* we stop reading long before */
        lost(c, err, "the peer takes no answers");
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
