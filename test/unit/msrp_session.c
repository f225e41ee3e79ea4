/* The session over loopback: who may connect, what is answered, and how it ends. The peer is a
 * child process that plays a script on blocking sockets; its exit status is part of the test. */
#include "msrp/file.h"
#include "msrp/session.h"
#include "test/unit/tap.h"
#include "test/unit/zone.h"

#include "base/clock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define THEM   "msrp://127.0.0.1:9/them;tcp"
#define OTHER  "msrp://127.0.0.1:9/other;tcp"
#define MOVED  "msrp://192.0.2.77:1234/them;tcp"
#define OCTETS 200000

static char path[] = "/tmp/msrp_session.XXXXXX";
static char message[OCTETS];

struct world {
    struct loop *loop;
    struct msrp_session *s;
    struct msrp_file file;
    char us[200];
    uint16_t port;
    const char *answer;
    const char *setup;
    char *address;
    int64_t answer_after_ms;
    int64_t stop_after_ms;
    struct loop_timer answer_timer, stop_timer;
    struct loop_child child;
    bool child_gone, closed;
    int child_status;
    struct msrp_outcome outcome;
    int done;
    char role[16];
    char received[300];
};

static struct world w;

/* --- The peer, in the child. */

static int connect_to(uint16_t port)
{
    struct net_addr to;
    char text[NET_TEXT_SIZE];
    (void)snprintf(text, sizeof(text), "127.0.0.1:%u", port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval limit = {.tv_sec = 10};
    if (net_parse(text, &to) != 0 || connect(fd, (struct sockaddr *)&to.ss, to.len) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0)
        _exit(99);
    return fd;
}

static void say(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        _exit(98);
}

static void say_send(int fd, const char *to, const char *from, const char *rest)
{
    char text[1200];
    (void)snprintf(text, sizeof(text),
                   "MSRP peer1 SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: p123\r\n%s"
                   "-------peer1$\r\n",
                   to, from, rest);
    say(fd, text);
}

static void hello(int fd, const char *to, const char *from)
{
    say_send(fd, to, from, "Byte-Range: 1-0/0\r\n");
}

/* One connection as the peer reads it. */
struct reader {
    int fd;
    struct msrp_parser *p;
    char bytes[4096];
    struct slice in;
    struct msrp_event ev;
    size_t octets; /* of the message, as they should be */
};

static enum msrp_kind next(struct reader *r)
{
    if (!r->p)
        r->p = msrp_parser_new();
    for (;;) {
        enum msrp_kind kind = msrp_parse(r->p, &r->in, &r->ev);
        if (kind != MSRP_MORE)
            return kind;
        ssize_t n = read(r->fd, r->bytes, sizeof(r->bytes));
        if (n <= 0)
            return MSRP_MORE;
        r->in = (struct slice){r->bytes, (size_t)n};
    }
}

/* The code of the next response; the message's octets on the way there count, chunks are not
 * answered. 0: the connection ended. */
static int next_code(struct reader *r)
{
    enum msrp_kind kind;
    while ((kind = next(r)) != MSRP_MORE && kind != MSRP_BAD) {
        if (kind == MSRP_DATA && memcmp(message + r->octets, r->ev.data.p, r->ev.data.n) == 0)
            r->octets += r->ev.data.n;
        if (kind == MSRP_END && !r->ev.head->request)
            return r->ev.head->code;
    }
    return 0;
}

/* Takes the message and answers each chunk; 0 when it came as a whole. */
static int take_all(struct reader *r, int code)
{
    struct buf out = BUF_UP_TO(1000);
    enum msrp_kind kind;
    while ((kind = next(r)) != MSRP_MORE && kind != MSRP_BAD) {
        if (kind == MSRP_DATA && memcmp(message + r->octets, r->ev.data.p, r->ev.data.n) == 0)
            r->octets += r->ev.data.n;
        if (kind != MSRP_END || !r->ev.head->request)
            continue;
        if (msrp_frame_response(&out, r->ev.head, code, NULL) != 0)
            return 97;
        say(r->fd, out.p);
        buf_clear(&out);
        if (r->ev.flag != '+' || code != 200)
            return r->ev.flag == '$' && r->octets == OCTETS ? 0 : 1;
    }
    return 2;
}

static int peer_plain(void)
{
    struct reader r = {.fd = connect_to(w.port)};
    hello(r.fd, w.us, THEM);
    return next_code(&r) == 200 ? take_all(&r, 200) : 10;
}

static int peer_refuses(void)
{
    struct reader r = {.fd = connect_to(w.port)};
    hello(r.fd, w.us, THEM);
    if (next_code(&r) != 200)
        return 10;
    (void)take_all(&r, 413);
    return 0;
}

static int peer_wrong_session(void)
{
    struct reader r = {.fd = connect_to(w.port)};
    hello(r.fd, "msrp://127.0.0.1:1/nonsense;tcp", THEM);
    if (next_code(&r) != 481 || next_code(&r) != 0)
        return 11;
    return peer_plain();
}

/* Two branches of a fork come before the answer; the one that it does not name gets nothing. */
static int peer_fork(void)
{
    struct reader one = {.fd = connect_to(w.port)};
    struct reader two = {.fd = connect_to(w.port)};
    hello(one.fd, w.us, OTHER);
    hello(two.fd, w.us, THEM);
    if (next_code(&one) != 200 || next_code(&two) != 200)
        return 12;
    int status = take_all(&two, 200);
    return next(&one) == MSRP_MORE && one.octets == 0 ? status : 13;
}

static int peer_second(void)
{
    struct reader one = {.fd = connect_to(w.port)};
    hello(one.fd, w.us, THEM);
    if (next_code(&one) != 200)
        return 14;
    struct reader two = {.fd = connect_to(w.port)};
    hello(two.fd, w.us, THEM);
    if (next_code(&two) != 506 || next_code(&two) != 0)
        return 15;
    return take_all(&one, 200);
}

/* While nothing is answered the window is full; whatever we ask is answered all the same. */
static int peer_talks(void)
{
    struct reader r = {.fd = connect_to(w.port)};
    hello(r.fd, w.us, THEM);
    if (next_code(&r) != 200)
        return 16;
    say_send(r.fd, w.us, THEM, "Byte-Range: 1-2/2\r\nContent-Type: a/b\r\n\r\nhi\r\n");
    if (next_code(&r) != 200)
        return 17;
    char text[1000];
    (void)snprintf(text, sizeof(text),
                   "MSRP peer2 NICKNAME\r\nTo-Path: %s\r\nFrom-Path: " THEM "\r\n-------peer2$\r\n"
                   "MSRP peer3 REPORT\r\nTo-Path: %s\r\nFrom-Path: " THEM
                   "\r\nMessage-ID: nobody\r\nStatus: 000 200 OK\r\n-------peer3$\r\n"
                   "MSRP peer4 SEND\r\nTo-Path: %s\r\nFrom-Path: " THEM "\r\n-------peer4$\r\n",
                   w.us, w.us, w.us);
    say(r.fd, text);
    return next_code(&r) == 501 && next_code(&r) == 400 ? 0 : 18;
}

static int peer_silent(void)
{
    struct reader r[40];
    for (int i = 0; i < 40; i++)
        r[i] = (struct reader){.fd = connect_to(w.port)};
    return peer_plain() + (r[0].octets ? 1 : 0);
}

static int peer_mute(void)
{
    struct reader r = {.fd = connect_to(w.port)};
    return take_all(&r, 200);
}

static int peer_stranger(void)
{
    struct reader r = {.fd = connect_to(w.port)};
    say(r.fd, "GET / HTTP/1.1\r\n");
    return next(&r) == MSRP_MORE ? peer_plain() : 19;
}

/* Reads on after the session was stopped: the chunk under way ends with "#". */
static int peer_stopped(void)
{
    struct reader r = {.fd = connect_to(w.port)};
    hello(r.fd, w.us, THEM);
    if (next_code(&r) != 200)
        return 20;
    enum msrp_kind kind;
    while ((kind = next(&r)) != MSRP_END && kind != MSRP_MORE) {
    }
    return kind == MSRP_END && (r.ev.flag == '+' || r.ev.flag == '#') ? 0 : 21;
}

static int listening_fd = -1;

static int peer_listens(void)
{
    struct reader r = {.fd = accept(listening_fd, NULL, NULL)};
    return take_all(&r, 200);
}

static int peer_absent(void)
{
    return 0;
}

/* --- The session, in the parent. */

static void look_for_end(void)
{
    if (w.done && w.child_gone && w.closed)
        loop_stop(w.loop);
}

static void connected(void *arg, const struct msrp_connected *c)
{
    (void)arg;
    (void)snprintf(w.role, sizeof(w.role), "%s", c->role);
}

static void received(void *arg, struct slice content_type, struct slice body)
{
    (void)arg;
    (void)snprintf(w.received, sizeof(w.received), "%.*s: %.*s", (int)content_type.n,
                   content_type.p, (int)body.n, body.p);
}

static void done(void *arg, const struct msrp_outcome *o)
{
    (void)arg;
    w.outcome = *o;
    w.done++;
    msrp_session_close(w.s);
}

static void closed(void *arg)
{
    (void)arg;
    w.closed = true;
    look_for_end();
}

static void child_ended(void *arg, int status)
{
    (void)arg;
    w.child_gone = true;
    w.child_status = WIFEXITED(status) ? WEXITSTATUS(status) : 100;
    look_for_end();
}

static void answer(void *arg)
{
    (void)arg;
    const struct msrp_answer a = {.path = w.answer, .setup = w.setup, .address = w.address};
    if (msrp_session_answered(w.s, &a) != 0)
        tap_ok(false, "the answer's path is taken");
}

static void stop(void *arg)
{
    (void)arg;
    msrp_session_stop(w.s, 75, "stopped");
}

static void begin(struct msrp_session_plan plan)
{
    static const struct msrp_session_ops ops = {NULL, connected, received, done, closed};
    struct net_bind any = {.host = "127.0.0.1"};
    struct net_addr bound;
    w = (struct world){.loop = loop_new(), .answer = THEM, .setup = "active"};
    if (msrp_file_open(&w.file, path) != 0)
        exit(2);
    plan.loop = w.loop;
    plan.file = w.file.fd;
    plan.accept_timeout_ms = plan.accept_timeout_ms ? plan.accept_timeout_ms : 10000;
    plan.stall_timeout_ms = 10000;
    plan.dial_after_ms = plan.dial_after_ms ? plan.dial_after_ms : 50;
    plan.sending.message_id = SLICE("m123");
    plan.sending.content_type = "message/cpim";
    plan.sending.total = OCTETS;
    plan.sending.octets = msrp_file_octets(&w.file);
    w.s = msrp_session_new(&plan, &ops, NULL);
    if (msrp_session_listen(w.s, &any, AF_INET, &bound) != 0)
        exit(2);
    w.port = net_port(&bound);
    (void)snprintf(w.us, sizeof(w.us), "msrp://127.0.0.1:%u/se/cr+et;tcp", w.port);
    if (msrp_session_name(w.s, w.us) != 0)
        exit(2);
}

static void play(int (*peer)(void))
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(peer());
    loop_at(w.loop, &w.answer_timer, clock_ms() + w.answer_after_ms, answer, NULL);
    if (w.stop_after_ms)
        loop_at(w.loop, &w.stop_timer, clock_ms() + w.stop_after_ms, stop, NULL);
    loop_child(w.loop, &w.child, pid, child_ended, NULL);
    loop_run(w.loop);
    msrp_session_free(w.s);
    msrp_file_close(&w.file);
    loop_free(w.loop);
}

