#include "sip/parts.h"

#include "base/mem.h"

#include <osipparser2/osip_parser.h>
#include <stdlib.h>
#include <strings.h>

static const char *tag_of(const osip_from_t *side)
{
    for (int i = 0; side && i < osip_list_size(&side->gen_params); i++) {
        const osip_generic_param_t *p = osip_list_get(&side->gen_params, i);
        if (p && p->gname && strcasecmp(p->gname, "tag") == 0)
            return p->gvalue;
    }
    return NULL;
}

const char *sip_from_tag(const struct osip_message *m)
{
    return tag_of(m->from);
}

const char *sip_to_tag(const struct osip_message *m)
{
    return tag_of(m->to);
}

char *sip_to_text(const struct osip_message *m)
{
    char *text = NULL;
    return osip_to_to_str(m->to, &text) == 0 ? text : NULL;
}

char *sip_request_uri(const struct osip_message *m)
{
    char *text = NULL;
    return m->req_uri && osip_uri_to_str(m->req_uri, &text) == 0 ? text : NULL;
}

struct osip_message *sip_message_clone(const struct osip_message *m)
{
    osip_message_t *copy;
    return osip_message_clone(m, &copy) == 0 ? copy : NULL;
}

void sip_message_free(struct osip_message *m)
{
    if (m)
        osip_message_free(m);
}

struct osip_message *sip_request_new(const char *method, const char *uri)
{
    osip_message_t *m = NULL;
    osip_uri_t *u = NULL;
    if (osip_uri_init(&u) != 0)
        return NULL;
    if (osip_uri_parse(u, uri) != 0 || osip_message_init(&m) != 0) {
        osip_uri_free(u);
        return NULL;
    }
    osip_message_set_uri(m, u);
    osip_message_set_method(m, mem_dup(method));
    osip_message_set_version(m, mem_dup("SIP/2.0"));
    return m;
}
