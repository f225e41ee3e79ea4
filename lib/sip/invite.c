/* The INVITE as user agent client (RFC 3261 13.2): built, sent to one address after the other, and
 * its refusals. What follows a 2xx stands in answer.c, CANCEL in bye.c. */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"
#include "sip/agent_int.h"

#include <errno.h>
#include <osipparser2/osip_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CREDENTIALS   400 /* octets of an Authorization, about */
#define TOO_SMALL_MAX 3

/* --- What is said. */

static char *name_addr(const char *text)
{
    char *uri = uri_wire(text);
    char *value = mem_format("<%s>", uri);

    free(uri);
    return value;
}

static void make_call(struct sip_agent *a)
{
    struct call *k = &a->call;
    char token[33];

    rand_token(token, 32);
    k->call_id = mem_dup(token);
    k->cseq = 1;
    rand_token(token, 16);
    k->from_tag = mem_dup(token);
    k->from = name_addr(a->config->from);
    k->to = name_addr(a->config->to);
    k->uri = uri_wire(a->config->to);
    call_route(k, a->config, NULL);
}

/* Is the INVITE too large for UDP? Via and Contact are not known before the address is chosen, so
 * the longest IPv4 address stands for ours; nor is what will answer a challenge. */
static bool is_large(struct sip_agent *a)
{
    static const char longest[] = "255.255.255.255:65535";
    struct osip_message *m;
    char branch[64];
    char *text = NULL;
    size_t n = 0;

    free(a->call.contact); /* of the address before */
    a->call.contact = contact_value(a->config, a->call.uri, longest, SIP_TCP);
    m = call_invite(&a->call, a->config, a->min_se, buf_slice(&a->offer));
    free(a->call.contact);
    a->call.contact = NULL;
    if (m == NULL)
        return false;
    headers_apply(m, a->config);
    if (sip_via_add(m, SIP_TCP, longest, branch) == 0 && osip_message_to_str(m, &text, &n) == 0)
        osip_free(text);
    osip_message_free(m);
    return n + (a->config->auth_user != NULL ? CREDENTIALS : 0) > SIP_LARGE;
}

/* --- Where it goes. */

/* Whoever could make a certificate fail must not thereby get the call in plain text. */
static bool is_certificates(int error)
{
    return error == EKEYREJECTED || error == ELIBACC;
}

static void local_fault(struct sip_agent *a, int err)
{
    const char *bind = a->config->sip_bind;
    const char *hint = bind != NULL ? "choose another --sip-bind" : NULL;
    struct sip_fault f;
    int status = err == EADDRINUSE ? EX_OSERR : err == EACCES ? EX_NOPERM : EX_CONFIG;
    bool tls = is_certificates(err);

    if (err == EKEYREJECTED)
        status = EX_NOPERM;
    if (err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM)
        status = EX_OSERR;
    if (tls)
        hint = err == EKEYREJECTED ? "see --sip-tls-ca, --sip-tls-cert, --sip-tls-key" : NULL;
    (void)fault_set(&f, status,
                    tls            ? "SIP over TLS"
                    : bind != NULL ? bind
                                   : "SIP socket",
                    local_why(&a->local, err), hint);
    err_line(f.what, f.why, f.hint);
    failure_set(a, status, 0, "", tls ? "certificate" : "local-address", f.why);
    a->failure.silent = true;
}

static const struct sip_client_ops invite_ops;

/* Everything another process needs to cancel it is in the journal before the INVITE leaves. 0, or
 * why we have no address for this target; other faults have ended the call, and one that is to end
 * is not begun. */
