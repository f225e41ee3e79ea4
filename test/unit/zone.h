/* A DNS server in the test's own loop, on UDP and TCP of one loopback port: it says what the test
 * put into its zone, or misbehaves. */
#ifndef TEST_UNIT_ZONE_H
#define TEST_UNIT_ZONE_H

#include "base/loop.h"
#include "base/net.h"
#include "base/slice.h"
#include "test/unit/tap.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define ZONE_MAX 160

/* ZONE_LOST: the first question is not heard. */
enum zone_mood { ZONE_RECORD, ZONE_RCODE, ZONE_SILENT, ZONE_LOST, ZONE_TRUNCATED, ZONE_GARBAGE };

struct zone_entry {
    enum zone_mood mood;
    char name[256];
    int type; /* 0: any */
    int rcode;
    unsigned char data[600];
    size_t n;
};

struct dns_server {
    struct loop *loop;
    int udp, tcp, stream; /* one stream at a time */
    struct loop_fd on_udp, on_tcp, on_stream;
    char address[NET_TEXT_SIZE];
    struct zone_entry zone[ZONE_MAX];
    size_t entries;
    char asked[4096]; /* "NAPTR:example.com SRV:_sip._udp.example.com ..." */
    unsigned streams;
};

static struct dns_server dns_server; /* one at a time */

/* --- The zone. */

static struct zone_entry *zone_add(enum zone_mood mood, const char *name, int type)
{
    struct zone_entry *e = &dns_server.zone[dns_server.entries++];
    if (dns_server.entries > ZONE_MAX)
        abort();
    memset(e, 0, sizeof *e);
    e->mood = mood;
    e->type = type;
    (void)snprintf(e->name, sizeof e->name, "%s", name);
    return e;
}

static void put8(struct zone_entry *e, unsigned v)
{
    if (e->n == sizeof e->data)
        abort();
    e->data[e->n++] = (unsigned char)v;
}

static void put16(struct zone_entry *e, unsigned v)
{
    put8(e, v >> 8);
    put8(e, v & 255);
}

static void put_text(struct zone_entry *e, const char *text)
{
    put8(e, (unsigned)strlen(text));
    for (; *text; text++)
        put8(e, (unsigned char)*text);
}

static void put_name(struct zone_entry *e, const char *name)
{
    struct slice rest = slice_of(name);
    while (*name && strcmp(name, ".") != 0 && rest.p) {
        struct slice label = slice_cut(&rest, '.');
        char *text = slice_dup(label);
        put_text(e, text);
        free(text);
    }
    put8(e, 0);
}

__attribute__((unused)) static void zone_address(const char *name, const char *host)
{
    struct net_addr a;
    if (net_parse_host(host, 0, &a) != 0)
        abort();
    bool six = a.ss.ss_family == AF_INET6;
    struct zone_entry *e = zone_add(ZONE_RECORD, name, six ? ns_t_aaaa : ns_t_a);
    e->n = six ? 16 : 4;
    if (inet_pton(a.ss.ss_family, host, e->data) != 1)
        abort();
}

__attribute__((unused)) static void zone_srv(const char *name, unsigned priority, unsigned weight,
                                             unsigned port, const char *host)
{
    struct zone_entry *e = zone_add(ZONE_RECORD, name, ns_t_srv);
    put16(e, priority);
    put16(e, weight);
    put16(e, port);
    put_name(e, host);
}

__attribute__((unused)) static void zone_naptr(const char *name, unsigned order,
                                               unsigned preference, const char *flags,
                                               const char *service, const char *regexp,
                                               const char *replacement)
{
    struct zone_entry *e = zone_add(ZONE_RECORD, name, ns_t_naptr);
    put16(e, order);
    put16(e, preference);
    put_text(e, flags);
    put_text(e, service);
    put_text(e, regexp);
    put_name(e, replacement);
}

__attribute__((unused)) static void zone_cname(const char *name, const char *to)
{
    put_name(zone_add(ZONE_RECORD, name, ns_t_cname), to);
}

