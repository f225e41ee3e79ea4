/* Parts of the programs that need a heavy library are modules: shared objects that are loaded only
 * when a run needs them, so that a process that does no TLS loads no TLS library. A module is a
 * room of its own (MODULES in the Makefile) that alone includes and links its library; it has its
 * own copy of what it uses of base, keeps nothing there, and says nothing on stderr: errors are
 * texts that it gives back.
 *
 * The public header of such a part is in base; what stands behind it opens the module and calls
 * through its table, a struct that begins with a struct module:
 *
 *     struct x_module { struct module head; int (*do_it)(int); };       base/x_module.h
 *     MODULE_TABLE(x_module) = {MODULE_HEAD("x", struct x_module), do_it};      the module
 *     const struct x_module *m = module_open("x", sizeof *m, why);              base/x.c
 */
#ifndef BASE_MODULE_H
#define BASE_MODULE_H

#include <stddef.h>

struct module {
    const char *name;
    const char *version; /* of the program that it was built with */
    size_t size;         /* of the whole table */
};

#define MODULE_SYMBOL "cpm_module"
#define MODULE_TABLE(type)               \
    extern const struct type cpm_module; \
    __attribute__((visibility("default"))) const struct type cpm_module
#define MODULE_HEAD(name, type)           \
    {                                     \
        (name), CPM_VERSION, sizeof(type) \
    }

#define MODULE_WHY_SIZE 512

/* Loads NAME.so from $CPM_MODULES, else from ../lib/cpm-delivery beside the folder of this very
 * program. Gives its table, which lasts until the program's end, also when asked again; or NULL
 * with one line in `why`: it is missing (with its path), of another version, or has not `size`
 * octets. A program that confines itself has to load its modules before. */
const void *module_open(const char *name, size_t size, char why[MODULE_WHY_SIZE]);

#endif
