#include "base/rand.h"

#include <stdio.h>
#include <stdlib.h>

void rand_token(char *text, size_t n)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    uint8_t pool[64]; /* each octet drawn by itself is a system call */
    size_t left = 0;
    for (size_t i = 0; i < n;) {
        if (left == 0)
            arc4random_buf(pool, left = sizeof pool);
        size_t draw = pool[--left] & 63;
        if (draw < sizeof letters - 1)
            text[i++] = letters[draw];
    }
    text[n] = '\0';
}

uint32_t rand_up_to(uint32_t limit)
{
    return limit == UINT32_MAX ? arc4random() : arc4random_uniform(limit + 1);
}

void rand_uuid(char text[RAND_UUID_SIZE])
{
    uint8_t b[16];
    arc4random_buf(b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    (void)snprintf(text, RAND_UUID_SIZE,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                   b[14], b[15]);
}
