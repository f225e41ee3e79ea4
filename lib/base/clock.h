/* Time. Deadlines are absolute monotonic milliseconds; the wall clock is for people and journals.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER INT64_MAX

int64_t clock_ms(void);      /* monotonic */
int64_t clock_ns(void);      /* the same in nanoseconds, to measure with */
int64_t clock_wall_ms(void); /* since 1970, UTC */

#define CLOCK_TEXT_SIZE sizeof("2026-11-22T10:00:00.123Z")
void clock_text(char text[CLOCK_TEXT_SIZE], int64_t wall_ms); /* RFC 3339, UTC, milliseconds */
int clock_parse(const char *text, unsigned long n,
                int64_t *wall_ms); /* that form only; 0 or EINVAL */

#endif
