/* A kernel that says it encrypts what is sent (kTLS), and does not: so a test sees the octets that
 * it is given. What goes there by sendfile is written down in KTLS_FILE. With KTLS_ABSENT it is one
 * that knows nothing of TLS. */
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#define LEVEL_TLS 282
#define SENDING   1

int setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
    static int (*real)(int, int, int, const void *, socklen_t);
    if (!real)
        real = (int (*)(int, int, int, const void *, socklen_t))dlsym(RTLD_NEXT, "setsockopt");
    bool absent = getenv("KTLS_ABSENT") != NULL;
    errno = ENOENT;
    if (level == IPPROTO_TCP && name == TCP_ULP)
        return absent ? -1 : 0;
    if (level != LEVEL_TLS)
        return real(fd, level, name, value, n);
    errno = ENOPROTOOPT; /* what comes in is still for the library */
    return name == SENDING && !absent ? 0 : -1;
}

static void note(ssize_t n)
{
    const char *path = getenv("KTLS_FILE");
    FILE *f = path && n > 0 ? fopen(path, "a") : NULL;
    if (!f)
        return;
    if (fprintf(f, "%zd\n", n) < 0)
        abort();
    if (fclose(f) != 0)
        abort();
}

ssize_t sendfile(int out, int in, off_t *offset, size_t count)
{
    static ssize_t (*real)(int, int, off_t *, size_t);
    if (!real)
        real = (ssize_t(*)(int, int, off_t *, size_t))dlsym(RTLD_NEXT, "sendfile");
    ssize_t n = real(out, in, offset, count);
    int err = errno;
    note(n);
    errno = err;
    return n;
}
