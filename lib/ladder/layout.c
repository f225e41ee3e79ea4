#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "ladder/ladder_int.h"

#include <stdlib.h>
#include <string.h>

/* The labels are sound UTF-8 (words.c). */
static size_t next(const char *text, size_t *columns)
{
    uint32_t c;
    size_t size = utf8_char(text, strlen(text), &c);
    *columns = size > 0 ? (size_t)utf8_columns(c) : 1;
    return size > 0 ? size : 1;
}

size_t layout_columns(const char *text)
{
    size_t all = 0, one;
    for (; *text; all += one)
        text += next(text, &one);
    return all;
}

static char *to_ascii(const char *text)
{
    char *copy = mem_dup(text), *out = copy;
    for (size_t one; *text; text += next(text, &one))
        *out++ = (unsigned char)*text < 0x80 ? *text : '?';
    *out = '\0';
    return copy;
}

char *layout_cut(const char *text, size_t columns, bool utf8)
{
    const char *dots = utf8 ? "\xe2\x80\xa6" : "~";
    char *whole = utf8 ? mem_dup(text) : to_ascii(text);
    size_t at = 0, have = 0, one;
    if (layout_columns(whole) <= columns)
        return whole;
    for (size_t n; columns > 0 && whole[at]; at += n, have += one) {
        n = next(whole + at, &one);
        if (have + one > columns - 1)
            break;
    }
    char *cut = mem_format("%.*s%s", (int)at, whole, columns > 0 ? dots : "");
    free(whole);
    return cut;
}

size_t layout_row(const char *text, size_t columns)
{
    size_t at = 0, have = 0, one, blank = 0;
    for (size_t n; text[at] && have <= columns; at += n, have += one) {
        if (text[at] == ' ')
            blank = at;
        n = next(text + at, &one);
    }
    return blank;
}

size_t layout_done(const struct ladder_step *bar, size_t length)
{
    if (bar->octets >= bar->total)
        return length;
    return (size_t)((double)length * ((double)bar->octets / (double)bar->total));
}
