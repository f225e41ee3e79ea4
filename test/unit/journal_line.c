/* Event lines: what is written can be read, and what is no line as a whole is no line at all. */
#include "base/err.h"
#include "journal/line.h"
#include "test/unit/tap.h"

#include <errno.h>
#include <string.h>

static bool parses(const char *text)
{
    struct line l;
    return line_parse(slice_of(text), &l) == 0;
}

static bool value_is(const char *text, const char *key, const char *want)
{
    struct line l;
    return line_parse(slice_of(text), &l) == 0 && line_get(&l, key).p &&
           slice_is(line_get(&l, key), want);
}

#define HEAD "2026-11-22T10:00:00.123Z cpm-msrp-serve[4711] "

static void test_reading(void)
{
    struct line l;
    tap_ok(parses(HEAD "msrp.listening sid=k3x9 path=msrp://192.0.2.1:40123/s3cr3t;tcp size=12"),
           "the line of the manual is a line");
    tap_ok(line_parse(slice_of(HEAD "outcome sid=a status=0"), &l) == 0 &&
               slice_is(l.program, "cpm-msrp-serve") && l.pid == 4711 &&
               slice_is(l.event, "outcome") && slice_is(l.sid, "a") && l.wall_ms > 0,
           "time, program, pid, event and sid are taken apart");
    tap_ok(line_parse(slice_of("job.start to=sip:bob@example.com"), &l) == 0 && l.wall_ms == 0,
           "a bare line begins with the event");
    tap_ok(parses("bye.request"), "an event alone is a line");
    tap_ok(value_is("e.x why=\"a \\\"b\\\" \\\\ \\x0a\"", "why", "a \"b\" \\ \n"),
           "escapes are decoded");
    tap_ok(value_is("e.x a=\"\" b=1", "a", ""), "an empty value stands in quotes");
    tap_ok(value_is("e.x a=1 a=2", "a", "2"), "the last value wins");
}

static void test_torn(void)
{
    static const char *const bad[] = {
        HEAD "msrp.progress octets=12 !", /* closed by the next writer */
        HEAD "msrp.progress octets=",
        HEAD "msrp.progress octets=\"12",
        HEAD "msrp.progress why=\"a\\x0\"",
        HEAD "msrp.progress why=\"a\\n\"",
        HEAD "msrp.progress octets=1  total=2",
        HEAD "msrp.progress octets",
        HEAD "msrp.progress octets=1 ",
        "2026-11-22T10:00:00.123Z cpm-bye[] outcome status=0",
        "2026-11-22T10:00:00.123Z cpm-bye[12 outcome status=0",
        "2026-11-22T10:00:00.123Z cpm-bye[12]",
        "2026-11-22T25:00:00.123Z cpm-bye[12] outcome status=0",
        "",
        " outcome",
        "=",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        tap_ok(!parses(bad[i]), "refused: %s", bad[i]);
    struct line l;
    tap_ok(line_parse((struct slice){"e.x a=1\0b", 9}, &l) == EBADMSG, "a NUL is refused");
}

/* Each proper prefix of a line either is refused or holds no value that the whole does not hold. */
static void test_prefixes(void)
{
    static const char whole[] = HEAD "msrp.failed sid=k status=75 why=\"lost \\\"it\\\"\" octets=9";
    struct line full, part;
    bool sound = line_parse(SLICE(whole), &full) == 0;
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        if (line_parse((struct slice){whole, n}, &part) != 0)
            continue;
        sound = sound && part.count <= full.count;
    }
    tap_ok(sound, "no prefix is read as more than the whole");
}

static void test_writing(void)
{
    struct line_out o;
    struct line l;
    line_begin(&o, "invite.failed", "k3x9");
    line_number(&o, "status", 75);
    line_text(&o, "reason", "Busy \"Here\"\r\n\\");
    line_text(&o, "nothing", NULL);
    tap_is_int(line_end(&o), 0, "a line is built");
    tap_ok(o.text[o.n - 1] == '\n' && !memchr(o.text, '\r', o.n), "it is one line");
    tap_ok(line_parse((struct slice){o.text, o.n - 1}, &l) == 0 &&
               slice_is(line_get(&l, "reason"), "Busy \"Here\"\r\n\\") &&
               slice_is(line_get(&l, "status"), "75") && !line_get(&l, "nothing").p,
           "and reads back as it was meant");
}

static void test_limits(void)
{
    static char long_value[LINE_MAX_SIZE * 2];
    struct line_out o;
    struct line l;
    memset(long_value, 'x', sizeof long_value - 1);
    line_begin(&o, "dialog.route", "k");
    line_text(&o, "uri", long_value);
    tap_is_int(line_end(&o), EMSGSIZE, "a value that cannot fit is refused");
    line_begin(&o, "invite.failed", "k");
    line_free_text(&o, "why", slice_of(long_value));
    tap_ok(line_end(&o) == 0 && o.n <= LINE_MAX_SIZE, "free text is cut to fit");
    tap_ok(line_parse((struct slice){o.text, o.n - 1}, &l) == 0 && line_get(&l, "why").n > 3000 &&
               memcmp(line_get(&l, "why").p + line_get(&l, "why").n - 3, "\xe2\x80\xa6", 3) == 0,
           "with an ellipsis at its end");
    for (size_t i = 0; i + 2 < sizeof long_value; i += 2)
        memcpy(long_value + i, "\xc3\xa4", 2);
    line_begin(&o, "invite.failed", "kk");
    line_free_text(&o, "why", slice_of(long_value));
    tap_ok(line_end(&o) == 0 && line_parse((struct slice){o.text, o.n - 1}, &l) == 0 &&
               (line_get(&l, "why").n - 3) % 2 == 0,
           "and not within a UTF-8 character");
}

int main(void)
{
    err_program("cpm-test");
    test_reading();
    test_torn();
    test_prefixes();
    test_writing();
    test_limits();
    return tap_done();
}
