/* Two stacks in one loop that talk over loopback: a calls, b is called. What happens is noted as
 * words in `log`, which the tests compare. */
#ifndef TEST_UNIT_SIP_PAIR_H
#define TEST_UNIT_SIP_PAIR_H

#include "base/clock.h"
#include "base/mem.h"
#include "sip/stack.h"
#include "test/unit/tap.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/time.h>

#include <osip2/osip.h>

struct pair {
    struct loop *loop;
    struct sip_stack *a, *b;
    struct sip_hop to_a, to_b;
    struct sip_hop seen; /* where b's last request came from */
    struct net_addr at_a, at_b;
    struct loop_timer guard, plan;
    char log[2048];
    bool timed_out;
    int stop_after; /* words; 0: never */
    int words;
    struct sip_server *held;
    struct sip_client *call;
    char branch[64];
    /* What b does with a request; NULL: 200 to all, acked by the ACK. */
    void (*serve)(struct pair *p, struct sip_server *s, const osip_message_t *m,
                  struct sip_server *invite);
};

static struct pair pair; /* one at a time */

__attribute__((format(printf, 2, 3))) static void note(struct pair *p, const char *format, ...)
{
    size_t n = strlen(p->log);
    va_list ap;
    if (n > 0 && n + 1 < sizeof p->log)
        p->log[n++] = ' ';
    va_start(ap, format);
    (void)vsnprintf(p->log + n, sizeof p->log - n, format, ap);
    va_end(ap);
    if (++p->words == p->stop_after)
        loop_stop(p->loop);
}

static void b_request(void *arg, struct sip_server *s, const osip_message_t *m,
                      const struct sip_hop *from, struct sip_server *invite)
{
    struct pair *p = arg;
    p->seen = *from;
    note(p, "b:%s%s", sip_method(m), invite ? "+invite" : "");
    if (p->serve)
        p->serve(p, s, m, invite);
    else if (s)
        (void)sip_respond(p->b, s, sip_response_to(m, 200, NULL));
    else if (p->held)
        sip_server_acked(p->held);
}

static void b_unacked(void *arg, struct sip_server *s)
{
    note(arg, "b:unacked");
    sip_server_forget(s);
}

static void stray(void *arg, const osip_message_t *m, const struct sip_hop *from)
{
    (void)from;
    note(arg, "stray:%d", sip_status(m));
}

static void a_response(void *arg, struct sip_client *c, const osip_message_t *m,
                       const struct sip_hop *from)
{
    (void)c;
    (void)from;
    note(arg, "%s:%d", sip_method(m), sip_status(m));
}

static void a_failed(void *arg, struct sip_client *c, int error)
{
    note(arg, "%s:%s", sip_method(sip_client_message(c)), strerrorname_np(error));
}

static const struct sip_client_ops pair_client = {a_response, a_failed};
static const struct sip_stack_ops pair_ops = {b_request, stray, b_unacked};

static void on_guard(void *arg)
{
    struct pair *p = arg;
    p->timed_out = true;
    loop_stop(p->loop);
}

static int pair_listen(struct sip_stack *s, enum sip_transport t, const char *host,
                       struct net_addr *at)
{
    struct net_bind b;
    int err = net_parse_bind(host, &b);
    return err ? err : sip_stack_listen(s, t, &b, AF_UNSPEC, true, at);
}

/* With TLS: the contexts of a and b. */
__attribute__((unused)) static struct pair *pair_new_tls(enum sip_transport t, const char *host,
                                                         struct sip_timers timers,
                                                         struct tls_context *tls_a,
                                                         struct tls_context *tls_b)
{
    struct pair *p = &pair;
    memset(p, 0, sizeof *p);
    p->loop = loop_new();
    if (sip_stack_new(&p->a, p->loop, timers, &pair_ops, p) != 0 ||
        sip_stack_new(&p->b, p->loop, timers, &pair_ops, p) != 0)
        goto fail;
    sip_stack_tls(p->a, tls_a);
    sip_stack_tls(p->b, tls_b);
    if (pair_listen(p->a, t, host, &p->at_a) != 0 || pair_listen(p->b, t, host, &p->at_b) != 0)
        goto fail;
    p->to_a = (struct sip_hop){.transport = t, .addr = p->at_a};
    p->to_b = (struct sip_hop){.transport = t, .addr = p->at_b};
    return p;
fail:
    printf("Bail out! no sockets\n");
    exit(1);
}

__attribute__((unused)) static struct pair *pair_new(enum sip_transport t, const char *host,
                                                     struct sip_timers timers)
{
    return pair_new_tls(t, host, timers, NULL, NULL);
}

__attribute__((unused)) static void pair_free(struct pair *p)
{
    sip_stack_free(p->a);
    sip_stack_free(p->b);
    loop_cancel(p->loop, &p->guard);
    loop_cancel(p->loop, &p->plan);
    loop_free(p->loop);
}

/* Runs until so many words were noted in all, or `ms` went by (a guard where words are expected,
 * the measure where nothing must happen any more). */
__attribute__((unused)) static void pair_run(struct pair *p, int words, int64_t ms)
{
    p->timed_out = false;
    p->stop_after = words;
    loop_at(p->loop, &p->guard, clock_ms() + ms, on_guard, p);
    if (words == 0 || p->words < words)
        loop_run(p->loop);
    loop_cancel(p->loop, &p->guard);
}

/* A request of the dialog "call-1" towards b. */
__attribute__((unused)) static osip_message_t *pair_request(struct pair *p, const char *method,
                                                            int cseq, const char *branch)
{
    char host[NET_TEXT_SIZE];
    osip_message_t *m;
    osip_uri_t *uri;
    char *text;
    net_addr_text(host, &p->at_b);
    if (osip_message_init(&m) != 0 || osip_uri_init(&uri) != 0)
        abort();
    text = mem_format("sip:bob@%s", host);
    if (osip_uri_parse(uri, text) != 0)
        abort();
    free(text);
    osip_message_set_uri(m, uri);
    osip_message_set_method(m, mem_dup(method));
    osip_message_set_version(m, mem_dup("SIP/2.0"));
    net_addr_text(host, &p->at_a);
    text = mem_format("%d %s", cseq, method);
    int err = sip_header_add(m, "From", "<sip:alice@example.com>;tag=a1") |
              sip_header_add(m, "To", "<sip:bob@example.com>") |
              sip_header_add(m, "Call-ID", "call-1@example.com") | sip_header_add(m, "CSeq", text) |
              sip_header_add(m, "Max-Forwards", "70");
    free(text);
    if (branch) {
        text = mem_format("SIP/2.0/%s %s;branch=%s;rport", sip_via_name(p->to_b.transport), host,
                          branch);
        err |= sip_header_add(m, "Via", text);
        free(text);
    } else {
        err |= sip_via_add(m, p->to_b.transport, host, p->branch);
    }
    if (err)
        abort();
    return m;
}

__attribute__((unused)) static void pair_invite(struct pair *p)
{
    p->call = sip_request(p->a, pair_request(p, "INVITE", 1, NULL), &p->to_b, &pair_client, p);
}

#endif
