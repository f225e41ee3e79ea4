/* Loaded into all programs of a delivery (LD_PRELOAD): at the moment when the first line of the
 * event $KILL_EVENT is written, by whichever of them, the program $KILL_PROGRAM is killed.
 * $KILL_FOLDER holds the pid of the victim, the pids of all ("pids"), and who was faster ("done",
 * "due"). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_in_folder(const char *name, int flags)
{
    char path[4096];
    const char *folder = getenv("KILL_FOLDER");
    (void)snprintf(path, sizeof path, "%s/%s", folder ? folder : "/nonexistent", name);
    return open(path, flags | O_CLOEXEC, 0600);
}

static void note_pid(const char *name, int flags)
{
    char text[32];
    int fd = open_in_folder(name, O_WRONLY | O_CREAT | flags);
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (fd < 0 || syscall(SYS_write, fd, text, (size_t)n) != n)
        abort();
    (void)close(fd);
}

static pid_t victim(void)
{
    char text[32] = "";
    int fd = open_in_folder("victim", O_RDONLY);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        return 0;
    (void)close(fd);
    return (pid_t)strtol(text, NULL, 10);
}

__attribute__((constructor)) static void begin(void)
{
    const char *program = getenv("KILL_PROGRAM");
    note_pid("pids", O_APPEND);
    if (!program || strcmp(program, program_invocation_short_name) != 0)
        return;
    note_pid("victim", O_TRUNC);
    if (open_in_folder("due", O_RDONLY) >= 0)
        (void)kill(getpid(), SIGKILL);
}

static void event_written(void)
{
    int saved = errno;
    int first = open_in_folder("done", O_WRONLY | O_CREAT | O_EXCL);
    if (first >= 0) {
        pid_t pid = victim();
        if (pid == 0)
            (void)close(open_in_folder("due", O_WRONLY | O_CREAT));
        pid = victim();
        if (pid != 0)
            (void)kill(pid, SIGKILL);
        (void)close(first);
    }
    errno = saved;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    char pattern[80];
    const char *event = getenv("KILL_EVENT");
    ssize_t done = syscall(SYS_write, fd, bytes, n);
    int length = snprintf(pattern, sizeof pattern, "] %s ", event ? event : "");
    if (done > 0 && event && memmem(bytes, n, pattern, (size_t)length))
        event_written();
    return done;
}
