/* The session file: torn tails, the fold over attempts, the claim and the roles. */
#include "base/err.h"
#include "journal/journal_int.h"
#include "test/unit/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/cpm-journal-XXXXXX";
static char path[sizeof folder + 16];

static struct journal *fresh(const char *content)
{
    struct journal *j = NULL;
    bool grew;
    (void)unlink(path);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (write(fd, content, strlen(content)) != (ssize_t)strlen(content))
        tap_ok(false, "the test's own file");
    (void)close(fd);
    tap_is_int(journal_open(&j, path, JOURNAL_WRITE), 0, "opened");
    tap_is_int(journal_read(j, &grew), 0, "read");
    return j;
}

#define T "2026-11-22T10:00:00.123Z "

static void test_fold(void)
{
    struct journal *j = fresh(T "cpm-invite[1] attempt.start sid=a n=1\n" T
                                "cpm-invite[1] entry sid=a to=sip:bob@x\n" T
                                "cpm-msrp-serve[2] msrp.listening sid=a path=old\n" T
                                "cpm-invite[1] dialog.route sid=a n=1 uri=r1\n" T
                                "cpm-invite[1] dialog.route sid=a n=2 uri=r2\n" T
                                "cpm-invite[1] dialog.route sid=a n=1 uri=s1\n");
    tap_is_str(journal_get(j, "msrp.listening.path"), "old", "the last value of a key");
    tap_is_str(journal_get(j, "dialog.route.1.uri"), "s1", "a list has a key for each member");
    tap_ok(!journal_get(j, "dialog.route.2.uri"), "n=1 starts the list anew");
    tap_ok(journal_has_lines_of(j, ROLE_SERVE) && !journal_has_lines_of(j, ROLE_BYE),
           "who spoke in this attempt");
    int fd = open(path, O_WRONLY | O_APPEND);
    static const char more[] = T "cpm-invite[1] attempt.start sid=b n=2\n" T
                                 "cpm-msrp-serve[2] msrp.listening sid=a path=late\nmsrp.listening "
                                 "sid=b path=bare\n";
    bool grew, written = write(fd, more, sizeof more - 1) == (ssize_t)sizeof more - 1;
    (void)close(fd);
    tap_ok(written && journal_read(j, &grew) == 0 && grew, "the file grew");
    tap_is_str(journal_sid(j), "b", "the last attempt");
    tap_ok(!journal_get(j, "msrp.listening.path"),
           "neither an old port, nor a late line of the old attempt, nor a bare line is a fact");
    tap_is_str(journal_get(j, "entry.to"), "sip:bob@x", "entry is folded over the whole file");
    journal_close(j);
}

static void test_torn_tail(void)
{
    struct journal *j = fresh(T "cpm-invite[1] attempt.start sid=a n=1\n" T "cpm-bye[3] outco");
    struct line_out o;
    bool grew;
    line_begin(&o, "bye.request", "a");
    tap_is_int(journal_append(j, &o, true, NULL), 0, "appended behind a torn tail");
    tap_ok(!journal_has(j, "bye.request"), "not a fact yet: a torn line stood before it");
    tap_ok(journal_read(j, &grew) == 0 && journal_has(j, "bye.request") && !journal_has(j, "outco"),
           "the torn line is closed and not read, the new one is");
    tap_is_int(journal_outcome(j, 75, "test", NULL), 0, "an outcome is written");
    tap_ok(journal_has(j, "outcome") && journal_read(j, &grew) == 0 && !grew,
           "who has read all before his line has read it too");
    tap_is_int(journal_outcome(j, 0, "test", NULL), EEXIST, "but once");
    tap_ok(journal_read(j, &grew) == 0 && journal_number(j, "outcome.status", -1) == 75,
           "and the first one stands");
    journal_close(j);
}

static void test_attempts(void)
{
    struct journal *a = fresh("");
    struct journal *b = NULL, *c = NULL;
    bool grew;
    tap_is_int(journal_start(a, ROLE_INVITE, NULL), 0, "an attempt starts");
    tap_is_int(journal_open(&b, path, JOURNAL_WRITE), 0, "a second process");
    tap_is_int(journal_start(b, ROLE_INVITE, NULL), EAGAIN, "cannot start another");
    tap_is_int(journal_join(b, "nonsense", ROLE_SERVE), ENOENT, "nor join one that is not there");
    tap_is_int(journal_join(b, NULL, ROLE_SERVE), 0, "but joins this one");
    tap_is_int(journal_take_role(b, ROLE_INVITE), EBUSY, "whose speaker's byte is taken");
    tap_is_int((int)journal_life(b, ROLE_INVITE), LIFE_ALIVE, "the speaker lives");
    tap_is_int((int)journal_life(b, ROLE_BYE), LIFE_ABSENT, "cpm-bye has not come");
    journal_close(a);
    tap_is_int((int)journal_life(b, ROLE_INVITE), LIFE_GONE, "a dead speaker is noticed");
    tap_is_int(journal_open(&c, path, JOURNAL_WRITE), 0, "a third process");
    tap_is_int(journal_start(c, ROLE_INVITE, NULL), EAGAIN, "the joined one keeps the claim");
    journal_close(b);
    tap_is_int(journal_start(c, ROLE_INVITE, NULL), 0, "until it is gone too");
    tap_is_int((int)journal_number(c, "attempt.start.n", 0), 2, "the next attempt is number 2");
    journal_close(c);
    tap_ok(journal_open(&c, path, JOURNAL_READ) == 0 && journal_read(c, &grew) == 0, "read again");
    tap_ok(!journal_has(c, "outcome"), "the last attempt has no end");
    journal_close(c);
}

