#include "msrp/out.h"

#include "base/mem.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORD ((size_t)16 * 1024) /* the most that TLS puts into one */
#define PACKED (8 * RECORD)
#define SMALL  RECORD /* of the file: less than this is cheaper to copy than to send by itself */

/* Does the library encrypt, so that it has to get everything from memory? */
static bool by_library(const struct msrp_out *o)
{
    return o->sock.tls && !tls_kernel_sends(o->sock.tls);
}

static ssize_t write_packed(struct msrp_out *o, bool more)
{
    const char *p = o->packed + o->gone;
    size_t n = o->n - o->gone;
    if (by_library(o))
        return tls_write(o->sock.tls, p, n);
    return send(o->sock.fd, p, n, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
}

static int flush(struct msrp_out *o, bool more)
{
    while (o->gone < o->n) {
        ssize_t n = write_packed(o, more);
        if (n < 0)
            return errno;
        trace_octets(o->flow, true, o->packed + o->gone, (size_t)n);
        o->gone += (size_t)n;
    }
    o->gone = o->n = 0;
    return 0;
}

int msrp_out_flush(struct msrp_out *o)
{
    return flush(o, false);
}

/* Room in the pack, where a full one is sent first. NULL and errno: the socket is full, or broken.
 */
static char *room(struct msrp_out *o, size_t *n)
{
    int err = o->n == PACKED ? flush(o, true) : 0;
    if (err) {
        errno = err;
        return NULL;
    }
    if (!o->packed)
        o->packed = mem_new(PACKED);
    if (*n > PACKED - o->n)
        *n = PACKED - o->n;
    return o->packed + o->n;
}

ssize_t msrp_out_text(struct msrp_out *o, const char *p, size_t n)
{
    char *to = room(o, &n);
    if (!to)
        return -1;
    memcpy(to, p, n);
    o->n += n;
    return (ssize_t)n;
}

static ssize_t send_from(struct msrp_out *o, int file, uint64_t offset, size_t n)
{
    off_t at = (off_t)offset;
    errno = flush(o, true);
    if (errno)
        return -1;
    ssize_t sent = sendfile(o->sock.fd, file, &at, n);
    if (sent > 0)
        trace_file(o->flow, file, offset, (size_t)sent);
    return sent;
}

ssize_t msrp_out_file(struct msrp_out *o, int file, uint64_t offset, size_t n)
{
    if (n >= SMALL && !by_library(o))
        return send_from(o, file, offset, n);
    char *to = room(o, &n);
    if (!to)
        return -1;
    ssize_t got = pread(file, to, n, (off_t)offset);
    if (got > 0)
        o->n += (size_t)got;
    return got;
}

bool msrp_out_is_sockets(int error)
{
    return error == EAGAIN || error == EINTR || error == EPIPE || error == ECONNRESET ||
           error == ETIMEDOUT || error == ENOTCONN || error == EHOSTUNREACH ||
           error == ENETUNREACH || error == ECONNABORTED || error == ENETDOWN ||
           error == EKEYREJECTED || error == EPROTO;
}

/* TLS adds a little to each record: what waits in the socket is never less than that of ours. */
uint64_t msrp_out_waiting(const struct msrp_out *o)
{
    int waiting = 0;
    if (o->sock.fd < 0 || ioctl(o->sock.fd, SIOCOUTQ, &waiting) != 0 || waiting < 0)
        waiting = 0;
    return (uint64_t)waiting + (o->n - o->gone);
}

bool msrp_out_is_empty(const struct msrp_out *o)
{
    return o->gone == o->n;
}

/* A peer without TCP_NODELAY holds its next answer back until we acknowledged the one before, and
 * while the window is full we have nothing to send along with that. Not sticky, so after each
 * read. */
void msrp_out_acknowledge(const struct msrp_out *o)
{
    int on = 1;
    if (setsockopt(o->sock.fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on)) != 0)
        return; /* only for speed */
}

void msrp_out_over(struct msrp_out *o, int error)
{
    if (error == ECONNRESET)
        trace_reset(o->flow);
    else
        trace_end(o->flow, false);
}

void msrp_out_end(struct msrp_out *o)
{
    trace_end(o->flow, true);
    if (o->sock.tls)
        tls_shutdown(o->sock.tls);
    (void)shutdown(o->sock.fd, SHUT_WR);
}

void msrp_out_close(struct msrp_out *o)
{
    trace_flow_free(o->flow);
    o->flow = NULL;
    sock_close(&o->sock);
    free(o->packed);
    o->packed = NULL;
    o->n = o->gone = 0;
}
