/* DNS look-ups on the loop: nothing blocks. c-ares does the work; it is a module (module.h) that is
 * opened with the first look-up, so whoever only meets numeric addresses loads no DNS library.
 *
 * /etc/hosts, /etc/resolv.conf and the order in /etc/nsswitch.conf are honoured as c-ares does;
 * other services of nsswitch.conf (mDNS, LDAP) are not asked. Names that come from the DNS are
 * checked here: what could not stand in a host name is not handed on. */
#ifndef BASE_DNS_H
#define BASE_DNS_H

#include "base/loop.h"
#include "base/net.h"

#define DNS_NAME_SIZE  256 /* with the NUL */
#define DNS_TIMEOUT_MS 10000

struct dns_config {
    const char *servers; /* ADDR[:PORT][,ADDR[:PORT]]…; NULL: those of the system. Borrowed. */
    int64_t timeout_ms;  /* for one look-up, with all its repetitions; 0: DNS_TIMEOUT_MS */
};

/* Is that a list of servers? 0 or EINVAL. */
int dns_servers_check(const char *servers);

struct dns_srv { /* RFC 2782 */
    uint16_t priority, weight, port;
    char host[DNS_NAME_SIZE]; /* "." : the service is decidedly not available here */
};

struct dns_naptr { /* RFC 3403, those without a regular expression */
    uint16_t order, preference;
    char flags[8];
    char service[32];
    char replacement[DNS_NAME_SIZE];
};

/* What came of a look-up. The lists live until the handler returns. */
struct dns_reply {
    /* 0; ENOENT: there is no such name; ENODATA: it has no such records; ETIMEDOUT; EINVAL: not a
     * name that can be asked for; ELIBACC: the module is not to be had; ECONNREFUSED: there is no
     * server; EREMOTEIO: anything else that the servers did or said. */
    int error;
    const char *why; /* one line for people, where error is not 0 */
    size_t n;        /* of the list that was asked for; more than 0 where error is 0 */
    struct net_addr *addr;
    struct dns_srv *srv;
    struct dns_naptr *naptr;
};
#define DNS_RECORDS_MAX 64 /* of one answer; what goes beyond is left out */

/* Is it a failure that says nothing about what exists? */
bool dns_is_temporary(int error);

struct dns;
struct dns_query;
typedef void dns_handler(void *arg, const struct dns_reply *reply);

/* Opens nothing yet. The config is copied, the text in it is not. */
struct dns *dns_new(struct loop *l, const struct dns_config *config);
/* No handler is called any more; may be called from within one. */
void dns_free(struct dns *d);

/* The addresses of a host with that port, of a family or of both (AF_UNSPEC), ordered by RFC 6724.
 * The handler is called once, from the loop, never from inside; the query is gone then. */
struct dns_query *dns_addresses(struct dns *d, const char *host, uint16_t port, int family,
                                dns_handler *handler, void *arg);
/* The service records of a name, in the order of RFC 2782: the weights have been thrown. */
struct dns_query *dns_services(struct dns *d, const char *name, dns_handler *handler, void *arg);
/* The NAPTR records of a name, by order and preference. */
struct dns_query *dns_pointers(struct dns *d, const char *name, dns_handler *handler, void *arg);
void dns_forget(struct dns_query *q); /* the handler will not be called */

/* --- Pure, for those above and for tests. */

/* Orders by RFC 2782. `below` gives a random number from 0 to the limit, the limit included. */
void dns_srv_order(struct dns_srv *v, size_t n, uint32_t (*below)(void *arg, uint32_t limit),
                   void *arg);
void dns_naptr_order(struct dns_naptr *v, size_t n);
/* Could this be a host name? Letters, digits, - _ and dots between labels of 1 to 63 octets. */
bool dns_is_name(const char *text);

#endif
