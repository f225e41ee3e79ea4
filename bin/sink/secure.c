/* TLS of MSRP connections: what the answer says of our certificate, and whose the sender's is. */
#include "base/err.h"
#include "base/mem.h"
#include "bin/sink/sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static struct tls_context *context(struct tls_context **at, const struct tls_plan *plan)
{
    char why[TLS_WHY_SIZE];
    int error = *at ? 0 : tls_context_new(at, plan, why);
    if (error)
        err_die(error == EKEYREJECTED ? EX_NOPERM : EX_CONFIG, "MSRP over TLS", why, NULL);
    return *at;
}

static struct tls_context *with_certificate(struct sink *s)
{
    return context(&s->msrp_tls, &s->msrp_plan);
}

char *secure_fingerprint(const struct call *c)
{
    if (!c->secure || behave_is(c->behave.tls, "no-fingerprint"))
        return NULL;
    char *text = mem_dup(tls_context_fingerprint(with_certificate(c->sink)));
    size_t last = strlen(text) - 1;
    if (behave_is(c->behave.tls, "wrong-fingerprint"))
        text[last] = text[last] == '0' ? '1' : '0';
    return text;
}

int secure_accept(struct conn *k)
{
    static const struct tls_peer anybody = {TLS_CHECK_LATER, NULL};
    return sock_tls_server(&k->sock, with_certificate(k->sink), &anybody);
}

int secure_dial(struct conn *k)
{
    static const struct tls_plan bare = {.kernel = false};
    const struct call *c = k->call;
    const char *print = c->offer_fingerprint;
    struct tls_peer peer = {print ? TLS_CHECK_FINGERPRINT : TLS_CHECK_LATER, print};
    if (!c->secure || behave_is(c->behave.tls, "plain"))
        return 0;
    bool shows = !behave_is(c->behave.tls, "no-cert");
    struct tls_context *tls =
        shows ? with_certificate(k->sink) : context(&k->sink->msrp_bare, &bare);
    return sock_tls_client(&k->sock, tls, NULL, &peer);
}

void secure_check(struct conn *k)
{
    struct call *c = k->call;
    struct tls_peer peer = {TLS_CHECK_FINGERPRINT, c->offer_fingerprint};
    if (c->secure != (k->sock.tls != NULL))
        call_error(c, "the connection is %s TLS", c->secure ? "without" : "by");
    else if (c->secure && c->offer_fingerprint && tls_check_peer(k->sock.tls, &peer))
        call_error(c, "TLS: %s", tls_why(k->sock.tls));
}

void secure_close(struct sink *s)
{
    tls_context_free(s->msrp_tls);
    tls_context_free(s->msrp_bare);
}
