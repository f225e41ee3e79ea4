/* Memory. An allocation that fails ends the process with one line and EX_OSERR: a stage that dies
 * is a case that its partners handle anyway (they end the session), a stage that limps is not. So
 * these never return NULL. Sizes that come from the network are bounded before they get here. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_new(size_t size);                         /* zeroed */
void *mem_new_part(size_t size, size_t zeroed);     /* only so many of its octets are */
void *mem_grow(void *p, size_t count, size_t size); /* realloc of count * size, checked */
char *mem_dup(const char *text);                    /* NULL gives NULL */
char *mem_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
