#include "base/mem.h"
#include "base/rand.h"
#include "sip/fence.h"
#include "sip/head.h"
#include "sip/stack_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TAG_SHADOW SHADOW "tag"
#define TAG_SIZE   12

/* --- Reading. */

static const char *find(const osip_message_t *m, const char *name, int n)
{
    osip_list_iterator_t at;
    const osip_header_t *h = osip_list_get_first(&m->headers, &at);
    for (; osip_list_iterator_has_elem(at); h = osip_list_get_next(&at)) {
        if (h->hname && ((h->hname[0] ^ name[0]) & ~0x20) == 0 && strcasecmp(h->hname, name) == 0 &&
            n-- == 0)
            return h->hvalue ? h->hvalue : "";
    }
    return NULL;
}

const char *sip_header(const struct osip_message *m, const char *name, int n)
{
    char shadow[32] = SHADOW;
    size_t length = strlen(name);
    if (length + sizeof SHADOW <= sizeof shadow) {
        memcpy(shadow + 1, name, length + 1);
        if (find(m, shadow, 0))
            return find(m, shadow, n);
    }
    return find(m, name, n);
}

struct slice sip_body(const struct osip_message *m, const char **content_type)
{
    const osip_body_t *b = osip_list_get(&m->bodies, 0);
    *content_type = sip_header(m, "Content-Type", 0);
    return b && b->body ? (struct slice){b->body, b->length} : (struct slice){NULL, 0};
}

int sip_status(const struct osip_message *m)
{
    return m->status_code;
}

const char *sip_method(const struct osip_message *m)
{
    return m->status_code && m->cseq ? m->cseq->method : m->sip_method;
}

/* --- Writing. What libosip2 needs in its struct (for its transactions, and for the ACK that it
 * makes) goes there, all else stays text. */

static int add_via(osip_message_t *m, const char *value)
{
    return osip_message_append_via(m, value);
}

static const struct {
    const char *name;
    int (*set)(osip_message_t *m, const char *value);
    bool list;
} structured[] = {
    {"Via", add_via, true},
    {"From", osip_message_set_from, false},
    {"To", osip_message_set_to, false},
    {"Call-ID", osip_message_set_call_id, false},
    {"CSeq", osip_message_set_cseq, false},
    {"Route", osip_message_set_route, true},
    {"Record-Route", osip_message_set_record_route, true},
};

static int set_one(osip_message_t *m, size_t which, struct slice value)
{
    char *text = slice_dup(value);
    int err = value.n == 0 || structured[which].set(m, text) != 0 ? EINVAL : 0;
    free(text);
    return err;
}

static int add_structured(osip_message_t *m, size_t which, const char *value)
{
    struct slice rest = slice_of(value);
    int err = 0;
    if (!structured[which].list)
        return set_one(m, which, rest);
    while (rest.p && !err)
        err = set_one(m, which, head_value(&rest));
    return err;
}

int sip_header_add(struct osip_message *m, const char *name, const char *value)
{
    if (!head_is_token(slice_of(name)) || strpbrk(value, "\r\n"))
        return EINVAL;
    (void)osip_message_force_update(m);
    for (size_t i = 0; i < sizeof structured / sizeof *structured; i++) {
        if (strcasecmp(structured[i].name, name) == 0)
            return add_structured(m, i, value);
    }
    return osip_message_set_header(m, name, value) == 0 ? 0 : EINVAL;
}

static void remove_text(osip_message_t *m, const char *name)
{
    for (int i = osip_list_size(&m->headers) - 1; i >= 0; i--) {
        osip_header_t *h = osip_list_get(&m->headers, i);
        const char *own = h && h->hname ? h->hname : "";
        if (strcasecmp(own + (*own == *SHADOW), name) != 0)
            continue;
        (void)osip_list_remove(&m->headers, i);
        osip_header_free(h);
    }
}

static void remove_addresses(osip_list_t *list)
{
    while (osip_list_size(list) > 0) {
        osip_from_t *f = osip_list_get(list, 0);
        (void)osip_list_remove(list, 0);
        osip_from_free(f);
    }
}

static void remove_vias(osip_message_t *m)
{
    while (osip_list_size(&m->vias) > 0) {
        osip_via_t *v = osip_list_get(&m->vias, 0);
        (void)osip_list_remove(&m->vias, 0);
        osip_via_free(v);
    }
}

static void remove_single(osip_message_t *m, const char *name)
{
    if (strcasecmp(name, "From") == 0) {
        osip_from_free(m->from);
        m->from = NULL;
    } else if (strcasecmp(name, "To") == 0) {
        osip_to_free(m->to);
        m->to = NULL;
    } else if (strcasecmp(name, "Call-ID") == 0) {
        osip_call_id_free(m->call_id);
        m->call_id = NULL;
    } else if (strcasecmp(name, "CSeq") == 0) {
        osip_cseq_free(m->cseq);
        m->cseq = NULL;
    } else if (strcasecmp(name, "Content-Type") == 0) {
        osip_content_type_free(m->content_type);
        m->content_type = NULL;
    }
}

