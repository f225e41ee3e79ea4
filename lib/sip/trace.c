#include "trace/trace.h"
#include "base/mem.h"
#include "sip/digest.h"
#include "sip/fence.h"
#include "sip/head.h"
#include "sip/stack_int.h"

#include <stdlib.h>
#include <string.h>

/* --- What nobody shall find in a log: with the response of a digest a password can be guessed. The
 * length stays what it is. */

static void blot(char *text, struct slice whole, struct slice part)
{
    memset(text + (part.p - whole.p), '*', part.n);
}

/* One header, which may be folded; of a scheme that is no digest all is hidden. */
static void mask_value(char *text, struct slice whole, struct slice value)
{
    struct slice rest = digest_params(slice_trim(value)), name, param;

    if (rest.p == NULL)
        blot(text, whole, slice_trim(value));
    while (rest.n > 0 && digest_param(&rest, &name, &param)) {
        if (slice_is_nocase(name, "response"))
            blot(text, whole, param);
    }
}

static bool is_credentials(struct slice line)
{
    struct slice name = slice_trim(slice_cut(&line, ':'));
    return slice_is_nocase(name, "Authorization") || slice_is_nocase(name, "Proxy-Authorization");
}

/* The header's line with those that continue it. */
static struct slice cut_header(struct slice *rest)
{
    struct slice header = slice_cut(rest, '\n');
    while (rest->n > 0 && (*rest->p == ' ' || *rest->p == '\t')) {
        struct slice more = slice_cut(rest, '\n');
        header.n = (size_t)(more.p + more.n - header.p);
    }
    return header;
}

/* A copy without the secrets. The caller frees it. */
static char *masked(struct slice text)
{
    char *copy = slice_dup(text);
    struct slice rest = text;
    while (rest.n > 0) {
        struct slice header = cut_header(&rest);
        struct slice value = header;
        if (header.n == 0 || (header.n == 1 && *header.p == '\r'))
            break;
        if (!is_credentials(header))
            continue;
        (void)slice_cut(&value, ':');
        if (value.n > 0 && value.p[value.n - 1] == '\r')
            value.n--;
        mask_value(copy, text, value);
    }
    return copy;
}

/* --- What a message is. */

/* Its transaction: the branch, and the method of CSeq. The caller frees it. */
static char *key_of(const struct head *h)
{
    struct slice via = {0}, cseq = {0}, branch = {0};
    (void)head_count(h, "Via", &via);
    (void)head_count(h, "CSeq", &cseq);
    struct slice rest = head_value(&via);
    (void)slice_cut(&rest, ';');
    while (rest.p) {
        struct slice value = slice_cut(&rest, ';');
        struct slice name = slice_trim(slice_cut(&value, '='));
        if (slice_is_nocase(name, "branch"))
            branch = slice_trim(value);
    }
    (void)slice_cut(&cseq, ' ');
    return mem_format("%.*s %.*s", (int)branch.n, branch.p ? branch.p : "", (int)cseq.n,
                      cseq.p ? cseq.p : "");
}

/* What is hoped for is success, or a 487 where CANCEL succeeded. */
static bool is_failure(int code)
{
    return code >= 300 && code != 487;
}

static void set_kind(struct trace_message *m, struct slice start)
{
    uint64_t code;
    m->kind = TRACE_REQUEST;
    if (!slice_starts(start, "SIP/2.0 "))
        return;
    (void)slice_cut(&start, ' ');
    if (!slice_number(slice_cut(&start, ' '), 999, &code))
        code = 0;
    m->kind = code < 200 ? TRACE_PROVISIONAL : TRACE_FINAL;
    m->failure = is_failure((int)code);
}

void message_shown(bool sent, const struct sip_hop *hop, struct slice text)
{
    static const char *const over[] = {"SIP/UDP", "SIP/TCP", "SIP/TLS"};
    struct trace_message m = {.over = over[hop->transport],
                              .encrypted = hop->transport == SIP_TLS,
                              .sent = sent,
                              .peer = &hop->addr,
                              .kind = TRACE_PART};
    if (!trace_shows())
        return;
    struct head *h = head_new((struct slice){text.p, head_length(text)});
    char *shown = masked(text), *key = NULL;
    if (!h->fault) {
        key = key_of(h);
        set_kind(&m, h->start);
    }
    m.key = slice_of(key);
    m.text = (struct slice){shown, text.n};
    trace_message(&m);
    free(key);
    free(shown);
    head_free(h);
}

struct trace_flow *stream_shown(int fd, const struct sip_hop *peer, bool guest,
                                struct slice waiting)
{
    size_t whole;
    struct trace_flow *f = trace_stream(fd, &peer->addr, !guest, peer->transport == SIP_TLS);
    while (waiting.n > 0 && trace_shows() && fence_frame(waiting, &whole) == 0) {
        message_shown(true, peer, (struct slice){waiting.p, whole});
        waiting = (struct slice){waiting.p + whole, waiting.n - whole};
    }
    return f;
}
