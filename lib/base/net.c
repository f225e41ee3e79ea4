#include "base/net.h"

#include "base/num.h"
#include "base/slice.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A burst of calls answered at once must not overflow the queue while the process does something
 * else; the kernel cuts this down to its own limit. */
#define UDP_RECEIVE_BUFFER (4 << 20)
#define LISTEN_BACKLOG     128

/* --- Addresses as text. */

static const struct sockaddr_in *v4(const struct net_addr *a)
{
    return (const struct sockaddr_in *)&a->ss;
}

static const struct sockaddr_in6 *v6(const struct net_addr *a)
{
    return (const struct sockaddr_in6 *)&a->ss;
}

void net_host_text(char text[NET_TEXT_SIZE], const struct net_addr *a, bool bracket)
{
    char host[INET6_ADDRSTRLEN] = "?";
    bool six = a->ss.ss_family == AF_INET6;
    const void *address = six ? (const void *)&v6(a)->sin6_addr : (const void *)&v4(a)->sin_addr;
    if (six || a->ss.ss_family == AF_INET)
        (void)inet_ntop(a->ss.ss_family, address, host, sizeof host);
    (void)snprintf(text, NET_TEXT_SIZE, six && bracket ? "[%s]" : "%s", host);
}

void net_addr_text(char text[NET_TEXT_SIZE], const struct net_addr *a)
{
    net_host_text(text, a, true);
    size_t n = strlen(text);
    (void)snprintf(text + n, NET_TEXT_SIZE - n, ":%u", (unsigned)net_port(a));
}

uint16_t net_port(const struct net_addr *a)
{
    if (a->ss.ss_family == AF_INET6)
        return ntohs(v6(a)->sin6_port);
    return a->ss.ss_family == AF_INET ? ntohs(v4(a)->sin_port) : 0;
}

void net_set_port(struct net_addr *a, uint16_t port)
{
    if (a->ss.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&a->ss)->sin6_port = htons(port);
    else if (a->ss.ss_family == AF_INET)
        ((struct sockaddr_in *)&a->ss)->sin_port = htons(port);
}

bool net_is_any(const struct net_addr *a)
{
    if (a->ss.ss_family == AF_INET6)
        return IN6_IS_ADDR_UNSPECIFIED(&v6(a)->sin6_addr);
    return a->ss.ss_family == AF_INET && v4(a)->sin_addr.s_addr == htonl(INADDR_ANY);
}

/* The IPv4 address in a, mapped or plain. */
static bool as_v4(const struct net_addr *a, struct in_addr *out)
{
    if (a->ss.ss_family == AF_INET) {
        *out = v4(a)->sin_addr;
        return true;
    }
    if (a->ss.ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6(a)->sin6_addr))
        return false;
    memcpy(out, &v6(a)->sin6_addr.s6_addr[12], sizeof *out);
    return true;
}

bool net_same_host(const struct net_addr *a, const struct net_addr *b)
{
    struct in_addr four_a, four_b;
    bool is_a = as_v4(a, &four_a), is_b = as_v4(b, &four_b);
    if (is_a || is_b)
        return is_a && is_b && four_a.s_addr == four_b.s_addr;
    return a->ss.ss_family == AF_INET6 && b->ss.ss_family == AF_INET6 &&
           IN6_ARE_ADDR_EQUAL(&v6(a)->sin6_addr, &v6(b)->sin6_addr);
}

bool net_same_site(const struct net_addr *a, const struct net_addr *b)
{
    struct in_addr four;
    if (as_v4(a, &four) || as_v4(b, &four) || a->ss.ss_family != b->ss.ss_family)
        return net_same_host(a, b);
    return memcmp(&v6(a)->sin6_addr, &v6(b)->sin6_addr, 8) == 0;
}

static int parse_port(const char *text, uint16_t *port)
{
    int64_t value;
    int err = *text == '-' ? EINVAL : num_int(text, 0, UINT16_MAX, &value);
    if (err)
        return EINVAL;
    *port = (uint16_t)value;
    return 0;
}

/* Splits "host", "host:rest", "[v6]", "[v6]:rest", and "v6" (more than one colon: no port). *rest
 * is NULL where there is none. 0 or EINVAL. */
