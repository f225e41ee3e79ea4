/* The session timer (RFC 4028): our refreshes and what the peer may answer, the peer's refreshes,
 * and requests that cross each other (RFC 3261 14.1). Timers are not waited for: a test looks when
 * one is due and lets it be due at once. */
#include "sip/agent_int.h"
#include "test/unit/sip_call.h"

#include <sysexits.h>

static const struct sip_ops agent_ops = {party_emit, party_changed};

static int code;                     /* the peer's answer to a refresh; 0: none */
static const char *headers;          /* of it, "Name: value", or NULL */
static const char *timer;            /* Session-Expires of its 200; NULL: none */
static struct osip_message *refresh; /* the last one that came */
static struct sip_server *pending;

static void with(struct osip_message *m, const char *line)
{
    struct slice value = slice_of(line);
    char *name = slice_dup(slice_cut(&value, ':'));
    char *text = slice_dup(slice_trim(value));

    if (sip_header_add(m, name, text) != 0)
        abort();
    free(name);
    free(text);
}

static void serve(struct party *p, struct sip_server *s, const struct osip_message *m,
                  struct sip_server *invite)
{
    bool first = strcmp(sip_method(m), "INVITE") == 0 && tag_of(m, true) == NULL;
    bool update = strcmp(sip_method(m), "UPDATE") == 0;
    struct osip_message *r;

    (void)invite;
    if (s == NULL)
        return;
    if (!first && strcmp(sip_method(m), "BYE") != 0) {
        osip_message_free(refresh);
        (void)osip_message_clone(m, &refresh);
        pending = s;
        if (code == 0)
            return;
    }
    r = reply(m, first || strcmp(sip_method(m), "BYE") == 0 ? 200 : code, update ? NULL : ANSWER);
    if (timer != NULL && sip_status(r) == 200)
        (void)sip_header_add(r, "Session-Expires", timer);
    if (headers != NULL && !first)
        with(r, headers);
    (void)sip_respond(p->stack, s, r);
}

static bool is_talking(struct party *p)
{
    return sip_agent_state(p->agent) == SIP_TALKING && strstr(p->seen, "ACK") != NULL;
}

/* The owner says nothing of a refresh that is refused. */
static void look_soon(void *arg)
{
    look_again(arg);
    loop_at(party.loop, &party.plan, clock_ms() + 2, look_soon, arg);
}

static struct party *talk(const char *expires)
{
    struct party *p = party_new(SIP_UDP, &party_stack_ops);

    code = 200;
    headers = NULL;
    timer = expires;
    p->serve = serve;
    write_listening();
    if (sip_agent_new(&p->agent, p->loop, &p->config, p->facts, &agent_ops, p) != 0)
        abort();
    sip_agent_invite(p->agent);
    look_soon(p);
    run_until(is_talking);
    return p;
}

static int64_t due_in(const struct loop_timer *t)
{
    return t->place != 0 ? t->due - clock_ms() : -1;
}

static void near(int64_t got, int64_t wanted, const char *what)
{
    tap_ok(got <= wanted && got > wanted - 2000, "%s: in %lld ms of %lld", what, (long long)got,
           (long long)wanted);
}

static void fire(struct loop_timer *t)
{
    loop_at(party.loop, t, clock_ms(), t->handler, t->arg);
}

static int words_wanted;

static bool said_so_much(struct party *p)
{
    int n = 1;

    for (const char *c = p->seen; *c != '\0'; c++)
        n += *c == ' ';
    return n >= words_wanted;
}

static bool settled(struct party *p)
{
    return said_so_much(p) && p->agent->refresh == NULL;
}

/* Lets the refresh be due, and runs until the recipient saw this many requests in all. */
static void refresh_now(int words)
{
    words_wanted = words;
    fire(&party.agent->refresh_timer);
    run_until(settled);
}

static bool is_over(struct party *p)
{
    return sip_agent_state(p->agent) == SIP_ENDED;
}

/* --- Ours. */

