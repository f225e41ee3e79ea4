/* The table of the module that wraps c-ares. For base and the module alone: others use dns.h. */
#ifndef BASE_CARES_MODULE_H
#define BASE_CARES_MODULE_H

#include "base/dns.h"
#include "base/module.h"

enum dns_kind { DNS_ADDRESSES, DNS_SERVICES, DNS_POINTERS };

/* A whole reply, or why there is none (then n is 0). Its lists are the caller's and are not changed
 * by the module afterwards; port, order and names are not looked at by the module. */
typedef void cares_taker(void *query, const struct dns_reply *reply);

struct cares_channel;

struct cares_module {
    struct module head;
    /* NULL with one line in `why`. */
    struct cares_channel *(*open)(struct loop *l, const struct dns_config *config,
                                  char why[MODULE_WHY_SIZE]);
    /* `take` is called once, perhaps from inside, perhaps only from `close`. */
    void (*ask)(struct cares_channel *c, enum dns_kind kind, const char *name, int family,
                cares_taker *take, void *query);
    void (*close)(struct cares_channel *c);
};

#endif
