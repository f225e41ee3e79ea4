/* A new INVITE: what it has to hold, and the answers that the behaviours ask for. */
#include "base/clock.h"
#include "base/mem.h"
#include "bin/sink/answer.h"
#include "bin/sink/sink.h"
#include "sip/parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EARLY_MS 2000 /* how long an early connection may hold the answer back */

static void say_invite(struct call *c, const struct osip_message *m)
{
    static const struct {
        const char *key, *header;
    } headers[] = {
        {"call-id", "Call-ID"},
        {"from", "From"},
        {"to", "To"},
        {"asserted", "P-Asserted-Identity"},
        {"referred-by", "Referred-By"},
        {"user-agent", "User-Agent"},
        {"accept-contact", "Accept-Contact"},
        {"service", "P-Asserted-Service"},
        {"session-expires", "Session-Expires"},
        {"min-se", "Min-SE"},
        {"conversation", "Conversation-ID"},
        {"contribution", "Contribution-ID"},
        {"contact", "Contact"},
    };
    struct line_out o;
    char peer[NET_TEXT_SIZE];
    char *uri = sip_request_uri(m);
    event_begin(&o, c, "sink.invite");
    event_peer(&o, "uri", uri);
    line_text(&o, "transport", sip_transport_name(c->hop.transport));
    net_addr_text(peer, &c->hop.addr);
    line_text(&o, "peer", peer);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        event_peer(&o, headers[i].key, sip_header(m, headers[i].header, 0));
    event_end(&o);
    free(uri);
}

int respond(struct call *c, struct sip_server *server, struct osip_message *response)
{
    int code = sip_status(response);
    int error = sip_respond(c->sink->stack, server, response);
    if (error)
        call_error(c, "the %d could not be sent: %s", code, strerror(error));
    return error;
}

/* The local tag is the one that the stack gives to the responses of this INVITE. */
static struct osip_message *response_new(struct call *c, int code)
{
    struct osip_message *r = sip_response_to(sip_server_message(c->invite), code, NULL);
    const char *tag = sip_to_tag(r);
    if (tag && !c->local_tag) {
        c->local_tag = mem_dup(tag);
        c->local = sip_to_text(r);
    }
    return r;
}

static void add_contact(const struct call *c, struct osip_message *r)
{
    char *value = mem_format("<%s>", c->contact);
    (void)sip_header_add(r, "Contact", value);
    free(value);
}

/* --- The session timer, RFC 4028. */

static void expired(void *arg)
{
    struct call *c = arg;
    call_error(c, "the session expired without a refresh");
    dialog_bye(c, "expired");
}

void session_timer_start(struct call *c, const struct osip_message *request)
{
    const char *wish = c->behave.session_expires;
    c->expires = message_seconds(request, "Session-Expires");
    if (!message_lists(request, "Supported", "timer") || behave_is(wish, "none"))
        c->expires = 0;
    else if (wish) {
        uint64_t n;
        struct slice rest = slice_of(wish);
        c->expires = slice_number(slice_cut(&rest, ';'), UINT32_MAX, &n) ? (int64_t)n : 0;
    }
    c->uac_refreshes = !wish || !strstr(wish, "uas");
    if (c->expires)
        loop_at(c->sink->loop, &c->expiry, clock_ms() + c->expires * 1000, expired, c);
    else
        loop_cancel(c->sink->loop, &c->expiry);
}

void session_timer_header(const struct call *c, struct osip_message *response)
{
    char value[64];
    (void)snprintf(value, sizeof value, "%" PRId64 ";refresher=%s", c->expires,
                   c->uac_refreshes ? "uac" : "uas");
    (void)sip_header_add(response, "Supported", "timer");
    if (!c->expires)
        return;
    (void)sip_header_add(response, "Session-Expires", value);
    if (c->uac_refreshes)
        (void)sip_header_add(response, "Require", "timer");
}

/* --- The final answer. */

static void add_asked_headers(struct call *c, struct osip_message *r)
{
    const struct behave *b = &c->behave;
    char seconds[24];
    for (size_t i = 0; i < b->n_headers; i++) {
        struct slice rest = slice_of(b->headers[i]);
        char *name = slice_dup(slice_trim(slice_cut(&rest, ':')));
        char *value = slice_dup(slice_trim(rest));
        if (sip_header_add(r, name, value))
            call_error(c, "the header %s cannot be sent", name);
        free(name);
        free(value);
    }
    (void)snprintf(seconds, sizeof seconds, "%" PRId64, b->retry_after);
    if (b->retry_after >= 0)
        (void)sip_header_add(r, "Retry-After", seconds);
}

static int add_answer(struct call *c, struct osip_message *r)
{
    if (c->behave.no_sdp)
        return 0;
    return sip_body_set(r, "application/sdp", buf_slice(&c->answer));
}

static void accepted(struct call *c, struct osip_message *r)
{
    (void)sip_header_add(r, "Allow", c->behave.allow);
    add_contact(c, r);
    session_timer_start(c, sip_server_message(c->invite));
    session_timer_header(c, r);
    if (add_answer(c, r))
        call_error(c, "the answer's description cannot be sent");
    c->repeats = c->behave.repeat_200;
    if (c->repeats)
        c->yes = sip_message_clone(r);
    c->state = CALL_ANSWERED;
}

static void say_answered(struct call *c, int code)
{
    struct line_out o;
    event_begin(&o, c, "sink.answered");
    line_number(&o, "code", code);
    if (code / 100 == 2) {
        event_peer(&o, "path", c->answer_path);
        line_text(&o, "role", c->dials ? "active" : "passive");
        line_number(&o, "session-expires", c->expires);
    }
    event_end(&o);
}