static void test_ours(void)
{
    struct party *p = talk("200;refresher=uac");

    near(due_in(&p->agent->refresh_timer), 100000, "refresh at half the interval");
    near(due_in(&p->agent->expiry_timer), 168000, "BYE 32 s before its end");
    refresh_now(3);
    tap_is_str(p->seen, "INVITE ACK UPDATE", "by UPDATE, as the peer allows it");
    tap_is_str(sip_header(refresh, "Session-Expires", 0), "200;refresher=uac", "its interval");
    tap_is_str(sip_header(refresh, "Supported", 0), "timer", "its extension");
    near(due_in(&p->agent->refresh_timer), 100000, "and again");
    is_fact("dialog.refreshed.by", "us");
    is_fact("dialog.refreshed.method", "UPDATE");
    timer = "90;refresher=uac";
    refresh_now(4);
    near(due_in(&p->agent->expiry_timer), 60000, "the peer shortens it: a third before its end");
    timer = NULL;
    refresh_now(5);
    tap_ok(due_in(&p->agent->refresh_timer) < 0 && due_in(&p->agent->expiry_timer) < 0,
           "no Session-Expires any more: no timer");
    party_free();
    p = talk(NULL);
    tap_ok(due_in(&p->agent->refresh_timer) < 0 && due_in(&p->agent->expiry_timer) < 0,
           "none in the 200: no timer");
    party_free();
    p = talk("10;refresher=uac");
    near(due_in(&p->agent->refresh_timer), 5000, "less than RFC 4028 allows is kept all the same");
    refresh_now(3);
    tap_is_str(sip_header(refresh, "Session-Expires", 0), "90;refresher=uac", "but not asked for");
    party_free();
}

static void test_refused(void)
{
    struct party *p = talk("200;refresher=uac");

    code = 422;
    headers = "Min-SE: 400";
    refresh_now(3);
    tap_ok(due_in(&p->agent->refresh_timer) <= 0, "422: again at once");
    code = 200;
    headers = NULL;
    timer = "400;refresher=uac";
    refresh_now(4);
    tap_is_str(sip_header(refresh, "Session-Expires", 0), "400;refresher=uac",
               "with what it wants");
    tap_is_str(sip_header(refresh, "Min-SE", 0), "400", "and says so");
    code = 503;
    headers = "Retry-After: 7";
    refresh_now(5);
    near(due_in(&p->agent->refresh_timer), 7000, "Retry-After is heard");
    headers = NULL;
    code = 405;
    refresh_now(6);
    code = 200;
    refresh_now(7);
    tap_is_str(p->seen, "INVITE ACK UPDATE UPDATE UPDATE UPDATE INVITE", "no UPDATE: re-INVITE");
    code = 500;
    refresh_now(9); /* with the ACK of the one before */
    near(due_in(&p->agent->refresh_timer), 184000, "500: in the middle of what is left");
    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "the session lives until it expires");
    party_free();
}

static void test_lost(int with_code, const char *why)
{
    struct party *p = talk("200;refresher=uac");

    code = with_code;
    words_wanted = 99;
    fire(&p->agent->refresh_timer);
    run_until(is_over);
    tap_is_str(p->seen, "INVITE ACK UPDATE BYE", why);
    is_fact("session.ended.by", "refresh");
    tap_is_int(sip_agent_status(p->agent), EX_TEMPFAIL, "to be tried later");
    party_free();
}

static void test_expired(const char *expires)
{
    struct party *p = talk(expires);

    code = 0;
    if (p->agent->refresher)
        fire(&p->agent->refresh_timer);
    else
        tap_ok(due_in(&p->agent->refresh_timer) < 0, "the peer refreshes");
    fire(&p->agent->expiry_timer);
    run_until(is_over);
    tap_ok(strstr(p->seen, "BYE") != NULL, "expired (%s): BYE", expires);
    is_fact("session.ended.by", "timer");
    tap_is_int(sip_agent_status(p->agent), EX_TEMPFAIL, "to be tried later");
    party_free();
}

/* A refresh that is under way when the end is asked for does not turn it into a failure. */
static void test_asked_for(void)
{
    struct party *p = talk("200;refresher=uac");

    code = 0;
    words_wanted = 3;
    fire(&p->agent->refresh_timer);
    run_until(said_so_much);
    sip_agent_end(p->agent, "test", 0);
    (void)sip_respond(p->stack, pending, reply(refresh, 481, NULL));
    run_until(is_over);
    is_fact("session.ended.by", NULL);
    tap_is_int(sip_agent_status(p->agent), 0, "ended in order");
    party_free();
}

