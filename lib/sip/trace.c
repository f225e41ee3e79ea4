#include "base/err.h"
#include "base/mem.h"
#include "sip/digest.h"
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

void trace_wire(bool sent, const struct sip_hop *hop, struct slice text)
{
    char addr[NET_TEXT_SIZE], headline[NET_TEXT_SIZE + 16];
    if (err_verbosity < ERR_WIRE)
        return;
    net_addr_text(addr, &hop->addr);
    (void)snprintf(headline, sizeof headline, "SIP/%s %s", sip_via_name(hop->transport), addr);
    char *shown = masked(text);
    err_wire(sent, headline, shown, text.n);
    free(shown);
}