static int split_host(const char *text, char *host, size_t room, const char **rest)
{
    const char *end;
    *rest = NULL;
    if (*text == '[') {
        end = strchr(++text, ']');
        if (!end || end == text || (end[1] != '\0' && end[1] != ':'))
            return EINVAL;
        *rest = end[1] == ':' ? end + 2 : NULL;
    } else {
        end = strchr(text, ':');
        if (end && !strchr(end + 1, ':'))
            *rest = end + 1;
        else
            end = text + strlen(text);
    }
    size_t n = (size_t)(end - text);
    if (n >= room)
        return EINVAL;
    memcpy(host, text, n);
    host[n] = '\0';
    return 0;
}

/* Without look-up; the strict form only ("127.1" is a name, not an address). */
static bool parse_numeric(const char *host, uint16_t port, struct net_addr *a)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memset(a, 0, sizeof *a);
    if (inet_pton(AF_INET, host, &four.sin_addr) == 1) {
        memcpy(&a->ss, &four, sizeof four);
        a->len = sizeof four;
        return true;
    }
    if (inet_pton(AF_INET6, host, &six.sin6_addr) == 1) {
        memcpy(&a->ss, &six, sizeof six);
        a->len = sizeof six;
        return true;
    }
    return false;
}

int net_parse(const char *text, struct net_addr *a)
{
    char host[INET6_ADDRSTRLEN];
    const char *rest;
    uint16_t port;
    int err = split_host(text, host, sizeof host, &rest);
    if (err || !rest)
        return EINVAL;
    err = parse_port(rest, &port);
    if (err)
        return err;
    return parse_numeric(host, port, a) ? 0 : EINVAL;
}

/* A literal may come in the brackets of its URI. */
static const char *without_brackets(const char *host, char *room, size_t size)
{
    size_t n = strlen(host);
    if (n < 3 || n - 2 >= size || host[0] != '[' || host[n - 1] != ']')
        return host;
    memcpy(room, host + 1, n - 2);
    room[n - 2] = '\0';
    return room;
}

int net_parse_host(const char *host, uint16_t port, struct net_addr *a)
{
    char bare[INET6_ADDRSTRLEN];
    bool six = *host == '[';
    bool good = parse_numeric(without_brackets(host, bare, sizeof bare), port, a);
    return good && (!six || a->ss.ss_family == AF_INET6) ? 0 : EINVAL;
}

static int parse_range(const char *text, struct net_bind *b)
{
    char low[8];
    const char *dash = strchr(text, '-');
    if (!dash) {
        int err = parse_port(text, &b->port_low);
        b->port_high = b->port_low;
        return err;
    }
    int n = snprintf(low, sizeof low, "%.*s", (int)(dash - text), text);
    if (n < 0 || (size_t)n >= sizeof low)
        return EINVAL;
    int err = parse_port(low, &b->port_low);
    if (!err)
        err = parse_port(dash + 1, &b->port_high);
    return err || b->port_low == 0 || b->port_low > b->port_high ? EINVAL : 0;
}

/* Of names, of addresses, and of an interface behind a %. */
#define HOST_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:%"

int net_parse_bind(const char *text, struct net_bind *b)
{
    const char *rest;
    memset(b, 0, sizeof *b);
    int err = split_host(text, b->host, sizeof b->host, &rest);
    if (err)
        return err;
    if (strcmp(b->host, "*") == 0)
        b->host[0] = '\0';
    size_t n = strlen(b->host);
    bool bare_port = n > 0 && strspn(b->host, "0123456789") == n;
    if (bare_port || strspn(b->host, HOST_CHARACTERS) != n)
        return EINVAL;
    return rest ? parse_range(rest, b) : 0;
}

/* --- Resolving. */

static int look_up(const char *host, uint16_t port, const struct addrinfo *hints,
                   struct net_addr *list, size_t room, size_t *count, const char **why)
{
    struct addrinfo *found = NULL;
    int err = getaddrinfo(host, NULL, hints, &found);
    if (err) {
        *why = err == EAI_SYSTEM ? strerrordesc_np(errno) : gai_strerror(err);
        return ENOENT;
    }
    for (const struct addrinfo *i = found; i && *count < room; i = i->ai_next) {
        struct net_addr *a = &list[*count];
        if (i->ai_addrlen > sizeof a->ss)
            continue;
        memset(a, 0, sizeof *a);
        memcpy(&a->ss, i->ai_addr, i->ai_addrlen);
        a->len = i->ai_addrlen;
        net_set_port(a, port);
        (*count)++;
    }
    freeaddrinfo(found);
    *why = "no address of a usable kind";
    return *count ? 0 : ENOENT;
}

