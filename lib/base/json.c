#include "base/json.h"

#include "base/utf8.h"

#include <string.h>

void json_string(FILE *f, const char *text)
{
    (void)fputc('"', f);
    for (size_t n = strlen(text), size; n > 0; text += size, n -= size) {
        uint32_t c;
        size = utf8_char(text, n, &c);
        if (size == 0) {
            (void)fputs("\\ufffd", f);
            size = 1;
        } else if (c == '"' || c == '\\') {
            (void)fprintf(f, "\\%c", *text);
        } else if (c < ' ' || c == 0x7f) {
            (void)fprintf(f, "\\u%04x", (unsigned)c);
        } else {
            (void)fwrite(text, 1, size, f);
        }
    }
    (void)fputc('"', f);
}