/* Status of the verdict, and the peer's own. */
static void is(int status, const char *what)
{
    if (!tap_ok(w.done == 1 && w.outcome.status == status && w.child_status == 0, "%s", what))
        printf("# verdicts %d, status %d (%s), peer %d\n", w.done, w.outcome.status, w.outcome.why,
               w.child_status);
}

#define PLAN(...) ((struct msrp_session_plan){__VA_ARGS__})

static void test_connections(void)
{
    begin(PLAN(.setup = MSRP_PASSIVE));
    play(peer_plain);
    is(0, "the peer connects and gets the message");
    tap_is_str(w.role, "passive", "we were passive");
    begin(PLAN(.setup = MSRP_PASSIVE));
    w.answer_after_ms = 300;
    w.answer = MOVED;
    play(peer_fork);
    is(0, "of early connections the answer chooses, by session id");
    begin(PLAN(.setup = MSRP_PASSIVE));
    play(peer_wrong_session);
    is(0, "a wrong session id gets 481 and an end, and harms nobody");
    begin(PLAN(.setup = MSRP_PASSIVE));
    play(peer_second);
    is(0, "a second connection gets 506");
    begin(PLAN(.setup = MSRP_PASSIVE));
    play(peer_silent);
    is(0, "a flood of silent connections does not keep the peer out");
    begin(PLAN(.setup = MSRP_PASSIVE));
    play(peer_stranger);
    is(0, "nor does one that speaks something else");
    begin(PLAN(.setup = MSRP_PASSIVE, .speak_first_ms = 50));
    play(peer_mute);
    is(0, "a silent peer gets the message only when that was asked for");
    begin(PLAN(.setup = MSRP_PASSIVE, .accept_timeout_ms = 200));
    play(peer_mute);
    tap_ok(w.outcome.status == 75 && w.child_status == 2, "else nothing, and it is 75");
}

