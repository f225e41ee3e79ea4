/* A child that loads a program instead of executing it. Everything that an execution makes new has
 * to be made new here by hand: descriptors, signals, the name, what libc remembers. What is the
 * program's own is new anyway: a shared object brings its own data. */
#include "base/spawn_int.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CANNOT_EXECUTE 126 /* as a shell has it */
#define NOT_FOUND      127

extern char **environ;

/* Where the kernel finds what ps shows: our arguments, and the environment behind them. */
static struct {
    char *at;
    size_t arguments, all;
} title;

/* --- Descriptors and signals. */

/* All go above the targets first, so that none overwrites one that is still to come. */
static int place_descriptors(const struct spawn_fd *fds, size_t n)
{
    int highest = spawn_highest(fds, n);
    int *moved = mem_grow(NULL, n, sizeof *moved);
    int err = 0;
    for (size_t i = 0; i < n && !err; i++) {
        moved[i] = fcntl(fds[i].from, F_DUPFD, highest + 1);
        err = moved[i] < 0 ? errno : 0;
    }
    for (int fd = STDERR_FILENO + 1; fd <= highest; fd++)
        (void)close(fd); /* it may not be open */
    for (size_t i = 0; i < n && !err; i++)
        err = dup2(moved[i], fds[i].to) < 0 ? errno : 0;
    free(moved);
    closefrom(highest + 1);
    return err;
}

static int reset_signals(void)
{
    sigset_t none;
    (void)sigemptyset(&none);
    for (int i = 1; i < NSIG; i++)
        (void)signal(i, SIG_DFL); /* not all may be set: those are as they were */
    return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? errno : 0;
}

/* --- What ps shows. */

void spawn_own_title(int argc, char **argv)
{
    char *end = argv[0];
    for (int i = 0; i < argc && argv[i] == end; i++)
        end += strlen(argv[i]) + 1;
    title.at = argv[0];
    title.arguments = (size_t)(end - argv[0]);
    for (char **e = environ; e && *e == end; e++)
        end += strlen(*e) + 1;
    title.all = (size_t)(end - argv[0]);
}

static size_t count(char *const v[])
{
    size_t n = 0;
    while (v[n])
        n++;
    return n;
}

static char **copy_all(char *const v[])
{
    size_t n = count(v);
    char **copy = mem_grow(NULL, n + 1, sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = mem_dup(v[i]);
    copy[n] = NULL;
    return copy;
}

/* Arguments that need more room than ours had go on over the environment, which moves away. The
 * kernel then shows a single text: so it is with blanks between them. */
static void set_title(char *const argv[])
{
    size_t n = 0, needed = 0;
    for (size_t i = 0; argv[i]; i++)
        needed += strlen(argv[i]) + 1;
    bool fits = needed <= title.arguments;
    size_t room = fits ? title.arguments : title.all;
    if (!fits)
        environ = copy_all(environ);
    for (size_t i = 0; argv[i] && n < room; i++) {
        size_t length = strnlen(argv[i], room - n - 1);
        memcpy(title.at + n, argv[i], length);
        n += length;
        title.at[n++] = fits ? '\0' : ' ';
    }
    if (n > 0)
        memset(title.at + n - 1, 0, room - n + 1);
}

/* --- The program. */

/* Who gives orders to the dynamic loader (LD_PRELOAD, LD_DEBUG: valgrind, a test, a person that
 * looks) means each program that starts. */
static bool loader_has_orders(void)
{
    for (char **e = environ; e && *e; e++) {
        if (strncmp(*e, "LD_", 3) == 0)
            return true;
    }
    return false;
}

static bool is_beside(const char *path)
{
    const char *own = spawn_own_folder();
    char *its = file_folder_of(path);
    bool beside = own && strcmp(own, its) == 0;
    free(its);
    return beside;
}

/* Rights that come with a program come with its execution only. */
static bool gives_rights(const char *path)
{
    struct stat st;
    return stat(path, &st) < 0 || st.st_mode & (S_ISUID | S_ISGID) ||
           getxattr(path, "security.capability", NULL, 0) > 0;
}

typedef int program(int argc, char **argv);

/* NULL: it is a script, or another kind of program. */
static program *load(const char *path)
{
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return object ? (program *)dlsym(object, "main") : NULL;
}

static _Noreturn void become(const char *path, char *const argv[], const struct spawn_fd *fds,
                             size_t n)
{
    err_forget(); /* what waits for stderr is the parent's to write */
    int err = place_descriptors(fds, n);
    if (!err)
        err = reset_signals();
    program *run = err ? NULL : load(path);
    if (!run && !err) {
        (void)execv(path, argv);
        err = errno;
    }
    if (!run)
        err_die(err == ENOENT ? NOT_FOUND : CANNOT_EXECUTE, path, strerror(err), NULL);
    char **own = copy_all(argv); /* they may lie where the title is written */
    if (title.at)
        set_title(own);
    program_invocation_name = own[0];
    program_invocation_short_name = basename(own[0]);
    (void)prctl(PR_SET_NAME, program_invocation_short_name);
    exit(run((int)count(own), own));
}

int spawn_loaded(const char *path, char *const argv[], const struct spawn_fd *fds, size_t n,
                 pid_t *pid)
{
    if (loader_has_orders() || !is_beside(path) || gives_rights(path))
        return spawn(path, argv, fds, n, pid);
    pid_t child = fork();
    if (child < 0)
        return errno;
    if (child == 0)
        become(path, argv, fds, n);
    *pid = child;
    return 0;
}
