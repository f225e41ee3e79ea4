/* What a confined process cannot do any more, tried by children that give up their rights. */
#include "confine/confine.h"
#include "confine/confine_int.h"
#include "test/unit/tap.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/confine.XXXXXX";
static char inside[64], outside[64], single[64];
static int listener;
static struct sockaddr_in address;

/* A child's results, an octet each. */
static int results[2];

static void tell(int error)
{
    unsigned char byte = (unsigned char)error;
    if (write(results[1], &byte, 1) != 1)
        _exit(9);
}

static int error_of(int returned)
{
    return returned < 0 ? errno : 0;
}

static int opening(const char *path, int flags)
{
    int fd = open(path, flags, 0600);
    if (fd < 0)
        return errno;
    (void)close(fd);
    return 0;
}

static int listing(const char *path)
{
    DIR *d = opendir(path);
    if (!d)
        return errno;
    (void)closedir(d);
    return 0;
}

static int locking(int command)
{
    int fd = open(inside, O_RDONLY);
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1};
    int err = error_of(fcntl(fd, command, &lock));
    (void)close(fd);
    return err;
}

static int executing(void)
{
    char name[] = "true", *argv[] = {name, NULL}, *environment[] = {NULL};
    return error_of(execve("/bin/true", argv, environment));
}

static int forking(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
    return error_of(pid);
}

static int mapping(int protection)
{
    void *p = mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return errno;
    (void)munmap(p, 4096);
    return 0;
}

static int accepting(void)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};
    if (poll(&p, 1, 60000) != 1)
        return ETIMEDOUT;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    int err = error_of(fd);
    if (!err)
        err = send(fd, "x", 1, MSG_NOSIGNAL) == 1 ? 0 : errno;
    if (fd >= 0)
        (void)close(fd);
    return err;
}

static int connecting(int fd)
{
    return error_of(connect(fd, (const struct sockaddr *)&address, sizeof address));
}

/* --- The whole. */

static const struct {
    const char *what;
    int want;
} whole[] = {
    {"a file below the folder can be read", 0},
    {"the folder can be listed", 0},
    {"a file that was named can be read", 0},
    {"whether somebody holds a lock can be asked", 0},
    {"a folder can be watched", 0},
    {"memory can be had", 0},
    {"a connection to an open listener can be accepted and used", 0},
    {"another file cannot be read", EACCES},
    {"nor another folder", EACCES},
    {"no file can be opened for writing", EPERM},
    {"nor for reading and writing", EPERM},
    {"nor made", EPERM},
    {"nor cut short", EPERM},
    {"nor removed", EPERM},
    {"nor renamed", EPERM},
    {"nor its mode changed", EPERM},
    {"no folder can be made", EPERM},
    {"no lock can be taken", EPERM},
    {"no program can be executed", EPERM},
    {"no process can be started", EPERM},
    {"no socket can be made", EPERM},
    {"an open one cannot be connected", EPERM},
    {"no other process gets a signal", EPERM},
    {"no memory can be executed", EPERM},
    {"the rights do not come back", EPERM},
};

static void try_whole(int spare)
{
    int watcher = inotify_init1(IN_CLOEXEC);
    tell(opening(inside, O_RDONLY));
    tell(listing(folder));
    tell(opening(single, O_RDONLY));
    tell(locking(F_OFD_GETLK));
    tell(error_of(inotify_add_watch(watcher, folder, IN_MODIFY)));
    tell(mapping(PROT_READ | PROT_WRITE));
    tell(accepting());
    tell(opening(outside, O_RDONLY));
    tell(listing("/"));
    tell(opening(inside, O_WRONLY));
    tell(opening(inside, O_RDWR));
    tell(opening(inside, O_RDONLY | O_CREAT));
    tell(opening(inside, O_RDONLY | O_TRUNC));
    tell(error_of(unlink(inside)));
    tell(error_of(rename(inside, outside)));
    tell(error_of(chmod(inside, 0644)));
    tell(error_of(mkdir("x", 0700)));
    tell(locking(F_OFD_SETLK));
    tell(executing());
    tell(forking());
    tell(error_of(socket(AF_INET, SOCK_STREAM, 0)));
    tell(connecting(spare));
    tell(error_of(kill(getppid(), SIGTERM)));
    tell(mapping(PROT_READ | PROT_EXEC));
    tell(error_of(prctl(PR_SET_SECCOMP, 0L, NULL, 0L, 0L)));
}

/* --- Landlock without the filter. */

