/* What a peer's code means for the delivery, in one table (cpm-deliver(1) prints the same). */
#include "msrp/msrp_int.h"

#include "base/mark.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

struct verdict {
    int code;
    int status;
    const char *why;
};

static const struct verdict verdicts[] = {
    {400, EX_UNAVAILABLE, "the recipient could not understand the request"},
    {401, EX_NOPERM, "a relay asks for credentials"},
    {403, EX_UNAVAILABLE, "the recipient does not allow it"},
    {404, EX_UNAVAILABLE, "the recipient does not know the message's target"},
    {408, EX_TEMPFAIL, "a relay got no answer in time"},
    {413, EX_UNAVAILABLE, "the recipient wants no more of this message"},
    {415, EX_UNAVAILABLE, "the recipient does not take this type of content"},
    {423, EX_TEMPFAIL, "a parameter is out of the recipient's bounds"},
    {481, EX_TEMPFAIL, "the recipient does not know the session"},
    {501, EX_PROTOCOL, "the recipient does not know the method SEND"},
    {506, EX_TEMPFAIL, "the recipient's session is bound to another connection"},
};

/* Unknown codes go by their class, as in SIP: 4xx and 6xx for good, 5xx for now. */
static int unknown(int code, const char **why)
{
    if (code >= 400 && code < 500) {
        *why = "the recipient refused the message";
        return EX_UNAVAILABLE;
    }
    if (code >= 500 && code < 600) {
        *why = "the recipient failed";
        return EX_TEMPFAIL;
    }
    if (code >= 600 && code < 700) {
        *why = "the recipient refused the message";
        return EX_UNAVAILABLE;
    }
    *why = "the recipient answered with a code that means nothing here";
    return EX_PROTOCOL;
}

int msrp_verdict(int code, const char **why)
{
    if (code >= 200 && code <= 299) {
        *why = "";
        return EX_OK;
    }
    for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
        if (verdicts[i].code == code) {
            *why = verdicts[i].why;
            return verdicts[i].status;
        }
    }
    return unknown(code, why);
}

/* --- Message-ID. */

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* ident = ALPHANUM 3*31ident-char, RFC 4975 section 9 */
static bool is_ident(struct slice s)
{
    if (s.n < 4 || s.n > MSRP_IDENT_MAX || !is_alnum(s.p[0]))
        return false;
    for (size_t i = 1; i < s.n; i++) {
        if (!is_alnum(s.p[i]) && (s.p[i] == '\0' || !strchr(".-+%=", s.p[i])))
            return false;
    }
    return true;
}

void msrp_message_id(char id[MSRP_IDENT_MAX + 1], struct slice cpim_id)
{
    if (is_ident(cpim_id)) {
        memcpy(id, cpim_id.p, cpim_id.n);
        id[cpim_id.n] = '\0';
        return;
    }
    struct mark m;
    mark_begin(&m);
    mark_add(&m, cpim_id);
    mark_end(&m, id);
}
