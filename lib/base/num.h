/* Strict numbers: the whole text or nothing. Each gives 0, or EINVAL (not a number) or ERANGE. */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdint.h>

int num_int(const char *text, int64_t min, int64_t max, int64_t *value);
int num_duration_ms(const char *text,
                    int64_t *ms); /* "30", "1.5" (seconds), "250ms", "5m", "72h", "2d" */
int num_size(const char *text, int64_t *octets); /* "65536", "64k", "1M", "2G" (powers of 1024) */

/* The number in digits, without a NUL: gives how many. `text` has room for NUM_DIGITS. */
#define NUM_DIGITS 20
unsigned num_digits(char *text, uint64_t value);
/* Exactly `n` digits: the last ones of the number, with zeros in front. */
void num_digits_of(char *text, unsigned n, uint64_t value);

/* "1.2 MiB", "17 B": for people. `text` has room for 16 bytes. */
void num_size_text(char text[16], uint64_t octets);

/* "0.4 s", "42 s", "12 min", "3 h 12 min", "5 d 3 h": for people. Below 0 is 0. */
void num_duration_text(char text[24], int64_t ms);

/* "78,039": for people. `text` has room for 27 bytes. */
void num_group_text(char text[27], uint64_t n);

#endif
