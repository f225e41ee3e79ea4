/* Marks of contents: independent of how the content is cut, and different for what differs. */
#include "base/mark.h"
#include "test/unit/tap.h"

#include <string.h>

static void mark_of(const char *p, size_t n, size_t cut, char hex[MARK_HEX_SIZE])
{
    struct mark m;
    mark_begin(&m);
    for (size_t at = 0; at < n; at += cut)
        mark_add(&m, (struct slice){p + at, n - at < cut ? n - at : cut});
    mark_end(&m, hex);
}

int main(void)
{
    static const char text[] = "From: <sip:alice@example.com>, to whom it may concern\0and NULs";
    char whole[MARK_HEX_SIZE], other[MARK_HEX_SIZE];
    bool same = true, differs = true;
    for (size_t n = 1; n < sizeof text; n++) {
        mark_of(text, n, n, whole);
        for (size_t cut = 1; cut < n; cut++) {
            mark_of(text, n, cut, other);
            same = same && strcmp(whole, other) == 0;
        }
        for (size_t i = 0; i < n; i++) {
            char changed[sizeof text];
            memcpy(changed, text, sizeof text);
            changed[i] ^= 1;
            mark_of(changed, n, n, other);
            differs = differs && strcmp(whole, other) != 0;
        }
        mark_of(text, n - 1, n, other);
        differs = differs && strcmp(whole, other) != 0;
    }
    tap_ok(same, "any cut gives the same mark");
    tap_ok(differs, "a changed bit or a missing octet gives another");
    mark_of("\0", 1, 1, whole);
    mark_of("\0\0", 2, 2, other);
    tap_ok(strcmp(whole, other) != 0, "NULs count");
    tap_ok(strlen(whole) == MARK_HEX_SIZE - 1, "32 digits");
    return tap_done();
}
