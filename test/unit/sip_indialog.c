/* The peer's requests in the dialog, each with its proper answer. */
#include "sip/agent_int.h"
#include "sip/stack_int.h"
#include "test/unit/sip_call.h"

static const struct sip_ops agent_ops = {party_emit, party_changed};
static int number = 100; /* CSeq of the peer */
static bool hold_ack;

static bool is_talking(struct party *p)
{
    return sip_agent_state(p->agent) == SIP_TALKING && strstr(p->seen, "ACK") != NULL;
}

static struct party *talk(void)
{
    struct party *p = party_new(SIP_UDP, &party_stack_ops);

    p->serve = yes;
    p->config.linger = 20;
    write_listening();
    if (sip_agent_new(&p->agent, p->loop, &p->config, p->facts, &agent_ops, p) != 0)
        abort();
    sip_agent_invite(p->agent);
    run_until(is_talking);
    return p;
}

/* --- Requests of the peer. */

static struct osip_message *response; /* to the last one */

static void on_response(void *arg, struct sip_client *c, const struct osip_message *m,
                        const struct sip_hop *from)
{
    struct party *p = arg;

    (void)c;
    (void)from;
    if (sip_status(m) < 200)
        return;
    osip_message_free(response);
    (void)osip_message_clone(m, &response);
    loop_stop(p->loop);
}

static void on_failed(void *arg, struct sip_client *c, int error)
{
    (void)c;
    (void)error;
    loop_stop(((struct party *)arg)->loop);
}

static struct osip_message *request(const char *method, int cseq)
{
    const struct journal *j = party.facts;
    struct osip_message *m = request_new(&party.config, method, "sip:alice@127.0.0.1");
    char *from = mem_format("%s;tag=%s", journal_get(j, "dialog.confirmed.remote"),
                            journal_get(j, "dialog.confirmed.remote-tag"));
    char *to = mem_format("%s;tag=%s", journal_get(j, "dialog.confirmed.local"),
                          journal_get(j, "dialog.confirmed.local-tag"));
    char *line = mem_format("%d %s", cseq, method);

    (void)sip_header_add(m, "From", from);
    (void)sip_header_add(m, "To", to);
    (void)sip_header_add(m, "CSeq", line);
    (void)sip_header_add(m, "Call-ID", journal_get(j, "dialog.confirmed.call-id"));
    free(from);
    free(to);
    free(line);
    return m;
}

static void with(struct osip_message *m, const char *name, const char *value)
{
    if (sip_header_add(m, name, value) != 0)
        abort();
}

static void send_ack(void)
{
    struct osip_message *ack = request("ACK", number);
    char where[NET_TEXT_SIZE], branch[64];

    net_addr_text(where, &party.at);
    (void)sip_via_add(ack, SIP_UDP, where, branch);
    (void)sip_send(party.stack, ack, &party.peer);
}

/* Sends it and tells the code of the answer. */
static int ask(struct osip_message *m)
{
    static const struct sip_client_ops ops = {on_response, on_failed};
    struct party *p = &party;
    bool invite = strcmp(m->sip_method, "INVITE") == 0;
    char where[NET_TEXT_SIZE], branch[64];

    osip_message_free(response);
    response = NULL;
    net_addr_text(where, &p->at);
    (void)sip_via_add(m, SIP_UDP, where, branch);
    (void)sip_request(p->stack, m, &p->peer, &ops, p);
    p->until = NULL;
    loop_at(p->loop, &p->guard, clock_ms() + GUARD_MS, party_hung, p);
    loop_run(p->loop);
    loop_cancel(p->loop, &p->guard);
    if (response != NULL && invite && sip_status(response) < 300 && !hold_ack)
        send_ack();
    return response != NULL ? sip_status(response) : 0;
}

static void says(const char *name, const char *wanted)
{
    const char *value = response != NULL ? sip_header(response, name, 0) : NULL;

    tap_is_str(value, wanted, name);
}

