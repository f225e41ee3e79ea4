/* Slices: a pointer and a length into somebody else's bytes. They own nothing and need no NUL. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
    const char *p;
    size_t n;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

struct slice slice_of(const char *text); /* NULL gives the empty slice */
bool slice_eq(struct slice a, struct slice b);
bool slice_is(struct slice a, const char *text);        /* exact */
bool slice_is_nocase(struct slice a, const char *text); /* ASCII letters without case */
bool slice_starts(struct slice a, const char *prefix);
uint64_t slice_hash(struct slice a); /* never 0; good against chance, not against an enemy */

struct slice slice_trim(struct slice a); /* without blanks and tabs at both ends */

/* Cuts *rest at the first `at`: gives what is before it, leaves in *rest what is after it. Without
 * an `at` all is given and *rest becomes empty with p == NULL, so a loop ends on rest.p == NULL. */
struct slice slice_cut(struct slice *rest, char at);

/* A whole unsigned decimal number, digits only, at most `max`. */
bool slice_number(struct slice a, uint64_t max, uint64_t *value);

char *slice_dup(struct slice a); /* NUL-terminated copy, the caller frees it */

#endif
