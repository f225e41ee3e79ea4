/* MSRP URIs and paths, RFC 4975 section 6, and Message-IDs. */
#include "msrp/msrp.h"
#include "test/unit/tap.h"

#include <errno.h>

static struct msrp_uri uri(const char *text)
{
    struct msrp_uri u;
    if (msrp_uri_parse(slice_of(text), &u) != 0)
        tap_ok(false, "%s parses", text);
    return u;
}

static bool same(const char *a, const char *b)
{
    struct msrp_uri one = uri(a);
    struct msrp_uri two = uri(b);
    return msrp_uri_same(&one, &two);
}

static void test_parse(void)
{
    struct msrp_uri u = uri("msrps://alice@[2001:db8::1]:7394/a/b+c=d;TCP;x=y");
    tap_ok(u.secure, "msrps is secure");
    tap_ok(slice_is(u.host, "2001:db8::1"), "an IPv6 literal loses its brackets");
    tap_ok(u.has_port && u.port == 7394, "the port");
    tap_ok(slice_is(u.session, "a/b+c=d"), "a session id may hold / + =");
    tap_ok(slice_is(u.transport, "TCP"), "the transport ends at the next parameter");
    u = uri(" msrp://relay.example;tcp ");
    tap_ok(!u.has_port && u.session.n == 0, "a relay's URI without port and session");

    static const char *const bad[] = {
        "",
        "msrp://",
        "msrp://h:1/s",
        "msrp://h:1/s;",
        "sip:a@b;tcp",
        "msrp://:1/s;tcp",
        "msrp://h:65536/s;tcp",
        "msrp://h:x/s;tcp",
        "msrp://h:/s;tcp",
        "msrp://[::1/s;tcp",
        "msrp://[::1]x/s;tcp",
        "msrp://[[]:1/s;tcp",
        "msrp://[]:1/s;tcp",
        "msrp://a[b]:1/s;tcp",
        "msrp://a<b>:1/s;tcp",
        "msrp://h:1/s\x01;tcp",
        "msrp://h:1/a b;tcp",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        tap_ok(msrp_uri_parse(slice_of(bad[i]), &u) == EINVAL, "refused: '%s'", bad[i]);
}

static void test_compare(void)
{
    tap_ok(same("MSRP://Example.COM:1/s;tcp", "msrp://example.com:1/s;TCP"),
           "scheme, host and transport without case");
    tap_ok(!same("msrp://h:1/s;tcp", "msrp://h:1/S;tcp"), "the session id with case");
    tap_ok(!same("msrp://h:1/s;tcp", "msrps://h:1/s;tcp"), "msrp is not msrps");
    tap_ok(!same("msrp://h:2855/s;tcp", "msrp://h/s;tcp"), "a port on one side only");
    tap_ok(same("msrp://[2001:db8:0:0::1]:1/s;tcp", "msrp://[2001:DB8::1]:1/s;tcp"),
           "IP literals by value");
    tap_ok(same("msrp://bob@h:1/s;tcp", "msrp://h:1/s;tcp"), "userinfo is ignored");
    tap_ok(same("msrp://h:1/s;tcp;a=b", "msrp://h:1/s;tcp"), "other parameters are ignored");
    struct msrp_uri a = uri("msrp://10.0.0.1:5/s;tcp");
    struct msrp_uri b = uri("msrp://192.0.2.9:7777/s;tcp");
    struct msrp_uri none = uri("msrp://10.0.0.1:5;tcp");
    tap_ok(msrp_uri_same_session(&a, &b), "the session id alone");
    tap_ok(!msrp_uri_same_session(&none, &none), "no session id equals nothing");
}

static void test_path(void)
{
    struct slice path = SLICE("msrp://a:1;tcp msrp://b:2/x;tcp msrp://c:3/y;tcp");
    tap_ok(slice_is(msrp_path_first(path), "msrp://a:1;tcp"), "the next hop of a path");
    tap_ok(slice_is(msrp_path_last(path), "msrp://c:3/y;tcp"), "the endpoint of a path");
    tap_is_int(msrp_path_check(path), 0, "a sound path");
    tap_is_int(msrp_path_check(SLICE("msrp://a:1;tcp junk")), EINVAL, "an unsound path");
    tap_is_int(msrp_path_check(SLICE("  ")), EINVAL, "an empty path");
}

static void test_format(void)
{
    struct buf b = BUF_UP_TO(200);
    struct msrp_uri u = uri("msrp://[::1]:9/s/t;tcp");
    tap_is_int(msrp_uri_format(&b, &u), 0, "format");
    tap_is_str(b.p, "msrp://[::1]:9/s/t;tcp", "the text of a URI");
    buf_free(&b);
    b = BUF_UP_TO(20);
    tap_is_int(msrp_uri_format(&b, &u), EMSGSIZE, "a URI that does not fit");
    tap_is_int((long long)b.n, 0, "leaves nothing behind");
    buf_free(&b);
}

static void test_message_id(void)
{
    char id[MSRP_IDENT_MAX + 1];
    char again[MSRP_IDENT_MAX + 1];
    msrp_message_id(id, SLICE("Ab1.x%=+-"));
    tap_is_str(id, "Ab1.x%=+-", "a legal ident stays");
    msrp_message_id(id, SLICE("6a2f41cc-0d1b-4b7e-9c43-0123456789ab"));
    msrp_message_id(again, SLICE("6a2f41cc-0d1b-4b7e-9c43-0123456789ab"));
    tap_is_int((long long)strlen(id), 32, "a UUID is too long and becomes 32 digits");
    tap_is_str(id, again, "always the same");
    msrp_message_id(again, SLICE("6a2f41cc-0d1b-4b7e-9c43-0123456789ac"));
    tap_ok(strcmp(id, again) != 0, "another message has another id");
    msrp_message_id(id, SLICE("abc"));
    tap_is_int((long long)strlen(id), 32, "three characters are too few");
    msrp_message_id(id, SLICE("-abcd"));
    tap_is_int((long long)strlen(id), 32, "the first must be a letter or digit");
}

int main(void)
{
    test_parse();
    test_compare();
    test_path();
    test_format();
    test_message_id();
    return tap_done();
}
