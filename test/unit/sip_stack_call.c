/* Whole calls between two stacks, over each transport and family. */
#include "sip/stack_int.h"
#include "test/unit/sip_pair.h"

#define QUICK ((struct sip_timers){20, 80, 100})

static void ring_and_answer(struct pair *p, struct sip_server *s, const osip_message_t *m,
                            struct sip_server *invite)
{
    (void)invite;
    if (!s) {
        sip_server_acked(p->held);
        return;
    }
    if (strcmp(sip_method(m), "INVITE") == 0) {
        p->held = s;
        (void)sip_respond(p->b, s, sip_response_to(m, 180, NULL));
    }
    (void)sip_respond(p->b, s, sip_response_to(m, 200, NULL));
}

static void whole_call(enum sip_transport t, const char *host)
{
    struct pair *p = pair_new(t, host, SIP_TIMERS_DEFAULT);
    p->serve = ring_and_answer;
    pair_invite(p);
    pair_run(p, 3, 5000);
    tap_ok(sip_send(p->a, pair_request(p, "ACK", 1, NULL), &p->to_b) == 0, "ACK leaves");
    pair_run(p, 4, 5000);
    (void)sip_request(p->a, pair_request(p, "BYE", 2, NULL), &p->to_b, &pair_client, p);
    pair_run(p, 6, 5000);
    char what[128];
    (void)snprintf(what, sizeof what, "a call over %s %s", sip_transport_name(t), host);
    tap_is_str(p->log, "b:INVITE INVITE:180 INVITE:200 b:ACK b:BYE BYE:200", what);
    struct net_addr local;
    tap_ok(sip_local(p->a, &p->to_b, &local) == 0 && net_port(&local) == net_port(&p->at_a) &&
               !net_is_any(&local),
           "sip_local tells where a can be reached");
    tap_ok(net_same_host(&p->seen.addr, &p->at_a), "the source address is told");
    if (t != SIP_UDP) {
        p->words = 0;
        pair_run(p, 0, 20);
        tap_ok(p->a->count == 0, "nothing to absorb over a stream");
    }
    pair_free(p);
}

static void refuse_486(struct pair *p, struct sip_server *s, const osip_message_t *m,
                       struct sip_server *invite)
{
    (void)invite;
    osip_message_t *r = sip_response_to(m, 486, "Busy at the moment");
    (void)sip_header_add(r, "Retry-After", "18");
    (void)sip_respond(p->b, s, r);
}

static void refused_call(enum sip_transport t)
{
    struct pair *p = pair_new(t, "127.0.0.1", QUICK);
    p->serve = refuse_486;
    pair_invite(p);
    pair_run(p, 2, 5000);
    pair_run(p, 0, 150);
    tap_is_str(p->log, "b:INVITE INVITE:486", "a refusal, whose ACK nobody needs to see");
    pair_run(p, 0, 64 * 20 + 200);
    tap_ok(p->a->count == 0 && p->b->count == 0, "both transactions run out");
    pair_free(p);
}

static void hold_invite(struct pair *p, struct sip_server *s, const osip_message_t *m,
                        struct sip_server *invite)
{
    if (strcmp(sip_method(m), "INVITE") == 0) {
        p->held = s;
        (void)sip_respond(p->b, s, sip_response_to(m, 180, NULL));
    } else if (s && strcmp(sip_method(m), "CANCEL") == 0) {
        (void)sip_respond(p->b, s, sip_response_to(m, invite ? 200 : 481, NULL));
        if (invite)
            (void)sip_respond(p->b, invite, sip_response_to(sip_server_message(invite), 487, NULL));
    }
}

static void cancelled_call(enum sip_transport t)
{
    struct pair *p = pair_new(t, "127.0.0.1", QUICK);
    p->serve = hold_invite;
    pair_invite(p);
    pair_run(p, 2, 5000);
    (void)sip_request(p->a, pair_request(p, "CANCEL", 1, p->branch), &p->to_b, &pair_client, p);
    pair_run(p, 5, 5000);
    tap_is_str(p->log, "b:INVITE INVITE:180 b:CANCEL+invite CANCEL:200 INVITE:487",
               "CANCEL finds its INVITE, and both responses their transactions");
    (void)sip_request(p->a, pair_request(p, "CANCEL", 1, "z9hG4bKelse"), &p->to_b, &pair_client, p);
    pair_run(p, 7, 5000);
    tap_ok(strstr(p->log, "b:CANCEL CANCEL:481") != NULL, "another CANCEL finds none");
    (void)sip_request(p->a, pair_request(p, "CANCEL", 1, p->branch), &p->to_b, &pair_client, p);
    pair_run(p, 8, 5000);
    pair_free(p);
}

