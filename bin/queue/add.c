/* add: accepts messages. What was printed is on the disk. */
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "cpim/cpim.h"
#include "cpim/imdn.h"
#include "queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH        100 /* items of --many that are made durable together */
#define UNKNOWN_TYPE "application/octet-stream"

struct adding {
    const struct config *config;
    struct queue *queue;
    struct queue_batch *batch;
    int64_t now_ms, expires_ms;
    unsigned long line; /* of --many, that is being read; 0: none */
    /* the lines of --many whose ids are still to be printed */
    char *lines[BATCH];
    size_t line_count;
};

/* --- The body. */

static int cannot_write(const struct adding *a, int err)
{
    err_line(queue_folder(a->queue), strerror(err), "nothing was accepted");
    return status_of_error(err);
}

/* What is wrong with an item: with --many, of which line. */
static void complain(const struct adding *a, const char *what, const char *why, const char *hint)
{
    if (a->line > 0)
        err_linef("standard input", hint, "line %lu: %s: %s", a->line, what, why);
    else
        err_line(what, why, hint);
}

/* As with cpm-deliver: an option of the composer says that the file is content. */
static bool is_content(void)
{
    return opt_given("type", NULL) || opt_given("subject", NULL) || opt_given("message-id", NULL) ||
           opt_given("imdn", NULL);
}

static int64_t octets_of(int fd)
{
    struct stat st;
    bool known = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
    return known && lseek(fd, 0, SEEK_CUR) == 0 ? st.st_size : -1;
}

static int write_head(const struct adding *a, const char *file, const struct opt_list *to, int in,
                      int out)
{
    const struct config *c = a->config;
    char id[CPIM_MESSAGE_ID_SIZE];
    const char *field, *why;
    struct buf head = BUF_UP_TO(CPIM_HEAD_MAX);
    const char *type = c->type ? c->type : cpim_type_of_name(file);
    type = type ? type : UNKNOWN_TYPE;
    bool notification = slice_is_nocase(cpim_media_type(slice_of(type)), IMDN_TYPE);
    cpim_new_message_id(id);
    struct cpim_draft d = {.from = c->from,
                           .to = to->v[0],
                           .subject = c->subject,
                           .message_id = c->message_id ? c->message_id : id,
                           .dispositions = c->imdn        ? c->imdn
                                           : notification ? NULL
                                                          : CPIM_DISPOSITIONS,
                           .type = type,
                           .wall_ms = a->now_ms,
                           .octets = octets_of(in),
                           .also_to = to->v + 1,
                           .also_count = to->n - 1};
    int err = cpim_compose(&d, &head, &field, &why);
    if (err == EINVAL)
        err_linef("options", NULL, "--%s: %s", field, why);
    else if (err)
        err_line("options", strerror(err), "shorten the subject");
    int written = err ? 0 : file_write_all(out, head.p, head.n);
    buf_free(&head);
    return err ? EX_USAGE : written ? cannot_write(a, written) : EX_OK;
}

static int copy(const struct adding *a, const char *file, int in, int out)
{
    uint64_t copied;
    bool reading = false;
    int err = cpim_copy(in, out, UINT64_MAX, &copied, &reading);
    if (err && reading) {
        complain(a, file, strerror(err), NULL);
        return EX_NOINPUT;
    }
    return err ? cannot_write(a, err) : EX_OK;
}

struct body {
    char *message; /* CPIM Message-ID, or NULL */
    bool notification;
};

static int look_at(const struct adding *a, const char *file, int fd, struct body *b)
{
    struct cpim c;
    char *head = NULL;
    uint64_t octets;
    enum cpim_error verdict;
    int err = cpim_read_head(fd, &head, &c, &octets, &verdict);
    int status = err ? EX_IOERR : verdict == CPIM_OK ? EX_OK : EX_DATAERR;
    if (err)
        complain(a, file, strerror(err), NULL);
    else if (status)
        complain(a, file, cpim_error_text(verdict), "--type makes a message of content");
    else {
        b->message = c.message_id.n > 0 ? slice_dup(c.message_id) : NULL;
        b->notification = slice_is_nocase(cpim_media_type(c.content_type), IMDN_TYPE);
    }
    free(head);
    return status;
}

static int take_body(struct adding *a, const char *file, const struct opt_list *to, int in,
                     struct body *b)
{
    int out;
    int err = queue_add_body(a->batch, &out);
    if (err)
        return cannot_write(a, err);
    int status = is_content() ? write_head(a, file, to, in, out) : EX_OK;
    if (!status)
        status = copy(a, file, in, out);
    if (!status)
        status = look_at(a, file, out, b);
    if (status)
        queue_drop_body(a->batch);
    return status;
}

/* --- The entries. */

static int take_entries(struct adding *a, const struct opt_list *to, const struct body *b)
{
    for (size_t i = 0; i < to->n; i++) {
        struct queue_new n = {.from = a->config->from,
                              .to = to->v[i],
                              .message = b->message,
                              .born_ms = a->now_ms,
                              .expires_ms = a->expires_ms,
                              .notify = !a->config->no_notify && !b->notification};
        int err = queue_add_entry(a->batch, &n);
        if (err == EMSGSIZE) {
            complain(a, to->v[i], "addresses or Message-ID too long", NULL);
            return EX_USAGE;
        }
        if (err)
            return cannot_write(a, err);
    }
    return EX_OK;
}

