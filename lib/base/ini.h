/* The lines of a configuration file. */
#ifndef BASE_INI_H
#define BASE_INI_H

#include "base/slice.h"

enum ini_kind {
    INI_NOTHING, /* blank, a comment ("#" or ";" comes first), or a [section] */
    INI_PAIR,    /* key = value */
    INI_BAD,
};

/* Reads one line, without its newline. The value goes to the end of the line, blanks around it cut:
 * there are no quotes, no continued lines, and no comments behind a value, as SIP headers are full
 * of quotes and semicolons. */
enum ini_kind ini_line(struct slice line, struct slice *key, struct slice *value);

#endif
