/* Reading and building the messages of a dialog. */
#include "base/mem.h"
#include "bin/sink/sink.h"
#include "sip/parts.h"
#include "sip/uri.h"

#include <stdlib.h>
#include <string.h>

int64_t message_cseq(const struct osip_message *m)
{
    uint64_t n;
    struct slice rest = slice_of(sip_header(m, "CSeq", 0));
    return slice_number(slice_cut(&rest, ' '), UINT32_MAX, &n) ? (int64_t)n : -1;
}

char *message_contact(const struct osip_message *m)
{
    const char *value = sip_header(m, "Contact", 0);
    struct slice uri = uri_of_name_addr(slice_of(value));
    return uri.n ? slice_dup(uri) : NULL;
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

struct osip_message *message_request(const struct call *c, const char *method, int64_t cseq)
{
    struct osip_message *m = c->target ? sip_request_new(method, c->target) : NULL;
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
    sip_message_free(m);
    return NULL;
}
