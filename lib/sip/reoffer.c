/* The peer's re-INVITE and UPDATE (RFC 3261 14.2, 3311 5.2, 4028 9): the session timer, the remote
 * target, and offers, which are answered with what stands. */
#include "base/err.h"
#include "sdp/sdp.h"
#include "sip/agent_int.h"

#include <osipparser2/osip_parser.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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
    indialog_respond(a, s, r);
}

static void agree(struct sip_agent *a, struct sip_server *s, const struct osip_message *m,
                  bool reinvite, bool offered)
{
    struct osip_message *r = sip_response_to(m, 200, NULL);

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
    if (reinvite && a->reinvite != NULL)
        sip_server_forget(a->reinvite); /* its ACK was lost: the peer has that 200 */
    if (reinvite) {
        a->reinvite = s;
        a->reinvite_offered = !offered;
        a->reinvite_number = a->chosen->dialog.remote_cseq;
    }
    emit_refreshed(a, "peer", sip_method(m), a->chosen->dialog.remote_cseq);
    indialog_respond(a, s, r);
}

/* --- What is refused. */

/* RFC 3261 14.2: the session stays as it was. */
static void not_acceptable(struct sip_agent *a, struct sip_server *s, const struct osip_message *m,
                           const char *why)
{
    struct osip_message *r = sip_response_to(m, 488, NULL);
    char text[128];

    (void)snprintf(text, sizeof(text), "399 cpm \"%s\"", why);
    (void)sip_header_add(r, "Warning", text);
    err_step("an offer of the peer was refused: %s", why);
    indialog_respond(a, s, r);
}

/* An offer of ours is not answered yet: in our re-INVITE, or in a 200 of which the ACK has to bring
 * the answer (RFC 3261 14.2, 5407 3.1.5). */
static bool offering(const struct sip_agent *a)
{
    return (a->refresh != NULL && strcmp(a->refresh_method, "INVITE") == 0) ||
           (a->reinvite != NULL && a->reinvite_offered);
}

/* 0 and whether there is an offer in it, or the code that refuses its body (8.2.3). */
static int body_code(const struct osip_message *m, struct slice *offer)
{
    const char *type;
    const char *coding = sip_header(m, "Content-Encoding", 0);
    bool coded = coding != NULL && strcasecmp(coding, "identity") != 0;

    if (sip_body(m, &type).n == 0 || (!coded && body_of(m, "application/sdp", offer)))
        return 0;
    return 415;
}

static void reoffer(struct sip_agent *a, struct sip_server *s, const struct osip_message *m,
                    bool reinvite)
{
    struct slice offer = {NULL, 0};
    const char *refresher, *why = NULL;
    int code = body_code(m, &offer);
    int64_t least = a->config->min_se / 1000;
    int64_t expires = session_expires(m, &refresher);

    if (least < SESSION_MIN_SE)
        least = SESSION_MIN_SE;
    if ((reinvite || offer.n > 0) && offering(a))
        indialog_answer(a, s, m, 491);
    else if (code != 0)
        indialog_respond(a, s, notice_unsupported(m, "application/sdp"));
    else if (expires > 0 && expires < least && header_lists(m, "Supported", "timer"))
        too_small(a, s, m, least);
    else if (offer.n > 0 && (why = offer_refusal(a, offer)) != NULL)
        not_acceptable(a, s, m, why);
    else
        agree(a, s, m, reinvite, offer.n > 0);
}

void reoffer_invite(struct sip_agent *a, struct sip_server *s, const struct osip_message *m)
{
    reoffer(a, s, m, true);
}

void reoffer_update(struct sip_agent *a, struct sip_server *s, const struct osip_message *m)
{
    reoffer(a, s, m, false);
}

/* --- The ACK for our 2xx. */

void reoffer_acked(struct sip_agent *a, const struct osip_message *ack)
{
    if (a->reinvite == NULL || cseq_of(ack) != a->reinvite_number)
        return;
    sip_server_acked(a->reinvite);
    a->reinvite = NULL;
}

/* Nobody acknowledged it. RFC 3261 14.2 would have a BYE; but what is delivered here goes over a
 * connection of its own, which tells better whether the peer is there. */
void reoffer_unacked(void *arg, struct sip_server *s)
{
    struct sip_agent *a = arg;

    if (a->reinvite == s)
        a->reinvite = NULL;
    sip_server_forget(s);
}
