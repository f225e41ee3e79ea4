/* Answers as real peers write them, and the refusals. */
#include "sdp/sdp.h"
#include "test/unit/tap.h"

#include <errno.h>
#include <stdlib.h>

#define HEAD  "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
#define MEDIA "m=message 9000 TCP/MSRP *\r\n"
#define PATH  "a=path:msrp://192.0.2.9:9000/abc=/d;tcp\r\n"
#define TYPES "a=accept-types:message/cpim\r\n"

static void test_plain(void)
{
    struct sdp_view m;

    tap_is_int(
        sdp_read(SLICE(HEAD MEDIA "a=recvonly\r\n" TYPES PATH "a=max-size:100\r\na=setup:Active\r\n"
                                  "a=fingerprint:sha-1 ab:cd\r\n"
                                  "a=fingerprint:sha-256  AB:01\r\n"
                                  "a=accept-wrapped-types:*\r\n"),
                 &m),
        0, "an answer by the book");
    tap_ok(m.found && m.port == 9000, "m=");
    tap_is_str(m.proto, "TCP/MSRP", "proto");
    tap_is_str(m.address, "192.0.2.9", "c= of the session");
    tap_is_str(m.path, "msrp://192.0.2.9:9000/abc=/d;tcp", "path");
    tap_is_str(m.direction, "recvonly", "direction");
    tap_is_str(sdp_answer_setup(&m), "active", "setup, without case");
    tap_is_str(m.fingerprint, "sha-1 ab:cd sha-256 AB:01", "every fingerprint");
    tap_is_str(m.wrapped_types, "*", "wrapped types");
    tap_is_int(m.max_size, 100, "max-size");
    tap_is_int(sdp_answer_check(&m, 100, "image/png").status, 0, "a message of max-size fits");
    tap_is_str(sdp_answer_check(&m, 101, "image/png").why, "too-large", "one octet more does not");
    sdp_view_free(&m);
}

/* As a client of the field writes it: bare LF, a line of blanks, blanks before a=setup, attributes
 * of its own, media before its c= line, 0.0.0.0. */
static void test_odd(void)
{
    struct sdp_view m;

    tap_is_int(
        sdp_read(SLICE("\n\nv=0\no=x 1 1 IN IP4 0.0.0.0\ns=\nc=IN IP4 0.0.0.0\n"
                       "t=0 0\na=sendrecv\nm=audio 0 RTP/AVP 0\na=path:msrp://wrong:1/x;tcp\n"
                       "m=message 9 TCP/MSRP *\na=connection:new\na=:x\na=y:\nx=1\n\n"
                       "        \n        a=setup:actpass\na=recvonly\n"
                       "a=accept-types:  text/plain   message/CPIM;x=1\n"
                       "a=path: msrp://r.example.com:1/a;tcp   msrp://10.0.0.1:2/b;tcp\n"
                       "a=file-selector:name:\"a b\" size:77\n"
                       "b=AS:1\nc=IN IP6 2001:db8::9"),
                 &m),
        0, "an odd answer is read");
    tap_is_str(m.address, "2001:db8::9", "c= of the media goes first, also behind attributes");
    tap_is_str(m.path, "msrp://r.example.com:1/a;tcp msrp://10.0.0.1:2/b;tcp", "several URIs");
    tap_is_str(m.direction, "recvonly", "direction of the media goes first");
    tap_is_str(sdp_answer_setup(&m), "", "actpass in an answer is as none");
    tap_is_int(m.size, 77, "size among other selectors");
    tap_is_int(m.max_size, -1, "no max-size");
    tap_is_int(sdp_answer_check(&m, 5, "image/png").status, 0, "it can be used");
    sdp_view_free(&m);
}

static void test_levels(void)
{
    struct sdp_view m;

    tap_is_int(
        sdp_read(SLICE("v=0\r\nc=IN IP4 192.0.2.9\r\n" PATH TYPES "a=setup:holdconn\r\n" MEDIA),
                 &m),
        0, "attributes of the session, o= s= t= missing");
    tap_is_str(m.path, "msrp://192.0.2.9:9000/abc=/d;tcp", "path of the session");
    tap_is_str(m.direction, "sendrecv", "no direction is sendrecv");
    tap_is_str(sdp_answer_setup(&m), "", "holdconn is as none");
    tap_is_int(sdp_answer_check(&m, 5, "image/png").status, 0, "it can be used");
    sdp_view_free(&m);
}

static void refused(struct slice body, int status, const char *why)
{
    struct sdp_view m;
    int err = sdp_read(body, &m);
    struct sdp_refusal r =
        err != 0 ? sdp_read_refusal(err) : sdp_answer_check(&m, 1000, "image/png");

    tap_ok(r.status == status && r.why != NULL && strcmp(r.why, why) == 0, "%s is %d", why, status);
    sdp_view_free(&m);
}

static void test_refusals(void)
{
    refused(SLICE(""), 76, "no-answer-sdp");
    refused(SLICE("\r\n  \r\n"), 76, "no-answer-sdp");
    refused(SLICE(HEAD), 76, "no-media");
    refused(SLICE(HEAD "m=message 0 TCP/MSRP *\r\n" PATH TYPES), 69, "media-refused");
    refused(SLICE(HEAD MEDIA TYPES), 76, "no-path");
    refused(SLICE(HEAD MEDIA PATH "a=accept-types:text/plain\r\n"), 69, "types");
    refused(SLICE(HEAD MEDIA PATH TYPES "a=accept-wrapped-types:text/plain image/gif\r\n"), 69,
            "types");
    refused(SLICE(HEAD MEDIA PATH TYPES "a=max-size:999\r\n"), 69, "too-large");
    refused(SLICE(HEAD MEDIA PATH TYPES "a=inactive\r\n"), 69, "inactive");
    refused(SLICE(HEAD MEDIA PATH TYPES "a=sendonly\r\n"), 69, "sendonly");
    refused(SLICE("\0\0\0"), 76, "no-media");
}

/* The form that libosip2 reads past its end, and other ends in the middle. */
static void test_cut(void)
{
    static const char whole[] = HEAD MEDIA PATH TYPES "a=setup:active\r\n";
    struct sdp_view m;
    int read = 0;

    for (size_t n = 0; n < sizeof(whole); n++) {
        char *cut = malloc(n + 1); /* exact, so that a sanitizer sees a step beyond */
        memcpy(cut, whole, n);
        if (sdp_read((struct slice){cut, n}, &m) == 0)
            read++;
        sdp_view_free(&m);
        free(cut);
    }
    tap_ok(read > 0, "every cut was survived");
    tap_is_int(sdp_read(SLICE(HEAD "m=message 9 TCP/MSRP\n"), &m), 0, "m= without format list");
    tap_ok(m.found && m.port == 9, "and it counts");
    sdp_view_free(&m);
}

static void test_types(void)
{
    tap_ok(sdp_accepts("text/plain message/cpim", "message/cpim"), "in the list");
    tap_ok(sdp_accepts("*", "message/cpim"), "anything");
    tap_ok(sdp_accepts("message/*", "message/cpim"), "a whole type");
    tap_ok(sdp_accepts("message/cpim", "message/cpim;charset=utf-8"), "parameters do not count");
    tap_ok(!sdp_accepts("message/cpimx text/*", "message/cpim"), "not in the list");
    tap_ok(!sdp_accepts("", "message/cpim"), "an empty list");
}

int main(void)
{
    test_plain();
    test_odd();
    test_levels();
    test_refusals();
    test_cut();
    test_types();
    return tap_done();
}
