/* The dialog (RFC 3261 12): from a 2xx, to the journal and back, and its requests. */
#include "base/mem.h"
#include "sip/agent.h"

#include <errno.h>
#include <osipparser2/osip_parser.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RECORD_ROUTES_MAX 64

/* The remote target of a message, or NULL. */
static char *target_of(const struct osip_message *m)
{
    struct slice uri = uri_of_name_addr(slice_of(sip_header(m, "Contact", 0)));
    struct slice rest = uri;
    struct uri u;

    uri = slice_cut(&rest, '?'); /* headers in a Contact have no meaning here */
    return uri_parse(uri, &u, NULL) == 0 ? uri_text(&u) : NULL;
}

/* The route set is the Record-Route list, turned round (RFC 3261 12.1.2). */
static int take_routes(struct dialog *d, const struct osip_message *m)
{
    int n = 0;
    struct uri u;

    while (sip_header(m, "Record-Route", n) != NULL)
        n++;
    if (n > RECORD_ROUTES_MAX)
        return EBADMSG;
    while (n-- > 0) {
        struct slice value = slice_trim(slice_of(sip_header(m, "Record-Route", n)));
        if (uri_parse(uri_of_name_addr(value), &u, NULL) != 0)
            return EBADMSG;
        routes_add(&d->route, value);
    }
    return 0;
}

const char *tag_of(const struct osip_message *m, bool to)
{
    const osip_from_t *side = to ? m->to : m->from;

    if (side == NULL)
        return NULL;
    for (int i = 0; i < osip_list_size(&side->gen_params); i++) {
        const osip_generic_param_t *p = osip_list_get(&side->gen_params, i);
        if (p->gname != NULL && strcasecmp(p->gname, "tag") == 0)
            return p->gvalue;
    }
    return NULL;
}

int64_t cseq_of(const struct osip_message *m)
{
    uint64_t n;

    if (m->cseq == NULL || !slice_number(slice_of(m->cseq->number), UINT32_MAX, &n))
        return -1;
    return (int64_t)n;
}

int dialog_from_response(struct dialog *d, const struct call *k, const struct osip_message *m)
{
    *d = (struct dialog){.invite_cseq = k->cseq, .cseq = k->cseq, .remote_cseq = -1};
    d->call_id = mem_dup(k->call_id);
    d->local = mem_dup(k->from);
    d->local_tag = mem_dup(k->from_tag);
    d->remote = mem_dup(k->to);
    d->remote_tag = mem_dup(tag_of(m, true) != NULL ? tag_of(m, true) : "");
    d->contact = mem_dup(k->contact);
    credentials_copy(&d->credentials, &k->credentials);
    d->hop = k->hop;
    d->local_addr = k->local;
    d->target = target_of(m);
    /* A 2xx without Contact breaks RFC 3261 13.3.1.4; the address that was called is the best
     * guess, and still allows an ACK and a BYE. */
    if (d->target == NULL)
        d->target = mem_dup(k->uri);
    if (take_routes(d, m) == 0)
        return 0;
    routes_free(&d->route);
    return EBADMSG;
}

void dialog_free(struct dialog *d)
{
    free(d->call_id);
    free(d->local);
    free(d->local_tag);
    free(d->remote);
    free(d->remote_tag);
    free(d->target);
    free(d->contact);
    routes_free(&d->route);
    credentials_free(&d->credentials);
    way_free(&d->way);
    *d = (struct dialog){.cseq = 0};
}

int dialog_emit(const struct dialog *d, int64_t expires, const char *refresher, const char *sid,
                emit_f *emit, void *arg)
{
    char next[NET_TEXT_SIZE], local[NET_TEXT_SIZE];
    struct line_out o;
    int err = routes_emit(&d->route, "dialog.route", sid, emit, arg);

    net_addr_text(next, &d->hop.addr);
    net_addr_text(local, &d->local_addr);
    line_begin(&o, "dialog.confirmed", sid);
    line_text(&o, "call-id", d->call_id);
    line_text(&o, "local", d->local);
    line_text(&o, "local-tag", d->local_tag);
    line_text(&o, "remote", d->remote);
    line_text(&o, "remote-tag", d->remote_tag);
    line_number(&o, "invite-cseq", d->invite_cseq);
    line_number(&o, "cseq", d->cseq);
    line_text(&o, "target", d->target);
    line_text(&o, "transport", sip_transport_name(d->hop.transport));
    line_text(&o, "next-hop", next);
    line_text(&o, "local-address", local);
    line_text(&o, "contact", d->contact);
    line_number(&o, "routes", (int64_t)d->route.n);
    if (expires > 0) {
        line_number(&o, "session-expires", expires);
        line_text(&o, "refresher", refresher);
    }
    return err != 0 ? err : emit(arg, &o, false);
}

