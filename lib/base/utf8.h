/* UTF-8 (RFC 3629). Pure. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The length of the character that stands at the beginning of the n octets, and its code point;
 * 0 if none does: cut short, overlong, a surrogate, beyond U+10FFFF, or n is 0. */
size_t utf8_char(const char *p, size_t n, uint32_t *code);

#endif
