/* The examples of RFC 7616 3.9.1 (their numbers; those that it lacks were made with another
 * program), and challenges in all shapes. */
#include "base/mem.h"
#include "sip/digest.h"
#include "test/unit/tap.h"

#include <errno.h>
#include <stdlib.h>

#define NONCE  "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
#define OPAQUE "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
#define CNONCE "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"

static char *answer(const char *challenge, uint32_t nc)
{
    struct challenge c;
    char a1[HASH_HEX_SIZE], why[MODULE_WHY_SIZE] = "";
    char *value = NULL;
    int err = challenge_parse(slice_of(challenge), &c);

    if (err != 0)
        return NULL;
    err = digest_a1(&c, "Mufasa", "Circle of Life", CNONCE, a1, why);
    if (err == 0)
        err = digest_value(&(struct digest){.challenge = &c,
                                            .a1 = a1,
                                            .user = "Mufasa",
                                            .method = "GET",
                                            .uri = "/dir/index.html",
                                            .cnonce = CNONCE,
                                            .nc = nc},
                           &value, why);
    if (err != 0)
        printf("# %s\n", why);
    challenge_free(&c);
    return value;
}

static void test_examples(void)
{
    static const struct {
        const char *algorithm, *response;
    } rows[] = {
        {"MD5", "8ca523f5e9506fed4657c9700eebdbec"},
        {"SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
        {"SHA-512-256", "430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0"},
        {"MD5-sess", "e783283f46242139c486a698fec7211d"},
        {"SHA-256-sess", "2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7"},
        {"SHA-512-256-sess", "3f2a34f923c38b0fb26dce2fdfc2ce326c23cecf86fbb1444f3e51fbbc2cb92e"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *challenge =
            mem_format("Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\","
                       " algorithm=%s, nonce=\"" NONCE "\", opaque=\"" OPAQUE "\"",
                       rows[i].algorithm);
        char *wanted = mem_format("Digest username=\"Mufasa\", realm=\"http-auth@example.org\", "
                                  "nonce=\"" NONCE "\", uri=\"/dir/index.html\", response=\"%s\", "
                                  "algorithm=%s, cnonce=\"" CNONCE "\", qop=auth, nc=00000001, "
                                  "opaque=\"" OPAQUE "\"",
                                  rows[i].response, rows[i].algorithm);
        char *got = answer(challenge, 1);
        tap_is_str(got, wanted, rows[i].algorithm);
        free(got);
        free(wanted);
        free(challenge);
    }
}

/* As RFC 2069 had it: without qop nothing is counted. */
static void test_without_qop(void)
{
    char *got = answer("Digest nonce=\"" NONCE "\",realm=\"http-auth@example.org\"", 7);

    tap_is_str(got,
               "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", nonce=\"" NONCE
               "\", uri=\"/dir/index.html\", response=\"7b2cc3b30e75b4777ea31027084363fd\"",
               "no qop, no algorithm, no opaque: none of them in the answer");
    free(got);
}

static void test_shapes(void)
{
    static const struct {
        const char *text;
        int err;
    } rows[] = {
        {"Digest realm=\"r\", nonce=\"n\"", 0},
        {"digest Realm=\"r\",NONCE=\"n\",Stale=TRUE", 0},
        {"Digest realm=r, nonce=n, qop=auth, algorithm=\"md5\"", 0},
        {"Digest  realm = \"a, b=\\\"c\\\"\" , nonce=\"\"", 0},
        {"Digest realm=\"r\", nonce=\"n\", new-thing, other=\"x,y\", last=z", 0},
        {"Digest realm=\"r\", realm=\"twice\", nonce=\"n\"", 0},
        {"Digest realm=\"r\"", EBADMSG},
        {"Digest nonce=\"n\"", EBADMSG},
        {"Digest realm=\"never ends, nonce=n", EBADMSG},
        {"Digest", EPROTONOSUPPORT},
        {"Digest ", EBADMSG},
        {"", EPROTONOSUPPORT},
        {"Basic realm=\"r\"", EPROTONOSUPPORT},
        {"Digest realm=\"r\", nonce=\"n\", algorithm=AKAv1-MD5", EPROTONOSUPPORT},
        {"Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"", EPROTONOSUPPORT},
        {"Digest realm=a\"b, nonce=n", EBADMSG},
        {"Digest realm=a, nonce=n\\", EBADMSG},
        {"Digest ,,, realm=\"r\",, nonce=\"n\",", 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct challenge c;
        int err = challenge_parse(slice_of(rows[i].text), &c);
        tap_is_int(err, rows[i].err, rows[i].text);
        if (err == 0)
            challenge_free(&c);
    }
}

static void test_quotes(void)
{
    struct challenge c;

    tap_is_int(challenge_parse(SLICE("Digest realm=\"a \\\"b\\\"\", nonce=\"n\", stale=true"), &c),
               0, "escaped quotes");
    tap_is_str(c.realm, "a \\\"b\\\"", "a realm is kept as it came");
    tap_ok(c.stale, "stale");
    challenge_free(&c);
}

int main(void)
{
    test_examples();
    test_without_qop();
    test_shapes();
    test_quotes();
    return tap_done();
}
