/* The message of a delivery: where it comes from, and whether it is the one that the session file
 * belongs to. */
#include "bin/deliver/deliver.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "cpim/cpim.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A message on stdin is kept for as long as the run takes. */
int message_from_stdin(int *fd)
{
    uint64_t copied;
    bool reading = false;
    int err = file_temporary(fd);
    if (!err)
        err = cpim_copy(STDIN_FILENO, *fd, UINT64_MAX, &copied, &reading);
    if (err)
        err_line(reading ? "standard input" : "temporary file", strerror(err), NULL);
    return !err ? EX_OK : reading ? EX_NOINPUT : EX_OSERR;
}

/* What is wrong with the file is said when it is opened for the attempt. */
char *message_bound_id(const char *session)
{
    struct journal *j;
    bool grew;
    char *id = NULL;
    if (journal_open(&j, session, JOURNAL_READ) != 0)
        return NULL;
    const char *bound = journal_read(j, &grew) == 0 ? journal_get(j, "entry.message") : NULL;
    if (bound)
        id = mem_dup(bound);
    journal_close(j);
    return id;
}

/* What our message is known by, and a mark of its content where we made it; the caller frees both.
 * False: it cannot be read, which cpm-msrp-serve will say. */
static bool identify(const struct plan *p, int given, char **id, char content[MARK_HEX_SIZE])
{
    struct cpim c;
    char *head = NULL;
    uint64_t octets;
    enum cpim_error verdict;
    int fd = given >= 0 ? given : open(p->message, O_RDONLY | O_CLOEXEC);
    *id = NULL;
    content[0] = '\0';
    bool good = fd >= 0 && cpim_read_head(fd, &head, &c, &octets, &verdict) == 0 &&
                verdict == CPIM_OK && cpim_identity(fd, &c, id) == 0 &&
                (!p->content || cpim_content_mark(fd, &c, content) == 0);
    free(head);
    if (fd >= 0 && fd != given)
        (void)close(fd);
    return good;
}

/* A message that we made took its Message-ID from the session file, so its content has to be the
 * same too. */
bool message_is_bound(const struct plan *p, int fd, const struct journal *j)
{
    char *id;
    char content[MARK_HEX_SIZE];
    const char *bound = journal_get(j, "entry.message");
    const char *mark = journal_get(j, "entry.content");
    bool same = identify(p, fd, &id, content) && bound && strcmp(id, bound) == 0 &&
                (!*content || !mark || strcmp(content, mark) == 0);
    free(id);
    return same;
}

int message_bind_content(const struct plan *p, int fd, struct journal *j)
{
    char *id;
    char content[MARK_HEX_SIZE];
    struct line_out o;
    const char *mark = journal_get(j, "entry.content");
    if (!p->content || !p->session)
        return EX_OK;
    bool known = identify(p, fd, &id, content);
    free(id);
    if (known && mark && strcmp(content, mark) != 0) {
        err_line(p->content, "another content than the session file's", "give it its own -s FILE");
        return EX_USAGE;
    }
    if (!known || mark)
        return EX_OK;
    line_begin(&o, "entry", journal_sid(j));
    line_text(&o, "content", content);
    return journal_append(j, &o, false, NULL) == 0 ? EX_OK : EX_IOERR;
}
