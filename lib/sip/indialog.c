/* What the peer asks in our dialog (RFC 3261 12.2.2, 14.2, 15.1.2; RFC 3311, 4028 9), and the
 * refusals of what does not belong there. */
#include "base/clock.h"
#include "base/err.h"
#include "sip/agent_int.h"

#include <osipparser2/osip_parser.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NOTIFICATION "message/imdn+xml"

static void send_response(struct sip_agent *a, struct sip_server *s, struct osip_message *r)
{
    int err = sip_respond(a->local.stack, s, r);

    if (err != 0)
        err_step("a response could not be sent: %s", strerror(err));
}

static void answer(struct sip_agent *a, struct sip_server *s, const struct osip_message *m,
                   int code)
{
    struct osip_message *r = sip_response_to(m, code, NULL);

    if (code == 405 || code == 501 || strcmp(sip_method(m), "OPTIONS") == 0)
        (void)sip_header_add(r, "Allow", SIP_ALLOW); /* fixed texts, as all below */
    if (code == 200 && strcmp(sip_method(m), "OPTIONS") == 0) {
        (void)sip_header_add(r, "Accept", "application/sdp, " NOTIFICATION);
        (void)sip_header_add(r, "Supported", "timer");
    }
    send_response(a, s, r);
}

/* --- BYE. */

static void on_lingered(void *arg)
{
    struct sip_agent *a = arg;

    agent_enter(a, a->state);
}

static void bye(struct sip_agent *a, struct sip_server *s, const struct osip_message *m,
                const struct sip_hop *from)
{
    struct line_out o;

    if (a->state == SIP_TALKING) {
        line_begin(&o, "session.ended", agent_sid(a));
        line_text(&o, "by", "peer");
        line_free_text(&o, "why", slice_of(sip_header(m, "Reason", 0)));
        (void)agent_emit(a, &o);
        agent_enter(a, SIP_ENDED);
    }
    answer(a, s, m, 200);
    if (from->transport == SIP_UDP && a->config->linger > 0)
        loop_at(a->loop, &a->linger_timer, clock_ms() + a->config->linger, on_lingered, a);
}

/* --- re-INVITE and UPDATE. */

/* The interval of a 2xx, and who refreshes (RFC 4028 9): 0 where the request has none. */
static int64_t accepted_interval(struct sip_agent *a, const struct osip_message *m,
                                 struct osip_message *r)
{
    const char *refresher;
    int64_t expires = session_expires(m, &refresher);
    bool knows = header_lists(m, "Supported", "timer");
    char text[64];

    if (expires <= 0)
        return 0;
    if (refresher[0] == '\0')
        refresher = knows ? "uac" : "uas";
    (void)snprintf(text, sizeof(text), "%lld;refresher=%s", (long long)expires, refresher);
    (void)sip_header_add(r, "Session-Expires", text);
    if (knows)
        (void)sip_header_add(r, "Require", "timer");
    session_timer_start(a, expires, strcmp(refresher, "uas") == 0);
    return expires;
}

static void too_small(struct sip_agent *a, struct sip_server *s, const struct osip_message *m,
                      int64_t least)
{
    struct osip_message *r = sip_response_to(m, 422, "Session Interval Too Small");
    char text[32];

    (void)snprintf(text, sizeof(text), "%lld", (long long)least);
    (void)sip_header_add(r, "Min-SE", text);
    send_response(a, s, r);
}

