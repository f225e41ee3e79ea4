/* What makes a shared object a program as well, for those that cpm-deliver loads (LOADABLE in the
 * Makefile, base/spawn.h): a dynamic loader for the kernel to start. */
#include <stdio.h>

__attribute__((section(".interp"), used)) static const char loader[] = CPM_LOADER;

/* Archives are made for programs, where the data of libc can be reached directly; the linker hands
 * such a use of stdout to here (--wrap). */
extern FILE *__real_stdout;
FILE *__wrap_stdout;

__attribute__((constructor)) static void begin(void)
{
    __wrap_stdout = __real_stdout;
}