static const struct {
    const char *what;
    int want;
} alone[] = {
    {"Landlock alone: a file below the folder can be read", 0},
    {"Landlock alone: a file that was named can be read", 0},
    {"Landlock alone: another file cannot", EACCES},
    {"Landlock alone: no file can be opened for writing", EACCES},
    {"Landlock alone: nor made", EACCES},
    {"Landlock alone: nor removed", EACCES},
    {"Landlock alone: no program can be executed", EACCES},
};

static void try_alone(void)
{
    char made[80];
    (void)snprintf(made, sizeof made, "%s/new", folder);
    tell(opening(inside, O_RDONLY));
    tell(opening(single, O_RDONLY));
    tell(opening(outside, O_RDONLY));
    tell(opening(inside, O_WRONLY));
    tell(opening(made, O_WRONLY | O_CREAT));
    tell(error_of(unlink(inside)));
    tell(executing());
}

/* --- Children. */

static void run_whole(void)
{
    const char *const paths[] = {folder, single, NULL};
    char missing[CONFINE_WHY_SIZE];
    int spare = socket(AF_INET, SOCK_STREAM, 0);
    int err = confine_to_reading(paths, missing);
    tell(err);
    tell(strcmp(missing, "Landlock") == 0);
    if (!err)
        try_whole(spare);
    for (;;) /* until the parent has looked at us */
        (void)poll(NULL, 0, -1);
}

static void run_alone(void)
{
    const char *const paths[] = {folder, single, NULL};
    int err = prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0 ? errno : confine_landlock(paths);
    tell(err);
    if (!err)
        try_alone();
    for (;;)
        (void)poll(NULL, 0, -1);
}

static pid_t start(void (*run)(void))
{
    if (pipe(results) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        run();
        _exit(0);
    }
    (void)close(results[1]);
    return pid;
}

static int next_result(void)
{
    unsigned char byte;
    return read(results[0], &byte, 1) == 1 ? byte : -1;
}

static void end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    (void)close(results[0]);
}

static bool status_says(pid_t pid, const char *line)
{
    char path[64], text[4096];
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    bool found = false;
    while (f && !found && fgets(text, sizeof text, f))
        found = strcmp(text, line) == 0;
    if (f)
        (void)fclose(f);
    return found;
}

static void test_whole(void)
{
    pid_t pid = start(run_whole);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    tap_is_int(connecting(client), 0, "somebody connects");
    tap_is_int(next_result(), 0, "a process gives up its rights");
    bool no_landlock = next_result() != 0;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        int got = next_result();
        if (whole[i].want == EACCES && no_landlock)
            tap_ok(true, "%s # skip this kernel has no Landlock", whole[i].what);
        else
            tap_is_int(got, whole[i].want, whole[i].what);
    }
    tap_ok(status_says(pid, "Seccomp:\t2\n"), "the kernel shows the filter");
    tap_ok(status_says(pid, "NoNewPrivs:\t1\n"), "and that no new privileges come");
    (void)close(client);
    end(pid);
}

static void test_alone(void)
{
    pid_t pid = start(run_alone);
    int err = next_result();
    if (err == ENOSYS)
        tap_ok(true, "Landlock alone # skip this kernel has none");
    else
        tap_is_int(err, 0, "Landlock alone is in force");
    for (size_t i = 0; i < sizeof alone / sizeof *alone && !err; i++)
        tap_is_int(next_result(), alone[i].want, alone[i].what);
    end(pid);
}

static void test_wrong_path(void)
{
    const char *const paths[] = {"/nowhere/at/all", NULL};
    int err = confine_landlock(paths);
    tap_ok(err == ENOENT || err == ENOSYS, "a path that is not there is an error");
    tap_is_int(opening(outside, O_RDWR), 0, "and leaves the rights as they were");
}

static bool make_file(char path[64], const char *name)
{
    (void)snprintf(path, 64, "%s%s", folder, name);
    return opening(path, O_WRONLY | O_CREAT | O_EXCL) == 0;
}

int main(void)
{
    socklen_t n = sizeof address;
    address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    listener = socket(AF_INET, SOCK_STREAM, 0);
    bool ready = mkdtemp(folder) && make_file(inside, "/inside") &&
                 make_file(outside, ".outside") && make_file(single, ".single") &&
                 bind(listener, (const struct sockaddr *)&address, sizeof address) == 0 &&
                 listen(listener, 4) == 0 &&
                 getsockname(listener, (struct sockaddr *)&address, &n) == 0;
    tap_ok(ready, "files, and a listener");
    test_whole();
    test_alone();
    test_wrong_path();
    (void)unlink(inside);
    (void)unlink(outside);
    (void)unlink(single);
    (void)rmdir(folder);
    return tap_done();
}
