/* Token, password, certificate and key, read once. */
#include "bin/status/status.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_MAX (1 << 20)

static int status_of(int err)
{
    switch (err) {
    case ENOENT:
        return EX_NOINPUT;
    case ENODATA:
    case EMSGSIZE:
    case EILSEQ:
        return EX_CONFIG; /* it may be read, and holds no secret */
    default:
        return EX_NOPERM;
    }
}

static bool said(const char *path, int err, const char *hint, int *status)
{
    if (err) {
        err_line(path, file_secret_error(err), hint);
        *status = status_of(err);
    }
    return err == 0;
}

static bool read_secret(const char *path, char **secret, int *status)
{
    return said(path, file_read_secret(path, secret), "one line, in a file with mode 600", status);
}

static int read_rest(int fd, struct buf *b)
{
    for (;;) {
        size_t room;
        char *p = buf_room(b, 16384, &room);
        ssize_t n = room ? read(fd, p, room) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : !room ? EMSGSIZE : b->n ? 0 : ENODATA;
        buf_wrote(b, (size_t)n);
    }
}

/* A key may be open to a group, as those are that several services share. */
static int read_pem(const char *path, bool is_key, char **text)
{
    struct stat st;
    struct buf b = BUF_UP_TO(PEM_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno;
    int err = fstat(fd, &st) < 0 ? errno : S_ISREG(st.st_mode) ? 0 : EINVAL;
    if (!err && is_key && (st.st_mode & 027))
        err = EACCES;
    if (!err)
        err = read_rest(fd, &b);
    (void)close(fd);
    if (err)
        buf_free(&b);
    else
        *text = b.p; /* ends in a NUL */
    return err;
}

static bool read_tls(const struct status_config *c, struct secrets *s, int *status)
{
    const char *key = c->http_tls_key ? c->http_tls_key : c->http_tls_cert;
    if (!c->http_tls_cert) {
        if (c->http_tls_key)
            err_line("--http-tls-key", "there is no certificate", "give --http-tls-cert too");
        *status = EX_USAGE;
        return !c->http_tls_key;
    }
    return said(c->http_tls_cert, read_pem(c->http_tls_cert, false, &s->cert), NULL, status) &&
           said(key, read_pem(key, true, &s->key), "a key has to be closed to others: chmod 600",
                status);
}

bool secrets_read(const struct status_config *c, struct secrets *s, int *status)
{
    if (c->http_token_file && !read_secret(c->http_token_file, &s->token, status))
        return false;
    if (c->http_auth_file && !read_secret(c->http_auth_file, &s->user_password, status))
        return false;
    if (s->user_password && !strchr(s->user_password, ':')) {
        err_line(c->http_auth_file, "holds no USER:PASSWORD", NULL);
        *status = EX_CONFIG;
        return false;
    }
    return read_tls(c, s, status);
}

void secrets_forget(struct secrets *s)
{
    file_forget_secret(s->token);
    file_forget_secret(s->user_password);
    file_forget_secret(s->key);
    free(s->cert);
    *s = (struct secrets){0};
}
