/* The writer of HTML: whatever a value holds, it is text. */
#include "base/html.h"
#include "test/unit/tap.h"

#include <errno.h>
#include <stdlib.h>

static void check(const char *value, const char *wanted, const char *what)
{
    struct buf b = BUF_UP_TO(1000);
    struct html h = {&b, 0};
    html_add(&h, "%s", value);
    tap_is_str(b.p ? b.p : "", wanted, what);
    tap_is_int(h.error, 0, "... without an error");
    buf_free(&b);
}

static void values(void)
{
    check("plain", "plain", "plain text");
    check(NULL, "", "nothing");
    check("<script>&\"'", "&lt;script&gt;&amp;&quot;&#39;", "markup");
    check("a\tb\r\n\x1b[31m\x7f", "a\\x09b\\x0d\\x0a\\x1b[31m\\x7f", "controls");
    check("\xc2\x85", "\\x85", "a control beyond ASCII");
    check("\xe2\x80\xaegpj.exe", "\\u202egpj.exe", "an override of the direction");
    check("\xe2\x81\xa6x\xe2\x81\xa9\xe2\x80\x8b", "\\u2066x\\u2069\\u200b", "isolates, no width");
    check("\xf3\xa0\x81\x81", "\\ue0041", "a tag character");
    check("\xc3\xa4\xf0\x9f\x98\x80\xd8\xa7", "\xc3\xa4\xf0\x9f\x98\x80\xd8\xa7", "UTF-8 as it is");
    check("\xc3", "\xef\xbf\xbd", "a character cut short");
    check("\xc3<", "\xef\xbf\xbd&lt;", "... does not hide what follows");
    check("\xc0\xbc\xe0\x80\xbc", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
          "overlong");
}

static void formats(void)
{
    struct buf b = BUF_UP_TO(1000);
    struct html h = {&b, 0};
    html_add(&h, "<b title=\"%s\">%d %u %ld %lu %lld %llu %zu%%</b>", "\"", -1, 2u, -3L, 4UL,
             INT64_C(-5) * 1LL, 6ULL, (size_t)7);
    tap_is_str(b.p, "<b title=\"&quot;\">-1 2 -3 4 -5 6 7%</b>", "all conversions");
    buf_clear(&b);
    html_add(&h, "%.3s|%.3s|%.0s|", "\xc3\xa4\xc3\xb6\xc3\xbc", "abcd", "x");
    tap_is_str(b.p, "\xc3\xa4\xc3\xb6\xc3\xbc|abc\xe2\x80\xa6|\xe2\x80\xa6|", "cut at characters");
    buf_clear(&b);
    html_add(&h, "<a href=\"?to=");
    html_query(&h, "sip:a&b=c d\"<\xc3\xa4");
    html_add(&h, "\">");
    tap_is_str(b.p, "<a href=\"?to=sip%3Aa%26b%3Dc%20d%22%3C%C3%A4\">", "a value in a link");
    tap_is_int(h.error, 0, "... without an error");
    html_add(&h, "%x", 1u);
    tap_is_int(h.error, EINVAL, "a conversion that there is not");
    buf_free(&b);
}

static void full(void)
{
    struct buf b = BUF_UP_TO(10);
    struct html h = {&b, 0};
    html_add(&h, "%s", "12345<67890");
    tap_is_int(h.error, EMSGSIZE, "a full buffer is an error");
    tap_is_str(b.p, "12345&lt;6", "... and holds no more than it may");
    html_add(&h, "x");
    tap_is_int((int64_t)b.n, 10, "... and the error stays");
    buf_free(&b);
}

int main(void)
{
    values();
    formats();
    full();
    return tap_done();
}
