/* 3xx (RFC 3261 8.1.3.4, 19.1.5, 21.3): the addresses that the recipient is said to have, in the
 * order of their q, each once, and what counts when none of them takes the message. */
#include "base/err.h"
#include "base/mem.h"
#include "sip/agent_int.h"

#include <osipparser2/osip_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONTACTS_MAX 32 /* that are looked at in one response */
#define Q_MAX        1000

void redirect_begin(struct sip_agent *a)
{
    a->redirect.v[0].uri = mem_dup(a->call.uri);
    a->redirect.n = 1;
}

void redirect_free(struct sip_agent *a)
{
    for (size_t i = 0; i < a->redirect.n; i++) {
        free(a->redirect.v[i].uri);
        free(a->redirect.v[i].proxy);
    }
}

/* --- One Contact. */

/* 1, 0.7, 0.123 in thousandths; what is no such number counts as 1. */
static int read_q(struct slice text)
{
    static const int scale[] = {1000, 100, 10, 1};
    struct slice rest = text;
    struct slice whole = slice_cut(&rest, '.');
    uint64_t a, b = 0;

    if (!slice_number(whole, 1, &a) || (rest.n > 0 && !slice_number(rest, 999, &b)) || rest.n > 3)
        return Q_MAX;
    a = a * Q_MAX + b * (uint64_t)scale[rest.n];
    return a > Q_MAX ? Q_MAX : (int)a;
}

/* The parameters of the header stand behind the URI. */
static int q_of(struct slice value, struct slice uri)
{
    size_t at = (size_t)(uri.p + uri.n - value.p);
    struct slice rest = {value.p + at, value.n - at};

    while (rest.p != NULL) {
        struct slice param = slice_cut(&rest, ';');
        if (slice_is_nocase(slice_trim(slice_cut(&param, '=')), "q"))
            return read_q(slice_trim(param));
    }
    return Q_MAX;
}

/* Without headers, which nobody has to honour (19.1.5). NULL: no address for an INVITE of ours. */
static char *address_of(const struct sip_agent *a, struct slice uri)
{
    bool secure = uri_is_secure(a->config->to) || uri_is_secure(a->call.uri);
    struct slice rest = uri;
    struct uri u;

    uri = slice_cut(&rest, '?');
    if (uri_parse(uri, &u, NULL) != 0 || (u.scheme == URI_TEL && a->config->proxy.n == 0) ||
        (secure && u.scheme != URI_SIPS))
        return NULL;
    return uri_text(&u);
}

static bool same_part(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

/* RFC 3261 19.1.4, but that parameters have to be in one order: a loop repeats itself word by
 * word. */
static bool same_uri(const char *a, const char *b)
{
    struct uri x, y;

    if (a == NULL || b == NULL || uri_parse(slice_of(a), &x, NULL) != 0 ||
        uri_parse(slice_of(b), &y, NULL) != 0)
        return a == b;
    return x.scheme == y.scheme && slice_eq(x.user, y.user) && same_part(x.host, y.host) &&
           x.port == y.port && same_part(x.params, y.params);
}

static bool is_known(const struct redirect *r, const char *uri, const char *proxy)
{
    for (size_t i = 0; i < r->n; i++)
        if (same_uri(r->v[i].uri, uri) && same_uri(r->v[i].proxy, proxy))
            return true;
    return false;
}

/* Behind those that come first by their q. Takes over the texts. */
static bool add(struct redirect *r, char *uri, char *proxy, int q)
{
    size_t at = r->now + 1;
    int depth = r->v[r->now].depth + 1;

    if (r->n == REDIRECT_ADDRESSES || depth > REDIRECT_DEPTH || is_known(r, uri, proxy)) {
        err_step("%s: not followed", proxy != NULL ? proxy : uri);
        free(uri);
        free(proxy);
        return false;
    }
    while (at < r->n && r->v[at].q >= q)
        at++;
    memmove(&r->v[at + 1], &r->v[at], (r->n - at) * sizeof(r->v[0]));
    r->v[at].uri = uri;
    r->v[at].proxy = proxy;
    r->v[at].q = q;
    r->v[at].depth = depth;
    r->n++;
    return true;
}

/* --- The whole response. */

static bool take_contacts(struct sip_agent *a, const struct osip_message *m)
{
    bool through = sip_status(m) == 305; /* Use Proxy */
    bool any = false;
    const char *text;

    for (int i = 0; i < CONTACTS_MAX && (text = sip_header(m, "Contact", i)) != NULL; i++) {
        struct slice value = slice_of(text);
        struct slice uri = uri_of_name_addr(value);
        char *address = address_of(a, uri);
        if (address == NULL)
            err_step("%s: not followed", text);
        else if (add(&a->redirect, through ? mem_dup(a->call.uri) : address,
                     through ? address : NULL, q_of(value, uri)))
            any = true;
    }
    return any;
}

static void take_turn(struct sip_agent *a)
{
    struct redirect *r = &a->redirect;
    struct call *k = &a->call;

    r->now++;
    err_step("now to %s", r->v[r->now].uri);
    free(k->uri);
    k->uri = mem_dup(r->v[r->now].uri);
    call_route(k, a->config, r->v[r->now].proxy);
    k->cseq++;
    a->too_small = 0;
    auth_forget(a->voice.auth, a->config->proxy.n > 0);
    invite_start(a);
}

bool redirect_take(struct sip_agent *a, const struct osip_message *m)
{
    /* 380 describes another service, not another address. */
    if (sip_status(m) == 380 || !take_contacts(a, m))
        return false;
    progress_emit(a, m);
    take_turn(a);
    return true;
}

/* --- When nothing came of it. */

/* One "not now" is worth another attempt whatever the others said; what was wrong on our side only
 * with one of them, or could not be tried at all, says least. */
static int weight(const struct failure *f)
{
    static const int order[] = {EX_UNAVAILABLE, EX_PROTOCOL, EX_NOPERM, EX_TEMPFAIL};
    int n = (int)(sizeof(order) / sizeof(order[0]));

    for (int i = 0; i < n; i++)
        if (f->status == order[i])
            return f->code >= 600 ? n + 1 : i + 1;
    return 0;
}

static void put_aside(struct sip_agent *a)
{
    struct redirect *r = &a->redirect;

    if (r->best.status == 0 || weight(&a->failure) > weight(&r->best))
        r->best = a->failure;
    a->failure = (struct failure){.status = 0};
}

void redirect_failed(struct sip_agent *a)
{
    struct redirect *r = &a->redirect;
    bool everywhere = a->failure.code >= 600; /* it is said of the user, not of the address */

    put_aside(a);
    if (!everywhere && r->now + 1 < r->n) {
        err_step("%s", r->best.text);
        take_turn(a);
        return;
    }
    a->failure = r->best;
    if (r->now > 0 && a->failure.hint[0] == '\0')
        (void)snprintf(a->failure.hint, sizeof(a->failure.hint), "%zu addresses were tried",
                       r->now + 1);
    failure_say(a);
    agent_enter(a, SIP_ENDED);
}
