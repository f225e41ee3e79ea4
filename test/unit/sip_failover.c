/* An INVITE and the requests of its dialog go to one target of a name after the other, and their
 * journal tells each try. The names come from a DNS server in the same loop. */
#include "sip/agent_int.h"
#include "test/unit/sip_call.h"
#include "test/unit/zone.h"

#include <errno.h>

static const struct sip_ops agent_ops = {party_emit, party_changed};
static const struct sip_takeover_ops takeover_ops = {party_emit, party_done};

static int dead_fd;           /* holds a port where nobody reads */
static unsigned dead, silent; /* a port that refuses, and one that swallows */

static bool is_ended(struct party *p)
{
    return sip_agent_state(p->agent) == SIP_ENDED && !sip_agent_owes(p->agent);
}

static bool is_settled(struct party *p)
{
    return sip_agent_state(p->agent) >= SIP_TALKING;
}

/* --- Recipients. */

/* Names itself by a name. */
static void yes_by_name(struct party *p, struct sip_server *s, const struct osip_message *m,
                        struct sip_server *invite)
{
    struct osip_message *r;
    char contact[128];

    (void)invite;
    if (s == NULL)
        return;
    r = reply(m, 200, strcmp(sip_method(m), "INVITE") == 0 ? ANSWER : NULL);
    sip_header_remove(r, "Contact");
    (void)snprintf(contact, sizeof contact, "<sip:bob@peer.example.com:%u>", net_port(&p->at));
    (void)sip_header_add(r, "Contact", contact);
    (void)sip_respond(p->stack, s, r);
}

static unsigned refusals;

static void busy_first(struct party *p, struct sip_server *s, const struct osip_message *m,
                       struct sip_server *invite)
{
    struct osip_message *r;

    if (s == NULL || refusals == 0) {
        yes(p, s, m, invite);
        return;
    }
    refusals--;
    r = reply(m, 503, NULL);
    (void)sip_header_add(r, "Retry-After", "77");
    (void)sip_respond(p->stack, s, r);
}

/* --- The scene. */

static unsigned find_ports(void)
{
    struct net_bind b;
    struct net_addr a;
    int fd;

    if (net_parse_bind("127.0.0.1", &b) != 0 ||
        net_open(SOCK_DGRAM, &b, AF_INET, false, &dead_fd, &a) != 0)
        abort();
    silent = net_port(&a);
    if (net_open(SOCK_DGRAM, &b, AF_INET, false, &fd, &a) != 0)
        abort();
    (void)close(fd);
    return net_port(&a);
}

static struct party *call(void (*serve)(struct party *p, struct sip_server *s,
                                        const struct osip_message *m, struct sip_server *invite),
                          const char *to)
{
    struct party *p = party_new(SIP_UDP, &party_stack_ops);

    dns_server_start(p->loop);
    dead = find_ports();
    p->serve = serve;
    p->config.to = to;
    p->config.transport = "udp";
    p->config.dns_server = dns_server.address;
    p->config.dns_timeout = 3500;
    write_listening();
    if (sip_agent_new(&p->agent, p->loop, &p->config, p->facts, &agent_ops, p) != 0)
        abort();
    return p;
}

/* An agent that takes in what was changed in the options. */
static void renew(struct party *p)
{
    sip_agent_free(p->agent);
    if (sip_agent_new(&p->agent, p->loop, &p->config, p->facts, &agent_ops, p) != 0)
        abort();
}

static void end(void)
{
    sip_agent_free(party.agent);
    party.agent = NULL;
    dns_server_stop();
    (void)close(dead_fd);
    party_free();
}

#define US net_port(&party.at)

/* The session file's events about the INVITE, in order, each with a blank behind it. */
static void order_is(const char *want)
{
    char line[4200], got[1024] = "";
    FILE *f = fopen(party.path, "re");

    if (f == NULL)
        abort();
    while (fgets(line, sizeof line, f) != NULL) {
        char *at = strstr(line, " invite.");
        size_t n = strlen(got);
        if (at != NULL)
            (void)snprintf(got + n, sizeof got - n, "%.*s ", (int)strcspn(at + 1, " \n"), at + 1);
    }
    (void)fclose(f);
    tap_is_str(got, want, "the lines of the INVITE, in order");
}

