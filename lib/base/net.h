/* Addresses and sockets. All sockets are non-blocking and close on exec. Errors are errno values;
 * what getaddrinfo says is kept by net_resolve in *why. IPv6 literals are taken with and without
 * brackets. */
#ifndef BASE_NET_H
#define BASE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct net_addr {
    struct sockaddr_storage ss;
    socklen_t len;
};

#define NET_TEXT_SIZE 80
/* "192.0.2.1:5060", "[2001:db8::1]:5060" */
void net_addr_text(char text[NET_TEXT_SIZE], const struct net_addr *a);
/* "192.0.2.1", "[2001:db8::1]" when `bracket`, else bare */
void net_host_text(char text[NET_TEXT_SIZE], const struct net_addr *a, bool bracket);
uint16_t net_port(const struct net_addr *a);
void net_set_port(struct net_addr *a, uint16_t port);
bool net_is_any(const struct net_addr *a);                              /* 0.0.0.0 or :: */
bool net_is_loopback(const struct net_addr *a);                         /* 127/8, ::1 */
bool net_same_host(const struct net_addr *a, const struct net_addr *b); /* v4-mapped equals v4 */

/* Can one machine have both? The same host, or in IPv6 the same 64 bits of network. */
bool net_same_site(const struct net_addr *a, const struct net_addr *b);

/* A numeric address and port, as net_addr_text writes it. 0 or EINVAL. */
int net_parse(const char *text, struct net_addr *a);

/* A numeric host, an IPv6 one with or without brackets. Nothing is looked up. 0 or EINVAL. */
int net_parse_host(const char *host, uint16_t port, struct net_addr *a);

/* ADDR[:PORT[-PORT]]: where to bind. ADDR is numeric or a name; empty or "*" is any. A number alone
 * is refused: resolvers take 5060 for the address 0.0.19.196, and whoever writes it means a port.
 */
struct net_bind {
    char host[256];
    uint16_t port_low; /* 0: the kernel chooses */
    uint16_t port_high;
};
int net_parse_bind(const char *text, struct net_bind *b); /* 0 or EINVAL */

/* Resolves with the system's resolver (numeric text needs no look-up). At most `room` addresses.
 * 0, or ENOENT with *why set to a static text. */
int net_resolve(const char *host, uint16_t port, int family, int socktype, struct net_addr *list,
                size_t room, size_t *count, const char **why);

/* A bound socket (SOCK_DGRAM or SOCK_STREAM, which also listens) on the first free port of the
 * range. `reuse` lets a TCP port that a dead process left in TIME_WAIT be taken again; on UDP it is
 * without effect, as it would let two living processes share a port. Any address with AF_UNSPEC
 * is IPv4's. *bound tells the address. 0, or EADDRINUSE (the whole range), EADDRNOTAVAIL, ... */
int net_open(int socktype, const struct net_bind *b, int family, bool reuse, int *fd,
             struct net_addr *bound);
/* The same on one exact address. */
int net_open_at(int socktype, const struct net_addr *a, bool reuse, int *fd,
                struct net_addr *bound);

/* As net_open for a stream, but nobody listens: the port is ours, for net_connect_from. */
int net_reserve(const struct net_bind *b, int family, int *fd, struct net_addr *bound);

int net_accept(int listener, int *fd, struct net_addr *peer); /* EAGAIN when there is none */

/* Starts a TCP connection: wait for EPOLLOUT, then net_connected gives 0 or why it failed. */
int net_connect(const struct net_addr *to, int *fd);
int net_connected(int fd);
/* The same from that address, where the kernel still allows it; else from any. */
int net_connect_from(const struct net_addr *from, const struct net_addr *to, int *fd);

/* The local address that the kernel would use towards `peer` (no packet is sent). */
int net_local_toward(const struct net_addr *peer, struct net_addr *local);
int net_local(int fd, struct net_addr *local);

/* These never fail: they are only for speed. */
void net_tune_stream(int fd); /* TCP_NODELAY */
/* Congestion control: without pacing, for peers on this host, before listen(2) or connect(2); then
 * the system's own, if an accepted peer turned out to be elsewhere. net_open, net_accept and
 * net_connect do this by themselves. */
void net_unpaced(int fd);
void net_pace_towards(int fd, const struct net_addr *peer);

bool net_is_near(const struct net_addr *peer); /* is it an address of this host? */

#endif
