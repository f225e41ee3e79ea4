#include "confine/confine.h"

#include "confine/confine_int.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>

/* 0 also where the kernel has no such thing, which is noted. */
static int note(int err, const char *name, char missing[CONFINE_WHY_SIZE])
{
    size_t n = 0;
    while (missing[n])
        n++;
    if (err)
        (void)snprintf(missing + n, CONFINE_WHY_SIZE - n, "%s%s", n ? ", " : "", name);
    return err == ENOSYS ? 0 : err;
}

int confine_to_reading(const char *const *paths, char missing[CONFINE_WHY_SIZE])
{
    missing[0] = '\0';
    int err = prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0 ? errno : 0;
    err = note(err, "no_new_privs", missing);
    if (!err)
        err = note(confine_landlock(paths), "Landlock", missing);
    if (!err)
        err = note(confine_seccomp(), "seccomp", missing);
    return err;
}
