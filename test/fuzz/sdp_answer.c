/* A recipient's session description: what can be read can be judged, and every text is there. */
#include "sdp/sdp.h"
#include "test/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct sdp_view v;
    struct slice body = {(const char *)bytes, n};
    int err = sdp_read(body, &v);
    if (err) {
        HOLDS(sdp_read_refusal(err).status != 0);
        return 0;
    }
    HOLDS(v.port <= 65535 && v.max_size >= -1 && v.size >= -1);
    HOLDS(v.proto && v.address && v.path && v.setup && v.accept_types && v.wrapped_types);
    HOLDS(v.direction && v.fingerprint && !strchr(v.path, '\n') && !strchr(v.path, '\r'));
    struct sdp_refusal r = sdp_answer_check(&v, 1000, "image/png");
    HOLDS((r.status == 0) == (r.text == NULL));
    HOLDS(v.found || r.status != 0);
    const char *setup = sdp_answer_setup(&v);
    HOLDS(!*setup || strcmp(setup, "active") == 0 || strcmp(setup, "passive") == 0);
    sdp_view_free(&v);
    return 0;
}
