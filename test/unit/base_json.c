/* JSON strings. */
#include "base/json.h"
#include "test/unit/tap.h"

#include <stdlib.h>

static void check(const char *text, const char *wanted, const char *what)
{
    char *got = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&got, &n);
    json_string(f, text);
    (void)fclose(f);
    tap_is_str(got, wanted, what);
    free(got);
}

int main(void)
{
    check("", "\"\"", "nothing");
    check("a\"b\\c", "\"a\\\"b\\\\c\"", "quotes and backslashes");
    check("\n\x1f\x7f", "\"\\u000a\\u001f\\u007f\"", "controls");
    check("\xc3\xa4\xf0\x9f\x98\x80", "\"\xc3\xa4\xf0\x9f\x98\x80\"", "UTF-8 as it is");
    check("\xc3", "\"\\ufffd\"", "a character cut short");
    check("\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80",
          "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"",
          "overlong, surrogates, beyond the last");
    return tap_done();
}
