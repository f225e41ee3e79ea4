/* pcapng (draft-ietf-opsawg-pcapng): one section, one interface without a link layer, times in
 * nanoseconds. All blocks of all processes belong to that interface, so it does not matter whose
 * section header they follow. */
#include "trace/trace_int.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SECTION_HEADER   0x0a0d0d0au
#define INTERFACE        1u
#define PACKET           6u
#define BYTE_ORDER_IS    0x1a2b3c4du
#define LINK_RAW         101u /* a packet begins with its IP head */

#define OPTION_COMMENT   1u
#define OPTION_FLAGS     2u /* of a packet */
#define OPTION_PRECISION 9u /* of an interface */
#define INBOUND          1u
#define OUTBOUND         2u

/* Sections of this one form only: what is not ours is not appended to. */
static const struct {
    uint32_t type, length, order;
    uint16_t major, minor;
    uint64_t section __attribute__((packed));
    uint32_t length_again;
    uint32_t if_type, if_length;
    uint16_t link, reserved;
    uint32_t snaplen;
    uint16_t option, option_n;
    uint8_t ten_to_minus, padding[3];
    uint32_t no_more, if_length_again;
} head = {
    .type = SECTION_HEADER,
    .length = 28,
    .order = BYTE_ORDER_IS,
    .major = 1,
    .section = UINT64_MAX, /* its length is not known */
    .length_again = 28,
    .if_type = INTERFACE,
    .if_length = 32,
    .link = LINK_RAW,
    .option = OPTION_PRECISION,
    .option_n = 1,
    .ten_to_minus = 9,
    .if_length_again = 32,
};
_Static_assert(sizeof head == 60, "no holes in the file");

struct block {
    uint32_t type, length;
};
#define BLOCK_MIN 12u
#define BLOCK_MAX ((uint32_t)1024 * 1024)

static bool read_at(int fd, void *p, size_t n, off_t at)
{
    return pread(fd, p, n, at) == (ssize_t)n;
}

/* Does a whole block end here? */
static bool ends_with_block(int fd, off_t size)
{
    uint32_t length;
    struct block b;
    if (size < (off_t)sizeof head || !read_at(fd, &length, sizeof length, size - 4) ||
        length < BLOCK_MIN || length > BLOCK_MAX || (off_t)length > size)
        return false;
    return read_at(fd, &b, sizeof b, size - (off_t)length) && b.length == length &&
           (b.type == PACKET || b.type == INTERFACE);
}

/* The end of the last whole block after `at`. */
static off_t last_end(int fd, off_t at, off_t size)
{
    struct block b;
    while (at + (off_t)sizeof b <= size && read_at(fd, &b, sizeof b, at) && b.length >= BLOCK_MIN &&
           b.length <= BLOCK_MAX && at + (off_t)b.length <= size)
        at += (off_t)b.length;
    return at;
}

static off_t mend(int fd, off_t known, off_t size)
{
    char begins[sizeof head];
    ssize_t n = known > 0 ? (ssize_t)sizeof head : pread(fd, begins, sizeof begins, 0);
    if (n < 0)
        return -1;
    if (known == 0 && memcmp(begins, &head, (size_t)n) != 0) {
        errno = EBADMSG;
        return -1;
    }
    if (ends_with_block(fd, size))
        return size;
    off_t end = n < (ssize_t)sizeof head ? 0 : last_end(fd, known, size);
    return end == size || ftruncate(fd, end) == 0 ? end : -1;
}

const struct record_kind pcapng_kind = {{(const char *)&head, sizeof head}, mend};

/* --- Packets. */

static void add(struct buf *b, const void *p, size_t n)
{
    if (buf_add(b, p, n) != 0)
        b->n = b->max; /* a record that has no room is seen by its size */
}

static void add_word(struct buf *b, uint32_t word)
{
    add(b, &word, sizeof word);
}

static void pad(struct buf *b)
{
    static const char zeros[4];
    add(b, zeros, -b->n & 3);
}

static void add_option(struct buf *b, uint16_t code, const void *p, size_t n)
{
    const uint16_t start[2] = {code, (uint16_t)n};
    add(b, start, sizeof start);
    add(b, p, n);
    pad(b);
}

void pcapng_begin(struct buf *b)
{
    static const char room[PCAPNG_HEAD];
    buf_clear(b);
    add(b, room, sizeof room);
}

void pcapng_end(struct buf *b, const struct pcapng_packet *p)
{
    const uint32_t direction = p->sent ? OUTBOUND : INBOUND;
    pad(b);
    add_option(b, OPTION_COMMENT, p->comment, strlen(p->comment));
    add_option(b, OPTION_FLAGS, &direction, sizeof direction);
    add_word(b, 0);
    const uint32_t length = (uint32_t)b->n + 4;
    const uint32_t start[] = {PACKET,
                              length,
                              0,
                              (uint32_t)(p->ns >> 32),
                              (uint32_t)p->ns,
                              (uint32_t)p->kept,
                              (uint32_t)p->length};
    add_word(b, length);
    memcpy(b->p, start, sizeof start);
}
