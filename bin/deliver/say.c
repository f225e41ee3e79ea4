/* The verdict in plain words. */
#include "bin/deliver/deliver.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The response that the outcome goes by, if it goes by one, and its words. The caller frees it. */
static char *reason_of(const struct journal *j)
{
    const char *why = journal_get(j, "outcome.why"), *code = NULL;
    const char *refusal = journal_get(j, "invite.failed.reason");
    if (why && refusal && strcmp(why, refusal) == 0)
        code = journal_get(j, "invite.failed.code");
    if (!why || !*why)
        return mem_dup("");
    return mem_format(": %s%s%s", code ? code : "", code ? " " : "", why);
}

void say_end(const struct journal *j, const char *to, int status, int64_t ms)
{
    void (*say)(const char *format, ...) __attribute__((format(printf, 1, 2))) =
        isatty(STDERR_FILENO) ? err_warn : err_step;
    char octets[27], later[64];
    int64_t retry_after = journal_number(j, "invite.failed.retry-after", 0);
    to = to ? to : "the recipient";
    if (status == EX_OK) {
        num_group_text(octets, (uint64_t)journal_number(j, "msrp.transferred.octets", 0));
        say("delivered to %s in %.3f s, %s octets", to, (double)ms / 1000, octets);
        return;
    }
    char *reason = reason_of(j);
    (void)snprintf(later, sizeof later,
                   retry_after > 0 ? "; try again after %lld s" : "; try again",
                   (long long)retry_after);
    say("not delivered to %s%s%s (%d)", to, reason,
        status == EX_TEMPFAIL      ? later
        : status == EX_UNAVAILABLE ? "; refused for good"
                                   : "",
        status);
    free(reason);
}