static void late_cancel(void)
{
    struct pair *p = pair_new(SIP_UDP, "127.0.0.1", QUICK);
    p->serve = refuse_486;
    pair_invite(p);
    pair_run(p, 2, 5000);
    (void)sip_request(p->a, pair_request(p, "CANCEL", 1, p->branch), &p->to_b, &pair_client, p);
    pair_run(p, 3, 5000);
    tap_is_str(p->log, "b:INVITE INVITE:486 CANCEL:200",
               "a CANCEL that comes too late is answered, and nobody is bothered");
    pair_free(p);
}

static void nobody_there(enum sip_transport t, const char *host)
{
    struct pair *p = pair_new(t, host, SIP_TIMERS_DEFAULT);
    sip_stack_free(p->b);
    p->b = NULL;
    int64_t start = clock_ms();
    pair_invite(p);
    pair_run(p, 1, 5000);
    tap_is_str(p->log, "INVITE:ECONNREFUSED", "a refused port is told");
    tap_ok(clock_ms() - start < 2000, "and at once");
    pair_free(p);
}

static void free_inside(struct pair *p, struct sip_server *s, const osip_message_t *m,
                        struct sip_server *invite)
{
    (void)s;
    (void)m;
    (void)invite;
    sip_stack_free(p->b);
    p->b = NULL;
}

static void freed_inside(enum sip_transport t)
{
    struct pair *p = pair_new(t, "127.0.0.1", QUICK);
    p->serve = free_inside;
    pair_invite(p);
    (void)sip_request(p->a, pair_request(p, "OPTIONS", 1, NULL), &p->to_b, &pair_client, p);
    pair_run(p, 3, 5000);
    tap_ok(strncmp(p->log, "b:INVITE ", 9) == 0 && !strstr(p->log, "b:OPTIONS"),
           "a stack that is freed in its callback makes no other");
    pair_free(p);
}

static void pending_free(enum sip_transport t)
{
    struct pair *p = pair_new(t, "127.0.0.1", QUICK);
    p->serve = hold_invite;
    pair_invite(p);
    pair_run(p, 2, 5000);
    (void)sip_request(p->a, pair_request(p, "OPTIONS", 1, NULL), &p->to_b, &pair_client, p);
    pair_free(p);
    tap_ok(true, "freed with transactions pending");
}

static void bad_requests(void)
{
    struct pair *p = pair_new(SIP_UDP, "127.0.0.1", QUICK);
    osip_message_t *m = pair_request(p, "OPTIONS", 1, NULL);
    sip_header_remove(m, "Via");
    (void)sip_request(p->a, m, &p->to_b, &pair_client, p);
    tap_is_str(p->log, "", "no callback from inside");
    pair_run(p, 1, 1000);
    tap_is_str(p->log, "OPTIONS:EINVAL", "a request without Via fails");
    struct sip_hop six = p->to_b;
    tap_ok(net_parse("[::1]:5060", &six.addr) == 0, "address");
    (void)sip_request(p->a, pair_request(p, "OPTIONS", 1, NULL), &six, &pair_client, p);
    pair_run(p, 2, 1000);
    tap_is_str(p->log, "OPTIONS:EINVAL OPTIONS:EADDRNOTAVAIL", "no socket of that family");
    pair_free(p);
}

int main(void)
{
    whole_call(SIP_UDP, "127.0.0.1");
    whole_call(SIP_UDP, "[::1]");
    whole_call(SIP_TCP, "127.0.0.1");
    whole_call(SIP_TCP, "[::1]");
    refused_call(SIP_UDP);
    refused_call(SIP_TCP);
    cancelled_call(SIP_UDP);
    cancelled_call(SIP_TCP);
    late_cancel();
    nobody_there(SIP_UDP, "127.0.0.1");
    nobody_there(SIP_UDP, "[::1]");
    nobody_there(SIP_TCP, "127.0.0.1");
    freed_inside(SIP_UDP);
    freed_inside(SIP_TCP);
    pending_free(SIP_UDP);
    pending_free(SIP_TCP);
    bad_requests();
    return tap_done();
}
