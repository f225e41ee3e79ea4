/* Taking in what the kernel tells while nobody asks, so that its queue does not overflow and an
 * answer has little left to read. Notices are gathered, and nothing wakes while nothing happens. */
#include "status/snapshot_int.h"

#include "base/clock.h"

#define GATHER_MS 100
#define PAUSE_MS  10 /* between two pieces of work: deliveries come first */

static void work(void *arg);

static void work_in(struct snapshot *s, int64_t ms)
{
    loop_unwatch(s->loop, &s->wake);
    loop_at(s->loop, &s->next, clock_ms() + ms, work, s);
}

static void on_notice(void *arg, uint32_t events)
{
    (void)events;
    work_in(arg, GATHER_MS);
}

static void wait_for_notices(struct snapshot *s)
{
    loop_cancel(s->loop, &s->next);
    if (loop_watch(s->loop, &s->wake, s->notices, EPOLLIN, on_notice, s) != 0)
        names_deaf(s);
}

static void work(void *arg)
{
    struct snapshot *s = arg;
    s->sum.now_ms = clock_wall_ms();
    if (s->sum.updates == 0 && s->notices < 0) {
        names_listen(s);
        scan_begin(s);
    }
    names_take(s);
    if (s->notices < 0)
        return; /* the next update reads it all */
    if (scan_some(s, STATUS_SLICE) != 0) {
        names_deaf(s);
        return;
    }
    if (status_settle(s, STATUS_SLICE / STATUS_GLANCE_COST) || scan_goes_on(s))
        work_in(s, PAUSE_MS);
    else
        wait_for_notices(s);
}

void status_pursue(struct snapshot *s)
{
    if (!s->loop || s->notices < 0)
        return;
    if (scan_goes_on(s))
        work_in(s, PAUSE_MS);
    else
        wait_for_notices(s);
}

void snapshot_follow(struct snapshot *s, struct loop *l)
{
    s->loop = l;
    if (s->queue)
        work_in(s, 0);
}
