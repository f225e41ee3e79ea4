/* From what the peer answered to the INVITE to the exit status: the one table (RFC 3261 21). */
#include "sip/sip.h"

#include <errno.h>
#include <sysexits.h>

static const struct {
    int low, high;
    int status;
} verdicts[] = {
    {200, 299, EX_OK},
    {300, 399, EX_TEMPFAIL},    /* moved, and to nowhere that can be tried */
    {401, 401, EX_NOPERM},      /* our credentials */
    {407, 407, EX_NOPERM},      /* the same, of a proxy */
    {408, 408, EX_TEMPFAIL},    /* Request Timeout */
    {422, 422, EX_TEMPFAIL},    /* Session Interval Too Small, again and again */
    {480, 480, EX_TEMPFAIL},    /* Temporarily Unavailable; RFC 3841: no contact matched */
    {486, 487, EX_TEMPFAIL},    /* Busy Here, Request Terminated */
    {491, 491, EX_TEMPFAIL},    /* Request Pending */
    {400, 499, EX_UNAVAILABLE}, /* 400, 403, 404, 410, 415, 488 ...: refused for good */
    {500, 599, EX_TEMPFAIL},
    {600, 600, EX_TEMPFAIL},    /* Busy Everywhere */
    {601, 699, EX_UNAVAILABLE}, /* 603, 604, 606, 607 ... */
};

int sip_verdict(int code)
{
    for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
        if (code >= verdicts[i].low && code <= verdicts[i].high)
            return verdicts[i].status;
    return EX_PROTOCOL;
}

int sip_error_verdict(int error)
{
    if (error == EKEYREJECTED)
        return EX_NOPERM;
    return error == EPROTO || error == EBADMSG ? EX_PROTOCOL : EX_TEMPFAIL;
}
