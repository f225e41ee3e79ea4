/* Ending the dialog of an owner that died, from its session file alone. */
#include "test/unit/sip_call.h"

#include <errno.h>

static const struct sip_takeover_ops takeover_ops = {party_emit, party_done};

static bool is_done(struct party *p)
{
    return p->taken_over;
}

static char *where(const struct net_addr *a)
{
    char text[NET_TEXT_SIZE];

    net_addr_text(text, a);
    return mem_dup(text);
}

/* A port that nobody has, for the dead owner. */
static char *dead_address(void)
{
    struct net_bind b;
    struct net_addr a;
    int fd;

    if (net_parse_bind("127.0.0.1", &b) != 0 ||
        net_open(SOCK_DGRAM, &b, AF_INET, false, &fd, &a) != 0)
        abort();
    (void)close(fd);
    return where(&a);
}

static void write_sent(const char *local)
{
    char *next = where(&party.at);
    char *contact = mem_format("<sip:alice@%s>", local);
    const char *pairs[][2] = {{"call-id", "c1"},
                              {"from", "<sip:alice@example.com>"},
                              {"from-tag", "a1"},
                              {"to", "<sip:bob@example.com>"},
                              {"uri", "sip:bob@example.com"},
                              {"cseq", "1"},
                              {"branch", "z9hG4bKdead"},
                              {"transport", "udp"},
                              {"next-hop", next},
                              {"local", local},
                              {"via", local},
                              {"contact", contact},
                              {NULL, NULL}};

    write_line("invite.sent", pairs);
    free(next);
    free(contact);
}

static void write_confirmed(const char *local)
{
    char *next = where(&party.at);
    char *target = mem_format("sip:bob@%s", next);
    char *contact = mem_format("<sip:alice@%s>", local);
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
                              {"local-address", local},
                              {"contact", contact},
                              {NULL, NULL}};
    const char *cseq[][2] = {{"cseq", "4"}, {"method", "UPDATE"}, {NULL, NULL}};

    write_line("dialog.confirmed", pairs);
    write_line("dialog.cseq", cseq);
    free(next);
    free(target);
    free(contact);
}

static int start(void)
{
    return sip_takeover_start(&party.takeover, party.loop, &party.config, party.facts,
                              &takeover_ops, &party);
}

static char *line_of(const struct osip_message *m)
{
    return mem_format("%s %s %s", sip_header(m, "CSeq", 0), sip_header(m, "From", 0),
                      sip_header(m, "To", 0));
}

static struct sip_hop from_hop;
static char *asked;

static void answer(struct party *p, struct sip_server *s, const struct osip_message *m,
                   struct sip_server *invite)
{
    (void)invite;
    free(asked);
    asked = line_of(m);
    if (s != NULL)
        (void)sip_respond(p->stack, s, reply(m, 200, NULL));
}

static void remember(void *arg, struct sip_server *s, const struct osip_message *m,
                     const struct sip_hop *from, struct sip_server *invite)
{
    from_hop = *from;
    party_request(arg, s, m, from, invite);
}

static const struct sip_stack_ops ops = {remember, party_stray, party_unacked};

static void test_answered(void)
{
    struct party *p = party_new(SIP_UDP, &ops);
    char *local = dead_address(), *came;

    p->serve = answer;
    write_sent(local);
    write_confirmed(local);
    tap_is_int(start(), 0, "the facts are enough");
    run_until(is_done);
    tap_is_str(p->seen, "ACK BYE", "ACK and BYE");
    tap_is_str(asked, "5 BYE <sip:alice@example.com>;tag=a1 <sip:bob@example.com>;tag=b1",
               "with the next number, in the dialog");
    came = where(&from_hop.addr);
    tap_is_str(came, local, "from the dead owner's address");
    is_fact("dialog.cseq.cseq", "5");
    is_fact("bye.answered.method", "BYE");
    is_fact("bye.answered.code", "200");
    free(came);
    free(local);
    party_free();
}

/* --- CANCEL: the recipient has the INVITE of the dead owner. */

static struct osip_message *dead_invite(void)
{
    struct call k;
    struct osip_message *m, *v;

    if (call_from_facts(&k, party.facts) != 0)
        abort();
    v = call_cancel(&k, &party.config);
    m = call_invite(&k, &party.config, 0, SLICE("v=0\r\n"));
    (void)osip_list_add(&m->vias, osip_list_get(&v->vias, 0), 0);
    (void)osip_list_remove(&v->vias, 0);
    osip_message_free(v);
    call_free(&k);
    return m;
}

