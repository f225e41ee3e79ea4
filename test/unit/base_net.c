/* Addresses and sockets, on loopback. */
#include "base/net.h"
#include "test/unit/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

static bool reads(const char *text, const char *host, uint16_t low, uint16_t high)
{
    struct net_bind b;
    return net_parse_bind(text, &b) == 0 && strcmp(b.host, host) == 0 && b.port_low == low &&
           b.port_high == high;
}

static void test_bind_text(void)
{
    static const char *const bad[] = {"1.2.3.4:",     "1.2.3.4:x",     "1.2.3.4:65536", "h:2-1",
                                      "h:0-5",        "[::1",          "[]:5",          "[::1]5",
                                      "h:1-2-3",      "h:-5",          "h:5-",          "h:+5",
                                      "h:1000000000", "h:100000000-2", "5060"};
    struct net_bind b;
    tap_ok(reads("127.0.0.1", "127.0.0.1", 0, 0), "an address alone");
    tap_ok(reads("127.0.0.1:5060", "127.0.0.1", 5060, 5060), "address and port");
    tap_ok(reads("127.0.0.1:5060-5070", "127.0.0.1", 5060, 5070), "address and port range");
    tap_ok(reads("[::1]:5060", "::1", 5060, 5060), "IPv6 in brackets, with port");
    tap_ok(reads("[::1]", "::1", 0, 0), "IPv6 in brackets");
    tap_ok(reads("::1", "::1", 0, 0), "IPv6 without brackets");
    tap_ok(reads("2001:db8::1:5060", "2001:db8::1:5060", 0, 0), "IPv6 without brackets, no port");
    tap_ok(reads("host.example:0", "host.example", 0, 0), "port 0 is the kernel's choice");
    tap_ok(reads(":5060", "", 5060, 5060) && reads("*:5060", "", 5060, 5060) && reads("", "", 0, 0),
           "any address");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        tap_ok(net_parse_bind(bad[i], &b) == EINVAL, "refused: %s", bad[i]);
}

