#include "base/spawn_int.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The text if it names a program, else NULL; frees what it does not give back. */
static char *if_program(char *path)
{
    if (is_program(path))
        return path;
    free(path);
    return NULL;
}

const char *spawn_own_folder(void)
{
    static char *folder;
    if (!folder)
        folder = file_program_folder();
    return folder;
}

static char *find_beside(const char *program)
{
    const char *folder = spawn_own_folder();
    return folder ? if_program(mem_format("%s/%s", folder, program)) : NULL;
}

/* An empty member of PATH (the working folder) is passed over: a stage never comes from wherever
 * the caller happens to stand. */
static char *find_in_path(const char *program)
{
    const char *path = getenv("PATH");
    for (const char *p = path ? path : "/usr/local/bin:/usr/bin:/bin"; p;) {
        size_t n = strcspn(p, ":");
        char *found = n ? if_program(mem_format("%.*s/%s", (int)n, p, program)) : NULL;
        if (found)
            return found;
        p = p[n] ? p + n + 1 : NULL;
    }
    return NULL;
}

char *spawn_find(const char *program, const char *variable)
{
    const char *set = variable ? secure_getenv(variable) : NULL;
    if (set && *set)
        return strchr(set, '/') ? mem_dup(set) : find_in_path(set);
    char *found = find_beside(program);
    return found ? found : find_in_path(program);
}

static bool is_source(const struct spawn_fd *fds, size_t n, int fd)
{
    for (size_t i = 0; i < n; i++) {
        if (fds[i].from == fd)
            return true;
    }
    return false;
}

bool spawn_is_target(const struct spawn_fd *fds, size_t n, int fd)
{
    for (size_t i = 0; i < n; i++) {
        if (fds[i].to == fd)
            return true;
    }
    return false;
}

/* Every descriptor goes over a spare number: so no target overwrites a source that is still to come
 * (0 -> 1 with 1 -> 0), and each target is a real dup2, which also clears close-on-exec when from
 * and to are the same. */
struct spawn_fd *spawn_moves(const struct spawn_fd *fds, size_t n)
{
    struct spawn_fd *moves = mem_grow(NULL, 2 * n, sizeof *moves);
    int spare = STDERR_FILENO;
    for (size_t i = 0; i < n; i++) {
        do
            spare++;
        while (is_source(fds, n, spare) || spawn_is_target(fds, n, spare));
        moves[i] = (struct spawn_fd){fds[i].from, spare};
        moves[n + i] = (struct spawn_fd){spare, fds[i].to};
    }
    return moves;
}

static int move_descriptors(posix_spawn_file_actions_t *actions, const struct spawn_fd *fds,
                            size_t n)
{
    struct spawn_fd *moves = spawn_moves(fds, n);
    int err = 0;
    for (size_t i = 0; i < 2 * n && !err; i++)
        err = posix_spawn_file_actions_adddup2(actions, moves[i].from, moves[i].to);
    free(moves);
    return err;
}

int spawn_highest(const struct spawn_fd *fds, size_t n)
{
    int highest = STDERR_FILENO;
    for (size_t i = 0; i < n; i++) {
        if (fds[i].to > highest)
            highest = fds[i].to;
    }
    return highest;
}

/* Also what we inherited ourselves without close-on-exec must not reach the child. */
static int close_others(posix_spawn_file_actions_t *actions, const struct spawn_fd *fds, size_t n)
{
    int highest = spawn_highest(fds, n);
    int err = 0;
    for (int fd = STDERR_FILENO + 1; fd < highest && !err; fd++) {
        if (!spawn_is_target(fds, n, fd))
            err = posix_spawn_file_actions_addclose(actions, fd);
    }
    return err ? err : posix_spawn_file_actions_addclosefrom_np(actions, highest + 1);
}

static int set_attributes(posix_spawnattr_t *attributes, bool own_group)
{
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigset_t none, all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int err = posix_spawnattr_setsigmask(attributes, &none);
    if (!err)
        err = posix_spawnattr_setsigdefault(attributes, &all);
    if (!err && own_group)
        err = posix_spawnattr_setpgroup(attributes, 0);
    if (!err)
        err = posix_spawnattr_setflags(attributes,
                                       own_group ? (short)(flags | POSIX_SPAWN_SETPGROUP) : flags);
    return err;
}

int spawn_status(int err)
{
    return err == ENOENT ? 127 : err == EACCES || err == ENOEXEC ? 126 : EX_OSERR;
}

static int start(const char *path, char *const argv[], const struct spawn_fd *fds, size_t n,
                 bool own_group, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int err = posix_spawn_file_actions_init(&actions);
    if (err)
        return err;
    err = posix_spawnattr_init(&attributes);
    if (err)
        goto out;
    err = move_descriptors(&actions, fds, n);
    if (!err)
        err = close_others(&actions, fds, n);
    if (!err)
        err = set_attributes(&attributes, own_group);
    if (!err)
        err = posix_spawn(pid, path, &actions, &attributes, argv, environ);
    (void)posix_spawnattr_destroy(&attributes);
out:
    (void)posix_spawn_file_actions_destroy(&actions);
    return err;
}

int spawn(const char *path, char *const argv[], const struct spawn_fd *fds, size_t n, pid_t *pid)
{
    return start(path, argv, fds, n, false, pid);
}

int spawn_group(const char *path, char *const argv[], const struct spawn_fd *fds, size_t n,
                pid_t *pid)
{
    return start(path, argv, fds, n, true, pid);
}
