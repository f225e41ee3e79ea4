/* What comes into wait/, as it comes. Ordinary users have 128 inotify instances; without one, the
 * folder is read again every second. */
#include "queue/queue_int.h"

#include "base/clock.h"

#include <sys/inotify.h>
#include <unistd.h>

static void on_event(struct queue *q, const struct inotify_event *e)
{
    struct queue_name n;
    if (e->mask & IN_Q_OVERFLOW)
        q->arrival(q->arrival_arg, NULL);
    else if (e->len > 0 && queue_parse_waiting(e->name, &n))
        q->arrival(q->arrival_arg, &n);
}

static void on_wake(void *arg, uint32_t events)
{
    struct queue *q = arg;
    _Alignas(struct inotify_event) char bytes[8192];
    (void)events;
    for (;;) {
        ssize_t n = read(q->inotify, bytes, sizeof bytes);
        if (n <= 0)
            return;
        for (const char *p = bytes; p < bytes + n;) {
            const struct inotify_event *e = (const void *)p;
            on_event(q, e);
            p += sizeof *e + e->len;
        }
    }
}

#define LOOK_WITHOUT_INOTIFY_MS 1000

static void look(void *arg)
{
    struct queue *q = arg;
    loop_at(q->loop, &q->look, clock_ms() + LOOK_WITHOUT_INOTIFY_MS, look, q);
    q->arrival(q->arrival_arg, NULL);
}

void queue_watch(struct queue *q, struct loop *l, queue_arrival_h *handler, void *arg)
{
    q->loop = l;
    q->arrival = handler;
    q->arrival_arg = arg;
    q->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (q->inotify >= 0 && inotify_add_watch(q->inotify, q->wait, IN_MOVED_TO | IN_CREATE) >= 0 &&
        loop_watch(l, &q->wake, q->inotify, EPOLLIN, on_wake, q) == 0)
        return;
    look(q);
}
