#include "base/opt_int.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/slice.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

/* A process has one command line; opt_given asks about it. */
static struct opt_settings settings;

static const struct opt common_options[] = {
    {.name = "config",
     .letter = 'c',
     .kind = OPT_TEXT,
     .arg = "FILE",
     .help = "read this configuration file instead of the usual ones",
     .where = OPT_COMMAND_LINE},
    {.name = "show-config",
     .kind = OPT_FLAG,
     .help = "show each value and where it came from",
     .where = OPT_COMMAND_LINE},
    {.name = "quiet", .letter = 'q', .kind = OPT_FLAG, .help = "errors only"},
    {.name = "verbose",
     .letter = 'v',
     .kind = OPT_INT,
     .max = ERR_WIRE,
     .help = "name the steps; twice: show the wire"},
    {.name = "help",
     .letter = 'h',
     .kind = OPT_FLAG,
     .help = "show this text",
     .where = OPT_COMMAND_LINE},
    {.name = "version",
     .letter = 'V',
     .kind = OPT_FLAG,
     .help = "show the version",
     .where = OPT_COMMAND_LINE},
    {0},
};

static bool is_for_files(const struct opt *o)
{
    return strcmp(o->name, "config") == 0 || strcmp(o->name, "show-config") == 0;
}

/* --- The settings. */

struct opt_setting *opt_find(const struct opt_settings *all, const char *name)
{
    for (size_t i = 0; i < all->n; i++) {
        if (strcmp(all->v[i].o->name, name) == 0)
            return &all->v[i];
    }
    return NULL;
}

void opt_list_add(struct opt_list *list, const char *text)
{
    list->v = mem_grow(list->v, list->n + 1, sizeof *list->v);
    list->v[list->n++] = text;
}

const char *opt_keep(struct opt_settings *all, char *text)
{
    opt_list_add(&all->kept, text);
    return text;
}

static size_t table_size(const struct opt *table)
{
    size_t n = 0;
    while (table[n].name)
        n++;
    return n;
}

static void add_table(struct opt_settings *all, const struct opt *table)
{
    all->v = mem_grow(all->v, all->n + table_size(table), sizeof *all->v);
    for (; table->name; table++) {
        if (!all->program->argv_only || !is_for_files(table))
            all->v[all->n++] = (struct opt_setting){.o = table};
    }
}

static void collect(struct opt_settings *all, const struct opt_program *p)
{
    *all = (struct opt_settings){.program = p};
    for (const struct opt *const *t = p->tables; *t; t++)
        add_table(all, *t);
    add_table(all, common_options);
}

/* --- Values. */

static bool is_choice(const char *choices, const char *text)
{
    struct slice rest = slice_of(choices);
    while (rest.p) {
        if (slice_is(slice_cut(&rest, '|'), text))
            return true;
    }
    return false;
}

static bool parse_flag(const char *text, bool *value)
{
    *value = strcmp(text, "yes") == 0 || strcmp(text, "1") == 0;
    return *value || strcmp(text, "no") == 0 || strcmp(text, "0") == 0;
}

static int parse_number(const struct opt *o, const char *text, int64_t *value)
{
    switch (o->kind) {
    case OPT_DURATION:
        return num_duration_ms(text, value);
    case OPT_SIZE:
        return num_size(text, value);
    case OPT_MS:
        /* "1.5s" and the like are taken too; a plain number means milliseconds. */
        if (num_int(text, 0, INT64_MAX, value) == 0)
            return 0;
        return strpbrk(text, "smhd") ? num_duration_ms(text, value) : EX_USAGE;
    default:
        return num_int(text, INT64_MIN, INT64_MAX, value);
    }
}

static const char *number_name(enum opt_kind kind)
{
    switch (kind) {
    case OPT_DURATION:
        return "a time in seconds (or 250ms, 5m, 72h, 2d)";
    case OPT_MS:
        return "a time in milliseconds";
    case OPT_SIZE:
        return "a size in octets (or 64k, 1M, 2G)";
    default:
        return "a whole number";
    }
}

static const char *check_number(const struct opt *o, const char *text, int64_t *value)
{
    bool limited = o->min != 0 || o->max != 0;
    int64_t min = limited ? o->min : 0;
    int64_t max = limited ? o->max : INT64_MAX;
    if (parse_number(o, text, value) != 0)
        return opt_keep(&settings, mem_format("\"%s\" is not %s", text, number_name(o->kind)));
    if (*value >= min && *value <= max)
        return NULL;
    if (!limited)
        return opt_keep(&settings, mem_format("\"%s\" is negative", text));
    const char *least = opt_keep(&settings, opt_number_text(o->kind, min));
    const char *most = opt_keep(&settings, opt_number_text(o->kind, max));
    return opt_keep(&settings, mem_format("\"%s\" is not within %s to %s", text, least, most));
}

