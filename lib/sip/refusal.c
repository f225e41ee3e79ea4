/* A final response that is no session: what it says for the error line and the journal, beside its
 * code (RFC 3261 21). */
#include "base/buf.h"
#include "base/mem.h"
#include "sip/agent_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETAIL_VALUES 8 /* of a list header that are told */

/* The word for the journal, and the header that tells what is wrong. The first row that fits. */
static const struct {
    int low, high;
    const char *why, *header;
} refusals[] = {
    {300, 399, "redirect", "Contact"},
    {401, 401, "credentials", NULL},
    {407, 407, "credentials", NULL},
    {405, 405, "refused", "Allow"},
    {415, 415, "refused", "Accept"},
    {420, 420, "extension", "Unsupported"}, /* we asked for what the peer cannot */
    {421, 421, "extension", "Require"},     /* the peer asks for what we cannot */
    {422, 422, "interval", "Min-SE"},       /* of the session */
    {423, 423, "interval", "Min-Expires"},  /* of a registration or subscription */
    {494, 494, "extension", "Security-Server"},
    {100, 699, "refused", "Warning"},
};

static void detail_of(const struct osip_message *m, const char *header, char *text, size_t size)
{
    struct buf b = BUF_UP_TO(size - 1);
    const char *value;
    int err = 0;

    for (int i = 0; i < DETAIL_VALUES && err == 0 && (value = sip_header(m, header, i)); i++)
        err = buf_format(&b, "%s%s", i > 0 ? ", " : "", value);
    if (b.n > 0) /* what does not fit is left out */
        (void)snprintf(text, size, "%s: %s", header, b.p);
    buf_free(&b);
}

static const char *find_detail(const struct osip_message *m, char *text, size_t size)
{
    const char *why = "refused";
    int code = sip_status(m);

    text[0] = '\0';
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (code >= refusals[i].low && code <= refusals[i].high) {
            why = refusals[i].why;
            if (refusals[i].header != NULL)
                detail_of(m, refusals[i].header, text, size);
            break;
        }
    if (text[0] == '\0')
        detail_of(m, "Warning", text, size);
    if (text[0] == '\0')
        detail_of(m, "Reason", text, size); /* RFC 3326, from a gateway */
    return why;
}

void refusal_set(struct sip_agent *a, const struct osip_message *m, const struct sip_fault *fault)
{
    struct failure *f = &a->failure;
    char detail[sizeof(f->detail)], *text;
    const char *why = find_detail(m, detail, sizeof(detail));
    int code = sip_status(m);

    if (f->status != 0)
        return;
    if (fault != NULL)
        (void)snprintf(detail, sizeof(detail), "%s%s%s%s", fault->what[0] != '\0' ? "realm \"" : "",
                       fault->what, fault->what[0] != '\0' ? "\" " : "", fault->why);
    text =
        mem_format("refused: %d %s%s%s", code, reason_of(m), detail[0] != '\0' ? "; " : "", detail);
    failure_set(a, sip_verdict(code), code, reason_of(m), why, text);
    free(text);
    (void)snprintf(f->detail, sizeof(f->detail), "%s", detail);
    f->retry_after = header_number(m, "Retry-After", -1);
    if (fault != NULL && fault->hint != NULL)
        (void)snprintf(f->hint, sizeof(f->hint), "%s", fault->hint);
    else if (f->retry_after >= 0)
        (void)snprintf(f->hint, sizeof(f->hint), "the peer asks to wait %lld s",
                       (long long)f->retry_after);
}
