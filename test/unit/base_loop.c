/* The event loop, with timers, descriptors, signals and children; and locks and private files. */
#include "base/clock.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "test/unit/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct world {
    struct loop *loop;
    struct loop_timer timers[3], guard;
    struct loop_fd ends[2];
    char order[16];
    int signal, status;
};

static void note(struct world *w, const char *what)
{
    size_t n = strlen(w->order);
    (void)snprintf(w->order + n, sizeof w->order - n, "%s", what);
}

static void first(void *arg)
{
    struct world *w = arg;
    note(w, "1");
    loop_cancel(w->loop, &w->timers[1]);
}

static void second(void *arg)
{
    note(arg, "2");
}

static void third(void *arg)
{
    struct world *w = arg;
    note(w, "3");
    loop_stop(w->loop);
}

static void test_timers(struct world *w)
{
    int64_t now = clock_ms();
    w->order[0] = '\0';
    loop_at(w->loop, &w->timers[2], now + 5, third, w);
    loop_at(w->loop, &w->timers[1], now + 2, second, w);
    loop_at(w->loop, &w->timers[0], now + 9000, first, w);
    loop_at(w->loop, &w->timers[0], now + 1, first, w);
    loop_run(w->loop);
    tap_is_str(w->order, "13", "by their deadlines; one moved, one cancelled by another");
}

/* Both ends are ready in the same round; whoever comes first takes the other off. */
static void readable(void *arg, uint32_t events)
{
    struct world *w = arg;
    tap_ok(events & EPOLLIN, "readable");
    note(w, "r");
    loop_unwatch(w->loop, &w->ends[0]);
    loop_unwatch(w->loop, &w->ends[1]);
    loop_at(w->loop, &w->timers[0], clock_ms(), third, w);
}

static void test_descriptors(struct world *w)
{
    int a[2], b[2];
    if (pipe(a) < 0 || pipe(b) < 0 || write(a[1], "x", 1) != 1 || write(b[1], "x", 1) != 1)
        exit(1);
    w->order[0] = '\0';
    tap_is_int(loop_watch(w->loop, &w->ends[0], a[0], EPOLLIN, readable, w), 0, "one watched");
    tap_is_int(loop_watch(w->loop, &w->ends[1], b[0], EPOLLIN, readable, w), 0, "and another");
    loop_run(w->loop);
    tap_is_str(w->order, "r3", "a handler that was taken off in the same round is not called");
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    tap_is_int(loop_watch(w->loop, &w->ends[0], fd, EPOLLIN, readable, w), EPERM,
               "a regular file cannot be watched");
    for (int i = 0; i < 2; i++) {
        (void)close(a[i]);
        (void)close(b[i]);
    }
    (void)close(fd);
}

static void on_signal(void *arg, int signal)
{
    struct world *w = arg;
    w->signal = signal;
    loop_stop(w->loop);
}

static void on_child(void *arg, int status)
{
    struct world *w = arg;
    w->status = status;
    loop_stop(w->loop);
}

static void test_signals_and_children(struct world *w)
{
    static const int signals[] = {SIGUSR1, SIGTERM, 0};
    struct loop_child c = {0};
    tap_is_int(loop_signals(w->loop, signals, on_signal, w), 0, "signals come by the loop");
    (void)raise(SIGTERM);
    loop_run(w->loop);
    tap_is_int(w->signal, SIGTERM, "and are told");
    pid_t pid = fork();
    if (pid == 0)
        _exit(7);
    loop_child(w->loop, &c, pid, on_child, w);
    loop_run(w->loop);
    tap_ok(WIFEXITED(w->status) && WEXITSTATUS(w->status) == 7, "the end of a child is told");
    tap_ok(waitpid(pid, NULL, WNOHANG) < 0 && errno == ECHILD, "and it is reaped");
}