static char *fact(const struct journal *facts, const char *key, int *err)
{
    const char *value = journal_get(facts, key);

    if (value == NULL)
        *err = EBADMSG;
    return mem_dup(value != NULL ? value : "");
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int dialog_from_facts(struct dialog *d, const struct journal *facts)
{
    bool moved = journal_get(facts, "dialog.refreshed.target") != NULL;
    int err = 0;

    *d = (struct dialog){.remote_cseq = -1};
    if (!journal_has(facts, "dialog.confirmed"))
        return ENOENT;
    d->call_id = fact(facts, "dialog.confirmed.call-id", &err);
    d->local = fact(facts, "dialog.confirmed.local", &err);
    d->local_tag = fact(facts, "dialog.confirmed.local-tag", &err);
    d->remote = fact(facts, "dialog.confirmed.remote", &err);
    d->remote_tag = fact(facts, "dialog.confirmed.remote-tag", &err);
    d->target = fact(facts, moved ? "dialog.refreshed.target" : "dialog.confirmed.target", &err);
    d->contact = fact(facts, "dialog.confirmed.contact", &err);
    d->invite_cseq = journal_number(facts, "dialog.confirmed.invite-cseq", 1);
    d->cseq = larger(journal_number(facts, "dialog.confirmed.cseq", d->invite_cseq),
                     journal_number(facts, "dialog.cseq.cseq", 0));
    routes_from_facts(&d->route, facts, "dialog.route", "dialog.confirmed.routes");
    if (err == 0)
        err = hop_from_facts(&d->hop, &d->local_addr, facts, "dialog.confirmed",
                             "dialog.confirmed.local-address");
    return err;
}

static bool tag_is(const struct osip_message *m, bool to, const char *tag)
{
    const char *own = tag_of(m, to);

    return strcmp(own != NULL ? own : "", tag) == 0;
}

bool dialog_matches(const struct dialog *d, const struct osip_message *m)
{
    const char *id = sip_header(m, "Call-ID", 0);
    bool request = sip_status(m) == 0;

    return id != NULL && strcmp(id, d->call_id) == 0 && tag_is(m, request, d->local_tag) &&
           tag_is(m, !request, d->remote_tag);
}

void dialog_retarget(struct dialog *d, const struct osip_message *m)
{
    char *target = target_of(m);

    if (target == NULL)
        return;
    free(d->target);
    d->target = target;
}

/* --- Requests. */

static bool is_loose(const char *route)
{
    struct uri u;

    return uri_parse(uri_of_name_addr(slice_of(route)), &u, NULL) == 0 &&
           uri_param(&u, "lr").p != NULL;
}

static int add_routes(const struct dialog *d, struct osip_message *m, bool strict)
{
    int err = 0;

    for (size_t i = strict ? 1 : 0; i < d->route.n; i++)
        err |= sip_header_add(m, "Route", d->route.v[i]);
    if (strict) { /* the remote target goes last (RFC 3261 12.2.1.1) */
        char *last = mem_format("<%s>", d->target);
        err |= sip_header_add(m, "Route", last);
        free(last);
    }
    return err;
}

static int add_ends(const struct dialog *d, struct osip_message *m, int64_t number)
{
    char *from = mem_format("%s;tag=%s", d->local, d->local_tag);
    char *to =
        mem_format("%s%s%s", d->remote, d->remote_tag[0] != '\0' ? ";tag=" : "", d->remote_tag);
    char *cseq = mem_format("%lld %s", (long long)number, m->sip_method);
    int err = sip_header_add(m, "From", from);

    err |= sip_header_add(m, "To", to);
    err |= sip_header_add(m, "CSeq", cseq);
    err |= sip_header_add(m, "Call-ID", d->call_id);
    free(from);
    free(to);
    free(cseq);
    return err;
}

/* A strict router in the Request-URI, where no headers may stand (19.1.1). */
static char *router_uri(const char *route)
{
    struct slice rest = uri_of_name_addr(slice_of(route));

    return slice_dup(slice_cut(&rest, '?'));
}

struct osip_message *dialog_request(const struct dialog *d, const struct sip_config *c,
                                    const char *method, int64_t cseq)
{
    bool strict = d->route.n > 0 && !is_loose(d->route.v[0]);
    char *uri = strict ? router_uri(d->route.v[0]) : mem_dup(d->target);
    struct osip_message *m = request_new(c, method, uri);

    free(uri);
    if (m != NULL && (add_ends(d, m, cseq) != 0 || add_routes(d, m, strict) != 0)) {
        osip_message_free(m);
        return NULL;
    }
    return m;
}

struct slice dialog_next(const struct dialog *d)
{
    return d->route.n > 0 ? uri_of_name_addr(slice_of(d->route.v[0])) : slice_of(d->target);
}
