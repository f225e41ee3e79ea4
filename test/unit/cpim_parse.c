/* Reading message/cpim: what the standard says, what is seen in the wild, and whatever else. */
#include "cpim/cpim.h"
#include "test/unit/tap.h"

#include <stdlib.h>

#define NS_IMDN "NS: imdn <urn:ietf:params:imdn>\r\n"
#define FROM_TO "From: Alice <sip:alice@example.com>\r\nTo: <tel:+15551234>\r\n"
#define TEXT    "Content-Type: text/plain\r\n\r\n"

static const char sound[] =
    FROM_TO "DateTime: 2026-11-23T10:00:00.000Z\r\n"
            "Subject:;lang=en Sunset\r\n" NS_IMDN "imdn.Message-ID: 4a7c0d3e\r\n"
            "imdn.Disposition-Notification: positive-delivery, display\r\n"
            "\r\n"
            "Content-Type: image/jpeg; name=\"a b.jpg\"\r\n"
            "Content-Length: 5\r\n\r\n"
            "\r\n\r\n$";

static bool is(struct slice got, const char *want, const char *what)
{
    bool good = want ? got.p && slice_is(got, want) : !got.p;
    if (!tap_ok(good, "%s", what))
        printf("#      got: %.*s\n", (int)got.n, got.p ? got.p : "");
    return good;
}

/* The input in memory of exactly its size, so that a sanitizer sees a step too far. */
static enum cpim_error parse(struct slice s, bool whole, struct cpim *c, char **copy)
{
    *copy = malloc(s.n ? s.n : 1);
    if (s.n)
        memcpy(*copy, s.p, s.n);
    return cpim_parse((struct slice){*copy, s.n}, whole, c);
}

static void verdict(const char *text, enum cpim_error want, const char *what)
{
    struct cpim c;
    char *copy;
    enum cpim_error got = parse(slice_of(text), true, &c, &copy);
    if (!tap_ok(got == want, "%s", what))
        printf("#      got: %s\n# expected: %s\n", cpim_error_text(got), cpim_error_text(want));
    free(copy);
}

static void test_sound(void)
{
    struct cpim c;
    tap_is_int(cpim_parse(SLICE(sound), true, &c), CPIM_OK, "a sound message is read");
    is(c.from, "Alice <sip:alice@example.com>", "From");
    is(c.from_uri, "sip:alice@example.com", "the URI of From");
    is(c.to_uri, "tel:+15551234", "the URI of To");
    is(c.date_time, "2026-11-23T10:00:00.000Z", "DateTime");
    is(c.subject, "Sunset", "Subject without its language");
    is(c.message_id, "4a7c0d3e", "imdn.Message-ID");
    is(c.dispositions, "positive-delivery, display", "imdn.Disposition-Notification");
    is(c.content_type, "image/jpeg; name=\"a b.jpg\"", "Content-Type");
    is(cpim_media_type(c.content_type), "image/jpeg", "the media type");
    is(c.content_length, "5", "Content-Length");
    is(c.cc, NULL, "cc is not there");
    tap_is_int((int64_t)c.content_at, sizeof sound - 1 - 5, "the content begins after the head");
}

/* Whatever is missing at the end, the verdict is "more"; with the head complete it is final. */
static void test_cuts(void)
{
    struct cpim c;
    char *copy;
    size_t head = sizeof sound - 1 - 5;
    int wrong = 0, wrong_whole = 0;
    for (size_t n = 0; n < sizeof sound; n++) {
        struct slice s = {sound, n};
        if (parse(s, false, &c, &copy) != (n < head ? CPIM_MORE : CPIM_OK))
            wrong++;
        free(copy);
        enum cpim_error e = parse(s, true, &c, &copy);
        if (n < head ? e <= CPIM_MORE : e != CPIM_OK)
            wrong_whole++;
        free(copy);
    }
    tap_is_int(wrong, 0, "at every cut of the head more is asked for");
    tap_is_int(wrong_whole, 0, "a file that ends within its head is never taken for a message");
    verdict(FROM_TO "\r\n", CPIM_CUT, "a message that ends after its message headers is cut");
}

static void test_folded_cuts(void)
{
    static const char text[] = FROM_TO "\r\nContent-Type: image/jpeg;\r\n\tname=x\r\n\r\n";
    struct cpim c;
    int wrong = 0;
    for (size_t n = 0; n < sizeof text - 1; n++)
        wrong += cpim_parse((struct slice){text, n}, false, &c) != CPIM_MORE;
    tap_is_int(wrong, 0, "at every cut of a folded header more is asked for");
    tap_is_int(cpim_parse(SLICE(text), false, &c), CPIM_OK, "a folded content header is read");
    is(c.content_type, "image/jpeg;\r\n\tname=x", "its value holds the fold");
    is(cpim_media_type(c.content_type), "image/jpeg", "its media type does not");
}

