/* The session timer (RFC 4028): refreshes when we are the refresher, a watch on its expiry when the
 * peer is. */
#include "base/clock.h"
#include "base/err.h"
#include "base/rand.h"
#include "sip/agent_int.h"

#include <errno.h>
#include <osipparser2/osip_parser.h>
#include <stdio.h>
#include <string.h>

#define TRIES_MAX    4     /* in a row, for 422 and 491 */
#define RETRY_MIN_MS 5000  /* between refreshes that failed for other reasons */
#define MARGIN_MS    32000 /* the BYE goes out that long before the end (RFC 4028 10) */
/* s. RFC 4028 4 wants 90; but a peer that sets less will also end the session by it. */
#define SESSION_LEAST 2

static void on_refresh_due(void *arg);
static void on_expiry(void *arg);

void session_timer_start(struct sip_agent *a, int64_t expires, bool refresher)
{
    int64_t ms, margin;

    if (expires < SESSION_LEAST)
        expires = SESSION_LEAST;
    ms = expires * 1000;
    margin = ms / 3 < MARGIN_MS ? ms / 3 : MARGIN_MS;
    a->expires = expires;
    a->refresher = refresher;
    a->expiry_due = clock_ms() + ms - margin;
    loop_at(a->loop, &a->expiry_timer, a->expiry_due, on_expiry, a);
    if (refresher)
        loop_at(a->loop, &a->refresh_timer, clock_ms() + ms / 2, on_refresh_due, a);
    else
        loop_cancel(a->loop, &a->refresh_timer);
}

void session_timer_stop(struct sip_agent *a)
{
    if (a->refresh != NULL)
        dialog_client_forget(a->refresh);
    a->refresh = NULL;
    loop_cancel(a->loop, &a->refresh_timer);
    loop_cancel(a->loop, &a->expiry_timer);
}

void emit_refreshed(struct sip_agent *a, const char *by, const char *method, int64_t cseq)
{
    struct line_out o;

    line_begin(&o, "dialog.refreshed", agent_sid(a));
    line_text(&o, "by", by);
    line_text(&o, "method", method);
    if (a->expires > 0) {
        line_number(&o, "session-expires", a->expires);
        line_text(&o, "refresher", a->refresher ? "us" : "peer");
    }
    line_number(&o, "cseq", cseq);
    line_text(&o, "target", a->chosen->dialog.target);
    agent_remark(a, &o);
}

static void on_expiry(void *arg)
{
    struct sip_agent *a = arg;

    if (a->state == SIP_TALKING)
        session_lost(a, "timer", "the session timer expired");
}

static void again_in(struct sip_agent *a, int64_t ms)
{
    loop_at(a->loop, &a->refresh_timer, clock_ms() + ms, on_refresh_due, a);
}

/* 2.1 to 4 s, in units of 10 ms, for the owner of the Call-ID (RFC 3261 14.1). */
static int64_t glare_pause(void)
{
    char t[9];
    unsigned sum = 0;

    rand_token(t, 8);
    for (const char *p = t; *p != '\0'; p++)
        sum = sum * 31 + (unsigned char)*p;
    return 2100 + sum % 191 * 10;
}

/* --- Answers to our refresh. */

static void confirmed(struct sip_agent *a, const struct osip_message *m)
{
    const char *refresher;
    int64_t expires = session_expires(m, &refresher);
    struct dialog *d = &a->chosen->dialog;

    a->refresh_tries = 0;
    dialog_retarget(d, m);
    if (strcmp(a->refresh_method, "INVITE") == 0) {
        a->reinvite_cseq = cseq_of(m); /* it may have been challenged */
        dialog_ack(d, &a->local, a->reinvite_cseq);
    }
    if (expires > 0) {
        session_timer_start(a, expires, strcmp(refresher, "uas") != 0);
    } else { /* no session timer any more */
        session_timer_stop(a);
        a->expires = 0;
    }
    emit_refreshed(a, "us", a->refresh_method, d->cseq);
}

/* When to ask again: as the peer says, else in the middle of what is left. The session lives on
 * until it expires. */
