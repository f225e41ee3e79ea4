/* What the peer asks in our dialog (RFC 3261 12.2.2, 15.1.2), and the refusals of what does not
 * belong there (8.2). Its re-INVITE and UPDATE are in reoffer.c, INFO and MESSAGE in notice.c. */
#include "base/clock.h"
#include "base/err.h"
#include "sip/agent_int.h"

#include <osipparser2/osip_parser.h>
#include <string.h>
#include <strings.h>

void indialog_respond(struct sip_agent *a, struct sip_server *s, struct osip_message *r)
{
    int err = sip_respond(a->local.stack, s, r);

    if (err != 0)
        err_step("a response could not be sent: %s", strerror(err));
}

void indialog_answer(struct sip_agent *a, struct sip_server *s, const struct osip_message *m,
                     int code)
{
    struct osip_message *r = sip_response_to(m, code, NULL);

    if (code == 405 || code == 501)
        (void)sip_header_add(r, "Allow", SIP_ALLOW); /* fixed texts, as all below */
    indialog_respond(a, s, r);
}

/* --- BYE and OPTIONS. */

static void on_lingered(void *arg)
{
    struct sip_agent *a = arg;

    agent_enter(a, a->state);
}

static void bye(struct sip_agent *a, struct sip_server *s, const struct osip_message *m)
{
    struct line_out o;

    if (a->state == SIP_TALKING) {
        line_begin(&o, "session.ended", agent_sid(a));
        line_text(&o, "by", "peer");
        line_free_text(&o, "why", slice_of(sip_header(m, "Reason", 0)));
        (void)agent_emit(a, &o);
        agent_enter(a, SIP_ENDED);
    }
    indialog_answer(a, s, m, 200);
    if (a->from.transport == SIP_UDP && a->config->linger > 0)
        loop_at(a->loop, &a->linger_timer, clock_ms() + a->config->linger, on_lingered, a);
}

/* The code is the one that an INVITE would get (RFC 3261 11.2): inside the dialog 200. */
static struct osip_message *capabilities(const struct osip_message *m, int code)
{
    struct osip_message *r = sip_response_to(m, code, NULL);

    (void)sip_header_add(r, "Allow", SIP_ALLOW);
    (void)sip_header_add(r, "Accept", SIP_ACCEPT);
    (void)sip_header_add(r, "Supported", "timer");
    return r;
}

static void options(struct sip_agent *a, struct sip_server *s, const struct osip_message *m)
{
    indialog_respond(a, s, capabilities(m, 200));
}

/* No provisional response of ours was reliable. */
static void unmatched(struct sip_agent *a, struct sip_server *s, const struct osip_message *m)
{
    indialog_answer(a, s, m, 481);
}

static void forbidden(struct sip_agent *a, struct sip_server *s, const struct osip_message *m)
{
    indialog_answer(a, s, m, 405);
}

/* --- The methods that have a name here. */

static const struct method {
    const char *name;
    void (*inside)(struct sip_agent *a, struct sip_server *s, const struct osip_message *m);
    int outside; /* what it gets where there is no dialog; 0: it depends */
} methods[] = {
    {"INVITE", reoffer_invite, 486}, /* this end only delivers */
    {"UPDATE", reoffer_update, 481}, {"BYE", bye, 481},
    {"OPTIONS", options, 486},       {"INFO", notice_info, 481},
    {"MESSAGE", notice_message, 0}, /* a notification may come beside the session */
    {"PRACK", unmatched, 481},       {"NOTIFY", forbidden, 405},
    {"SUBSCRIBE", forbidden, 405},   {"REFER", forbidden, 405},
    {"PUBLISH", forbidden, 405},     {"REGISTER", forbidden, 405},
};

static const struct method *method_of(const struct osip_message *m)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (strcmp(sip_method(m), methods[i].name) == 0)
            return &methods[i];
    return NULL;
}

static bool allowed(const struct method *known)
{
    return known != NULL && known->inside != forbidden;
}

/* An extension that is required and that we do not have (RFC 3261 8.2.2.3): 420, or NULL. */
static struct osip_message *bad_extension(const struct osip_message *m)
{
    struct osip_message *r = NULL;
    const char *value;

    for (int i = 0; (value = sip_header(m, "Require", i)) != NULL; i++) {
        if (value[0] == '\0' || strcasecmp(value, "timer") == 0)
            continue;
        if (r == NULL)
            r = sip_response_to(m, 420, NULL);
        (void)sip_header_add(r, "Unsupported", value); /* came in one line, so it can go in one */
    }
    return r;
}

/* --- Outside of every dialog. Nothing is kept of such a request, so that it costs no memory
 * however many come: a repetition gets the same answer again (RFC 3261 8.2.7). */