static void test_simple(void)
{
    struct osip_message *m;

    (void)talk();
    tap_is_int(ask(request("OPTIONS", ++number)), 200, "OPTIONS");
    says("Allow", "INVITE");
    tap_is_int(ask(request("INFO", ++number)), 200, "INFO");
    tap_is_int(ask(request("REFER", ++number)), 405, "REFER");
    says("Allow", "INVITE");
    tap_is_int(ask(request("FROBNICATE", ++number)), 501, "an unknown method");
    tap_is_int(ask(request("PRACK", ++number)), 481, "PRACK for nothing");
    m = request("FROBNICATE", ++number);
    with(m, "Require", "nonsense");
    tap_is_int(ask(m), 501, "the method is looked at before the extension");
    m = request("INFO", ++number);
    with(m, "Require", "timer");
    with(m, "Require", "100rel");
    tap_is_int(ask(m), 420, "an extension that we do not have");
    says("Unsupported", "100rel");
    tap_is_int(ask(request("INFO", number - 1)), 500, "a number that goes back");
    tap_is_int(ask(request("INFO", number)), 500, "the same number in another transaction");
    tap_is_int(sip_agent_state(party.agent), SIP_TALKING, "the session is none the worse");
    party_free();
}

/* --- Strangers. */

static struct osip_message *stranger(const char *method, const char *to)
{
    struct osip_message *m = request(method, ++number);

    sip_header_remove(m, "To");
    with(m, "To", to);
    return m;
}

static struct osip_message *new_to_us(const char *method)
{
    return stranger(method, "<sip:alice@example.com>");
}

static void test_strangers(void)
{
    static const char *const lost[] = {"BYE", "INVITE", "INFO", "MESSAGE", "OPTIONS"};
    struct osip_message *m;

    (void)talk();
    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
        tap_is_int(ask(stranger(lost[i], "<sip:alice@example.com>;tag=wrong")), 481, lost[i]);
    m = request("BYE", ++number);
    sip_header_remove(m, "From");
    with(m, "From", "<sip:bob@example.com>;tag=wrong");
    tap_is_int(ask(m), 481, "BYE from somebody else");
    tap_is_int(ask(new_to_us("INVITE")), 486, "a call to us");
    tap_is_int(ask(new_to_us("OPTIONS")), 486, "OPTIONS gets what an INVITE would");
    says("Allow", "INVITE");
    says("Accept", "application/sdp");
    tap_is_int(ask(new_to_us("CANCEL")), 481, "CANCEL for nothing");
    tap_is_int(ask(new_to_us("UPDATE")), 481, "UPDATE outside of a dialog");
    tap_is_int(ask(new_to_us("INFO")), 481, "INFO outside of a dialog");
    tap_is_int(ask(new_to_us("REGISTER")), 405, "REGISTER");
    says("Allow", "INVITE");
    tap_is_int(ask(new_to_us("FROBNICATE")), 501, "an unknown method from outside");
    m = new_to_us("OPTIONS");
    with(m, "Require", "nonsense");
    tap_is_int(ask(m), 420, "an extension, from outside");
    says("Unsupported", "nonsense");
    tap_is_int(sip_agent_state(party.agent), SIP_TALKING, "the session is none the worse");
    tap_ok(party.agent->local.stack->count == 0, "nothing of all that is kept");
    party_free();
}

/* --- Notifications. */

#define IMDN                                                                                   \
    "<imdn><message-id>abc.1</message-id><delivery-notification><status><delivered/></status>" \
    "</delivery-notification></imdn>"

static struct osip_message *carrying(struct osip_message *m, const char *type, const char *body)
{
    if (sip_body_set(m, type, slice_of(body)) != 0)
        abort();
    return m;
}