static int send_to(struct sip_agent *a, const struct sip_hop *hop)
{
    struct call *k = &a->call;
    struct osip_message *m;
    int err;

    if (agent_end_asked(a))
        return 0;
    err = local_listen(&a->local, hop, &k->local);
    if (err != 0)
        return err;
    k->hop = *hop;
    free(k->via);
    free(k->contact);
    k->via = local_sent_by(&a->local, hop);
    k->contact = contact_value(a->config, k->uri, k->via, hop->transport);
    m = call_invite(k, a->config, a->min_se, buf_slice(&a->offer));
    if (m == NULL || sip_via_add(m, hop->transport, k->via, k->branch) != 0) {
        osip_message_free(m);
        agent_fail(a, EX_SOFTWARE, 0, "", "build", "the INVITE could not be built");
        return 0;
    }
    headers_apply(m, a->config);
    auth_add(a->voice.auth, m);
    credentials_take(&k->credentials, m);
    err = call_emit(k, agent_sid(a), agent_emit_f, a);
    if (err != 0) {
        osip_message_free(m);
        agent_fail(a, err == EMSGSIZE ? EX_USAGE : EX_IOERR, 0, "", "journal",
                   err == EMSGSIZE ? "an address is too long" : "the journal cannot be written");
        return 0;
    }
    a->provisional = false;
    a->invite = sip_request(a->local.stack, m, hop, &invite_ops, a);
    if (a->state == SIP_IDLE)
        agent_enter(a, SIP_CALLING);
    return 0;
}

/* What the last target did is the verdict, but a 503 that told when to come again counts more than
 * silence elsewhere. */
static void set_back(struct sip_agent *a, const struct failure *f)
{
    if (f->code != 0 || a->setback.code == 0)
        a->setback = *f;
}

static void out_of_targets(struct sip_agent *a, int err)
{
    int status = err == ELIBACC ? EX_CONFIG : err == EPROTONOSUPPORT ? EX_USAGE : EX_TEMPFAIL;

    if (a->setback.status != 0)
        a->failure = a->setback;
    else if (a->local_error != 0)
        local_fault(a, a->local_error);
    else
        failure_set(a, status, 0, "", "unresolved", targets_why(a->targets));
    redirect_failed(a);
}

/* The same request, and so the same number, on a new branch (RFC 3263 4.3). */
static void try_next(struct sip_agent *a)
{
    char text[NET_TEXT_SIZE];
    struct sip_hop hop;
    int err;

    a->challenges = 0;
    while ((err = targets_next(a->targets, &hop)) == 0) {
        net_addr_text(text, &hop.addr);
        if (a->only_tls && hop.transport != SIP_TLS) {
            err_step("%s by %s is passed over", text, sip_via_name(hop.transport));
            continue;
        }
        err_step("INVITE to %s by %s", text, sip_via_name(hop.transport));
        a->local_error = send_to(a, &hop);
        if (a->local_error == 0)
            return;
        a->only_tls = a->only_tls || is_certificates(a->local_error);
        err_step("%s: %s", text, local_why(&a->local, a->local_error));
    }
    if (err != EINPROGRESS)
        out_of_targets(a, err);
}

static void on_ready(void *arg)
{
    struct sip_agent *a = arg;

    if (a->state == SIP_IDLE || (a->state == SIP_CALLING && a->invite == NULL))
        try_next(a);
}

/* --- Nobody answers. */

static void on_answer_timeout(void *arg)
{
    struct sip_agent *a = arg;
    char text[64];

    if (a->state != SIP_IDLE && a->state != SIP_CALLING)
        return;
    (void)snprintf(text, sizeof(text), "no answer within %lld s",
                   (long long)(a->config->answer_timeout / 1000));
    failure_set(a, EX_TEMPFAIL, 0, "", "no-answer", text);
    sip_agent_end(a, "no-answer", OWN_END_MS);
}

static const char *error_word(int error)
{
    if (error == ETIMEDOUT)
        return "timeout";
    if (error == EBADMSG)
        return "bad-response";
    return error == EKEYREJECTED ? "certificate" : "unreachable";
}

static void on_failed(void *arg, struct sip_client *c, int error)
{
    struct sip_agent *a = arg;
    struct failure f;
    char where[NET_TEXT_SIZE], text[256];

    (void)c;
    a->invite = NULL;
    a->only_tls = a->only_tls || is_certificates(error);
    forks_drop_early(a);
    net_addr_text(where, &a->call.hop.addr);
    (void)snprintf(text, sizeof(text), "%s by %s: %s", where, sip_via_name(a->call.hop.transport),
                   error == ETIMEDOUT ? "no answer" : sip_stack_why(a->local.stack, error));
    err_step("%s", text);
    if (a->state == SIP_ENDING) {
        cancel_done(a, 0, "");
        return;
    }
    failure_make(&f, sip_error_verdict(error), 0, "", error_word(error), text);
    set_back(a, &f);
    try_next(a);
}

