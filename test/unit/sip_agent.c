/* What the owner of a dialog does with the answers to its INVITE, and how its sessions end. */
#include "sip/agent_int.h"
#include "test/unit/sip_call.h"

#include <stdio.h>

static const struct sip_ops agent_ops = {party_emit, party_changed};

static bool is_ended(struct party *p)
{
    return sip_agent_state(p->agent) == SIP_ENDED && !sip_agent_owes(p->agent);
}

static bool is_settled(struct party *p)
{
    return sip_agent_state(p->agent) >= SIP_TALKING;
}

/* Calls a recipient that does `serve`. */
static struct party *call(enum sip_transport t,
                          void (*serve)(struct party *p, struct sip_server *s,
                                        const struct osip_message *m, struct sip_server *invite))
{
    struct party *p = party_new(t, &party_stack_ops);

    p->serve = serve;
    write_listening();
    if (sip_agent_new(&p->agent, p->loop, &p->config, p->facts, &agent_ops, p) != 0)
        abort();
    return p;
}

static void test_delivery(enum sip_transport t)
{
    struct party *p = call(t, yes);

    sip_agent_invite(p->agent);
    tap_is_int(sip_agent_state(p->agent), SIP_CALLING, "calling");
    run_until(is_settled);
    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "talking");
    is_fact("invite.answered.peer-path", "msrp://127.0.0.1:9/peer;tcp");
    is_fact("invite.answered.peer-setup", "active");
    is_fact("dialog.confirmed.transport", sip_transport_name(t));
    tap_ok(!journal_has(p->facts, "dialog.confirmed.session-expires"), "no session timer");
    sip_agent_end(p->agent, "done", 0);
    run_until(is_ended);
    tap_is_str(p->seen, "INVITE ACK BYE", "INVITE, ACK, BYE");
    is_fact("bye.answered.code", "200");
    is_fact("bye.sent.cseq", "2");
    is_fact("invite.failed.status", NULL);
    tap_is_int(sip_agent_status(p->agent), 0, "in order");
    party_free();
}

static void busy(struct party *p, struct sip_server *s, const struct osip_message *m,
                 struct sip_server *invite)
{
    struct osip_message *r;

    (void)invite;
    if (s == NULL)
        return;
    r = reply(m, 503, NULL);
    (void)sip_header_add(r, "Retry-After", "120 (maintenance);duration=60");
    (void)sip_respond(p->stack, s, r);
}

static void test_refusal(void)
{
    struct party *p = call(SIP_UDP, busy);

    sip_agent_invite(p->agent);
    run_until(is_ended);
    is_fact("invite.failed.status", "75");
    is_fact("invite.failed.code", "503");
    is_fact("invite.failed.retry-after", "120");
    tap_is_int(sip_agent_status(p->agent), 75, "not now");
    party_free();
}

static void too_small(struct party *p, struct sip_server *s, const struct osip_message *m,
                      struct sip_server *invite)
{
    struct osip_message *r;

    if (s == NULL || strcmp(sip_method(m), "INVITE") != 0 || sip_header(m, "Min-SE", 0) != NULL) {
        yes(p, s, m, invite);
        return;
    }
    r = reply(m, 422, NULL);
    (void)sip_header_add(r, "Min-SE", "3600");
    (void)sip_respond(p->stack, s, r);
}

static void test_interval(void)
{
    struct party *p = call(SIP_UDP, too_small);

    sip_agent_invite(p->agent);
    run_until(is_settled);
    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "422, then a longer interval");
    tap_is_str(sip_header(p->invite, "Session-Expires", 0), "3600;refresher=uac", "as asked");
    is_fact("dialog.confirmed.invite-cseq", "2");
    party_free();
}

/* --- Answers that cannot be used: ACK, BYE, and then the verdict. */

static void no_answer(struct party *p, struct sip_server *s, const struct osip_message *m,
                      struct sip_server *invite)
{
    (void)invite;
    if (s != NULL)
        (void)sip_respond(p->stack, s, reply(m, 200, NULL));
}

static void port_zero(struct party *p, struct sip_server *s, const struct osip_message *m,
                      struct sip_server *invite)
{
    (void)invite;
    if (s != NULL)
        (void)sip_respond(p->stack, s,
                          reply(m, 200,
                                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
                                "m=message 0 TCP/MSRP *\r\n"));
}

static void test_unusable(void)
{
    struct party *p = call(SIP_UDP, no_answer);

    sip_agent_invite(p->agent);
    run_until(is_ended);
    tap_is_str(p->seen, "INVITE ACK BYE", "a 200 without answer gets ACK and BYE");
    is_fact("invite.failed.status", "76");
    is_fact("invite.failed.why", "no-answer-sdp");
    is_fact("bye.answered.code", "200");
    is_fact("invite.answered.code", NULL);
    party_free();
    p = call(SIP_UDP, port_zero);
    sip_agent_invite(p->agent);
    run_until(is_ended);
    is_fact("invite.failed.status", "69");
    party_free();
}

