/* What is shown of a journal's values: no session of MSRP, and with a mask nobody. */
#include "journal/clean.h"
#include "test/unit/tap.h"

#include <stdlib.h>

static void cleans(const char *text, const char *open, const char *masked)
{
    char *a = journal_clean(slice_of(text), false), *b = journal_clean(slice_of(text), true);
    tap_is_str(a, open, text);
    tap_is_str(b, masked, "... masked");
    free(a);
    free(b);
}

/* Nothing but a mask changes it. */
static void masks(const char *text, const char *masked)
{
    cleans(text, text, masked);
}

static void stays(const char *text)
{
    masks(text, text);
}

static void test_sessions(void)
{
    cleans("msrp://h:1/secret;tcp", "msrp://h:1/***;tcp", "msrp://h:1/***;tcp");
    cleans("MSRPS://a@h:1/s;tcp msrp://r/t", "MSRPS://a@h:1/***;tcp msrp://r/***",
           "***@h:1/***;tcp msrp://r/***");
    stays("msrp://h:1");
}

static void test_users(void)
{
    masks("sip:alice@example.com", "sip:***@example.com");
    masks("<sips:alice:pw;x=y@h>;tag=1", "<sips:***@h>;tag=1");
    masks("said alice@example.com", "said ***@example.com");
    masks("tel:+15550100;phone-context=x", "tel:***");
    masks("TEL:911", "TEL:***");
    masks("sip:+15550100", "sip:***");
    masks("sip:15550100;user=phone", "sip:***;user=phone");
    masks("sip:alice", "sip:***");
    masks("sip:alice%40example.com", "sip:***");
    masks("im:alice@h, pres:bob@h", "im:***@h, pres:***@h");
}

static void test_names(void)
{
    masks("\"Alice Smith\" <sip:alice@h>;tag=1", "*** <sip:***@h>;tag=1");
    masks("\"a \\\" b\" <sip:192.0.2.1>", "*** <sip:192.0.2.1>");
    masks("\"alice@work\"<tel:1>", "***<tel:***>");
    masks("Contact: Alice Smith <sip:alice@h>, Bob <sip:bob@h>",
          "Contact: *** <sip:***@h>, *** <sip:***@h>");
    masks("half\" <sip:alice@h>", "*** <sip:***@h>");
    stays("<sip:example.com>");
    stays("a < b <c>");
}

static void test_numbers(void)
{
    masks("+15550100 is away", "*** is away");
    masks("the number +1 (555) 010-0199, too", "the number ***, too");
    masks("call 555 010 0199.", "call ***.");
    masks("no=15550100, (555) 010-0199", "no=***, ***");
    stays("15550100"); /* by its key it is a size */
    stays("2026-11-25T10:11:12.131Z until 2026-11-26 10:00:00");
    stays("503 of 192.168.100.101:50600, after 120 s");
    stays("SIP/2.0 480, 1-2048/1048576, +200");
    stays("3f2504e0-4f89-11d3-9a0c-0305e82c3301");
}

static void test_hosts(void)
{
    stays("sip:192.0.2.1");
    stays("sip:192.0.2.1:5060;transport=tcp");
    stays("sips:core.example.com;lr");
    stays("sip:[2001:db8::1]:5060");
    stays("SIP: no, gossip:alice");
    stays("");
}

int main(void)
{
    test_sessions();
    test_users();
    test_names();
    test_numbers();
    test_hosts();
    return tap_done();
}
