/* The connection is lost at every octet of a small exchange, in every way: only what was answered
 * counts, and the message is delivered only when that is all of it. The peer lives in our loop. */
#include "msrp/conn.h"
#include "msrp/file.h"
#include "msrp/session.h"
#include "test/unit/tap.h"

#include "base/clock.h"
#include "base/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define THEM   "msrp://127.0.0.1:9/them;tcp"
#define OCTETS 300
#define CHUNK  100

static char path[] = "/tmp/msrp_lost.XXXXXX";

enum end { CLOSES, SHUTS, RESETS }; /* close; no more of its own; reset */

/* How the peer behaves. */
struct way {
    const char *name;
    enum end end;
    bool secure;
    bool waits;       /* we send a chunk when the one before is answered */
    size_t mute_from; /* it answers no chunk from this one on, of 1, 2, 3; 0: all */
    bool at_its_own;  /* the octets of what it says count, not those of what it hears */
    size_t step;      /* only every so many octets; 0: every one */
    enum msrp_failure_report report;
};

struct peer {
    struct sock sock;
    struct loop_fd io;
    struct msrp_parser *parser;
    size_t hears, says; /* so many octets until its end */
    size_t heard, said;
    size_t chunks;
    size_t answered; /* chunks, with the last octet of the answer */
    bool over;
};

static struct world {
    struct loop *loop;
    struct loop_timer guard;
    struct tls_context *tls;
    struct msrp_session *s;
    struct msrp_file file;
    char us[200];
    struct peer peer;
    const struct way *way;
    struct msrp_outcome outcome;
    int done;
    uint64_t confirmed;
    size_t hello; /* octets of the first SEND */
    bool closed;
} w;

/* --- The peer. */

static void peer_ends(void)
{
    struct peer *p = &w.peer;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (p->over)
        return;
    p->over = true;
    if (w.way->end == SHUTS) {
        (void)shutdown(p->sock.fd, SHUT_WR);
        return;
    }
    loop_unwatch(w.loop, &p->io);
    if (w.way->end == RESETS &&
        setsockopt(p->sock.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) != 0)
        exit(2);
    (void)close(p->sock.fd); /* TLS says no end */
    p->sock.fd = -1;
}

/* True: all of it went out. */
static bool say(const char *text)
{
    struct peer *p = &w.peer;
    size_t n = strlen(text);
    size_t most = n < p->says - p->said ? n : p->says - p->said;
    if (p->over)
        return false;
    if (most && sock_write(&p->sock, text, most) != (ssize_t)most)
        exit(2); /* it has room for all of this */
    p->said += most;
    if (p->said == p->says)
        peer_ends();
    return most == n;
}

static void hello(void)
{
    char text[500];
    (void)snprintf(text, sizeof(text),
                   "MSRP hello SEND\r\nTo-Path: %s\r\nFrom-Path: " THEM
                   "\r\nMessage-ID: p123\r\nByte-Range: 1-0/0\r\n-------hello$\r\n",
                   w.us);
    w.hello = strlen(text);
    (void)say(text);
}

static void answer(const struct msrp_head *request)
{
    struct buf b = BUF_UP_TO(1000);
    struct peer *p = &w.peer;
    if (w.way->mute_from && ++p->chunks >= w.way->mute_from)
        return;
    if (msrp_frame_response(&b, request, 200, NULL) != 0)
        exit(2);
    p->answered += say(b.p);
    buf_free(&b);
}

static void hear(struct slice in)
{
    struct peer *p = &w.peer;
    struct msrp_event ev;
    enum msrp_kind kind;
    p->heard += in.n;
    while ((kind = msrp_parse(p->parser, &in, &ev)) != MSRP_MORE && kind != MSRP_BAD)
        if (kind == MSRP_END && ev.head->request)
            answer(ev.head);
    if (p->heard == p->hears)
        peer_ends();
}

static void on_peer(void *arg, uint32_t events)
{
    struct peer *p = &w.peer;
    char bytes[4096];
    bool shaking = p->sock.shaking;
    (void)arg;
    (void)events;
    int err = sock_shake(&p->sock);
    if (err && err != EAGAIN)
        exit(2);
    if (!err && shaking)
        hello();
    while (!err && p->sock.fd >= 0) {
        size_t left = p->over ? sizeof(bytes) : p->hears - p->heard;
        ssize_t n = sock_read(&p->sock, bytes, left < sizeof(bytes) ? left : sizeof(bytes));
        if (n <= 0) {
            err = n < 0 && errno == EAGAIN ? EAGAIN : EPIPE;
        } else if (!p->over) {
            hear((struct slice){bytes, (size_t)n});
        }
    }
    if (err == EPIPE || p->sock.fd < 0)
        loop_unwatch(w.loop, &p->io);
    else if (loop_watch(w.loop, &p->io, p->sock.fd, sock_events(&p->sock, EPOLLIN), on_peer,
                        NULL) != 0)
        exit(2);
}

