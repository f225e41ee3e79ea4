/* The offer (RFC 4566, 4975 8): exactly the attributes that the service wants, and never
 * a=connection (RFC 6135 4.4). */
#include "sdp/sdp.h"

#include <errno.h>
#include <string.h>

#define DISCARD_PORT 9

static bool one_line(const char *text)
{
    return text == NULL || strpbrk(text, "\r\n") == NULL;
}

/* The host (IPv6 without brackets) and the port of "msrp://user@host:port/session;tcp". */
static int authority(const char *path, struct slice *host, uint64_t *port)
{
    struct slice uri = slice_of(path);
    const char *p = strstr(path, "://");
    const char *colon;

    if (p == NULL)
        return EINVAL;
    uri.n -= (size_t)(p + 3 - uri.p);
    uri.p = p + 3;
    uri.n = strcspn(uri.p, "/; ");
    p = memchr(uri.p, '@', uri.n);
    if (p != NULL) {
        uri.n -= (size_t)(p + 1 - uri.p);
        uri.p = p + 1;
    }
    colon = memrchr(uri.p, ':', uri.n);
    if (colon == NULL ||
        !slice_number((struct slice){colon + 1, (size_t)(uri.p + uri.n - colon - 1)}, 65535, port))
        return EINVAL;
    *host = (struct slice){uri.p, (size_t)(colon - uri.p)};
    if (host->n >= 2 && host->p[0] == '[' && host->p[host->n - 1] == ']')
        *host = (struct slice){host->p + 1, host->n - 2};
    return host->n > 0 && *port > 0 ? 0 : EINVAL;
}

static int add_head(const struct sdp_offer *o, struct slice host, struct buf *out)
{
    bool six = o->addrtype != NULL && strcmp(o->addrtype, "IP6") == 0;
    const char *family = six || memchr(host.p, ':', host.n) != NULL ? "IP6" : "IP4";

    return buf_format(out,
                      "v=0\r\n"
                      "o=- %llu %llu IN %s %.*s\r\n"
                      "s=-\r\n"
                      "c=IN %s %.*s\r\n"
                      "t=0 0\r\n",
                      (unsigned long long)o->session, (unsigned long long)o->version, family,
                      (int)host.n, host.p, family, (int)host.n, host.p);
}

static int add_attribute(struct buf *out, const char *name, const char *value)
{
    return value != NULL && value[0] != '\0' ? buf_format(out, "a=%s:%s\r\n", name, value) : 0;
}

static int add_media(const struct sdp_offer *o, uint64_t port, struct buf *out)
{
    int err = 0;

    if (o->setup != NULL && strcmp(o->setup, "active") == 0)
        port = DISCARD_PORT;
    err |= buf_format(out, "m=message %u %s *\r\n", (unsigned)port, o->proto);
    if (o->direction != NULL)
        err |= buf_format(out, "a=%s\r\n", o->direction);
    err |= add_attribute(out, "accept-types", o->accept_types);
    err |= add_attribute(out, "accept-wrapped-types", o->wrapped_types);
    err |= add_attribute(out, "path", o->path);
    if (o->size >= 0)
        err |= buf_format(out, "a=file-selector:size:%lld\r\n", (long long)o->size);
    err |= add_attribute(out, "setup", o->setup);
    err |= buf_add_text(out, o->cema ? "a=msrp-cema\r\n" : "");
    err |= add_attribute(out, "fingerprint", o->fingerprint);
    return err != 0 ? EMSGSIZE : 0;
}

int sdp_offer_build(const struct sdp_offer *o, struct buf *out)
{
    struct slice host;
    uint64_t port;
    size_t before = out->n;

    if (o->path == NULL || o->proto == NULL || authority(o->path, &host, &port) != 0)
        return EINVAL;
    if (!one_line(o->path) || !one_line(o->proto) || !one_line(o->setup) ||
        !one_line(o->direction) || !one_line(o->accept_types) || !one_line(o->wrapped_types) ||
        !one_line(o->fingerprint))
        return EINVAL;
    if (add_head(o, host, out) == 0 && add_media(o, port, out) == 0)
        return 0;
    out->n = before;
    return EMSGSIZE;
}
