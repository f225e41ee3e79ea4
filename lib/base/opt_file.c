#include "base/opt_int.h"

#include "base/err.h"
#include "base/ini.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_known(const struct opt_program *p, struct slice key)
{
    for (const char *const *k = p->known; k && *k; k++) {
        if (slice_is(key, *k))
            return true;
    }
    return false;
}

static _Noreturn void bad_file(const char *where, const char *why)
{
    err_die(EX_CONFIG, where, why, "correct this line");
}

static void take_pair(struct opt_settings *all, enum opt_source source, const char *where,
                      struct slice key, struct slice value)
{
    const char *name = opt_keep(all, slice_dup(key));
    struct opt_setting *s = opt_find(all, name);
    if (!s && !is_known(all->program, key))
        bad_file(where, opt_keep(all, mem_format("no option is called \"%s\"", name)));
    if (s && s->o->where == OPT_COMMAND_LINE)
        bad_file(where,
                 opt_keep(all, mem_format("\"%s\" has its place on the command line only", name)));
    if (s) {
        const char *why = opt_put(s, source, where, opt_keep(all, slice_dup(value)));
        if (why)
            bad_file(where, opt_keep(all, mem_format("%s: %s", name, why)));
    }
}

void opt_read_file(struct opt_settings *all, const char *path, enum opt_source source, bool must)
{
    FILE *f = fopen(path, "re");
    if (!f && !must && (errno == ENOENT || errno == ENOTDIR))
        return;
    if (!f)
        err_die(EX_CONFIG, path, strerror(errno),
                "a configuration file that can be read is needed");
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    for (unsigned long number = 1; (n = getline(&line, &room, f)) >= 0; number++) {
        struct slice text = {line, (size_t)n};
        struct slice key, value;
        if (n > 0 && line[n - 1] == '\n')
            text.n--;
        enum ini_kind kind = ini_line(text, &key, &value);
        if (kind == INI_NOTHING)
            continue;
        const char *where = opt_keep(all, mem_format("%s:%lu", path, number));
        if (kind == INI_BAD)
            bad_file(where, "not of the form \"name = value\"");
        take_pair(all, source, where, key, value);
    }
    if (ferror(f))
        err_die(EX_CONFIG, path, strerror(errno), NULL);
    free(line);
    (void)fclose(f);
}
