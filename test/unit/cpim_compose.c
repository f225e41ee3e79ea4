/* Writing message/cpim: by the letter, and nothing gets in that its fields cannot hold. */
#include "base/clock.h"
#include "cpim/cpim.h"
#include "test/unit/tap.h"

#include <errno.h>

#define DRAFT                                               \
    ((struct cpim_draft){.from = "sip:alice@example.com",   \
                         .to = "tel:+15551234",             \
                         .message_id = "4a7c0d3e",          \
                         .type = "image/jpeg",              \
                         .dispositions = CPIM_DISPOSITIONS, \
                         .wall_ms = 1795428000123,          \
                         .octets = 17})

static void written_is(const struct cpim_draft *d, const char *want, const char *what)
{
    struct buf b = BUF_UP_TO(CPIM_HEAD_MAX);
    const char *field, *why;
    tap_is_int(cpim_compose(d, &b, &field, &why), 0, what);
    tap_is_str(b.p, want, what);
    buf_free(&b);
}

static void test_letter(void)
{
    struct cpim_draft d = DRAFT;
    written_is(&d,
               "From: <sip:alice@example.com>\r\nTo: <tel:+15551234>\r\n"
               "DateTime: 2026-11-23T10:00:00.123Z\r\n"
               "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: 4a7c0d3e\r\n"
               "imdn.Disposition-Notification: positive-delivery, display\r\n\r\n"
               "Content-Type: image/jpeg\r\nContent-Length: 17\r\n\r\n",
               "a message with all that is usual");
    d.subject = "a\\b\tc\x01 \xc3\xa9";
    d.dispositions = "none";
    d.octets = -1;
    written_is(&d,
               "From: <sip:alice@example.com>\r\nTo: <tel:+15551234>\r\n"
               "DateTime: 2026-11-23T10:00:00.123Z\r\n"
               "Subject: a\\\\b\\tc\\u0001 \xc3\xa9\r\n"
               "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: 4a7c0d3e\r\n\r\n"
               "Content-Type: image/jpeg\r\n\r\n",
               "a subject with escapes, no request, size unknown");
    d = DRAFT;
    d.type = "message/imdn+xml";
    d.dispositions = NULL;
    written_is(&d,
               "From: <sip:alice@example.com>\r\nTo: <tel:+15551234>\r\n"
               "DateTime: 2026-11-23T10:00:00.123Z\r\n"
               "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: 4a7c0d3e\r\n\r\n"
               "Content-Type: message/imdn+xml\r\nContent-Disposition: notification\r\n"
               "Content-Length: 17\r\n\r\n",
               "a notification says that it is one");
}

static void refused(const struct cpim_draft *d, const char *want, const char *what)
{
    struct buf b = BUF_UP_TO(CPIM_HEAD_MAX);
    const char *field = "", *why = NULL;
    int err = cpim_compose(d, &b, &field, &why);
    if (!tap_ok(err == EINVAL && strcmp(field, want) == 0 && why && b.n == 0, "%s", what))
        printf("#      got: %d %s: %s\n", err, field, why ? why : "");
    buf_free(&b);
}