/* --- Responses. */

/* To the same server, as the next request of the call. */
static bool send_again(struct sip_agent *a)
{
    struct sip_hop hop = a->call.hop;

    a->call.cseq++;
    return send_to(a, &hop) == 0;
}

/* 422: the same call again with the interval that the peer wants (RFC 4028 7.4). */
static bool try_longer(struct sip_agent *a, const struct osip_message *m)
{
    int64_t wanted = header_number(m, "Min-SE", 0);

    if (sip_status(m) != 422 || wanted <= a->min_se || a->state == SIP_ENDING ||
        ++a->too_small > TOO_SMALL_MAX)
        return false;
    a->min_se = wanted;
    progress_emit(a, m);
    return send_again(a);
}

/* 401 and 407: the same call again, with credentials (RFC 3261 22.2). */
static bool try_credentials(struct sip_agent *a, struct sip_client *c, const struct osip_message *m)
{
    int code = sip_status(m);
    struct sip_fault f;

    if ((code != 401 && code != 407) || a->state == SIP_ENDING)
        return false;
    if (!auth_challenged(a->voice.auth, sip_client_message(c), m, &a->challenges, &f)) {
        refusal_set(a, m, &f);
        return false;
    }
    progress_emit(a, m);
    return send_again(a);
}

static void refused(struct sip_agent *a, struct sip_client *c, const struct osip_message *m)
{
    int code = sip_status(m);

    if (try_longer(a, m) || try_credentials(a, c, m))
        return;
    if (a->state == SIP_ENDING) {
        cancel_done(a, code, reason_of(m));
        return;
    }
    if (code < 400 && redirect_take(a, m))
        return;
    if (code == 503 || a->redirect.n > 1) /* another may follow, and be the verdict */
        progress_emit(a, m);
    refusal_set(a, m, NULL);
    if (code == 482 &&
        a->setback.status != 0) /* merged with the one of a target before (8.2.2.2) */
        a->failure.status = EX_TEMPFAIL;
    if (code == 503) { /* another server may be in order */
        a->setback = a->failure;
        a->failure = (struct failure){.status = 0};
        try_next(a);
        return;
    }
    redirect_failed(a);
}

static void on_response(void *arg, struct sip_client *c, const struct osip_message *m,
                        const struct sip_hop *from)
{
    struct sip_agent *a = arg;
    int code = sip_status(m);

    if (code < 200) {
        invite_progressed(a, m, from);
        return;
    }
    auth_note(a->voice.auth, m);
    a->invite = NULL;
    if (code < 300) {
        invite_answered(a, m, from);
        return;
    }
    forks_drop_early(a);
    refused(a, c, m);
}

static const struct sip_client_ops invite_ops = {on_response, on_failed};

/* To the address that the call names, by its first Route where it has one. */
void invite_start(struct sip_agent *a)
{
    const struct call *k = &a->call;
    struct slice next =
        k->route.n > 0 ? uri_of_name_addr(slice_of(k->route.v[0])) : slice_of(k->uri);
    bool secure = uri_is_secure(a->config->to) || uri_is_secure(k->uri);
    const char *why = "";
    struct uri u;

    if (uri_parse(next, &u, &why) != 0) {
        failure_set(a, EX_USAGE, 0, "", "unresolved", why);
        redirect_failed(a);
        return;
    }
    targets_free(a->targets);
    a->setback.status = 0;
    a->targets = targets_new(a->local.dns, &u, a->config, secure,
                             targets_by_size(&u, a->config, secure) && is_large(a), on_ready, a);
    try_next(a);
}

void sip_agent_invite(struct sip_agent *a)
{
    struct sip_fault f;

    if (a->state != SIP_IDLE || a->targets != NULL)
        return;
    if (auth_new(&a->voice.auth, a->config, &f) != 0) {
        sip_agent_refuse(a, &f, "credentials");
        return;
    }
    if (offer_make(a) != 0) {
        agent_fail(a, EX_SOFTWARE, 0, "", "offer", "msrp.listening makes no offer");
        return;
    }
    make_call(a);
    redirect_begin(a);
    loop_at(a->loop, &a->answer_timer, clock_ms() + a->config->answer_timeout, on_answer_timeout,
            a);
    invite_start(a);
}