int net_resolve(const char *host, uint16_t port, int family, int socktype, struct net_addr *list,
                size_t room, size_t *count, const char **why)
{
    char bare[256];
    struct addrinfo hints = {.ai_family = family, .ai_socktype = socktype};
    struct net_addr numeric;
    *count = 0;
    *why = "no host name";
    if (!*host || room == 0)
        return ENOENT;
    host = without_brackets(host, bare, sizeof bare);
    if (!parse_numeric(host, port, &numeric))
        return look_up(host, port, &hints, list, room, count, why);
    *why = "an address of the other IP version";
    if (family != AF_UNSPEC && family != numeric.ss.ss_family)
        return ENOENT;
    list[(*count)++] = numeric;
    return 0;
}

/* --- Bound sockets. */

static int set_flag(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) < 0 ? errno : 0;
}

static int allow_reuse(int fd, int socktype)
{
    return socktype == SOCK_STREAM ? set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1) : 0;
}

/* A TCP port that an earlier process used lingers in TIME_WAIT, and Linux still refuses a port
 * where somebody listens: so reuse does no harm there. On UDP it would let two processes share a
 * port, of which only one gets the datagrams; and a dead process leaves none behind. */
static int bind_to(int fd, int socktype, const struct net_addr *a, bool reuse)
{
    int err = reuse && net_port(a) != 0 ? allow_reuse(fd, socktype) : 0;
    if (!err && bind(fd, (const struct sockaddr *)&a->ss, a->len) < 0)
        err = errno;
    /* Whoever takes over needs this flag on what we leave in TIME_WAIT too; but set before, it
     * would let the kernel choose a port that another one is about to listen on. */
    return err ? err : allow_reuse(fd, socktype);
}

/* How a bound socket is opened. */
struct opening {
    int socktype;
    bool listens;
    bool reuse;
};

static int prepare(int fd, const struct opening *o, const struct net_addr *a)
{
    int err = 0;
    if (a->ss.ss_family == AF_INET6)
        err = set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (!err && o->socktype == SOCK_DGRAM &&
        set_flag(fd, SOL_SOCKET, SO_RCVBUFFORCE, UDP_RECEIVE_BUFFER) != 0)
        err = set_flag(fd, SOL_SOCKET, SO_RCVBUF, UDP_RECEIVE_BUFFER);
    if (!err)
        err = bind_to(fd, o->socktype, a, o->reuse);
    if (!err && o->listens)
        net_unpaced(fd);
    if (!err && o->listens && listen(fd, LISTEN_BACKLOG) < 0)
        err = errno;
    return err;
}

int net_local(int fd, struct net_addr *local)
{
    memset(local, 0, sizeof *local);
    local->len = sizeof local->ss;
    return getsockname(fd, (struct sockaddr *)&local->ss, &local->len) < 0 ? errno : 0;
}