static void test_child_without_descriptors(struct world *w)
{
    struct rlimit all, none;
    struct loop_child c = {0};
    int next = dup(STDIN_FILENO);
    (void)close(next);
    tap_is_int(getrlimit(RLIMIT_NOFILE, &all), 0, "the limit of descriptors is known");
    none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = all.rlim_max};
    tap_is_int(setrlimit(RLIMIT_NOFILE, &none), 0, "and none is left");
    pid_t pid = fork();
    if (pid == 0)
        _exit(8);
    loop_child(w->loop, &c, pid, on_child, w);
    loop_run(w->loop);
    tap_ok(WIFEXITED(w->status) && WEXITSTATUS(w->status) == 8, "the end of a child is told still");
    tap_is_int(setrlimit(RLIMIT_NOFILE, &all), 0, "the limit is back");
}

static void test_locks(const char *path)
{
    int a, b;
    bool held = true;
    tap_is_int(file_open_private(path, O_RDWR, true, &a), 0, "a private file is made");
    tap_is_int(file_open_private(path, O_RDWR, false, &b), 0, "and opened again");
    tap_is_int(lock_try(a, 2, LOCK_EXCLUSIVE), 0, "a byte is taken");
    tap_is_int(lock_try(b, 2, LOCK_SHARED), EAGAIN, "and denied to others, also shared");
    tap_ok(lock_held(b, 2, &held) == 0 && held, "they can ask");
    tap_ok(lock_held(b, 3, &held) == 0 && !held, "another byte is free");
    tap_is_int(lock_try(a, 2, LOCK_SHARED), 0, "made shared");
    tap_is_int(lock_try(b, 2, LOCK_SHARED), 0, "two hold it");
    tap_is_int(lock_try(a, 2, LOCK_EXCLUSIVE), EAGAIN, "so neither has it alone");
    tap_ok(lock_drop(b, 2) == 0 && lock_held(b, 2, &held) == 0 && held, "one left");
    (void)close(a);
    tap_ok(lock_held(b, 2, &held) == 0 && !held, "gone with its descriptor");
    (void)close(b);
}

static void test_private(const char *path, const char *link)
{
    int fd;
    bool same = true;
    tap_ok(chmod(path, 0644) == 0 && file_open_private(path, O_RDWR, false, &fd) == EACCES,
           "a file that others can read is refused");
    tap_ok(chmod(path, 0600) == 0 && symlink(path, link) == 0 &&
               file_open_private(link, O_RDWR, true, &fd) == ELOOP,
           "a link is refused");
    tap_is_int(file_open_private("/tmp", O_RDWR, false, &fd), EINVAL, "a folder is refused");
    tap_is_int(file_open_private("/nonexistent/x", O_RDWR, true, &fd), ENOENT, "no such folder");
    tap_is_int(file_open_private(path, O_RDWR, false, &fd), 0, "the file again");
    tap_ok(file_same(fd, path, &same) == 0 && same, "the name is this file");
    (void)unlink(path);
    tap_ok(file_same(fd, path, &same) == 0 && !same, "and no longer");
    (void)close(fd);
    (void)unlink(link);
    tap_ok(mkfifo(path, 0600) == 0 && file_open_private(path, O_RDWR, false, &fd) == EINVAL,
           "a FIFO is refused, without waiting for its other end");
    (void)unlink(path);
}

static void hang(void *arg)
{
    (void)arg;
    tap_ok(false, "the loop came to an end");
    exit(1);
}

int main(void)
{
    struct world w = {.loop = loop_new()};
    char folder[] = "/tmp/base_loop.XXXXXX";
    if (!mkdtemp(folder))
        return 1;
    char *path = mem_format("%s/file", folder), *link = mem_format("%s/link", folder);
    loop_at(w.loop, &w.guard, clock_ms() + 30000, hang, NULL);
    test_timers(&w);
    test_descriptors(&w);
    test_signals_and_children(&w);
    test_child_without_descriptors(&w);
    loop_free(w.loop);
    test_locks(path);
    test_private(path, link);
    (void)rmdir(folder);
    free(path);
    free(link);
    return tap_done();
}
