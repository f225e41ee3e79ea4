/* TLS: who is spoken to, and what is said where that fails (RFC 3261 26.3, RFC 5922). */
#include "test/unit/certs.h"
#include "test/unit/sip_raw.h"

#define TIMERS ((struct sip_timers){20, 80, 60})
#define LONG   (64 * 20)

static struct tls_context *nobody, *good, *stranger, *expired, *elsewhere;

static struct pair *pair_of(struct tls_context *a, struct tls_context *b, const char *domain)
{
    struct pair *p = pair_new_tls(SIP_TLS, "127.0.0.1", TIMERS, a, b);
    (void)snprintf(p->to_b.domain, sizeof p->to_b.domain, "%s", domain);
    return p;
}

static void ask(struct pair *p)
{
    (void)sip_request(p->a, pair_request(p, "OPTIONS", 1, NULL), &p->to_b, &pair_client, p);
}

static void spoken_to(struct tls_context *client, const char *domain, const char *what)
{
    struct pair *p = pair_of(client, good, domain);
    ask(p);
    pair_run(p, 2, 10000);
    tap_is_str(p->log, "b:OPTIONS OPTIONS:200", what);
    tap_is_int(p->seen.transport, SIP_TLS, "and it came by TLS");
    pair_free(p);
}

static void refused(struct tls_context *client, struct tls_context *server, const char *domain,
                    const char *cause)
{
    struct pair *p = pair_of(client, server, domain);
    ask(p);
    pair_run(p, 1, 10000);
    tap_is_str(p->log, "OPTIONS:EKEYREJECTED", "nothing was said");
    const char *why = sip_stack_why(p->a, EKEYREJECTED);
    tap_ok(strstr(why, cause) != NULL, "%s: %s", cause, why);
    pair_free(p);
}

/* Without a certificate of ours nobody can connect: the port that we name is the one that we
 * connect from, so that the peer finds that connection. */
static void from_the_named_port(void)
{
    struct pair *p = pair_of(nobody, good, "example.com");
    ask(p);
    pair_run(p, 2, 10000);
    tap_is_int(net_port(&p->seen.addr), net_port(&p->at_a), "the connection comes from our port");
    struct sip_hop back = p->seen;
    back.connection = 0;
    (void)sip_request(p->b, pair_request(p, "INFO", 2, NULL), &back, &pair_client, p);
    pair_run(p, 4, 10000);
    tap_is_str(p->log, "b:OPTIONS OPTIONS:200 b:INFO INFO:200", "and serves the other way too");
    pair_free(p);
}

/* A connection serves another domain where its certificate names that too, and else a new one is
 * made. */
static void another_domain(void)
{
    struct pair *p = pair_of(nobody, good, "example.com");
    ask(p);
    pair_run(p, 2, 10000);
    uint64_t first = p->seen.connection;
    (void)snprintf(p->to_b.domain, sizeof p->to_b.domain, "sip.example.com");
    ask(p);
    pair_run(p, 4, 10000);
    tap_ok(p->seen.connection == first, "the same connection for a name of the same certificate");
    (void)snprintf(p->to_b.domain, sizeof p->to_b.domain, "elsewhere.example.net");
    ask(p);
    pair_run(p, 5, 10000);
    tap_is_str(p->log, "b:OPTIONS OPTIONS:200 b:OPTIONS OPTIONS:200 OPTIONS:EKEYREJECTED",
               "not for one that it does not name");
    pair_free(p);
}

static void plain_text_comes(void)
{
    struct pair *p = pair_of(good, good, "example.com");
    struct raw r;
    raw_connect(&r, p);
    raw_request(&r, "OPTIONS", 1, "127.0.0.1;branch=z9hG4bK1");
    pair_run(p, 1, 10000);
    tap_is_str(p->log, "r:closed", "plain text on a port of TLS is not heard");
    raw_close(&r);
    pair_free(p);
}

