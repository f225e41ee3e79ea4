/* Starting other programs. */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

/* Where `program` is: the value of the environment variable `variable` if set (CPM_EXEC_INVITE),
 * else beside this very program, else by PATH. The caller frees it. NULL: not found. */
char *spawn_find(const char *program, const char *variable);

struct spawn_fd {
    int from; /* ours */
    int to;   /* the child's */
};

/* Starts path with argv (posix_spawn: its cost does not grow with our size). The child has our 0,
 * 1, 2 unless `fds` replaces them, and of our other descriptors only what `fds` names; signals are
 * unblocked and default. 0 or an errno value. */
int spawn(const char *path, char *const argv[], const struct spawn_fd *fds, size_t n, pid_t *pid);

/* The same in a process group of its own, whose number is *pid. */
int spawn_group(const char *path, char *const argv[], const struct spawn_fd *fds, size_t n,
                pid_t *pid);

/* The exit status for that errno value: as a shell's for a program that is missing (127) or cannot
 * be executed (126); 71 where the system refused. */
int spawn_status(int err);

/* Starts it like spawn, but in a fork of ours that loads the program (dlopen) and calls its main,
 * where the program can be loaded: it is one of LOADABLE in the Makefile, whose main has this word
 * before it, lies beside this program, may be executed and neither has rights of its own
 * (set-user-ID, capabilities), and no variable LD_... is set. Executing a program costs some 600 us
 * of CPU time, most of it to build and tear down an address space; this a third of it. It begins as
 * it would there: with its own data, arguments, descriptors, signals, the name that ps and the
 * kernel show, and nothing of ours but the environment; only /proc/PID/exe is our own. Any other
 * program is executed; one that cannot be ends with a line on stderr and its spawn_status. For a
 * process with one thread, and nothing in stdio's buffers. */
#define SPAWN_LOADABLE __attribute__((visibility("default")))
int spawn_loaded(const char *path, char **argv, const struct spawn_fd *fds, size_t n, pid_t *pid);

#endif
