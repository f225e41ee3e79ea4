#include "base/err.h"

#include "base/err_int.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int err_verbosity = ERR_NORMAL;
static char program[64] = "cpm";

/* A descriptor 0, 1 or 2 that is closed would be taken by the first file that we open. What stands
 * in for stdout takes nothing, so that a program whose product it is fails instead of losing it. */
static void keep_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) != fd)
            _exit(EX_OSERR);
    }
}

/* Not argv[0], which the caller may choose at will: the name stands in every line of the journal.
 */
void err_program(const char *name)
{
    (void)snprintf(program, sizeof program, "%s", name);
    keep_standard_descriptors();
    /* A reader that goes away is an EPIPE, a file that may not grow an EFBIG, decided on where they
     * occur. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
}

const char *err_name(void)
{
    return program;
}

void err_tame(char *text, size_t n, char instead)
{
    for (size_t size; n > 0; text += size, n -= size) {
        uint32_t c;
        size = utf8_char(text, n, &c);
        if (size == 0) {
            size = 1;
            c = (unsigned char)*text;
        }
        if ((c < ' ' && c != '\t') || (c >= 0x7f && c < 0xa0))
            memset(text, instead, size);
    }
}

#define TEXT_SIZE   1024
#define NAMES_SIZE  64 /* for the mark and the program */
#define INFORMATION "==="

static const char error_mark[] = "***";

static void (*listener)(const char *mark, const char *text, size_t n);

void err_listen(void (*new_listener)(const char *mark, const char *text, size_t n))
{
    listener = new_listener;
}

/* One write a line, so that the lines of a pipeline's stages do not mix. An error has the same
 * shape at any verbosity: scripts look for it. */
static void put_line(const char *mark, const char *text)
{
    char line[TEXT_SIZE + NAMES_SIZE];
    const char *shown = err_verbosity >= ERR_WIRE && mark != error_mark ? mark : "";
    int n = snprintf(line, sizeof line, "%s%s%s: %s\n", shown, *shown ? " " : "", program, text);
    size_t all = n < (int)sizeof line ? (size_t)n : sizeof line - 1;
    line[all - 1] = '\n';
    err_out(line, all);
}

/* What a terminal would obey is shown as a question mark. */
__attribute__((format(printf, 3, 0))) static void say(enum err_level from, const char *mark,
                                                      const char *format, va_list ap)
{
    char text[TEXT_SIZE];
    if (err_verbosity < from && !listener)
        return;
    int n = vsnprintf(text, sizeof text, format, ap);
    if (n < 0)
        return;
    if (n >= TEXT_SIZE)
        text[utf8_whole(text, TEXT_SIZE - 1)] = '\0';
    err_tame(text, strlen(text), '?');
    if (err_verbosity >= from)
        put_line(mark, text);
    if (listener)
        listener(mark, text, strlen(text));
}

__attribute__((format(printf, 1, 2))) static void error(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say(ERR_QUIET, error_mark, format, ap);
    va_end(ap);
}

void err_line(const char *what, const char *why, const char *hint)
{
    if (hint)
        error("%s: %s (%s)", what, why, hint);
    else
        error("%s: %s", what, why);
}

void err_linef(const char *what, const char *hint, const char *why_format, ...)
{
    char why[TEXT_SIZE];
    va_list ap;
    va_start(ap, why_format);
    (void)vsnprintf(why, sizeof why, why_format, ap);
    va_end(ap);
    err_line(what, why, hint);
}

void err_warn(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say(ERR_NORMAL, INFORMATION, format, ap);
    va_end(ap);
}

void err_meter(const char *text)
{
    char line[TEXT_SIZE];
    int n = snprintf(line, sizeof line, "\r%s\033[K\r", text);
    if (n > 0 && (size_t)n < sizeof line)
        err_out(line, (size_t)n);
}

void err_step(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say(ERR_STEPS, INFORMATION, format, ap);
    va_end(ap);
}

/* As many lines as a pipe takes at once (PIPE_BUF); a longer one by itself. */
static size_t together(const char *lines, size_t n)
{
    if (n <= PIPE_BUF)
        return n;
    const char *last = memrchr(lines, '\n', PIPE_BUF);
    if (!last)
        last = memchr(lines, '\n', n);
    return last ? (size_t)(last - lines) + 1 : n;
}

void err_wire(const char *headline, const char *lines, size_t n)
{
    char first[PIPE_BUF];
    if (err_verbosity < ERR_WIRE)
        return;
    int head = snprintf(first, TEXT_SIZE, INFORMATION " %s: %s\n", program, headline);
    size_t room = head < TEXT_SIZE ? sizeof first - (size_t)head : 0;
    size_t with = n <= room ? n : 0;
    if (with > 0)
        memcpy(first + head, lines, with);
    err_out(first, (head < TEXT_SIZE ? (size_t)head : TEXT_SIZE - 1) + with);
    for (size_t done = with, now; done < n; done += now) {
        now = together(lines + done, n - done);
        err_out(lines + done, now);
    }
}

int err_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EX_OK;
    err_line(ERR_OUTPUT, strerror(errno), NULL);
    return EX_IOERR;
}

void err_die(int status, const char *what, const char *why, const char *hint)
{
    err_line(what, why, hint);
    exit(status);
}

void err_die_by(int signal_number)
{
    sigset_t set;
    err_out_finish();
    (void)signal(signal_number, SIG_DFL);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, signal_number);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    (void)raise(signal_number);
    _exit(128 + signal_number);
}