static void refuse_stranger(struct sip_agent *a, struct sip_server *s, struct osip_message *r)
{
    int err = sip_respond_stateless(a->local.stack, s, r);

    if (err != 0)
        err_step("a response could not be sent: %s", strerror(err));
}

static struct osip_message *refusal(const struct osip_message *m, const struct method *known)
{
    int code = known == NULL ? 501 : known->outside;
    bool notification;
    struct osip_message *r;

    if (tag_of(m, true) != NULL)
        return sip_response_to(m, 481, NULL); /* 12.2.2: a dialog that is not ours */
    if (allowed(known) && code != 481 && (r = bad_extension(m)) != NULL)
        return r;
    if (known != NULL && known->inside == options)
        return capabilities(m, code);
    if (code == 0) {
        r = notice_answer(m, &notification);
        if (!notification)
            return r;
        osip_message_free(r); /* it is taken, and a repetition of it must not be taken again */
        return NULL;
    }
    r = sip_response_to(m, code, NULL);
    if (code == 405 || code == 501)
        (void)sip_header_add(r, "Allow", SIP_ALLOW);
    return r;
}

static void outside(struct sip_agent *a, struct sip_server *s, const struct osip_message *m)
{
    const struct method *known = method_of(m);
    struct osip_message *r = refusal(m, known);

    if (r != NULL)
        refuse_stranger(a, s, r);
    else
        known->inside(a, s, m);
}

/* --- Inside the dialog. */

/* Is the number in order? (RFC 3261 12.2.2.) The same number again in another transaction is no new
 * request either. */
static bool in_order(struct sip_agent *a, struct dialog *d, struct sip_server *s,
                     const struct osip_message *m)
{
    int64_t n = cseq_of(m);

    if (n <= d->remote_cseq) {
        indialog_answer(a, s, m, 500);
        return false;
    }
    d->remote_cseq = n;
    return true;
}

/* Once our BYE left only the peer's own is answered well, it may have crossed ours (RFC 5407 3.2);
 * and a notification is welcome as long as there is somebody to take it. */
static bool too_late(const struct sip_agent *a, const struct method *known)
{
    return a->state != SIP_TALKING && known->inside != bye && known->inside != notice_message;
}

/* Before the answer our offer is open, and only a target can be refreshed (RFC 3311 5.2). */
static void early(struct sip_agent *a, struct fork *f, struct sip_server *s,
                  const struct osip_message *m, const struct method *known)
{
    const char *type;

    if (known->inside == reoffer_invite ||
        (known->inside == reoffer_update && sip_body(m, &type).n > 0)) {
        indialog_answer(a, s, m, 491);
    } else if (known->inside == reoffer_update) {
        struct osip_message *r = sip_response_to(m, 200, NULL);
        dialog_retarget(&f->dialog, m);
        (void)sip_header_add(r, "Contact", f->dialog.contact);
        indialog_respond(a, s, r);
    } else if (known->inside == bye) {
        indialog_answer(a, s, m, 481); /* whoever was called refuses the INVITE instead (15) */
    } else {
        known->inside(a, s, m);
    }
}

static void inside(struct sip_agent *a, struct fork *f, struct sip_server *s,
                   const struct osip_message *m)
{
    const struct method *known = method_of(m);
    struct osip_message *r;

    if (!in_order(a, &f->dialog, s, m))
        return;
    if (!allowed(known))
        indialog_answer(a, s, m, known != NULL ? 405 : 501);
    else if ((r = bad_extension(m)) != NULL)
        indialog_respond(a, s, r);
    else if (f->early)
        early(a, f, s, m, known);
    else if (f != a->chosen)
        indialog_answer(a, s, m, known->inside == bye ? 200 : 481);
    else if (too_late(a, known))
        indialog_answer(a, s, m, 481);
    else
        known->inside(a, s, m);
}

/* --- The door. */

void indialog_request(void *arg, struct sip_server *s, const struct osip_message *m,
                      const struct sip_hop *from, struct sip_server *invite)
{
    struct sip_agent *a = arg;
    struct fork *f = fork_find(a, m);
    const char *method = sip_method(m);

    a->from = *from;
    if (strcmp(method, "ACK") == 0) {
        if (f != NULL && f == a->chosen)
            reoffer_acked(a, m);
    } else if (strcmp(method, "CANCEL") == 0) {
        if (invite != NULL) /* there is nothing left to cancel: an INVITE is answered at once */
            indialog_answer(a, s, m, 200);
        else
            refuse_stranger(a, s, sip_response_to(m, 481, NULL));
    } else if (f == NULL) {
        outside(a, s, m);
    } else {
        inside(a, f, s, m);
    }
}
