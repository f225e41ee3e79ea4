/* What comes in, legal and not: the essence of RFC 4475 and of what libosip2 is known to take
 * wrongly, in messages of our own. */
#include "sip/fence.h"
#include "sip/stack_int.h"
#include "test/unit/sip_raw.h"

#define A_VIA  "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKf1\r\n"
#define A_FROM "From: <sip:a@example.com>;tag=f\r\n"
#define A_TO   "To: <sip:b@example.com>\r\n"
#define AN_ID  "Call-ID: fence@example.com\r\n"
#define REST   A_VIA A_FROM A_TO AN_ID
#define ALL    REST "CSeq: 1 OPTIONS\r\n"
#define LINE   "OPTIONS sip:b@example.com SIP/2.0\r\n"
#define A_200  "SIP/2.0 200 OK\r\n"

static const struct {
    const char *what, *text;
    int code; /* of the refusal; -1: taken; 0: refused without an answer */
} cases[] = {
    {"a plain request", LINE ALL "\r\n", -1},
    {"a plain response", A_200 ALL "\r\n", -1},
    {"odd blanks, folding and compact names",
     LINE
     "v:  SIP/2.0/UDP\r\n  192.0.2.1 ; branch=z9hG4bKf1\r\nf :\t<sip:a@example.com> ;tag = f\r\n"
     "T: \"B \\\"quoted\\\" <x>\" <sip:b@example.com>\r\nI: fence\r\ncseq:\r\n  "
     "0009\r\n\tOPTIONS\r\n"
     "k: timer,\r\n 100rel\r\n\r\n",
     -1},
    {"a method that nobody knows",
     "a-B!c%d*_+`'~.9 sip:b@example.com SIP/2.0\r\n" REST "CSeq: 1 a-B!c%d*_+`'~.9\r\n\r\n", -1},
    {"a tel URI", "OPTIONS tel:+15551234567 SIP/2.0\r\n" ALL "\r\n", -1},
    {"escapes in the Request-URI", "OPTIONS sip:%75se%72@example.com;a=%20 SIP/2.0\r\n" ALL "\r\n",
     -1},
    {"an unknown header with UTF-8", LINE ALL "X-Thing: \xc3\xa4\xe2\x82\xac,;:\"\r\n\r\n", -1},
    {"an empty header value", LINE ALL "Supported:\r\n\r\n", -1},
    {"line ends without CR",
     "OPTIONS sip:b@example.com SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nFrom: "
     "<sip:a@b>;tag=1\nTo: <sip:b@b>\nCall-ID: 1\nCSeq: 1 OPTIONS\n\n",
     -1},
    {"a status without reason and blank", "SIP/2.0 200\r\n" ALL "\r\n", -1},
    {"a reason in UTF-8", "SIP/2.0 200 = 2**3 \xd0\xbf\r\n" ALL "\r\n", -1},
    {"octets after the body", LINE ALL "Content-Length: 2\r\n\r\nhixxxx", -1},
    {"no Via", LINE A_FROM A_TO AN_ID "CSeq: 1 OPTIONS\r\n\r\n", 400},
    {"no From", LINE A_VIA A_TO AN_ID "CSeq: 1 OPTIONS\r\n\r\n", 400},
    {"no To", LINE A_VIA A_FROM AN_ID "CSeq: 1 OPTIONS\r\n\r\n", 400},
    {"no Call-ID", LINE A_VIA A_FROM A_TO "CSeq: 1 OPTIONS\r\n\r\n", 400},
    {"no CSeq", LINE REST "\r\n", 400},
    {"two From", LINE ALL A_FROM "\r\n", 400},
    {"two Call-IDs, one compact", LINE ALL "i: other\r\n\r\n", 400},
    {"an empty Call-ID", LINE A_VIA A_FROM A_TO "Call-ID:\r\nCSeq: 1 OPTIONS\r\n\r\n", 400},
    {"a CSeq without a number", LINE REST "CSeq: abc\r\n\r\n", 400},
    {"a CSeq of another method", LINE REST "CSeq: 1 INVITE\r\n\r\n", 400},
    {"a CSeq that is too large", LINE REST "CSeq: 36893488147419103232 OPTIONS\r\n\r\n", 400},
    {"a CSeq of 2^31", LINE REST "CSeq: 2147483648 OPTIONS\r\n\r\n", 400},
    {"a CSeq without a blank", LINE REST "CSeq: 1OPTIONS\r\n\r\n", 400},
    {"a negative Content-Length", LINE ALL "Content-Length: -999\r\n\r\n", 400},
    {"a Content-Length that lies", LINE ALL "Content-Length: 9999\r\n\r\nshort", 400},
    {"two Content-Lengths", LINE ALL "l: 0\r\nContent-Length: 0\r\n\r\n", 400},
    {"SIP/7.0", "OPTIONS sip:b@example.com SIP/7.0\r\n" ALL "\r\n", 505},
    {"HTTP/1.1", "OPTIONS sip:b@example.com HTTP/1.1\r\n" ALL "\r\n", 400},
    {"two blanks in the request line", "OPTIONS  sip:b@example.com SIP/2.0\r\n" ALL "\r\n", 400},
    {"a blank in the Request-URI", "OPTIONS sip:b@example.com; lr SIP/2.0\r\n" ALL "\r\n", 400},
    {"a Request-URI in angle brackets", "OPTIONS <sip:b@example.com> SIP/2.0\r\n" ALL "\r\n", 400},
    {"a Request-URI without scheme", "OPTIONS b SIP/2.0\r\n" ALL "\r\n", 400},
    {"a method that is no token", "OP(TIONS sip:b@example.com SIP/2.0\r\n" ALL "\r\n", 400},
    {"a line without colon", LINE ALL "nonsense\r\n\r\n", 400},
    {"a header name with a blank", LINE ALL "X Y: z\r\n\r\n", 400},
    {"a lone CR", LINE ALL "X: y\rVia: z\r\n\r\n", 400},
    {"a Via that is none", LINE "Via: ;;,;,,\r\n" A_FROM A_TO AN_ID "CSeq: 1 OPTIONS\r\n\r\n", 400},
    {"a From without URI", LINE A_VIA "From: \"open\r\n" A_TO AN_ID "CSeq: 1 OPTIONS\r\n\r\n", 400},
    {"status 2000", "SIP/2.0 2000 OK\r\n" ALL "\r\n", 0},
    {"status 99", "SIP/2.0 099 Low\r\n" ALL "\r\n", 0},
    {"status 700", "SIP/2.0 700 High\r\n" ALL "\r\n", 0},
    {"status -1", "SIP/2.0 -1 No\r\n" ALL "\r\n", 0},
    {"status 4294967301", "SIP/2.0 4294967301 Better\r\n" ALL "\r\n", 0},
    {"a response of SIP/3.0", "SIP/3.0 200 OK\r\n" ALL "\r\n", 0},
    {"a response without Via", A_200 A_FROM A_TO AN_ID "CSeq: 1 OPTIONS\r\n\r\n", 400},
    {"no end of the head", LINE ALL, 0},
    {"nothing", "", 0},
    {"noise", "\x01\x02\xff\xfe{}\r\n\r\n", 400},
};