static void peer_begins(uint16_t port)
{
    static const struct tls_peer anybody = {TLS_CHECK_LATER, NULL};
    struct peer *p = &w.peer;
    struct net_addr to;
    char text[NET_TEXT_SIZE];
    (void)snprintf(text, sizeof(text), "127.0.0.1:%u", port);
    p->sock.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (net_parse(text, &to) != 0 || connect(p->sock.fd, (struct sockaddr *)&to.ss, to.len) != 0 ||
        fcntl(p->sock.fd, F_SETFL, O_NONBLOCK) != 0)
        exit(2);
    net_tune_stream(p->sock.fd);
    p->parser = msrp_parser_new();
    if (w.way->secure && sock_tls_client(&p->sock, w.tls, NULL, &anybody) != 0)
        exit(2);
    if (!w.way->secure)
        hello();
    on_peer(NULL, 0);
}

/* --- The session. */

static void connected(void *arg, const struct msrp_connected *c)
{
    (void)arg;
    (void)c;
}

static void received(void *arg, struct slice content_type, struct slice body)
{
    (void)arg;
    (void)content_type;
    (void)body;
}

static void done(void *arg, const struct msrp_outcome *o)
{
    (void)arg;
    w.outcome = *o;
    w.done++;
    w.confirmed = msrp_session_progress(w.s).confirmed;
    msrp_session_close(w.s);
}

static void closed(void *arg)
{
    (void)arg;
    w.closed = true;
    loop_stop(w.loop);
}

static void too_late(void *arg)
{
    (void)arg;
    loop_stop(w.loop);
}

static void begin_session(uint16_t *port)
{
    static const struct msrp_session_ops ops = {NULL, connected, received, done, closed};
    struct net_bind any = {.host = "127.0.0.1"};
    struct net_addr bound;
    const struct msrp_session_plan plan = {.loop = w.loop,
                                           .tls = w.way->secure ? w.tls : NULL,
                                           .file = w.file.fd,
                                           .accept_timeout_ms = 10000,
                                           .stall_timeout_ms = 10000,
                                           .dial_after_ms = 10000,
                                           .sending = {.message_id = SLICE("m123"),
                                                       .content_type = "message/cpim",
                                                       .total = OCTETS,
                                                       .octets = msrp_file_octets(&w.file),
                                                       .failure_report = w.way->report,
                                                       .report_timeout_ms = 10000,
                                                       .chunk = CHUNK,
                                                       .stop_and_wait = w.way->waits}};
    w.s = msrp_session_new(&plan, &ops, NULL);
    if (msrp_session_listen(w.s, &any, AF_INET, &bound) != 0)
        exit(2);
    *port = net_port(&bound);
    (void)snprintf(w.us, sizeof(w.us), "msrp%s://127.0.0.1:%u/secret;tcp", w.way->secure ? "s" : "",
                   *port);
    if (msrp_session_name(w.s, w.us) != 0)
        exit(2);
}

static void clear(void)
{
    struct peer *p = &w.peer;
    loop_unwatch(w.loop, &p->io);
    if (p->sock.fd >= 0)
        (void)close(p->sock.fd);
    tls_free(p->sock.tls);
    msrp_parser_free(p->parser);
    loop_cancel(w.loop, &w.guard);
    msrp_session_free(w.s);
}

/* One exchange, whose peer ends after so many octets. */
static void play(const struct way *way, size_t after)
{
    struct msrp_answer a = {.path = THEM, .setup = "active"};
    uint16_t port;
    w.way = way;
    w.outcome = (struct msrp_outcome){.status = -1};
    w.done = 0;
    w.closed = false;
    w.peer = (struct peer){.hears = way->at_its_own ? SIZE_MAX : after,
                           .says = way->at_its_own ? after : SIZE_MAX};
    if (way->secure) {
        a.path = "msrps://127.0.0.1:9/them;tcp";
        a.fingerprint = tls_context_fingerprint(w.tls);
    }
    begin_session(&port);
    if (msrp_session_answered(w.s, &a) != 0)
        exit(2);
    peer_begins(port);
    loop_at(w.loop, &w.guard, clock_ms() + 20000, too_late, NULL);
    loop_run(w.loop);
    clear();
}

/* Where answers are due they count; else it is an end in order that is no error. */
static bool as_it_should(bool reset)
{
    bool answers = w.way->report == MSRP_FAILURE_YES;
    bool whole = answers ? w.peer.answered * CHUNK == OCTETS : !reset;
    return w.done == 1 && w.closed && w.outcome.status == (whole ? 0 : 75) &&
           (!answers || w.confirmed == w.peer.answered * CHUNK);
}