static void hops_are(unsigned first, unsigned second)
{
    char want[128];

    (void)snprintf(want, sizeof want, "127.0.0.1:%u 127.0.0.1:%u", first, second);
    are("invite.sent", "next-hop", want, "the journal tells each try");
}

/* --- The INVITE. */

static void test_refused(void)
{
    struct party *p = call(yes, "sip:bob@example.com");

    zone_srv("_sip._udp.example.com", 1, 1, dead, "here.example.com");
    zone_srv("_sip._udp.example.com", 2, 1, US, "here.example.com");
    zone_address("here.example.com", "127.0.0.1");
    sip_agent_invite(p->agent);
    tap_is_int(sip_agent_state(p->agent), SIP_IDLE, "nothing is sent before the DNS answered");
    run_until(is_settled);
    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "the second target");
    hops_are(dead, US);
    are("invite.sent", "cseq", "1 1", "the same request");
    tap_ok(strcmp(journal_get(p->facts, "invite.sent.branch"), "") != 0 &&
               strstr(p->seen, "INVITE") == p->seen,
           "on a branch of its own");
    sip_agent_end(p->agent, "done", 0);
    run_until(is_ended);
    tap_is_str(p->seen, "INVITE ACK BYE", "ACK and BYE to the one that answered");
    end();
}

static void test_silent(void)
{
    struct party *p = call(yes, "sip:bob@example.com");

    p->config.t1 = 4; /* timer B: 256 ms */
    renew(p);
    zone_srv("_sip._udp.example.com", 1, 1, silent, "here.example.com");
    zone_srv("_sip._udp.example.com", 2, 1, US, "here.example.com");
    zone_address("here.example.com", "127.0.0.1");
    sip_agent_invite(p->agent);
    run_until(is_settled);
    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "after timer B the second target");
    hops_are(silent, US);
    end();
}

static void test_busy(void)
{
    struct party *p = call(busy_first, "sip:bob@example.com");

    refusals = 1;
    zone_srv("_sip._udp.example.com", 1, 1, US, "here.example.com");
    zone_srv("_sip._udp.example.com", 2, 1, US, "there.example.com");
    zone_address("here.example.com", "127.0.0.1");
    zone_address("there.example.com", "127.0.0.1");
    sip_agent_invite(p->agent);
    run_until(is_settled);
    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "after a 503 the second target");
    hops_are(US, US);
    are(" invite.progress ", "code", "503", "the first one's response is told");
    order_is("invite.sent invite.progress invite.sent invite.answered ");
    end();
}

static void merged(struct party *p, struct sip_server *s, const struct osip_message *m,
                   struct sip_server *invite)
{
    (void)invite;
    if (s != NULL)
        (void)sip_respond(p->stack, s, reply(m, 482, NULL));
}

/* The silent target has passed its INVITE on: this one is a copy, and nothing is refused for good.
 */
static void test_merged(void)
{
    struct party *p = call(merged, "sip:bob@example.com");

    p->config.t1 = 4;
    renew(p);
    zone_srv("_sip._udp.example.com", 1, 1, silent, "here.example.com");
    zone_srv("_sip._udp.example.com", 2, 1, US, "here.example.com");
    zone_address("here.example.com", "127.0.0.1");
    sip_agent_invite(p->agent);
    run_until(is_ended);
    is_fact("invite.failed.code", "482");
    is_fact("invite.failed.status", "75");
    end();
    p = call(merged, "sip:bob@example.com");
    zone_srv("_sip._udp.example.com", 2, 1, US, "here.example.com");
    zone_address("here.example.com", "127.0.0.1");
    sip_agent_invite(p->agent);
    run_until(is_ended);
    is_fact("invite.failed.status", "69");
    end();
}

static void test_all_fail(void)
{
    struct party *p = call(busy_first, "sip:bob@example.com");

    refusals = 9;
    zone_srv("_sip._udp.example.com", 1, 1, US, "here.example.com");
    zone_srv("_sip._udp.example.com", 2, 1, dead, "here.example.com");
    zone_srv("_sip._udp.example.com", 3, 1, US, "gone.example.com");
    zone_address("here.example.com", "127.0.0.1");
    sip_agent_invite(p->agent);
    run_until(is_ended);
    hops_are(US, dead);
    is_fact("invite.failed.status", "75");
    are(" invite.progress ", "code", "503", "the response is told, of the target that gave it");
    order_is("invite.sent invite.progress invite.sent invite.failed ");
    is_fact("invite.failed.code", "503");
    is_fact("invite.failed.retry-after", "77");
    end();
}

