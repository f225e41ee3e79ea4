#include "base/err.h"
#include "sip/stack_int.h"

void trace_wire(bool sent, const struct sip_hop *hop, struct slice text)
{
    char addr[NET_TEXT_SIZE], headline[NET_TEXT_SIZE + 16];
    if (err_verbosity < ERR_WIRE)
        return;
    net_addr_text(addr, &hop->addr);
    (void)snprintf(headline, sizeof headline, "SIP/%s %s", sip_via_name(hop->transport), addr);
    err_wire(sent, headline, text.p, text.n);
}
