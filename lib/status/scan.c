/* Reading all names, piece by piece. While it goes on, what the kernel tells is taken in as well,
 * so at its end who was neither met nor told of is gone. Without notices an entry that moves may be
 * missed: then the names are read a second time. */
#include "status/snapshot_int.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_SIZE 8192
#define DOOMED_MOST 256

static void list_states(struct snapshot *s)
{
    for (int state = QUEUE_WAIT; state <= QUEUE_FAILED; state++)
        scan_add(s, &(struct folder){.state = (enum queue_state)state});
}

void scan_begin(struct snapshot *s)
{
    scan_stop(s);
    s->scan.whole = true;
    s->scan.again = s->scan.sweeping = false;
    s->scan.met = 0;
    s->scan.turn++;
    scan_add(s, &(struct folder){.root = true});
    list_states(s);
}

static void close_folder(struct scan *c)
{
    if (c->open)
        (void)close(c->fd);
    c->open = false;
}

void scan_stop(struct snapshot *s)
{
    close_folder(&s->scan);
    s->scan.at = s->scan.n = 0;
    s->scan.whole = false;
}

void scan_add(struct snapshot *s, const struct folder *f)
{
    struct scan *c = &s->scan;
    if (c->n == c->room) {
        c->room = c->room ? c->room * 2 : 16;
        c->folders = mem_grow(c->folders, c->room, sizeof *c->folders);
    }
    c->folders[c->n++] = *f;
}

bool scan_goes_on(const struct snapshot *s)
{
    return s->scan.whole || s->scan.at < s->scan.n;
}

/* --- Names. */

static char *path_of(const struct snapshot *s, const struct folder *f)
{
    char *folder =
        f->root ? mem_dup(queue_folder(s->queue)) : queue_state_folder(s->queue, f->state);
    if (!f->day)
        return folder;
    char *path = mem_format("%s/%s", folder, f->day);
    free(folder);
    return path;
}

/* Watched, then what was told is taken in, then it is read: what is told after that is all there is
 * to know about it. False: the scan began anew. */
static bool listen_to(struct snapshot *s, const struct folder *f, const char *path, int *err)
{
    uint32_t turn = s->scan.turn;
    *err = s->notices >= 0 ? names_watch(s, f, path) : 0;
    if (*err && *err != ENOENT)
        names_deaf(s);
    else
        names_take(s);
    return turn == s->scan.turn;
}

/* Folders of states come with the first entry of theirs, and those of days go. */
static int open_folder(struct snapshot *s, struct folder f)
{
    bool must_be = f.root || f.state == QUEUE_WAIT;
    char *path = path_of(s, &f);
    int err;
    if (!listen_to(s, &f, path, &err)) {
        free(path);
        return 0;
    }
    s->scan.fd = f.root ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    s->scan.open = s->scan.fd >= 0;
    if (!f.root && !s->scan.open)
        err = errno;
    free(path);
    if (!s->scan.open)
        s->scan.at++;
    return err == ENOENT && !must_be ? 0 : err;
}

static void meet(struct snapshot *s, const struct folder *f, const char *name)
{
    struct queue_name n;
    if (f->state == QUEUE_DONE && !f->day) {
        if (queue_is_day(name))
            scan_add(s, &(struct folder){.state = QUEUE_DONE, .day = texts_keep(&s->texts, name)});
    } else if (queue_parse(f->state, f->day, name, &n)) {
        struct item *i = names_found(s, &n);
        if (!i->changed) /* else it is looked at anyway */
            item_look(s, i, true);
    }
}

static size_t meet_some(struct snapshot *s, const struct folder *f, const char *bytes, size_t n)
{
    uint64_t glances = s->sum.glances;
    size_t names = 0;
    for (const char *p = bytes; p < bytes + n; names++) {
        const struct dirent64 *e = (const void *)p;
        meet(s, f, e->d_name);
        p += e->d_reclen;
    }
    return names + (size_t)(s->sum.glances - glances) * STATUS_GLANCE_COST;
}

/* What was read is used at once: notices that come later are about something newer. */
static int list_some(struct snapshot *s, size_t *budget)
{
    _Alignas(struct dirent64) char bytes[BUFFER_SIZE];
    struct scan *c = &s->scan;
    if (!c->open)
        return open_folder(s, c->folders[c->at]);
    struct folder f = c->folders[c->at];
    ssize_t n = getdents64(c->fd, bytes, sizeof bytes);
    if (n <= 0) {
        int err = n < 0 ? errno : 0;
        close_folder(c);
        c->at++;
        return err == ENOENT ? 0 : err; /* removed while it was open */
    }
    size_t cost = meet_some(s, &f, bytes, (size_t)n);
    *budget -= cost < *budget ? cost : *budget;
    return 0;
}

/* --- Who is gone. */

struct sweep {
    struct snapshot *s;
    struct item *doomed[DOOMED_MOST];
    size_t n, looks;
    char last[QUEUE_ID_SIZE];
};

static bool on_item(void *arg, struct item *i)
{
    struct sweep *w = arg;
    if (i->turn != w->s->scan.turn && i->named)
        w->doomed[w->n++] = i;
    memcpy(w->last, i->id, sizeof w->last);
    return w->n < DOOMED_MOST && --w->looks > 0;
}

static void sweep_some(struct snapshot *s, size_t *budget)
{
    struct sweep w = {.s = s, .looks = *budget};
    bool done = tree_visit(s->items, s->scan.cursor, on_item, &w);
    for (size_t i = 0; i < w.n; i++) {
        w.doomed[i]->named = false;
        w.doomed[i]->gone = true;
        item_mark(s, w.doomed[i]);
    }
    memcpy(s->scan.cursor, w.last, sizeof w.last);
    *budget = w.looks;
    if (done)
        s->scan.whole = false;
}

static void finish(struct snapshot *s, size_t *budget)
{
    struct scan *c = &s->scan;
    if (c->sweeping) {
        sweep_some(s, budget);
        return;
    }
    names_take(s);
    if (c->at < c->n)
        return;
    c->at = c->n = 0;
    if (c->met >= s->count) {
        c->whole = false;
    } else if (s->notices < 0 && !c->again) {
        c->again = true;
        list_states(s);
    } else {
        c->sweeping = true;
        c->cursor[0] = '\0';
    }
}

int scan_some(struct snapshot *s, size_t budget)
{
    int err = 0;
    while (!err && budget > 0 && scan_goes_on(s)) {
        if (s->scan.at < s->scan.n)
            err = list_some(s, &budget);
        else
            finish(s, &budget);
    }
    if (!scan_goes_on(s))
        scan_stop(s);
    return err;
}
