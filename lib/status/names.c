/* What the kernel tells of the queue's folders (inotify(7)). It tells things in their order over
 * all folders, so where an entry is follows from what is told alone; but who moves one is told of
 * twice, and the second time may be yet to come. */
#include "status/snapshot_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define OF_FILES \
    (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE)
#define OF_FOLDERS  (IN_CREATE | IN_MOVED_TO | IN_ATTRIB)
#define OF_ITSELF   (IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK)
#define READS_MOST  256
#define BUFFER_SIZE 16384

/* --- Items and their names. */

static bool has_name(const struct item *i, const struct queue_name *n)
{
    return i->named && i->state == n->state && i->e.due_ms == n->due * 1000 &&
           strcmp(i->day, n->day) == 0;
}

void item_name(const struct item *i, struct queue_name *n)
{
    *n = (struct queue_name){.state = i->state, .due = i->e.due_ms / 1000};
    memcpy(n->id, i->id, sizeof n->id);
    memcpy(n->day, i->day, strnlen(i->day, sizeof n->day - 1));
}

static void set_name(struct snapshot *s, struct item *i, const struct queue_name *n)
{
    const char *day = texts_keep(&s->texts, n->day);
    item_leave(s, i);
    if (i->deleted)
        item_start_over(s, i); /* another file, whatever its number */
    texts_drop(&s->texts, i->day);
    i->day = day;
    i->state = n->state;
    i->e.due_ms = n->due * 1000;
    i->named = true;
    i->deleted = i->gone = false;
}

static void meet(struct snapshot *s, struct item *i)
{
    if (i->turn != s->scan.turn)
        s->scan.met++;
    i->turn = s->scan.turn;
}

/* An entry may be met under two names while it is moved, and where a move was cut off. */
struct item *names_found(struct snapshot *s, const struct queue_name *n)
{
    struct item *i = tree_find(s->items, n->id);
    if (!i) {
        i = item_new(s, n->id);
        tree_add(&s->items, i);
    }
    bool met = i->turn == s->scan.turn;
    if (!has_name(i, n)) {
        i->twin = met && i->named;
        set_name(s, i, n);
    }
    meet(s, i);
    return i;
}

static void lose(struct snapshot *s, const struct queue_name *n, bool moved)
{
    struct item *i = tree_find(s->items, n->id);
    if (!i || !has_name(i, n))
        return;
    meet(s, i);
    i->named = false;
    i->deleted = !moved;
    i->lost_ms = (uint32_t)clock_ms();
    item_mark(s, i);
}

/* --- Notices. */

/* Whoever holds a claim has the file open for writing. It is free a moment after he closed it, and
 * perhaps not when we look first. */
static void about_holder(struct snapshot *s, struct item *i)
{
    if (i->e.state != STATUS_DELIVERING)
        return;
    i->closed = true;
    i->closed_ms = (uint32_t)clock_ms();
    item_mark(s, i);
}

static void about_file(struct snapshot *s, const struct folder *f, const struct inotify_event *e)
{
    struct queue_name n;
    if (f->root || !queue_parse(f->state, f->day, e->name, &n))
        return;
    if (e->mask & (IN_CREATE | IN_MOVED_TO)) {
        item_mark(s, names_found(s, &n));
    } else if (e->mask & (IN_DELETE | IN_MOVED_FROM)) {
        lose(s, &n, (e->mask & IN_MOVED_FROM) != 0);
    } else {
        struct item *i = tree_find(s->items, n.id);
        if (i && e->mask & IN_CLOSE_WRITE)
            about_holder(s, i);
        else if (i)
            item_mark(s, i);
    }
}

static void about_folder_in_root(struct snapshot *s, const char *name)
{
    for (int state = QUEUE_WAIT; state <= QUEUE_FAILED; state++) {
        char *path = queue_state_folder(s->queue, (enum queue_state)state);
        if (strcmp(strrchr(path, '/') + 1, name) == 0)
            scan_add(s, &(struct folder){.state = (enum queue_state)state});
        free(path);
    }
}