void sip_header_remove(struct osip_message *m, const char *name)
{
    (void)osip_message_force_update(m);
    remove_text(m, name);
    remove_single(m, name);
    if (strcasecmp(name, "Via") == 0)
        remove_vias(m);
    else if (strcasecmp(name, "Contact") == 0)
        remove_addresses(&m->contacts);
    else if (strcasecmp(name, "Route") == 0)
        remove_addresses(&m->routes);
    else if (strcasecmp(name, "Record-Route") == 0)
        remove_addresses(&m->record_routes);
}

int sip_body_set(struct osip_message *m, const char *content_type, struct slice body)
{
    sip_header_remove(m, "Content-Type");
    while (osip_list_size(&m->bodies) > 0) {
        osip_body_t *b = osip_list_get(&m->bodies, 0);
        (void)osip_list_remove(&m->bodies, 0);
        osip_body_free(b);
    }
    if (body.n == 0)
        return 0;
    int err = sip_header_add(m, "Content-Type", content_type);
    if (!err && osip_message_set_body(m, body.p, body.n) != 0)
        err = EINVAL;
    return err;
}

/* --- Responses (RFC 3261 8.2.6). */

void message_note_tag(osip_message_t *m, const osip_message_t *like)
{
    char fresh[TAG_SIZE + 1];
    const char *tag = like ? find(like, TAG_SHADOW, 0) : NULL;
    rand_token(fresh, TAG_SIZE);
    (void)osip_message_set_header(m, TAG_SHADOW, tag ? tag : fresh);
}

static const char *tag_of(const osip_to_t *to)
{
    for (int i = 0; i < osip_list_size(&to->gen_params); i++) {
        const osip_generic_param_t *p = osip_list_get(&to->gen_params, i);
        if (p && p->gname && strcasecmp(p->gname, "tag") == 0)
            return p->gvalue;
    }
    return NULL;
}

static void add_tag(osip_message_t *r, const osip_message_t *request)
{
    char fresh[TAG_SIZE + 1];
    const char *tag = find(request, TAG_SHADOW, 0);
    rand_token(fresh, TAG_SIZE);
    if (r->to && !tag_of(r->to))
        (void)osip_uri_param_add(&r->to->gen_params, mem_dup("tag"), mem_dup(tag ? tag : fresh));
}

static void copy_lists(osip_message_t *r, const osip_message_t *request)
{
    for (int i = 0; i < osip_list_size(&request->vias); i++) {
        osip_via_t *v;
        if (osip_via_clone(osip_list_get(&request->vias, i), &v) == 0)
            (void)osip_list_add(&r->vias, v, -1);
    }
    for (int i = 0; i < osip_list_size(&request->record_routes); i++) {
        osip_from_t *f;
        if (osip_from_clone(osip_list_get(&request->record_routes, i), &f) == 0)
            (void)osip_list_add(&r->record_routes, f, -1);
    }
}

struct osip_message *sip_response_to(const struct osip_message *request, int status,
                                     const char *reason)
{
    osip_message_t *r;
    if (osip_message_init(&r) != 0)
        abort();
    const char *usual = osip_message_get_reason(status);
    osip_message_set_version(r, mem_dup("SIP/2.0"));
    osip_message_set_status_code(r, status);
    osip_message_set_reason_phrase(r, mem_dup(reason ? reason : usual ? usual : "Unknown"));
    (void)osip_from_clone(request->from, &r->from);
    (void)osip_to_clone(request->to, &r->to);
    (void)osip_call_id_clone(request->call_id, &r->call_id);
    (void)osip_cseq_clone(request->cseq, &r->cseq);
    copy_lists(r, request);
    if (status > 100)
        add_tag(r, request);
    return r;
}

/* --- The wire. */

static void drop_shadows(char *text, size_t *n)
{
    char *line = strstr(text, "\r\n" SHADOW);
    const char *end = strstr(text, "\r\n\r\n");
    while (line && end && line < end) {
        char *next = strstr(line + 2, "\r\n");
        size_t cut = (size_t)(next - line);
        memmove(line, next, *n - (size_t)(next - text) + 1);
        *n -= cut;
        line = strstr(line, "\r\n" SHADOW);
        end = strstr(text, "\r\n\r\n");
    }
}

int message_text(osip_message_t *m, char **text, size_t *n)
{
    *text = NULL;
    if (osip_message_to_str(m, text, n) != 0 || !*text)
        return EINVAL;
    drop_shadows(*text, n);
    if (*n <= SIP_MESSAGE_MAX)
        return 0;
    free(*text);
    *text = NULL;
    return EMSGSIZE;
}
