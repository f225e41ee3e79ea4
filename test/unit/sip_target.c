/* From the URI of the next hop to the places to try (RFC 3263, RFC 3261 18.1.1), with a DNS server
 * in the same loop. */
#include "base/clock.h"
#include "sip/target.h"
#include "test/unit/zone.h"

#include <errno.h>

#define GUARD_MS 20000

static struct loop *l;
static struct dns *dns;
static struct sip_config config;
static struct targets *targets;
static char got[2048];
static int end_error;

/* Takes all that there are. */
static void on_ready(void *arg)
{
    struct sip_hop hop;

    (void)arg;
    while ((end_error = targets_next(targets, &hop)) == 0) {
        size_t n = strlen(got);
        char where[NET_TEXT_SIZE];
        net_addr_text(where, &hop.addr);
        (void)snprintf(got + n, sizeof got - n, "%s%s %s", n > 0 ? ", " : "",
                       sip_transport_name(hop.transport), where);
    }
    if (end_error != EINPROGRESS)
        loop_stop(l);
}

static void on_guard(void *arg)
{
    (void)arg;
    tap_ok(false, "it hangs after %s", got);
    loop_stop(l);
}

static void find(const char *text, bool large)
{
    struct loop_timer guard = {0};
    struct uri u;

    got[0] = '\0';
    dns_server.asked[0] = '\0';
    if (uri_parse(slice_of(text), &u, NULL) != 0)
        abort();
    targets = targets_new(dns, &u, &config, false, large, on_ready, NULL);
    loop_at(l, &guard, clock_ms() + GUARD_MS, on_guard, NULL);
    on_ready(NULL);
    if (end_error == EINPROGRESS)
        loop_run(l);
    loop_cancel(l, &guard);
}

static void is(const char *uri, bool large, const char *want)
{
    find(uri, large);
    if (!tap_is_str(got, want, uri))
        printf("# %s\n", targets_why(targets));
    targets_free(targets);
}

static void fails(const char *uri, const char *why)
{
    find(uri, true);
    if (tap_is_str(got, "", uri))
        tap_is_str(targets_why(targets), why, "and why");
    tap_is_int(end_error, ENOENT, "the end");
    targets_free(targets);
}

static void begin(void)
{
    struct dns_config c = {.timeout_ms = 3500};

    l = loop_new();
    dns_server_start(l);
    c.servers = dns_server.address;
    dns = dns_new(l, &c);
    config = (struct sip_config)SIP_CONFIG_DEFAULT;
}

static void end(void)
{
    dns_free(dns);
    dns_server_stop();
    loop_free(l);
}

static void test_numeric(void)
{
    begin();
    (void)setenv("CPM_MODULES", "/nonexistent", 1);
    is("sip:192.0.2.1", false, "udp 192.0.2.1:5060");
    is("sip:a@192.0.2.1:5070", true, "tcp 192.0.2.1:5070, udp 192.0.2.1:5070");
    is("sip:192.0.2.1;transport=udp", true, "udp 192.0.2.1:5060");
    is("sip:192.0.2.1;transport=TCP", false, "tcp 192.0.2.1:5060");
    is("sip:[2001:db8::1]", false, "udp [2001:db8::1]:5060");
    is("sip:[2001:db8::1]:5070;transport=tcp", false, "tcp [2001:db8::1]:5070");
    is("sip:a@2001:db8::1", false, "udp [2001:db8::1]:5060");
    is("sip:x.example.com;maddr=192.0.2.9", false, "udp 192.0.2.9:5060");
    config.transport = "udp";
    is("sip:192.0.2.1", true, "udp 192.0.2.1:5060");
    is("sip:192.0.2.1;transport=tcp", true, "tcp 192.0.2.1:5060");
    config.transport = NULL;
    config.sip_bind = "[::1]:5060";
    fails("sip:192.0.2.1", "address of 192.0.2.1: not of the IP version of --sip-bind");
    is("sip:[::1]", false, "udp [::1]:5060");
    tap_is_str(dns_server.asked, "", "nothing was looked up, no library loaded");
    (void)unsetenv("CPM_MODULES");
    end();
}