/* The same description as ever; what the peer changes on its side is of no use to us. */
static void refresh_by_peer(struct sip_agent *a, struct sip_server *s, const struct osip_message *m,
                            bool reinvite)
{
    struct osip_message *r = sip_response_to(m, 200, NULL);
    const char *type;
    bool offered = sip_body(m, &type).n > 0;

    dialog_retarget(&a->chosen->dialog, m);
    (void)sip_header_add(r, "Contact", a->chosen->dialog.contact);
    (void)sip_header_add(r, "Allow", SIP_ALLOW);
    (void)sip_header_add(r, "Supported", "timer");
    if (accepted_interval(a, m, r) == 0 && a->expires > 0) {
        session_timer_stop(a);
        a->expires = 0;
    }
    if ((reinvite || offered) && sip_body_set(r, "application/sdp", buf_slice(&a->offer)) != 0)
        err_step("the description could not be repeated");
    if (reinvite)
        a->reinvite = s;
    emit_refreshed(a, "peer", sip_method(m), a->chosen->dialog.remote_cseq);
    send_response(a, s, r);
}

static void reoffer(struct sip_agent *a, struct sip_server *s, const struct osip_message *m)
{
    bool reinvite = strcmp(sip_method(m), "INVITE") == 0;
    const char *type, *refresher;
    bool offers = reinvite || sip_body(m, &type).n > 0;
    bool offering = a->refresh != NULL && strcmp(a->refresh_method, "INVITE") == 0;
    int64_t least = a->config->min_se / 1000;
    int64_t expires = session_expires(m, &refresher);

    if (least < SESSION_MIN_SE)
        least = SESSION_MIN_SE;
    if (a->state != SIP_TALKING)
        answer(a, s, m, reinvite ? 487 : 481);
    else if (offers && (offering || a->reinvite != NULL))
        answer(a, s, m, 491);
    else if (expires > 0 && expires < least && header_lists(m, "Supported", "timer"))
        too_small(a, s, m, least);
    else
        refresh_by_peer(a, s, m, reinvite);
}

/* --- INFO and MESSAGE: a delivery notification may come this way. */

/* The text of an element in XML that is only looked at, never believed. */
static struct slice element(struct slice body, const char *open)
{
    const char *p = memmem(body.p, body.n, open, strlen(open));
    struct slice rest;

    if (p == NULL)
        return (struct slice){NULL, 0};
    p += strlen(open);
    rest = (struct slice){p, (size_t)(body.p + body.n - p)};
    return slice_trim(slice_cut(&rest, '<'));
}

static const char *disposition(struct slice body)
{
    static const char *const states[] = {"delivered", "displayed", "processed", "failed",
                                         "forbidden", "error",     "stored"};

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        char tag[24];
        int n = snprintf(tag, sizeof(tag), "<%s", states[i]);
        if (memmem(body.p, body.n, tag, (size_t)n) != NULL)
            return states[i];
    }
    return NULL;
}

static void message(struct sip_agent *a, struct sip_server *s, const struct osip_message *m)
{
    const char *type = NULL;
    struct slice body = sip_body(m, &type);
    struct line_out o;
    bool notification =
        type != NULL &&
        (strncasecmp(type, NOTIFICATION, sizeof(NOTIFICATION) - 1) == 0 ||
         (body.n > 0 && memmem(body.p, body.n, NOTIFICATION, sizeof(NOTIFICATION) - 1) != NULL));

    if (notification && body.n > 0) {
        line_begin(&o, "imdn.received", agent_sid(a));
        line_free_text(&o, "message-id", element(body, "<message-id>"));
        line_text(&o, "status", disposition(body));
        line_free_text(&o, "content-type", slice_of(type));
        line_number(&o, "size", (int64_t)body.n);
        (void)agent_emit(a, &o); /* a remark, not a fact that anything waits for */
    }
    answer(a, s, m, 200);
}

/* Nobody acknowledged our 2xx: the session itself is none the worse for it. */
void indialog_unacked(void *arg, struct sip_server *s)
{
    struct sip_agent *a = arg;

    if (a->reinvite == s)
        a->reinvite = NULL;
    sip_server_forget(s);
}

/* --- The door. */

