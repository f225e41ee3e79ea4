/* A harness with a plain main: each operand is a file with one input. */
#include "test/fuzz/fuzz.h"

#define INPUT_MAX ((size_t)1024 * 1024)

/* In its own allocation, so that a sanitizer or valgrind sees a read past the end. */
static int run(const char *name)
{
    FILE *f = fopen(name, "rb");
    if (!f) {
        perror(name);
        return 1;
    }
    uint8_t *all = malloc(INPUT_MAX);
    HOLDS(all);
    size_t n = fread(all, 1, INPUT_MAX, f);
    uint8_t *input = malloc(n ? n : 1);
    HOLDS(input);
    for (size_t i = 0; i < n; i++)
        input[i] = all[i];
    free(all);
    (void)fclose(f);
    (void)LLVMFuzzerTestOneInput(input, n);
    free(input);
    return 0;
}

int main(int argc, char **argv)
{
    int faults = 0;
    for (int i = 1; i < argc; i++)
        faults += run(argv[i]);
    printf("%d inputs\n", argc - 1);
    return argc == 1 || faults ? 1 : 0;
}
