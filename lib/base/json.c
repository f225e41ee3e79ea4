#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>

/* The length of the UTF-8 character that stands here, 0 if none does (RFC 3629). */
static size_t utf8(const unsigned char *p)
{
    size_t n = *p < 0x80                 ? 1
               : *p >= 0xc2 && *p < 0xe0 ? 2
               : *p >= 0xe0 && *p < 0xf0 ? 3
               : *p >= 0xf0 && *p < 0xf5 ? 4
                                         : 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool beyond = (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf4 && p[1] >= 0x90);
    return n > 1 && (overlong || beyond) ? 0 : n;
}

void json_string(FILE *f, const char *text)
{
    (void)fputc('"', f);
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        size_t n = utf8(p);
        if (n == 0)
            (void)fputs("\\ufffd", f);
        else if (*p == '"' || *p == '\\')
            (void)fprintf(f, "\\%c", *p);
        else if (*p < ' ' || *p == 0x7f)
            (void)fprintf(f, "\\u%04x", *p);
        else
            (void)fwrite(p, 1, n, f);
        p += n ? n : 1;
    }
    (void)fputc('"', f);
}
