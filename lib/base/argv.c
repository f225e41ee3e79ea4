#include "base/argv.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void argv_own(struct argv *a, char *word)
{
    a->v = mem_grow(a->v, a->n + 2, sizeof *a->v);
    a->v[a->n++] = word;
    a->v[a->n] = NULL;
}

void argv_add(struct argv *a, const char *word)
{
    argv_own(a, mem_dup(word));
}

void argv_given(struct argv *a, const struct opt *table)
{
    for (; table->name; table++) {
        struct opt_list given;
        if (!opt_given(table->name, &given))
            continue;
        for (size_t i = 0; i < given.n; i++) {
            if (table->kind == OPT_FLAG)
                argv_own(a, mem_format("--%s%s", strcmp(given.v[i], "no") == 0 ? "no-" : "",
                                       table->name));
            else
                argv_own(a, mem_format("--%s=%s", table->name, given.v[i]));
        }
    }
}

void argv_common(struct argv *a)
{
    struct opt_list config;
    if (err_verbosity == ERR_QUIET)
        argv_add(a, "-q");
    for (int v = ERR_NORMAL; v < err_verbosity; v++)
        argv_add(a, "-v");
    if (opt_given("config", &config)) {
        argv_add(a, "-c");
        argv_add(a, config.v[config.n - 1]);
    }
}

void argv_clear(struct argv *a)
{
    for (size_t i = 0; i < a->n; i++)
        free(a->v[i]);
    free(a->v);
    *a = (struct argv){0};
}