static void everywhere(const struct way *way)
{
    struct way sound = *way;
    sound.mute_from = 0;
    play(&sound, SIZE_MAX);
    size_t all = way->at_its_own ? w.peer.said : w.peer.heard;
    size_t first = way->at_its_own ? w.hello : 1;
    size_t tried = 0, wrong = 0, delivered = 0, where = 0;
    tap_ok(w.outcome.status == 0 && w.confirmed == OCTETS, "to its end: %zu octets", all);
    for (size_t after = all; after >= first; after -= way->step ? way->step : 1) {
        play(way, after);
        tried++;
        delivered += w.outcome.status == 0;
        if (!as_it_should(after < all || way->end == RESETS)) {
            wrong++;
            where = after;
        }
    }
    if (!tap_ok(wrong == 0, "%s, at %zu places; delivered: %zu", way->name, tried, delivered))
        printf("# %zu times not so, at %zu last: status %d (%s), %zu octets\n", wrong, where,
               w.outcome.status, w.outcome.why, (size_t)w.confirmed);
}

/* --- Last words: our own answer meets a closed connection, behind which another one waits. */

struct last {
    struct loop *loop;
    int peer;
    int code, error;
};

static void on_event(void *arg, struct msrp_conn *c, const struct msrp_event *ev)
{
    static const char words[] = "MSRP abcd 200 OK\r\n-------abcd$\r\n";
    struct last *l = arg;
    if (ev->kind != MSRP_END)
        return;
    if (!ev->head->request) {
        l->code = ev->head->code;
        return;
    }
    if (write(l->peer, words, strlen(words)) != (ssize_t)strlen(words) || close(l->peer) != 0)
        exit(2);
    msrp_conn_answer(c, ev->head, 200, NULL);
}

static void on_handled(void *arg, struct msrp_conn *c)
{
    (void)arg;
    (void)c;
}

static void on_lost(void *arg, struct msrp_conn *c, int error, const char *why)
{
    struct last *l = arg;
    (void)c;
    (void)why;
    l->error = error;
    loop_stop(l->loop);
}

static void test_last_words(void)
{
    static const struct msrp_conn_ops ops = {
        .event = on_event, .handled = on_handled, .lost = on_lost};
    static const char ask[] = "MSRP hello SEND\r\nTo-Path: " THEM "\r\nFrom-Path: " THEM
                              "\r\nMessage-ID: p123\r\n-------hello$\r\n";
    struct last l = {.loop = w.loop};
    struct net_addr nowhere = {.len = 0};
    int s[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s) != 0 ||
        write(s[1], ask, strlen(ask)) != (ssize_t)strlen(ask))
        exit(2);
    l.peer = s[1];
    struct msrp_conn *c = msrp_conn_take(w.loop, s[0], &nowhere, NULL, &ops, &l);
    loop_at(w.loop, &w.guard, clock_ms() + 20000, too_late, NULL);
    loop_run(w.loop);
    loop_cancel(w.loop, &w.guard);
    tap_is_int(l.code, 200, "what came before we could not write any more is heard");
    tap_is_int(l.error, EPIPE, "and then the end");
    msrp_conn_free(c);
}

int main(void)
{
    static const struct way ways[] = {
        {.name = "it closes", .end = CLOSES},
        {.name = "it ends its own direction", .end = SHUTS},
        {.name = "it resets", .end = RESETS},
        {.name = "it closes, one chunk at a time", .end = CLOSES, .waits = true},
        {.name = "it resets, one chunk at a time", .end = RESETS, .waits = true},
        {.name = "it closes without its last answer", .end = CLOSES, .mute_from = 3},
        {.name = "it resets without its last answer", .end = RESETS, .mute_from = 3},
        {.name = "it closes within what it says", .end = CLOSES, .at_its_own = true},
        {.name = "it ends its own direction within what it says", .end = SHUTS, .at_its_own = true},
        {.name = "it resets within what it says", .end = RESETS, .at_its_own = true},
        {.name = "it closes without an end of TLS", .end = CLOSES, .secure = true},
        {.name = "it resets with TLS", .end = RESETS, .secure = true, .step = 3},
        {.name = "it closes without an end of TLS within what it says",
         .end = CLOSES,
         .secure = true,
         .at_its_own = true,
         .step = 5},
    };
    const struct tls_plan plan = {.make_cert = true};
    char why[TLS_WHY_SIZE] = "";
    char message[OCTETS];
    memset(message, 'm', OCTETS);
    (void)signal(SIGPIPE, SIG_IGN);
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, message, OCTETS) != OCTETS || close(fd) != 0 ||
        msrp_file_open(&w.file, path) != 0)
        return 2;
    (void)unlink(path);
    if (!tap_ok(tls_context_new(&w.tls, &plan, why) == 0, "TLS is there: %s", why))
        return tap_done();
    w.loop = loop_new();
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        everywhere(&ways[i]);
    test_last_words();
    loop_free(w.loop);
    tls_context_free(w.tls);
    msrp_file_close(&w.file);
    return tap_done();
}