/* Puts the value of a scalar where the option wants it. */
static const char *assign(const struct opt *o, const char *text)
{
    bool flag;
    int64_t number;
    const char *why = NULL;
    switch (o->kind) {
    case OPT_FLAG:
        if (!parse_flag(text, &flag))
            return opt_keep(&settings, mem_format("\"%s\" is neither yes nor no", text));
        if (o->to)
            *(bool *)o->to = flag;
        return NULL;
    case OPT_CHOICE:
        if (!is_choice(o->choices, text))
            return opt_keep(&settings, mem_format("\"%s\" is none of %s", text, o->choices));
        if (o->to)
            *(const char **)o->to = text;
        return NULL;
    case OPT_TEXT:
        if (o->to)
            *(const char **)o->to = text;
        return NULL;
    case OPT_LIST:
        return NULL;
    default:
        why = check_number(o, text, &number);
        if (!why && o->to)
            *(int64_t *)o->to = number;
        return why;
    }
}

const char *opt_put(struct opt_setting *s, enum opt_source source, const char *origin,
                    const char *text)
{
    const char *why = assign(s->o, text);
    if (why)
        return why;
    bool list = s->o->kind == OPT_LIST;
    if (!list || source != s->source || !*text) {
        free(s->values.v);
        free(s->origins.v);
        s->values = s->origins = (struct opt_list){0};
    }
    s->source = source;
    if (!list || *text) {
        opt_list_add(&s->values, text);
        opt_list_add(&s->origins, origin);
    }
    if (list && s->o->to)
        *(struct opt_list *)s->o->to = s->values;
    return NULL;
}

/* --- The command line. */

static _Noreturn void wrong_use(const char *what, const char *why)
{
    const char *hint = opt_keep(&settings, mem_format("see %s --help", settings.program->name));
    err_die(EX_USAGE, what, why, hint);
}

#define LONG_BASE 256 /* beyond every letter; then two numbers an option: itself and its "no-" */

/* A flag that a file or the environment may have set. */
bool opt_can_be_undone(const struct opt *o)
{
    return o->kind == OPT_FLAG && o->where != OPT_COMMAND_LINE;
}

static bool takes_argument(const struct opt *o)
{
    return o->kind != OPT_FLAG && o->arg;
}

static const char *undone_name(struct opt_settings *all, const char *name)
{
    size_t n = strlen(name) + 1;
    char *text = mem_new_part(n + 3, 0);
    memcpy(text, "no-", 3);
    memcpy(text + 3, name, n);
    return opt_keep(all, text);
}

static struct option *long_options(struct opt_settings *all)
{
    struct option *v = mem_new((all->n * 2 + 1) * sizeof *v);
    size_t n = 0;
    for (size_t i = 0; i < all->n; i++) {
        const struct opt *o = all->v[i].o;
        int value = LONG_BASE + (int)i * 2;
        v[n++] = (struct option){o->name, takes_argument(o) ? required_argument : no_argument, NULL,
                                 value};
        if (opt_can_be_undone(o))
            v[n++] = (struct option){undone_name(all, o->name), no_argument, NULL, value + 1};
    }
    return v;
}

static char *short_options(const struct opt_settings *all)
{
    char *text = mem_new(all->n * 2 + 2);
    size_t n = 0;
    text[n++] = ':';
    for (size_t i = 0; i < all->n; i++) {
        const struct opt *o = all->v[i].o;
        if (!o->letter)
            continue;
        text[n++] = o->letter;
        if (takes_argument(o))
            text[n++] = ':';
    }
    return text;
}

static struct opt_setting *of_letter(const struct opt_settings *all, int letter)
{
    for (size_t i = 0; i < all->n; i++) {
        if (all->v[i].o->letter == letter)
            return &all->v[i];
    }
    return NULL;
}

/* A long option that is none, or that several begin with. */
static const char *unknown(const struct opt_settings *all, const char *word)
{
    size_t n = strcspn(word, "=");
    const char *first = NULL;
    for (size_t i = 0; i < all->n; i++) {
        const char *name = all->v[i].o->name;
        if (n <= 2 || strncmp(name, word + 2, n - 2) != 0)
            continue;
        if (first)
            return opt_keep(&settings, mem_format("may be --%s or --%s", first, name));
        first = name;
    }
    return "no such option";
}

/* getopt's complaint, in our words. */
static _Noreturn void complain(const struct opt_settings *all, int found, const char *word)
{
    char letter[] = {'-', (char)optopt, '\0'};
    const char *what = word;
    if (optopt >= LONG_BASE)
        what = opt_keep(&settings, mem_format("--%s%s", (optopt - LONG_BASE) % 2 ? "no-" : "",
                                              all->v[(optopt - LONG_BASE) / 2].o->name));
    else if (optopt)
        what = letter;
    if (found == ':')
        wrong_use(what, "needs a value");
    wrong_use(what, optopt >= LONG_BASE ? "takes no value"
                    : optopt            ? "no such option"
                                        : unknown(all, word));
}

