/* Random identifiers, from the kernel's generator. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

/* n characters of A-Za-z0-9 and a NUL: 5.95 bits each (14 give 80 bits, RFC 4975 14.1). */
void rand_token(char *text, size_t n);

/* A number from 0 to the limit, the limit included. */
uint32_t rand_up_to(uint32_t limit);

#define RAND_UUID_SIZE 37
void rand_uuid(char text[RAND_UUID_SIZE]); /* RFC 4122 version 4, lower case */

#endif