/* As the queue does it: claims, looks, begins, and takes the claim back at the end. */
static void test_claim(void)
{
    struct journal *a = fresh(T "cpm-invite[1] attempt.start sid=a n=1\n");
    struct journal *b = NULL;
    bool same = false;
    tap_is_int(journal_claim(a), 0, "claimed");
    tap_is_str(journal_get(a, "outcome.why"), "crashed", "the dead attempt has its end");
    tap_is_int(journal_open(&b, path, JOURNAL_UPDATE), 0, "a second process");
    tap_is_int(journal_claim(b), EAGAIN, "cannot claim it");
    tap_is_int(journal_begin(a, NULL), 0, "an attempt begins");
    tap_is_int(journal_join(b, journal_sid(a), ROLE_BYE), 0, "which the other one joins");
    tap_is_int(journal_claim(a), EAGAIN, "so the claim is not to be had alone");
    journal_close(b);
    tap_is_int(journal_claim(a), 0, "until the other one is gone");
    tap_is_int(journal_freeze(a), 0, "frozen");
    journal_thaw(a);
    tap_ok(journal_same(a, &same) == 0 && same, "the name is this file");
    (void)unlink(path);
    tap_ok(journal_same(a, &same) == 0 && !same, "and then it is not");
    tap_is_int(journal_open(&b, path, JOURNAL_UPDATE), ENOENT, "an update makes no file");
    tap_is_int(journal_claim(a), ESTALE, "who moved away is not claimed");
    journal_close(a);
}

static void test_transferred(void)
{
    struct journal *j = fresh(T "cpm-invite[1] attempt.start sid=a n=1\n" T
                                "cpm-msrp-serve[1] msrp.transferred sid=a octets=1\n");
    bool grew;
    tap_is_int(journal_start(j, ROLE_INVITE, NULL), EEXIST, "after msrp.transferred: refused");
    tap_ok(journal_read(j, &grew) == 0 && journal_number(j, "outcome.status", -1) == 0,
           "and the attempt that crashed after it gets the outcome 0");
    journal_close(j);
}

static void test_safety(void)
{
    struct journal *j;
    (void)unlink(path);
    tap_is_int(journal_open(&j, path, JOURNAL_READ), ENOENT, "a reader makes no file");
    tap_ok(symlink("/dev/null", path) == 0 && journal_open(&j, path, JOURNAL_WRITE) == ELOOP,
           "a link is refused");
    (void)unlink(path);
    tap_ok(mkfifo(path, 0600) == 0 && journal_open(&j, path, JOURNAL_READ) == EINVAL,
           "a FIFO is refused, at once");
    (void)unlink(path);
    tap_is_int(journal_open(&j, path, JOURNAL_WRITE), 0, "made");
    journal_close(j);
    struct stat st;
    tap_ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "with mode 0600");
    tap_ok(chmod(path, 0640) == 0 && journal_open(&j, path, JOURNAL_WRITE) == EACCES,
           "a file that others can read is refused");
}

/* --- Waiting. What inotify tells is there as soon as the line is written. */

static void nothing(void *arg)
{
    (void)arg;
}

static bool woken_by(struct journal *writer, const struct journal *waiting, const char *event)
{
    struct pollfd p = {.fd = waiting->inotify, .events = POLLIN};
    struct line_out o;
    char bytes[4096];
    line_begin(&o, event, "a");
    tap_is_int(journal_append(writer, &o, false, NULL), 0, event);
    bool woken = poll(&p, 1, 0) == 1;
    if (woken && read(p.fd, bytes, sizeof bytes) < 0)
        tap_ok(false, "inotify can be read");
    return woken;
}

static void test_waiting(void)
{
    struct loop *l = loop_new();
    struct journal *j = fresh(T "cpm-invite[1] attempt.start sid=a n=1\n");
    struct journal *calls = NULL, *other = NULL;
    tap_ok(journal_open(&other, path, JOURNAL_UPDATE) == 0 &&
               journal_open(&calls, path, JOURNAL_UPDATE) == 0,
           "opened twice more");
    journal_watch(j, l, JOURNAL_LOCKS, nothing, NULL);
    tap_ok(j->inotify < 0, "for the locks alone no inotify instance is taken");
    journal_watch(j, l, JOURNAL_LINES, nothing, NULL);
    journal_watch(calls, l, JOURNAL_CALLS, nothing, NULL);
    tap_ok(woken_by(other, j, "invite.sent"), "every line wakes who waits for lines");
    tap_ok(!woken_by(other, calls, "invite.sent"), "but not who waits for calls");
    tap_ok(woken_by(other, calls, "msrp.listening"), "a call does");
    journal_close(other);
    journal_close(calls);
    journal_close(j);
    loop_free(l);
}

int main(void)
{
    err_program("cpm-test");
    if (!mkdtemp(folder))
        return 1;
    (void)snprintf(path, sizeof path, "%s/session", folder);
    test_fold();
    test_torn_tail();
    test_waiting();
    test_waiting();
    test_attempts();
    test_claim();
    test_transferred();
    test_safety();
    (void)unlink(path);
    (void)rmdir(folder);
    return tap_done();
}