static void note_given(struct opt_settings *all, struct opt_setting *s, const char *name,
                       const char *text)
{
    if (s->given.n == 0) {
        s->next_given = all->given;
        all->given = s;
    }
    s->line_names = mem_grow(s->line_names, s->given.n + 1, sizeof *s->line_names);
    s->line_names[s->given.n] = name;
    opt_list_add(&s->given, text);
}

static void take(struct opt_settings *all, int found, const char *argument)
{
    bool by_name = found >= LONG_BASE;
    bool no = by_name && (found - LONG_BASE) % 2;
    struct opt_setting *s = by_name ? &all->v[(found - LONG_BASE) / 2] : of_letter(all, found);
    const struct opt *o = s->o;
    char *name =
        by_name ? mem_format("--%s%s", no ? "no-" : "", o->name) : mem_format("-%c", o->letter);
    note_given(all, s, name,
               takes_argument(o)     ? argument
               : no                  ? "no"
               : o->kind == OPT_FLAG ? "yes"
                                     : "1");
    if (strcmp(o->name, "help") == 0) {
        opt_print_help(all);
        opt_finish_output();
    }
    if (strcmp(o->name, "version") == 0) {
        (void)printf("%s %s\n", all->program->name, CPM_VERSION);
        opt_finish_output();
    }
}

static void read_line(struct opt_settings *all, int argc, char **argv)
{
    struct option *longs = long_options(all);
    char *shorts = short_options(all);
    int found;
    all->longs = longs;
    all->shorts = shorts;
    optind = 0; /* GNU: begin anew */
    opterr = 0;
    while ((found = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (found == '?' || found == ':')
            complain(all, found, argv[optind - 1]);
        take(all, found, optarg);
    }
    free(shorts);
    free(longs);
    all->longs = NULL;
    all->shorts = NULL;
}

/* --- Sources in order. */

/* -v on the command line is counted, elsewhere it is a number. */
static void put_line(struct opt_setting *s)
{
    if (strcmp(s->o->name, "verbose") == 0 && s->given.n > 0) {
        (void)opt_put(s, OPT_LINE, NULL, s->given.n > 1 ? "2" : "1");
        return;
    }
    for (size_t i = 0; i < s->given.n; i++) {
        const char *why = opt_put(s, OPT_LINE, NULL, s->given.v[i]);
        if (why)
            wrong_use(s->line_names[i], why);
    }
}

/* -c, else CPM_CONFIG, else the two usual files. */
static void read_files(struct opt_settings *all)
{
    struct opt_setting *config = opt_find(all, "config");
    const char *named =
        config->given.n ? config->given.v[config->given.n - 1] : getenv("CPM_CONFIG");
    if (named && *named) {
        opt_read_file(all, named, OPT_USER_FILE, true);
        return;
    }
    opt_read_file(all, "/etc/cpm/cpm.conf", OPT_SYSTEM_FILE, false);
    const char *folder = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    char *path = NULL;
    if (folder && *folder == '/')
        path = mem_format("%s/cpm/cpm.conf", folder);
    else if (home && *home == '/')
        path = mem_format("%s/.config/cpm/cpm.conf", home);
    if (path)
        opt_read_file(all, path, OPT_USER_FILE, false);
    free(path);
}

static bool is_on(const struct opt_setting *s)
{
    bool on = false;
    return s && s->values.n > 0 && parse_flag(s->values.v[0], &on) && on;
}

/* The nearer of -q and -v counts. */
static void set_verbosity(const struct opt_settings *all)
{
    const struct opt_setting *quiet = opt_find(all, "quiet");
    const struct opt_setting *verbose = opt_find(all, "verbose");
    if (is_on(quiet) && quiet->source >= verbose->source)
        err_verbosity = ERR_QUIET;
    else if (verbose->values.n > 0)
        err_verbosity = verbose->values.v[0][0] - '0';
}

void opt_parse(const struct opt_program *p, int argc, char **argv, struct opt_result *r)
{
    /* With somebody else's rights, only the command line is trusted, and it names no file. */
    bool borrowed_rights = getauxval(AT_SECURE) != 0;
    collect(&settings, p);
    read_line(&settings, argc, argv);
    if (borrowed_rights && opt_given("config", NULL))
        wrong_use("--config", "not with the rights of another user");
    if (!p->argv_only && !borrowed_rights) {
        read_files(&settings);
        opt_read_environment(&settings);
    }
    for (size_t i = 0; i < settings.n; i++)
        put_line(&settings.v[i]);
    set_verbosity(&settings);
    if (is_on(opt_find(&settings, "show-config"))) {
        opt_print_settings(&settings);
        opt_finish_output();
    }
    r->operands = argv + optind;
    r->count = argc - optind;
}

bool opt_given(const char *name, struct opt_list *values)
{
    const struct opt_setting *s = settings.given;
    while (s && strcmp(s->o->name, name) != 0)
        s = s->next_given;
    if (values)
        *values = s ? s->given : (struct opt_list){0};
    return s != NULL;
}
