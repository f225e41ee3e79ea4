/* Provisional responses, reliable ones (RFC 3262), and what forking makes of them (RFC 3261
 * 13.2.2.4). */
#include "test/unit/sip_call.h"

#include <unistd.h>

static const struct sip_ops agent_ops = {party_emit, party_changed};

typedef void serve_f(struct party *p, struct sip_server *s, const struct osip_message *m,
                     struct sip_server *invite);

static char secret_path[32];
static char pracks[512]; /* "RAck;To tag" of each */

static struct party *call(serve_f *serve, int64_t t1)
{
    struct party *p = party_new(SIP_UDP, &party_stack_ops);

    pracks[0] = '\0';
    p->serve = serve;
    if (t1 > 0) {
        p->config.t1 = t1;
        p->config.t2 = t1 * 8;
    }
    p->config.auth_user = "alice";
    p->config.auth_password_file = secret_path;
    write_listening();
    if (sip_agent_new(&p->agent, p->loop, &p->config, p->facts, &agent_ops, p) != 0)
        abort();
    sip_agent_invite(p->agent);
    return p;
}

static bool is_ended(struct party *p)
{
    return sip_agent_state(p->agent) == SIP_ENDED && !sip_agent_owes(p->agent);
}

static bool is_settled(struct party *p)
{
    return sip_agent_state(p->agent) == SIP_TALKING || is_ended(p);
}

static void with_tag(struct osip_message *r, const char *tag)
{
    char *to = mem_format("<sip:bob@example.com>;tag=%s", tag);

    sip_header_remove(r, "To");
    (void)sip_header_add(r, "To", to);
    free(to);
}

/* A response to the INVITE from one branch of a fork, as a proxy would pass it on. */
static void say(struct party *p, int code, const char *tag, int rseq, const char *sdp)
{
    struct osip_message *r = reply(p->invite, code, sdp);
    char number[16];

    with_tag(r, tag);
    if (rseq > 0) {
        (void)snprintf(number, sizeof number, "%d", rseq);
        (void)sip_header_add(r, "Require", "100rel");
        (void)sip_header_add(r, "RSeq", number);
    }
    (void)sip_send(p->stack, r, &p->peer);
}

static void note_prack(const struct osip_message *m)
{
    size_t n = strlen(pracks);

    (void)snprintf(pracks + n, sizeof pracks - n, "%s%s;%s;%s", n > 0 ? ", " : "",
                   sip_header(m, "RAck", 0), sip_header(m, "CSeq", 0), tag_of(m, true));
}

static void ok(struct party *p, struct sip_server *s, const struct osip_message *m)
{
    if (s != NULL && strcmp(sip_method(m), "INVITE") != 0)
        (void)sip_respond(p->stack, s, reply(m, 200, NULL));
}

/* --- PRACK. */

/* IMS cores answer in a reliable 183, and their 200 has no description any more. */
static void answer_early(struct party *p, struct sip_server *s, const struct osip_message *m,
                         struct sip_server *invite)
{
    (void)invite;
    ok(p, s, m);
    if (strcmp(sip_method(m), "INVITE") == 0)
        say(p, 183, "b1", 7, ANSWER);
    if (strcmp(sip_method(m), "PRACK") == 0) {
        note_prack(m);
        say(p, 200, "b1", 0, NULL);
    }
}

static void test_early_answer(void)
{
    struct party *p = call(answer_early, 0);

    run_until(is_settled);
    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "the answer came in a reliable 183");
    tap_is_str(sip_header(p->invite, "Supported", 1), "100rel", "100rel is supported");
    tap_is_str(pracks, "7 1 INVITE;2 PRACK;b1", "PRACK");
    is_fact("invite.answered.peer-path", "msrp://127.0.0.1:9/peer;tcp");
    is_fact("invite.progress.code", "183");
    sip_agent_end(p->agent, "done", 0);
    run_until(is_ended);
    tap_is_str(p->seen, "INVITE PRACK ACK BYE", "the whole");
    is_fact("bye.sent.cseq", "3");
    party_free();
}