static void test_address_text(void)
{
    static const char *const round[] = {"192.0.2.1:5060", "[2001:db8::1]:5060", "[::]:0"};
    static const char *const bad[] = {"192.0.2.1",  "::1",   "host:5060",
                                      "127.1:5060", "[::1]", "192.0.2.1:99999"};
    struct net_addr a, b;
    char text[NET_TEXT_SIZE];
    for (size_t i = 0; i < sizeof round / sizeof *round; i++) {
        tap_ok(net_parse(round[i], &a) == 0, "reads %s", round[i]);
        net_addr_text(text, &a);
        tap_is_str(text, round[i], "and writes it the same");
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        tap_is_int(net_parse(bad[i], &a), EINVAL, bad[i]);
    tap_ok(net_parse("[2001:DB8:0::1]:1", &a) == 0 && net_parse("[2001:db8::1]:2", &b) == 0 &&
               net_same_host(&a, &b),
           "IPv6 hosts are compared by value");
    tap_ok(net_parse("[::ffff:192.0.2.1]:1", &a) == 0 && net_parse("192.0.2.1:2", &b) == 0 &&
               net_same_host(&a, &b) && net_same_host(&b, &a),
           "a mapped IPv4 address equals the plain one");
    tap_ok(net_parse("192.0.2.2:1", &a) == 0 && !net_same_host(&a, &b), "others do not");
    tap_ok(net_parse("[2001:db8:0:7::1]:1", &a) == 0 &&
               net_parse("[2001:db8:0:7:9::2]:1", &b) == 0 && net_same_site(&a, &b) &&
               !net_same_host(&a, &b),
           "a machine may have 64 bits of IPv6");
    tap_ok(net_parse("[2001:db8:0:8::1]:1", &b) == 0 && !net_same_site(&a, &b), "and no more");
    tap_ok(net_parse("192.0.2.2:1", &a) == 0 && net_parse("192.0.2.3:1", &b) == 0 &&
               !net_same_site(&a, &b) && net_parse("[::ffff:192.0.2.2]:1", &b) == 0 &&
               net_same_site(&a, &b),
           "and one address of IPv4");
    tap_ok(net_parse("0.0.0.0:1", &a) == 0 && net_is_any(&a) && !net_is_any(&b), "any address");
    (void)net_parse("[2001:db8::1]:5060", &a);
    net_host_text(text, &a, false);
    tap_is_str(text, "2001:db8::1", "the bare host");
    net_host_text(text, &a, true);
    tap_is_str(text, "[2001:db8::1]", "the host in brackets");
}

static void test_resolve(void)
{
    struct net_addr list[4];
    size_t n;
    const char *why;
    char text[NET_TEXT_SIZE];
    tap_is_int(net_resolve("[::1]", 5060, AF_UNSPEC, SOCK_DGRAM, list, 4, &n, &why), 0,
               "a literal in brackets");
    net_addr_text(text, &list[0]);
    tap_is_str(text, "[::1]:5060", "gives its address");
    tap_is_int(net_resolve("::1", 1, AF_INET, SOCK_DGRAM, list, 4, &n, &why), ENOENT,
               "IPv6 where IPv4 is wanted");
    tap_is_int(net_resolve("", 1, AF_INET, SOCK_DGRAM, list, 4, &n, &why), ENOENT, "no name");
    tap_is_int(net_resolve("localhost", 7, AF_INET, SOCK_STREAM, list, 1, &n, &why), 0,
               "a name of this host");
    tap_ok(n == 1 && net_port(&list[0]) == 7, "gives at most as many as there is room for");
    tap_is_int(net_resolve("a b.invalid", 7, AF_INET, SOCK_STREAM, list, 1, &n, &why), ENOENT,
               "a name that cannot be");
    tap_ok(why && *why, "and says why: %s", why);
}

static bool flagged(int fd)
{
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) && (fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void test_ports(int socktype, const char *kind)
{
    struct net_bind b;
    struct net_addr at, second;
    char text[64];
    int one = -1, two = -1, three = -1;
    (void)net_parse_bind("127.0.0.1", &b);
    tap_ok(net_open(socktype, &b, AF_UNSPEC, false, &one, &at) == 0 && net_port(&at) != 0 &&
               flagged(one),
           "%s: the kernel chooses a port", kind);
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", net_port(&at));
    (void)net_parse_bind(text, &b);
    tap_ok(net_open(socktype, &b, AF_UNSPEC, true, &two, &second) == EADDRINUSE,
           "%s: a port that is served cannot be taken, not even with reuse", kind);
    b.port_high = b.port_low < 65500 ? (uint16_t)(b.port_low + 30) : b.port_low;
    if (b.port_low == b.port_high)
        b.port_low -= 30;
    tap_ok(net_open(socktype, &b, AF_UNSPEC, true, &two, &second) == 0 &&
               net_port(&second) != net_port(&at),
           "%s: the next of a range is", kind);
    (void)net_parse_bind("192.0.2.1", &b);
    tap_ok(net_open(socktype, &b, AF_UNSPEC, false, &three, &second) == EADDRNOTAVAIL,
           "%s: an address that is not local", kind);
    (void)net_parse_bind("127.0.0.1", &b);
    tap_ok(net_open(socktype, &b, AF_INET6, false, &three, &second) != 0,
           "%s: an address of the other version", kind);
    (void)close(one);
    (void)close(two);
}

/* An IPv6 socket on any address leaves the port's IPv4 side to others. */
static void test_v6_only(void)
{
    struct net_bind b = {.host = ""};
    struct net_addr six, four;
    int one, two;
    tap_ok(net_open(SOCK_DGRAM, &b, AF_INET6, false, &one, &six) == 0, "IPv6, any address");
    b.port_low = b.port_high = net_port(&six);
    tap_ok(net_open(SOCK_DGRAM, &b, AF_INET, false, &two, &four) == 0, "the same port for IPv4");
    (void)close(one);
    (void)close(two);
}

static bool waits(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, 10000) == 1;
}

static int flag_of(int fd, int name)
{
    int value = -1;
    socklen_t n = sizeof value;
    return getsockopt(fd, IPPROTO_TCP, name, &value, &n) == 0 ? value : -1;
}

static bool unpaced(int fd)
{
    char name[17] = "";
    socklen_t n = sizeof name - 1;
    return getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &n) == 0 && strcmp(name, "reno") == 0;
}

