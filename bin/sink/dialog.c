/* Requests inside a dialog (RFC 3261 section 12): the peer's, and ours. */
#include "base/clock.h"
#include "base/mem.h"
#include "bin/sink/sink.h"
#include "sip/parts.h"
#include "sip/uri.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SIP_PORT 5060

/* --- Ours. */

struct request {
    struct request *next;
    struct call *call;
    struct sip_client *client;
};

static void drop_request(struct request *r)
{
    struct request **at = &r->call->requests;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    free(r);
}

void dialog_forget(struct call *c)
{
    while (c->requests) {
        sip_client_forget(c->requests->client);
        drop_request(c->requests);
    }
    if (c->invite)
        sip_server_forget(c->invite);
    if (c->reinvite)
        sip_server_forget(c->reinvite);
    c->invite = c->reinvite = NULL;
}

/* By the first route or the target where that is a numeric address, else back to where the INVITE
 * came from. */
static struct sip_hop next_hop(const struct call *c)
{
    struct uri u;
    struct sip_hop hop = c->hop;
    struct slice first = slice_of(c->n_routes ? c->routes[0] : c->target);
    if (c->n_routes)
        first = uri_of_name_addr(first);
    if (uri_parse(first, &u, NULL) || !u.host.n)
        return hop;
    char *host = slice_dup(u.host);
    const char *why;
    struct net_addr addr;
    size_t n;
    if (!net_resolve(host, u.port ? u.port : SIP_PORT, AF_UNSPEC, SOCK_STREAM, &addr, 1, &n, &why))
        hop.addr = addr;
    free(host);
    return hop;
}

static struct osip_message *request_with_via(struct call *c, const char *method, int64_t cseq)
{
    char branch[64];
    struct osip_message *m = message_request(c, method, cseq);
    if (m && !sip_via_add(m, c->hop.transport, c->sent_by, branch))
        return m;
    sip_message_free(m);
    call_error(c, "no %s can be made for the peer's Contact", method);
    return NULL;
}

static void send_ack(struct call *c, int64_t cseq)
{
    struct sip_hop hop = next_hop(c);
    struct osip_message *m = request_with_via(c, "ACK", cseq);
    int error = m ? sip_send(c->sink->stack, m, &hop) : 0;
    if (error)
        call_error(c, "the ACK could not be sent: %s", strerror(error));
}

static void say_response(const struct call *c, const char *method, int code, const char *why)
{
    struct line_out o;
    event_begin(&o, c, "sink.response");
    line_text(&o, "method", method);
    if (code)
        line_number(&o, "code", code);
    line_text(&o, "why", why);
    event_end(&o);
}

static void on_response(void *arg, struct sip_client *client, const struct osip_message *m,
                        const struct sip_hop *from)
{
    struct request *r = arg;
    struct call *c = r->call;
    const char *method = sip_method(m);
    (void)client;
    (void)from;
    if (sip_status(m) < 200)
        return;
    say_response(c, method, sip_status(m), NULL);
    if (strcmp(method, "INVITE") == 0 && sip_status(m) < 300)
        send_ack(c, message_cseq(m));
    bool over = strcmp(method, "BYE") == 0;
    drop_request(r);
    if (over)
        call_end(c);
}

static void on_failed(void *arg, struct sip_client *client, int error)
{
    struct request *r = arg;
    struct call *c = r->call;
    const char *method = sip_method(sip_client_message(client));
    bool over = strcmp(method, "BYE") == 0;
    say_response(c, method, 0, strerror(error));
    call_error(c, "no answer to our %s: %s", method, strerror(error));
    drop_request(r);
    if (over)
        call_end(c);
}

static const struct sip_client_ops request_ops = {on_response, on_failed};

static void send_request(struct call *c, struct osip_message *m)
{
    struct sip_hop hop = next_hop(c);
    struct request *r = mem_new(sizeof *r);
    r->call = c;
    r->next = c->requests;
    c->requests = r;
    r->client = sip_request(c->sink->stack, m, &hop, &request_ops, r);
}

void dialog_request(struct call *c, const char *method)
{
    struct osip_message *m = request_with_via(c, method, ++c->local_cseq);
    if (!m)
        return;
    if (strcmp(method, "INVITE") == 0)
        (void)sip_body_set(m, "application/sdp", buf_slice(&c->answer)); /* ours: it has no CR LF */
    session_timer_header(c, m);
    send_request(c, m);
}

void dialog_bye(struct call *c, const char *why)
{
    struct line_out o;
    if (c->bye_sent)
        return;
    c->bye_sent = true;
    event_begin(&o, c, "sink.bye-sent");
    line_text(&o, "why", why);
    event_end(&o);
    struct osip_message *m = request_with_via(c, "BYE", ++c->local_cseq);
    if (m)
        send_request(c, m);
    else
        call_end(c);
}

