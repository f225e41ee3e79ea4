/* Loaded into programs (LD_PRELOAD) whose disk is only a model: syncs cost nothing. */
int fsync(int fd);
int fdatasync(int fd);
int syncfs(int fd);

int fsync(int fd)
{
    return (void)fd, 0;
}

int fdatasync(int fd)
{
    return (void)fd, 0;
}

int syncfs(int fd)
{
    return (void)fd, 0;
}
