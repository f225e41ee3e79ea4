#include "bin/sink/store.h"

#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMES_MAX 1000000

static int store_open(struct store *s, const char *folder, const char *sid)
{
    s->path = mem_format("%s/.sink-%d-%s", folder, (int)getpid(), sid);
    s->fd = open(s->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (s->fd >= 0)
        return 0;
    int error = errno;
    free(s->path);
    s->path = NULL;
    return error;
}

int store_write(struct store *s, const char *folder, const char *sid, off_t at, struct slice octets)
{
    int error = s->fd < 0 ? store_open(s, folder, sid) : 0;
    while (!error && octets.n) {
        ssize_t n = pwrite(s->fd, octets.p, octets.n, at);
        if (n < 0) {
            error = errno == EINTR ? 0 : errno;
            continue;
        }
        octets = (struct slice){octets.p + n, octets.n - (size_t)n};
        at += n;
    }
    return error;
}

/* A Message-ID as a file name: no slash, and no dot in front. */
static char *safe_name(struct slice id)
{
    char *name = slice_dup(id);
    for (size_t i = 0; i < id.n; i++) {
        bool fine = isalnum((unsigned char)name[i]) || strchr("-_+=%.", name[i]);
        if (!fine || (i == 0 && name[i] == '.'))
            name[i] = '_';
    }
    return name;
}

static int give_name(const char *from, const char *folder, const char *id, char **name)
{
    for (int i = 1; i < NAMES_MAX; i++) {
        *name = mem_format("%s/%s-%d.cpim", folder, id, i);
        if (!renameat2(AT_FDCWD, from, AT_FDCWD, *name, RENAME_NOREPLACE))
            return 0;
        int error = errno;
        free(*name);
        *name = NULL;
        if (error != EEXIST)
            return error;
    }
    return EEXIST;
}

static void store_close(struct store *s)
{
    (void)close(s->fd);
    free(s->path);
    s->fd = -1;
    s->path = NULL;
}

int store_finish(struct store *s, const char *folder, struct slice message_id, off_t size,
                 char **name)
{
    *name = NULL;
    if (s->fd < 0)
        return ENOENT;
    if (ftruncate(s->fd, size))
        return errno;
    char *id = safe_name(message_id);
    int error = give_name(s->path, folder, id, name);
    free(id);
    if (!error)
        store_close(s);
    return error;
}

void store_drop(struct store *s)
{
    if (s->fd < 0)
        return;
    (void)unlink(s->path);
    store_close(s);
}