static int read_one(const char *text, size_t n, osip_event_t **event)
{
    struct fence_fault fault;
    char *copy = mem_new(n + 1); /* of the very size, so that a tool sees who reads past it */
    memcpy(copy, text, n);
    char *exact = n ? realloc(copy, n) : copy;
    int err = fence_read((struct slice){exact, n}, false, event, &fault);
    free(exact);
    return err ? fault.code : -1;
}

static void all_cases(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        osip_event_t *event;
        int code = read_one(cases[i].text, strlen(cases[i].text), &event);
        tap_is_int(code, cases[i].code, cases[i].what);
        if (event)
            fence_drop(event);
    }
}

static osip_event_t *taken(const char *text, size_t n)
{
    osip_event_t *event;
    tap_is_int(read_one(text, n, &event), -1, "taken");
    if (!event)
        exit(1);
    return event;
}

static void values(void)
{
    static const char text[] = LINE
        "v: SIP/2.0/UDP one;branch=z9hG4bK1, SIP/2.0/TCP two;branch=z9hG4bK2\r\n" A_VIA A_FROM A_TO
            AN_ID
        "CSeq: 007 OPTIONS\r\na: *;+x=\"a,b\", *;y\r\nb: <sip:r@h>\r\nx: 90;refresher=uac\r\n"
        "k: timer , 100rel\r\nSUPPORTED: gruu\r\nm: \"A, B\" <sip:c,1@h>;p=\"<,>\", <sip:d@h>\r\n"
        "Record-Route: <sip:p1;lr>,<sip:p2;lr>\r\nRecord-Route: <sip:p3;lr>\r\n"
        "c: multipart/mixed;boundary=x\r\nl: 11\r\n\r\n--x\r\n\r\n\0--x-";
    osip_event_t *event = taken(text, sizeof text - 1);
    const osip_message_t *m = event->sip;
    const char *type;
    tap_is_str(sip_header(m, "Via", 0), "SIP/2.0/UDP one;branch=z9hG4bK1", "the top Via");
    tap_is_str(sip_header(m, "Via", 1), "SIP/2.0/TCP two;branch=z9hG4bK2", "the second");
    const osip_via_t *top = osip_list_get(&m->vias, 0), *last = osip_list_get(&m->vias, 2);
    tap_is_str(top->host, "one", "libosip2 has them in the same order");
    tap_is_str(last->host, "192.0.2.1", "to the last");
    tap_is_str(sip_header(m, "accept-contact", 0), "*;+x=\"a,b\", *;y", "Accept-Contact is whole");
    tap_is_str(sip_header(m, "Referred-By", 0), "<sip:r@h>", "Referred-By");
    tap_is_str(sip_header(m, "Session-Expires", 0), "90;refresher=uac", "Session-Expires");
    tap_is_str(sip_header(m, "Supported", 0), "timer", "Supported is split");
    tap_is_str(sip_header(m, "Supported", 1), "100rel", "at its commas");
    tap_is_str(sip_header(m, "Supported", 2), "gruu", "and over its lines");
    tap_ok(!sip_header(m, "Supported", 3) && !sip_header(m, "Nothing", 0), "and ends");
    tap_is_str(sip_header(m, "Contact", 0), "\"A, B\" <sip:c,1@h>;p=\"<,>\"",
               "no split in quotes and brackets");
    tap_is_str(sip_header(m, "Contact", 1), "<sip:d@h>", "the second Contact");
    tap_is_str(sip_header(m, "Record-Route", 2), "<sip:p3;lr>", "Record-Route");
    tap_is_str(sip_header(m, "CSeq", 0), "007 OPTIONS", "CSeq as it came");
    tap_is_str(m->cseq->number, "7", "and as a number");
    struct slice body = sip_body(m, &type);
    tap_ok(body.n == 11 && memcmp(body.p, "--x\r\n\r\n\0--x-", 11) == 0,
           "a body is octets, multipart or not");
    tap_is_str(type, "multipart/mixed;boundary=x", "its type");
    fence_drop(event);
}