static int new_socket(int family, int socktype, int *fd)
{
    *fd = socket(family, socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return *fd < 0 ? errno : 0;
}

static int open_at(const struct opening *o, const struct net_addr *a, int *fd,
                   struct net_addr *bound)
{
    int s;
    int err = new_socket(a->ss.ss_family, o->socktype, &s);
    if (err)
        return err;
    err = prepare(s, o, a);
    if (!err)
        err = net_local(s, bound);
    if (err) {
        (void)close(s);
        return err;
    }
    *fd = s;
    return 0;
}

static int open_in_range(const struct opening *o, struct net_addr *a, const struct net_bind *b,
                         int *fd, struct net_addr *bound)
{
    int err = EADDRINUSE;
    for (unsigned port = b->port_low; port <= b->port_high && err == EADDRINUSE; port++) {
        net_set_port(a, (uint16_t)port);
        err = open_at(o, a, fd, bound);
    }
    return err;
}

static int open_bound(const struct opening *o, const struct net_bind *b, int family, int *fd,
                      struct net_addr *bound)
{
    struct net_addr list[8];
    size_t count = 0;
    const char *why;
    int err;
    if (b->host[0]) {
        err = net_resolve(b->host, 0, family, o->socktype, list, 8, &count, &why);
    } else {
        count = parse_numeric(family == AF_INET6 ? "::" : "0.0.0.0", 0, &list[0]) ? 1 : 0;
        err = 0;
    }
    for (size_t i = 0; i < count; i++) {
        err = open_in_range(o, &list[i], b, fd, bound);
        if (err != EADDRNOTAVAIL && err != EAFNOSUPPORT)
            break;
    }
    return err;
}

int net_open_at(int socktype, const struct net_addr *a, bool reuse, int *fd, struct net_addr *bound)
{
    struct opening o = {socktype, socktype == SOCK_STREAM, reuse};
    return open_at(&o, a, fd, bound);
}

int net_open(int socktype, const struct net_bind *b, int family, bool reuse, int *fd,
             struct net_addr *bound)
{
    struct opening o = {socktype, socktype == SOCK_STREAM, reuse};
    return open_bound(&o, b, family, fd, bound);
}

int net_reserve(const struct net_bind *b, int family, int *fd, struct net_addr *bound)
{
    struct opening o = {SOCK_STREAM, false, true};
    return open_bound(&o, b, family, fd, bound);
}

/* --- Connections. */

/* What accept(2) tells about a connection that broke before it was accepted is no matter of the
 * listener. */
static bool concerns_one_connection(int err)
{
    return err == EINTR || err == ECONNABORTED || err == EPROTO || err == ENETDOWN ||
           err == ENOPROTOOPT || err == EHOSTDOWN || err == ENONET || err == EHOSTUNREACH ||
           err == ENETUNREACH;
}

int net_accept(int listener, int *fd, struct net_addr *peer)
{
    int s;
    do {
        memset(peer, 0, sizeof *peer);
        peer->len = sizeof peer->ss;
        s = accept4(listener, (struct sockaddr *)&peer->ss, &peer->len,
                    SOCK_CLOEXEC | SOCK_NONBLOCK);
    } while (s < 0 && concerns_one_connection(errno));
    if (s < 0)
        return errno;
    net_pace_towards(s, peer);
    *fd = s;
    return 0;
}

static int connect_by(const struct net_addr *from, const struct net_addr *to, int *fd)
{
    int s;
    int err = new_socket(to->ss.ss_family, SOCK_STREAM, &s);
    if (err)
        return err;
    if (net_is_near(to))
        net_unpaced(s);
    if (from)
        err = bind_to(s, SOCK_STREAM, from, true);
    if (!err && connect(s, (const struct sockaddr *)&to->ss, to->len) < 0 && errno != EINPROGRESS)
        err = errno;
    if (err) {
        (void)close(s);
        return err;
    }
    *fd = s;
    return 0;
}

int net_connect(const struct net_addr *to, int *fd)
{
    return connect_by(NULL, to, fd);
}

int net_connect_from(const struct net_addr *from, const struct net_addr *to, int *fd)
{
    int err = connect_by(from, to, fd);
    return err == EADDRINUSE || err == EADDRNOTAVAIL ? connect_by(NULL, to, fd) : err;
}

int net_connected(int fd)
{
    int err = 0;
    socklen_t n = sizeof err;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) < 0)
        return errno;
    struct net_addr here, there = {.len = sizeof there.ss};
    if (err || net_local(fd, &here) != 0 ||
        getpeername(fd, (struct sockaddr *)&there.ss, &there.len) < 0)
        return err ? err : errno;
    /* Towards a local port where nobody listens, TCP may by chance connect to itself. */
    return net_same_host(&here, &there) && net_port(&here) == net_port(&there) ? ECONNREFUSED : 0;
}

int net_local_toward(const struct net_addr *peer, struct net_addr *local)
{
    int fd;
    int err = new_socket(peer->ss.ss_family, SOCK_DGRAM, &fd);
    if (err)
        return err;
    if (connect(fd, (const struct sockaddr *)&peer->ss, peer->len) < 0)
        err = errno;
    else
        err = net_local(fd, local);
    (void)close(fd);
    if (!err)
        net_set_port(local, 0);
    return err;
}

void net_tune_stream(int fd)
{
    (void)set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}