static void test_naptr(void)
{
    begin();
    zone_naptr("example.com", 20, 1, "s", "SIP+D2U", "", "_sip._udp.far.example.com");
    zone_naptr("example.com", 10, 50, "s", "SIP+D2U", "", "_sip._udp.example.com");
    zone_naptr("example.com", 10, 10, "s", "SIP+D2T", "", "_sip._tcp.example.com");
    zone_naptr("example.com", 1, 1, "s", "SIP+D2W", "", "_sip._ws.example.com");
    zone_naptr("example.com", 2, 1, "u", "E2U+sip", "!.*!sip:x@y!", ".");
    zone_srv("_sip._tcp.example.com", 1, 1, 5061, "t.example.com");
    zone_srv("_sip._udp.example.com", 1, 1, 5062, "u.example.com");
    zone_srv("_sip._udp.far.example.com", 1, 1, 5063, "u.example.com");
    zone_address("t.example.com", "192.0.2.1");
    zone_address("u.example.com", "192.0.2.2");
    is("sip:bob@example.com", false, "tcp 192.0.2.1:5061, udp 192.0.2.2:5062, udp 192.0.2.2:5063");
    is("sip:bob@example.com", true, "tcp 192.0.2.1:5061, udp 192.0.2.2:5062, udp 192.0.2.2:5063");
    is("sip:bob@example.com;transport=udp", true, "udp 192.0.2.2:5062");
    tap_ok(strstr(dns_server.asked, "NAPTR") == NULL, "no NAPTR where the transport is named");
    is("sip:bob@u.example.com:5099", false, "udp 192.0.2.2:5099");
    tap_ok(strstr(dns_server.asked, "SRV") == NULL, "no SRV where the port is given");
    config.transport = "tcp";
    is("sip:bob@example.com", false, "tcp 192.0.2.1:5061");
    end();
}

/* sips: takes TLS alone; sip: takes it where the records prefer it (RFC 3263 4.1). */
static void test_tls(void)
{
    begin();
    zone_naptr("example.com", 1, 1, "s", "SIPS+D2T", "", "_sips._tcp.example.com");
    zone_naptr("example.com", 2, 1, "s", "SIP+D2T", "", "_sip._tcp.example.com");
    zone_srv("_sips._tcp.example.com", 1, 1, 5071, "t.example.com");
    zone_srv("_sip._tcp.example.com", 1, 1, 5070, "t.example.com");
    zone_srv("_sips._tcp.plain.example.com", 1, 1, 5072, "t.example.com");
    zone_srv("_sip._udp.plain.example.com", 1, 1, 5073, "t.example.com");
    zone_address("t.example.com", "192.0.2.1");
    is("sip:example.com", true, "tls 192.0.2.1:5071, tcp 192.0.2.1:5070");
    is("sips:example.com", true, "tls 192.0.2.1:5071");
    is("sips:plain.example.com", true, "tls 192.0.2.1:5072");
    is("sip:plain.example.com;transport=tls", true, "tls 192.0.2.1:5072");
    is("sips:t.example.com", true, "tls 192.0.2.1:5061");
    end();
}

/* A server that has UDP records alone is asked by TCP first all the same, for a large request. */
static void test_large(void)
{
    begin();
    zone_naptr("u.example.com", 1, 1, "S", "sip+d2u", "", "_sip._udp.u.example.com");
    zone_srv("_sip._udp.u.example.com", 1, 1, 5062, "h.example.com");
    zone_srv("_sip._udp.b.example.com", 1, 1, 5062, "h.example.com");
    zone_srv("_sip._tcp.b.example.com", 1, 1, 5063, "h.example.com");
    zone_address("h.example.com", "192.0.2.1");
    zone_address("h.example.com", "192.0.2.2");
    is("sip:u.example.com", false, "udp 192.0.2.1:5062, udp 192.0.2.2:5062");
    is("sip:u.example.com", true,
       "tcp 192.0.2.1:5062, udp 192.0.2.1:5062, tcp 192.0.2.2:5062, udp 192.0.2.2:5062");
    is("sip:b.example.com", false,
       "udp 192.0.2.1:5062, udp 192.0.2.2:5062, tcp 192.0.2.1:5063, tcp 192.0.2.2:5063");
    is("sip:b.example.com", true,
       "tcp 192.0.2.1:5063, tcp 192.0.2.2:5063, udp 192.0.2.1:5062, udp 192.0.2.2:5062");
    end();
}

