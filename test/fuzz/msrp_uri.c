/* MSRP URIs and paths: what parses can be written, and what was written is the same URI. */
#include "msrp/msrp.h"
#include "test/fuzz/fuzz.h"

#include <string.h>

static void check_uri(struct slice text)
{
    struct msrp_uri one;
    struct msrp_uri two;
    struct buf out = BUF_UP_TO(1024 * 1024);
    if (msrp_uri_parse(text, &one) != 0)
        return;
    HOLDS(msrp_uri_same(&one, &one));
    HOLDS(one.host.n > 0 && one.transport.n > 0);
    HOLDS(msrp_uri_format(&out, &one) == 0);
    HOLDS(msrp_uri_parse(buf_slice(&out), &two) == 0);
    HOLDS(msrp_uri_same(&one, &two) && msrp_uri_same(&two, &one));
    HOLDS(msrp_uri_same_session(&one, &two) == (one.session.n > 0));
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char id[MSRP_IDENT_MAX + 1];
    struct slice text = {(const char *)bytes, n};
    check_uri(text);
    if (msrp_path_check(text) == 0) {
        check_uri(msrp_path_first(text));
        check_uri(msrp_path_last(text));
    }
    msrp_message_id(id, text);
    HOLDS(strlen(id) >= 4 && strlen(id) <= MSRP_IDENT_MAX);
    return 0;
}