static bool has_fired(struct party *p)
{
    return p->agent->refresh_timer.place == 0;
}

/* It stands in the file that the session is to end, and the caller has not seen it yet. */
static void test_end_is_written(void)
{
    struct party *p = talk("200;refresher=uac");

    ask_for_end(p);
    tap_ok(!journal_has(p->facts, "bye.request"), "not read yet");
    fire(&p->agent->refresh_timer);
    run_until(has_fired);
    tap_ok(p->agent->refresh == NULL, "no refresh begins");
    sip_agent_end(p->agent, "test", 0);
    run_until(is_over);
    tap_ok(strstr(p->seen, "UPDATE") == NULL && strstr(p->seen, "BYE") != NULL, "BYE: %s", p->seen);
    party_free();
}

/* --- Glare. */

static void nothing(void *arg, struct sip_client *c, const struct osip_message *m,
                    const struct sip_hop *from)
{
    (void)c;
    (void)from;
    if (sip_status(m) >= 200)
        saw(arg, sip_status(m) == 491 ? "491" : "other");
}

static void nothing_failed(void *arg, struct sip_client *c, int error)
{
    (void)c;
    (void)error;
    saw(arg, "failed");
}

static void their_reinvite(struct party *p)
{
    static const struct sip_client_ops ops = {nothing, nothing_failed};
    const struct journal *j = p->facts;
    struct osip_message *m = request_new(&p->config, "INVITE", "sip:alice@127.0.0.1");
    char *from = mem_format("From: %s;tag=%s", journal_get(j, "dialog.confirmed.remote"),
                            journal_get(j, "dialog.confirmed.remote-tag"));
    char *to = mem_format("To: %s;tag=%s", journal_get(j, "dialog.confirmed.local"),
                          journal_get(j, "dialog.confirmed.local-tag"));
    char *id = mem_format("Call-ID: %s", journal_get(j, "dialog.confirmed.call-id"));
    char where[NET_TEXT_SIZE], branch[64];

    with(m, from);
    with(m, to);
    with(m, id);
    with(m, "CSeq: 5 INVITE");
    (void)sip_body_set(m, "application/sdp", slice_of(ANSWER));
    net_addr_text(where, &p->at);
    (void)sip_via_add(m, SIP_UDP, where, branch);
    (void)sip_request(p->stack, m, &p->peer, &ops, p);
    free(from);
    free(to);
    free(id);
}

static bool has_491(struct party *p)
{
    return strstr(p->seen, "491") != NULL;
}

static void test_glare(void)
{
    struct party *p = talk("200;refresher=uac");
    int64_t pause;

    p->agent->peer_updates = false;
    code = 0;
    words_wanted = 3;
    fire(&p->agent->refresh_timer);
    run_until(said_so_much);
    their_reinvite(p);
    run_until(has_491);
    tap_is_str(p->seen, "INVITE ACK INVITE 491", "their re-INVITE while ours is under way");
    code = 491;
    (void)sip_respond(p->stack, pending, reply(refresh, 491, NULL));
    run_until(settled);
    pause = due_in(&p->agent->refresh_timer);
    tap_ok(pause > 1000 && pause <= 4000, "ours is repeated after 2.1 to 4 s: %lld ms",
           (long long)pause);
    code = 200;
    refresh_now(6);
    tap_is_str(sip_header(refresh, "CSeq", 0), "3 INVITE", "with a new number");
    is_fact("dialog.refreshed.method", "INVITE");
    for (int i = 0; i < 4; i++) {
        code = 491;
        refresh_now(7 + i);
    }
    pause = due_in(&p->agent->refresh_timer);
    tap_ok(pause > 10000, "who always says 491 is asked less often: %lld ms", (long long)pause);
    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "and the session stands");
    party_free();
}

int main(void)
{
    test_ours();
    test_refused();
    test_lost(481, "481: the peer knows nothing of it");
    test_lost(408, "408: it cannot be reached");
    test_expired("200;refresher=uac");
    test_expired("200;refresher=uas");
    test_asked_for();
    test_end_is_written();
    test_glare();
    osip_message_free(refresh);
    return tap_done();
}
