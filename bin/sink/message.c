#include "bin/sink/sink.h"

#include "base/mem.h"
#include "sip/uri.h"

#include <osipparser2/osip_parser.h>
#include <stdlib.h>
#include <string.h>
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

const char *message_from_tag(const struct osip_message *m)
{
    return tag_of(m->from);
}

const char *message_to_tag(const struct osip_message *m)
{
    return tag_of(m->to);
}

char *message_to(const struct osip_message *m)
{
    char *text = NULL;
    return osip_to_to_str(m->to, &text) == 0 ? text : NULL;
}

char *message_uri(const struct osip_message *m)
{
    char *text = NULL;
    return m->req_uri && osip_uri_to_str(m->req_uri, &text) == 0 ? text : NULL;
}

int64_t message_cseq(const struct osip_message *m)
{
    uint64_t n;
    struct slice number = slice_of(m->cseq ? m->cseq->number : NULL);
    return slice_number(number, UINT32_MAX, &n) ? (int64_t)n : -1;
}

char *message_contact(const struct osip_message *m)
{
    const char *value = sip_header(m, "Contact", 0);
    struct slice uri = uri_of_name_addr(slice_of(value));
    return uri.n ? slice_dup(uri) : NULL;
}

struct osip_message *message_clone(const struct osip_message *m)
{
    osip_message_t *copy;
    return osip_message_clone(m, &copy) == 0 ? copy : NULL;
}

void message_free(struct osip_message *m)
{
    if (m)
        osip_message_free(m);
}

bool message_lists(const struct osip_message *m, const char *name, const char *token)
{
    const char *value;
    for (int i = 0; (value = sip_header(m, name, i)); i++) {
        struct slice rest = slice_of(value);
        while (rest.p)
            if (slice_is_nocase(slice_trim(slice_cut(&rest, ',')), token))
                return true;
    }
    return false;
}

int64_t message_seconds(const struct osip_message *m, const char *name)
{
    uint64_t n;
    struct slice rest = slice_of(sip_header(m, name, 0));
    struct slice number = slice_trim(slice_cut(&rest, ';'));
    return slice_number(number, UINT32_MAX, &n) ? (int64_t)n : 0;
}

static osip_message_t *bare_request(const char *method, const char *uri)
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

struct osip_message *message_request(const struct call *c, const char *method, int64_t cseq)
{
    osip_message_t *m = c->target ? bare_request(method, c->target) : NULL;
    if (!m)
        return NULL;
    char *number = mem_format("%lld %s", (long long)cseq, method);
    char *contact = mem_format("<%s>", c->contact);
    int error = sip_header_add(m, "From", c->local);
    error |= sip_header_add(m, "To", c->remote);
    error |= sip_header_add(m, "Call-ID", c->call_id);
    error |= sip_header_add(m, "CSeq", number);
    for (size_t i = 0; i < c->n_routes; i++)
        error |= sip_header_add(m, "Route", c->routes[i]);
    error |= sip_header_add(m, "Max-Forwards", "70");
    if (strcmp(method, "ACK") != 0 && strcmp(method, "BYE") != 0)
        error |= sip_header_add(m, "Contact", contact);
    free(number);
    free(contact);
    if (!error)
        return m;
    osip_message_free(m);
    return NULL;
}
