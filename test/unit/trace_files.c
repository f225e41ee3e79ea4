/* The files of a trace: whole records whatever died in the middle, and captures whose packets are
 * right to the octet. */
#include "base/err.h"
#include "base/lock.h"
#include "base/mem.h"
#include "test/unit/tap.h"
#include "trace/trace_int.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/trace_files.XXXXXX";

static char *path(const char *name)
{
    return mem_format("%s/%s", folder, name);
}

static off_t size_of(const char *p)
{
    struct stat st;
    return stat(p, &st) == 0 ? st.st_size : -1;
}

static struct net_addr addr(const char *text)
{
    struct net_addr a;
    if (net_parse(text, &a) != 0)
        abort();
    return a;
}

/* --- Packets. */

/* The sum over what has a right checksum is all ones. */
static bool sums_up(const unsigned char *p, size_t n, uint32_t s)
{
    for (size_t i = 0; i < n; i++)
        s += i & 1 ? p[i] : (uint32_t)p[i] << 8;
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return s == 0xffff;
}

static void packet_is_right(const char *from, const char *to, bool tcp, struct slice data)
{
    struct net_addr a = addr(from), b = addr(to);
    struct packet p = {.from = packet_end(&a), .to = packet_end(&b), .tcp = tcp, .flags = TCP_ACK};
    struct buf octets = BUF_UP_TO(65536);
    packet_head(&octets, &p, data.n);
    if (buf_add_slice(&octets, data) != 0)
        abort();
    packet_checksum(&octets, 0, &p);
    size_t ip = p.from.six ? 40 : 20, size = p.from.six ? 16 : 4;
    const unsigned char *at = (const unsigned char *)octets.p;
    size_t n = octets.n - ip;
    if (!p.from.six)
        tap_ok(sums_up(at, ip, 0), "%s: the head of IPv4 sums up", from);
    uint32_t pseudo = (uint32_t)n + (tcp ? IPPROTO_TCP : IPPROTO_UDP);
    for (size_t i = 0; i < size; i += 2)
        pseudo += ((uint32_t)p.from.addr[i] << 8 | p.from.addr[i + 1]) +
                  ((uint32_t)p.to.addr[i] << 8 | p.to.addr[i + 1]);
    tap_ok(sums_up(at + ip, n, pseudo), "%s: %s of %zu octets sums up", from, tcp ? "TCP" : "UDP",
           data.n);
    tap_is_int(ntohs(*(const uint16_t *)(const void *)(at + ip + 2)), net_port(&b), "to its port");
    buf_free(&octets);
}

static void packets(void)
{
    static char many[60001];
    for (size_t i = 0; i < sizeof many; i++)
        many[i] = (char)(i * 7);
    const struct slice all = {many, sizeof many};
    packet_is_right("192.0.2.1:5060", "198.51.100.255:65535", false, SLICE("odd"));
    packet_is_right("192.0.2.1:5060", "198.51.100.255:65535", true, all);
    packet_is_right("[2001:db8::1]:5060", "[2001:db8:ffff::2]:9", false, all);
    packet_is_right("[2001:db8::1]:5060", "[2001:db8:ffff::2]:9", true, SLICE(""));
    struct net_addr mapped = addr("[::ffff:192.0.2.1]:7");
    struct packet_end e = packet_end(&mapped);
    tap_ok(!e.six && e.addr[0] == 192 && e.addr[3] == 1, "a mapped address is one of IPv4");
}

/* --- Records. */

static void add_packet(struct record_file *f, size_t n)
{
    struct buf b = BUF_UP_TO(70000);
    char *data = mem_new(n + 1);
    pcapng_begin(&b);
    if (buf_add(&b, data, n) != 0)
        abort();
    pcapng_end(&b, &(struct pcapng_packet){.ns = 1, .comment = "test", .kept = n, .length = n});
    record_append(f, buf_slice(&b));
    buf_free(&b);
    free(data);
}

/* A file that holds one packet, less what the kill did not let through, gets another. */
static void torn_at_any_octet(void)
{
    char *p = path("torn");
    bool good = true;
    struct record_file *f = record_open("--pcap", p, &pcapng_kind);
    off_t head = size_of(p);
    add_packet(f, 100);
    off_t one = size_of(p);
    record_close(f);
    for (off_t cut = one - 1; cut > 0 && good; cut--) {
        if (truncate(p, cut) != 0)
            abort();
        f = record_open("--pcap", p, &pcapng_kind);
        add_packet(f, 100);
        record_close(f);
        good = size_of(p) == one;
    }
    tap_ok(good && head > 0, "torn at any octet: the rest is cut off, the next packet is whole");
    free(p);
}