static void listen_as_peer(char address[NET_TEXT_SIZE])
{
    struct net_bind any = {.host = "127.0.0.1"};
    struct net_addr bound;
    if (net_open(SOCK_STREAM, &any, AF_INET, false, &listening_fd, &bound) != 0 ||
        fcntl(listening_fd, F_SETFL, 0) != 0)
        exit(2);
    net_addr_text(address, &bound);
}

static void test_dialling(void)
{
    char address[NET_TEXT_SIZE];
    char uri[200];
    listen_as_peer(address);
    (void)snprintf(uri, sizeof(uri), "msrp://%s/them;tcp", address);
    begin(PLAN(.setup = MSRP_PASSIVE, .dial_after_ms = 100000));
    w.answer = uri;
    w.setup = "passive";
    play(peer_listens);
    is(0, "a passive peer is dialled at once");
    tap_is_str(w.role, "active", "we were active");
    begin(PLAN(.setup = MSRP_PASSIVE));
    w.answer = uri;
    w.setup = NULL;
    play(peer_listens);
    is(0, "one without a=setup after a while");
    begin(PLAN(.setup = MSRP_ACTIVE));
    w.address = address;
    w.setup = "passive";
    play(peer_listens);
    is(0, "port 9 is never dialled, the address of c= and m= is");
    (void)close(listening_fd);
    begin(PLAN(.setup = MSRP_PASSIVE));
    w.answer = uri;
    w.setup = "passive";
    play(peer_absent);
    is(75, "nobody there: 75");
}

