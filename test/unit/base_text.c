/* Numbers, slices, buffers, times and the lines of configuration files. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rand.h"
#include "base/utf8.h"
#include "test/unit/tap.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

static void test_integers(void)
{
    static const char *const bad[] = {"", " 1", "1 ", "+1", "0x1", "1.0", "-", "--1", "one"};
    int64_t v = -7;
    tap_ok(num_int("0", 0, 9, &v) == 0 && v == 0, "zero");
    tap_ok(num_int("-12", -12, 9, &v) == 0 && v == -12, "the least value");
    tap_ok(num_int("9223372036854775807", 0, INT64_MAX, &v) == 0 && v == INT64_MAX, "the largest");
    tap_is_int(num_int("9223372036854775808", 0, INT64_MAX, &v), ERANGE, "one more");
    tap_is_int(num_int("10", 0, 9, &v), ERANGE, "above the range");
    tap_is_int(num_int("-1", 0, 9, &v), ERANGE, "below the range");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        tap_ok(num_int(bad[i], INT64_MIN, INT64_MAX, &v) == EINVAL, "no number: \"%s\"", bad[i]);
}

static void test_units(void)
{
    static const struct {
        const char *text;
        int64_t ms;
    } times[] = {{"30", 30000},
                 {"1.5", 1500},
                 {"250ms", 250},
                 {"5m", 300000},
                 {"72h", 259200000},
                 {"2d", 172800000},
                 {"0.001", 1},
                 {"1s", 1000},
                 {"x", -1},
                 {"1x", -1},
                 {"-1", -1},
                 {"1.", -1},
                 {".5", -1},
                 {"1 s", -1},
                 {"1.0001", -1},
                 {"", -1},
                 {"9223372036854775", -1}};
    static const struct {
        const char *text;
        int64_t octets;
    } sizes[] = {{"0", 0},           {"65536", 65536}, {"64k", 65536}, {"1M", 1048576},
                 {"2G", 2147483648}, {"k", -1},        {"1kb", -1},    {"-1", -1}};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        int64_t v = -1;
        int err = num_duration_ms(times[i].text, &v);
        tap_ok(times[i].ms < 0 ? err != 0 : err == 0 && v == times[i].ms, "duration \"%s\"",
               times[i].text);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t v = -1;
        int err = num_size(sizes[i].text, &v);
        tap_ok(sizes[i].octets < 0 ? err != 0 : err == 0 && v == sizes[i].octets, "size \"%s\"",
               sizes[i].text);
    }
}

static void size_reads(uint64_t octets, const char *want)
{
    char text[16];
    num_size_text(text, octets);
    tap_is_str(text, want, want);
}

static void group_reads(uint64_t n, const char *want)
{
    char text[27];
    num_group_text(text, n);
    tap_is_str(text, want, want);
}

static void test_groups(void)
{
    group_reads(0, "0");
    group_reads(999, "999");
    group_reads(1000, "1,000");
    group_reads(78039, "78,039");
    group_reads(123456, "123,456");
    group_reads(UINT64_MAX, "18,446,744,073,709,551,615");
}

static void shows(const char *text, size_t most, const char *want)
{
    struct buf b = BUF_UP_TO(100);
    tap_is_int(utf8_show(&b, slice_of(text), most), 0, "shown");
    tap_is_str(b.n > 0 ? b.p : "", want, want);
    buf_free(&b);
}

static void copies(size_t size, const char *text, const char *want)
{
    char to[8];
    memset(to, 'x', sizeof to);
    utf8_copy(to, size, slice_of(text));
    tap_is_str(to, want, "whole characters");
}

/* Cut to a size, but never within a character; what is no UTF-8 is none. */
static void test_cut(void)
{
    copies(8, "abc", "abc");
    copies(4, "abc", "abc");
    copies(3, "abc", "ab");
    copies(1, "abc", "");
    copies(8, NULL, "");
    copies(4, "a\xc3\xa4z", "a\xc3\xa4");
    copies(3, "a\xc3\xa4z", "a");
    copies(5, "a\xe2\x82\xacz", "a\xe2\x82\xac");
    copies(4, "a\xe2\x82\xacz", "a");
    copies(3, "a\xe2\x82\xacz", "a");
    copies(5, "a\xf0\x9f\x98\x80z", "a");
    copies(6, "\x80\x80\x80\x80\x80\x80", "\x80\x80\x80\x80\x80");
    copies(5, "a\xc3", "a\xc3");
}

