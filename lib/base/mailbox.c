#include "base/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

union control {
    struct cmsghdr head; /* for its alignment */
    char room[CMSG_SPACE(sizeof(int))];
};

int mailbox_folder(const char *path, int *folder)
{
    struct stat st;
    int err = 0;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return errno;
    *folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*folder < 0)
        return errno;
    if (fstat(*folder, &st) != 0)
        err = errno;
    else if (st.st_uid != geteuid() || (st.st_mode & 077))
        err = EPERM;
    if (err)
        (void)close(*folder);
    return err;
}

/* By the folder's descriptor: a socket's path has room for 107 characters only. */
static int address(int folder, const char *name, struct sockaddr_un *a)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (!*name || *name == '.' || strchr(name, '/') || strlen(name) > MAILBOX_NAME_MAX)
        return EINVAL;
    int n = snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d/%s", folder, name);
    return n > 0 && (size_t)n < sizeof(a->sun_path) ? 0 : EINVAL;
}

int mailbox_sender(int *fd)
{
    *fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return *fd < 0 ? errno : 0;
}

int mailbox_open(int folder, const char *name, int *fd)
{
    struct sockaddr_un a;
    int err = address(folder, name, &a);
    if (!err)
        err = mailbox_sender(fd);
    if (err)
        return err;
    if (bind(*fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return 0;
    err = errno == EADDRINUSE ? EEXIST : errno;
    (void)close(*fd);
    return err;
}

void mailbox_shut(int folder, const char *name, int fd)
{
    (void)unlinkat(folder, name, 0);
    (void)shutdown(fd, SHUT_RD);
}

static void attach(struct msghdr *m, union control *c, int pass)
{
    memset(c, 0, sizeof(*c));
    m->msg_control = c->room;
    m->msg_controllen = sizeof(c->room);
    struct cmsghdr *h = CMSG_FIRSTHDR(m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(h), &pass, sizeof(pass));
}

int mailbox_send(int sender, int folder, const char *name, const char *note, int pass)
{
    struct sockaddr_un to;
    union control c;
    char text[MAILBOX_NOTE_MAX + 1];
    int n = snprintf(text, sizeof(text), "%s", note);
    int err = address(folder, name, &to);
    if (err || n < 0 || (size_t)n >= sizeof(text))
        return EINVAL;
    struct iovec v = {text, (size_t)n};
    struct msghdr m = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &v, .msg_iovlen = 1};
    if (pass >= 0)
        attach(&m, &c, pass);
    while (sendmsg(sender, &m, MSG_NOSIGNAL) < 0) {
        if (errno == EINTR)
            continue;
        if (errno == ECONNREFUSED) /* its process is dead */
            (void)unlinkat(folder, name, 0);
        bool nobody = errno == ECONNREFUSED || errno == EPIPE || errno == ENOENT;
        bool later = errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS;
        return nobody ? ENOENT : later ? EAGAIN : errno;
    }
    return 0;
}

static int attached(struct msghdr *m)
{
    int fd = -1;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
        if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
            memcpy(&fd, CMSG_DATA(h), sizeof(fd)); /* there is room for one only */
    }
    return fd;
}

int mailbox_read(int fd, char note[MAILBOX_NOTE_MAX + 1], int *passed)
{
    union control c;
    struct iovec v = {note, MAILBOX_NOTE_MAX};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = c.room, .msg_controllen = sizeof(c.room)};
    ssize_t n;
    while ((n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)) < 0 && errno == EINTR) {
    }
    if (n <= 0) /* no note is empty: after mailbox_shut this is the end */
        return EAGAIN;
    note[n] = '\0';
    *passed = attached(&m);
    return 0;
}