static void test_notification(void)
{
    struct osip_message *m;

    (void)talk();
    m = carrying(request("MESSAGE", ++number), "text/plain", "hello " IMDN);
    tap_is_int(ask(m), 415, "a MESSAGE that is none");
    says("Accept", "message/imdn+xml");
    is_fact("imdn.received.message-id", NULL);
    m = carrying(request("MESSAGE", ++number), "message/imdn+xml", IMDN);
    with(m, "Content-Encoding", "gzip");
    tap_is_int(ask(m), 415, "one that is packed");
    says("Accept-Encoding", "identity");
    m = carrying(request("MESSAGE", ++number), "message/imdn+xml", IMDN);
    tap_is_int(ask(m), 200, "a notification by MESSAGE");
    is_fact("imdn.received.message-id", "abc.1");
    is_fact("imdn.received.status", "delivered");
    m = carrying(new_to_us("MESSAGE"), "message/cpim",
                 "From: <sip:b@x>\r\n\r\nContent-Type: message/imdn+xml\r\n\r\n"
                 "<imdn><message-id>abc.2</message-id><status><displayed/></status></imdn>");
    tap_is_int(ask(m), 200, "wrapped in CPIM, beside the dialog");
    is_fact("imdn.received.message-id", "abc.2");
    is_fact("imdn.received.status", "displayed");
    char xml[6000];
    (void)snprintf(xml, sizeof(xml), "<message-id>%05000d</message-id><status><failed/></status>",
                   1);
    m = carrying(request("MESSAGE", ++number), "message/imdn+xml", xml);
    tap_is_int(ask(m), 200, "one whose Message-ID does not fit into a line");
    is_fact("imdn.received.status", "failed");
    party_free();
}

static void test_info(void)
{
    struct osip_message *m;

    (void)talk();
    tap_is_int(ask(request("INFO", ++number)), 200, "INFO without anything");
    m = carrying(request("INFO", ++number), "application/x-news", "x");
    with(m, "Info-Package", "news");
    tap_is_int(ask(m), 469, "an Info Package that was not asked for");
    says("Recv-Info", "");
    m = carrying(request("INFO", ++number), "application/dtmf-relay", "Signal=1");
    tap_is_int(ask(m), 415, "the old use, with a body that nobody reads");
    says("Accept", "message/imdn+xml");
    m = carrying(request("INFO", ++number), "application/dtmf-relay", "Signal=1");
    with(m, "Content-Disposition", "signal; handling=optional");
    tap_is_int(ask(m), 200, "which need not be read");
    party_free();
}

static struct slice origin(struct slice sdp)
{
    const char *o = memmem(sdp.p, sdp.n, "o=", 2);

    if (o == NULL)
        return (struct slice){"", 0};
    return (struct slice){o, strcspn(o, "\r\n")};
}

static void test_reinvite(void)
{
    struct party *p = talk();
    struct osip_message *m = request("INVITE", ++number);
    const char *type;
    struct slice before = origin(sip_body(p->invite, &type));

    with(m, "Contact", "<sip:elsewhere@127.0.0.1:7777>");
    with(m, "Supported", "timer");
    with(m, "Session-Expires", "600;refresher=uas");
    (void)sip_body_set(m, "application/sdp", SLICE(ANSWER));
    tap_is_int(ask(m), 200, "re-INVITE");
    says("Session-Expires", "600;refresher=uas");
    says("Require", "timer");
    tap_ok(slice_eq(before, origin(sip_body(response, &type))), "answered with the same o= line");
    is_fact("dialog.refreshed.by", "peer");
    is_fact("dialog.refreshed.refresher", "us");
    is_fact("dialog.refreshed.target", "sip:elsewhere@127.0.0.1:7777");
    party_free();
}

/* Sends a re-INVITE with the answer's description, one line of it another. */
static int reoffer(const char *line, const char *other)
{
    struct osip_message *m = request("INVITE", ++number);
    const char *at = strstr(ANSWER, line);
    char *sdp = mem_format("%.*s%s%s", (int)(at - ANSWER), ANSWER, other, at + strlen(line));
    int code;

    with(m, "Contact", "<sip:elsewhere@127.0.0.1:7777>");
    code = ask(carrying(m, "application/sdp", sdp));
    free(sdp);
    return code;
}