static void torn_by_another(void)
{
    char *p = path("other");
    struct record_file *a = record_open("--pcap", p, &pcapng_kind);
    struct record_file *b = record_open("--pcap", p, &pcapng_kind);
    add_packet(a, 100);
    add_packet(b, 5000);
    off_t two = size_of(p);
    add_packet(b, 60000);
    if (truncate(p, two + 30000) != 0)
        abort();
    add_packet(a, 7);
    off_t three = size_of(p);
    tap_ok(three > two && three < two + 200, "what another left half is cut off by who comes next");
    add_packet(b, 7);
    tap_is_int(size_of(p), three + (three - two), "and the other goes on behind it");
    record_close(a);
    record_close(b);
    free(p);
}

static void waits_for_nobody(void)
{
    char *p = path("locked");
    struct record_file *f = record_open("--pcap", p, &pcapng_kind);
    off_t head = size_of(p);
    int fd = open(p, O_RDWR | O_CLOEXEC);
    if (fd < 0 || lock_try(fd, 0, LOCK_EXCLUSIVE) != 0)
        abort();
    add_packet(f, 100);
    tap_is_int(size_of(p), head, "while another has the lock, nothing is written");
    (void)close(fd);
    add_packet(f, 100);
    off_t two = size_of(p) - head;
    add_packet(f, 100);
    tap_is_int(size_of(p) - head, two / 2 * 3, "then what waited is written too");
    record_close(f);
    free(p);
}

static void only_ours(void)
{
    char *p = path("open"), *link = path("link");
    int fd = open(p, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || fchmod(fd, 0644) != 0 || symlink(p, link) != 0)
        abort();
    (void)close(fd);
    tap_ok(record_open("--pcap", p, &pcapng_kind) == NULL, "a file open to others is refused");
    tap_ok(record_open("--pcap", link, &pcapng_kind) == NULL, "and so is a link");
    tap_ok(record_open("--pcap", folder, &pcapng_kind) == NULL, "and a folder");
    tap_is_int(size_of(p), 0, "nothing was written there");
    free(p);
    free(link);
}

/* --- Session ids. */

static void masked(const char *text, const char *want)
{
    char *copy = mem_dup(text);
    mask_sessions(copy, strlen(copy));
    tap_is_str(copy, want, text);
    free(copy);
}

static void masks(void)
{
    masked("To-Path: msrp://h:9/abcdefghijklmnop;tcp", "To-Path: msrp://h:9/abcd************;tcp");
    masked("msrps://h:9/abcd;tcp msrp://[::1]:9/12345678;tcp",
           "msrps://h:9/a***;tcp msrp://[::1]:9/12******;tcp");
    masked("msrp://h:9/abc", "msrp://h:9/***");
    masked("msrp://h;tcp", "msrp://h;tcp");
    masked("http://h/abcdefgh msrp:", "http://h/abcdefgh msrp:");
    masked("://", "://");
    masked("msrp://", "msrp://");
}

/* --- Once more, and the time between. */

static struct under_way *table;

static struct under_way_note note(bool sent, enum trace_kind kind, const char *key,
                                  const char *text)
{
    struct trace_message m = {
        .sent = sent, .kind = kind, .key = slice_of(key), .text = slice_of(text)};
    return under_way_note(&table, &m);
}

static void requests_under_way(void)
{
    tap_ok(!note(true, TRACE_REQUEST, "b INVITE", "INVITE").again, "a request");
    tap_ok(note(true, TRACE_REQUEST, "b INVITE", "INVITE").again, "the same once more");
    tap_ok(!note(false, TRACE_REQUEST, "b INVITE", "INVITE").again, "the peer's is another");
    tap_ok(note(false, TRACE_PROVISIONAL, "b INVITE", "180").known, "its response is known");
    tap_ok(!note(false, TRACE_FINAL, "b INVITE", "200 a").again, "the final one too");
    tap_ok(!note(false, TRACE_FINAL, "b INVITE", "200 b").again, "that of a fork is another");
    tap_ok(note(false, TRACE_FINAL, "b INVITE", "200 b").again, "which comes once more");
    tap_ok(!note(false, TRACE_FINAL, "nobody's", "200").known, "a response that nobody waits for");
    tap_ok(!note(false, TRACE_FINAL, "", "200").known, "one without a key");
    free(table);
}

int main(void)
{
    err_program("trace_files");
    err_verbosity = ERR_QUIET;
    if (!mkdtemp(folder))
        return 1;
    packets();
    torn_at_any_octet();
    torn_by_another();
    waits_for_nobody();
    only_ours();
    masks();
    requests_under_way();
    static const char *const names[] = {"torn", "other", "locked", "open", "link"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *p = path(names[i]);
        (void)unlink(p);
        free(p);
    }
    (void)rmdir(folder);
    return tap_done();
}
