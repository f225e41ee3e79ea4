#include "base/file.h"

#include "base/mem.h"
#include "base/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* File systems on which locks or syncs are somebody else's promise. */
static bool is_remote(int fd)
{
    static const unsigned long remote[] = {
        NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, SMB2_SUPER_MAGIC, CIFS_SUPER_MAGIC, CODA_SUPER_MAGIC,
        AFS_SUPER_MAGIC, V9FS_MAGIC,      CEPH_SUPER_MAGIC, NCP_SUPER_MAGIC,  FUSE_SUPER_MAGIC,
    };
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0)
        return false;
    for (size_t i = 0; i < sizeof remote / sizeof *remote; i++) {
        if (((unsigned long)fs.f_type & 0xffffffffUL) == remote[i])
            return true;
    }
    return false;
}

static int check_private(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return errno;
    if (!S_ISREG(st.st_mode))
        return EINVAL;
    if (st.st_uid != geteuid())
        return EPERM;
    if (st.st_mode & 077)
        return EACCES;
    return is_remote(fd) ? EREMOTE : 0;
}

int file_open_private(const char *path, int flags, enum file_create create, int *fd)
{
    /* O_NONBLOCK: a FIFO in the place of the file must not hold us up. */
    flags |= O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    int opened = open(path, flags);
    if (opened < 0 && errno == ENOENT && create != FILE_IS_THERE) {
        opened = open(path, flags | O_CREAT | O_EXCL, 0600);
        if (opened < 0 && errno == EEXIST)
            opened = open(path, flags); /* somebody else was faster */
        else if (opened >= 0 && create == FILE_CREATE) {
            int err = file_sync_folder_of(path);
            if (err) {
                (void)close(opened);
                return err;
            }
        }
    }
    if (opened < 0)
        return errno == EISDIR || errno == ENXIO ? EINVAL : errno;
    int err = check_private(opened);
    if (err) {
        (void)close(opened);
        return err;
    }
    *fd = opened;
    return 0;
}

static int check_secret(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return errno;
    if (!S_ISREG(st.st_mode))
        return EINVAL;
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return EPERM;
    return st.st_mode & 077 ? EACCES : 0;
}

/* 0, EMSGSIZE, or read's errno. `secret` has room for FILE_SECRET_MAX + 2. */
static int read_secret(int fd, char *secret, size_t *n)
{
    ssize_t got = 0;
    *n = 0;
    do {
        got = read(fd, secret + *n, FILE_SECRET_MAX + 2 - *n);
        if (got > 0)
            *n += (size_t)got;
    } while (*n < FILE_SECRET_MAX + 2 && (got > 0 || (got < 0 && errno == EINTR)));
    if (got < 0)
        return errno;
    if (*n > 0 && secret[*n - 1] == '\n')
        --*n;
    if (*n > 0 && secret[*n - 1] == '\r')
        --*n;
    return *n > FILE_SECRET_MAX ? EMSGSIZE : 0;
}

int file_read_secret(const char *path, char **secret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENXIO ? EINVAL : errno;
    char *text = mem_new(FILE_SECRET_MAX + 3);
    size_t n = 0;
    int err = check_secret(fd);
    if (!err)
        err = read_secret(fd, text, &n);
    text[n] = '\0';
    if (!err && n == 0)
        err = ENODATA;
    if (!err && (strlen(text) != n || strpbrk(text, "\r\n")))
        err = EILSEQ;
    (void)close(fd);
    if (err)
        file_forget_secret(text);
    else
        *secret = text;
    return err;
}

const char *file_secret_error(int error)
{
    switch (error) {
    case EACCES:
        return "is open to others, or closed to you";
    case EPERM:
        return "belongs to another user";
    case EINVAL:
        return "is not a regular file";
    case ENODATA:
        return "is empty";
    case EMSGSIZE:
        return "is too large";
    case EILSEQ:
        return "is not one line of text";
    default:
        return strerror(error);
    }
}

