/* BBR paces a connection, which within one host halves the speed, and a socket that began with BBR
 * is paced under any later control as well. So where the peer may be on this host a socket begins
 * with another one, and gets the system's own back when the peer is elsewhere. */
#include "base/net.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define CONTROL_SIZE 17 /* the kernel's TCP_CA_NAME_MAX, and a NUL */

static void set_control(int fd, const char *name)
{
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name));
}

void net_unpaced(int fd)
{
    set_control(fd, "reno");
}

bool net_is_loopback(const struct net_addr *a)
{
    char host[NET_TEXT_SIZE];
    net_host_text(host, a, false);
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
           strncmp(host, "::ffff:127.", 11) == 0;
}

bool net_is_near(const struct net_addr *peer)
{
    struct net_addr local;
    return net_local_toward(peer, &local) == 0 && net_same_host(&local, peer);
}

void net_pace_towards(int fd, const struct net_addr *peer)
{
    char name[CONTROL_SIZE] = "";
    socklen_t n = sizeof name - 1;
    struct net_addr local;
    if (net_local(fd, &local) == 0 && net_same_host(&local, peer))
        return;
    int fresh = socket(peer->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fresh < 0)
        return;
    if (getsockopt(fresh, IPPROTO_TCP, TCP_CONGESTION, name, &n) == 0)
        set_control(fd, name);
    (void)close(fresh);
}
