/* Landlock by its system calls: the C library has none of them. The kernel tells which version of
 * the interface it has; what a version does not know must not be asked of it. */
#include "confine/confine_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Longer than that of old headers; an old kernel takes it as long as the rest is zero. */
struct ruleset {
    uint64_t files;
    uint64_t net;
    uint64_t scopes;
};

#define READ_FILE LANDLOCK_ACCESS_FS_READ_FILE
#define READ_ALL  (READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

/* The bits that each version knows: those of files grew from 13 on. */
#define BITS(n) ((UINT64_C(1) << (n)) - 1)

static void ask_for(struct ruleset *r, int version)
{
    static const uint64_t files[] = {BITS(13), BITS(14), BITS(15), BITS(15), BITS(16)};
    int last = (int)(sizeof files / sizeof *files);
    *r = (struct ruleset){.files = files[(version < last ? version : last) - 1]};
    if (version >= 4)
        r->net = BITS(2); /* binding and connecting TCP sockets */
    if (version >= 6)
        r->scopes = BITS(2); /* abstract Unix sockets and signals of others */
}

static int allow(int ruleset, const char *path)
{
    struct stat st;
    int fd = open(path, O_PATH | O_CLOEXEC);
    int err = fd < 0 || fstat(fd, &st) < 0 ? errno : 0;
    if (!err) {
        struct landlock_path_beneath_attr rule = {
            .allowed_access = S_ISDIR(st.st_mode) ? READ_ALL : READ_FILE, .parent_fd = fd};
        if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0u) < 0)
            err = errno;
    }
    if (fd >= 0)
        (void)close(fd);
    return err;
}

int confine_landlock(const char *const *paths)
{
    struct ruleset r;
    long version =
        syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) /* EOPNOTSUPP: it is there, and switched off */
        return version < 0 && errno != EOPNOTSUPP ? errno : ENOSYS;
    ask_for(&r, version < 100 ? (int)version : 100);
    int fd = (int)syscall(SYS_landlock_create_ruleset, &r, sizeof r, 0u);
    if (fd < 0)
        return errno;
    int err = 0;
    for (; *paths && !err; paths++)
        err = allow(fd, *paths);
    if (!err && syscall(SYS_landlock_restrict_self, fd, 0u) < 0)
        err = errno;
    (void)close(fd);
    return err;
}
