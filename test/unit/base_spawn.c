/* Children: which descriptors and signals they get, and how programs are found. */
#include "base/mem.h"
#include "base/spawn.h"
#include "test/unit/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char output[4096];

/* Runs a shell script; what it writes to descriptor `to` lands in `output`. The exit status. */
static int shell(const char *script, struct spawn_fd *fds, size_t n, int to)
{
    char sh[] = "sh", c[] = "-c";
    char *argv[] = {sh, c, mem_dup(script), NULL};
    int pipes[2], status = -1;
    pid_t pid;
    if (pipe2(pipes, O_CLOEXEC) < 0)
        exit(1);
    fds[n] = (struct spawn_fd){pipes[1], to};
    int err = spawn("/bin/sh", argv, fds, n + 1, &pid);
    (void)close(pipes[1]);
    size_t got = 0;
    for (ssize_t k; (k = read(pipes[0], output + got, sizeof output - 1 - got)) > 0;)
        got += (size_t)k;
    output[got] = '\0';
    (void)close(pipes[0]);
    free(argv[2]);
    if (err || waitpid(pid, &status, 0) != pid)
        return -err;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int file_with(const char *text)
{
    char path[] = "/tmp/base_spawn.XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0 || unlink(path) < 0 || write(fd, text, strlen(text)) < 0 ||
        lseek(fd, 0, SEEK_SET) < 0)
        exit(1);
    return fd;
}

#define LIST "for f in /proc/self/fd/*; do printf '%s ' \"${f##*/}\"; done"

static void test_descriptors(void)
{
    struct spawn_fd fds[8];
    int a = file_with("A"), b = file_with("B");
    int stray = fcntl(a, F_DUPFD, 50); /* not close-on-exec */

    tap_is_int(shell("echo out; exit 3", fds, 0, 1), 3, "a child's status");
    tap_is_str(output, "out\n", "its output comes by the pipe");

    fds[0] = (struct spawn_fd){a, b};
    fds[1] = (struct spawn_fd){b, a};
    char *script = mem_format("cat <&%d; cat <&%d", a, b);
    tap_is_int(shell(script, fds, 2, 1), 0, "two descriptors change places");
    tap_is_str(output, "BA", "and each holds the other's file");
    free(script);

    (void)lseek(a, 0, SEEK_SET);
    fds[0] = (struct spawn_fd){a, a};
    script = mem_format("cat <&%d; test ! -e /proc/self/fd/%d || echo stray", a, stray);
    tap_is_int(shell(script, fds, 1, 1), 0, "a descriptor keeps its number");
    tap_is_str(output, "A", "is open in the child, and what is not named is closed");
    free(script);

    (void)lseek(b, 0, SEEK_SET);
    fds[0] = (struct spawn_fd){b, 0};
    tap_is_int(shell("cat", fds, 1, 1), 0, "stdin replaced");
    tap_is_str(output, "B", "by the file");

    fds[0] = (struct spawn_fd){a, 20};
    tap_is_int(shell(LIST, fds, 1, 1), 0, "the child's descriptors");
    tap_ok(strstr(output, "20 ") && !strstr(output, "50 ") && !strstr(output, "19 "),
           "are those that were named: %s", output);
    (void)close(a);
    (void)close(b);
    (void)close(stray);
}

static void test_signals(void)
{
    struct spawn_fd fds[1];
    sigset_t set;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigfillset(&set);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    tap_is_int(shell("kill -TERM $$; exit 1", fds, 0, 1), 128 + SIGTERM, "signals are unblocked");
    tap_is_int(shell("kill -PIPE $$; exit 1", fds, 0, 1), 128 + SIGPIPE, "and default");
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void test_failures(void)
{
    char none[] = "none";
    char *argv[] = {none, NULL};
    pid_t pid;
    tap_is_int(spawn("/nonexistent/none", argv, NULL, 0, &pid), ENOENT, "no such program");
    tap_is_int(spawn("/etc/passwd", argv, NULL, 0, &pid), EACCES, "a file that is no program");
    tap_is_int(spawn_status(ENOENT), 127, "the status of the one");
    tap_is_int(spawn_status(EACCES), 126, "and of the other");
    tap_is_int(spawn_status(ENOEXEC), 126, "and of a file that no kernel knows");
    tap_is_int(spawn_status(EAGAIN), 71, "and of a system without a process to give");
}

static void is_found(const char *program, const char *variable, const char *want, const char *what)
{
    char *path = spawn_find(program, variable);
    tap_is_str(path, want, what);
    free(path);
}

static void test_find(void)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    const char *own = strrchr(self, '/');
    is_found(own ? own + 1 : "", "BASE_SPAWN_TEST", self, "beside this very program");
    setenv("PATH", "/nonexistent::/usr/bin:/bin", 1);
    char *sh = spawn_find("sh", "BASE_SPAWN_TEST");
    tap_ok(sh && strcmp(sh + strlen(sh) - 3, "/sh") == 0, "in PATH: %s", sh ? sh : "-");
    free(sh);
    is_found("no-such-program", NULL, NULL, "nowhere");
    setenv("BASE_SPAWN_TEST", "/some where/prog", 1);
    is_found("sh", "BASE_SPAWN_TEST", "/some where/prog", "the variable beats both");
    setenv("BASE_SPAWN_TEST", "", 1);
    sh = spawn_find("sh", "BASE_SPAWN_TEST");
    tap_ok(sh != NULL, "an empty variable counts as not set");
    free(sh);
}

int main(void)
{
    test_descriptors();
    test_signals();
    test_failures();
    test_find();
    return tap_done();
}
