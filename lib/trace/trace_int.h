/* What the files of the trace share. */
#ifndef TRACE_INT_H
#define TRACE_INT_H

#include "base/buf.h"
#include "trace/trace.h"

#include <sys/types.h>

/* --- record.c: a file that several processes append whole records to. */

struct record_file;

struct record_kind {
    struct slice head; /* begins the file; empty: nothing does */
    /* Something else than this process wrote the file's end. Makes it the end of a whole record.
     * Gives the file's size then, or -1 and errno. `known` was such an end once. */
    off_t (*mend)(int fd, off_t known, off_t size);
};

/* What is wrong is said; NULL then. `option` names it for people. */
struct record_file *record_open(const char *option, const char *path,
                                const struct record_kind *kind);
/* Where the file does not take it, that is said, once, and nothing more is tried. */
void record_append(struct record_file *f, struct slice record);
bool record_takes(const struct record_file *f); /* false: given up, or NULL */
void record_close(struct record_file *f);       /* NULL is harmless */

/* --- pcapng.c: the file format. Pure. */

extern const struct record_kind pcapng_kind;

struct pcapng_packet {
    uint64_t ns; /* since 1970 */
    bool sent;
    const char *comment;
    size_t kept, length; /* of the packet; what is kept stands in the buffer */
};
#define PCAPNG_HEAD 28 /* octets of a block before the packet */
void pcapng_begin(struct buf *b);
void pcapng_end(struct buf *b, const struct pcapng_packet *p);

/* --- packet.c: what would have been the packet's head. Pure. */

struct packet_end {
    bool six;
    unsigned char addr[16]; /* the first four of IPv4 */
    uint16_t port;
};
struct packet_end packet_end(const struct net_addr *a);

#define PACKET_HEAD_MAX 68    /* IPv6 and TCP with an option */
#define PACKET_DATA_MAX 65160 /* 45 segments of an Ethernet */
#define PACKET_UDP_MAX  65507

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16 };

struct packet {
    struct packet_end from, to;
    bool tcp;
    uint8_t flags;
    uint32_t seq, ack;
};
/* Adds the heads of IP and of UDP or TCP for so many octets of data. */
void packet_head(struct buf *b, const struct packet *p, size_t n);
/* Once the data stands behind the head that begins at `at`, all of it. */
void packet_checksum(struct buf *b, size_t at, const struct packet *p);

/* --- capture.c, text.c */

void capture_open(const struct trace_options *o);
void capture_close(void);
void text_open(const struct trace_options *o);
void text_close(void);

/* --- under_way.c: requests that wait for their responses. */

struct under_way;
struct under_way_note {
    bool known;  /* the request of a response */
    double past; /* seconds since it */
    bool again;  /* the very same message was there already */
};
struct under_way_note under_way_note(struct under_way **u, const struct trace_message *m);

/* --- mask.c: hides session ids of MSRP URIs, all but the first characters. */
void mask_sessions(char *text, size_t n);

#endif
