/* URIs of users and peers, options that are refused, originators that are the same, verdicts. */
#include "sip/uri.h"

#include "sip/agent.h"
#include "test/unit/tap.h"

#include <stdlib.h>

static void taken(const char *text, const char *wire)
{
    struct uri u;
    int err = uri_parse(slice_of(text), &u, NULL);
    char *out = err == 0 ? uri_text(&u) : NULL;

    tap_is_str(out, wire, text);
    free(out);
}

static void refused(const char *text)
{
    struct uri u;
    const char *why = NULL;

    tap_ok(uri_parse(slice_of(text), &u, &why) != 0 && why != NULL, "refused: %.*s (%s)",
           (int)strcspn(text, "\r\n"), text, why != NULL ? why : "");
}

static void test_uris(void)
{
    taken("sip:bob@example.com", "sip:bob@example.com");
    taken("SIP:bob@example.com:5070;transport=tcp;lr", "sip:bob@example.com:5070;transport=tcp;lr");
    taken("sips:example.com", "sips:example.com");
    taken("sip:bob@[2001:db8::1]:5070", "sip:bob@[2001:db8::1]:5070");
    taken("sip:bob@2001:db8::1", "sip:bob@[2001:db8::1]");
    taken("sip:::1", "sip:[::1]");
    taken("sip:+123;phone-context=x.com@example.com;user=phone",
          "sip:+123;phone-context=x.com@example.com;user=phone");
    taken("tel:+1-555(12)", "tel:+1-555(12)");
    taken("tel:911;phone-context=+1", "tel:911;phone-context=+1");
    taken("sip:a%20b@example.com", "sip:a%20b@example.com");
    refused("");
    refused("bob");
    refused("bob@example.com");
    refused("mailto:bob@example.com");
    refused("sip:");
    refused("sip:@example.com");
    refused("sip:bob@");
    refused("sip:bob@example.com:0");
    refused("sip:bob@example.com:65536");
    refused("sip:bob@example.com:50x");
    refused("sip:bob@[::1");
    refused("sip:bob@[::g]");
    refused("sip:bob@[::1]x");
    refused("sip:bob@ex ample.com");
    refused("sip:bob@example.com?Subject=x");
    refused("sip:bob@example.com\r\nX: y");
    refused("sip:bob@example.com>;x");
    refused("\"Bob\" <sip:bob@example.com>");
    refused("sip:b\303\266b@example.com");
    refused("tel:");
    refused("tel:+");
    refused("tel:12x4");
    refused("tel:1+2");
}

static void addr(const char *value, const char *wanted)
{
    char *out = slice_dup(uri_of_name_addr(slice_of(value)));

    tap_is_str(out, wanted, value);
    free(out);
}

static void test_name_addr(void)
{
    addr("<sip:b@x;lr>;q=1", "sip:b@x;lr");
    addr("sip:b@x;tag=1", "sip:b@x");
    addr("\"a <b> \\\" c\" <sip:b@x>", "sip:b@x");
    addr("Bob <sip:b@x", "sip:b@x");
    addr("", "");
}

static void same(bool wanted, const char *a, const char *b)
{
    tap_ok(sip_same_originator(a, b) == wanted, "%s %s %s", a, wanted ? "is" : "is not", b);
}

static void test_originators(void)
{
    same(true, "sip:alice@example.com", "sip:alice@EXAMPLE.com");
    same(true, "\"A\" <sip:alice@example.com;x=1>", "sip:alice@example.com;y=2");
    same(true, "<tel:+1-555-0100>", "tel:+15550100");
    same(true, "sip:+15550100@a.example;user=phone", "tel:+1(555)0100");
    same(true, "sip:+15550100@a.example", "sip:+15550100@b.example");
    same(false, "sip:100@a.example", "sip:100@b.example");
    same(false, "sip:Alice@example.com", "sip:alice@example.com");
    same(false, "sip:alice@example.com:5070", "sip:alice@example.com");
    same(false, "tel:+15550100", "tel:+15550101");
    same(false, "sip:anonymous@anonymous.invalid", "sip:alice@example.com");
    same(false, "", "sip:alice@example.com");
    same(false, "nonsense", "nonsense");
}

static int check(struct sip_config c, const char *what)
{
    struct sip_fault f;
    int status = sip_config_check(&c, true, &f);

    tap_ok(status == 0 || (f.what[0] != '\0' && f.why[0] != '\0'), "%s: %s", what,
           status == 0 ? "taken" : f.why);
    return status;
}

static struct sip_config good(void)
{
    struct sip_config c = SIP_CONFIG_DEFAULT;

    c.from = "sip:alice@example.com";
    c.to = "sip:bob@example.com";
    return c;
}

#define REFUSED(member, value)                                       \
    do {                                                             \
        struct sip_config wrong = good();                            \
        wrong.member = value;                                        \
        tap_is_int(check(wrong, #member), 64, #member " = " #value); \
    } while (0)

static void test_options(void)
{
    static const char *proxy[] = {"sip:p.example.com"};
    struct sip_config c = good();

    tap_is_int(check(c, "plain"), 0, "plain options");
    c.to = "tel:+15550100";
    tap_is_int(check(c, "tel without route"), 64, "tel: needs a route");
    c.proxy = (struct opt_list){proxy, 1};
    tap_is_int(check(c, "tel with route"), 0, "tel: by a proxy");
    REFUSED(from, NULL);
    REFUSED(to, "");
    REFUSED(to, "sip:bob@example.com;transport=sctp");
    REFUSED(asserted_identity, "alice\r\nX: y");
    REFUSED(referred_by, "<sip:alice@example.com>");
    REFUSED(user_agent, "a\r\nb");
    REFUSED(icsi, "urn:\"x");
    REFUSED(accept_contact, "*\n");
    REFUSED(conversation_id, "a b");
    REFUSED(sip_advertise, "a b");
    REFUSED(sip_bind, "127.0.0.1:x");
    REFUSED(session_expires, 89000);
    REFUSED(min_se, 1000);
    REFUSED(min_se, 1801000);
}

static void header(const char *text, int wanted)
{
    struct sip_config c = good();
    const char *list[1];

    list[0] = text;
    c.header = (struct opt_list){list, 1};
    tap_ok(check(c, "-H") == wanted, "-H '%.*s' is %d", (int)strcspn(text, "\r\n"), text, wanted);
}

static void test_headers(void)
{
    header("Subject: a: b", 0);
    header("Subject:", 0);
    header("BYE:Reason: SIP;cause=200", 0);
    header("BYE:Reason:", 0);
    header("Subject", 64);
    header(": x", 64);
    header("A b: c", 64);
    header("Subject: a\r\nVia: x", 64);
    header("call-id: x", 64);
    header("BYE:Via: x", 64);
    header("l: 7", 64);
}

static void test_verdicts(void)
{
    static const struct {
        int code, status;
    } wanted[] = {{200, 0},  {302, 75}, {401, 77}, {403, 69}, {404, 69}, {407, 77},
                  {408, 75}, {410, 69}, {415, 69}, {422, 75}, {480, 75}, {486, 75},
                  {487, 75}, {488, 69}, {491, 75}, {500, 75}, {503, 75}, {600, 75},
                  {603, 69}, {604, 69}, {606, 69}, {700, 76}, {0, 76}};

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        tap_ok(sip_verdict(wanted[i].code) == wanted[i].status, "%d is %d", wanted[i].code,
               wanted[i].status);
}

int main(void)
{
    test_uris();
    test_name_addr();
    test_originators();
    test_options();
    test_headers();
    test_verdicts();
    return tap_done();
}
