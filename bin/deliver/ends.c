/* The pipes between the stages. */
#include "bin/deliver/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int ends_open(struct ends e[STAGES + 1])
{
    for (int i = 0; i <= STAGES; i++)
        e[i] = (struct ends){-1, -1};
    e[0].read = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (e[0].read < 0)
        return errno;
    for (int i = 1; i < STAGES; i++) {
        int fds[2];
        if (pipe2(fds, O_CLOEXEC) < 0)
            return errno;
        e[i] = (struct ends){fds[0], fds[1]};
    }
    return 0;
}

void ends_close(const struct ends e[STAGES + 1])
{
    for (int i = 0; i < STAGES; i++) {
        if (e[i].read >= 0)
            (void)close(e[i].read);
        if (e[i].write >= 0)
            (void)close(e[i].write);
    }
}
