/* The verdict in plain words. */
#include "bin/deliver/deliver.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/num.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REASON_SIZE 300

/* The response that the outcome goes by, if it goes by one, and its words. */
static void put_reason(const struct journal *j, char text[REASON_SIZE])
{
    const char *why = journal_get(j, "outcome.why"), *code = NULL;
    const char *refusal = journal_get(j, "invite.failed.reason");
    if (why && refusal && strcmp(why, refusal) == 0)
        code = journal_get(j, "invite.failed.code");
    text[0] = '\0';
    if (why && *why)
        (void)snprintf(text, REASON_SIZE, ": %.10s%s%.250s", code ? code : "", code ? " " : "",
                       why);
}

void say_end(const struct journal *j, const char *to, int status, int64_t ms)
{
    void (*say)(const char *format, ...) __attribute__((format(printf, 1, 2))) =
        isatty(STDERR_FILENO) ? err_warn : err_step;
    char octets[27], reason[REASON_SIZE], later[64];
    int64_t retry_after = journal_number(j, "invite.failed.retry-after", 0);
    to = to ? to : "the recipient";
    if (status == EX_OK) {
        num_group_text(octets, (uint64_t)journal_number(j, "msrp.transferred.octets", 0));
        say("delivered to %s in %.3f s, %s octets", to, (double)ms / 1000, octets);
        return;
    }
    put_reason(j, reason);
    (void)snprintf(later, sizeof later,
                   retry_after > 0 ? "; try again after %lld s" : "; try again",
                   (long long)retry_after);
    say("not delivered to %s%s%s (%d)", to, reason,
        status == EX_TEMPFAIL      ? later
        : status == EX_UNAVAILABLE ? "; refused for good"
                                   : "",
        status);
}
