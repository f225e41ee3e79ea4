/* stderr with a slow reader: what waits for it is written by one process, also after a fork. */
#include "base/err.h"
#include "test/unit/tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int reader;
static int forked[2]; /* a pipe that tells of the fork */

/* stderr becomes a pipe that is full. */
static void block_stderr(void)
{
    static const char dots[4096] = {[0 ... 4095] = '.'};
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0 || dup2(fds[1], STDERR_FILENO) < 0)
        exit(1);
    (void)close(fds[1]);
    reader = fds[0];
    while (write(STDERR_FILENO, dots, sizeof dots) > 0)
        ;
    if (fcntl(STDERR_FILENO, F_SETFL, 0) < 0)
        exit(1);
}

/* Reads until nobody can write any more; counts this mark. */
static int count_marks(char mark)
{
    char text[4096];
    int marks = 0;
    if (fcntl(reader, F_SETFL, 0) < 0)
        exit(1);
    for (ssize_t n; (n = read(reader, text, sizeof text)) > 0;) {
        for (ssize_t i = 0; i < n; i++)
            marks += text[i] == mark;
    }
    return marks;
}

/* The parent's line waits when it forks; both end as programs do. */
static void two_writers(void)
{
    err_program("base_err");
    err_warn("#");
    pid_t child = fork();
    if (child < 0)
        _exit(1);
    if (child == 0)
        err_forget();
    else if (write(forked[1], "", 1) != 1)
        _exit(1);
    exit(0);
}

int main(void)
{
    int status;
    char byte;
    block_stderr();
    if (pipe2(forked, O_CLOEXEC) < 0)
        return 1;
    pid_t pid = fork();
    if (pid < 0)
        return 1;
    if (pid == 0)
        two_writers();
    (void)close(STDERR_FILENO);
    (void)close(forked[1]);
    tap_is_int(read(forked[0], &byte, 1), 1, "a process forks while a line of it waits");
    tap_is_int(count_marks('#'), 1, "the line is written once");
    tap_ok(waitpid(pid, &status, 0) == pid && status == 0, "and its writer ends");
    return tap_done();
}
