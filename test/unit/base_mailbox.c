/* Mailboxes: notes and descriptors between processes, and what becomes of them at each end. */
#include "base/mailbox.h"
#include "test/unit/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char base[] = "/tmp/base_mailbox.XXXXXX";
static int folder, sender;
static char note[MAILBOX_NOTE_MAX + 1];
static int passed;

static void test_folder(void)
{
    char path[100];
    int other = -1;
    (void)snprintf(path, sizeof(path), "%s/box", base);
    tap_is_int(mailbox_folder(path, &folder), 0, "a folder is made");
    tap_is_int(mailbox_folder(path, &other), 0, "and taken when it is there");
    (void)close(other);
    (void)snprintf(path, sizeof(path), "%s/open", base);
    tap_ok(mkdir(path, 0755) == 0 && mailbox_folder(path, &other) == EPERM,
           "one that others may enter is refused");
    char link[100];
    (void)snprintf(link, sizeof(link), "%s/link", base);
    tap_ok(symlink(path, link) == 0 && mailbox_folder(link, &other) != 0, "a link too");
}

static void test_names(void)
{
    int fd;
    static const char long_one[] =
        "0123456789012345678901234567890123456789012345678901234567890123x";
    static const char *const bad[] = {"", ".x", "a/b", "../x", long_one};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        tap_ok(mailbox_open(folder, bad[i], &fd) == EINVAL, "no name: '%s'", bad[i]);
    tap_is_int(mailbox_send(sender, folder, "../x", "hello", -1), EINVAL, "nor to send to");
}

static void test_notes(void)
{
    int fd;
    int again;
    int pipes[2];
    char c = 0;
    tap_is_int(mailbox_open(folder, "bob", &fd), 0, "a mailbox");
    tap_is_int(mailbox_open(folder, "bob", &again), EEXIST, "has its name alone");
    tap_is_int(mailbox_read(fd, note, &passed), EAGAIN, "it is empty");
    tap_is_int(mailbox_send(sender, folder, "bob", "hello", -1), 0, "a note");
    tap_ok(mailbox_read(fd, note, &passed) == 0 && passed == -1 && strcmp(note, "hello") == 0,
           "comes as it was");
    if (pipe(pipes) != 0)
        exit(2);
    tap_is_int(mailbox_send(sender, folder, "bob", "pipe", pipes[1]), 0, "one with a descriptor");
    (void)close(pipes[1]);
    tap_ok(mailbox_read(fd, note, &passed) == 0 && passed >= 0, "comes with one");
    tap_ok(write(passed, "x", 1) == 1 && read(pipes[0], &c, 1) == 1 && c == 'x',
           "which is the same, though the sender closed his");
    tap_ok(fcntl(passed, F_GETFD) & FD_CLOEXEC, "and is not inherited");
    (void)close(passed);
    int err = 0;
    for (int i = 0; i < 10000 && !err; i++)
        err = mailbox_send(sender, folder, "bob", "more", -1);
    tap_is_int(err, EAGAIN, "a full mailbox");
    mailbox_shut(folder, "bob", fd);
    tap_is_int(mailbox_send(sender, folder, "bob", "late", -1), ENOENT, "is not there when shut");
    tap_ok(mailbox_read(fd, note, &passed) == 0 && strcmp(note, "more") == 0,
           "but what is in it can be read");
    while (mailbox_read(fd, note, &passed) == 0) {
    }
    (void)close(fd);
    (void)close(pipes[0]);
}

static void test_death(void)
{
    pid_t pid = fork();
    int fd;
    if (pid == 0)
        _exit(mailbox_open(folder, "dead", &fd));
    int status;
    tap_ok(waitpid(pid, &status, 0) == pid && status == 0, "a process with a mailbox dies");
    tap_is_int(faccessat(folder, "dead", F_OK, 0), 0, "the name stays");
    tap_is_int(mailbox_send(sender, folder, "dead", "hello", -1), ENOENT, "nobody is there");
    tap_ok(faccessat(folder, "dead", F_OK, 0) != 0, "and the name goes");
    tap_is_int(mailbox_send(sender, folder, "dead", "hello", -1), ENOENT, "nor later");
}

int main(void)
{
    char command[200];
    if (!mkdtemp(base) || mailbox_sender(&sender) != 0)
        return 2;
    test_folder();
    test_names();
    test_notes();
    test_death();
    static const char *const names[] = {"link", "open", "box", ""};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(command, sizeof(command), "%s/%s", base, names[i]);
        if (remove(command) != 0)
            tap_ok(false, "%s is left", command);
    }
    return tap_done();
}
