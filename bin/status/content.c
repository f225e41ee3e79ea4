/* What is shown: lib/status knows, here it meets HTTP. */
#include "bin/status/status.h"

#include "base/clock.h"
#include "base/mem.h"
#include "status/answer.h"

#include <stdlib.h>

struct content {
    struct snapshot *snapshot;
};

int content_open(struct content **out, struct loop *l, const struct status_config *c)
{
    struct content *s = mem_new(sizeof *s);
    struct snapshot_options o = {c->mask, clock_wall_ms(), c->stuck_after_ms};
    int err = 0;
    if (c->session)
        snapshot_open_session(&s->snapshot, c->session, &o);
    else
        err = snapshot_open(&s->snapshot, c->folder, &o);
    if (err) {
        free(s);
        return err;
    }
    snapshot_follow(s->snapshot, l);
    *out = s;
    return err;
}

void content_close(struct content *s)
{
    if (s)
        snapshot_close(s->snapshot);
    free(s);
}

void content_answer(void *arg, const char *path, const char *query, struct http_answer *out)
{
    struct content *s = arg;
    struct status_answer a;
    status_answer(s->snapshot, path, query, &a);
    *out = (struct http_answer){a.status, a.type, a.body};
}