/* --- CANCEL. */

static void ring(struct party *p, struct sip_server *s, const struct osip_message *m,
                 struct sip_server *invite)
{
    if (s == NULL)
        return;
    if (strcmp(sip_method(m), "INVITE") == 0) {
        (void)sip_respond(p->stack, s, reply(m, 180, NULL));
        return;
    }
    (void)sip_respond(p->stack, s, reply(m, 200, NULL));
    if (invite != NULL)
        (void)sip_respond(p->stack, invite, reply(p->invite, 487, NULL));
}

static bool is_ringing(struct party *p)
{
    return journal_has(p->facts, "invite.progress");
}

static void test_cancel(void)
{
    struct party *p = call(SIP_UDP, ring);

    sip_agent_invite(p->agent);
    run_until(is_ringing);
    is_fact("invite.progress.code", "180");
    sip_agent_end(p->agent, "test", 0);
    run_until(is_ended);
    tap_is_str(p->seen, "INVITE CANCEL", "CANCEL"); /* the ACK for 487 is the transaction's */
    is_fact("bye.sent.method", "CANCEL");
    is_fact("bye.answered.code", "200");
    is_fact("invite.failed.status", "75");
    is_fact("invite.failed.why", "cancelled");
    party_free();
}

/* Asked before there was a 1xx: the CANCEL waits for it. */
static void test_early_cancel(void)
{
    struct party *p = call(SIP_UDP, ring);

    sip_agent_invite(p->agent);
    sip_agent_end(p->agent, "test", 0);
    tap_ok(!journal_has(p->facts, "bye.sent"), "no CANCEL before a provisional response");
    run_until(is_ended);
    tap_is_str(p->seen, "INVITE CANCEL", "it comes after it");
    party_free();
}

static void test_nothing_sent(void)
{
    struct party *p = call(SIP_UDP, ring);

    sip_agent_end(p->agent, "test", 0);
    run_until(is_ended);
    tap_is_str(p->seen, "", "nothing was sent");
    is_fact("invite.failed.status", "75");
    is_fact("bye.sent.method", NULL);
    party_free();
}

/* The 200 is on its way when the CANCEL arrives. */
static void cross(struct party *p, struct sip_server *s, const struct osip_message *m,
                  struct sip_server *invite)
{
    if (s == NULL)
        return;
    if (strcmp(sip_method(m), "INVITE") == 0) {
        (void)sip_respond(p->stack, s, reply(m, 180, NULL));
        return;
    }
    if (invite != NULL)
        (void)sip_respond(p->stack, invite, reply(p->invite, 200, ANSWER));
    (void)sip_respond(p->stack, s, reply(m, 200, NULL));
}

static void test_crossing(void)
{
    struct party *p = call(SIP_UDP, cross);

    sip_agent_invite(p->agent);
    run_until(is_ringing);
    sip_agent_end(p->agent, "test", 0);
    run_until(is_ended);
    tap_is_str(p->seen, "INVITE CANCEL ACK BYE", "a crossing 200 gets ACK and BYE");
    is_fact("bye.answered.method", "BYE");
    is_fact("invite.failed.why", "cancelled");
    party_free();
}

static void test_ringing_limit(void)
{
    struct party *p = call(SIP_UDP, ring);

    p->config.answer_timeout = 50;
    sip_agent_invite(p->agent);
    run_until(is_ended);
    tap_is_str(p->seen, "INVITE CANCEL", "nobody answers the ringing: CANCEL");
    is_fact("invite.failed.status", "75");
    is_fact("invite.failed.why", "no-answer");
    is_fact("invite.failed.code", "487");
    party_free();
}

static void mute(struct party *p, struct sip_server *s, const struct osip_message *m,
                 struct sip_server *invite)
{
    (void)m;
    (void)invite;
    (void)p;
    if (s != NULL)
        sip_server_forget(s);
}

static void test_silence(void)
{
    struct party *p = call(SIP_UDP, mute);

    sip_agent_free(p->agent);
    p->config.t1 = 5;
    p->config.t2 = 40;
    if (sip_agent_new(&p->agent, p->loop, &p->config, p->facts, &agent_ops, p) != 0)
        abort();
    sip_agent_invite(p->agent);
    run_until(is_ended);
    is_fact("invite.failed.status", "75");
    is_fact("invite.failed.why", "timeout");
    party_free();
}

static void bye_is_lost(struct party *p, struct sip_server *s, const struct osip_message *m,
                        struct sip_server *invite)
{
    if (strcmp(sip_method(m), "BYE") == 0)
        mute(p, s, m, invite);
    else
        yes(p, s, m, invite);
}

