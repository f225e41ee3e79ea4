/* The room on the file system that the queue lies on. */
#include "status/snapshot_int.h"

#include <sys/statvfs.h>

void status_disk(struct snapshot *s)
{
    struct statvfs v;
    s->sum.disk_size = s->sum.disk_free = 0;
    s->sum.disk_files = s->sum.disk_files_free = 0;
    if (!s->queue || statvfs(s->path, &v) < 0)
        return;
    s->sum.disk_size = (uint64_t)v.f_blocks * v.f_frsize;
    s->sum.disk_free = (uint64_t)v.f_bavail * v.f_frsize;
    s->sum.disk_files = v.f_files;
    s->sum.disk_files_free = v.f_favail;
}
