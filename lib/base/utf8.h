/* UTF-8 (RFC 3629). Pure. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the character that stands at the beginning of the n octets, and its code point;
 * 0 if none does: cut short, overlong, a surrogate, beyond U+10FFFF, or n is 0. */
size_t utf8_char(const char *p, size_t n, uint32_t *code);

/* How much of a text to keep that was cut behind n octets: n, without the beginning of a character
 * that stands there. */
size_t utf8_whole(const char *p, size_t n);

/* Copies as many whole characters as fit, and a NUL. */
void utf8_copy(char *to, size_t size, struct slice text);

/* Characters that have no shape, or change what stands around them, besides the control characters:
 * a value that holds one does not look like what it is. */
bool utf8_is_unseen(uint32_t code);

/* Adds at most `most` characters of a text, with an ellipsis for the rest. What is no UTF-8 becomes
 * U+FFFD; control characters and those that are unseen are shown as \x0a or \u202e, so each takes
 * at most UTF8_SHOWN_MAX octets. 0 or EMSGSIZE. */
#define UTF8_SHOWN_MAX 7
int utf8_show(struct buf *b, struct slice text, size_t most);

/* How many columns of a terminal it takes: 0 for a mark that is set on the character before it, 2
 * for the wide ones of East Asia and the emoji, else 1. */
int utf8_columns(uint32_t code);

#endif