static int64_t next_try(const struct sip_agent *a, const struct osip_message *m)
{
    int64_t left = a->expiry_due - clock_ms();
    int64_t wait = m != NULL ? header_number(m, "Retry-After", -1) : -1;

    if (wait >= 0 && wait * 1000 < left)
        return wait * 1000;
    return left / 2 > RETRY_MIN_MS ? left / 2 : RETRY_MIN_MS;
}

/* Another attempt may do: of this kind only so many follow each other. */
static bool another(struct sip_agent *a)
{
    return ++a->refresh_tries < TRIES_MAX;
}

static void refused(struct sip_agent *a, const struct osip_message *m)
{
    int code = sip_status(m);
    int64_t wanted = header_number(m, "Min-SE", 0);
    bool busy = code == 422 || code == 491 || sip_header(m, "Retry-After", 0) != NULL;

    err_step("the refresh was answered %d %s", code, reason_of(m));
    if (code == 408 || code == 481) {
        session_lost(a, "refresh", code == 408 ? "refresh timed out" : "the peer knows it not");
    } else if (code == 422 && wanted > a->min_se && another(a)) {
        a->min_se = wanted;
        again_in(a, 0);
    } else if (code == 491 && another(a)) {
        again_in(a, glare_pause());
    } else if (!busy && strcmp(a->refresh_method, "UPDATE") == 0) {
        a->peer_updates = false;
        again_in(a, 0);
    } else {
        again_in(a, next_try(a, m));
    }
}

static void on_response(void *arg, struct sip_client *c, const struct osip_message *m,
                        const struct sip_hop *from)
{
    struct sip_agent *a = arg;

    (void)c;
    (void)from;
    if (sip_status(m) < 200)
        return;
    a->refresh = NULL;
    if (sip_status(m) < 300)
        confirmed(a, m);
    else
        refused(a, m);
}

static void on_failed(void *arg, struct sip_client *c, int error)
{
    struct sip_agent *a = arg;

    (void)c;
    a->refresh = NULL;
    err_step("the refresh failed: %s", local_why(&a->local, error));
    if (error == ETIMEDOUT)
        session_lost(a, "refresh", "refresh timed out");
    else
        again_in(a, next_try(a, NULL));
}

/* --- Our refresh. */

static int add_headers(struct sip_agent *a, struct osip_message *m)
{
    char text[64];
    int64_t least = a->min_se > SESSION_MIN_SE ? a->min_se : SESSION_MIN_SE;
    int64_t expires = a->expires > least ? a->expires : least;
    int err = sip_header_add(m, "Contact", a->chosen->dialog.contact);

    err |= sip_header_add(m, "Supported", "timer");
    err |= sip_header_add(m, "Allow", SIP_ALLOW);
    (void)snprintf(text, sizeof(text), "%lld;refresher=uac", (long long)expires);
    err |= sip_header_add(m, "Session-Expires", text);
    if (a->min_se > 0) {
        (void)snprintf(text, sizeof(text), "%lld", (long long)a->min_se);
        err |= sip_header_add(m, "Min-SE", text);
    }
    /* Nothing changes, so the o= line does not either (RFC 4975 8.4). */
    if (strcmp(a->refresh_method, "INVITE") == 0)
        err |= sip_body_set(m, "application/sdp", buf_slice(&a->offer));
    return err;
}

static void on_refresh_due(void *arg)
{
    static const struct sip_client_ops ops = {on_response, on_failed};
    struct sip_agent *a = arg;
    struct dialog *d = &a->chosen->dialog;
    struct osip_message *m;

    if (a->state != SIP_TALKING || a->refresh != NULL || agent_end_asked(a))
        return;
    if (a->reinvite != NULL) { /* the peer's own re-INVITE is not acknowledged yet */
        again_in(a, glare_pause());
        return;
    }
    a->refresh_method = a->peer_updates ? "UPDATE" : "INVITE";
    d->cseq++;
    if (!a->peer_updates)
        a->reinvite_cseq = d->cseq;
    (void)emit_cseq(d->cseq, a->refresh_method, agent_sid(a), agent_emit_f, a);
    m = dialog_request(d, a->config, a->refresh_method, d->cseq);
    if (m != NULL && add_headers(a, m) != 0)
        err_step("a header of the refresh was refused");
    a->refresh = dialog_send(d, &a->voice, m, &ops, a);
}
