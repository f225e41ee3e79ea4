/* Where we listen: whoever is there by UDP is there by TCP on the same port (RFC 3261 18.2.1). */
#include "base/mem.h"
#include "sip/agent.h"
#include "test/unit/tap.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_request(void *arg, struct sip_server *s, const struct osip_message *m,
                       const struct sip_hop *from, struct sip_server *invite)
{
    (void)arg;
    (void)s;
    (void)m;
    (void)from;
    (void)invite;
}

static void on_stray(void *arg, const struct osip_message *m, const struct sip_hop *from)
{
    (void)arg;
    (void)m;
    (void)from;
}

static const struct sip_stack_ops ops = {on_request, on_stray, NULL};

/* Opens it, or gives -1. */
static int take(int kind, unsigned port)
{
    char text[32];
    struct net_addr at, bound;
    int fd;

    (void)snprintf(text, sizeof text, "127.0.0.1:%u", port);
    if (net_parse(text, &at) != 0 || net_open_at(kind, &at, false, &fd, &bound) != 0)
        return -1;
    return fd;
}

/* Three ports in a row of which UDP has lost the first and TCP the second. */
static unsigned holes(int *udp, int *tcp)
{
    for (unsigned port = 20000 + arc4random_uniform(10000); port < 40000; port += 3) {
        int both[2] = {take(SOCK_DGRAM, port + 2), take(SOCK_STREAM, port + 2)};
        int stream = take(SOCK_STREAM, port), datagram = take(SOCK_DGRAM, port + 1);
        bool free_there = both[0] >= 0 && both[1] >= 0 && stream >= 0 && datagram >= 0;
        *udp = take(SOCK_DGRAM, port);
        *tcp = take(SOCK_STREAM, port + 1);
        (void)close(both[0]);
        (void)close(both[1]);
        (void)close(stream);
        (void)close(datagram);
        if (free_there && *udp >= 0 && *tcp >= 0)
            return port;
        (void)close(*udp);
        (void)close(*tcp);
    }
    printf("Bail out! no ports\n");
    exit(1);
}

static void listen_in(const char *range, unsigned want_udp, bool want_tcp, const char *what)
{
    struct sip_config c = SIP_CONFIG_DEFAULT;
    struct loop *loop = loop_new();
    struct local l = {.config = &c};
    struct sip_hop to = {.transport = SIP_UDP};
    struct net_addr bound = {.len = 0};
    int fd;

    c.sip_bind = range;
    if (sip_stack_new(&l.stack, loop, SIP_TIMERS_DEFAULT, &ops, NULL) != 0 ||
        net_parse("127.0.0.1:5060", &to.addr) != 0)
        abort();
    tap_is_int(local_listen(&l, &to, &bound), 0, what);
    if (want_udp != 0)
        tap_is_int(net_port(&bound), want_udp, "the port");
    fd = take(SOCK_STREAM, net_port(&bound));
    tap_ok(l.n == (want_tcp ? 2 : 1) && (fd < 0 || !want_tcp), "TCP beside it: %s",
           want_tcp ? "yes" : "no");
    if (fd >= 0)
        (void)close(fd);
    sip_stack_free(l.stack);
    loop_free(loop);
}

int main(void)
{
    int udp, tcp;
    unsigned port = holes(&udp, &tcp);
    char *three = mem_format("127.0.0.1:%u-%u", port, port + 2);
    char *two = mem_format("127.0.0.1:%u-%u", port, port + 1);

    listen_in("127.0.0.1", 0, true, "any port");
    listen_in(three, port + 2, true, "the port that both have free");
    listen_in(two, port + 1, false, "none that both have free: UDP alone");
    free(three);
    free(two);
    (void)close(udp);
    (void)close(tcp);
    return tap_done();
}
