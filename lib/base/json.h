/* Writing JSON (RFC 8259). */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdio.h>

/* A string in its quotes. Octets that are no UTF-8 become U+FFFD. */
void json_string(FILE *f, const char *text);

#endif