/* --- The peer's. */

static void bye_due(void *arg)
{
    dialog_bye(arg, "behaviour");
}

/* The 200 again, though it was ACKed; the ACK for it brings the next. */
static void repeat_200(struct call *c)
{
    struct osip_message *again = c->yes && c->repeats ? sip_message_clone(c->yes) : NULL;
    if (!again)
        return;
    c->repeats--;
    int error = sip_send(c->sink->stack, again, &c->hop);
    if (error)
        call_error(c, "the 200 could not be repeated: %s", strerror(error));
}

static void confirmed(struct call *c)
{
    const struct behave *b = &c->behave;
    c->state = CALL_CONFIRMED;
    call_dial(c, "after-ack");
    if (b->unknown_method)
        dialog_request(c, "FROBNICATE");
    if (b->bye_after_ms >= 0)
        loop_at(c->sink->loop, &c->bye_after, clock_ms() + b->bye_after_ms, bye_due, c);
}

static bool ignores(const struct call *c, const char *what)
{
    return behave_is(c->behave.silent, what) || behave_is(c->behave.silent, "all");
}

static void on_ack(struct call *c, const struct osip_message *m)
{
    struct line_out o;
    bool first = c->invite && message_cseq(m) == c->invite_cseq;
    bool lost = first && (ignores(c, "ack") || c->acks < (uint64_t)c->behave.lose_ack);
    c->acks++;
    event_begin(&o, c, "sink.ack");
    line_number(&o, "n", (int64_t)c->acks);
    line_text(&o, "lost", lost ? "yes" : NULL);
    event_end(&o);
    if (lost)
        return;
    if (first) {
        sip_server_acked(c->invite);
        c->invite = NULL;
        confirmed(c);
    } else if (c->reinvite && message_cseq(m) == c->reinvite_cseq) {
        sip_server_acked(c->reinvite);
        c->reinvite = NULL;
    }
    if (!c->invite)
        repeat_200(c);
}

static void on_bye(struct call *c, struct sip_server *server, const struct osip_message *m)
{
    struct line_out o;
    uint64_t code = 200;
    bool silent = ignores(c, "bye") || behave_is(c->behave.bye, "silent");
    if (c->behave.bye && !silent)
        (void)slice_number(slice_of(c->behave.bye), 699, &code);
    event_begin(&o, c, "sink.bye");
    if (!silent)
        line_number(&o, "code", (int64_t)code);
    event_peer(&o, "reason", sip_header(m, "Reason", 0));
    event_end(&o);
    if (silent)
        sip_server_forget(server);
    else
        (void)respond(c, server, sip_response_to(m, (int)code, NULL));
    if (c->state == CALL_RINGING) {
        (void)respond(c, c->invite, sip_response_to(sip_server_message(c->invite), 487, NULL));
        c->invite = NULL;
    }
    call_drain(c);
}

/* A refresh that changes nothing repeats the offer with the same o= line (RFC 4975 8.4). */
static void check_refresh(struct call *c, const struct osip_message *m)
{
    const char *type;
    struct slice body = sip_body(m, &type);
    bool needs_body = strcmp(sip_method(m), "INVITE") == 0;
    if (needs_body && !body.n)
        call_error(c, "a re-INVITE without an offer");
    if (body.n && !slice_is(body, c->offer))
        call_error(c, "the refresh has another offer than the INVITE");
    if (!message_lists(m, "Supported", "timer"))
        call_error(c, "a %s without Supported: timer", sip_method(m));
}

static void say_refreshed(const struct call *c, const struct osip_message *m, int code)
{
    struct line_out o;
    event_begin(&o, c, "sink.refreshed");
    line_text(&o, "method", sip_method(m));
    line_number(&o, "code", code);
    event_peer(&o, "session-expires", sip_header(m, "Session-Expires", 0));
    event_end(&o);
}

static void on_refresh(struct call *c, struct sip_server *server, const struct osip_message *m)
{
    const char *type;
    int code = (int)c->behave.refresh;
    bool invite = strcmp(sip_method(m), "INVITE") == 0;
    struct osip_message *r = sip_response_to(m, code, NULL);
    char *contact = mem_format("<%s>", c->contact);
    check_refresh(c, m);
    if (code / 100 == 2) {
        session_timer_start(c, m);
        session_timer_header(c, r);
        (void)sip_header_add(r, "Allow", c->behave.allow);
        (void)sip_header_add(r, "Contact", contact);
        if (sip_body(m, &type).n)
            (void)sip_body_set(r, "application/sdp", buf_slice(&c->answer));
    }
    free(contact);
    say_refreshed(c, m, code);
    if (!respond(c, server, r) && invite && code / 100 == 2) {
        c->reinvite = server;
        c->reinvite_cseq = message_cseq(m);
    }
}

