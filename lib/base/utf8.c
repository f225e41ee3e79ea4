#include "base/utf8.h"

#include <inttypes.h>
#include <string.h>

static size_t length(unsigned char first)
{
    return first < 0x80                    ? 1
           : first >= 0xc2 && first < 0xe0 ? 2
           : first >= 0xe0 && first < 0xf0 ? 3
           : first >= 0xf0 && first < 0xf5 ? 4
                                           : 0;
}

size_t utf8_char(const char *p, size_t n, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    static const unsigned char bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t size = n > 0 ? length((unsigned char)p[0]) : 0;
    if (size == 0 || size > n)
        return 0;
    uint32_t c = (unsigned char)p[0] & bits[size];
    for (size_t i = 1; i < size; i++) {
        if (((unsigned char)p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | ((unsigned char)p[i] & 0x3f);
    }
    if (c < least[size] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
        return 0;
    *code = c;
    return size;
}

size_t utf8_whole(const char *p, size_t n)
{
    for (size_t i = 1; i < 4 && i <= n; i++) {
        unsigned char c = (unsigned char)p[n - i];
        if ((c & 0xc0) != 0x80)
            return length(c) > i ? n - i : n;
    }
    return n;
}

void utf8_copy(char *to, size_t size, struct slice text)
{
    size_t n = text.n < size ? text.n : utf8_whole(text.p, size - 1);
    if (n > 0)
        memcpy(to, text.p, n);
    to[n] = '\0';
}

struct range {
    uint32_t first, last;
};

static bool is_in(const struct range *ranges, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n; i++) {
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    }
    return false;
}

#define IS_IN(ranges, c) is_in(ranges, sizeof(ranges) / sizeof(ranges)[0], c)

bool utf8_is_unseen(uint32_t code)
{
    static const struct range unseen[] = {
        {0x00ad, 0x00ad},   /* soft hyphen */
        {0x061c, 0x061c},   /* Arabic letter mark */
        {0x115f, 0x1160},   /* Hangul fillers */
        {0x17b4, 0x17b5},   /* Khmer vowels without shape */
        {0x180b, 0x180f},   /* Mongolian selectors */
        {0x200b, 0x200f},   /* without width; direction marks */
        {0x2028, 0x202e},   /* separators; embeddings and overrides */
        {0x2060, 0x206f},   /* isolates and the like */
        {0x3164, 0x3164},   /* Hangul filler */
        {0xfe00, 0xfe0d},   /* variation selectors, but for those of emoji */
        {0xfeff, 0xfeff},   /* byte order mark */
        {0xffa0, 0xffa0},   /* Hangul filler */
        {0xfff0, 0xfffb},   /* specials */
        {0xfffe, 0xffff},   /* no characters; XML forbids them */
        {0xe0000, 0xe0fff}, /* tags, selectors */
    };
    return IS_IN(unseen, code);
}

static int show(struct buf *b, uint32_t c, const char *bytes, size_t size)
{
    if (size == 0)
        return buf_add_text(b, "\xef\xbf\xbd");
    if (c < ' ' || (c >= 0x7f && c < 0xa0))
        return buf_format(b, "\\x%02" PRIx32, c);
    if (utf8_is_unseen(c))
        return buf_format(b, "\\u%04" PRIx32, c);
    return buf_add(b, bytes, size);
}

int utf8_show(struct buf *b, struct slice text, size_t most)
{
    int err = 0;
    while (text.n > 0 && !err) {
        uint32_t c = 0;
        size_t size = utf8_char(text.p, text.n, &c);
        if (most-- == 0)
            return buf_add_text(b, "\xe2\x80\xa6");
        err = show(b, c, text.p, size);
        size = size ? size : 1;
        text = (struct slice){text.p + size, text.n - size};
    }
    return err;
}

int utf8_columns(uint32_t code)
{
    static const struct range marks[] = {
        {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f},
        {0x06d6, 0x06dc}, {0x0900, 0x0902}, {0x093c, 0x093c}, {0x0941, 0x0948}, {0x094d, 0x094d},
        {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
        {0x20d0, 0x20ff}, {0xfe0e, 0xfe0f}, {0xfe20, 0xfe2f},
    };
    static const struct range wide[] = {
        {0x1100, 0x115e},   {0x231a, 0x231b},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},
        {0xa960, 0xa97c},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
        {0xff01, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff},
        {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
    };
    return IS_IN(marks, code) ? 0 : IS_IN(wide, code) ? 2 : 1;
}
