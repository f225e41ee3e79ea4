/* A unit test is a plain program: it calls these, returns tap_done() from main, and prints TAP. */
#ifndef TEST_UNIT_TAP_H
#define TEST_UNIT_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failures;

__attribute__((format(printf, 2, 3), unused)) static bool tap_ok(bool good, const char *format, ...)
{
    va_list ap;
    printf("%sok %d - ", good ? "" : "not ", ++tap_count);
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    printf("\n");
    /* A crash must not take the lines before it along. */
    fflush(stdout);
    if (!good)
        tap_failures++;
    return good;
}

__attribute__((unused)) static bool tap_is_str(const char *got, const char *want, const char *what)
{
    bool good = got && want ? strcmp(got, want) == 0 : got == want;
    if (!tap_ok(good, "%s", what))
        printf("#      got: %s\n# expected: %s\n", got ? got : "(NULL)", want ? want : "(NULL)");
    return good;
}

__attribute__((unused)) static bool tap_is_int(int64_t got, int64_t want, const char *what)
{
    if (!tap_ok(got == want, "%s", what))
        printf("#      got: %" PRId64 "\n# expected: %" PRId64 "\n", got, want);
    return got == want;
}

/* The plan comes last, so a program that dies early has none and counts as failed. */
__attribute__((unused)) static int tap_done(void)
{
    printf("1..%d\n", tap_count);
    return tap_failures ? 1 : 0;
}

#endif
