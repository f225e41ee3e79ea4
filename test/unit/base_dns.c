/* The order of records, and look-ups on the loop against a server that says what the test wants. */
#include "base/clock.h"
#include "base/dns.h"
#include "base/mem.h"
#include "test/unit/zone.h"

#include <errno.h>

#define GUARD_MS 20000

/* --- Pure. */

static uint32_t throws[8];
static size_t thrown;

static uint32_t next_throw(void *arg, uint32_t limit)
{
    (void)arg;
    uint32_t n = throws[thrown++ % 8];
    return n > limit ? limit : n;
}

static uint32_t fair(void *arg, uint32_t limit)
{
    uint32_t *state = arg;
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % (limit + 1);
}

static void test_srv_order(void)
{
    struct dns_srv v[] = {
        {20, 0, 1, "d"}, {10, 60, 1, "b"}, {10, 30, 1, "c"}, {10, 0, 1, "a"}, {5, 1, 1, "x"}};
    /* RFC 2782: those of weight 0 first, then the first whose running sum reaches the number. */
    memcpy(throws, (uint32_t[]){61, 0, 0, 0, 0, 0, 0, 0}, sizeof throws);
    thrown = 0;
    dns_srv_order(v, 5, next_throw, NULL);
    tap_is_str(v[0].host, "x", "the lowest priority first");
    tap_is_str(v[4].host, "d", "the highest last");
    tap_is_str(v[1].host, "c", "the draw falls behind b");
    tap_is_str(v[2].host, "a", "0 draws the one of weight 0");
    struct dns_srv one[] = {{1, 0, 1, "a"}};
    dns_srv_order(one, 1, next_throw, NULL);
    tap_is_str(one[0].host, "a", "one alone");
    dns_srv_order(NULL, 0, next_throw, NULL);
}

static void test_srv_weights(void)
{
    unsigned first[3] = {0, 0, 0};
    uint32_t state = 7;
    for (int i = 0; i < 10000; i++) {
        struct dns_srv v[] = {{1, 70, 1, "a"}, {1, 30, 1, "b"}, {1, 0, 1, "c"}};
        dns_srv_order(v, 3, fair, &state);
        first[v[0].host[0] - 'a']++;
    }
    /* 70 : 30 : nearly never, far within the spread of 10000 draws. */
    tap_ok(first[0] > 6600 && first[0] < 7400, "weight 70 comes first in %u of 10000", first[0]);
    tap_ok(first[1] > 2600 && first[1] < 3400, "weight 30 in %u", first[1]);
    tap_ok(first[2] < 300, "weight 0 hardly ever: %u", first[2]);
}

static void test_naptr_order(void)
{
    struct dns_naptr v[] = {{.order = 20, .preference = 1, .service = "c"},
                            {.order = 10, .preference = 50, .service = "b"},
                            {.order = 10, .preference = 10, .service = "a"}};
    dns_naptr_order(v, 3);
    tap_ok(*v[0].service == 'a' && *v[1].service == 'b' && *v[2].service == 'c',
           "by order, then preference");
}

static void test_names(void)
{
    char label[80];
    memset(label, 'a', sizeof label);
    tap_ok(dns_is_name("sip.example.com") && dns_is_name("_sip._udp.example.com") &&
               dns_is_name("x") && dns_is_name("a-b.c.") && dns_is_name("4.3.2"),
           "names");
    tap_ok(!dns_is_name("") && !dns_is_name(".") && !dns_is_name("a..b") && !dns_is_name(".a"),
           "empty labels");
    tap_ok(!dns_is_name("a b") && !dns_is_name("a\r\nb") && !dns_is_name("a/b") &&
               !dns_is_name("a\"b") && !dns_is_name("\xc3\xa4"),
           "what could not stand in a host name");
    label[63] = '\0';
    tap_ok(dns_is_name(label), "a label of 63");
    label[63] = 'a';
    label[64] = '\0';
    tap_ok(!dns_is_name(label), "a label of 64");
    char *longest = mem_format("%.60s.%.60s.%.60s.%.60s.%.9s", label, label, label, label, label);
    tap_ok(dns_is_name(longest), "253 octets");
    char *longer = mem_format("%sbbb", longest);
    tap_ok(!dns_is_name(longer), "256 octets");
    free(longest);
    free(longer);
}

