/* The environment as a source of options. */
#include "base/opt_int.h"

#include "base/err.h"
#include "base/slice.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "CPM_"

/* Is it "CPM_NAME=..." of this option? Its value then, else NULL. */
static char *value_of(char *variable, const char *name)
{
    char *p = variable + sizeof PREFIX - 1;
    for (; *name; name++, p++) {
        if (*p != (*name == '-' ? '_' : (char)toupper((unsigned char)*name)))
            return NULL;
    }
    return *p == '=' ? p + 1 : NULL;
}

/* A variable has one text; the values of a list stand on lines of their own. */
static const char *put_variable(struct opt_settings *all, struct opt_setting *s,
                                const char *variable, const char *text)
{
    const char *why = NULL;
    if (s->o->kind != OPT_LIST)
        return opt_put(s, OPT_ENVIRONMENT, variable, text);
    struct slice rest = slice_of(text);
    while (rest.p && !why) {
        struct slice one = slice_trim(slice_cut(&rest, '\n'));
        if (one.n > 0)
            why = opt_put(s, OPT_ENVIRONMENT, variable, opt_keep(all, slice_dup(one)));
    }
    return why;
}

static void take_variable(struct opt_settings *all, struct opt_setting *s, const char *variable,
                          const char *text)
{
    const char *name = opt_keep(
        all, slice_dup((struct slice){variable, (size_t)(text - variable) - 1})); /* without = */
    const char *why = *text ? put_variable(all, s, name, text) : NULL;
    if (why)
        err_die(EX_CONFIG, name, why, "correct or unset this variable");
}

/* One walk over what is set, not a look for each option: few of them are. The first of two
 * variables of one name counts, as with getenv. */
void opt_read_environment(struct opt_settings *all)
{
    for (char **e = environ; e && *e; e++) {
        if (strncmp(*e, PREFIX, sizeof PREFIX - 1) != 0)
            continue;
        for (size_t i = 0; i < all->n; i++) {
            struct opt_setting *s = &all->v[i];
            const char *text = s->o->where == OPT_COMMAND_LINE || s->source == OPT_ENVIRONMENT
                                   ? NULL
                                   : value_of(*e, s->o->name);
            if (text)
                take_variable(all, s, *e, text);
        }
    }
}
