#include "base/systemd.h"

#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MOST 1024

static int64_t number(const char *variable)
{
    int64_t value;
    const char *text = secure_getenv(variable);
    return text && num_int(text, 0, INT32_MAX, &value) == 0 ? value : 0;
}

int systemd_fds(void)
{
    int64_t n = number("LISTEN_PID") == getpid() ? number("LISTEN_FDS") : 0;
    (void)unsetenv("LISTEN_PID"); /* these fail for names that cannot be alone */
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    int most = n < MOST ? (int)n : MOST;
    for (int i = 0; i < most; i++) {
        int fd = SYSTEMD_FIRST_FD + i;
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
            fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            return i;
    }
    return most;
}

int systemd_ready(void)
{
    static const char note[] = "READY=1";
    const char *path = secure_getenv("NOTIFY_SOCKET");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (!path || !*path)
        return 0;
    size_t n = strlen(path);
    if (n >= sizeof a.sun_path)
        return ENAMETOOLONG;
    memcpy(a.sun_path, path, n);
    if (a.sun_path[0] == '@') /* an abstract name */
        a.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    ssize_t sent =
        sendto(fd, note, sizeof note - 1, MSG_NOSIGNAL, (const struct sockaddr *)&a, length);
    int err = sent < 0 ? errno : 0;
    (void)close(fd);
    return err;
}
