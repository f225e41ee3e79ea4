/* Which names a server goes by, and which Authorization is one. */
#include "http/http_int.h"
#include "test/unit/tap.h"

#include <stdlib.h>
#include <sys/un.h>

static const char *const names[] = {"status.example.com", "203.0.113.9"};

static struct net_addr at(const char *text)
{
    struct net_addr a = {0};
    if (*text)
        (void)net_parse(text, &a);
    else
        a.ss.ss_family = AF_UNIX;
    return a;
}

static void test_hosts(void)
{
    static const struct {
        const char *local, *host;
        bool ours;
    } cases[] = {
        {"127.0.0.1:8099", "127.0.0.1", true},
        {"127.0.0.1:8099", "127.0.0.1:8099", true},
        {"127.0.0.1:8099", "127.0.0.1:9", true}, /* a forwarded port */
        {"127.0.0.1:8099", "localhost:8099", true},
        {"127.0.0.1:8099", "LocalHost", true},
        {"127.0.0.1:8099", "localhost.", true},
        {"127.0.0.1:8099", "status.example.com", true},
        {"127.0.0.1:8099", "STATUS.example.com:443", true},
        {"127.0.0.1:8099", "status.example.com.", true},
        {"127.0.0.1:8099", "127.0.0.2", false},
        {"127.0.0.1:8099", "[::1]", false},
        {"127.0.0.1:8099", "evil.example", false},
        {"127.0.0.1:8099", "localhost.evil.example", false},
        {"127.0.0.1:8099", "xlocalhost", false},
        {"127.0.0.1:8099", "status.example.com.evil", false},
        {"127.0.0.1:8099", "", false},
        {"127.0.0.1:8099", ".", false},
        {"127.0.0.1:8099", ":80", false},
        {"127.0.0.1:8099", "127.0.0.1:", false},
        {"127.0.0.1:8099", "127.0.0.1:80x", false},
        {"127.0.0.1:8099", "127.0.0.1:70000", false},
        {"127.0.0.1:8099", "user@127.0.0.1", false},
        {"127.0.0.1:8099", "127.1", false},
        {"127.0.0.1:8099", "2130706433", false},
        {"127.0.0.1:8099", "203.0.113.9", false}, /* a literal is an address, not a name */
        {"[::1]:8099", "[::1]:8099", true},
        {"[::1]:8099", "[0:0:0:0:0:0:0:1]", true},
        {"[::1]:8099", "localhost", true},
        {"[::1]:8099", "[::1", false},
        {"[::1]:8099", "[::1]x", false},
        {"[::1]:8099", "[]", false},
        {"[::ffff:127.0.0.1]:8099", "127.0.0.1", true},
        {"[::ffff:127.0.0.1]:8099", "localhost", true},
        {"192.0.2.1:8099", "192.0.2.1:8099", true},
        {"192.0.2.1:8099", "localhost", false},
        {"192.0.2.1:8099", "127.0.0.1", false},
        {"192.0.2.1:8099", "status.example.com", true},
        {"", "localhost", true},
        {"", "status.example.com", true},
        {"", "127.0.0.1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct net_addr local = at(cases[i].local);
        bool ours = http_host_is_ours(slice_of(cases[i].host), &local, names, 1);
        tap_ok(ours == cases[i].ours, "at %s, \"%s\" is %s", cases[i].local, cases[i].host,
               cases[i].ours ? "ours" : "another's");
    }
    struct net_addr local = at("127.0.0.1:1");
    tap_ok(http_host_is_ours(SLICE("203.0.113.9:80"), &local, names, 2),
           "an address that was given as a name counts");
    char text[400];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    tap_ok(!http_host_is_ours(slice_of(text), &local, names, 2), "a very long one is another's");
}

static void test_basic(void)
{
    static const char *const pairs[][2] = {
        {"Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}, /* RFC 7617 2 */
        {"test:123\xC2\xA3", "dGVzdDoxMjPCow=="},                /* RFC 7617 2.1 */
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"}, /* RFC 4648 10 */
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char *text = http_basic(pairs[i][0]);
        tap_is_str(text, pairs[i][1], pairs[i][0]);
        free(text);
    }
}

static void test_authorization(void)
{
    static const struct {
        const char *value;
        bool good;
    } cases[] = {
        {"Bearer s3cr3t", true},
        {"bearer s3cr3t", true},
        {"Bearer  s3cr3t", true},
        {"Basic dTpw", true},
        {"BASIC dTpw", true},
        {"Bearer s3cr3", false},
        {"Bearer s3cr3ts3cr3t", false},
        {"Bearer s3cr3tx", false},
        {"Bearer", false},
        {"Bearer ", false},
        {"Basic s3cr3t", false},
        {"Bearer dTpw", false},
        {"s3cr3t", false},
        {"", false},
        {"Basic dTpwx", false},
        {"Digest s3cr3t", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        tap_ok(http_is_authorized(slice_of(cases[i].value), "s3cr3t", "dTpw") == cases[i].good,
               "\"%s\" is %s", cases[i].value, cases[i].good ? "good" : "not");
    tap_ok(!http_is_authorized(SLICE("Basic dTpw"), "s3cr3t", NULL),
           "without a password, no basic");
    tap_ok(!http_is_authorized(SLICE("Bearer s3cr3t"), NULL, "dTpw"), "without a token, no bearer");
    tap_ok(!http_is_authorized((struct slice){0}, "s3cr3t", "dTpw"), "nothing is not good");
}

int main(void)
{
    test_hosts();
    test_basic();
    test_authorization();
    return tap_done();
}
