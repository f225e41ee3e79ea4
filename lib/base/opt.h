/* Options: one table a program drives the command line (GNU getopt_long), the environment, the
 * configuration files (INI, read by libinih), --help and --show-config.
 *
 * Command line beats environment (CPM_ and the name in capitals, - as _) beats
 * $XDG_CONFIG_HOME/cpm/cpm.conf ($HOME/.config) beats /etc/cpm/cpm.conf; -c FILE replaces the two
 * files. Every program has -h -V -v -q -c --show-config without naming them. In the files a key
 * that no program knows is an error; a key of another program is not.
 *
 * In a file a repeatable option is one line a value, of at most 198 characters with its key; there
 * are no quotes and no comments behind a value; sections are for people and have no meaning. In a
 * variable the values of a repeatable option are lines; an empty variable counts as not set. Flags
 * are yes or no (1 or 0); --no-FLAG undoes one that a file or a variable set. An empty value
 * empties a list. With the rights of another user (AT_SECURE) the command line alone counts. */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opt_kind {
    OPT_FLAG, /* bool */
    OPT_TEXT, /* const char * */
    OPT_LIST, /* struct opt_list; repeatable. A list from a nearer source replaces a farther one */
    OPT_INT,  /* int64_t, within min..max */
    OPT_DURATION, /* int64_t, ms; plain numbers are seconds */
    OPT_MS,       /* int64_t, ms; plain numbers are milliseconds */
    OPT_SIZE,     /* int64_t, octets */
    OPT_CHOICE,   /* const char *, one of `choices` */
};

enum opt_where {
    OPT_ANYWHERE = 0,
    OPT_COMMAND_LINE = 1, /* never from the environment or a file: session, from, to */
    OPT_SECRET_FILE = 2, /* a file that holds a secret: --show-config names it, never its content */
};

struct opt_list {
    const char **v;
    size_t n;
};

struct opt {
    const char *name;
    char letter; /* 0: none */
    enum opt_kind kind;
    const char *arg;  /* metavariable for the help; NULL for a flag */
    const char *help; /* half a line */
    void *to;         /* the variable, already holding its default; NULL: only kept as given */
    int64_t min, max; /* for the numbers, durations and sizes; both 0: any that is not negative */
    const char *choices; /* "udp|tcp|tls" */
    enum opt_where where;
};

struct opt_program {
    const char *name;
    const char *usage; /* lines, each without the program's name: "-s FILE [options] m.cpim" */
    const char *about; /* one line */
    const struct opt *const
        *tables;                 /* NULL-terminated list of tables, each ended by name == NULL */
    const char *const *headings; /* one a table, for the help; NULL: no heading */
    const char *const
        *known;        /* NULL-terminated: further keys that files may hold (other programs') */
    const char *after; /* text after the options in --help (examples, exit status); may be NULL */
    bool argv_only;    /* neither environment nor configuration; no -c, no --show-config */
};

struct opt_result {
    char **operands; /* into argv */
    int count;
};

/* Parses. Ends the program itself for --help and --version (0), --show-config (0), a wrong use (64)
 * and a bad configuration (78), each with its text or one line. */
void opt_parse(const struct opt_program *p, int argc, char **argv, struct opt_result *r);

/* Was this option given on the command line? Its values as given, for handing them on. */
bool opt_given(const char *name, struct opt_list *values);

#endif