__attribute__((unused)) static void zone_rcode(const char *name, int type, int rcode)
{
    zone_add(ZONE_RCODE, name, type)->rcode = rcode;
}

/* Silent, lost once, truncated over UDP, garbage. */
__attribute__((unused)) static void zone_mood(enum zone_mood mood, const char *name, int type)
{
    (void)zone_add(mood, name, type);
}

/* --- Answers. */

struct dns_packet {
    unsigned char text[65535];
    size_t n;
};

static void add(struct dns_packet *p, const void *bytes, size_t n)
{
    if (p->n + n > sizeof p->text)
        abort();
    memcpy(p->text + p->n, bytes, n);
    p->n += n;
}

static void add16(struct dns_packet *p, unsigned v)
{
    unsigned char b[2] = {(unsigned char)(v >> 8), (unsigned char)v};
    add(p, b, 2);
}

/* The question's name as text, and the octets up to the end of the question; 0: no question. */
static size_t question(const unsigned char *q, size_t n, char name[256], int *type)
{
    size_t at = 12, out = 0;
    while (at < n && q[at] && at + 1 + q[at] < n && out + q[at] + 2 < 256) {
        memcpy(name + out, q + at + 1, q[at]);
        out += q[at];
        name[out++] = '.';
        at += 1u + q[at];
    }
    name[out > 0 ? out - 1 : 0] = '\0';
    if (at + 5 > n)
        return 0;
    *type = q[at + 1] << 8 | q[at + 2];
    return at + 5;
}

static struct zone_entry *exception(const char *name, int type, bool stream)
{
    for (size_t i = 0; i < dns_server.entries; i++) {
        struct zone_entry *e = &dns_server.zone[i];
        if (e->mood != ZONE_RECORD && strcasecmp(e->name, name) == 0 &&
            (e->type == 0 || e->type == type) && !(e->mood == ZONE_TRUNCATED && stream))
            return e;
    }
    return NULL;
}

static void add_record(struct dns_packet *p, const struct zone_entry *e)
{
    add16(p, 0xc00c); /* the question's name */
    add16(p, (unsigned)e->type);
    add16(p, ns_c_in);
    add16(p, 0);
    add16(p, 60);
    add16(p, (unsigned)e->n);
    add(p, e->data, e->n);
}

static unsigned add_records(struct dns_packet *p, const char *name, int type, bool *known)
{
    unsigned n = 0;
    *known = false;
    for (size_t i = 0; i < dns_server.entries; i++) {
        const struct zone_entry *e = &dns_server.zone[i];
        if (e->mood != ZONE_RECORD || strcasecmp(e->name, name) != 0)
            continue;
        *known = true;
        if (e->type != type && e->type != ns_t_cname)
            continue;
        add_record(p, e);
        n++;
    }
    return n;
}

static void note_question(const char *name, int type)
{
    size_t n = strlen(dns_server.asked);
    const char *kind = type == ns_t_naptr ? "NAPTR"
                       : type == ns_t_srv ? "SRV"
                       : type == ns_t_a   ? "A"
                                          : "AAAA";
    (void)snprintf(dns_server.asked + n, sizeof dns_server.asked - n, "%s%s:%s", n ? " " : "", kind,
                   name);
}

/* False: nothing is said. */
static bool answer_to(const unsigned char *q, size_t n, bool stream, struct dns_packet *p)
{
    char name[256];
    int type = 0;
    bool known;
    size_t end = n < 12 ? 0 : question(q, n, name, &type);
    if (end == 0)
        return false;
    note_question(name, type);
    struct zone_entry *e = exception(name, type, stream);
    if (e && e->mood == ZONE_LOST) {
        e->mood = ZONE_RECORD; /* of type and name that nobody asks for */
        e->name[0] = '\0';
        return false;
    }
    if (e && e->mood == ZONE_SILENT)
        return false;
    p->n = 0;
    add(p, q, end);
    p->text[2] = 0x81 | (e && e->mood == ZONE_TRUNCATED ? 2 : 0);
    memset(p->text + 6, 0, 6);
    unsigned count = e ? 0 : add_records(p, name, type, &known);
    int rcode = e ? e->rcode : known ? ns_r_noerror : ns_r_nxdomain;
    p->text[3] = (unsigned char)(0x80 | rcode);
    p->text[6] = (unsigned char)(count >> 8);
    p->text[7] = (unsigned char)count;
    if (e && e->mood == ZONE_GARBAGE) { /* an answer whose name points to itself */
        p->text[7] = 1;
        add16(p, 0xc000u | (unsigned)p->n);
        add(p, "\0\1\0\1\0\0\0\0\0\4\177\0\0\1", 14);
    }
    return true;
}

