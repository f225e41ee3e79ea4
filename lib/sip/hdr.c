/* Messages and their headers: the clauses I1 to I7 and C1 (RFC 3841, 3325, 3892, 4028, 6050). */
#include "base/buf.h"
#include "base/mem.h"
#include "sip/agent.h"
#include "sip/parts.h"

#include <osipparser2/osip_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HOPS_LEFT "70"

static bool is_method(struct slice s)
{
    static const char *const methods[] = {"INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE"};

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (slice_is(s, methods[i]))
            return true;
    return false;
}

struct header_wish header_wish(const char *text)
{
    struct header_wish w = {.value = {NULL, 0}};
    struct slice rest = slice_of(text);
    struct slice first = slice_cut(&rest, ':');

    if (rest.p != NULL && is_method(first) && memchr(rest.p, ':', rest.n) != NULL) {
        w.method = first;
        first = slice_cut(&rest, ':');
    }
    w.name = slice_trim(first);
    if (rest.p != NULL) {
        w.value = slice_trim(rest);
        if (w.value.p == NULL)
            w.value = (struct slice){"", 0};
    }
    return w;
}

/* Was the header named by an earlier -H for this method? Then this one is a further value. */
static bool named_before(const struct sip_config *c, size_t i, struct header_wish w)
{
    for (size_t k = 0; k < i; k++) {
        struct header_wish other = header_wish(c->header.v[k]);
        if (slice_eq(other.method, w.method) && other.name.n == w.name.n &&
            strncasecmp(other.name.p, w.name.p, w.name.n) == 0)
            return true;
    }
    return false;
}

static bool wish_is_for(struct header_wish w, const char *method)
{
    return w.method.n > 0 ? slice_is(w.method, method) : strcmp(method, "INVITE") == 0;
}

void headers_apply(struct osip_message *m, const struct sip_config *c)
{
    for (size_t i = 0; i < c->header.n; i++) {
        struct header_wish w = header_wish(c->header.v[i]);
        char *name, *value;
        if (!wish_is_for(w, m->sip_method))
            continue;
        name = slice_dup(w.name);
        value = slice_dup(w.value);
        if (!named_before(c, i, w))
            sip_header_remove(m, name);
        if (w.value.n > 0)
            (void)sip_header_add(m, name, value); /* sip_config_check saw its characters */
        free(name);
        free(value);
    }
}

struct osip_message *request_new(const struct sip_config *c, const char *method, const char *uri)
{
    osip_message_t *m = sip_request_new(method, uri);

    if (m == NULL)
        return NULL;
    (void)sip_header_add(m, "Max-Forwards", HOPS_LEFT);
    if (c->user_agent != NULL)
        (void)sip_header_add(m, "User-Agent", c->user_agent);
    return m;
}

/* --- The feature tag. */

/* The URN as it stands inside a feature tag: its colons escaped. */
static char *escaped(const char *urn)
{
    struct buf b = BUF_UP_TO(4096);
    int err = buf_add_text(&b, "");

    for (; *urn != '\0' && err == 0; urn++)
        err = *urn == ':' ? buf_add_text(&b, "%3A") : buf_add(&b, urn, 1);
    return b.p;
}

/* "name:number" of an originator, for the user part of the Contact. */
static char *contact_user(const struct sip_config *c)
{
    struct uri u;
    struct slice user, rest;

    if (c->from == NULL || uri_parse(slice_of(c->from), &u, NULL) != 0 || u.user.n == 0)
        return mem_dup("cpm");
    rest = u.user;
    user = slice_cut(&rest, ';');
    rest = user;
    user = slice_cut(&rest, ':'); /* never a password */
    return slice_dup(user);
}

char *contact_value(const struct sip_config *c, const char *uri, const char *sent_by,
                    enum sip_transport t)
{
    char *user = contact_user(c);
    char *urn = escaped(c->icsi);
    const char *route = c->proxy.n > 0 ? c->proxy.v[0] : NULL;
    bool secure = uri_is_secure(uri) || uri_is_secure(route); /* RFC 3261 8.1.1.8 */
    bool named = !secure && t != SIP_UDP;
    char *value =
        mem_format("<%s:%s@%s%s%s>;+g.3gpp.icsi-ref=\"%s\"", secure ? "sips" : "sip", user, sent_by,
                   named ? ";transport=" : "", named ? sip_transport_name(t) : "", urn);

    free(user);
    free(urn);
    return value;
}

/* --- The INVITE. */

static void add_format(struct osip_message *m, const char *name, const char *format, const char *a)
{
    struct buf b = BUF_UP_TO(4096);

    if (a == NULL)
        return;
    for (const char *p = format; *p != '\0'; p++)
        (void)(*p == '@' ? buf_add_text(&b, a) : buf_add(&b, p, 1));
    (void)sip_header_add(m, name, b.p); /* its characters were checked with the options */
    buf_free(&b);
}

static void add_service(struct osip_message *m, const struct sip_config *c)
{
    char *urn = escaped(c->icsi);

    if (c->accept_contact != NULL)
        (void)sip_header_add(m, "Accept-Contact", c->accept_contact);
    else
        add_format(m, "Accept-Contact", "*;+g.3gpp.icsi-ref=\"@\"", urn);
    (void)sip_header_add(m, "P-Asserted-Service", c->icsi);
    free(urn);
}