static void test_unresolved(void)
{
    struct party *p = call(yes, "sip:bob@nowhere.example.com");

    sip_agent_invite(p->agent);
    run_until(is_ended);
    is_fact("invite.failed.status", "75");
    is_fact("invite.failed.why", "unresolved");
    is_fact("invite.sent.next-hop", NULL);
    end();
}

/* --- Somebody does not wait for the DNS. */

static void test_stopped_before(void)
{
    struct party *p = call(yes, "sip:bob@example.com");

    zone_mood(ZONE_SILENT, "_sip._udp.example.com", 0);
    sip_agent_invite(p->agent);
    sip_agent_end(p->agent, "test", 0);
    run_until(is_ended);
    is_fact("invite.failed.why", "cancelled");
    is_fact("invite.sent.next-hop", NULL);
    end();
}

static void on_look(void *arg)
{
    loop_stop(arg);
}

static bool was_tried(struct party *p)
{
    return journal_has(p->facts, "invite.sent") && strstr(dns_server.asked, "late") != NULL;
}

static void test_stopped_between(void)
{
    struct party *p = call(yes, "sip:bob@example.com");

    zone_srv("_sip._udp.example.com", 1, 1, dead, "here.example.com");
    zone_srv("_sip._udp.example.com", 2, 1, US, "late.example.com");
    zone_address("here.example.com", "127.0.0.1");
    zone_mood(ZONE_SILENT, "late.example.com", 0);
    sip_agent_invite(p->agent);
    p->until = was_tried;
    loop_at(p->loop, &p->guard, clock_ms() + GUARD_MS, party_hung, p);
    while (!was_tried(p) && !p->hung) {
        loop_at(p->loop, &p->plan, clock_ms() + 5, on_look, p->loop);
        loop_run(p->loop);
    }
    tap_is_int(sip_agent_state(p->agent), SIP_CALLING, "between two targets");
    sip_agent_end(p->agent, "test", 0);
    run_until(is_ended);
    is_fact("invite.failed.why", "cancelled");
    tap_is_str(p->seen, "", "nobody was called");
    end();
}

static void test_too_late(void)
{
    struct party *p = call(yes, "sip:bob@example.com");

    p->config.answer_timeout = 50;
    zone_mood(ZONE_SILENT, "_sip._udp.example.com", 0);
    sip_agent_invite(p->agent);
    run_until(is_ended);
    is_fact("invite.failed.why", "no-answer");
    is_fact("invite.failed.status", "75");
    end();
}

/* --- In the dialog. */

/* The Contact's name has two addresses; the one that the INVITE went to is spoken to. */
static void test_dialog(void)
{
    struct party *p = call(yes_by_name, "sip:bob@peer.example.com");

    zone_srv("_sip._udp.peer.example.com", 1, 1, US, "near.example.com");
    zone_address("near.example.com", "127.0.0.1");
    zone_address("peer.example.com", "127.0.0.77");
    zone_address("peer.example.com", "127.0.0.1");
    sip_agent_invite(p->agent);
    run_until(is_settled);
    sip_agent_end(p->agent, "done", 0);
    run_until(is_ended);
    tap_is_str(p->seen, "INVITE ACK BYE", "ACK and BYE by the name of the Contact, in this order");
    is_fact("bye.answered.code", "200");
    tap_ok(strstr(dns_server.asked, " A:peer.example.com") != NULL, "looked up");
    end();
}

/* The INVITE went through somebody else; the first address of the Contact refuses. */
static void test_dialog_failover(void)
{
    struct party *p = call(yes_by_name, "sip:bob@example.com");
    static const char *proxy[1];
    char text[64];

    (void)snprintf(text, sizeof text, "sip:127.0.0.1:%u;lr", US);
    proxy[0] = text;
    p->config.proxy = (struct opt_list){proxy, 1};
    zone_address("peer.example.com", "127.0.0.77");
    sip_agent_invite(p->agent);
    run_until(is_settled);
    zone_address("peer.example.com", "127.0.0.1");
    sip_agent_end(p->agent, "done", 0);
    run_until(is_ended);
    tap_ok(strstr(p->seen, "BYE") != NULL, "the BYE goes on to the next address: %s", p->seen);
    is_fact("bye.answered.code", "200");
    end();
}

