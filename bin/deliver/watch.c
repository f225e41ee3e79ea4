/* cpm-status beside a delivery. It only looks on: whatever becomes of it, the delivery goes its
 * way. If we are killed, it sees the end of the attempt by itself. */
#include "bin/deliver/deliver.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "bin/options_http.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_MS      2000 /* it needs one second at most */

#define KEPT(field) NULL
const struct opt watch_table[] = {HTTP_OPTIONS(KEPT){0}};

static void on_end(void *arg, int wait_status)
{
    struct watch *w = arg;
    w->pid = 0; /* why it ended it has said itself */
    if (WIFSIGNALED(wait_status) && !w->ending)
        err_warn("cpm-status ended by signal %d; the delivery goes on", WTERMSIG(wait_status));
    if (w->ending)
        loop_stop(w->loop);
}

/* The addresses that it prints go to stderr: stdout is the transcript's. */
static int start(struct watch *w, char *const argv[])
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return errno;
    struct spawn_fd fds[] = {{null, STDIN_FILENO},
                             {err_verbosity == ERR_QUIET ? null : STDERR_FILENO, STDOUT_FILENO}};
    int err = spawn(argv[0], argv, fds, 2, &w->pid);
    (void)close(null);
    if (err)
        w->pid = 0;
    else
        loop_child(w->loop, &w->child, w->pid, on_end, w);
    return err;
}

void watch_start(struct watch *w, struct loop *l, const char *session, const char *sid)
{
    struct argv a = {0};
    struct opt_list where;
    char *path;
    /* What variables and files say is for a cpm-status that somebody starts for a queue. */
    if (!opt_given("http-listen", &where))
        return;
    w->loop = l;
    path = spawn_find("cpm-status", "CPM_EXEC_STATUS");
    if (!path) {
        err_warn("cpm-status is not found (CPM_EXEC_STATUS, beside cpm-deliver, PATH): nobody can "
                 "watch");
        return;
    }
    argv_own(&a, path);
    argv_add(&a, "-s");
    argv_add(&a, session);
    argv_own(&a, mem_format("--attempt=%s", sid));
    argv_given(&a, watch_table);
    argv_common(&a);
    int err = start(w, a.v);
    if (err)
        err_warn("cpm-status cannot be started: %s", strerror(err));
    argv_clear(&a);
}

static void on_late(void *arg)
{
    struct watch *w = arg;
    loop_stop(w->loop);
}

void watch_end(struct watch *w)
{
    struct loop_timer late = {0};
    if (!w->pid)
        return;
    w->ending = true;
    (void)kill(w->pid, SIGTERM);
    loop_at(w->loop, &late, clock_ms() + END_MS, on_late, w);
    loop_run(w->loop);
    loop_cancel(w->loop, &late);
    loop_forget_child(&w->child);
}
