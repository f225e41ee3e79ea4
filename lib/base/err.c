#include "base/err.h"

#include "base/err_int.h"

#include <errno.h>
#include <fcntl.h>
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
    (void)signal(SIGPIPE,
                 SIG_IGN); /* a reader that goes away is an EPIPE, decided on where it occurs */
}

const char *err_name(void)
{
    return program;
}

static bool prints(unsigned char c)
{
    return (c >= ' ' && c != 0x7f) || c == '\t';
}

/* One write a line, so that the lines of a pipeline's stages do not mix. What a terminal would obey
 * is shown as a question mark. */
static void put_line(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!prints((unsigned char)text[i]))
            text[i] = '?';
    }
    text[n] = '\n';
    err_out(text, n + 1);
}

#define TEXT_SIZE 1024

__attribute__((format(printf, 1, 0))) static void say(const char *format, va_list ap)
{
    char text[TEXT_SIZE];
    int head = snprintf(text, sizeof text, "%s: ", program);
    int n = vsnprintf(text + head, sizeof text - (size_t)head, format, ap);
    size_t all = (size_t)head + (n > 0 ? (size_t)n : 0);
    put_line(text, all < sizeof text ? all : sizeof text - 1);
}

__attribute__((format(printf, 1, 2))) static void sayf(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    say(format, ap);
    va_end(ap);
}

void err_line(const char *what, const char *why, const char *hint)
{
    if (hint)
        sayf("%s: %s (%s)", what, why, hint);
    else
        sayf("%s: %s", what, why);
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
    if (err_verbosity < ERR_NORMAL)
        return;
    va_list ap;
    va_start(ap, format);
    say(format, ap);
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
    if (err_verbosity < ERR_STEPS)
        return;
    va_list ap;
    va_start(ap, format);
    say(format, ap);
    va_end(ap);
}

#define WIRE_MAX 65536

static void put_wire_line(const char *mark, const char *p, size_t n)
{
    char text[TEXT_SIZE];
    size_t head = (size_t)snprintf(text, sizeof text, "%s", mark);
    size_t shown = n < sizeof text - head - 1 ? n : sizeof text - head - 1;
    memcpy(text + head, p, shown);
    for (size_t i = head; i < head + shown; i++) {
        if (!prints((unsigned char)text[i]))
            text[i] = '.';
    }
    put_line(text, head + shown);
}

void err_wire(bool sent, const char *headline, const void *bytes, size_t n)
{
    if (err_verbosity < ERR_WIRE)
        return;
    const char *mark = sent ? "-> " : "<- ";
    const char *p = bytes;
    const char *end = p + (n < WIRE_MAX ? n : WIRE_MAX);
    sayf("%s %s, %zu octets", sent ? "sent" : "received", headline, n);
    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const char *stop = newline ? newline : end;
        size_t length = (size_t)(stop - p);
        if (length > 0 && p[length - 1] == '\r')
            length--;
        put_wire_line(mark, p, length);
        p = newline ? newline + 1 : end;
    }
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
