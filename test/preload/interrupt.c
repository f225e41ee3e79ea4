/* Loaded into cpm-deliver (LD_PRELOAD): somebody types Ctrl-C on the terminal while the start of
 * the attempt is made durable. INTERRUPT is the descriptor of the keyboard. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int fdatasync(int fd);

int fdatasync(int fd)
{
    const char *keyboard = getenv("INTERRUPT");
    if (keyboard && write(atoi(keyboard), "\003", 1) == 1)
        (void)unsetenv("INTERRUPT");
    return (int)syscall(SYS_fdatasync, fd);
}
