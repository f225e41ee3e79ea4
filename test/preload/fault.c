/* Loaded into programs (LD_PRELOAD): in the program $FAULT_PROGRAM, the $FAULT_AT-th call that
 * changes a file (counted in each process; stderr is none) is followed by SIGKILL (with $FAULT_ALL
 * for the whole process group), or with $FAULT_ERRNO fails instead. Only once, or with
 * $FAULT_LASTING so does all that the process calls from then on; $FAULT_FOLDER/done then says
 * which call it was. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static long at, error, count;
static pid_t whom; /* 0: the group */
static bool lasting, failing;

__attribute__((constructor)) static void begin(void)
{
    const char *program = getenv("FAULT_PROGRAM");
    const char *n = getenv("FAULT_AT"), *e = getenv("FAULT_ERRNO");
    if (program && n && strcmp(program, program_invocation_short_name) == 0)
        at = strtol(n, NULL, 10);
    error = e ? strtol(e, NULL, 10) : 0;
    lasting = getenv("FAULT_LASTING") != NULL;
    whom = getenv("FAULT_ALL") ? 0 : getpid();
}

/* Is this the call? Only the first process that comes so far is hit. */
static bool hit(const char *call)
{
    char path[4096];
    const char *folder = getenv("FAULT_FOLDER");
    if (failing)
        return true;
    if (at == 0 || ++count != at)
        return false;
    (void)snprintf(path, sizeof path, "%s/done", folder ? folder : "/nonexistent");
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return false;
    (void)!syscall(SYS_write, fd, call, strlen(call));
    (void)syscall(SYS_close, fd);
    failing = lasting;
    return true;
}

#define FAULTY(name, ...)                               \
    do {                                                \
        bool now = hit(#name);                          \
        if (now && error) {                             \
            errno = (int)error;                         \
            return -1;                                  \
        }                                               \
        long result = syscall(SYS_##name, __VA_ARGS__); \
        if (now)                                        \
            (void)kill(whom, SIGKILL);                  \
        return (__typeof__(name(__VA_ARGS__)))result;   \
    } while (0)

static bool is_file(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    if (fd == STDERR_FILENO || !is_file(fd))
        return syscall(SYS_write, fd, bytes, n);
    FAULTY(write, fd, bytes, n);
}

int open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    if (!(flags & O_CREAT))
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    FAULTY(open, path, flags, mode);
}

ssize_t copy_file_range(int in, off_t *at_in, int out, off_t *at_out, size_t n, unsigned flags)
{
    FAULTY(copy_file_range, in, at_in, out, at_out, n, flags);
}

int fsync(int fd)
{
    FAULTY(fsync, fd);
}

int fdatasync(int fd)
{
    FAULTY(fdatasync, fd);
}

int syncfs(int fd)
{
    FAULTY(syncfs, fd);
}

int ftruncate(int fd, off_t size)
{
    FAULTY(ftruncate, fd, size);
}

int fallocate(int fd, int mode, off_t from, off_t size)
{
    FAULTY(fallocate, fd, mode, from, size);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    FAULTY(renameat2, from_fd, from, to_fd, to, flags);
}

int link(const char *from, const char *to)
{
    FAULTY(link, from, to);
}

int unlink(const char *path)
{
    FAULTY(unlink, path);
}

int mkdir(const char *path, mode_t mode)
{
    FAULTY(mkdir, path, mode);
}

int rmdir(const char *path)
{
    FAULTY(rmdir, path);
}