static void test_lost_bye(void)
{
    struct party *p = call(SIP_UDP, bye_is_lost);

    sip_agent_invite(p->agent);
    run_until(is_settled);
    sip_agent_end(p->agent, "test", 0);
    sip_agent_end(p->agent, "test", 50);
    run_until(is_ended);
    is_fact("bye.failed.why", "timeout");
    tap_is_int(sip_agent_status(p->agent), 0, "a BYE without answer is no failure");
    party_free();
}

/* The first address refuses TCP: the second transport, then the failure. */
static void test_refused(void)
{
    struct party *p = call(SIP_UDP, yes);

    *strchr(p->to, ';') = '\0';
    p->config.user_agent =
        "CPM-serv/OMA1.0 a-long-name-that-makes-the-request-larger-than-1300-octets-in-any-case "
        "and so it has to go by a transport that knows congestion control, where there is one";
    sip_agent_invite(p->agent);
    is_fact("invite.sent.transport", "tcp");
    run_until(is_settled);
    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "by UDP then");
    is_fact("dialog.confirmed.transport", "udp");
    party_free();
}

/* --- Forking. */

static void fork_in_two(struct party *p, struct sip_server *s, const struct osip_message *m,
                        struct sip_server *invite)
{
    struct osip_message *other;

    yes(p, s, m, invite);
    if (strcmp(sip_method(m), "INVITE") != 0)
        return;
    other = reply(m, 200, ANSWER);
    sip_header_remove(other, "To");
    (void)sip_header_add(other, "To", "<sip:bob@example.com>;tag=other");
    (void)sip_send(p->stack, other, &p->peer);
}

static bool other_is_gone(struct party *p)
{
    return strstr(p->seen, "BYE") != NULL && !sip_agent_owes(p->agent);
}

static void test_fork(void)
{
    struct party *p = call(SIP_UDP, fork_in_two);

    sip_agent_invite(p->agent);
    run_until(other_is_gone);
    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "the first 200 is the session");
    tap_ok(strcmp(journal_get(p->facts, "dialog.confirmed.remote-tag"), "other") != 0,
           "the other dialog is not in the journal");
    tap_is_str(p->seen, "INVITE ACK ACK BYE", "the other one got ACK and BYE");
    party_free();
}

/* More than there is room for ring, and as many answer. */
static void fork_in_many(struct party *p, struct sip_server *s, const struct osip_message *m,
                         struct sip_server *invite)
{
    if (strcmp(sip_method(m), "INVITE") != 0) {
        yes(p, s, m, invite);
        return;
    }
    for (int i = 0; i < 140; i++) {
        bool rings = i < 70;
        struct osip_message *other = reply(m, rings ? 180 : 200, rings ? NULL : ANSWER);
        char to[64];
        (void)snprintf(to, sizeof(to), "<sip:bob@example.com>;tag=%d", i);
        sip_header_remove(other, "To");
        (void)sip_header_add(other, "To", to);
        (void)sip_send(p->stack, other, &p->peer);
    }
}

static size_t times(const struct party *p, const char *word)
{
    size_t n = 0;
    for (const char *at = p->seen; (at = strstr(at, word)) != NULL; at++)
        n++;
    return n;
}

static bool all_are_gone(struct party *p)
{
    return times(p, "BYE") == 69 && !sip_agent_owes(p->agent);
}

static void test_many(void)
{
    struct party *p = call(SIP_TCP, fork_in_many);

    sip_agent_invite(p->agent);
    run_until(all_are_gone);
    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "one of 70 answers is the session");
    tap_ok(times(p, "ACK") == 70 && times(p, "BYE") == 69, "%zu got an ACK, %zu a BYE",
           times(p, "ACK"), times(p, "BYE"));
    party_free();
}

static size_t lines_of(struct journal *j)
{
    bool grew;
    size_t n = 0;
    if (journal_read(j, &grew) != 0)
        return 0;
    FILE *f = fopen(journal_path(j), "r");
    for (int c; f && (c = getc(f)) != EOF;)
        n += c == '\n';
    if (f)
        (void)fclose(f);
    return n;
}

static void test_remarks(void)
{
    struct party *p = call(SIP_UDP, ring);
    size_t before = lines_of(p->facts);

    for (int i = 0; i < 1000; i++) {
        struct line_out o;
        line_begin(&o, "imdn.received", journal_sid(p->facts));
        line_number(&o, "size", i);
        agent_remark(p->agent, &o);
    }
    size_t written = lines_of(p->facts) - before;
    tap_ok(written >= 64 && written <= 70, "a peer causes %zu lines of 1000 at once", written);
    party_free();
}

int main(void)
{
    test_delivery(SIP_UDP);
    test_delivery(SIP_TCP);
    test_refusal();
    test_interval();
    test_unusable();
    test_cancel();
    test_early_cancel();
    test_nothing_sent();
    test_crossing();
    test_ringing_limit();
    test_silence();
    test_lost_bye();
    test_refused();
    test_fork();
    test_many();
    test_remarks();
    return tap_done();
}