static void about_folder_in(struct snapshot *s, const struct folder *f,
                            const struct inotify_event *e)
{
    if (!(e->mask & (IN_CREATE | IN_MOVED_TO)))
        return; /* what else there is to say is said of itself */
    if (f->root)
        about_folder_in_root(s, e->name);
    else if (f->state == QUEUE_DONE && !f->day && queue_is_day(e->name))
        scan_add(s, &(struct folder){.state = QUEUE_DONE, .day = texts_keep(&s->texts, e->name)});
}

/* Empty folders of days are removed; anything else that happens to a folder is unusual. */
static void about_itself(struct snapshot *s, const struct folder *f, uint32_t mask)
{
    if (mask & IN_ATTRIB)
        scan_begin(s);
    else if (!(f->day && mask & IN_DELETE_SELF))
        names_deaf(s);
}

static void on_notice(struct snapshot *s, const struct inotify_event *e)
{
    if (e->mask & IN_Q_OVERFLOW) {
        s->sum.overruns++;
        scan_begin(s);
        return;
    }
    struct folder *f = e->wd >= 0 && (size_t)e->wd < s->watched_room ? &s->watched[e->wd] : NULL;
    if (!f || !f->on)
        return;
    if (e->mask & IN_IGNORED)
        f->on = false;
    else if (e->len == 0)
        about_itself(s, f, e->mask);
    else if (e->mask & IN_ISDIR)
        about_folder_in(s, f, e);
    else
        about_file(s, f, e);
}

static void take_notices(struct snapshot *s)
{
    _Alignas(struct inotify_event) char bytes[BUFFER_SIZE];
    for (int reads = 0; reads < READS_MOST; reads++) {
        ssize_t n = read(s->notices, bytes, sizeof bytes);
        if (n <= 0)
            return;
        for (const char *p = bytes; p < bytes + n;) {
            const struct inotify_event *e = (const void *)p;
            on_notice(s, e);
            if (s->notices < 0)
                return;
            p += sizeof *e + e->len;
        }
    }
}

/* --- Listening. */

static bool is_same_place(struct snapshot *s, bool note)
{
    struct stat st;
    if (stat(queue_wait_folder(s->queue), &st) < 0)
        return false;
    if (note) {
        s->wait_device = st.st_dev;
        s->wait_inode = st.st_ino;
    }
    return st.st_dev == s->wait_device && st.st_ino == s->wait_inode;
}

void names_listen(struct snapshot *s)
{
    s->notices = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (s->notices >= 0 && !is_same_place(s, true))
        names_deaf(s);
}

void names_deaf(struct snapshot *s)
{
    if (s->notices >= 0) {
        if (s->loop)
            loop_unwatch(s->loop, &s->wake);
        (void)close(s->notices);
    }
    s->notices = -1;
    s->watched_room = 0;
    free(s->watched);
    s->watched = NULL;
    scan_begin(s);
}

int names_watch(struct snapshot *s, const struct folder *f, const char *path)
{
    int wd = inotify_add_watch(s->notices, path, (f->root ? OF_FOLDERS : OF_FILES) | OF_ITSELF);
    if (wd < 0)
        return errno;
    size_t at = (size_t)wd, room = s->watched_room;
    if (at >= room) {
        s->watched_room = 2 * at + 8;
        s->watched = mem_grow(s->watched, s->watched_room, sizeof *s->watched);
        memset(s->watched + room, 0, (s->watched_room - room) * sizeof *s->watched);
    }
    s->watched[at] = *f;
    s->watched[at].on = true;
    return 0;
}

void names_take(struct snapshot *s)
{
    if (s->notices >= 0 && !is_same_place(s, false))
        names_deaf(s);
    if (s->notices >= 0)
        take_notices(s);
}