static void nul(void)
{
    static const char text[] = LINE ALL "X: a\0b\r\n\r\n";
    osip_event_t *event;
    tap_is_int(read_one(text, sizeof text - 1, &event), 400, "a NUL in a header");
}

static void many(size_t lines, int want)
{
    struct buf b = BUF_UP_TO(2 * SIP_MESSAGE_MAX);
    osip_event_t *event;
    (void)buf_add_text(&b, LINE ALL);
    for (size_t i = 5; i < lines; i++)
        (void)buf_format(&b, "X-%zu: y\r\n", i);
    (void)buf_add_text(&b, "\r\n");
    char what[64];
    (void)snprintf(what, sizeof what, "%zu headers", lines);
    tap_is_int(read_one(b.p, b.n, &event), want, what);
    if (event)
        fence_drop(event);
    buf_free(&b);
}

/* Values in one line count as well. */
static void many_values(const char *name, size_t values, int want)
{
    struct buf b = BUF_UP_TO(2 * SIP_MESSAGE_MAX);
    osip_event_t *event;
    int64_t before = clock_ms();
    (void)buf_format(&b, LINE ALL "%s: <sip:c@h>", name);
    for (size_t i = 2; i < values; i++)
        (void)buf_add_text(&b, ",<sip:c@h>");
    (void)buf_add_text(&b, "\r\n\r\n");
    char what[80];
    int code = read_one(b.p, b.n, &event);
    (void)snprintf(what, sizeof what, "%zu values of %s (%lld ms)", values, name,
                   (long long)(clock_ms() - before));
    tap_is_int(code, want, what);
    if (event)
        fence_drop(event);
    buf_free(&b);
}

static void too_large(void)
{
    static char text[SIP_MESSAGE_MAX + 1];
    osip_event_t *event;
    memset(text, 'x', sizeof text);
    memcpy(text, LINE ALL "\r\n", strlen(LINE ALL "\r\n"));
    tap_is_int(read_one(text, sizeof text, &event), 0, "more than may be read");
}

static void refusals(void)
{
    struct fence_fault fault = {400, "for a test"};
    struct buf b = BUF_UP_TO(SIP_MESSAGE_MAX);
    tap_is_int(fence_refuse(SLICE(LINE REST A_VIA "CSeq: x\r\n\r\n"), &fault, &b), 0, "a refusal");
    tap_ok(strncmp(b.p,
                   "SIP/2.0 400 Bad Request\r\n" A_VIA A_VIA A_FROM "To: <sip:b@example.com>;tag=",
                   strlen("SIP/2.0 400 Bad Request\r\n" A_VIA A_VIA A_FROM
                          "To: <sip:b@example.com>;tag=")) == 0 &&
               strstr(b.p, "\r\nCSeq: x\r\n") && strstr(b.p, "for a test"),
           "has the lines of the request");
    tap_is_int(fence_refuse(SLICE("ACK sip:b SIP/2.0\r\n" REST "CSeq: x\r\n\r\n"), &fault, &b),
               ENOENT, "an ACK is never answered");
    tap_is_int(fence_refuse(SLICE(A_200 ALL "\r\n"), &fault, &b), ENOENT, "nor a response");
    tap_is_int(fence_refuse(SLICE(LINE A_FROM "\r\n"), &fault, &b), ENOENT,
               "nor what has not enough for it");
    buf_free(&b);
}

