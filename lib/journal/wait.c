/* Waiting for the file to grow and for locks to be freed, without a busy loop.
 *
 * A line that is written wakes inotify. So does the death of a process that had the file open for
 * writing (IN_CLOSE_WRITE), but a moment before the kernel frees its locks: hence one more look
 * shortly after. Most lines are nothing to cpm-invite, and each wake costs as much as the line: so
 * the lines that are get a touch too, which inotify tells from the rest. Ordinary users have 128
 * inotify instances; without one, a look every 250 ms. */
#include "journal/journal_int.h"

#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <sys/inotify.h>
#include <unistd.h>

#define LOOK_WITHOUT_INOTIFY_MS 250
#define LOOK_WITH_INOTIFY_MS    1000
#define LOCKS_FREED_AFTER_MS    20

static void look(void *arg);

static void look_in(struct journal *j, int64_t ms)
{
    loop_at(j->loop, &j->look, clock_ms() + ms, look, j);
}

static void look(void *arg)
{
    struct journal *j = arg;
    look_in(j, j->inotify < 0 ? LOOK_WITHOUT_INOTIFY_MS : LOOK_WITH_INOTIFY_MS);
    j->changed(j->changed_arg);
}

static void on_wake(void *arg, uint32_t events)
{
    struct journal *j = arg;
    _Alignas(struct inotify_event) char bytes[4096];
    bool closed = false;
    (void)events;
    for (bool full = true; full;) {
        ssize_t n = read(j->inotify, bytes, sizeof bytes);
        if (n <= 0)
            break;
        full = (size_t)n + sizeof(struct inotify_event) + NAME_MAX + 1 > sizeof bytes;
        for (char *p = bytes; p < bytes + n;) {
            const struct inotify_event *e = (const void *)p;
            closed = closed || (e->mask & (IN_CLOSE_WRITE | IN_Q_OVERFLOW));
            p += sizeof *e + e->len;
        }
    }
    if (closed)
        journal_look_soon(j);
    j->changed(j->changed_arg);
}

static void watch(struct journal *j, uint32_t what)
{
    j->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (j->inotify >= 0 && (inotify_add_watch(j->inotify, j->path, what | IN_CLOSE_WRITE) < 0 ||
                            loop_watch(j->loop, &j->wake, j->inotify, EPOLLIN, on_wake, j) != 0)) {
        (void)close(j->inotify);
        j->inotify = -1;
    }
}

void journal_watch(struct journal *j, struct loop *l, enum journal_wait what,
                   void (*handler)(void *arg), void *arg)
{
    j->loop = l;
    j->changed = handler;
    j->changed_arg = arg;
    if (what != JOURNAL_LOCKS && j->inotify < 0)
        watch(j, what == JOURNAL_LINES ? IN_MODIFY : IN_ATTRIB);
    look_in(j, 0); /* what happened before the watch was there */
}

void journal_look_soon(struct journal *j)
{
    look_in(j, LOCKS_FREED_AFTER_MS);
}