static void test_connection(void)
{
    struct net_bind b;
    struct net_addr at, peer, toward;
    int listener, client = -1, server = -1, again = -1;
    char byte;
    (void)net_parse_bind("[::1]", &b);
    tap_is_int(net_open(SOCK_STREAM, &b, AF_UNSPEC, false, &listener, &at), 0, "a listener");
    tap_is_int(net_accept(listener, &server, &peer), EAGAIN, "nobody has come yet");
    tap_ok(net_connect(&at, &client) == 0 && flagged(client), "connecting");
    tap_ok(waits(client, POLLOUT) && net_connected(client) == 0, "connected");
    tap_ok(waits(listener, POLLIN) && net_accept(listener, &server, &peer) == 0 && flagged(server),
           "accepted");
    tap_ok(net_same_host(&at, &peer), "the peer is known");
    net_tune_stream(client);
    tap_ok(flag_of(client, TCP_NODELAY) == 1, "without delay");
    tap_ok(unpaced(client) && unpaced(server), "within one host nobody is paced");
    tap_ok(net_local_toward(&at, &toward) == 0 && net_same_host(&toward, &at) &&
               net_port(&toward) == 0,
           "the way to loopback is loopback");
    /* The side that closes first is left in TIME_WAIT. */
    (void)close(server);
    tap_ok(waits(client, POLLIN) && read(client, &byte, 1) == 0, "closed by the server");
    (void)close(client);
    (void)close(listener);
    tap_is_int(net_open_at(SOCK_STREAM, &at, true, &again, &peer), 0,
               "a port in TIME_WAIT can be listened on again");
    (void)close(again);
    tap_is_int(net_connect(&at, &client), 0, "connecting where nobody listens");
    tap_ok(waits(client, POLLOUT) && net_connected(client) == ECONNREFUSED, "is refused");
    (void)close(client);
}

/* A port that nobody listens on is kept for connections that come from it. */
static void test_reserved(void)
{
    struct net_bind b = {.host = "127.0.0.1"};
    struct net_addr at, from, peer;
    int listener, reserved, client[3], server = -1;
    (void)net_open(SOCK_STREAM, &b, AF_UNSPEC, false, &listener, &at);
    tap_ok(net_reserve(&b, AF_UNSPEC, &reserved, &from) == 0 && flagged(reserved), "reserved");
    tap_ok(net_connect_from(&from, &at, &client[0]) == 0 && flagged(client[0]),
           "connecting from it");
    tap_ok(waits(listener, POLLIN) && net_accept(listener, &server, &peer) == 0 &&
               net_port(&peer) == net_port(&from),
           "the peer sees that port");
    (void)close(server);
    tap_is_int(net_connect_from(&from, &at, &client[1]), 0, "a second one to the same place");
    tap_ok(waits(listener, POLLIN) && net_accept(listener, &server, &peer) == 0 &&
               net_port(&peer) != net_port(&from),
           "comes from another port");
    (void)close(server);
    tap_is_int(net_connect(&from, &client[2]), 0, "connecting to the port");
    tap_ok(waits(client[2], POLLOUT) && net_connected(client[2]) == ECONNREFUSED, "is refused");
    for (int i = 0; i < 3; i++)
        (void)close(client[i]);
    (void)close(reserved);
    (void)close(listener);
}

int main(void)
{
    test_reserved();
    test_bind_text();
    test_address_text();
    test_resolve();
    test_ports(SOCK_DGRAM, "UDP");
    test_ports(SOCK_STREAM, "TCP");
    test_v6_only();
    test_connection();
    return tap_done();
}
