/* The message file, watched for changes while it is being sent. */
#ifndef MSRP_FILE_H
#define MSRP_FILE_H

#include "msrp/send.h"

#include <sys/stat.h>

struct msrp_file {
    int fd;
    uint64_t size;
    struct timespec changed;
};

/* Opens a regular file. 0, or an errno value (EISDIR, ESPIPE: no regular file). */
int msrp_file_open(struct msrp_file *f, const char *path);
void msrp_file_close(struct msrp_file *f); /* harmless when never opened (fd -1) */

struct msrp_octets msrp_file_octets(struct msrp_file *f);

#endif
