/* A challenge: its parameters lie in the text and come to an end; what was taken of it can stand in
 * credentials, where the server finds the same again. */
#include "base/mem.h"
#include "sip/digest.h"
#include "test/fuzz/fuzz.h"

#include <string.h>

static void check_params(struct slice text)
{
    struct slice rest = digest_params(text), name, value;
    while (rest.n > 0) {
        size_t before = rest.n;
        if (!digest_param(&rest, &name, &value))
            break;
        HOLDS(rest.n < before && name.n > 0);
        HOLDS(name.p >= text.p && name.p + name.n <= text.p + text.n);
        HOLDS(value.n == 0 || (value.p >= text.p && value.p + value.n <= text.p + text.n));
    }
}

static void check_again(const struct challenge *c)
{
    const char *opaque = c->opaque ? c->opaque : "";
    char *text = mem_format("Digest realm=\"%s\", nonce=\"%s\", opaque=\"%s\", stale=%s", c->realm,
                            c->nonce, opaque, c->stale ? "true" : "false");
    struct challenge again;
    HOLDS(challenge_parse(slice_of(text), &again) == 0);
    HOLDS(strcmp(again.realm, c->realm) == 0 && strcmp(again.nonce, c->nonce) == 0);
    HOLDS(strcmp(again.opaque, opaque) == 0 && again.stale == c->stale);
    challenge_free(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct slice text = {(const char *)bytes, n};
    struct challenge c;
    check_params(text);
    if (!memchr(bytes, '\0', n) && challenge_parse(text, &c) == 0) {
        check_again(&c);
        challenge_free(&c);
    }
    return 0;
}