/* The same through a socket: the stack lives on, and nothing is on stdout but this test's own. */
static void on_the_wire(void)
{
    struct pair *p = pair_new(SIP_UDP, "127.0.0.1", SIP_TIMERS_DEFAULT);
    struct raw r;
    raw_udp(&r, p);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].code != -1)
            raw_bytes(&r, &p->at_b, cases[i].text, strlen(cases[i].text));
    }
    raw_bytes(&r, &p->at_b, "\r\n\r\n", 4);
    raw_request(&r, "OPTIONS", 1, "127.0.0.1;branch=z9hG4bKend;rport");
    while (!strstr(p->log, "r:200") && !p->timed_out)
        pair_run(p, p->words + 1, 5000);
    int served = 0, refused = 0;
    for (const char *at = p->log; (at = strstr(at, "b:")) != NULL; at++)
        served++;
    for (const char *at = p->log; (at = strstr(at, "r:400")) != NULL; at++)
        refused++;
    tap_is_int(served, 1, "of all these only the good one is served");
    tap_ok(refused >= 15 && strstr(p->log, "r:505"), "what can be refused is: %d", refused);
    raw_close(&r);
    pair_free(p);
}

static char *written(osip_message_t *m)
{
    char *text = NULL;
    size_t n;
    if (message_text(m, &text, &n) != 0)
        abort();
    return text;
}

static void building(void)
{
    osip_message_t *m;
    const char *type;
    if (osip_message_init(&m) != 0)
        abort();
    tap_is_int(sip_header_add(m, "X", "a\r\nY: b"), EINVAL, "no header in a header");
    tap_is_int(sip_header_add(m, "X Y", "a"), EINVAL, "no blank in a name");
    tap_is_int(sip_header_add(m, "Contact", "<sip:me@h>"), 0, "Contact");
    tap_is_str(sip_header(m, "contact", 0), "<sip:me@h>", "is found again");
    tap_is_int(sip_header_add(m, "CSeq", ""), EINVAL, "an empty CSeq");
    tap_is_int(sip_body_set(m, "text/plain", SLICE("one")), 0, "a body");
    tap_is_int(sip_body_set(m, "text/html", SLICE("two!")), 0, "another");
    struct slice body = sip_body(m, &type);
    tap_ok(slice_is(body, "two!") && strcmp(type, "text/html") == 0 &&
               !sip_header(m, "Content-Type", 1),
           "replaces it");
    tap_is_int(sip_body_set(m, "text/plain\r\n", SLICE("x")), EINVAL, "no CR LF in its type");
    tap_is_int(sip_body_set(m, NULL, SLICE("")), 0, "no body");
    tap_ok(sip_body(m, &type).n == 0 && !type, "takes both out");
    tap_ok(sip_header_add(m, "Route", "<sip:a;lr>, <sip:b;lr>") == 0 &&
               osip_list_size(&m->routes) == 2,
           "a Route set");
    osip_message_set_method(m, mem_dup("INFO"));
    osip_message_set_version(m, mem_dup("SIP/2.0"));
    osip_uri_init(&m->req_uri);
    (void)osip_uri_parse(m->req_uri, "sip:a@b");
    char *text = written(m);
    osip_free(text);
    (void)sip_header_add(m, "X-Late", "yes");
    text = written(m);
    tap_ok(strstr(text, "X-Late: yes") != NULL, "what comes after it was written is written too");
    osip_free(text);
    sip_header_remove(m, "route");
    sip_header_remove(m, "Contact");
    tap_ok(osip_list_size(&m->routes) == 0 && !sip_header(m, "Contact", 0), "taken out");
    osip_message_free(m);
}

int main(void)
{
    struct pair *p = pair_new(SIP_UDP, "127.0.0.1", SIP_TIMERS_DEFAULT); /* starts libosip2 */
    all_cases();
    values();
    nul();
    many(SIP_HEADERS_MAX, -1);
    many(SIP_HEADERS_MAX + 1, 400);
    many_values("Contact", SIP_HEADERS_MAX, -1); /* with the Via of ALL */
    many_values("Contact", SIP_HEADERS_MAX + 1, 400);
    many_values("m", 6000, 400);
    many_values("Supported", 6000, 400);
    too_large();
    refusals();
    building();
    pair_free(p);
    on_the_wire();
    return tap_done();
}