static void answer_with_allow(struct sink *s, struct sip_server *server,
                              const struct osip_message *m, int code)
{
    struct osip_message *r = sip_response_to(m, code, NULL);
    (void)sip_header_add(r, "Allow", "INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS");
    (void)sip_header_add(r, "Accept", "application/sdp");
    int error = sip_respond(s->stack, server, r);
    if (error)
        sink_error(strerror(error));
}

/* The peer has to use the target that we gave, and to number its requests upwards. */
static void check_in_dialog(struct call *c, const struct osip_message *m)
{
    int64_t cseq = message_cseq(m);
    char *uri = sip_request_uri(m);
    if (!uri || strcmp(uri, c->contact) != 0)
        call_error(c, "the Request-URI of %s is %s, not our Contact", sip_method(m),
                   uri ? uri : "none");
    free(uri);
    if (strcmp(sip_method(m), "ACK") != 0 && cseq <= c->remote_cseq)
        call_error(c, "the CSeq of %s does not grow", sip_method(m));
    c->remote_cseq = cseq > c->remote_cseq ? cseq : c->remote_cseq;
}

/* No credentials, or wrong ones. */
static void on_stranger(struct call *c, struct sip_server *server, const struct osip_message *m)
{
    struct osip_message *r = sip_response_to(m, 401, NULL);
    challenge_add(c, r);
    (void)respond(c, server, r);
}

static void in_dialog(struct call *c, struct sip_server *server, const struct osip_message *m)
{
    const char *method = sip_method(m);
    check_in_dialog(c, m);
    if (strcmp(method, "ACK") == 0)
        on_ack(c, m);
    else if (behave_is(c->behave.silent, "all"))
        sip_server_forget(server);
    else if (!challenge_met(c, m))
        on_stranger(c, server, m);
    else if (strcmp(method, "PRACK") == 0)
        invite_prack(c, server, m);
    else if (strcmp(method, "BYE") == 0)
        on_bye(c, server, m);
    else if (strcmp(method, "UPDATE") == 0 || strcmp(method, "INVITE") == 0)
        on_refresh(c, server, m);
    else
        answer_with_allow(c->sink, server, m, strcmp(method, "OPTIONS") == 0 ? 200 : 405);
}

static void out_of_dialog(struct sink *s, struct sip_server *server, const struct osip_message *m)
{
    const char *method = sip_method(m);
    int code = strcmp(method, "OPTIONS") == 0 ? 200 : 405;
    if (sip_to_tag(m) || strcmp(method, "CANCEL") == 0)
        code = 481;
    answer_with_allow(s, server, m, code);
}

static void on_request(void *arg, struct sip_server *server, const struct osip_message *m,
                       const struct sip_hop *from, struct sip_server *invite)
{
    struct sink *s = arg;
    const char *to_tag = sip_to_tag(m);
    struct call *c = call_of_server(s, invite);
    if (!to_tag && strcmp(sip_method(m), "INVITE") == 0) {
        invite_new(s, server, m, from);
        return;
    }
    if (c) {
        invite_cancel(c, server, m);
        return;
    }
    c = to_tag ? call_find(s, sip_header(m, "Call-ID", 0), to_tag, sip_from_tag(m)) : NULL;
    if (c)
        in_dialog(c, server, m);
    else if (server)
        out_of_dialog(s, server, m);
}

/* A 2xx to our re-INVITE that came again: its ACK was lost. */
static void on_stray(void *arg, const struct osip_message *m, const struct sip_hop *from)
{
    (void)from;
    struct call *c = call_find(arg, sip_header(m, "Call-ID", 0), sip_from_tag(m), sip_to_tag(m));
    if (c && strcmp(sip_method(m), "INVITE") == 0)
        send_ack(c, message_cseq(m));
}

static void on_unacked(void *arg, struct sip_server *server)
{
    struct call *c = call_of_server(arg, server);
    if (!c) {
        sip_server_forget(server);
        return;
    }
    if (c->invite == server) {
        sip_server_forget(c->invite);
        c->invite = NULL;
        if (!ignores(c, "ack"))
            call_error(c, "no ACK came");
        dialog_bye(c, "no-ack");
    } else {
        sip_server_forget(c->reinvite);
        c->reinvite = NULL;
        call_error(c, "no ACK came for the re-INVITE");
    }
}

const struct sip_stack_ops dialog_ops = {on_request, on_stray, on_unacked};
