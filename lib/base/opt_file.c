#include "base/opt_int.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
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

/* libinih reads the lines through read_line, which sees what the library would swallow: it cuts a
 * long line and what is behind " ;" without a word, and takes an indented line for more of the one
 * before. */
struct reading {
    struct opt_settings *all;
    enum opt_source source;
    const char *path;
    FILE *file;
    unsigned long line;
};

static const char *place(const struct reading *r, unsigned long line)
{
    return opt_keep(r->all, mem_format("%s:%lu", r->path, line));
}

static char *read_line(char *text, int room, void *arg)
{
    struct reading *r = arg;
    if (!fgets(text, room, r->file))
        return NULL;
    r->line++;
    size_t n = strlen(text);
    if ((n == 0 || text[n - 1] != '\n') && !feof(r->file))
        bad_file(place(r, r->line), "the line is too long, or holds a NUL");
    size_t blanks = strspn(text, " \t");
    memmove(text, text + blanks, n - blanks + 1);
    if (!strchr("#;[", text[0]) && (strstr(text, " ;") || strstr(text, "\t;")))
        bad_file(place(r, r->line),
                 "a blank and \";\" would end the value: leave out the blank, or "
                 "give the comment a line of its own");
    return text;
}

static int on_pair(void *arg, const char *section, const char *name, const char *value)
{
    struct reading *r = arg;
    (void)section; /* for people */
    take_pair(r->all, r->source, place(r, r->line), slice_of(name), slice_of(value));
    return 1;
}

void opt_read_file(struct opt_settings *all, const char *path, enum opt_source source, bool must)
{
    struct reading r = {all, source, path, open_file(path, source, must), 0};
    if (!r.file)
        return;
    int bad = ini_parse_stream(read_line, &r, on_pair, &r);
    if (bad > 0)
        bad_file(place(&r, (unsigned long)bad), "not of the form \"name = value\"");
    if (bad < 0 || ferror(r.file))
        err_die(EX_CONFIG, path, strerror(errno), NULL);
    (void)fclose(r.file);
}
