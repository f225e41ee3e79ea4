/* check */
#include "base/err.h"
#include "queue.h"

#include <stdio.h>
#include <string.h>

#define FOUND 1

struct findings {
    unsigned long found, mended;
};

static void on_finding(void *arg, const char *path, const char *what, bool mended)
{
    struct findings *f = arg;
    f->found++;
    f->mended += mended;
    printf("%s: %s%s\n", path, what, mended ? " (mended)" : "");
}

int check(const struct config *c, char **operands, int count)
{
    struct queue *q;
    struct findings f = {0};
    (void)operands;
    if (count > 0)
        err_die(EX_USAGE, "check", "takes no operand", "see cpm-queue --help");
    int status = open_queue(c, false, &q);
    if (status)
        return status;
    int err = queue_check(q, c->repair, on_finding, &f);
    if (err)
        err_line(queue_folder(q), strerror(err), NULL);
    queue_close(q);
    status = err_output();
    if (err)
        return status_of_error(err);
    return status ? status : f.found > f.mended ? FOUND : EX_OK;
}
