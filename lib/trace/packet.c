/* The heads of packets as they may have been: IPv4 (RFC 791) or IPv6 (RFC 8200), UDP (RFC 768) or
 * TCP (RFC 9293). What we gave the kernel as one piece is one packet, as on a host whose network
 * card cuts the segments. */
#include "trace/trace_int.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define IP4_HEAD   20u
#define IP6_HEAD   40u
#define UDP_HEAD   8u
#define TCP_HEAD   20u
#define TCP_SCALE  4u /* the option that a SYN has */
#define HOPS       64
#define WINDOW     0xffff
#define SCALE_LOG2 14 /* nobody's window is ever seen full */

struct packet_end packet_end(const struct net_addr *a)
{
    struct packet_end e = {.port = net_port(a)};
    const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)&a->ss;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)&a->ss;
    e.six = a->ss.ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&six->sin6_addr);
    if (e.six)
        memcpy(e.addr, &six->sin6_addr, 16);
    else if (a->ss.ss_family == AF_INET6)
        memcpy(e.addr, six->sin6_addr.s6_addr + 12, 4);
    else
        memcpy(e.addr, &four->sin_addr, 4);
    return e;
}

/* The Internet checksum, of an even number of octets but at the end. */
static uint32_t sum(uint32_t s, const void *p, size_t n)
{
    const unsigned char *c = p;
    for (size_t i = 0; i + 1 < n; i += 2)
        s += (uint32_t)c[i] << 8 | c[i + 1];
    if (n & 1)
        s += (uint32_t)c[n - 1] << 8;
    return (s & 0xffff) + (s >> 16);
}

static uint16_t fold(uint32_t s)
{
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s;
}

static unsigned char *put16(unsigned char *at, uint32_t v)
{
    at[0] = (unsigned char)(v >> 8);
    at[1] = (unsigned char)v;
    return at + 2;
}

static unsigned char *put32(unsigned char *at, uint32_t v)
{
    return put16(put16(at, v >> 16), v & 0xffff);
}

static uint8_t protocol(const struct packet *p)
{
    return p->tcp ? IPPROTO_TCP : IPPROTO_UDP;
}

static unsigned char *put_ip4(unsigned char *at, const struct packet *p, size_t n)
{
    unsigned char *begin = at;
    at = put16(at, 0x4500);
    at = put16(at, (uint32_t)(IP4_HEAD + n));
    at = put32(at, 0x4000); /* no id, do not fragment */
    at = put16(at, (uint32_t)HOPS << 8 | protocol(p));
    at = put16(at, 0);
    memcpy(at, p->from.addr, 4);
    memcpy(at + 4, p->to.addr, 4);
    (void)put16(begin + 10, fold(sum(0, begin, IP4_HEAD)));
    return at + 8;
}

static unsigned char *put_ip6(unsigned char *at, const struct packet *p, size_t n)
{
    at = put32(at, 0x60000000);
    at = put16(at, (uint32_t)n);
    at = put16(at, (uint32_t)protocol(p) << 8 | HOPS);
    memcpy(at, p->from.addr, 16);
    memcpy(at + 16, p->to.addr, 16);
    return at + 32;
}

static unsigned char *put_tcp(unsigned char *at, const struct packet *p)
{
    bool syn = p->flags & TCP_SYN;
    at = put32(at, p->seq);
    at = put32(at, p->flags & TCP_ACK ? p->ack : 0);
    at = put16(at, (TCP_HEAD + (syn ? TCP_SCALE : 0)) / 4 << 12 | p->flags);
    at = put16(at, WINDOW);
    at = put32(at, 0);
    return syn ? put32(at, 0x03030000 | SCALE_LOG2 << 8 | 1) : at;
}

void packet_head(struct buf *b, const struct packet *p, size_t n)
{
    unsigned char head[PACKET_HEAD_MAX] = {0};
    bool six = p->from.six && p->to.six;
    size_t all = n + (!p->tcp ? UDP_HEAD : TCP_HEAD + (p->flags & TCP_SYN ? TCP_SCALE : 0));
    unsigned char *at = six ? put_ip6(head, p, all) : put_ip4(head, p, all);
    at = put16(at, p->from.port);
    at = put16(at, p->to.port);
    at = p->tcp ? put_tcp(at, p) : put32(at, (uint32_t)all << 16);
    if (buf_add(b, head, (size_t)(at - head)) != 0)
        b->n = b->max;
}

void packet_checksum(struct buf *b, size_t at, const struct packet *p)
{
    bool six = p->from.six && p->to.six;
    size_t addr = six ? 16 : 4;
    size_t begin = at + (six ? IP6_HEAD : IP4_HEAD);
    size_t n = b->n - begin;
    uint32_t s = sum(0, p->from.addr, addr);
    s = sum(s, p->to.addr, addr);
    s += (uint32_t)n + protocol(p);
    uint16_t check = fold(sum(s, b->p + begin, n));
    if (!p->tcp && check == 0)
        check = 0xffff;
    (void)put16((unsigned char *)b->p + begin + (p->tcp ? 16 : 6), check);
}
