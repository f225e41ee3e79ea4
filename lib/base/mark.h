/* Marks of contents: 128 bits that tell one content from another, at the speed of memory and
 * without a library. Whoever wants to can make two contents with one mark, so they protect from
 * mistakes alone; for anything else there is hash.h. */
#ifndef BASE_MARK_H
#define BASE_MARK_H

#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

#define MARK_HEX_SIZE 33 /* 32 hex digits and the NUL */

struct mark {
    uint64_t lane[2];
    uint64_t octets;
    unsigned char part[8]; /* what does not fill a word yet */
};

void mark_begin(struct mark *m);
void mark_add(struct mark *m,
              struct slice s); /* however the content is cut, the mark is the same */
void mark_end(struct mark *m, char hex[MARK_HEX_SIZE]);

#endif