static void test_wild(void)
{
    struct cpim c;
    static const char no_space[] = "From: <tel:+8613900000000>\r\nTo: <tel:+8613900000001>\r\n"
                                   "NS: imdn<urn:ietf:params:imdn>\r\nimdn.Message-ID: x1\r\n"
                                   "DateTime: 2020-10-24T10:24:11.270+5:30\r\n"
                                   "Content-type:text/plain\r\nContent-Length: 2\r\n\r\nhi";
    tap_is_int(cpim_parse(SLICE(no_space), true, &c), CPIM_OK,
               "NS without a space, no blank line before the content headers");
    is(c.message_id, "x1", "the imdn prefix is found");
    is(c.content_type, "text/plain", "content header names have no case, and no space is needed");
    tap_is_int((int64_t)c.content_at, sizeof no_space - 3,
               "the content begins after one blank line");
    is((struct slice){c.headers.p + c.headers.n, 12}, "Content-type", "the headers end before it");

    static const char bare[] = "From: sip:a@b\nTo: <sip:b@c>\n\nContent-Type: a/b\n\n\n";
    tap_is_int(cpim_parse(SLICE(bare), true, &c), CPIM_OK, "bare LF, a URI without <>");
    is(c.from_uri, "sip:a@b", "the bare URI is found");
    tap_is_int((int64_t)c.content_at, sizeof bare - 2, "a line end in the content is content");

    static const char two_ns[] = FROM_TO "NS: x <urn:example>\r\nNS: m <urn:ietf:params:imdn>\r\n"
                                         "x.Message-ID: no\r\nm.Message-ID: yes\r\n\r\n" TEXT;
    tap_is_int(cpim_parse(SLICE(two_ns), true, &c), CPIM_OK, "two NS headers");
    is(c.message_id, "yes", "the prefix counts that is bound to the IMDN namespace");

    static const char rebound[] = FROM_TO "NS: m <urn:ietf:params:imdn>\r\nNS: m <urn:example>\r\n"
                                          "m.Message-ID: no\r\n\r\n" TEXT;
    tap_is_int(cpim_parse(SLICE(rebound), true, &c), CPIM_OK, "a prefix that is bound anew");
    is(c.message_id, NULL, "does not count any more");

    static const char standard[] =
        FROM_TO "NS: <urn:ietf:params:imdn>\r\nMessage-ID: d\r\n\r\n" TEXT;
    tap_is_int(cpim_parse(SLICE(standard), true, &c), CPIM_OK, "IMDN as the default namespace");
    is(c.message_id, "d", "a name without prefix belongs to it");

    static const char literal[] = FROM_TO "imdn.Message-ID: l\r\n\r\n" TEXT;
    tap_is_int(cpim_parse(SLICE(literal), true, &c), CPIM_OK, "the literal prefix imdn without NS");
    is(c.message_id, "l", "counts");
    verdict(FROM_TO "\r\n\r\n", CPIM_OK, "no content headers and no content");
}

static void test_faults(void)
{
    verdict("", CPIM_EMPTY, "an empty file");
    verdict("\xff\xd8\xff\xe0 a photo", CPIM_NOT_CPIM, "a photo");
    verdict("\xff\xd8\n\xe0\n", CPIM_NOT_CPIM, "a photo with line ends");
    verdict("hello\n", CPIM_NOT_CPIM, "a text");
    verdict("\r\n" FROM_TO "\r\n" TEXT, CPIM_NOT_CPIM, "a blank line first");
    verdict("Content-Type: message/cpim\r\n\r\n" FROM_TO "\r\n" TEXT, CPIM_OUTER_HEADERS,
            "the MIME headers of the message itself");
    verdict("To: <sip:b@c>\r\n\r\n" TEXT, CPIM_NO_FROM, "no From");
    verdict("from: <sip:a@b>\r\nTo: <sip:b@c>\r\n\r\n" TEXT, CPIM_NO_FROM, "from is not From");
    verdict("From: Alice\r\nTo: <sip:b@c>\r\n\r\n" TEXT, CPIM_BAD_FROM, "From without a URI");
    verdict("From:\r\nTo: <sip:b@c>\r\n\r\n" TEXT, CPIM_BAD_FROM, "an empty From");
    verdict("From: <sip:a@b>\r\n" FROM_TO "\r\n" TEXT, CPIM_TWO_FROMS, "two Froms");
    verdict("From: <sip:a@b>\r\n\r\n" TEXT, CPIM_NO_TO, "no To");
    verdict("From: <sip:a@b>\r\nTo: bob\r\n\r\n" TEXT, CPIM_BAD_TO, "To without a URI");
    verdict(FROM_TO " folded\r\n\r\n" TEXT, CPIM_BAD_HEADER, "a folded message header");
    verdict(FROM_TO "a b: c\r\n\r\n" TEXT, CPIM_BAD_HEADER, "a blank in a name");
    verdict(FROM_TO "X: a\rTo: b\r\n\r\n" TEXT, CPIM_BAD_HEADER, "a bare CR in a value");
    verdict(FROM_TO "\r\nhello\r\n", CPIM_NO_CONTENT_HEADERS, "content without headers");
    verdict(FROM_TO "\r\n"
                    "Content-Type: a/b\r\nhello\r\n",
            CPIM_BAD_HEADER, "a content header that is none");
}