/* A server of names that died does not keep the BYE. */
static void test_dialog_silence(void)
{
    struct party *p = call(yes_by_name, "sip:bob@127.0.0.1");
    char text[64];

    (void)snprintf(text, sizeof text, "sip:bob@127.0.0.1:%u", US);
    p->config.to = text;
    p->config.dns_timeout = 60000;
    renew(p);
    zone_mood(ZONE_SILENT, "peer.example.com", 0);
    sip_agent_invite(p->agent);
    run_until(is_settled);
    sip_agent_end(p->agent, "done", 4000);
    run_until(is_ended);
    tap_is_str(p->seen, "INVITE ACK BYE", "they go where the INVITE went, once each");
    is_fact("bye.answered.code", "200");
    end();
}

static void yes_but_no_bye(struct party *p, struct sip_server *s, const struct osip_message *m,
                           struct sip_server *invite)
{
    if (s != NULL && strcmp(sip_method(m), "BYE") == 0)
        sip_server_forget(s);
    else
        yes(p, s, m, invite);
}

/* An answer of the DNS that comes too late sends nothing a second time. */
static void test_dialog_late(void)
{
    struct party *p = call(yes_but_no_bye, "sip:bob@127.0.0.1");
    char text[64];

    (void)snprintf(text, sizeof text, "sip:bob@127.0.0.1:%u", US);
    p->config.to = text;
    p->config.dns_timeout = 15400; /* it is asked again after 2.2 s */
    renew(p);
    zone_address("peer.example.com", "127.0.0.1");
    zone_address("peer.example.com", "127.0.0.77");
    zone_mood(ZONE_LOST, "peer.example.com", ns_t_a);
    sip_agent_invite(p->agent);
    run_until(is_settled);
    free(p->agent->chosen->dialog.target); /* as if the peer had moved */
    p->agent->chosen->dialog.target = mem_format("sip:bob@peer.example.com:%u", US);
    sip_agent_end(p->agent, "done", 3000);
    run_until(is_ended);
    tap_is_str(p->seen, "INVITE ACK BYE", "one ACK, one BYE");
    is_fact("bye.failed.why", "timeout");
    end();
}

/* --- The takeover. */

static bool is_done(struct party *p)
{
    return p->taken_over;
}

static void write_confirmed(void)
{
    char next[NET_TEXT_SIZE], target[64];
    const char *pairs[][2] = {{"call-id", "c1"},
                              {"local", "<sip:alice@example.com>"},
                              {"local-tag", "a1"},
                              {"remote", "<sip:bob@example.com>"},
                              {"remote-tag", "b1"},
                              {"invite-cseq", "1"},
                              {"cseq", "1"},
                              {"target", target},
                              {"transport", "udp"},
                              {"next-hop", next},
                              {"local-address", "127.0.0.1:9"},
                              {"contact", "<sip:alice@127.0.0.1:9>"},
                              {NULL, NULL}};

    (void)snprintf(next, sizeof next, "127.0.0.1:%u", dead);
    (void)snprintf(target, sizeof target, "sip:bob@peer.example.com:%u", US);
    write_line("dialog.confirmed", pairs);
}

static void test_takeover(void)
{
    struct party *p = call(yes, "sip:bob@example.com");

    zone_address("peer.example.com", "127.0.0.77");
    zone_address("peer.example.com", "127.0.0.1");
    write_confirmed();
    if (sip_takeover_start(&p->takeover, p->loop, &p->config, p->facts, &takeover_ops, p) != 0)
        abort();
    run_until(is_done);
    tap_ok(strstr(p->seen, "BYE") != NULL, "the Contact's name, its second address: %s", p->seen);
    is_fact("bye.answered.code", "200");
    sip_takeover_free(p->takeover);
    p->takeover = NULL;
    end();
}

int main(void)
{
    test_refused();
    test_silent();
    test_busy();
    test_merged();
    test_all_fail();
    test_unresolved();
    test_stopped_before();
    test_stopped_between();
    test_too_late();
    test_dialog();
    test_dialog_failover();
    test_dialog_silence();
    test_dialog_late();
    test_takeover();
    return tap_done();
}
