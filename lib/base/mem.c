#include "base/mem.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void out_of_memory(void)
{
    err_die(EX_OSERR, "memory", "out of memory", NULL);
}

void *mem_new(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p)
        out_of_memory();
    return p;
}

void *mem_new_part(size_t size, size_t zeroed)
{
    void *p = malloc(size ? size : 1);
    if (!p)
        out_of_memory();
    memset(p, 0, zeroed < size ? zeroed : size);
    return p;
}

void *mem_grow(void *p, size_t count, size_t size)
{
    void *grown = reallocarray(p, count ? count : 1, size ? size : 1);
    if (!grown)
        out_of_memory();
    return grown;
}

char *mem_dup(const char *text)
{
    if (!text)
        return NULL;
    char *copy = strdup(text);
    if (!copy)
        out_of_memory();
    return copy;
}

char *mem_format(const char *format, ...)
{
    char *text;
    va_list ap;
    va_start(ap, format);
    int n = vasprintf(&text, format, ap);
    va_end(ap);
    if (n < 0)
        out_of_memory();
    return text;
}