static void silence(bool half)
{
    static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    struct pair *p = pair_of(good, good, "example.com");
    struct raw r;
    raw_connect(&r, p);
    if (half)
        raw_bytes(&r, NULL, hello, sizeof hello - 1);
    pair_run(p, 1, 10 * LONG);
    tap_is_str(p->log, "r:closed", half ? "half a handshake ends" : "a silent one ends");
    raw_close(&r);
    pair_free(p);
}

static void plain_text_answers(void)
{
    struct pair *p = pair_of(good, good, "example.com");
    struct raw r;
    raw_listen(&r, p);
    p->to_b.addr = r.at;
    ask(p);
    pair_run(p, 1, 10000);
    tap_is_str(p->log, "r:accepted", "a peer that is connected to");
    raw_bytes(&r, NULL, "SIP/2.0 400 Bad Request\r\n\r\n", 27);
    p->log[0] = '\0';
    pair_run(p, 3, 10000); /* its connection ends too, before or after that */
    tap_ok(strstr(p->log, "OPTIONS:EPROTO") != NULL, "and answers in plain text");
    tap_is_str(sip_stack_why(p->a, EPROTO), "the peer does not speak TLS there", "is named");
    raw_close(&r);
    pair_free(p);
}

static void no_handshake(void)
{
    struct pair *p = pair_of(good, good, "example.com");
    struct raw r;
    raw_listen(&r, p);
    p->to_b.addr = r.at;
    ask(p);
    pair_run(p, 3, 10 * LONG);
    tap_ok(strstr(p->log, "OPTIONS:ETIMEDOUT") && strstr(p->log, "r:closed"),
           "a peer that never shakes hands is given up: %s", p->log);
    raw_close(&r);
    pair_free(p);
}

static void large(void)
{
    struct pair *p = pair_of(nobody, good, "example.com");
    char *body = mem_new(60001);
    memset(body, 'x', 60000);
    for (int i = 0; i < 4; i++) {
        osip_message_t *m = pair_request(p, "OPTIONS", i + 1, NULL);
        if (sip_body_set(m, "text/plain", (struct slice){body, 60000}) != 0)
            abort();
        (void)sip_request(p->a, m, &p->to_b, &pair_client, p);
    }
    pair_run(p, 8, 20000);
    tap_is_int(p->words, 8, "four large messages in a row arrive, and their answers");
    free(body);
    pair_free(p);
}

static void without_context(void)
{
    struct pair *p = pair_new(SIP_TCP, "127.0.0.1", TIMERS);
    struct net_addr at;
    p->to_b.transport = SIP_TLS;
    ask(p);
    pair_run(p, 1, 10000);
    tap_is_str(p->log, "OPTIONS:EPROTONOSUPPORT", "without a context there is no TLS");
    tap_is_int(pair_listen(p->a, SIP_TLS, "127.0.0.1", &at), EPROTONOSUPPORT, "nor a listener");
    pair_free(p);
}

int main(void)
{
    certs_begin();
    nobody = certs_context(NULL, "ca.pem");
    good = certs_context("good", "ca.pem");
    stranger = certs_context("stranger", "ca.pem");
    expired = certs_context("expired", "ca.pem");
    elsewhere = certs_context("elsewhere", "ca.pem");
    spoken_to(nobody, "example.com", "a request to the right domain");
    spoken_to(good, "sip.example.com", "one with a certificate");
    spoken_to(good, "", "one to whoever is trusted");
    refused(nobody, elsewhere, "example.com", "not for example.com");
    refused(nobody, stranger, "example.com", "unknown CA");
    refused(nobody, expired, "example.com", "expired on");
    refused(stranger, good, "example.com", "the peer refuses our certificate: unknown CA");
    from_the_named_port();
    another_domain();
    plain_text_comes();
    silence(false);
    silence(true);
    plain_text_answers();
    no_handshake();
    large();
    without_context();
    tls_context_free(nobody);
    tls_context_free(good);
    tls_context_free(stranger);
    tls_context_free(expired);
    tls_context_free(elsewhere);
    certs_end();
    return tap_done();
}
