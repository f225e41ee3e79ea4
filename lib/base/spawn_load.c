/* A child that loads a program instead of executing it. Everything that an execution makes new has
 * to be made new here by hand: descriptors, signals, the name, what libc remembers. What is the
 * program's own is new anyway: a shared object brings its own data. */
#include "base/spawn_int.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/slice.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

extern char **environ;

/* --- Descriptors and signals. */

static int place_descriptors(const struct spawn_fd *fds, size_t n)
{
    int highest = spawn_highest(fds, n);
    struct spawn_fd *moves = spawn_moves(fds, n);
    int err = 0;
    for (size_t i = 0; i < 2 * n && !err; i++)
        err = dup2(moves[i].from, moves[i].to) < 0 ? errno : 0;
    free(moves);
    for (int fd = STDERR_FILENO + 1; fd < highest; fd++) {
        if (!spawn_is_target(fds, n, fd))
            (void)close(fd); /* it may not be open */
    }
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

/* Fields of /proc/self/stat, counted as in proc(5). */
enum {
    STATE = 3,
    START_CODE = 26,
    END_CODE = 27,
    START_STACK = 28,
    START_DATA = 45,
    END_DATA = 46,
    START_BRK = 47,
    ENV_START = 50,
    ENV_END = 51
};

/* Those of this process, which are its children's too; read once, by the first that asks. A field
 * that is no number (or below 0) is 0. NULL: they cannot be read. */
static const uint64_t *own_fields(void)
{
    static uint64_t field[ENV_END + 1];
    char text[1024];
    if (field[ENV_END])
        return field;
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        (void)close(fd);
    const char *name_end = n > 0 ? memrchr(text, ')', (size_t)n) : NULL;
    struct slice rest = {name_end, name_end ? (size_t)(text + n - name_end) : 0};
    (void)slice_cut(&rest, ' ');
    for (int i = STATE; i <= ENV_END; i++) {
        if (!slice_number(slice_cut(&rest, ' '), UINT64_MAX, &field[i]))
            field[i] = 0;
    }
    return field[ENV_END] ? field : NULL;
}

/* The kernel is told where the arguments lie now. One that cannot be told (it was built without
 * CHECKPOINT_RESTORE) goes on showing ours. */
static void set_title(char **argv)
{
    const uint64_t *field = own_fields();
    static struct buf words = BUF_UP_TO(SIZE_MAX); /* the kernel reads them as long as we live */
    int err = 0;
    for (size_t i = 0; argv[i] && !err; i++)
        err = buf_add(&words, argv[i], strlen(argv[i]) + 1);
    if (err || !field)
        return;
    struct prctl_mm_map map = {.start_code = field[START_CODE],
                               .end_code = field[END_CODE],
                               .start_data = field[START_DATA],
                               .end_data = field[END_DATA],
                               .start_brk = field[START_BRK],
                               .brk = (uint64_t)(uintptr_t)sbrk(0),
                               .start_stack = field[START_STACK],
                               .arg_start = (uint64_t)(uintptr_t)words.p,
                               .arg_end = (uint64_t)(uintptr_t)words.p + words.n,
                               .env_start = field[ENV_START],
                               .env_end = field[ENV_END],
                               .exe_fd = (uint32_t)-1};
    (void)prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0);
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

/* Rights that come with a program come with its execution, and go with the next: its own, and ours.
 * Nor may be loaded what may not be executed. */
static bool rights_change(const char *path)
{
    struct stat st;
    return getauxval(AT_SECURE) != 0 || access(path, X_OK) < 0 || stat(path, &st) < 0 ||
           st.st_mode & (S_ISUID | S_ISGID) || getxattr(path, "security.capability", NULL, 0) > 0;
}

typedef int program(int argc, char **argv);

/* NULL: it is a script, or another kind of program. */
static program *load(const char *path)
{
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return object ? (program *)dlsym(object, "main") : NULL;
}

static _Noreturn void become(const char *path, char **argv, const struct spawn_fd *fds, size_t n)
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
        err_die(spawn_status(err), path, strerror(err), NULL);
    set_title(argv);
    int argc = 0;
    while (argv[argc])
        argc++;
    program_invocation_name = argv[0];
    program_invocation_short_name = basename(argv[0]);
    (void)prctl(PR_SET_NAME, program_invocation_short_name);
    exit(run(argc, argv));
}

int spawn_loaded(const char *path, char **argv, const struct spawn_fd *fds, size_t n, pid_t *pid)
{
    if (loader_has_orders() || !is_beside(path) || rights_change(path))
        return spawn(path, argv, fds, n, pid);
    (void)own_fields(); /* here, for all children */
    pid_t child = fork();
    if (child < 0)
        return errno;
    if (child == 0)
        become(path, argv, fds, n);
    *pid = child;
    return 0;
}
