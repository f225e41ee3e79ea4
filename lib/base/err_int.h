/* What the files of err share. */
#ifndef BASE_ERR_INT_H
#define BASE_ERR_INT_H

#include <stddef.h>

/* Puts these octets, whole lines, on stderr; holds a bounded amount while its reader is slow, and
 * then drops and counts. */
void err_out(const char *p, size_t n);
void err_out_finish(void); /* waits for the reader of what is held, 2 s at most */

#endif
