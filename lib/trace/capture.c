/* --pcap: the octets of the streams and datagrams as packets. */
#include "base/err.h"
#include "base/mem.h"
#include "trace/trace_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COMMENT_SIZE 128
#define RECORD_MAX   ((size_t)70 * 1024)

struct trace_flow {
    struct packet_end end[2]; /* theirs, ours: the index is `sent` */
    uint32_t seq[2];
    bool ended[2];
    char comment[COMMENT_SIZE];
};

static struct {
    struct record_file *file;
    size_t snaplen; /* SIZE_MAX: all */
    struct buf record;
} capture;

void capture_open(const struct trace_options *o)
{
    if (!o->pcap)
        return;
    capture.file = record_open("--pcap", o->pcap, &pcapng_kind);
    capture.snaplen = o->pcap_snaplen > 0 ? (size_t)o->pcap_snaplen : SIZE_MAX;
    capture.record = BUF_UP_TO(RECORD_MAX);
}

void capture_close(void)
{
    record_close(capture.file);
    capture.file = NULL;
    buf_free(&capture.record);
}

/* --- Packets. */

static void say_who(char comment[COMMENT_SIZE], bool encrypted)
{
    (void)snprintf(comment, COMMENT_SIZE, "%s[%d]%s", err_name(), (int)getpid(),
                   encrypted ? ", was encrypted by TLS" : "");
}

static uint64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Where the data comes from: memory, or a file. */
struct data {
    const char *p;
    int fd;
    uint64_t offset;
    size_t n;
};

/* As much of it as is kept. What a file no longer has counts as not kept. */
static void add_data(struct buf *b, const struct data *d, size_t n)
{
    size_t room;
    char *to = buf_room(b, n, &room);
    ssize_t got = (ssize_t)n;
    if (room < n)
        return;
    if (d->p)
        memcpy(to, d->p, n);
    else
        got = pread(d->fd, to, n, (off_t)d->offset);
    if (got > 0)
        buf_wrote(b, (size_t)got);
}

static void put(const struct packet *p, const struct data *d, bool sent, const char *comment)
{
    struct buf *b = &capture.record;
    if (!record_takes(capture.file))
        return;
    pcapng_begin(b);
    packet_head(b, p, d->n);
    size_t head = b->n - PCAPNG_HEAD;
    size_t room = capture.snaplen > head ? capture.snaplen - head : 0;
    size_t kept = d->n < room ? d->n : room;
    if (kept > 0)
        add_data(b, d, kept);
    if (b->n == PCAPNG_HEAD + head + d->n)
        packet_checksum(b, PCAPNG_HEAD, p);
    pcapng_end(b, &(struct pcapng_packet){.ns = now_ns(),
                                          .sent = sent,
                                          .comment = comment,
                                          .kept = b->n - PCAPNG_HEAD,
                                          .length = head + d->n});
    record_append(capture.file, buf_slice(b));
}

void trace_datagram(bool sent, const struct net_addr *local, const struct net_addr *peer,
                    struct slice octets)
{
    struct net_addr own = *local;
    char comment[COMMENT_SIZE];
    if (!record_takes(capture.file) || octets.n > PACKET_UDP_MAX)
        return;
    if (net_is_any(local) && net_local_toward(peer, &own) == 0)
        net_set_port(&own, net_port(local));
    say_who(comment, false);
    struct packet p = {.from = packet_end(sent ? &own : peer),
                       .to = packet_end(sent ? peer : &own)};
    put(&p, &(struct data){.p = octets.p, .n = octets.n}, sent, comment);
}

/* --- Streams. */

static void segment(struct trace_flow *f, bool sent, uint8_t flags, const struct data *d)
{
    struct packet p = {.from = f->end[sent],
                       .to = f->end[!sent],
                       .tcp = true,
                       .flags = flags,
                       .seq = f->seq[sent],
                       .ack = f->seq[!sent]};
    put(&p, d, sent, f->comment);
    f->seq[sent] += (uint32_t)d->n + (flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
}

static void bare_segment(struct trace_flow *f, bool sent, uint8_t flags)
{
    segment(f, sent, flags, &(struct data){.p = ""});
}

struct trace_flow *trace_stream(int fd, const struct net_addr *peer, bool dialled, bool encrypted)
{
    struct net_addr own;
    if (!record_takes(capture.file) || net_local(fd, &own) != 0)
        return NULL;
    struct trace_flow *f = mem_new(sizeof *f);
    f->end[true] = packet_end(&own);
    f->end[false] = packet_end(peer);
    say_who(f->comment, encrypted);
    bare_segment(f, dialled, TCP_SYN);
    bare_segment(f, !dialled, TCP_SYN | TCP_ACK);
    bare_segment(f, dialled, TCP_ACK);
    return f;
}

static void segments(struct trace_flow *f, bool sent, struct data d)
{
    for (size_t left = d.n; left > 0; left -= d.n) {
        d.n = left < PACKET_DATA_MAX ? left : PACKET_DATA_MAX;
        segment(f, sent, TCP_PSH | TCP_ACK, &d);
        if (d.p)
            d.p += d.n;
        d.offset += d.n;
    }
}

void trace_octets(struct trace_flow *f, bool sent, const void *p, size_t n)
{
    if (f)
        segments(f, sent, (struct data){.p = p, .n = n});
}

void trace_file(struct trace_flow *f, int fd, uint64_t offset, size_t n)
{
    if (f)
        segments(f, true, (struct data){.fd = fd, .offset = offset, .n = n});
}

void trace_end(struct trace_flow *f, bool sent)
{
    if (!f || f->ended[sent])
        return;
    f->ended[sent] = true;
    bare_segment(f, sent, TCP_FIN | TCP_ACK);
}

void trace_reset(struct trace_flow *f)
{
    if (!f || f->ended[false])
        return;
    f->ended[false] = f->ended[true] = true;
    bare_segment(f, false, TCP_RST | TCP_ACK);
}

void trace_flow_free(struct trace_flow *f)
{
    trace_end(f, true);
    free(f);
}