static int final_code(const struct behave *b)
{
    int last = b->n_codes ? b->codes[b->n_codes - 1] : 0;
    return last >= 200 ? last : 200;
}

void invite_answer(struct call *c)
{
    int code = final_code(&c->behave);
    if (c->state != CALL_RINGING)
        return;
    loop_cancel(c->sink->loop, &c->ring);
    c->rung = true;
    if (c->rseq)
        return; /* the PRACK first */
    struct osip_message *r = response_new(c, code);
    add_asked_headers(c, r);
    if (code / 100 == 2)
        accepted(c, r);
    int error = respond(c, c->invite, r);
    say_answered(c, code);
    if (code / 100 != 2)
        c->invite = NULL;
    if (code / 100 != 2 || error)
        call_end(c);
    else
        call_dial(c, "answer");
}

static void rung(void *arg)
{
    invite_answer(arg);
}

/* --- The INVITE. */

static void refuse(struct call *c, int code, const char *header, int64_t value)
{
    char text[24];
    struct osip_message *r = response_new(c, code);
    (void)snprintf(text, sizeof text, "%" PRId64, value);
    if (header)
        (void)sip_header_add(r, header, text);
    (void)respond(c, c->invite, r);
    c->invite = NULL;
    say_answered(c, code);
    call_end(c);
}

static bool interval_too_small(const struct call *c, const struct osip_message *m)
{
    int64_t asked = message_seconds(m, "Session-Expires");
    return c->behave.min_se > 0 && asked && asked < c->behave.min_se;
}

/* --behave challenge: this INVITE has no good credentials. */
static void challenge(struct call *c)
{
    struct osip_message *r = response_new(c, 401);
    challenge_add(c, r);
    (void)respond(c, c->invite, r);
    c->invite = NULL;
    say_answered(c, 401);
    call_end(c);
}

/* --behave reliable (RFC 3262). It is not repeated: what is lost here is lost on purpose. */
static void make_reliable(struct call *c, struct osip_message *r)
{
    char number[16];
    if (!message_lists(sip_server_message(c->invite), "Supported", "100rel")) {
        call_error(c, "100rel is not supported");
        return;
    }
    c->rseq = 1 + (uint32_t)(c->sink->invites % 1000);
    (void)snprintf(number, sizeof number, "%" PRIu32, c->rseq);
    (void)sip_header_add(r, "Require", "100rel");
    (void)sip_header_add(r, "RSeq", number);
}

void invite_prack(struct call *c, struct sip_server *server, const struct osip_message *m)
{
    char *wanted = mem_format("%" PRIu32 " %" PRId64 " INVITE", c->rseq, c->invite_cseq);
    const char *rack = sip_header(m, "RAck", 0);
    bool right = c->rseq && rack && strcmp(rack, wanted) == 0;
    if (!right)
        call_error(c, "the RAck is %s, not %s", rack ? rack : "missing", wanted);
    free(wanted);
    (void)respond(c, server, sip_response_to(m, right ? 200 : 481, NULL));
    if (!right)
        return;
    c->rseq = 0;
    if (c->rung)
        invite_answer(c);
}

static void send_provisional(struct call *c)
{
    const struct behave *b = &c->behave;
    if (!b->no_100)
        (void)respond(c, c->invite, response_new(c, 100));
    for (size_t i = 0; i < b->n_codes && b->codes[i] < 200; i++) {
        struct osip_message *r = response_new(c, b->codes[i]);
        add_contact(c, r);
        bool last = i + 1 == b->n_codes || b->codes[i + 1] >= 200;
        if (b->reliable && last && b->codes[i] > 100)
            make_reliable(c, r);
        (void)respond(c, c->invite, r);
    }
}

/* The answer is due at once, after --behave ring-ms, or when an early connection stands. */
static void answer_when_due(struct call *c)
{
    const struct behave *b = &c->behave;
    bool early = behave_is(b->connect, "early") && c->dials;
    int64_t wait = b->ring_ms >= 0 ? b->ring_ms : early ? EARLY_MS : 0;
    call_dial(c, "early");
    if (wait > 0)
        loop_at(c->sink->loop, &c->ring, clock_ms() + wait, rung, c);
    else
        invite_answer(c);
}

static bool is_silent(const struct behave *b)
{
    return behave_is(b->silent, "invite") || behave_is(b->silent, "all");
}

void invite_new(struct sink *s, struct sip_server *server, const struct osip_message *m,
                const struct sip_hop *from)
{
    const char *type;
    struct call *c = call_new(s, m, from);
    struct slice body = sip_body(m, &type);
    c->invite = server;
    say_invite(c, m);
    check_invite(c, m);
    check_offer(c, body);
    if (is_silent(&c->behave)) {
        call_end(c);
        return;
    }
    if (!challenge_met(c, m)) {
        challenge(c);
        return;
    }
    send_provisional(c);
    if (interval_too_small(c, m)) {
        refuse(c, 422, "Min-SE", c->behave.min_se);
    } else if (final_code(&c->behave) == 200 && (!c->offer_path || answer_build(c))) {
        call_error(c, "no offer that could be answered");
        refuse(c, 488, NULL, 0);
    } else {
        answer_when_due(c);
    }
}

void invite_cancel(struct call *c, struct sip_server *server, const struct osip_message *m)
{
    struct line_out o;
    event_begin(&o, c, "sink.cancel");
    event_peer(&o, "reason", sip_header(m, "Reason", 0));
    event_end(&o);
    (void)respond(c, server, sip_response_to(m, 200, NULL));
    if (c->state != CALL_RINGING)
        return;
    (void)respond(c, c->invite, response_new(c, 487));
    c->invite = NULL;
    call_end(c);
}