static void test_utf8(void)
{
    struct buf small = BUF_UP_TO(5);
    shows("", 9, "");
    shows("a\n\x1b[31m", 9, "a\\x0a\\x1b[31m");
    shows("\xc2\x9b\xe2\x80\xae\xf3\xa0\x81\x81", 9, "\\x9b\\u202e\\ue0041");
    shows("\xff\xc3", 9, "\xef\xbf\xbd\xef\xbf\xbd");
    shows("\xc3\xa4\xc3\xb6\xc3\xbc", 2, "\xc3\xa4\xc3\xb6\xe2\x80\xa6");
    shows("ab", 2, "ab");
    tap_is_int(utf8_show(&small, SLICE("abcdef"), 9), EMSGSIZE, "no room");
    buf_free(&small);
    tap_ok(utf8_columns('a') == 1 && utf8_columns(0xe4) == 1 && utf8_columns(0x2500) == 1,
           "one column");
    tap_ok(utf8_columns(0x5bdd) == 2 && utf8_columns(0x1f600) == 2 && utf8_columns(0xac00) == 2,
           "two columns");
    tap_ok(utf8_columns(0x301) == 0 && utf8_columns(0xfe0f) == 0, "none");
}

static void test_durations(void)
{
    static const struct {
        int64_t ms;
        const char *want;
    } cases[] = {
        {-5, "0.0 s"},
        {0, "0.0 s"},
        {499, "0.4 s"},
        {9999, "9.9 s"},
        {10000, "10 s"},
        {59999, "59 s"},
        {60000, "1 min"},
        {3599999, "59 min"},
        {3600000, "1 h"},
        {11520000, "3 h 12 min"},
        {86399999, "23 h 59 min"},
        {86400000, "1 d"},
        {442800000, "5 d 3 h"},
        {INT64_MAX, "106751991167 d 7 h"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[24];
        num_duration_text(text, cases[i].ms);
        tap_is_str(text, cases[i].want, cases[i].want);
    }
}

static void digits_read(uint64_t value, const char *want)
{
    char text[NUM_DIGITS + 1] = "";
    text[num_digits(text, value)] = '\0';
    tap_is_str(text, want, want);
}

static void test_digits(void)
{
    char text[] = "xxxxx";
    digits_read(0, "0");
    digits_read(9, "9");
    digits_read(10, "10");
    digits_read(UINT64_MAX, "18446744073709551615");
    num_digits_of(text + 1, 3, 7);
    tap_is_str(text, "x007x", "with zeros in front");
    num_digits_of(text + 1, 3, 12345);
    tap_is_str(text, "x345x", "the last digits");
}

static void test_slices(void)
{
    struct slice rest = SLICE("a,,b");
    uint64_t v;
    tap_ok(slice_is(slice_cut(&rest, ','), "a") && slice_cut(&rest, ',').n == 0 &&
               slice_is(slice_cut(&rest, ','), "b") && rest.p == NULL,
           "cutting at each comma, empty parts too");
    tap_ok(slice_is(slice_trim(SLICE(" \tx y\t ")), "x y"), "blanks at both ends go");
    tap_ok(slice_trim(SLICE("  ")).n == 0, "nothing but blanks");
    tap_ok(slice_is_nocase(SLICE("FroM"), "from") && !slice_is(SLICE("FroM"), "from"), "case");
    tap_ok(slice_starts(SLICE("sip:x"), "sip:") && !slice_starts(SLICE("si"), "sip:"), "prefix");
    tap_ok(slice_number(SLICE("007"), 10, &v) && v == 7, "a number");
    tap_ok(!slice_number(SLICE("11"), 10, &v) && !slice_number(SLICE(""), 10, &v) &&
               !slice_number(SLICE("1a"), 10, &v) && !slice_number(SLICE("9"), 5, &v),
           "too large, empty, not digits alone");
    tap_ok(slice_number(SLICE("18446744073709551615"), UINT64_MAX, &v) && v == UINT64_MAX &&
               !slice_number(SLICE("18446744073709551616"), UINT64_MAX, &v),
           "the largest number, and one more");
}

static void test_buffers(void)
{
    struct buf b = BUF_UP_TO(8);
    tap_ok(buf_add_text(&b, "abcd") == 0 && buf_format(&b, "%d", 42) == 0, "adding");
    tap_ok(buf_add_text(&b, "xyz") == EMSGSIZE && b.n == 6 && strcmp(b.p, "abcd42") == 0,
           "the limit leaves the buffer unchanged");
    tap_ok(buf_format(&b, "%s", "xyz") == EMSGSIZE && b.n == 6 && strcmp(b.p, "abcd42") == 0,
           "for formatted text too");
    tap_ok(buf_add_text(&b, "xy") == 0 && b.n == 8, "up to the limit");
    buf_drop(&b, 3);
    tap_is_str(b.p, "d42xy", "the first octets forgotten");
    size_t room;
    char *p = buf_room(&b, 100, &room);
    tap_ok(room == 3, "room up to the limit");
    memcpy(p, "...", 3);
    buf_wrote(&b, 3);
    tap_is_str(b.p, "d42xy...", "written in place");
    buf_free(&b);
    tap_ok(b.n == 0 && b.p == NULL, "freed");
}

static void test_clock(void)
{
    char text[CLOCK_TEXT_SIZE];
    int64_t ms = 0;
    clock_text(text, 1795600800123);
    tap_is_str(text, "2026-11-25T10:00:00.123Z", "a time as text");
    tap_ok(clock_parse(text, strlen(text), &ms) == 0 && ms == 1795600800123, "and back");
    tap_is_int(clock_parse("2026-13-22T10:00:00.123Z", 24, &ms), EINVAL, "month 13");
    tap_is_int(clock_parse("2026-11-22T10:00:00.123+", 24, &ms), EINVAL, "not UTC");
    tap_is_int(clock_parse("2026-11-22T10:00:00Z", 20, &ms), EINVAL, "no milliseconds");
    tap_ok(clock_ms() <= clock_ms(), "monotonic time does not go back");
    int wrong = 0;
    for (int64_t s = 0; s < 253402300800; s += 86400 * 11 + 3601) {
        char whole[32] = "";
        time_t t = (time_t)s;
        struct tm tm;
        (void)gmtime_r(&t, &tm);
        (void)strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S.007Z", &tm);
        clock_text(text, s * 1000 + 7);
        wrong += strcmp(text, whole) != 0;
        wrong += clock_parse(text, strlen(text), &ms) != 0 || ms != s * 1000 + 7;
    }
    tap_is_int(wrong, 0, "dates as gmtime has them, up to the year 9999, and back");
    clock_text(text, 253402300800000);
    tap_is_str(text, "1970-01-01T00:00:00.000Z", "a year beyond 9999");
}

static void test_random(void)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    static char many[62000 + 1];
    char a[15], b[15], uuid[RAND_UUID_SIZE];
    rand_token(a, 14);
    rand_token(b, 14);
    tap_ok(strlen(a) == 14 && strspn(a, letters) == 14 && strcmp(a, b) != 0, "tokens");
    rand_token(many, 62000);
    tap_ok(strlen(many) == 62000 && strspn(many, letters) == 62000, "a long one");
    size_t seldom = 62000, often = 0;
    for (const char *c = letters; *c; c++) {
        size_t n = 0;
        for (const char *p = many; *p; p++)
            n += *p == *c;
        seldom = n < seldom ? n : seldom;
        often = n > often ? n : often;
    }
    tap_ok(seldom > 700 && often < 1300, "each letter as often: %zu to %zu of 1000", seldom, often);
    rand_uuid(uuid);
    tap_ok(strlen(uuid) == 36 && uuid[14] == '4' && strchr("89ab", uuid[19]) &&
               strspn(uuid, "0123456789abcdef-") == 36,
           "a UUID of version 4: %s", uuid);
}

static void test_tame(void)
{
    char text[] = "a\tb\033[2J\x7f\xc2\x9b"
                  "31m\x9b\xc3\xa9\xff";
    err_tame(text, sizeof text - 1, '?');
    tap_is_str(text, "a\tb?[2J???31m?\xc3\xa9\xff", "a terminal has nothing to obey");
}

int main(void)
{
    test_integers();
    test_units();
    size_reads(17, "17 B");
    size_reads(1258291, "1.2 MiB");
    size_reads(1ULL << 30, "1.0 GiB");
    size_reads(UINT64_MAX, "16.0 EiB");
    test_durations();
    test_digits();
    test_groups();
    test_utf8();
    test_cut();
    test_tame();
    test_slices();
    test_buffers();
    test_clock();
    test_random();
    return tap_done();
}
