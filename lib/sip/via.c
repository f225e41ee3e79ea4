#include "base/mem.h"
#include "base/rand.h"
#include "sip/stack_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static osip_uri_param_t *find_param(const osip_via_t *v, const char *name)
{
    for (int i = 0; i < osip_list_size(&v->via_params); i++) {
        osip_uri_param_t *p = osip_list_get(&v->via_params, i);
        if (p && p->gname && strcasecmp(p->gname, name) == 0)
            return p;
    }
    return NULL;
}

const char *via_param(const osip_via_t *v, const char *name)
{
    const osip_uri_param_t *p = find_param(v, name);
    if (!p)
        return NULL;
    return p->gvalue ? p->gvalue : "";
}

static void set_param(osip_via_t *v, const char *name, const char *value)
{
    osip_uri_param_t *p = find_param(v, name);
    if (!p) {
        (void)osip_uri_param_add(&v->via_params, mem_dup(name), mem_dup(value));
        return;
    }
    free(p->gvalue);
    p->gvalue = mem_dup(value);
}

void via_mark(osip_message_t *request, const struct net_addr *from)
{
    char host[NET_TEXT_SIZE], port[8];
    osip_via_t *v = osip_list_get(&request->vias, 0);
    if (!v)
        return;
    net_host_text(host, from, false);
    bool rport = via_param(v, "rport") != NULL;
    if (rport) {
        (void)snprintf(port, sizeof port, "%u", (unsigned)net_port(from));
        set_param(v, "rport", port);
    }
    /* What the client itself says of this is not believed. */
    if (rport || via_param(v, "received") || !v->host || strcmp(v->host, host) != 0)
        set_param(v, "received", host);
}

static uint16_t sent_by_port(const osip_via_t *v, enum sip_transport t)
{
    uint64_t port;
    if (v->port && slice_number(slice_of(v->port), UINT16_MAX, &port) && port > 0)
        return (uint16_t)port;
    return t == SIP_TLS ? 5061 : 5060;
}

void via_response_hop(const osip_message_t *request, const struct sip_hop *from, struct sip_hop *to)
{
    const osip_via_t *v = osip_list_get(&request->vias, 0);
    *to = *from;
    if (v && (from->transport != SIP_UDP || !via_param(v, "rport")))
        net_set_port(&to->addr, sent_by_port(v, from->transport));
}

static int parse_via(const char *value, osip_via_t **v)
{
    if (osip_via_init(v) != 0)
        return ENOMEM;
    if (osip_via_parse(*v, value) == 0)
        return 0;
    osip_via_free(*v);
    return EINVAL;
}

int sip_via_add(struct osip_message *m, enum sip_transport t, const char *sent_by, char branch[64])
{
    char random[25];
    osip_via_t *v;
    rand_token(random, sizeof random - 1);
    (void)snprintf(branch, 64, "z9hG4bK%s", random);
    char *value = mem_format("SIP/2.0/%s %s;branch=%s%s", sip_via_name(t), sent_by, branch,
                             t == SIP_UDP ? ";rport" : "");
    int err = parse_via(value, &v);
    free(value);
    if (err)
        return err;
    (void)osip_message_force_update(m);
    return osip_list_add(&m->vias, v, 0) < 0 ? ENOMEM : 0;
}
