#include "base/ini.h"

#include <string.h>

enum ini_kind ini_line(struct slice line, struct slice *key, struct slice *value)
{
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    if (line.n > 0 && memchr(line.p, '\0', line.n))
        return INI_BAD;
    line = slice_trim(line);
    if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';')
        return INI_NOTHING;
    if (line.p[0] == '[')
        return line.p[line.n - 1] == ']' ? INI_NOTHING : INI_BAD;
    if (!memchr(line.p, '=', line.n))
        return INI_BAD;
    *key = slice_trim(slice_cut(&line, '='));
    *value = slice_trim(line);
    return key->n > 0 ? INI_PAIR : INI_BAD;
}
