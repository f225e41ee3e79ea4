/* Telling somebody that a message was given up: a command of the operator's, with the facts on its
 * stdin. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "runner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FACTS_MAX 65536

bool notify_wanted(const struct delivery *d)
{
    const char *command = d->runner->config->notify;
    return command && *command && !d->entry->facts.notified &&
           strcmp(queue_entry_get(d->entry, "entry.notify"), "no") != 0;
}

static void fact(struct buf *b, int *err, const char *key, const char *value)
{
    if (*err || !*value)
        return;
    *err = buf_format(b, "%s=", key);
    for (const char *p = value; *p && !*err; p++) {
        char c = (unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p; /* one line each */
        *err = buf_add(b, &c, 1);
    }
    if (!*err)
        *err = buf_add_text(b, "\n");
}

static int write_facts(const struct delivery *d, int fd)
{
    static const char *const keys[][2] = {{"from", "entry.from"},
                                          {"to", "entry.to"},
                                          {"message", "entry.message"},
                                          {"birth", "entry.birth"},
                                          {"expires", "entry.expires"},
                                          {"status", "outcome.status"},
                                          {"why", "outcome.why"},
                                          {"code", "invite.failed.code"},
                                          {"reason", "invite.failed.reason"},
                                          {"detail", "invite.failed.detail"}};
    struct buf b = BUF_UP_TO(FACTS_MAX);
    char attempts[24];
    int err = 0;
    char *body = queue_body_path(d->runner->queue, d->entry->name.id);
    (void)snprintf(attempts, sizeof attempts, "%lld", (long long)d->entry->facts.attempts);
    fact(&b, &err, "id", d->entry->name.id);
    fact(&b, &err, "fate", queue_why_names[d->entry->facts.why]);
    fact(&b, &err, "attempts", attempts);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        fact(&b, &err, keys[i][0], queue_entry_get(d->entry, keys[i][1]));
    fact(&b, &err, "file", body);
    if (!err)
        err = file_write_all(fd, b.p, b.n);
    if (!err && lseek(fd, 0, SEEK_SET) < 0)
        err = errno;
    free(body);
    buf_free(&b);
    return err;
}

static void too_long(void *arg)
{
    struct delivery *d = arg;
    err_line("--notify", "takes too long", "see --notify-timeout");
    if (d->pid)
        (void)kill(-d->pid, SIGKILL);
}

/* Later again: it stays where it is, and a later pass tells, but does not deliver. */
static void tell_later(struct delivery *d)
{
    struct queue_name to = d->entry->name;
    to.due = queue_notify_due(d->entry, &d->runner->config->policy);
    int err = queue_move(d->entry, &to);
    if (err)
        err_line(d->entry->path, strerror(err), NULL);
    d->runner->counts.deferred++;
    delivery_end(d);
}

static void told(void *arg, int wait_status)
{
    struct delivery *d = arg;
    int status = delivery_status(wait_status);
    loop_cancel(d->runner->loop, &d->limit);
    d->pid = 0;
    int err = queue_note_notified(d->entry, status);
    if (err)
        err_line(d->entry->path, strerror(err), NULL);
    if (status != 0)
        err_linef("--notify", "it is called again later", "status %d for %s", status,
                  d->entry->name.id);
    if (err || status != 0)
        tell_later(d);
    else
        delivery_step(d, WHEN_ENDED);
}

int notify_start(struct delivery *d)
{
    int fd;
    int err = file_temporary(&fd);
    if (err)
        return err;
    err = write_facts(d, fd);
    argv_clear(&d->argv);
    argv_add(&d->argv, "/bin/sh");
    argv_add(&d->argv, "-c");
    argv_add(&d->argv, d->runner->config->notify);
    struct spawn_fd fds[] = {{fd, STDIN_FILENO}, {STDERR_FILENO, STDOUT_FILENO}};
    if (!err)
        err = delivery_spawn(d, fds, 2, true, told);
    (void)close(fd);
    if (!err)
        loop_at(d->runner->loop, &d->limit, clock_ms() + d->runner->config->notify_timeout_ms,
                too_long, d);
    return err;
}