static void test_offers(void)
{
    struct osip_message *m;
    const char *type;

    (void)talk();
    tap_is_int(reoffer("recvonly", "inactive"), 488, "an offer to hold");
    tap_ok(strstr(sip_header(response, "Warning", 0), "receiving") != NULL, "says why");
    tap_is_int(reoffer("message 9", "message 0"), 488, "to take the media away");
    tap_is_int(reoffer("9/peer", "9/other"), 488, "to connect again");
    tap_is_int(reoffer("m=message", "m=audio 9 RTP/AVP 0\r\nm=message"), 488, "to talk as well");
    tap_is_int(reoffer("v=0", "nonsense"), 200, "an odd line is forgiven");
    is_fact("dialog.refreshed.target", "sip:elsewhere@127.0.0.1:7777");
    tap_is_int(reoffer("setup:active", "setup:actpass"), 200, "who connected stays who connected");
    tap_ok(memmem(sip_body(response, &type).p, sip_body(response, &type).n, "a=setup:passive", 15),
           "which is the peer");
    m = carrying(request("INVITE", ++number), "application/x-sdp", ANSWER);
    tap_is_int(ask(m), 415, "no description");
    says("Accept", "application/sdp");
    m = carrying(request("UPDATE", ++number), "application/sdp", ANSWER);
    tap_is_int(ask(m), 200, "an offer by UPDATE");
    tap_ok(sip_body(response, &type).n > 0, "has its answer");
    tap_is_int(sip_agent_state(party.agent), SIP_TALKING, "the session stands");
    party_free();
}

/* Our 200 has the offer, and its ACK, with the answer, is late. */
static void test_glare(void)
{
    struct osip_message *m;

    (void)talk();
    hold_ack = true;
    tap_is_int(ask(request("INVITE", ++number)), 200, "re-INVITE without an offer");
    tap_is_int(reoffer("recvonly", "recvonly"), 491, "and another before its ACK");
    number--; /* the ACK is that of the first */
    send_ack();
    number++;
    hold_ack = false;
    m = request("OPTIONS", ++number);
    tap_is_int(ask(m), 200, "(the ACK was read)");
    hold_ack = true;
    tap_is_int(reoffer("recvonly", "recvonly"), 200, "re-INVITE with an offer");
    hold_ack = false;
    tap_is_int(reoffer("recvonly", "recvonly"), 200, "and another, though the ACK was lost");
    party_free();
}

static void test_update(void)
{
    struct osip_message *m;

    (void)talk();
    m = request("UPDATE", ++number);
    with(m, "Supported", "timer");
    with(m, "Session-Expires", "89");
    tap_is_int(ask(m), 422, "an interval that is too small");
    says("Min-SE", "90");
    m = request("UPDATE", ++number);
    with(m, "Supported", "timer");
    with(m, "Session-Expires", "90");
    tap_is_int(ask(m), 200, "the smallest interval");
    says("Session-Expires", "90;refresher=uac");
    is_fact("dialog.refreshed.method", "UPDATE");
    is_fact("dialog.refreshed.refresher", "peer");
    tap_is_int(ask(request("UPDATE", ++number)), 200, "UPDATE without a timer");
    tap_ok(sip_header(response, "Session-Expires", 0) == NULL, "none in the answer either");
    party_free();
}

static bool is_ended(struct party *p)
{
    return sip_agent_state(p->agent) == SIP_ENDED && !sip_agent_owes(p->agent);
}

static void test_bye(void)
{
    struct party *p = talk();

    tap_is_int(ask(request("BYE", ++number)), 200, "the peer's BYE");
    tap_is_int(ask(request("UPDATE", ++number)), 481, "then there is no session to change");
    is_fact("session.ended.by", "peer");
    tap_ok(sip_agent_owes(p->agent), "it stays for repetitions");
    sip_agent_end(p->agent, "test", 0);
    run_until(is_ended);
    tap_ok(strstr(p->seen, "BYE") == NULL, "no BYE after the peer's");
    is_fact("bye.sent.method", NULL);
    party_free();
}

int main(void)
{
    test_simple();
    test_strangers();
    test_notification();
    test_info();
    test_reinvite();
    test_offers();
    test_glare();
    test_update();
    test_bye();
    osip_message_free(response);
    return tap_done();
}
