/* The offer holds the attributes of clauses I8 and I8a to I8e, and no others. */
#include "sdp/sdp.h"
#include "test/unit/tap.h"

#include <errno.h>

static const struct sdp_offer plain = {
    .session = 17,
    .version = 1,
    .path = "msrp://192.0.2.1:40123/s3cr3t;tcp",
    .proto = "TCP/MSRP",
    .setup = "passive",
    .direction = "sendonly",
    .accept_types = "message/cpim",
    .wrapped_types = "image/jpeg message/imdn+xml",
    .size = 1234567,
};

static const char *build(const struct sdp_offer *o, struct buf *out)
{
    *out = BUF_UP_TO(4096);
    return sdp_offer_build(o, out) == 0 ? out->p : "(refused)";
}

static void test_whole(void)
{
    struct buf out;

    tap_is_str(build(&plain, &out),
               "v=0\r\n"
               "o=- 17 1 IN IP4 192.0.2.1\r\n"
               "s=-\r\n"
               "c=IN IP4 192.0.2.1\r\n"
               "t=0 0\r\n"
               "m=message 40123 TCP/MSRP *\r\n"
               "a=sendonly\r\n"
               "a=accept-types:message/cpim\r\n"
               "a=accept-wrapped-types:image/jpeg message/imdn+xml\r\n"
               "a=path:msrp://192.0.2.1:40123/s3cr3t;tcp\r\n"
               "a=file-selector:size:1234567\r\n"
               "a=setup:passive\r\n",
               "the offer of the change request");
    buf_free(&out);
}

static void test_variants(void)
{
    struct sdp_offer o = plain;
    struct buf out;

    o.path = "msrps://[2001:db8::1]:2855/x;tcp";
    o.proto = "TCP/TLS/MSRP";
    o.fingerprint = "SHA-256 AB:CD";
    o.cema = true;
    build(&o, &out);
    tap_ok(strstr(out.p, "c=IN IP6 2001:db8::1\r\n") != NULL, "IPv6 in c=, without brackets");
    tap_ok(strstr(out.p, "m=message 2855 TCP/TLS/MSRP *\r\n") != NULL, "TLS in m=");
    tap_ok(strstr(out.p, "a=fingerprint:SHA-256 AB:CD\r\n") != NULL, "the fingerprint");
    tap_ok(strstr(out.p, "a=msrp-cema\r\n") != NULL, "that c= and m= may be changed on the way");
    buf_free(&out);
    o = plain;
    o.setup = "active";
    build(&o, &out);
    tap_ok(strstr(out.p, "m=message 9 TCP/MSRP *\r\n") != NULL, "an active offer has port 9");
    buf_free(&out);
    o = plain;
    o.path = "msrp://relay.example.com:2855/r;tcp msrp://10.0.0.1:7654/y;tcp";
    build(&o, &out);
    tap_ok(strstr(out.p, "c=IN IP4 relay.example.com\r\n") != NULL, "the leftmost URI gives c=");
    buf_free(&out);
}

static void test_refused(void)
{
    struct sdp_offer o = plain;
    struct buf out = BUF_UP_TO(4096);
    struct buf small = BUF_UP_TO(100);

    o.path = "msrp://192.0.2.1/s;tcp";
    tap_is_int(sdp_offer_build(&o, &out), EINVAL, "a path without port");
    o.path = "192.0.2.1:7";
    tap_is_int(sdp_offer_build(&o, &out), EINVAL, "a path that is no URI");
    o.path = "msrp://192.0.2.1:70000/s;tcp";
    tap_is_int(sdp_offer_build(&o, &out), EINVAL, "a port beyond 65535");
    o = plain;
    o.wrapped_types = "a/b\r\na=connection:new";
    tap_is_int(sdp_offer_build(&o, &out), EINVAL, "a line end in a value");
    tap_is_int((int64_t)out.n, 0, "nothing was added");
    tap_is_int(sdp_offer_build(&plain, &small), EMSGSIZE, "no room");
    tap_is_int((int64_t)small.n, 0, "and nothing half done");
    buf_free(&out);
    buf_free(&small);
}

int main(void)
{
    test_whole();
    test_variants();
    test_refused();
    return tap_done();
}
