/* Loaded into programs (LD_PRELOAD): writes each call that changes something below $RECORD_ROOT to
 * the file $RECORD_LOG, in the order in which they happened in all processes, for test/power.py:
 *
 *     create PATH | write PATH OFFSET HEX | truncate PATH SIZE | sync PATH | syncfs
 *     link PATH PATH | move PATH PATH | remove PATH | mkdir PATH | rmdir PATH */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *root;
static int log_fd = -1;

__attribute__((constructor)) static void begin(void)
{
    const char *log = getenv("RECORD_LOG");
    root = getenv("RECORD_ROOT");
    if (log && root)
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
    /* Out of the way of descriptors that programs hand on by number. */
    if (log_fd >= 0)
        log_fd = fcntl(log_fd, F_DUPFD_CLOEXEC, 500);
}

/* Calls and their records have one order. A child that closed our descriptor records nothing. */
static void lock(void)
{
    if (log_fd >= 0)
        (void)flock(log_fd, LOCK_EX);
}

static void unlock(void)
{
    int saved = errno;
    if (log_fd >= 0)
        (void)flock(log_fd, LOCK_UN);
    errno = saved;
}

static bool is_ours(const char *path)
{
    return log_fd >= 0 && strncmp(path, root, strlen(root)) == 0;
}

static void record(const char *format, ...)
{
    char line[3 * PATH_MAX];
    int saved = errno;
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    if (n > 0 && syscall(SYS_write, log_fd, line, (size_t)n) != n)
        abort();
    errno = saved;
}

static bool path_of(int fd, char path[PATH_MAX])
{
    char link_name[64];
    (void)snprintf(link_name, sizeof link_name, "/proc/self/fd/%d", fd);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link_name, path, PATH_MAX - 1);
    path[n > 0 ? n : 0] = '\0';
    return n > 0 && is_ours(path);
}

static void record_bytes(const char *path, off_t at, const unsigned char *bytes, size_t n)
{
    char *hex = malloc(2 * n + 1);
    for (size_t i = 0; i < n; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    record("write %s %lld ", path, (long long)at);
    if (syscall(SYS_write, log_fd, hex, 2 * n) != (long)(2 * n))
        abort();
    record("\n");
    free(hex);
}

static off_t place(int fd)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    if (flags & O_APPEND)
        return fstat(fd, &st) == 0 ? st.st_size : 0;
    return lseek(fd, 0, SEEK_CUR);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    char path[PATH_MAX];
    if (log_fd < 0 || !path_of(fd, path))
        return syscall(SYS_write, fd, bytes, n);
    lock();
    bool named = path_of(fd, path);
    off_t at = place(fd);
    ssize_t done = syscall(SYS_write, fd, bytes, n);
    if (named && done > 0)
        record_bytes(path, at, bytes, (size_t)done);
    unlock();
    return done;
}

ssize_t copy_file_range(int in, off_t *at_in, int out, off_t *at_out, size_t n, unsigned flags)
{
    char path[PATH_MAX];
    lock();
    off_t at = place(out);
    ssize_t done = syscall(SYS_copy_file_range, in, at_in, out, at_out, n, flags);
    if (done > 0 && path_of(out, path)) {
        unsigned char *bytes = malloc((size_t)done);
        if (pread(out, bytes, (size_t)done, at) != done)
            abort();
        record_bytes(path, at, bytes, (size_t)done);
        free(bytes);
    }
    unlock();
    return done;
}

int open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    if (!(flags & O_CREAT) || !is_ours(path))
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    lock();
    bool there = access(path, F_OK) == 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd >= 0 && !there)
        record("create %s\n", path);
    unlock();
    return fd;
}

static int synced(int fd, long call)
{
    char path[PATH_MAX];
    lock();
    int result = (int)syscall(call, fd);
    if (result == 0 && path_of(fd, path))
        record("sync %s\n", path);
    unlock();
    return result;
}

int fsync(int fd)
{
    return synced(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return synced(fd, SYS_fdatasync);
}

int syncfs(int fd)
{
    lock();
    int result = (int)syscall(SYS_fsync, fd); /* cheaper for the machine, the same for the model */
    if (result == 0 && log_fd >= 0)
        record("syncfs\n");
    unlock();
    return result;
}

int ftruncate(int fd, off_t size)
{
    char path[PATH_MAX];
    lock();
    int result = (int)syscall(SYS_ftruncate, fd, size);
    if (result == 0 && path_of(fd, path))
        record("truncate %s %lld\n", path, (long long)size);
    unlock();
    return result;
}

#define RECORDED(is, text, call, ...)                 \
    do {                                              \
        lock();                                       \
        int result = (int)syscall(call, __VA_ARGS__); \
        if (result == 0 && is_ours(is))               \
            record text;                              \
        unlock();                                     \
        return result;                                \
    } while (0)

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    RECORDED(from, ("move %s %s\n", from, to), SYS_renameat2, from_fd, from, to_fd, to, flags);
}

int link(const char *from, const char *to)
{
    RECORDED(from, ("link %s %s\n", from, to), SYS_link, from, to);
}

int unlink(const char *path)
{
    RECORDED(path, ("remove %s\n", path), SYS_unlink, path);
}

int mkdir(const char *path, mode_t mode)
{
    RECORDED(path, ("mkdir %s\n", path), SYS_mkdir, path, mode);
}

int rmdir(const char *path)
{
    RECORDED(path, ("rmdir %s\n", path), SYS_rmdir, path);
}
