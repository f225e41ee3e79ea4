/* Which of our addresses does a peer reach? And how far are we, for people. */
#include "msrp/serve.h"

#include "base/num.h"

#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static bool first_of_interfaces(int family, struct net_addr *found)
{
    struct ifaddrs *list;
    bool good = false;
    if (getifaddrs(&list) != 0)
        return false;
    for (const struct ifaddrs *i = list; i && !good; i = i->ifa_next) {
        bool up = (i->ifa_flags & IFF_UP) && !(i->ifa_flags & IFF_LOOPBACK);
        if (!up || !i->ifa_addr || i->ifa_addr->sa_family != family)
            continue;
        found->len = family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
        memcpy(&found->ss, i->ifa_addr, found->len);
        good = true;
    }
    freeifaddrs(list);
    return good;
}

void msrp_own_host(int family, char text[NET_TEXT_SIZE])
{
    bool six = family == AF_INET6;
    struct net_addr far; /* from the blocks for documentation: it stands for anybody outside */
    struct net_addr local;
    bool good = net_parse(six ? "[2001:db8::1]:9" : "192.0.2.1:9", &far) == 0 &&
                net_local_toward(&far, &local) == 0 && !net_is_any(&local);
    if (good || first_of_interfaces(family, &local))
        net_host_text(text, &local, false);
    else
        (void)snprintf(text, NET_TEXT_SIZE, "%s", six ? "::1" : "127.0.0.1");
}

static void time_text(char text[32], uint64_t seconds)
{
    if (seconds < 100)
        (void)snprintf(text, 32, "%" PRIu64 " s", seconds);
    else if (seconds < 100 * 60)
        (void)snprintf(text, 32, "%" PRIu64 " min", seconds / 60);
    else
        (void)snprintf(text, 32, "%" PRIu64 " h", seconds / 3600);
}

void msrp_meter_text(char *text, size_t room, uint64_t octets, uint64_t total, int64_t ms)
{
    char done[16];
    char all[16];
    char rate_text[16];
    char left[32];
    uint64_t rate = ms > 0 ? (uint64_t)((double)octets * 1000 / (double)ms) : 0;
    num_size_text(done, octets);
    num_size_text(all, total);
    num_size_text(rate_text, rate);
    time_text(left, rate ? (total - octets + rate - 1) / rate : 0);
    unsigned percent = total ? (unsigned)((double)octets * 100 / (double)total) : 100;
    int n = snprintf(text, room, "%s of %s, %u %%, %s/s", done, all, percent, rate_text);
    if (n > 0 && (size_t)n < room && octets < total && rate)
        (void)snprintf(text + n, room - (size_t)n, ", %s left", left);
}
