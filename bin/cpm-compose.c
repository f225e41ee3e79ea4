/* cpm-compose: makes a message/cpim out of any content; shows one. */
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "bin/compose/show.h"
#include "bin/options.h"
#include "cpim/cpim.h"
#include "cpim/imdn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNKNOWN_TYPE "application/octet-stream"

struct config {
    const char *from, *to, *type, *subject, *message_id, *imdn;
    bool show;
    const char *file; /* NULL: stdin */
    const char *name; /* for people */
};

static int open_content(const struct config *c, int *fd)
{
    *fd = STDIN_FILENO;
    if (!c->file)
        return EX_OK;
    *fd = open(c->file, O_RDONLY | O_CLOEXEC);
    if (*fd >= 0)
        return EX_OK;
    err_line(c->name, strerror(errno), NULL);
    return EX_NOINPUT;
}

/* Octets from here to the end of a file; -1 when only reading can tell. Files that say 0 may be of
 * the kind that says so always (procfs). */
static int64_t octets_ahead(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return -1;
    off_t at = lseek(fd, 0, SEEK_CUR);
    if (at < 0 || st.st_size == 0)
        return -1;
    return st.st_size > at ? st.st_size - at : 0;
}

/* NULL: nothing tells. */
static const char *find_type(const struct config *c)
{
    return c->type ? c->type : c->file ? cpim_type_of_name(c->file) : NULL;
}

static bool spoils_terminal(const char *type)
{
    return isatty(STDOUT_FILENO) && strncasecmp(type, "text/", 5) != 0;
}

static const char *usual_dispositions(const char *type)
{
    bool notification = slice_is_nocase(cpim_media_type(slice_of(type)), IMDN_TYPE);
    return notification ? NULL : CPIM_DISPOSITIONS;
}

static int refuse(const char *field, const char *why)
{
    bool uri = strcmp(field, "from") == 0 || strcmp(field, "to") == 0;
    char option[32];
    (void)snprintf(option, sizeof option, "--%s", field);
    err_line(option, why, uri ? "like sip:alice@example.com or tel:+15551234" : NULL);
    return EX_USAGE;
}

static int write_head(const struct config *c, const char *type, int64_t octets)
{
    char id[CPIM_MESSAGE_ID_SIZE];
    const char *field, *why;
    struct buf head = BUF_UP_TO(CPIM_HEAD_MAX);
    const char *dispositions = c->imdn ? c->imdn : usual_dispositions(type);
    cpim_new_message_id(id);
    struct cpim_draft d = {.from = c->from,
                           .to = c->to,
                           .subject = c->subject,
                           .message_id = c->message_id ? c->message_id : id,
                           .dispositions = dispositions,
                           .type = type,
                           .wall_ms = clock_wall_ms(),
                           .octets = octets};
    int err = cpim_compose(&d, &head, &field, &why);
    if (err) {
        buf_free(&head);
        return err == EINVAL ? refuse(field, why) : refuse("subject", "too long");
    }
    err = file_write_all(STDOUT_FILENO, head.p, head.n);
    buf_free(&head);
    if (err)
        err_line(ERR_OUTPUT, strerror(err), NULL);
    return err ? EX_IOERR : EX_OK;
}

static int write_content(const struct config *c, int fd, int64_t octets)
{
    uint64_t copied;
    bool reading = false;
    int err =
        cpim_copy(fd, STDOUT_FILENO, octets < 0 ? UINT64_MAX : (uint64_t)octets, &copied, &reading);
    if (!err && octets >= 0 && copied < (uint64_t)octets) {
        err_line(c->name, "became shorter while it was read", NULL);
        return EX_NOINPUT;
    }
    if (err)
        err_line(reading ? c->name : ERR_OUTPUT, strerror(err), NULL);
    return !err ? EX_OK : reading ? EX_NOINPUT : EX_IOERR;
}

static int compose(const struct config *c, int fd)
{
    struct stat st;
    const char *found = find_type(c);
    const char *type = found ? found : UNKNOWN_TYPE;
    int64_t octets = octets_ahead(fd);
    if (spoils_terminal(type))
        err_die(EX_USAGE, ERR_OUTPUT, "binary content does not go to a terminal", "> m.cpim");
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        err_line(c->name, strerror(EISDIR), NULL);
        return EX_NOINPUT;
    }
    int status = write_head(c, type, octets);
    if (status)
        return status;
    if (!found)
        err_warn("%s: media type not known, taken as " UNKNOWN_TYPE " (--type)", c->name);
    return write_content(c, fd, octets);
}

#define TO(field) &c.field

int main(int argc, char **argv)
{
    err_program("cpm-compose");
    struct config c = {0};
    static const char *const known[] = OPTION_NAMES;
    const struct opt table[] = {
        ADDRESS_OPTIONS(TO) COMPOSE_OPTIONS(TO){.name = "show",
                                                .kind = OPT_FLAG,
                                                .help = "show the headers of a message instead",
                                                .to = &c.show,
                                                .where = OPT_COMMAND_LINE},
        {0}};
    const struct opt *const tables[] = {table, NULL};
    const struct opt_program program = {
        .name = "cpm-compose",
        .usage = "--from URI --to URI [options] [FILE] > m.cpim\n--show [FILE]",
        .about = "Makes a message/cpim out of any content.",
        .tables = tables,
        .known = known,
        .after = "Exit status: 0; 64 usage, 65 --show: not message/cpim, 66 cannot read, "
                 "74 cannot write.\n",
    };
    struct opt_result operands;
    int fd, status;
    opt_parse(&program, argc, argv, &operands);
    if (operands.count > 1)
        err_die(EX_USAGE, "options", "more than one file", "see cpm-compose --help");
    if (!c.show && (!c.from || !c.to))
        err_die(EX_USAGE, "options", c.from ? "--to is missing" : "--from is missing",
                "see cpm-compose --help");
    if (operands.count == 1 && strcmp(operands.operands[0], "-") != 0)
        c.file = operands.operands[0];
    c.name = c.file ? c.file : "standard input";
    status = open_content(&c, &fd);
    if (status)
        return status;
    return c.show ? show(fd, c.name) : compose(&c, fd);
}
