/* --behave challenge: digest authentication as a server does it (RFC 7616, RFC 8760). */
#include "base/mem.h"
#include "base/rand.h"
#include "bin/sink/sink.h"
#include "sip/digest.h"
#include "sip/parts.h"

#include <stdlib.h>
#include <string.h>

#define REALM "cpm-sink"

static const char *const offered[] = {"SHA-256", "MD5"}; /* the better one first */

static char *challenge_text(const struct call *c, const char *algorithm)
{
    struct sink *s = c->sink;
    if (!s->nonce[0])
        rand_token(s->nonce, sizeof s->nonce - 1);
    return mem_format("Digest realm=\"" REALM "\", nonce=\"%s\", algorithm=%s, qop=\"auth\"",
                      s->nonce, algorithm);
}

void challenge_add(const struct call *c, struct osip_message *r)
{
    for (size_t i = 0; i < sizeof offered / sizeof *offered; i++) {
        char *text = challenge_text(c, offered[i]);
        (void)sip_header_add(r, "WWW-Authenticate", text);
        free(text);
    }
}

/* --- Credentials. */

static struct slice param_of(const char *value, const char *wanted)
{
    struct slice rest = digest_params(slice_of(value)), name, text;
    while (rest.n > 0 && digest_param(&rest, &name, &text)) {
        if (slice_is_nocase(name, wanted))
            return text;
    }
    return (struct slice){NULL, 0};
}

static char *text_of(const char *value, const char *wanted)
{
    return slice_dup(param_of(value, wanted));
}

/* The response that the right password gives, with what the credentials say of the rest. NULL: it
 * cannot be computed, as *why says. */
static char *right_value(struct call *c, const struct challenge *challenge, const char *value,
                         const char *method, uint32_t nc)
{
    char a1[HASH_HEX_SIZE], why[MODULE_WHY_SIZE];
    char *user = text_of(value, "username"), *uri = text_of(value, "uri");
    char *cnonce = text_of(value, "cnonce"), *right = NULL;
    struct digest d = {challenge, a1, user, method, uri, cnonce, nc};
    if (digest_a1(challenge, user, c->behave.challenge, cnonce, a1, why) ||
        digest_value(&d, &right, why))
        call_error(c, "digest: %s", why);
    free(user);
    free(uri);
    free(cnonce);
    return right;
}

static bool count_of(const char *value, uint32_t *nc)
{
    static const char digits[] = "0123456789abcdef";
    struct slice text = param_of(value, "nc");
    *nc = 0;
    for (size_t i = 0; i < text.n; i++) {
        const char *digit = memchr(digits, text.p[i], 16);
        if (!digit)
            return false;
        *nc = *nc << 4 | (uint32_t)(digit - digits);
    }
    return text.n == 8;
}

static bool is_right(struct call *c, const char *value, const char *method)
{
    char *algorithm = text_of(value, "algorithm");
    char *text = challenge_text(c, algorithm[0] ? algorithm : "MD5"), *right = NULL;
    struct challenge challenge;
    uint32_t nc;
    bool same = false;
    if (challenge_parse(slice_of(text), &challenge) == 0) {
        if (slice_is(param_of(value, "nonce"), challenge.nonce) && count_of(value, &nc))
            right = right_value(c, &challenge, value, method, nc);
        same = right && slice_eq(param_of(right, "response"), param_of(value, "response"));
        if (same && nc <= c->nonce_count)
            call_error(c, "the nonce count of %s does not grow", method);
        if (same)
            c->nonce_count = nc;
        challenge_free(&challenge);
    }
    free(right);
    free(text);
    free(algorithm);
    return same;
}

static void check_uri(struct call *c, const struct osip_message *m, const char *value)
{
    char *uri = sip_request_uri(m);
    if (!uri || !slice_is(param_of(value, "uri"), uri))
        call_error(c, "the credentials of %s are for another URI", sip_method(m));
    free(uri);
}

bool challenge_met(struct call *c, const struct osip_message *m)
{
    const char *value;
    if (!c->behave.challenge)
        return true;
    for (int i = 0; (value = sip_header(m, "Authorization", i)); i++) {
        if (!slice_is(param_of(value, "realm"), REALM))
            continue;
        if (is_right(c, value, sip_method(m))) {
            check_uri(c, m, value);
            return true;
        }
    }
    return false;
}