/* An extension that is required and that we do not have (RFC 3261 8.2.2.3). */
static bool refused_extension(struct sip_agent *a, struct sip_server *s,
                              const struct osip_message *m)
{
    struct osip_message *r = NULL;
    const char *value;

    for (int i = 0; (value = sip_header(m, "Require", i)) != NULL; i++) {
        if (strcasecmp(value, "timer") == 0)
            continue;
        if (r == NULL)
            r = sip_response_to(m, 420, NULL);
        (void)sip_header_add(r, "Unsupported", value); /* came in one line, so it can go in one */
    }
    if (r != NULL)
        send_response(a, s, r);
    return r != NULL;
}

static bool is_known(const char *method)
{
    static const char *const known[] = {"PRACK",   "NOTIFY",   "SUBSCRIBE", "REFER",
                                        "PUBLISH", "REGISTER", "INVITE",    "UPDATE"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(method, known[i]) == 0)
            return true;
    return false;
}

static void outside(struct sip_agent *a, struct sip_server *s, const struct osip_message *m)
{
    const char *method = sip_method(m);

    if (tag_of(m, true) != NULL || strcmp(method, "BYE") == 0 || strcmp(method, "CANCEL") == 0)
        answer(a, s, m, 481);
    else if (strcmp(method, "OPTIONS") == 0)
        answer(a, s, m, 200);
    else if (strcmp(method, "INVITE") == 0)
        answer(a, s, m, 486); /* this end only delivers */
    else
        answer(a, s, m, is_known(method) ? 405 : 501);
}

/* Is the number in order? (RFC 3261 12.2.2) */
static bool in_order(struct sip_agent *a, struct sip_server *s, const struct osip_message *m)
{
    struct dialog *d = &a->chosen->dialog;
    uint64_t n;

    if (!slice_number(slice_of(m->cseq->number), UINT32_MAX, &n)) {
        answer(a, s, m, 400);
        return false;
    }
    if ((int64_t)n < d->remote_cseq) {
        answer(a, s, m, 500);
        return false;
    }
    d->remote_cseq = (int64_t)n;
    return true;
}

static void inside(struct sip_agent *a, struct sip_server *s, const struct osip_message *m,
                   const struct sip_hop *from)
{
    const char *method = sip_method(m);

    if (!in_order(a, s, m) || refused_extension(a, s, m))
        return;
    if (strcmp(method, "BYE") == 0)
        bye(a, s, m, from);
    else if (strcmp(method, "INVITE") == 0 || strcmp(method, "UPDATE") == 0)
        reoffer(a, s, m);
    else if (strcmp(method, "OPTIONS") == 0)
        answer(a, s, m, 200);
    else if (strcmp(method, "INFO") == 0 || strcmp(method, "MESSAGE") == 0)
        message(a, s, m);
    else if (strcmp(method, "PRACK") == 0)
        answer(a, s, m, 481); /* no provisional response of ours was reliable */
    else
        answer(a, s, m, is_known(method) ? 405 : 501);
}

static struct fork *fork_of(struct sip_agent *a, const struct osip_message *m)
{
    struct fork *f = a->forks;

    while (f != NULL && !dialog_matches(&f->dialog, m))
        f = f->next;
    return f;
}

void indialog_request(void *arg, struct sip_server *s, const struct osip_message *m,
                      const struct sip_hop *from, struct sip_server *invite)
{
    struct sip_agent *a = arg;
    struct fork *f = fork_of(a, m);
    const char *method = sip_method(m);

    if (strcmp(method, "ACK") == 0) {
        if (f != NULL && f == a->chosen && a->reinvite != NULL) {
            sip_server_acked(a->reinvite);
            a->reinvite = NULL;
        }
    } else if (strcmp(method, "CANCEL") == 0) {
        answer(a, s, m, invite != NULL ? 200 : 481);
    } else if (f == NULL) {
        outside(a, s, m);
    } else if (f != a->chosen) {
        answer(a, s, m, strcmp(method, "BYE") == 0 ? 200 : 481);
    } else {
        inside(a, s, m, from);
    }
}