static void test_uris(void)
{
    static const struct {
        const char *value, *uri;
    } cases[] = {
        {"<sip:a@b>", "sip:a@b"},
        {"Depeche Mode <sip:dm@example.com>", "sip:dm@example.com"},
        {"\"A <b> \\\" c\" <sips:a@b;user=phone>", "sips:a@b;user=phone"},
        {"\"\\u00c4rger\" <tel:+49>", "tel:+49"},
        {"  sip:a@b  ", "sip:a@b"},
        {"<urn:x:y>", "urn:x:y"},
        {"<>", NULL},
        {"<sip:a@b", NULL},
        {"<sip:a b@c>", NULL},
        {"alice", NULL},
        {"1x:y", NULL},
        {"\"unclosed <sip:a@b>", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        is(cpim_uri_of(slice_of(cases[i].value)), cases[i].uri, cases[i].value);
    is(cpim_media_type((struct slice){NULL, 0}), "text/plain", "no Content-Type is text/plain");
    is(cpim_media_type(slice_of("jpeg")), "", "a media type needs its slash");
    is(cpim_media_type(slice_of("a/b/c")), "", "and no more than one");
    is(cpim_media_type(slice_of("")), "", "an empty Content-Type is none");
}

static void test_bounds(void)
{
    struct cpim c;
    size_t n = CPIM_HEAD_MAX + 10;
    char *big = malloc(n);
    memset(big, 'a', n);
    memcpy(big, FROM_TO "X: ", sizeof FROM_TO + 2);
    tap_is_int(cpim_parse((struct slice){big, n}, false, &c), CPIM_HEAD_TOO_LONG,
               "a head is bounded");
    tap_is_int(cpim_parse((struct slice){big, n}, true, &c), CPIM_HEAD_TOO_LONG,
               "also when the whole message is there");
    tap_is_int(cpim_parse((struct slice){big, CPIM_HEAD_MAX}, false, &c), CPIM_HEAD_TOO_LONG,
               "at the limit more is not asked for");
    tap_is_int(cpim_parse((struct slice){big, CPIM_HEAD_MAX - 1}, false, &c), CPIM_MORE,
               "below it it is");
    tap_is_int(cpim_parse((struct slice){big, CPIM_HEAD_MAX}, true, &c), CPIM_CUT,
               "a whole message of that size is cut");
    free(big);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static bool within(struct slice s, const char *p, size_t n)
{
    return !s.p || (s.p >= p && s.n <= n && s.p + s.n <= p + n);
}

static void test_mutations(void)
{
    uint32_t state = 20261123;
    int sound_ones = 0, outside = 0;
    for (int round = 0; round < 200000; round++) {
        struct cpim c;
        size_t n = 1 + next_random(&state) % (sizeof sound - 1);
        char *p = malloc(n);
        memcpy(p, sound, n);
        for (uint32_t k = next_random(&state) % 6; k > 0; k--)
            p[next_random(&state) % n] = "\r\n:;<>\"\\ \t.a\0\xff/-"[next_random(&state) % 17];
        enum cpim_error e = cpim_parse((struct slice){p, n}, round % 2, &c);
        sound_ones += e == CPIM_OK;
        if (e == CPIM_OK && c.content_at > n)
            outside++;
        struct slice parts[] = {c.from_uri,        c.to_uri,       c.subject,
                                c.message_id,      c.headers,      c.dispositions,
                                c.content_headers, c.content_type, c.date_time};
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            outside += !within(parts[i], p, n);
        free(p);
    }
    tap_is_int(outside, 0, "no mutation makes the parser leave its input");
    tap_ok(sound_ones > 1000, "%d mutations are still messages", sound_ones);
}

int main(void)
{
    test_sound();
    test_cuts();
    test_folded_cuts();
    test_wild();
    test_faults();
    test_uris();
    test_bounds();
    test_mutations();
    return tap_done();
}
