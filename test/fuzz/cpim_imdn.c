/* A notification, by itself or wrapped: what is told of it lies in the content, or in what was
 * decoded, and holds no tag. */
#include "cpim/imdn.h"
#include "test/fuzz/fuzz.h"

#include <string.h>

static bool inside(struct slice s, struct slice whole)
{
    return s.p >= whole.p && s.p <= whole.p + whole.n && s.n <= (size_t)(whole.p + whole.n - s.p);
}

static void check(const char *type, struct slice content)
{
    struct imdn n;
    struct buf decoded;
    bool is = imdn_read(slice_of(type), content, &decoded, &n);
    HOLDS(decoded.n <= IMDN_MAX && decoded.n <= content.n);
    const struct slice parts[] = {n.message_id, n.status};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        HOLDS(is || parts[i].n == 0);
        HOLDS(parts[i].n == 0 || inside(parts[i], decoded.p ? buf_slice(&decoded) : content));
        HOLDS(parts[i].n == 0 || !memchr(parts[i].p, i ? '>' : '<', parts[i].n));
    }
    buf_free(&decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct slice content = {(const char *)bytes, n};
    check(IMDN_TYPE, content);
    check("Message/CPIM; charset=utf-8", content);
    check("text/plain", content);
    return 0;
}
