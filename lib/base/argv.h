/* A command line being built, for spawn.h; and the handing on of options that were given to us. */
#ifndef BASE_ARGV_H
#define BASE_ARGV_H

#include "base/opt.h"

#include <stddef.h>

struct argv {
    char **v; /* NULL-terminated, once something was added; [0] is the program's path */
    size_t n;
};

void argv_add(struct argv *a, const char *word);
void argv_own(struct argv *a, char *word); /* takes the word, which is freed with the rest */

/* The options of this table that our command line gave, as they were given; what environment and
 * files say reaches the other program by itself. */
void argv_given(struct argv *a, const struct opt *table);
void argv_common(struct argv *a); /* -q, -v, -c */

void argv_clear(struct argv *a);

#endif