static void test_fallbacks(void)
{
    begin();
    zone_srv("_sip._udp.example.com", 2, 1, 5070, "second.example.com");
    zone_srv("_sip._udp.example.com", 1, 1, 5070, "first.example.com");
    zone_address("first.example.com", "192.0.2.1");
    zone_address("second.example.com", "192.0.2.2");
    is("sip:example.com", false, "udp 192.0.2.1:5070, udp 192.0.2.2:5070");
    zone_address("only.example.com", "192.0.2.3");
    zone_address("only.example.com", "2001:db8::3");
    find("sip:only.example.com", false);
    tap_ok(strstr(got, "udp 192.0.2.3:5060") != NULL &&
               strstr(got, "udp [2001:db8::3]:5060") != NULL,
           "addresses alone, of both IP versions: %s", got);
    targets_free(targets);
    config.sip_bind = "192.0.2.77";
    is("sip:only.example.com", false, "udp 192.0.2.3:5060");
    config.sip_bind = NULL;
    zone_srv("_sip._udp.off.example.com", 0, 0, 0, ".");
    zone_address("off.example.com", "192.0.2.4");
    fails("sip:off.example.com", "SRV of off.example.com: this service is not offered there");
    zone_srv("_sip._tcp.half.example.com", 1, 1, 5060, "gone.example.com");
    zone_srv("_sip._tcp.half.example.com", 2, 1, 5060, "first.example.com");
    is("sip:half.example.com;transport=tcp", false, "tcp 192.0.2.1:5060");
    is("sip:localhost", false, "udp 127.0.0.1:5060");
    tap_is_str(dns_server.asked, "", "localhost is nobody else's business");
    end();
}

static void test_failures(void)
{
    begin();
    fails("sip:nowhere.example.com", "addresses of nowhere.example.com: no such name (NXDOMAIN)");
    zone_rcode("_sip._udp.example.com", 0, ns_r_servfail);
    zone_rcode("_sip._tcp.example.com", 0, ns_r_servfail);
    zone_address("example.com", "192.0.2.1");
    find("sip:example.com", false);
    tap_is_str(got, "", "SRV unknown for now: its addresses may be somebody else's");
    tap_ok(strstr(targets_why(targets), "example.com: the DNS server failed or refused") != NULL,
           "%s", targets_why(targets));
    targets_free(targets);
    zone_rcode("odd.example.com", ns_t_naptr, ns_r_notimpl);
    zone_srv("_sip._udp.odd.example.com", 1, 1, 5060, "192.0.2.9");
    zone_srv("_sip._udp.odd.example.com", 2, 1, 5060, "example.com");
    is("sip:odd.example.com", false, "udp 192.0.2.9:5060, udp 192.0.2.1:5060");
    zone_rcode("_sip._tcp.part.example.com", 0, ns_r_servfail);
    zone_srv("_sip._udp.part.example.com", 1, 1, 5060, "example.com");
    is("sip:part.example.com", false, "udp 192.0.2.1:5060");
    end();
}

static void test_silence(void)
{
    struct dns_config c = {.timeout_ms = 200};

    begin();
    dns_free(dns);
    c.servers = dns_server.address;
    dns = dns_new(l, &c);
    zone_mood(ZONE_SILENT, "silent.example.com", 0);
    fails("sip:silent.example.com", "NAPTR of silent.example.com: no DNS server answered in time");
    tap_ok(strstr(dns_server.asked, "SRV") == NULL, "and nothing more is asked");
    end();
}

/* There is no end to what a zone may say; there is to what is tried. */
static void test_many(void)
{
    unsigned commas = 0;

    begin();
    for (unsigned i = 0; i < 100; i++)
        zone_srv("_sip._udp.example.com", i, 1, 5060, "192.0.2.1");
    find("sip:example.com;transport=udp", false);
    for (const char *p = got; *p != '\0'; p++)
        commas += *p == ',';
    tap_is_int(commas + 1, 32, "32 of 100 records are tried");
    targets_free(targets);
    end();
}

int main(void)
{
    test_numeric();
    test_naptr();
    test_tls();
    test_large();
    test_fallbacks();
    test_failures();
    test_silence();
    test_many();
    return tap_done();
}
