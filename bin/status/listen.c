/* The listeners: systemd's or our own, and whether they may be served. */
#include "bin/status/status.h"

#include "base/err.h"
#include "base/net.h"
#include "base/systemd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define USUAL "127.0.0.1:8099"

/* What other hosts can reach is served with TLS to those with a token or password, unless the user
 * wants it otherwise. */
static bool is_safe(const struct status_config *c, int fd, int *status)
{
    struct net_addr a;
    char text[NET_TEXT_SIZE];
    *status = EX_USAGE;
    if (net_local(fd, &a) != 0 || a.ss.ss_family == AF_UNIX || net_is_loopback(&a) ||
        c->http_insecure)
        return true;
    const char *lacks = !c->http_tls_cert                           ? "there is no TLS"
                        : !c->http_token_file && !c->http_auth_file ? "everybody may ask"
                                                                    : NULL;
    net_addr_text(text, &a);
    if (lacks)
        err_linef(text, "give --http-tls-cert and --http-token-file, or --http-insecure",
                  "other hosts can reach this address, and %s", lacks);
    return !lacks;
}

static bool add(const struct status_config *c, struct listeners *l, int fd, int *status)
{
    if (l->n == LISTENERS_MAX) {
        err_line("listeners", "too many", NULL);
        *status = EX_USAGE;
        return false;
    }
    l->fd[l->n++] = fd;
    return is_safe(c, fd, status);
}

static bool is_listener(int fd)
{
    int type, listens;
    socklen_t n = sizeof type, m = sizeof listens;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &m) == 0 && listens;
}

static bool take_given(const struct status_config *c, struct listeners *l, int n, int *status)
{
    for (int i = 0; i < n; i++) {
        int fd = SYSTEMD_FIRST_FD + i;
        if (!is_listener(fd)) {
            err_linef("LISTEN_FDS", "ListenStream= in the .socket unit, without Accept=yes",
                      "descriptor %d is no stream socket that listens", fd);
            *status = EX_USAGE;
            return false;
        }
        if (!add(c, l, fd, status))
            return false;
    }
    return true;
}

static bool open_one(const struct status_config *c, struct listeners *l, const char *text,
                     int *status)
{
    struct net_bind b;
    struct net_addr bound;
    int fd;
    *status = EX_USAGE;
    if (net_parse_bind(text, &b) != 0) {
        err_linef("--http-listen", "127.0.0.1:8099, [::1]:8099", "\"%s\" is no address", text);
        return false;
    }
    int err = net_open(SOCK_STREAM, &b, AF_UNSPEC, true, &fd, &bound);
    if (err) {
        err_line(text, strerror(err),
                 err == EADDRINUSE ? "somebody listens there: choose another port" : NULL);
        *status = EX_OSERR;
        return false;
    }
    return add(c, l, fd, status);
}

bool listeners_open(const struct status_config *c, struct listeners *l, int *status)
{
    int given = systemd_fds();
    if (given > 0)
        return take_given(c, l, given, status);
    bool good = c->http_listen.n > 0 || open_one(c, l, USUAL, status);
    for (size_t i = 0; i < c->http_listen.n && good; i++)
        good = open_one(c, l, c->http_listen.v[i], status);
    return good;
}

bool listeners_print(const struct listeners *l, bool tls)
{
    for (int i = 0; i < l->n; i++) {
        struct net_addr a;
        char text[NET_TEXT_SIZE];
        if (net_local(l->fd[i], &a) != 0)
            continue;
        if (a.ss.ss_family == AF_UNIX) {
            (void)printf("unix:%.*s\n", (int)sizeof((struct sockaddr_un *)0)->sun_path,
                         ((const struct sockaddr_un *)&a.ss)->sun_path);
            continue;
        }
        net_addr_text(text, &a);
        (void)printf("http%s://%s/\n", tls ? "s" : "", text);
    }
    return fflush(stdout) == 0 && !ferror(stdout);
}
