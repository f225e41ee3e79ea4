/* Writes down the files that a program opens by the calls of the C library, in OPENS_FILE. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void note(const char *path)
{
    const char *file = getenv("OPENS_FILE");
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    int fd = file && path ? real(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    char line[4096];
    if (fd < 0)
        return;
    int n = snprintf(line, sizeof line, "%s\n", path);
    if (write(fd, line, (size_t)n) != n)
        abort();
    (void)close(fd);
}

static int mode_of(int flags, va_list ap)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, int) : 0;
}

#define OPEN(name)                                                    \
    int name(const char *path, int flags, ...)                        \
    {                                                                 \
        int (*real)(const char *, int, ...) =                         \
            (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
        va_list ap;                                                   \
        va_start(ap, flags);                                          \
        int mode = mode_of(flags, ap);                                \
        va_end(ap);                                                   \
        note(path);                                                   \
        return real(path, flags, mode);                               \
    }
OPEN(open)
OPEN(open64)

#define FOPEN(name)                                                           \
    FILE *name(const char *path, const char *how)                             \
    {                                                                         \
        FILE *(*real)(const char *, const char *) =                           \
            (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, #name); \
        note(path);                                                           \
        return real(path, how);                                               \
    }
FOPEN(fopen)
FOPEN(fopen64)
