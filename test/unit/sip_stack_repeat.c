/* What is repeated, what is absorbed and when it ends (RFC 3261 17, RFC 6026). The times are
 * measures of what has to happen, never of how fast. */
#include "sip/stack_int.h"
#include "test/unit/sip_raw.h"

#define T1     20
#define TIMERS ((struct sip_timers){T1, 80, 60})
#define LONG   (64 * T1)

static void no_answer(const char *method, int least)
{
    struct pair *p = pair_new(SIP_UDP, "127.0.0.1", TIMERS);
    struct raw r;
    raw_udp(&r, p);
    p->to_b.addr = r.at;
    int64_t start = clock_ms();
    (void)sip_request(p->a, pair_request(p, method, 1, NULL), &p->to_b, &pair_client, p);
    while (!strstr(p->log, "ETIMEDOUT") && clock_ms() - start < 20000)
        pair_run(p, p->words + 1, 5000);
    int64_t took = clock_ms() - start;
    tap_ok(strstr(p->log, ":ETIMEDOUT") != NULL, "%s without an answer times out", method);
    tap_ok(took >= LONG, "after 64*T1, not before");
    tap_ok(r.count >= least, "%s is repeated: %d times", method, r.count);
    tap_ok(r.count > 2 && r.when[2] - r.when[1] > r.when[1] - r.when[0] - 5,
           "in growing intervals");
    raw_close(&r);
    pair_free(p);
}

static void ringing(void)
{
    struct pair *p = pair_new(SIP_UDP, "127.0.0.1", TIMERS);
    struct raw r;
    raw_udp(&r, p);
    p->to_b.addr = r.at;
    pair_invite(p);
    pair_run(p, 2, 5000); /* the first one is lost */
    raw_answer(&r, &p->at_a, "180 Ringing");
    pair_run(p, 3, 5000);
    pair_run(p, 0, 8 * T1);
    tap_is_str(p->log, "r:INVITE r:INVITE INVITE:180",
               "a provisional response ends the repetition");
    pair_run(p, 0, LONG);
    tap_ok(p->a->count > 0, "and there is no other end to ringing");
    sip_client_forget(p->call);
    pair_run(p, 0, LONG + 200);
    tap_ok(p->a->count == 0, "but for a caller who forgets it");
    raw_close(&r);
    pair_free(p);
}

static void refused(void)
{
    struct pair *p = pair_new(SIP_UDP, "127.0.0.1", TIMERS);
    struct raw r;
    raw_udp(&r, p);
    p->to_b.addr = r.at;
    osip_message_t *m = pair_request(p, "INVITE", 1, NULL);
    tap_ok(sip_header_add(m, "Route", "<sip:one.example;lr>, <sip:two.example;lr>") == 0, "Route");
    (void)sip_request(p->a, m, &p->to_b, &pair_client, p);
    pair_run(p, 1, 5000);
    raw_answer(&r, &p->at_a, "486 Busy Here");
    char invite[sizeof r.got];
    memcpy(invite, r.got, sizeof invite);
    pair_run(p, 3, 5000);
    tap_ok(strstr(p->log, "INVITE:486") && strncmp(r.got, "ACK ", 4) == 0, "486 is acknowledged");
    tap_is_str(raw_header(&r, "To"), "<sip:bob@example.com>;tag=raw",
               "with the To of the response");
    tap_is_str(raw_header(&r, "CSeq"), "1 ACK", "and its CSeq");
    tap_is_str(raw_header(&r, "Max-Forwards"), "70", "and Max-Forwards");
    tap_ok(strstr(r.got, "Route: <sip:one.example;lr>") && strstr(r.got, "Route: <sip:two.example"),
           "and the Route of the INVITE (17.1.1.3)");
    memcpy(r.got, invite, sizeof invite);
    raw_answer(&r, &p->at_a, "486 Busy Here");
    pair_run(p, 4, 5000);
    tap_ok(strncmp(r.got, "ACK ", 4) == 0 && r.count == 3, "and once more for the repeated 486");
    raw_close(&r);
    pair_free(p);
}

static void twice_accepted(void)
{
    struct pair *p = pair_new(SIP_UDP, "127.0.0.1", TIMERS);
    struct raw r;
    raw_udp(&r, p);
    p->to_b.addr = r.at;
    pair_invite(p);
    pair_run(p, 1, 5000);
    raw_answer(&r, &p->at_a, "200 OK");
    raw_answer(&r, &p->at_a, "200 OK");
    pair_run(p, 3, 5000);
    tap_is_str(p->log, "r:INVITE INVITE:200 stray:200", "a repeated 2xx is the caller's");
    raw_answer(&r, &p->at_a, "180 Ringing");
    pair_run(p, 4, 5000);
    tap_is_str(p->log, "r:INVITE INVITE:200 stray:200 stray:180",
               "and so is what else comes for a transaction that is over");
    raw_close(&r);
    pair_free(p);
}

/* --- The server's side. */

