/* Inside of the option table: what is known about each option while its sources are read. */
#ifndef BASE_OPT_INT_H
#define BASE_OPT_INT_H

#include "base/opt.h"

/* From the farthest to the nearest; files are read in the order in which they count. */
enum opt_source { OPT_DEFAULT, OPT_SYSTEM_FILE, OPT_USER_FILE, OPT_ENVIRONMENT, OPT_LINE };

struct opt_setting {
    const struct opt *o;
    enum opt_source source;
    struct opt_list values;  /* in effect, as given; empty while the default holds */
    struct opt_list origins; /* of each of those: "/etc/cpm/cpm.conf:3", "CPM_T1"; may be NULL */
    struct opt_list given;   /* on the command line */
    struct opt_setting *next_given;
    const char **line_names; /* of each of those: "--t1", "-s", for errors */
};

struct opt_settings {
    const struct opt_program *program;
    struct opt_setting *v;
    size_t n;
    struct opt_setting *given; /* the last that the command line gave, and so on by next_given */
    struct opt_list kept;      /* texts that live as long as the process: values, origins */
    void *longs, *shorts;      /* getopt's tables, while it may end the program */
};

/* Keeps a text that mem_ or slice_dup gave. */
const char *opt_keep(struct opt_settings *all, char *text);

struct opt_setting *opt_find(const struct opt_settings *all, const char *name);

/* Is the value of this kind and in range? Then it is put where the option says. NULL, or why not,
 * which the caller does not free: it is about to end the program. A value from a nearer source
 * replaces those of a farther one. */
const char *opt_put(struct opt_setting *s, enum opt_source source, const char *origin,
                    const char *text);

void opt_list_add(struct opt_list *list, const char *text);

/* Reads one file. With `must` it has to be there. Ends the program with 78 on any fault. */
void opt_read_file(struct opt_settings *all, const char *path, enum opt_source source, bool must);

/* Takes the variables, CPM_ and an option's name. Ends the program with 78 on any fault. */
void opt_read_environment(struct opt_settings *all);

/* The value of a variable as text, the caller frees it. NULL: none. */
char *opt_value_text(const struct opt *o);

char *opt_number_text(enum opt_kind kind, int64_t value);

/* Is there a --no-NAME? */
bool opt_can_be_undone(const struct opt *o);

void opt_print_help(const struct opt_settings *all);
void opt_print_settings(const struct opt_settings *all);

_Noreturn void opt_finish_output(void); /* exits: 0, or 74 when stdout did not take it all */

#endif
