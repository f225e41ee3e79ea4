/* What a program says on stderr. An error is one line, `cpm-invite: what: why (what to do)`, with
 * control characters of peers and users made harmless. Nothing here waits for the reader: a bounded
 * amount is held while it is slow, and at the end of the program for 2 s; more is dropped, and
 * counted. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>
#include <sysexits.h>

void err_program(
    const char *name); /* call first: keeps fds 0-2 open, sets the name, ignores SIGPIPE */
const char *err_name(void);

enum err_level { ERR_QUIET = -1, ERR_NORMAL = 0, ERR_STEPS = 1, ERR_WIRE = 2 };
extern int err_verbosity; /* set by the option table: -q, -v, -vv */

/* One error line; also with -q. `hint` (what to do) may be NULL. */
void err_line(const char *what, const char *why, const char *hint);
void err_linef(const char *what, const char *hint, const char *why_format, ...)
    __attribute__((format(printf, 3, 4)));

/* A warning or remark, not with -q. */
void err_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A progress meter for a terminal. The cursor stays at the line's beginning, so that whatever
 * anybody else says covers it; an empty text takes it away. */
void err_meter(const char *text);

/* A step, with -v. */
void err_step(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The wire, with -vv: a headline, and whole lines that have their marks already (trace.h). They go
 * out together, as far as a pipe takes them so. With -vv remarks and steps have a mark too:
 * "=== ". */
void err_wire(const char *headline, const char *lines, size_t n);

/* Replaces what a terminal may obey: control characters but for the tab, also those of two octets
 * in UTF-8 (U+0080 to U+009F). */
void err_tame(char *text, size_t n, char instead);

/* Hears every error, remark and step, whatever the verbosity, without the program's name: for a
 * file that has it all. NULL: nobody. */
void err_listen(void (*listener)(const char *mark, const char *text, size_t n));

/* In a fork: what still waits for the reader of stderr is the parent's to write. */
void err_forget(void);

/* What standard output is called. err_output ends what was printed there: EX_OK, or EX_IOERR with
 * its line where it did not take it all. */
#define ERR_OUTPUT "standard output"
int err_output(void);

_Noreturn void err_die(int status, const char *what, const char *why, const char *hint);

/* Ends the process by that signal, as a shell expects it of one that was caught and obeyed. */
_Noreturn void err_die_by(int signal_number);

#endif
