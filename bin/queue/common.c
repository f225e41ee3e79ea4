/* What the subcommands share. */
#include "base/err.h"
#include "base/num.h"
#include "queue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int status_of_error(int error)
{
    switch (error) {
    case EPERM:
    case EACCES:
    case EREMOTE:
        return EX_NOPERM;
    case EIO:
        return EX_IOERR;
    default:
        return EX_OSERR;
    }
}

int open_queue(const struct config *c, bool make, struct queue **q)
{
    if (!c->folder || !*c->folder)
        err_die(EX_USAGE, "queue", "not given", "-Q DIR, or CPM_QUEUE");
    int err = queue_open(q, c->folder, make);
    switch (err) {
    case 0:
        return EX_OK;
    case ENOENT:
        err_line(c->folder, make ? strerror(err) : "there is no queue",
                 make ? "make the folder that it shall lie in" : "cpm-queue add makes one");
        return EX_NOINPUT;
    case ENOTDIR:
        err_line(c->folder, "is no folder", "-Q DIR, or CPM_QUEUE");
        return EX_NOINPUT;
    case EPERM:
        err_line(c->folder, "belongs to another user, or others may write to it",
                 "run as its owner; chmod go-w");
        return EX_NOPERM;
    case EREMOTE:
        err_line(c->folder, "lies on a remote file system", "use a local one");
        return EX_NOPERM;
    default:
        err_line(c->folder, strerror(err), NULL);
        return status_of_error(err);
    }
}

/* RFC 3339 in UTC, with milliseconds or without. */
static int parse_time(const char *text, int64_t *ms)
{
    char whole[CLOCK_TEXT_SIZE];
    size_t n = strlen(text);
    if (n == CLOCK_TEXT_SIZE - 1)
        return clock_parse(text, n, ms);
    if (n != CLOCK_TEXT_SIZE - 5 || text[n - 1] != 'Z')
        return EINVAL;
    (void)snprintf(whole, sizeof whole, "%.*s.000Z", (int)n - 1, text);
    return clock_parse(whole, sizeof whole - 1, ms);
}

int parse_when(const char *text, int64_t now_ms, int64_t *when_ms)
{
    int64_t span;
    if (parse_time(text, when_ms) == 0)
        return 0;
    if (num_duration_ms(text, &span) != 0 || span <= 0 || span > INT64_MAX - now_ms)
        return EINVAL;
    *when_ms = now_ms + span;
    return 0;
}

void view_of(const struct queue_entry *e, struct view *v)
{
    *v = (struct view){.state = queue_state_names[e->name.state], .status = -1};
    if (e->name.state == QUEUE_WAIT) {
        clock_text(v->when, e->name.due * 1000);
        if (journal_claimed(e->journal))
            v->state = "delivering";
    }
    v->status = journal_number(e->journal, "outcome.status", -1);
    v->code = journal_number(e->journal, "invite.failed.code", 0);
    if (!v->code)
        v->code = journal_number(e->journal, "msrp.failed.code", 0);
    v->why = queue_entry_get(e, "invite.failed.reason");
    v->detail = queue_entry_get(e, "invite.failed.detail");
    if (!*v->why)
        v->why = queue_entry_get(e, "outcome.why");
}