static void add_timer(struct osip_message *m, const struct sip_config *c, int64_t min_se)
{
    int64_t expires = c->session_expires / 1000;
    char text[64];

    (void)sip_header_add(m, "Supported", "timer, 100rel");
    (void)snprintf(text, sizeof(text), "%lld;refresher=uac",
                   (long long)(expires > min_se ? expires : min_se));
    (void)sip_header_add(m, "Session-Expires", text);
    if (min_se > 0) {
        (void)snprintf(text, sizeof(text), "%lld", (long long)min_se);
        (void)sip_header_add(m, "Min-SE", text);
    }
}

static int add_identity(struct osip_message *m, const struct call *k)
{
    char *from = mem_format("%s;tag=%s", k->from, k->from_tag);
    char *cseq = mem_format("%lld %s", (long long)k->cseq, m->sip_method);
    int err = sip_header_add(m, "From", from);

    err |= sip_header_add(m, "To", k->to);
    err |= sip_header_add(m, "Call-ID", k->call_id);
    err |= sip_header_add(m, "CSeq", cseq);
    for (size_t i = 0; i < k->route.n; i++)
        err |= sip_header_add(m, "Route", k->route.v[i]);
    free(from);
    free(cseq);
    return err;
}

struct osip_message *call_invite(const struct call *k, const struct sip_config *c, int64_t min_se,
                                 struct slice offer)
{
    struct osip_message *m = request_new(c, "INVITE", k->uri);

    if (m == NULL)
        return NULL;
    if (add_identity(m, k) != 0 || sip_header_add(m, "Contact", k->contact) != 0 ||
        sip_body_set(m, "application/sdp", offer) != 0) {
        osip_message_free(m);
        return NULL;
    }
    add_service(m, c);
    add_format(m, "P-Asserted-Identity", "<@>",
               c->asserted_identity != NULL ? c->asserted_identity : c->from);
    add_format(m, "Referred-By", "<@>", c->referred_by != NULL ? c->referred_by : c->from);
    add_timer(m, c, min_se);
    add_format(m, "Conversation-ID", "@", c->conversation_id);
    add_format(m, "Contribution-ID", "@", c->contribution_id);
    (void)sip_header_add(m, "Allow", SIP_ALLOW);
    return m;
}

/* On the INVITE's own branch. */
static struct osip_message *same_branch(const struct call *k, const struct sip_config *c,
                                        const char *method)
{
    struct osip_message *m = request_new(c, method, k->uri);
    char *via = mem_format("SIP/2.0/%s %s;branch=%s%s", sip_via_name(k->hop.transport), k->via,
                           k->branch, k->hop.transport == SIP_UDP ? ";rport" : "");

    if (m != NULL && (add_identity(m, k) != 0 || sip_header_add(m, "Via", via) != 0)) {
        osip_message_free(m);
        m = NULL;
    }
    free(via);
    return m;
}

struct osip_message *call_cancel(const struct call *k, const struct sip_config *c)
{
    struct osip_message *m = same_branch(k, c, "CANCEL");

    if (m != NULL)
        headers_apply(m, c);
    return m;
}

struct osip_message *call_ack(const struct call *k, const struct sip_config *c,
                              const struct osip_message *response)
{
    struct osip_message *m = same_branch(k, c, "ACK");
    osip_to_t *to = NULL;

    if (m == NULL || osip_to_clone(response->to, &to) != 0)
        return m;
    osip_to_free(m->to);
    m->to = to;
    headers_apply(m, c);
    return m;
}

/* --- Reading. */

int64_t header_number(const struct osip_message *m, const char *name, int64_t otherwise)
{
    struct slice rest = slice_of(sip_header(m, name, 0));
    struct slice number = slice_cut(&rest, ';');
    uint64_t n;

    number = slice_trim(number);
    for (size_t i = 0; i < number.n; i++)
        if (number.p[i] == ' ' || number.p[i] == '(')
            number.n = i; /* Retry-After: 30 (busy) */
    return slice_number(number, UINT32_MAX, &n) ? (int64_t)n : otherwise;
}

bool header_lists(const struct osip_message *m, const char *name, const char *token)
{
    const char *value;

    for (int i = 0; (value = sip_header(m, name, i)) != NULL; i++) {
        struct slice rest = slice_of(value);
        while (rest.p != NULL)
            if (slice_is_nocase(slice_trim(slice_cut(&rest, ',')), token))
                return true;
    }
    return false;
}

int64_t session_expires(const struct osip_message *m, const char **refresher)
{
    struct slice rest = slice_of(sip_header(m, "Session-Expires", 0));

    *refresher = "";
    (void)slice_cut(&rest, ';');
    while (rest.p != NULL) {
        struct slice value = slice_cut(&rest, ';');
        struct slice name = slice_trim(slice_cut(&value, '='));
        if (slice_is_nocase(name, "refresher"))
            *refresher = slice_is_nocase(slice_trim(value), "uas") ? "uas" : "uac";
    }
    return header_number(m, "Session-Expires", 0);
}