static void final(struct party *p, const struct sip_hop *to, int code, const char *sdp)
{
    struct osip_message *invite = dead_invite();
    struct osip_message *r = reply(invite, code, sdp);

    (void)sip_send(p->stack, r, to);
    osip_message_free(invite);
}

static void terminate(struct party *p, struct sip_server *s, const struct osip_message *m,
                      struct sip_server *invite)
{
    answer(p, s, m, invite);
    if (strcmp(sip_method(m), "CANCEL") == 0)
        final(p, &from_hop, 487, NULL);
}

static void cross(struct party *p, struct sip_server *s, const struct osip_message *m,
                  struct sip_server *invite)
{
    answer(p, s, m, invite);
    if (strcmp(sip_method(m), "CANCEL") == 0)
        final(p, &from_hop, 200, ANSWER);
}

static bool is_acknowledged(struct party *p)
{
    return p->taken_over && strstr(p->seen, "ACK") != NULL;
}

static void test_unanswered(void)
{
    struct party *p = party_new(SIP_UDP, &ops);
    char *local = dead_address();

    p->serve = terminate;
    write_sent(local);
    tap_is_int(start(), 0, "an INVITE without answer");
    run_until(is_acknowledged);
    tap_is_str(p->seen, "CANCEL ACK", "CANCEL, and ACK for the 487");
    is_fact("bye.sent.method", "CANCEL");
    is_fact("bye.answered.method", "CANCEL");
    is_fact("bye.answered.code", "487");
    free(local);
    party_free();
}

static void test_crossing(void)
{
    struct party *p = party_new(SIP_UDP, &ops);
    char *local = dead_address();

    p->serve = cross;
    write_sent(local);
    tap_is_int(start(), 0, "an INVITE without answer");
    run_until(is_done);
    tap_is_str(p->seen, "CANCEL ACK BYE", "a 200 that crosses gets ACK and BYE");
    is_fact("bye.answered.method", "BYE");
    free(local);
    party_free();
}

static void mute(struct party *p, struct sip_server *s, const struct osip_message *m,
                 struct sip_server *invite)
{
    (void)p;
    (void)m;
    (void)invite;
    if (s != NULL)
        sip_server_forget(s);
}

static void test_silence(void)
{
    struct party *p = party_new(SIP_UDP, &ops);
    char *local = dead_address();
    int64_t began = clock_ms();

    p->serve = mute;
    write_sent(local);
    write_confirmed(local);
    tap_is_int(start(), 0, "a peer that does not answer");
    run_until(is_done);
    is_fact("bye.failed.why", "timeout");
    tap_ok(clock_ms() - began < SIP_TAKEOVER_MS + 1000, "it does not take long");
    free(local);
    party_free();
}

static void test_nothing(void)
{
    struct party *p = party_new(SIP_UDP, &ops);
    const char *pairs[][2] = {{"by", "peer"}, {NULL, NULL}};
    char *local = dead_address();

    tap_is_int(start(), ENOENT, "nothing was sent");
    write_sent(local);
    write_confirmed(local);
    write_line("session.ended", pairs);
    tap_is_int(start(), ENOENT, "the peer said BYE");
    (void)p;
    free(local);
    party_free();
}

/* Another branch answers while the BYE of the chosen one is on its way. */
static struct sip_server *bye_of_chosen;

static void fork_answers(struct party *p, struct sip_server *s, const struct osip_message *m,
                         struct sip_server *invite)
{
    bool chosen = strcmp(tag_of(m, true), "b1") == 0;

    if (strcmp(sip_method(m), "BYE") != 0)
        return;
    if (chosen) {
        bye_of_chosen = s;
        final(p, &from_hop, 200, ANSWER);
        return;
    }
    answer(p, s, m, invite);
    (void)sip_respond(p->stack, bye_of_chosen, reply(sip_server_message(bye_of_chosen), 200, NULL));
}

static void test_fork(void)
{
    struct party *p = party_new(SIP_UDP, &ops);
    char *local = dead_address();

    p->serve = fork_answers;
    write_sent(local);
    write_confirmed(local);
    tap_is_int(start(), 0, "a forked call");
    run_until(is_done);
    tap_is_str(p->seen, "ACK BYE ACK BYE", "the other branch gets ACK and BYE too");
    is_fact("bye.answered.code", "200");
    free(local);
    party_free();
}

int main(void)
{
    test_answered();
    test_unanswered();
    test_crossing();
    test_silence();
    test_nothing();
    test_fork();
    free(asked);
    return tap_done();
}