static void on_udp_question(void *arg, uint32_t events)
{
    static struct dns_packet p;
    unsigned char q[2048];
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(dns_server.udp, q, sizeof q, 0, (struct sockaddr *)&from, &len);
    (void)arg;
    (void)events;
    if (n > 0 && answer_to(q, (size_t)n, false, &p) &&
        sendto(dns_server.udp, p.text, p.n, 0, (struct sockaddr *)&from, len) < 0)
        abort();
}

static void drop_stream(void)
{
    if (dns_server.stream < 0)
        return;
    loop_unwatch(dns_server.loop, &dns_server.on_stream);
    (void)close(dns_server.stream);
    dns_server.stream = -1;
}

/* A question is small and comes in one piece. */
static void on_stream_question(void *arg, uint32_t events)
{
    static struct dns_packet p;
    unsigned char q[2048], size[2];
    ssize_t n = recv(dns_server.stream, q, sizeof q, 0);
    (void)arg;
    (void)events;
    if (n < 2 || !answer_to(q + 2, (size_t)n - 2, true, &p)) {
        drop_stream();
        return;
    }
    size[0] = (unsigned char)(p.n >> 8);
    size[1] = (unsigned char)p.n;
    if (send(dns_server.stream, size, 2, MSG_NOSIGNAL) != 2 ||
        send(dns_server.stream, p.text, p.n, MSG_NOSIGNAL) != (ssize_t)p.n)
        abort();
}

static void on_stream(void *arg, uint32_t events)
{
    struct net_addr peer;
    int fd;
    (void)arg;
    (void)events;
    if (net_accept(dns_server.tcp, &fd, &peer) != 0)
        return;
    drop_stream();
    dns_server.stream = fd;
    dns_server.streams++;
    (void)loop_watch(dns_server.loop, &dns_server.on_stream, fd, EPOLLIN, on_stream_question, NULL);
}

/* --- Life. */

__attribute__((unused)) static void dns_server_start(struct loop *l)
{
    struct net_bind b;
    struct net_addr at;
    memset(&dns_server, 0, sizeof dns_server);
    dns_server.loop = l;
    dns_server.stream = -1;
    if (net_parse_bind("127.0.0.1", &b) != 0)
        abort();
    for (int tries = 0; tries < 100; tries++) { /* a port that is free for both */
        if (net_open(SOCK_DGRAM, &b, AF_INET, false, &dns_server.udp, &at) != 0)
            abort();
        if (net_open_at(SOCK_STREAM, &at, false, &dns_server.tcp, &at) == 0)
            break;
        (void)close(dns_server.udp);
        if (tries == 99)
            abort();
    }
    net_addr_text(dns_server.address, &at);
    if (loop_watch(l, &dns_server.on_udp, dns_server.udp, EPOLLIN, on_udp_question, NULL) != 0 ||
        loop_watch(l, &dns_server.on_tcp, dns_server.tcp, EPOLLIN, on_stream, NULL) != 0)
        abort();
}

__attribute__((unused)) static void dns_server_stop(void)
{
    drop_stream();
    loop_unwatch(dns_server.loop, &dns_server.on_udp);
    loop_unwatch(dns_server.loop, &dns_server.on_tcp);
    (void)close(dns_server.udp);
    (void)close(dns_server.tcp);
}

#endif
