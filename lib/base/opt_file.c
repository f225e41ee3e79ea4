#include "base/opt_int.h"

#include "base/err.h"
#include "base/ini.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Somebody else's home, which HOME often names after a change of the user, holds no settings of
 * ours; a file of our own that cannot be read does. */
static bool is_behind_closed_door(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? slice_dup((struct slice){path, (size_t)(slash - path)}) : mem_dup(".");
    bool closed = faccessat(AT_FDCWD, folder, X_OK, AT_EACCESS) < 0;
    free(folder);
    return closed;
}

static bool may_be_left_out(const char *path, enum opt_source source, int error)
{
    return error == ENOENT || error == ENOTDIR ||
           (error == EACCES && source == OPT_USER_FILE && is_behind_closed_door(path));
}

/* NULL: there is none, and none is needed. */
static FILE *open_file(const char *path, enum opt_source source, bool must)
{
    FILE *f = fopen(path, "re");
    int error = f ? 0 : errno;
    if (!f && (must || !may_be_left_out(path, source, error)))
        err_die(EX_CONFIG, path, strerror(error),
                "a configuration file that can be read is needed");
    return f;
}

void opt_read_file(struct opt_settings *all, const char *path, enum opt_source source, bool must)
{
    FILE *f = open_file(path, source, must);
    if (!f)
        return;
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
