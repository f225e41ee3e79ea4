#include "base/html.h"

#include "base/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

static void put(struct html *h, const char *bytes, size_t n)
{
    if (!h->error)
        h->error = buf_add(h->out, bytes, n);
}

static void put_text(struct html *h, const char *text)
{
    put(h, text, strlen(text));
}

static void put_code(struct html *h, const char *format_of, uint32_t c, unsigned digits)
{
    static const char hex[] = "0123456789abcdef";
    put_text(h, format_of);
    while (digits-- > 0)
        put(h, &hex[c >> digits * 4 & 0xf], 1);
}

static void put_char(struct html *h, uint32_t c, const char *bytes, size_t n)
{
    if (c < ' ' || (c >= 0x7f && c < 0xa0))
        put_code(h, "\\x", c, 2);
    else if (utf8_is_unseen(c))
        put_code(h, "\\u", c, c > 0xffff ? 5 : 4);
    else if (c == '&')
        put_text(h, "&amp;");
    else if (c == '<')
        put_text(h, "&lt;");
    else if (c == '>')
        put_text(h, "&gt;");
    else if (c == '"')
        put_text(h, "&quot;");
    else if (c == '\'')
        put_text(h, "&#39;");
    else
        put(h, bytes, n);
}

static void put_value(struct html *h, const char *value, size_t most)
{
    size_t n = value ? strlen(value) : 0;
    while (n > 0 && !h->error) {
        uint32_t c;
        size_t size = utf8_char(value, n, &c);
        if (most-- == 0) {
            put_text(h, "\xe2\x80\xa6");
            return;
        }
        if (size > 0)
            put_char(h, c, value, size);
        else
            put_text(h, "\xef\xbf\xbd");
        size = size ? size : 1;
        value += size;
        n -= size;
    }
}

/* What stands between the % and the letter. */
struct conversion {
    size_t most;  /* %.40s */
    size_t width; /* of the number: 'l' once or twice, 'z' as once */
    char letter;
};

static const char *take_conversion(const char *p, struct conversion *c)
{
    *c = (struct conversion){.most = SIZE_MAX};
    if (*p == '.') {
        c->most = 0;
        while (*++p >= '0' && *p <= '9' && c->most < INT_MAX)
            c->most = c->most * 10 + (size_t)(*p - '0');
    }
    while (*p == 'l' || *p == 'z') {
        c->width++;
        p++;
    }
    c->letter = *p;
    return *p ? p + 1 : p;
}

static void put_number(struct html *h, const struct conversion *c, va_list *ap)
{
    int64_t i;
    uint64_t u;
    if (c->letter == 'd') {
        i = c->width > 1   ? va_arg(*ap, long long)
            : c->width > 0 ? va_arg(*ap, long)
                           : va_arg(*ap, int);
        h->error = buf_format(h->out, "%" PRId64, i);
    } else {
        u = c->width > 1   ? va_arg(*ap, unsigned long long)
            : c->width > 0 ? va_arg(*ap, unsigned long)
                           : va_arg(*ap, unsigned);
        h->error = buf_format(h->out, "%" PRIu64, u);
    }
}

void html_add(struct html *h, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    while (*format && !h->error) {
        size_t n = strcspn(format, "%");
        struct conversion c;
        put(h, format, n);
        format += n;
        if (*format == '\0' || h->error)
            break;
        format = take_conversion(format + 1, &c);
        if (c.letter == 's')
            put_value(h, va_arg(ap, const char *), c.most);
        else if (c.letter == 'd' || c.letter == 'u')
            put_number(h, &c, &ap);
        else if (c.letter == '%')
            put_text(h, "%");
        else
            h->error = EINVAL;
    }
    va_end(ap);
}

void html_query(struct html *h, const char *value)
{
    static const char hex[] = "0123456789ABCDEF";
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (const char *p = value ? value : ""; *p && !h->error; p++) {
        unsigned char c = (unsigned char)*p;
        if (strchr(plain, c))
            put(h, p, 1);
        else
            put(h, (const char[]){'%', hex[c >> 4], hex[c & 0xf]}, 3);
    }
}