static void out_of_order(struct party *p, struct sip_server *s, const struct osip_message *m,
                         struct sip_server *invite)
{
    (void)invite;
    ok(p, s, m);
    if (strcmp(sip_method(m), "INVITE") == 0) {
        say(p, 180, "b1", 5, NULL);
        say(p, 180, "b1", 5, NULL);
        say(p, 183, "b1", 7, NULL);
        say(p, 180, "b1", 6, NULL);
        say(p, 182, "b1", 0, NULL); /* not reliable */
        say(p, 183, "b1", 7, NULL);
    }
    if (strcmp(sip_method(m), "PRACK") == 0)
        note_prack(m);
    if (strcmp(sip_method(m), "PRACK") == 0 && strstr(pracks, "7 1 INVITE") != NULL)
        say(p, 200, "b1", 0, ANSWER);
}

static void test_order(void)
{
    struct party *p = call(out_of_order, 0);

    run_until(is_settled);
    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "repeated and early responses");
    tap_is_str(pracks, "5 1 INVITE;2 PRACK;b1, 6 1 INVITE;3 PRACK;b1, 7 1 INVITE;4 PRACK;b1",
               "each RSeq once, in order");
    party_free();
}

static void challenge_prack(struct party *p, struct sip_server *s, const struct osip_message *m,
                            struct sip_server *invite)
{
    struct osip_message *r;

    (void)invite;
    if (strcmp(sip_method(m), "PRACK") != 0) {
        ok(p, s, m);
        if (strcmp(sip_method(m), "INVITE") == 0)
            say(p, 183, "b1", 1, NULL);
        return;
    }
    note_prack(m);
    if (sip_header(m, "Authorization", 0) == NULL) {
        r = reply(m, 401, NULL);
        (void)sip_header_add(r, "WWW-Authenticate",
                             "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"");
        (void)sip_respond(p->stack, s, r);
    } else {
        ok(p, s, m);
        say(p, 200, "b1", 0, ANSWER);
    }
}

static void test_challenged(void)
{
    struct party *p = call(challenge_prack, 0);

    run_until(is_settled);
    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "a PRACK is challenged");
    tap_is_str(pracks, "1 1 INVITE;2 PRACK;b1, 1 1 INVITE;3 PRACK;b1",
               "and sent again: the same RAck, the next number");
    sip_agent_end(p->agent, "done", 0);
    run_until(is_ended);
    is_fact("bye.sent.cseq", "4");
    party_free();
}

static void prack_two(struct party *p, struct sip_server *s, const struct osip_message *m,
                      struct sip_server *invite)
{
    (void)invite;
    ok(p, s, m);
    if (strcmp(sip_method(m), "INVITE") == 0) {
        say(p, 183, "b1", 10, NULL);
        say(p, 183, "b2", 20, NULL);
        say(p, 180, "b1", 11, NULL);
    }
    if (strcmp(sip_method(m), "PRACK") == 0)
        note_prack(m);
    if (strcmp(sip_method(m), "PRACK") == 0 && strstr(pracks, "11 1") != NULL)
        say(p, 200, "b2", 0, ANSWER);
}

static void test_two_branches(void)
{
    struct party *p = call(prack_two, 5);

    run_until(is_settled);
    tap_is_str(pracks, "10 1 INVITE;2 PRACK;b1, 20 1 INVITE;2 PRACK;b2, 11 1 INVITE;3 PRACK;b1",
               "each branch counts by itself");
    is_fact("dialog.confirmed.remote-tag", "b2");
    sip_agent_end(p->agent, "done", 0);
    run_until(is_ended);
    is_fact("bye.answered.code", "200");
    tap_ok(!sip_agent_owes(p->agent), "64 times T1 later nothing is owed to the branch that rang");
    party_free();
}

/* --- The first answer that can be used. */

static void second_is_better(struct party *p, struct sip_server *s, const struct osip_message *m,
                             struct sip_server *invite)
{
    (void)invite;
    ok(p, s, m);
    if (strcmp(sip_method(m), "INVITE") == 0) {
        say(p, 200, "b1", 0, NULL);
        say(p, 200, "b2", 0, ANSWER);
        say(p, 200, "b3", 0, ANSWER);
    }
}

static void test_second(void)
{
    struct party *p = call(second_is_better, 0);

    run_until(is_settled);
    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "an answer of no use, then a good one");
    is_fact("dialog.confirmed.remote-tag", "b2");
    is_fact("invite.failed.status", NULL);
    sip_agent_end(p->agent, "done", 0);
    run_until(is_ended);
    tap_is_str(p->seen, "INVITE ACK BYE ACK ACK BYE BYE", "each is acknowledged, and ended");
    is_fact("bye.answered.code", "200");
    tap_is_int(sip_agent_status(p->agent), 0, "in order");
    party_free();
}

