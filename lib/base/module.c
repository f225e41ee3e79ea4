#include "base/module.h"

#include "base/file.h"
#include "base/mem.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *path_of(const char *name)
{
    const char *set = secure_getenv("CPM_MODULES");
    if (set && *set)
        return mem_format("%s/%s.so", set, name);
    char *own = file_program_folder();
    char *path = mem_format("%s/../lib/cpm-delivery/%s.so", own ? own : ".", name);
    free(own);
    return path;
}

static const struct module *load(const char *path, char why[MODULE_WHY_SIZE])
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL); /* never closed: the table lasts */
    const struct module *m = handle ? dlsym(handle, MODULE_SYMBOL) : NULL;
    const char *error = m ? NULL : dlerror();
    if (!m)
        (void)snprintf(why, MODULE_WHY_SIZE, "a part cannot be loaded: %s", error ? error : path);
    return m;
}

const void *module_open(const char *name, size_t size, char why[MODULE_WHY_SIZE])
{
    char *path = path_of(name);
    const struct module *m = load(path, why);
    if (m &&
        (strcmp(m->version, CPM_VERSION) != 0 || strcmp(m->name, name) != 0 || m->size != size)) {
        (void)snprintf(why, MODULE_WHY_SIZE, "%s is %s of version %s: built for other programs",
                       path, m->name, m->version);
        m = NULL;
    }
    free(path);
    return m;
}
