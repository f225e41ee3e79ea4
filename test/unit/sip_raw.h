/* A peer of plain sockets beside the pair, which says exactly what a test wants it to say. What it
 * gets is noted as r:METHOD or r:STATUS, and the last message kept. */
#ifndef TEST_UNIT_SIP_RAW_H
#define TEST_UNIT_SIP_RAW_H

#include "test/unit/sip_pair.h"

#include <sys/socket.h>
#include <unistd.h>

struct raw {
    struct pair *p;
    int fd, listener; /* -1: none */
    bool stream;
    struct net_addr at;
    struct loop_fd watch, watch_listener;
    char got[16384]; /* the last datagram, or all of the stream */
    size_t n;
    size_t noted; /* octets of the stream that were noted */
    int64_t when[32];
    int count;
    void (*on_message)(struct raw *r);
};

static void raw_note(struct raw *r, const char *message)
{
    bool response = strncmp(message, "SIP/2.0 ", 8) == 0;
    const char *word = response ? message + 8 : message;
    if (r->count < 32)
        r->when[r->count] = clock_ms();
    r->count++;
    note(r->p, "r:%.*s", (int)strcspn(word, " "), word);
    if (r->on_message)
        r->on_message(r);
}

/* Bodies are not sent to it, so a message ends with its head. */
static void raw_note_stream(struct raw *r)
{
    for (;;) {
        char *message = r->got + r->noted;
        if (strncmp(message, "\r\n", 2) == 0) { /* the pong for a keep-alive */
            r->noted += 2;
            note(r->p, "r:pong");
            continue;
        }
        char *end = strstr(message, "\r\n\r\n");
        if (!end)
            return;
        r->noted = (size_t)(end - r->got) + 4;
        raw_note(r, message);
    }
}

static void raw_readable(void *arg, uint32_t events)
{
    struct raw *r = arg;
    size_t at = r->stream ? r->n : 0;
    (void)events;
    ssize_t n = recv(r->fd, r->got + at, sizeof r->got - 1 - at, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        loop_unwatch(r->p->loop, &r->watch);
        note(r->p, "r:closed");
        return;
    }
    r->n = at + (size_t)n;
    r->got[r->n] = '\0';
    if (r->stream)
        raw_note_stream(r);
    else
        raw_note(r, r->got);
}

static void raw_watch(struct raw *r)
{
    if (loop_watch(r->p->loop, &r->watch, r->fd, EPOLLIN, raw_readable, r) != 0)
        abort();
}

__attribute__((unused)) static void raw_udp(struct raw *r, struct pair *p)
{
    struct net_addr any;
    memset(r, 0, sizeof *r);
    r->p = p;
    r->listener = -1;
    if (net_parse("127.0.0.1:0", &any) != 0 ||
        net_open_at(SOCK_DGRAM, &any, false, &r->fd, &r->at) != 0)
        abort();
    raw_watch(r);
}

static void raw_accept(void *arg, uint32_t events)
{
    struct raw *r = arg;
    struct net_addr peer;
    (void)events;
    if (net_accept(r->listener, &r->fd, &peer) != 0)
        return;
    note(r->p, "r:accepted");
    raw_watch(r);
}

__attribute__((unused)) static void raw_listen(struct raw *r, struct pair *p)
{
    struct net_addr any;
    memset(r, 0, sizeof *r);
    r->p = p;
    r->fd = -1;
    r->stream = true;
    if (net_parse("127.0.0.1:0", &any) != 0 ||
        net_open_at(SOCK_STREAM, &any, false, &r->listener, &r->at) != 0 ||
        loop_watch(p->loop, &r->watch_listener, r->listener, EPOLLIN, raw_accept, r) != 0)
        abort();
}

__attribute__((unused)) static void raw_connect(struct raw *r, struct pair *p)
{
    memset(r, 0, sizeof *r);
    r->p = p;
    r->stream = true;
    r->listener = -1;
    r->fd = socket(p->at_b.ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(r->fd, (struct sockaddr *)&p->at_b.ss, p->at_b.len) != 0 ||
        net_local(r->fd, &r->at) != 0)
        abort();
    raw_watch(r);
}

__attribute__((unused)) static void raw_close(struct raw *r)
{
    loop_unwatch(r->p->loop, &r->watch);
    loop_unwatch(r->p->loop, &r->watch_listener);
    if (r->fd >= 0)
        (void)close(r->fd);
    if (r->listener >= 0)
        (void)close(r->listener);
    r->fd = r->listener = -1;
}

__attribute__((unused)) static void raw_bytes(struct raw *r, const struct net_addr *to,
                                              const char *text, size_t n)
{
    ssize_t done = r->stream ? send(r->fd, text, n, MSG_NOSIGNAL)
                             : sendto(r->fd, text, n, 0, (const struct sockaddr *)&to->ss, to->len);
    if (done != (ssize_t)n)
        tap_ok(false, "the test's own sending: %s", strerror(errno));
}

/* Sends a request to b whose Via is `via` ("host:port;branch=..."). */
__attribute__((unused)) static void raw_request(struct raw *r, const char *method, int cseq,
                                                const char *via)
{
    char *text = mem_format("%s sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/%s %s\r\n"
                            "Max-Forwards: 70\r\nFrom: <sip:raw@example.com>;tag=r1\r\n"
                            "To: <sip:bob@example.com>\r\nCall-ID: raw-1\r\nCSeq: %d %s\r\n"
                            "Contact: <sip:raw@127.0.0.1>\r\nContent-Length: 0\r\n\r\n",
                            method, r->stream ? "TCP" : "UDP", via, cseq, method);
    raw_bytes(r, &r->p->at_b, text, strlen(text));
    free(text);
}

/* The lines of a header in the last message: all after its name, up to the end of the line. */
__attribute__((unused)) static const char *raw_header(const struct raw *r, const char *name)
{
    static char value[512];
    char start[64];
    (void)snprintf(start, sizeof start, "\r\n%s: ", name);
    const char *at = strstr(r->got, start);
    if (!at)
        return NULL;
    at += strlen(start);
    (void)snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\r"), at);
    return value;
}

/* Answers the last request with its own Via, From, To, Call-ID, CSeq. */
__attribute__((unused)) static void raw_answer(struct raw *r, const struct net_addr *to,
                                               const char *status)
{
    static const char *const copied[] = {"Via", "From", "Call-ID", "CSeq", NULL};
    char *text = mem_format("SIP/2.0 %s\r\nTo: <sip:bob@example.com>;tag=raw\r\n", status);
    for (int i = 0; copied[i]; i++) {
        char *more = mem_format("%s%s: %s\r\n", text, copied[i], raw_header(r, copied[i]));
        free(text);
        text = more;
    }
    char *whole = mem_format("%sContent-Length: 0\r\n\r\n", text);
    raw_bytes(r, to, whole, strlen(whole));
    free(text);
    free(whole);
}

#endif