static void test_uris(void)
{
    static const char *const good[] = {
        "sip:alice@example.com",
        "sips:a@[2001:db8::1]:5061",
        "sip:192.0.2.1",
        "tel:+1-555-1234",
        "sip:+1555@x;user=phone",
        "tel:911;phone-context=+1",
        "sip:al%20ice@example.com",
        "im:alice@example.com",
        "SIP:alice@example.com",
        "tel:*31#;phone-context=x.y",
    };
    static const char *const bad[] = {
        "",
        "alice",
        "alice@example.com",
        "+15551234",
        "sip:",
        "sip:@host",
        "sip:a@",
        "sip:a@b@c",
        "tel:",
        "tel:alice",
        "sip:a@b\r\nX: y",
        "sip:a b@c",
        "<sip:a@b>",
        "sip:a@b>,<x",
        "sip:\xc3\xa9@b",
        "9sip:a@b",
        ":a@b",
        "x:",
        "sip:a@b\nTo: <sip:c>",
        "sip:\"a\"@b",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        tap_is_str(cpim_uri_fault(good[i]), NULL, good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        tap_ok(cpim_uri_fault(bad[i]) != NULL, "bad URI %zu is refused", i + 1);
}

static void test_refusals(void)
{
    struct cpim_draft d = DRAFT;
    d.from = "sip:a@b\r\nTo: <sip:eve@example.com>";
    refused(&d, "from", "a line end in From");
    d = DRAFT;
    d.to = "bob";
    refused(&d, "to", "a To that is no URI");
    static const char *const subjects[] = {
        "a\r\nX: y",        "a\nb",    "\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80",
        "\xf4\x90\x80\x80", "\xe2\x82"};
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        d = DRAFT;
        d.subject = subjects[i];
        refused(&d, "subject", "a subject with a line end, or not UTF-8");
    }
    static const char *const ids[] = {"", "a b", "a\r\nb", "<a>", "a@b"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        d = DRAFT;
        d.message_id = ids[i];
        refused(&d, "message-id", "an ID that is no token");
    }
    static const char *const types[] = {"", "jpeg", "image/", "/x", "a/b\r\nX: y", " a/b", "a/b/c"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        d = DRAFT;
        d.type = types[i];
        refused(&d, "type", "a media type that is none");
    }
    static const char *const lists[] = {"", "delivery", "display,", "none, display",
                                        "display\r\nX: y"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        d = DRAFT;
        d.dispositions = lists[i];
        refused(&d, "imdn", "a list with something else in it");
    }
    d = DRAFT;
    d.type = "message/imdn+xml; charset=UTF-8";
    refused(&d, "imdn", "a notification that asks for one");
}

static void test_too_long(void)
{
    static char subject[CPIM_HEAD_MAX];
    struct buf b = BUF_UP_TO(2 * CPIM_HEAD_MAX);
    const char *field, *why;
    struct cpim_draft d = DRAFT;
    memset(subject, 'x', sizeof subject - 1);
    d.subject = subject;
    tap_is_int(cpim_compose(&d, &b, &field, &why), EMSGSIZE, "a head too long is refused");
    tap_is_int((int64_t)b.n, 0, "and nothing of it was written");
    buf_free(&b);
}

/* What is written reads as it was meant, at every size of the first look. */
static void test_round_trip(void)
{
    struct buf b = BUF_UP_TO(CPIM_HEAD_MAX);
    struct cpim c;
    const char *field, *why;
    struct cpim_draft d = DRAFT;
    int wrong = 0;
    d.subject = "Sonne \xe2\x98\x80";
    tap_is_int(cpim_compose(&d, &b, &field, &why), 0, "composed");
    for (size_t n = 0; n < b.n; n++)
        wrong += cpim_parse((struct slice){b.p, n}, false, &c) != CPIM_MORE;
    tap_is_int(wrong, 0, "its parser wants all of it");
    tap_is_int(cpim_parse(buf_slice(&b), false, &c), CPIM_OK, "and reads it");
    tap_ok(slice_is(c.from_uri, d.from) && slice_is(c.to_uri, d.to), "the same people");
    tap_ok(slice_is(c.subject, d.subject), "the same subject");
    tap_ok(slice_is(c.message_id, d.message_id), "the same Message-ID");
    tap_ok(slice_is(c.content_type, d.type), "the same type");
    tap_is_int((int64_t)c.content_at, (int64_t)b.n, "the content begins behind the head");
    buf_free(&b);
}

static void test_ids_and_types(void)
{
    char a[CPIM_MESSAGE_ID_SIZE], b[CPIM_MESSAGE_ID_SIZE];
    cpim_new_message_id(a);
    cpim_new_message_id(b);
    tap_ok(strlen(a) == 32 && strspn(a, "0123456789abcdef") == 32, "an ID is 32 hex digits");
    tap_ok(strcmp(a, b) != 0, "and new each time");
    tap_is_str(cpim_type_of_name("a/b.c/Photo.JPG"), "image/jpeg", "endings have no case");
    tap_is_str(cpim_type_of_name("a.jpg/photo"), NULL, "a folder's ending is not the file's");
    tap_is_str(cpim_type_of_name(".jpg"), NULL, "a hidden file has no ending");
    tap_is_str(cpim_type_of_name("x."), NULL, "an empty ending is none");
    tap_is_str(cpim_type_of_name("x.txt"), "text/plain;charset=UTF-8", "text");
}

int main(void)
{
    test_letter();
    test_uris();
    test_refusals();
    test_too_long();
    test_round_trip();
    test_ids_and_types();
    return tap_done();
}