static void answer_200(struct pair *p, struct sip_server *s, const osip_message_t *m,
                       struct sip_server *invite)
{
    (void)invite;
    if (s) {
        p->held = s;
        (void)sip_respond(p->b, s, sip_response_to(m, 200, NULL));
    } else {
        sip_server_acked(p->held);
    }
}

static int count(const char *log, const char *word)
{
    int n = 0;
    for (const char *at = log; (at = strstr(at, word)) != NULL; at++)
        n++;
    return n;
}

static void accepted(void)
{
    struct pair *p = pair_new(SIP_UDP, "127.0.0.1", TIMERS);
    struct raw r;
    raw_udp(&r, p);
    p->serve = answer_200;
    raw_request(&r, "INVITE", 1, "127.0.0.1;branch=z9hG4bKx1;rport");
    pair_run(p, 4, 5000);
    tap_is_str(p->log, "b:INVITE r:200 r:200 r:200", "a 2xx is repeated");
    raw_request(&r, "ACK", 1, "127.0.0.1;branch=z9hG4bKx2;rport");
    while (!strstr(p->log, "b:ACK"))
        pair_run(p, p->words + 1, 5000);
    pair_run(p, 0, 10); /* what was on its way */
    int before = r.count;
    pair_run(p, 0, 6 * T1);
    tap_is_int(r.count, before, "until its ACK came");
    raw_request(&r, "INVITE", 1, "127.0.0.1;branch=z9hG4bKx1;rport");
    pair_run(p, p->words + 1, 5000);
    tap_ok(r.count == before + 1 && count(p->log, "b:INVITE") == 1,
           "a repeated INVITE gets the 2xx again (RFC 6026)");
    pair_run(p, 0, LONG + 200);
    tap_ok(p->b->count == 0, "and then it is forgotten");
    raw_close(&r);
    pair_free(p);
}

static void never_acked(void)
{
    struct pair *p = pair_new(SIP_UDP, "127.0.0.1", TIMERS);
    struct raw r;
    raw_udp(&r, p);
    p->serve = answer_200;
    raw_request(&r, "INVITE", 1, "127.0.0.1;branch=z9hG4bKx1;rport");
    int64_t start = clock_ms();
    while (!strstr(p->log, "b:unacked") && clock_ms() - start < 20000)
        pair_run(p, p->words + 1, 5000);
    tap_ok(strstr(p->log, "b:unacked") && clock_ms() - start >= LONG, "no ACK for 64*T1 is told");
    int before = r.count;
    pair_run(p, 0, 6 * T1);
    tap_ok(r.count == before && p->b->count == 0, "and that is the end");
    raw_close(&r);
    pair_free(p);
}

static void say_nothing(struct pair *p, struct sip_server *s, const osip_message_t *m,
                        struct sip_server *invite)
{
    (void)m;
    (void)invite;
    p->held = s;
}

static void absorbed(const char *method)
{
    struct pair *p = pair_new(SIP_UDP, "127.0.0.1", TIMERS);
    struct raw r;
    char word[32];
    raw_udp(&r, p);
    p->serve = say_nothing;
    (void)snprintf(word, sizeof word, "b:%s", method);
    raw_request(&r, method, 1, "127.0.0.1;branch=z9hG4bKx1;rport");
    raw_request(&r, method, 1, "127.0.0.1;branch=z9hG4bKx1;rport");
    pair_run(p, 0, 2 * T1);
    tap_is_str(p->log, word, "a repeated request is absorbed before its answer");
    (void)sip_respond(p->b, p->held, sip_response_to(sip_server_message(p->held), 404, NULL));
    pair_run(p, 2, 5000);
    raw_request(&r, method, 1, "127.0.0.1;branch=z9hG4bKx1;rport");
    pair_run(p, 3, 5000);
    tap_ok(count(p->log, "b:") == 1 && r.count >= 2, "and gets the answer again after it");
    raw_request(&r, method, 2, "127.0.0.1;branch=z9hG4bKx9;rport");
    while (count(p->log, "b:") < 2)
        pair_run(p, p->words + 1, 5000);
    sip_server_forget(p->held);
    raw_request(&r, method, 2, "127.0.0.1;branch=z9hG4bKx9;rport");
    pair_run(p, 0, LONG + 400);
    tap_ok(count(p->log, "b:") == 2 && p->b->count == 0,
           "a request that nobody will answer is absorbed too, and ends");
    raw_close(&r);
    pair_free(p);
}

static void refuse_480(struct pair *p, struct sip_server *s, const osip_message_t *m,
                       struct sip_server *invite)
{
    (void)invite;
    (void)sip_respond(p->b, s, sip_response_to(m, 480, NULL));
}