static bool is_recipient(const struct adding *a, const char *to)
{
    const char *why = cpim_uri_fault(to);
    if (why)
        complain(a, to, why, "recipients are like sip:bob@example.com");
    return !why;
}

static int take(struct adding *a, const char *file, const struct opt_list *to)
{
    struct body b = {0};
    bool is_stdin = strcmp(file, "-") == 0;
    for (size_t i = 0; i < to->n; i++) {
        if (!is_recipient(a, to->v[i]))
            return EX_USAGE;
    }
    int in = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    if (in < 0) {
        complain(a, file, strerror(errno), NULL);
        return EX_NOINPUT;
    }
    int status = take_body(a, is_stdin ? "standard input" : file, to, in, &b);
    if (!is_stdin)
        (void)close(in);
    if (!status)
        status = take_entries(a, to, &b);
    free(b.message);
    return status;
}

/* --- Committing. */

static void tell_known(const struct queue_added *added)
{
    const char *id = added->id;
    if (added->state == QUEUE_FAILED)
        err_warn("%s: is there already, and was given up (to have it tried again: cpm-queue retry "
                 "%s)",
                 id, id);
    else if (added->state == QUEUE_HELD)
        err_warn("%s: is there already, and held (cpm-queue release %s)", id, id);
    else
        err_step("%s: was there already", id);
}

static int commit(struct adding *a)
{
    int err = queue_batch_count(a->batch) > 0 ? queue_commit(a->batch) : 0;
    for (size_t i = 0; i < queue_batch_count(a->batch) && !err; i++) {
        const struct queue_added *added = queue_batch_entry(a->batch, i);
        if (added->known)
            tell_known(added);
        if (i < a->line_count)
            printf("%s\t%s\n", added->id, a->lines[i]);
        else
            printf("%s\n", added->id);
    }
    queue_batch_free(a->batch);
    a->batch = NULL;
    for (size_t i = 0; i < a->line_count; i++)
        free(a->lines[i]);
    a->line_count = 0;
    return err ? cannot_write(a, err) : err_output();
}

/* --- One item a line: the recipient, a blank or tab, the file. */

static int take_line(struct adding *a, char *line)
{
    size_t n = strcspn(line, " \t");
    char *file = line + n + strspn(line + n, " \t");
    if (n == 0 || !*file) {
        err_linef("standard input", "RECIPIENT FILE", "line %lu has no recipient or no file",
                  a->line);
        return EX_USAGE;
    }
    char *to = slice_dup((struct slice){line, n});
    const char *one[] = {to};
    if (strcmp(file, "-") == 0) {
        err_linef("standard input", "name a file", "line %lu: these lines are on it", a->line);
        free(to);
        return EX_USAGE;
    }
    int status = take(a, file, &(struct opt_list){one, 1});
    if (!status)
        a->lines[a->line_count++] = mem_format("%s\t%s", to, file);
    free(to);
    return status;
}

static bool is_ours(int status)
{
    return status == EX_OSERR || status == EX_IOERR || status == EX_NOPERM;
}

static int add_many(struct adding *a)
{
    char *line = NULL;
    size_t room = 0;
    int status = EX_OK;
    ssize_t n;
    while (!is_ours(status) && (n = getline(&line, &room, stdin)) > 0) {
        a->line++;
        if (line[n - 1] == '\n')
            line[n - 1] = '\0';
        if (!*line)
            continue;
        if (!a->batch)
            a->batch = queue_batch_new(a->queue);
        int one = take_line(a, line);
        status = status ? status : one;
        if (a->line_count == BATCH || is_ours(one)) {
            one = commit(a);
            status = status ? status : one;
        }
    }
    if (ferror(stdin)) {
        err_line("standard input", strerror(errno), NULL);
        status = status ? status : EX_NOINPUT;
    }
    free(line);
    if (!a->batch)
        return status;
    int last = commit(a);
    return status ? status : last;
}

static int add_one(struct adding *a, const char *file)
{
    a->batch = queue_batch_new(a->queue);
    int status = take(a, file, &a->config->to);
    if (!status)
        return commit(a);
    queue_batch_free(a->batch);
    return status;
}

static void check_use(const struct config *c, int count)
{
    if (!c->from)
        err_die(EX_USAGE, "add", "--from is missing", "see cpm-queue --help");
    if (c->many ? c->to.n > 0 : c->to.n == 0)
        err_die(EX_USAGE, "add", c->many ? "--many takes no --to" : "--to is missing",
                "see cpm-queue --help");
    if (c->many ? count > 0 : count != 1)
        err_die(EX_USAGE, "add", c->many ? "--many takes no file" : "one file is needed",
                "see cpm-queue --help");
    if (cpim_uri_fault(c->from))
        err_die(EX_USAGE, "--from", cpim_uri_fault(c->from), "like sip:alice@example.com");
}

int add(const struct config *c, char **operands, int count)
{
    struct adding a = {.config = c, .now_ms = clock_wall_ms()};
    check_use(c, count);
    if (parse_when(c->expires, a.now_ms, &a.expires_ms) != 0)
        err_die(EX_USAGE, "--expires", "is neither a span nor a time",
                "like 72h, or 2026-12-01T10:00:00Z");
    if (a.expires_ms <= a.now_ms)
        err_warn("--expires: that time is over (one attempt will be made)");
    int status = open_queue(c, true, &a.queue);
    if (status)
        return status;
    status = c->many ? add_many(&a) : add_one(&a, operands[0]);
    queue_close(a.queue);
    return status;
}