static void test_servers(void)
{
    static const char *const good[] = {"127.0.0.1", "127.0.0.1:5353", "[::1]:53",
                                       "::1",       "[::1]",          "192.0.2.1,[2001:db8::1]:53"};
    static const char *const bad[] = {
        "", ",", "127.0.0.1,", "ns.example.com", "127.0.0.1:", "127.0.0.1:99999", "1.2.3.4:1-2",
        "*"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        tap_is_int(dns_servers_check(good[i]), 0, good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        tap_is_int(dns_servers_check(bad[i]), EINVAL, bad[i]);
}

/* --- Look-ups. */

static struct loop *l;
static struct dns *d;
static struct dns_config config = {.timeout_ms = 3500};
static char got[2048];
static int got_error, waiting;
static bool free_inside;

static void on_guard(void *arg)
{
    (void)arg;
    tap_ok(false, "it hangs");
    loop_stop(l);
}

static void note(const char *text)
{
    size_t n = strlen(got);
    (void)snprintf(got + n, sizeof got - n, "%s%s", n ? " " : "", text);
}

static void on_reply(void *arg, const struct dns_reply *r)
{
    char text[400];
    (void)arg;
    got_error = r->error;
    if (r->error)
        note(r->why);
    for (size_t i = 0; i < r->n; i++) {
        if (r->addr)
            net_addr_text(text, &r->addr[i]);
        else if (r->srv)
            (void)snprintf(text, sizeof text, "%u,%u,%u,%s", r->srv[i].priority, r->srv[i].weight,
                           r->srv[i].port, r->srv[i].host);
        else
            (void)snprintf(text, sizeof text, "%u,%u,%s,%s,%s", r->naptr[i].order,
                           r->naptr[i].preference, r->naptr[i].flags, r->naptr[i].service,
                           r->naptr[i].replacement);
        note(text);
    }
    if (free_inside) {
        dns_free(d);
        d = NULL;
    }
    if (--waiting == 0)
        loop_stop(l);
}

static void begin(void)
{
    l = loop_new();
    dns_server_start(l);
    config.servers = dns_server.address;
    d = dns_new(l, &config);
    free_inside = false;
}

static void end(void)
{
    dns_free(d);
    dns_server_stop();
    loop_free(l);
}

static void run(int replies)
{
    struct loop_timer guard = {0};
    waiting = replies;
    loop_at(l, &guard, clock_ms() + GUARD_MS, on_guard, NULL);
    loop_run(l);
    loop_cancel(l, &guard);
}

static void look(struct dns_query *q, const char *want, int error, const char *what)
{
    (void)q;
    got[0] = '\0';
    run(1);
    tap_is_str(got, want, what);
    tap_is_int(got_error, error, "its error");
}

#define ADDRESSES(name, family) dns_addresses(d, name, 5070, family, on_reply, NULL)
#define SERVICES(name)          dns_services(d, name, on_reply, NULL)
#define POINTERS(name)          dns_pointers(d, name, on_reply, NULL)

static void test_records(void)
{
    begin();
    zone_address("both.example.com", "127.0.0.7");
    zone_address("both.example.com", "::1");
    zone_address("four.example.com", "127.0.0.8");
    zone_srv("_sip._udp.example.com", 10, 5, 5062, "b.example.com");
    zone_srv("_sip._udp.example.com", 1, 5, 5061, "a.example.com");
    zone_srv("_none._udp.example.com", 0, 0, 0, ".");
    zone_naptr("example.com", 20, 1, "s", "SIP+D2U", "", "_sip._udp.example.com");
    zone_naptr("example.com", 10, 1, "s", "SIP+D2T", "", "_sip._tcp.example.com");
    zone_naptr("example.com", 5, 1, "u", "E2U+sip", "!^.*$!sip:x@y!", ".");
    look(ADDRESSES("four.example.com", AF_UNSPEC), "127.0.0.8:5070", 0,
         "an address, with its port");
    look(ADDRESSES("both.example.com", AF_INET6), "[::1]:5070", 0, "IPv6 alone");
    look(ADDRESSES("both.example.com", AF_INET), "127.0.0.7:5070", 0, "IPv4 alone");
    look(ADDRESSES("both.example.com", AF_UNSPEC), "[::1]:5070 127.0.0.7:5070", 0,
         "both, by RFC 6724");
    look(ADDRESSES("localhost", AF_INET), "127.0.0.1:5070", 0, "/etc/hosts");
    look(SERVICES("_sip._udp.example.com"), "1,5,5061,a.example.com 10,5,5062,b.example.com", 0,
         "SRV by priority");
    look(SERVICES("_none._udp.example.com"), "0,0,0,.", 0, "SRV that says no");
    look(POINTERS("example.com"),
         "10,1,s,SIP+D2T,_sip._tcp.example.com 20,1,s,SIP+D2U,_sip._udp.example.com", 0,
         "NAPTR by order, without regular expressions");
    end();
}

#define FAILED "the DNS server failed or refused (SERVFAIL, REFUSED, NOTIMP)"

static void test_failures(void)
{
    begin();
    zone_address("four.example.com", "127.0.0.8");
    zone_rcode("fail.example.com", 0, ns_r_servfail);
    zone_rcode("no.example.com", 0, ns_r_refused);
    look(SERVICES("nowhere.example.com"), "no such name (NXDOMAIN)", ENOENT, "NXDOMAIN");
    look(ADDRESSES("nowhere.example.com", AF_UNSPEC), "no such name (NXDOMAIN)", ENOENT,
         "NXDOMAIN for addresses");
    look(SERVICES("four.example.com"), "no such record", ENODATA, "a name without such records");
    look(SERVICES("fail.example.com"), FAILED, EREMOTEIO, "SERVFAIL");
    look(ADDRESSES("fail.example.com", AF_INET), FAILED, EREMOTEIO, "SERVFAIL for addresses");
    look(POINTERS("no.example.com"), FAILED, EREMOTEIO, "REFUSED");
    look(ADDRESSES("a b", AF_INET), "not a name that can be looked up", EINVAL, "no name");
    tap_ok(dns_is_temporary(EREMOTEIO) && dns_is_temporary(ETIMEDOUT) && !dns_is_temporary(ENOENT),
           "what may be different tomorrow");
    end();
}

static void test_hostile(void)
{
    char longest[64];
    begin();
    zone_mood(ZONE_GARBAGE, "loop.example.com", 0);
    zone_cname("a.example.com", "a.example.com");
    zone_srv("_sip._udp.example.com", 1, 1, 5060, "bad host.example.com");
    zone_srv("_sip._udp.example.com", 1, 1, 5060, "x\r\nVia.example.com");
    zone_srv("_sip._udp.example.com", 1, 1, 0, "portless.example.com");
    zone_srv("_sip._tcp.example.com", 1, 1, 5060, "bad/host");
    zone_srv("_sip._tcp.example.com", 2, 1, 5060, "good.example.com");
    (void)snprintf(longest, sizeof longest, "%s", "SIP+D2U-and-so-on-and-on-and-on-and-on-and-on");
    zone_naptr("example.com", 1, 1, "s", longest, "", "_sip._udp.example.com");
    zone_naptr("example.com", 2, 1, "s", "SIP+D2U", "", "bad name");
    got[0] = '\0';
    (void)SERVICES("loop.example.com");
    run(1);
    tap_ok(dns_is_temporary(got_error), "a name that points to itself: %s", got);
    got[0] = '\0';
    (void)ADDRESSES("loop.example.com", AF_INET);
    run(1);
    tap_ok(got_error != 0, "the same for addresses: %s", got);
    got[0] = '\0';
    (void)ADDRESSES("a.example.com", AF_UNSPEC);
    run(1);
    tap_ok(got_error != 0, "an alias of itself: %s", got);
    look(SERVICES("_sip._udp.example.com"), "no usable record", ENODATA,
         "targets that are no names");
    look(SERVICES("_sip._tcp.example.com"), "2,1,5060,good.example.com", 0, "beside one that is");
    look(POINTERS("example.com"), "no usable record", ENODATA, "NAPTR of no use");
    end();
}

static void test_large(void)
{
    begin();
    for (int i = 0; i < 100; i++)
        zone_srv("_sip._udp.example.com", (unsigned)i, 1, 5060, "many.example.com");
    zone_mood(ZONE_TRUNCATED, "_sip._udp.example.com", 0);
    got[0] = '\0';
    (void)SERVICES("_sip._udp.example.com");
    run(1);
    tap_is_int(got_error, 0, "an answer that is cut off comes by TCP");
    tap_ok(dns_server.streams > 0, "over a connection");
    tap_ok(strncmp(got, "0,1,5060,many.example.com 1,1,", 30) == 0, "whole, and in order");
    end();
}

static void test_loss(void)
{
    begin();
    zone_srv("_sip._udp.example.com", 1, 1, 5060, "a.example.com");
    zone_mood(ZONE_LOST, "_sip._udp.example.com", 0);
    look(SERVICES("_sip._udp.example.com"), "1,1,5060,a.example.com", 0,
         "a lost question is asked again");
    end();
}

static void test_silence(void)
{
    begin();
    dns_free(d);
    config.timeout_ms = 300;
    d = dns_new(l, &config);
    zone_mood(ZONE_SILENT, "silent.example.com", 0);
    int64_t began = clock_ms();
    got[0] = '\0';
    (void)SERVICES("silent.example.com");
    run(1);
    tap_is_int(got_error, ETIMEDOUT, "a server that does not answer");
    tap_ok(clock_ms() - began >= 290, "for as long as it is waited for");
    dns_forget(SERVICES("silent.example.com"));
    tap_ok(true, "forgotten while it is under way");
    end();
    config.timeout_ms = 3500;
}

static void test_no_server(void)
{
    begin();
    dns_server_stop();
    got[0] = '\0';
    (void)SERVICES("x.example.com");
    run(1);
    tap_is_int(got_error, ECONNREFUSED, "nobody listens there");
    look(ADDRESSES("localhost", AF_INET), "127.0.0.1:5070", 0, "/etc/hosts all the same");
    dns_free(d);
    loop_free(l);
}

static void test_life(void)
{
    begin();
    zone_address("four.example.com", "127.0.0.8");
    got[0] = '\0';
    for (int i = 0; i < 3; i++)
        (void)ADDRESSES("four.example.com", AF_INET);
    run(3);
    tap_is_str(got, "127.0.0.8:5070 127.0.0.8:5070 127.0.0.8:5070", "three at once");
    free_inside = true;
    for (int i = 0; i < 3; i++)
        (void)ADDRESSES("four.example.com", AF_INET);
    got[0] = '\0';
    run(1);
    tap_is_str(got, "127.0.0.8:5070", "freed by the first of three");
    end();
}

static void test_no_module(void)
{
    begin();
    (void)setenv("CPM_MODULES", "/nonexistent", 1);
    got[0] = '\0';
    (void)SERVICES("x.example.com");
    run(1);
    tap_is_int(got_error, ELIBACC, "the module is missing");
    tap_ok(strstr(got, "/nonexistent/cares.so") != NULL, "and it is said which");
    (void)unsetenv("CPM_MODULES");
    end();
}

int main(void)
{
    test_srv_order();
    test_srv_weights();
    test_naptr_order();
    test_names();
    test_servers();
    test_no_module();
    test_records();
    test_failures();
    test_hostile();
    test_large();
    test_loss();
    test_silence();
    test_no_server();
    test_life();
    return tap_done();
}
