/* TCP: framing, and what becomes of connections (RFC 3261 18). */
#include "test/unit/sip_raw.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#define TIMERS ((struct sip_timers){20, 80, 60})
#define LONG   (64 * 20)

static const char options[] = "OPTIONS sip:bob@127.0.0.1 SIP/2.0\r\n"
                              "Via: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKs%d\r\n"
                              "Max-Forwards: 70\r\nFrom: <sip:raw@example.com>;tag=r1\r\n"
                              "To: <sip:bob@example.com>\r\nCall-ID: raw-1\r\nCSeq: 1 OPTIONS\r\n"
                              "%s\r\n";

static char *text_of(int branch, const char *headers)
{
    return mem_format(options, branch, headers);
}

static void send_text(struct raw *r, const char *text)
{
    raw_bytes(r, NULL, text, strlen(text));
}

static void send_options(struct raw *r, int branch, const char *headers)
{
    char *text = text_of(branch, headers);
    send_text(r, text);
    free(text);
}

static void byte_by_byte(void)
{
    struct pair *p = pair_new(SIP_TCP, "127.0.0.1", SIP_TIMERS_DEFAULT);
    struct raw r;
    raw_connect(&r, p);
    int on = 1;
    (void)setsockopt(r.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    char *text = text_of(1, "Content-Type: text/plain\r\nl: 5\r\n");
    for (size_t i = 0; text[i]; i++) {
        raw_bytes(&r, NULL, text + i, 1);
        pair_run(p, 0, 0);
    }
    raw_bytes(&r, NULL, "hel", 3);
    pair_run(p, 0, 5);
    tap_is_str(p->log, "", "nothing before the last octet");
    raw_bytes(&r, NULL, "lo", 2);
    pair_run(p, 2, 5000);
    tap_is_str(p->log, "b:OPTIONS r:200", "a message in single octets");
    free(text);
    raw_close(&r);
    pair_free(p);
}

static void all_at_once(void)
{
    struct pair *p = pair_new(SIP_TCP, "127.0.0.1", SIP_TIMERS_DEFAULT);
    struct raw r;
    raw_connect(&r, p);
    char *one = text_of(1, "Content-Type: text/plain\r\nContent-Length: 2\r\n");
    char *two = text_of(2, "Content-Length: 0\r\n");
    char *both = mem_format("\r\n\r\n%s\r\n%s\r\n\r\n%s", one, two, "\r\n\r\n");
    both[4 + strlen(one)] = 'h';
    send_text(&r, both);
    pair_run(p, 6, 5000);
    tap_is_str(p->log, "b:OPTIONS b:OPTIONS r:pong r:200 r:200 r:pong",
               "two messages in one read, among keep-alives, of which two have a pong");
    free(one);
    free(two);
    free(both);
    raw_close(&r);
    pair_free(p);
}

static void refused(const char *headers, const char *what)
{
    struct pair *p = pair_new(SIP_TCP, "127.0.0.1", SIP_TIMERS_DEFAULT);
    struct raw r;
    raw_connect(&r, p);
    send_options(&r, 1, headers);
    pair_run(p, 2, 5000);
    tap_is_str(p->log, "r:400 r:closed", what);
    raw_close(&r);
    pair_free(p);
}

static void closed_for(const char *bytes, size_t n, const char *what)
{
    struct pair *p = pair_new(SIP_TCP, "127.0.0.1", SIP_TIMERS_DEFAULT);
    struct raw r;
    raw_connect(&r, p);
    raw_bytes(&r, NULL, bytes, n);
    pair_run(p, 1, 5000);
    tap_is_str(p->log, "r:closed", what);
    raw_close(&r);
    pair_free(p);
}

static void half_a_message(void)
{
    struct pair *p = pair_new(SIP_TCP, "127.0.0.1", TIMERS);
    struct raw r;
    raw_connect(&r, p);
    send_text(&r, "OPTIONS sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1");
    int64_t start = clock_ms();
    pair_run(p, 1, 10000);
    tap_ok(strcmp(p->log, "r:closed") == 0 && clock_ms() - start >= LONG - 50,
           "half a message is waited for, but not for ever");
    raw_close(&r);
    pair_free(p);
}

/* As many as are allowed; the one that never said anything goes first. */
static void many_guests(void)
{
    struct pair *p = pair_new(SIP_TCP, "127.0.0.1", SIP_TIMERS_DEFAULT);
    struct raw good, silent, late;
    sip_stack_limit(p->b, SIZE_MAX, 2);
    raw_connect(&good, p);
    send_options(&good, 1, "Content-Length: 0\r\n");
    pair_run(p, 2, 5000);
    raw_connect(&silent, p);
    pair_run(p, 0, 20);
    raw_connect(&late, p);
    pair_run(p, 3, 5000);
    tap_is_str(p->log, "b:OPTIONS r:200 r:closed", "one guest too many: a silent one goes");
    send_options(&good, 2, "Content-Length: 0\r\n");
    send_options(&late, 3, "Content-Length: 0\r\n");
    pair_run(p, 7, 5000);
    tap_ok(strstr(p->log, "r:closed b:") && !p->timed_out && p->words == 7, "the others stay: %s",
           p->log);
    raw_close(&good);
    raw_close(&late);
    loop_unwatch(p->loop, &silent.watch);
    (void)close(silent.fd);
    pair_free(p);
}

static void silent_guest(void)
{
    struct pair *p = pair_new(SIP_TCP, "127.0.0.1", TIMERS);
    struct raw r;
    raw_connect(&r, p);
    pair_run(p, 1, 10000);
    tap_is_str(p->log, "r:closed", "who connects and says nothing is not kept for ever");
    raw_close(&r);
    pair_free(p);
}

static void endless_head(void)
{
    struct pair *p = pair_new(SIP_TCP, "127.0.0.1", SIP_TIMERS_DEFAULT);
    struct raw r;
    raw_connect(&r, p);
    send_text(&r, "OPTIONS sip:bob@127.0.0.1 SIP/2.0\r\n");
    char line[1024];
    memset(line, 'a', sizeof line);
    memcpy(line, "X: ", 3);
    memcpy(line + sizeof line - 2, "\r\n", 2);
    for (int i = 0; i < 64; i++)
        raw_bytes(&r, NULL, line, sizeof line);
    pair_run(p, 1, 5000);
    tap_is_str(p->log, "r:closed", "a head without end is not kept for ever");
    raw_close(&r);
    pair_free(p);
}

/* --- Connections as the client sees them. */

static void dies_early(void)
{
    struct pair *p = pair_new(SIP_TCP, "127.0.0.1", SIP_TIMERS_DEFAULT);
    struct raw r;
    raw_listen(&r, p);
    p->to_b.addr = r.at;
    pair_invite(p);
    pair_run(p, 2, 5000);
    tap_is_str(p->log, "r:accepted r:INVITE", "one connection, one INVITE");
    pair_run(p, 0, 700);
    tap_is_int(r.count, 1, "which is not repeated on a stream");
    raw_close(&r);
    pair_run(p, 3, 5000);
    tap_is_str(p->log, "r:accepted r:INVITE INVITE:ECONNRESET", "its end is told");
    pair_free(p);
}

static void used_again(void)
{
    struct pair *p = pair_new(SIP_TCP, "127.0.0.1", SIP_TIMERS_DEFAULT);
    struct raw r;
    raw_listen(&r, p);
    p->to_b.addr = r.at;
    (void)sip_request(p->a, pair_request(p, "OPTIONS", 1, NULL), &p->to_b, &pair_client, p);
    (void)sip_request(p->a, pair_request(p, "OPTIONS", 2, NULL), &p->to_b, &pair_client, p);
    pair_run(p, 3, 5000);
    tap_is_str(p->log, "r:accepted r:OPTIONS r:OPTIONS", "one connection for both requests");
    raw_close(&r);
    pair_run(p, 5, 5000);
    tap_is_str(p->log, "r:accepted r:OPTIONS r:OPTIONS OPTIONS:ECONNRESET OPTIONS:ECONNRESET",
               "and both fail with it");
    pair_free(p);
}

static void broken_meanwhile(void)
{
    struct pair *p = pair_new(SIP_TCP, "127.0.0.1", SIP_TIMERS_DEFAULT);
    struct raw r;
    raw_listen(&r, p);
    p->to_b.addr = r.at;
    tap_ok(sip_send(p->a, pair_request(p, "ACK", 1, NULL), &p->to_b) == 0, "an ACK connects too");
    pair_run(p, 2, 5000);
    loop_unwatch(p->loop, &r.watch);
    (void)close(r.fd);
    pair_run(p, 0, 20);
    r.n = r.noted = 0;
    (void)sip_request(p->a, pair_request(p, "OPTIONS", 1, NULL), &p->to_b, &pair_client, p);
    pair_run(p, 4, 5000);
    tap_is_str(p->log, "r:accepted r:ACK r:accepted r:OPTIONS",
               "after its end a new connection is made");
    raw_close(&r);
    pair_free(p);
}

static void keep(struct pair *p, struct sip_server *s, const osip_message_t *m,
                 struct sip_server *invite)
{
    (void)m;
    (void)invite;
    p->held = s;
}

static void answer_elsewhere(void)
{
    struct pair *p = pair_new(SIP_TCP, "127.0.0.1", SIP_TIMERS_DEFAULT);
    struct raw r, back;
    char via[64];
    p->serve = keep;
    raw_connect(&r, p);
    raw_listen(&back, p);
    (void)snprintf(via, sizeof via, "127.0.0.1:%u;branch=z9hG4bKt1", (unsigned)net_port(&back.at));
    raw_request(&r, "OPTIONS", 1, via);
    pair_run(p, 1, 5000);
    raw_close(&r);
    pair_run(p, 0, 20);
    tap_ok(sip_respond(p->b, p->held, sip_response_to(sip_server_message(p->held), 200, NULL)) == 0,
           "answered after the connection broke");
    pair_run(p, 3, 5000);
    tap_is_str(p->log, "b:OPTIONS r:accepted r:200", "on a new one to the Via (18.2.2)");
    raw_close(&back);
    pair_free(p);
}

static void big_message(void)
{
    struct pair *p = pair_new(SIP_TCP, "127.0.0.1", SIP_TIMERS_DEFAULT);
    static char body[60000];
    memset(body, 'x', sizeof body);
    for (int i = 1; i <= 30; i++) {
        osip_message_t *m = pair_request(p, "MESSAGE", i, NULL);
        (void)sip_body_set(m, "text/plain", (struct slice){body, sizeof body});
        (void)sip_request(p->a, m, &p->to_b, &pair_client, p);
    }
    pair_run(p, 30, 5000);
    int refused_early = 0;
    for (const char *at = p->log; (at = strstr(at, "ENOBUFS")) != NULL; at++)
        refused_early++;
    tap_ok(refused_early > 0 && !p->timed_out, "a connection holds a bounded amount");
    pair_free(p);
}

static void unspoken(void)
{
    struct pair *p = pair_new(SIP_TCP, "127.0.0.1", SIP_TIMERS_DEFAULT);
    struct net_addr at;
    struct net_bind b = {.host = "127.0.0.1"};
    tap_is_int(sip_stack_listen(p->a, SIP_TLS, &b, AF_INET, true, &at), EPROTONOSUPPORT,
               "no TLS listener");
    p->to_b.transport = SIP_TLS;
    pair_invite(p);
    pair_run(p, 1, 5000);
    tap_is_str(p->log, "INVITE:EPROTONOSUPPORT", "no TLS client");
    pair_free(p);
}

int main(void)
{
    static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    byte_by_byte();
    all_at_once();
    refused("", "no Content-Length on a stream");
    refused("Content-Length: -5\r\n", "a negative Content-Length");
    refused("Content-Length: 99999999999999999999\r\n", "a Content-Length of twenty digits");
    refused("Content-Length: 70000\r\n", "a body that is too large");
    refused("Content-Length: 0\r\nContent-Length: 0\r\n", "two Content-Lengths");
    closed_for(hello, sizeof hello - 1, "a TLS hello");
    closed_for("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, "HTTP");
    half_a_message();
    silent_guest();
    many_guests();
    endless_head();
    dies_early();
    used_again();
    broken_meanwhile();
    answer_elsewhere();
    big_message();
    unspoken();
    return tap_done();
}