static void final_repeated(void)
{
    struct pair *p = pair_new(SIP_UDP, "127.0.0.1", TIMERS);
    struct raw r;
    raw_udp(&r, p);
    p->serve = refuse_480;
    raw_request(&r, "INVITE", 1, "127.0.0.1;branch=z9hG4bKx1;rport");
    pair_run(p, 4, 5000);
    tap_is_str(p->log, "b:INVITE r:480 r:480 r:480", "a refusal is repeated");
    raw_request(&r, "ACK", 1, "127.0.0.1;branch=z9hG4bKx1;rport");
    pair_run(p, 0, T1);
    int before = r.count;
    pair_run(p, 0, 8 * T1);
    tap_ok(r.count == before && !strstr(p->log, "b:ACK"), "until its ACK, which is not shown");
    raw_close(&r);
    pair_free(p);
}

static void answer_places(void)
{
    struct pair *p = pair_new(SIP_UDP, "127.0.0.1", TIMERS);
    struct raw r, other;
    char via[128];
    raw_udp(&r, p);
    raw_udp(&other, p);
    raw_request(&r, "OPTIONS", 1, "192.0.2.9:7;branch=z9hG4bKy1;rport");
    pair_run(p, 2, 5000);
    (void)snprintf(via, sizeof via, "rport=%u", (unsigned)net_port(&r.at));
    const char *got = raw_header(&r, "Via");
    tap_ok(got && strstr(got, via) && strstr(got, "received=127.0.0.1"),
           "rport and received are filled in (RFC 3581)");
    (void)snprintf(via, sizeof via, "192.0.2.9:%u;branch=z9hG4bKy2", (unsigned)net_port(&other.at));
    raw_request(&r, "OPTIONS", 2, via);
    pair_run(p, 4, 5000);
    tap_ok(r.count == 1 && other.count == 1, "without rport the port is the Via's (18.2.2)");
    raw_request(&r, "OPTIONS", 3, "192.0.2.9:7;received=192.0.2.10;branch=z9hG4bKy3;rport=99");
    pair_run(p, 6, 5000);
    got = raw_header(&r, "Via");
    tap_ok(r.count == 2 && got && !strstr(got, "192.0.2.10"),
           "a client's own received is not believed");
    raw_close(&r);
    raw_close(&other);
    pair_free(p);
}

static char tags[4][64];

static void keep_tags(struct raw *r)
{
    const char *to = raw_header(r, "To");
    if (r->count <= 4 && to)
        (void)snprintf(tags[r->count - 1], sizeof tags[0], "%s", to);
}

static void ring_only(struct pair *p, struct sip_server *s, const osip_message_t *m,
                      struct sip_server *invite)
{
    if (invite) {
        (void)sip_respond(p->b, s, sip_response_to(m, 200, NULL));
        (void)sip_respond(p->b, invite, sip_response_to(sip_server_message(invite), 487, NULL));
    } else if (s) {
        (void)sip_respond(p->b, s, sip_response_to(m, 100, NULL));
        (void)sip_respond(p->b, s, sip_response_to(m, 180, NULL));
    }
}

static void one_tag(void)
{
    struct pair *p = pair_new(SIP_UDP, "127.0.0.1", SIP_TIMERS_DEFAULT);
    struct raw r;
    raw_udp(&r, p);
    r.on_message = keep_tags;
    p->serve = ring_only;
    raw_request(&r, "INVITE", 1, "127.0.0.1;branch=z9hG4bKx1;rport");
    pair_run(p, 3, 5000);
    raw_request(&r, "CANCEL", 1, "127.0.0.1;branch=z9hG4bKx1;rport");
    pair_run(p, 6, 5000);
    tap_ok(!strstr(tags[0], "tag="), "100 needs no tag");
    tap_ok(strstr(tags[1], ";tag=") && strcmp(tags[1], tags[2]) == 0 &&
               strcmp(tags[2], tags[3]) == 0,
           "all other responses, also the CANCEL's, have one and the same");
    raw_close(&r);
    pair_free(p);
}

static void port_goes_away(void)
{
    struct pair *p = pair_new(SIP_UDP, "127.0.0.1", SIP_TIMERS_DEFAULT);
    struct raw r;
    raw_udp(&r, p);
    p->to_b.addr = r.at;
    raw_close(&r);
    tap_ok(sip_send(p->a, pair_request(p, "ACK", 1, NULL), &p->to_b) == 0, "into the void");
    pair_run(p, 0, 20);
    struct raw again;
    raw_udp(&again, p);
    p->to_b.addr = again.at;
    (void)sip_request(p->a, pair_request(p, "OPTIONS", 1, NULL), &p->to_b, &pair_client, p);
    pair_run(p, 1, 5000);
    tap_is_str(p->log, "r:OPTIONS", "an old ICMP error does not harm another destination");
    raw_close(&again);
    pair_free(p);
}

int main(void)
{
    no_answer("INVITE", 6);
    no_answer("OPTIONS", 10);
    ringing();
    refused();
    twice_accepted();
    accepted();
    never_acked();
    absorbed("INVITE");
    absorbed("OPTIONS");
    final_repeated();
    answer_places();
    one_tag();
    port_goes_away();
    return tap_done();
}
