#include "bin/sink/answer.h"

#include "base/mem.h"
#include "base/rand.h"
#include "bin/sink/sink.h"
#include "sdp/sdp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DISCARD_PORT 9 /* of the active side, RFC 4145 section 4 */

/* The role that goes with the offer's (RFC 4145 4.1); without one the offerer connects (RFC 4975
 * 5.4). */
static const char *counterpart(const char *offered)
{
    if (strcmp(offered, "passive") == 0 || strcmp(offered, "actpass") == 0)
        return "active";
    return strcmp(offered, "active") == 0 ? "passive" : "none";
}

static int local_address(struct call *c, bool active, struct net_addr *local)
{
    int error = sip_local(c->sink->stack, &c->hop, local);
    if (error)
        return error;
    if (!active)
        return media_listen(c->sink, local, local);
    net_set_port(local, DISCARD_PORT);
    return 0;
}

static const char *scheme_of(const struct call *c)
{
    return c->secure ? "msrps" : "msrp";
}

static char *stated_path(const struct call *c, const char *authority)
{
    const char *wish = c->behave.path;
    const char *scheme = scheme_of(c);
    char other[24];
    rand_token(other, 20);
    if (behave_is(wish, "none"))
        return NULL;
    if (behave_is(wish, "wrong"))
        return mem_format("%s://%s/%s;tcp", scheme, authority, other);
    if (behave_is(wish, "relay"))
        return mem_format("%s://%s/%s;tcp %s", scheme, authority, other, c->path);
    return mem_dup(wish ? wish : c->path);
}

struct answer {
    const char *eol;
    const char *setup; /* NULL: no attribute */
    const char *family;
    char host[NET_TEXT_SIZE];
    unsigned port;
    bool odd;
};

static int write_attributes(const struct call *c, const struct answer *a, struct buf *b)
{
    const struct behave *want = &c->behave;
    int error = buf_format(b, "a=accept-types:%s%s", want->accept_types, a->eol);
    if (!error && want->max_size >= 0)
        error = buf_format(b, "a=max-size:%" PRId64 "%s", want->max_size, a->eol);
    if (!error && c->answer_path)
        error = buf_format(b, "a=path:%s%s", c->answer_path, a->eol);
    if (!error)
        error = buf_format(b, "a=%s%s", want->direction, a->eol);
    if (!error && a->odd)
        error = buf_format(b, "%s        %s", a->eol, a->eol);
    if (!error && a->setup)
        error = buf_format(b, "a=setup:%s%s", a->setup, a->eol);
    char *fingerprint = secure_fingerprint(c);
    if (!error && fingerprint)
        error = buf_format(b, "a=fingerprint:%s%s", fingerprint, a->eol);
    free(fingerprint);
    return error;
}

static int write_connection(const struct answer *a, struct buf *b)
{
    return buf_format(b, "c=IN %s %s%s", a->family, a->host, a->eol);
}

/* The odd form is what careless clients write: bare LF, c= behind the attributes, blank lines. */
static int write_answer(struct call *c, const struct answer *a)
{
    struct buf *b = &c->answer;
    int error = buf_format(b, "v=0%so=- %s 1 IN %s %s%ss=-%s", a->eol, c->sid, a->family, a->host,
                           a->eol, a->eol);
    if (!error && !a->odd)
        error = write_connection(a, b);
    if (!error)
        error = buf_format(b, "t=0 0%sm=message %u TCP/%sMSRP *%s", a->eol, a->port,
                           c->secure ? "TLS/" : "", a->eol);
    if (!error)
        error = write_attributes(c, a, b);
    return !error && a->odd ? write_connection(a, b) : error;
}

int answer_build(struct call *c)
{
    const struct behave *want = &c->behave;
    struct net_addr local;
    struct sdp_view offer;
    char authority[NET_TEXT_SIZE];
    struct answer a = {.odd = want->sdp_lf, .eol = want->sdp_lf ? "\n" : "\r\n"};
    if (sdp_read(slice_of(c->offer), &offer))
        return EBADMSG;
    const char *setup = want->setup ? want->setup : counterpart(offer.setup);
    a.setup = strcmp(setup, "none") ? setup : NULL;
    sdp_view_free(&offer);
    bool active = strcmp(setup, "active") == 0;
    c->dials = (active || want->connect) && !behave_is(want->connect, "never");
    int error = local_address(c, active, &local);
    if (error)
        return error;
    call_set_session(c);
    net_addr_text(authority, &local);
    net_host_text(a.host, &local, false);
    a.family = local.ss.ss_family == AF_INET6 ? "IP6" : "IP4";
    a.port = want->port0 ? 0 : net_port(&local);
    c->path = mem_format("%s://%s/%s;tcp", scheme_of(c), authority, c->session);
    c->answer_path = stated_path(c, authority);
    return write_answer(c, &a);
}