void file_forget_secret(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

int file_same(int fd, const char *path, bool *same)
{
    struct stat ours, named;
    if (fstat(fd, &ours) < 0)
        return errno;
    if (lstat(path, &named) < 0) {
        *same = false;
        return errno == ENOENT ? 0 : errno;
    }
    *same = ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
    return 0;
}

int file_sync_data(int fd)
{
    while (fdatasync(fd) < 0) {
        if (errno != EINTR)
            return errno;
    }
    return 0;
}

char *file_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return mem_dup(".");
    if (slash == path)
        return mem_dup("/");
    return slice_dup((struct slice){path, (size_t)(slash - path)});
}

char *file_program_folder(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return NULL;
    self[n] = '\0';
    return file_folder_of(self);
}

int file_sync_folder(const char *folder)
{
    int err = 0;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    if (fsync(fd) < 0)
        err = errno;
    (void)close(fd);
    return err;
}

int file_sync_folder_of(const char *path)
{
    char *folder = file_folder_of(path);
    int err = file_sync_folder(folder);
    free(folder);
    return err;
}

int file_sync_system(int fd)
{
    return syncfs(fd) < 0 ? errno : 0;
}

int file_create(const char *path, int *fd)
{
    int opened = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (opened < 0)
        return errno;
    *fd = opened;
    return 0;
}

int file_make_folder(const char *path)
{
    return mkdir(path, 0700) < 0 && errno != EEXIST ? errno : 0;
}

int file_move(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0 ? errno : 0;
}

int file_link(const char *from, const char *to)
{
    return link(from, to) < 0 ? errno : 0;
}

int file_remove(const char *path)
{
    return unlink(path) < 0 ? errno : 0;
}

int file_remove_folder(const char *path)
{
    return rmdir(path) < 0 ? errno : 0;
}

int file_reserve(int fd, off_t octets)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return errno;
    while (fallocate(fd, FALLOC_FL_KEEP_SIZE, st.st_size, octets) < 0) {
        if (errno == EOPNOTSUPP || errno == ENOSYS)
            return 0;
        if (errno != EINTR)
            return errno;
    }
    return 0;
}

int file_unreserve(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return errno;
    return ftruncate(fd, st.st_size) < 0 ? errno : 0;
}

int file_check_local(int fd)
{
    return is_remote(fd) ? EREMOTE : 0;
}

int file_check_folder(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno;
    if (!S_ISDIR(st.st_mode))
        return ENOTDIR;
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return EPERM;
    if ((st.st_mode & 022) && !(st.st_mode & S_ISVTX))
        return EPERM;
    return 0;
}

/* A folder that is ours alone, made if it is missing. */
static int own_folder(const char *path)
{
    struct stat st;
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return errno;
    if (lstat(path, &st) < 0)
        return errno;
    if (!S_ISDIR(st.st_mode))
        return ENOTDIR;
    return st.st_uid == geteuid() && !(st.st_mode & 077) ? 0 : EPERM;
}

int file_run_folder(char **path)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    const char *tmp = getenv("TMPDIR");
    char *candidates[] = {
        runtime && *runtime == '/' ? mem_format("%s/cpm", runtime) : NULL,
        mem_dup("/run/cpm"),
        mem_format("%s/cpm-%u", tmp && *tmp == '/' ? tmp : "/tmp", (unsigned)geteuid()),
    };
    int err = ENOENT;
    *path = NULL;
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        if (!*path && candidates[i]) {
            err = own_folder(candidates[i]);
            if (err == 0) {
                *path = candidates[i];
                continue;
            }
        }
        free(candidates[i]);
    }
    return *path ? 0 : err;
}

int file_write_all(int fd, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return errno;
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

int file_temporary(int *fd)
{
    const char *tmp = getenv("TMPDIR");
    const char *folder = tmp && *tmp == '/' ? tmp : "/tmp";
    int opened = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (opened < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
        char *name = mem_format("%s/cpm-XXXXXX", folder);
        opened = mkostemp(name, O_CLOEXEC);
        if (opened >= 0)
            (void)unlink(name);
        free(name);
    }
    if (opened < 0)
        return errno;
    *fd = opened;
    return 0;
}