/* A host name in the answer's path: its addresses, one after the other (RFC 4975 6.2). */
static void name_the_peer(char uri[200], const char *address)
{
    (void)snprintf(uri, 200, "msrp://media.example.com%s/them;tcp", strchr(address, ':'));
    dns_server_start(w.loop);
}

static void test_names(void)
{
    char address[NET_TEXT_SIZE];
    char uri[200];
    struct dns_config config = {.servers = dns_server.address, .timeout_ms = 3500};
    listen_as_peer(address);
    begin(PLAN(.setup = MSRP_PASSIVE, .dns = config));
    name_the_peer(uri, address);
    zone_address("media.example.com", "127.0.0.77");
    zone_address("media.example.com", "127.0.0.1");
    w.answer = uri;
    w.setup = "passive";
    play(peer_listens);
    is(0, "the second address of a name, where the first refuses");
    tap_ok(strstr(dns_server.asked, "A:media.example.com") != NULL &&
               strstr(dns_server.asked, "SRV") == NULL && strstr(dns_server.asked, "NAPTR") == NULL,
           "only addresses were asked for");
    begin(PLAN(.setup = MSRP_PASSIVE, .dns = config));
    name_the_peer(uri, address);
    zone_mood(ZONE_LOST, "media.example.com", 0);
    w.answer = uri;
    w.address = address;
    w.setup = "passive";
    play(peer_listens);
    is(0, "a name that does not exist: the address of c= and m=");
    (void)close(listening_fd);
    begin(PLAN(.setup = MSRP_PASSIVE, .dns = config, .accept_timeout_ms = 100));
    name_the_peer(uri, address);
    w.answer = uri;
    w.setup = "passive";
    play(peer_absent);
    is(75, "nothing to dial: 75");
    begin(PLAN(.setup = MSRP_PASSIVE, .dns = config));
    name_the_peer(uri, address);
    zone_mood(ZONE_SILENT, "media.example.com", 0);
    w.answer = uri;
    play(peer_plain);
    is(0, "a peer who connects does not wait for the DNS");
}

static void test_ends(void)
{
    begin(PLAN(.setup = MSRP_PASSIVE));
    play(peer_refuses);
    is(69, "413 ends it");
    begin(PLAN(.setup = MSRP_PASSIVE));
    play(peer_talks);
    is(75, "a peer that goes away: 75");
    tap_is_str(w.received, "a/b: hi", "what it sent was handed on");
    begin(PLAN(.setup = MSRP_PASSIVE));
    w.stop_after_ms = 300;
    play(peer_stopped);
    is(75, "a stopped session gives up after the last answers could have come");
}

int main(void)
{
    for (size_t i = 0; i < OCTETS; i++)
        message[i] = (char)(i * 7919 >> 3);
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, message, OCTETS) != OCTETS || close(fd) != 0)
        return 2;
    test_connections();
    test_dialling();
    test_names();
    test_ends();
    (void)unlink(path);
    return tap_done();
}