static void later_is_better(struct party *p, struct sip_server *s, const struct osip_message *m,
                            struct sip_server *invite)
{
    (void)invite;
    ok(p, s, m);
    if (strcmp(sip_method(m), "INVITE") == 0) {
        say(p, 180, "b1", 0, NULL);
        say(p, 180, "b2", 0, NULL);
        say(p, 200, "b1", 0, NULL);
    }
    if (strcmp(sip_method(m), "BYE") == 0 && tag_of(m, true) != NULL &&
        strcmp(tag_of(m, true), "b1") == 0)
        say(p, 200, "b2", 0, ANSWER);
}

static void test_later(void)
{
    struct party *p = call(later_is_better, 0);

    run_until(is_settled);
    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "whoever still rings may be better");
    is_fact("dialog.confirmed.remote-tag", "b2");
    is_fact("invite.failed.status", NULL);
    party_free();
}

/* It did not ring, and comes when the BYE of the first is answered already. */
static void say_late(void *arg)
{
    say(arg, 200, "b2", 0, ANSWER);
}

static void silent_is_better(struct party *p, struct sip_server *s, const struct osip_message *m,
                             struct sip_server *invite)
{
    (void)invite;
    ok(p, s, m);
    if (strcmp(sip_method(m), "INVITE") == 0)
        say(p, 200, "b1", 0, NULL);
    if (strcmp(sip_method(m), "BYE") == 0)
        loop_at(p->loop, &p->plan, clock_ms() + 20, say_late, p);
}

static void test_silent(void)
{
    struct party *p = call(silent_is_better, 5000);

    run_until(is_settled);
    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "so may be one that did not ring");
    is_fact("dialog.confirmed.remote-tag", "b2");
    is_fact("bye.answered.code", NULL);
    party_free();
}

static void nobody_is_better(struct party *p, struct sip_server *s, const struct osip_message *m,
                             struct sip_server *invite)
{
    (void)invite;
    ok(p, s, m);
    if (strcmp(sip_method(m), "INVITE") == 0) {
        say(p, 180, "b2", 0, NULL);
        say(p, 200, "b1", 0, NULL);
    }
}

static void test_nobody(void)
{
    struct party *p = call(nobody_is_better, 5);

    run_until(is_ended);
    tap_is_str(p->seen, "INVITE ACK BYE", "nobody else answers");
    is_fact("invite.failed.status", "76");
    is_fact("invite.failed.why", "no-answer-sdp");
    is_fact("bye.answered.code", "200");
    party_free();
}

/* Asked to end while a better answer is waited for: at once. */
static bool is_answered(struct party *p)
{
    return strstr(p->seen, "BYE") != NULL;
}

static bool is_told(struct party *p)
{
    return sip_agent_state(p->agent) == SIP_ENDED;
}

static void test_asked(void)
{
    struct party *p = call(nobody_is_better, 0);

    run_until(is_answered);
    sip_agent_end(p->agent, "asked", 0);
    run_until(is_told);
    is_fact("invite.failed.status", "76");
    tap_ok(sip_agent_owes(p->agent), "told at once; who still rings is waited for all the same");
    party_free();
}

static void ring_then_refuse(struct party *p, struct sip_server *s, const struct osip_message *m,
                             struct sip_server *invite)
{
    (void)invite;
    if (strcmp(sip_method(m), "INVITE") == 0) {
        say(p, 183, "b1", 3, NULL);
        say(p, 180, "b2", 0, NULL);
        (void)sip_respond(p->stack, s, reply(m, 486, NULL));
    } else {
        ok(p, s, m);
    }
}

static void test_refused(void)
{
    struct party *p = call(ring_then_refuse, 0);

    run_until(is_ended);
    is_fact("invite.failed.code", "486");
    tap_ok(!sip_agent_owes(p->agent), "early dialogs of a refused call leave nothing behind");
    party_free();
}

int main(void)
{
    int fd;

    (void)snprintf(secret_path, sizeof secret_path, "/tmp/sip_prack.XXXXXX");
    fd = mkstemp(secret_path);
    if (fd < 0 || write(fd, "s3cret\n", 7) != 7 || close(fd) != 0)
        abort();
    test_early_answer();
    test_order();
    test_challenged();
    test_two_branches();
    test_second();
    test_later();
    test_silent();
    test_nobody();
    test_asked();
    test_refused();
    (void)unlink(secret_path);
    return tap_done();
}
