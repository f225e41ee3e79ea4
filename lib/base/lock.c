#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

static struct flock byte_lock(off_t byte, short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
}

static int set(int fd, int command, off_t byte, short type)
{
    struct flock f = byte_lock(byte, type);
    while (fcntl(fd, command, &f) < 0) {
        if (errno != EINTR)
            return errno == EACCES ? EAGAIN : errno;
    }
    return 0;
}

static short type_of(enum lock_kind kind)
{
    return kind == LOCK_SHARED ? F_RDLCK : F_WRLCK;
}

int lock_try(int fd, off_t byte, enum lock_kind kind)
{
    return set(fd, F_OFD_SETLK, byte, type_of(kind));
}

int lock_wait(int fd, off_t byte, enum lock_kind kind)
{
    return set(fd, F_OFD_SETLKW, byte, type_of(kind));
}

int lock_drop(int fd, off_t byte)
{
    return set(fd, F_OFD_SETLK, byte, F_UNLCK);
}

int lock_held(int fd, off_t byte, bool *held)
{
    struct flock f = byte_lock(byte, F_WRLCK);
    if (fcntl(fd, F_OFD_GETLK, &f) < 0)
        return errno;
    *held = f.l_type != F_UNLCK;
    return 0;
}

static int whole(int fd, int operation)
{
    while (flock(fd, operation) < 0) {
        if (errno != EINTR)
            return errno;
    }
    return 0;
}

int lock_file(int fd, enum lock_kind kind)
{
    return whole(fd, kind == LOCK_SHARED ? LOCK_SH : LOCK_EX);
}

int lock_file_drop(int fd)
{
    return whole(fd, LOCK_UN);
}
