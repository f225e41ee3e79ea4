/* A queue to which anything may happen, in the current folder, for the tests of the snapshot. */
#ifndef TEST_UNIT_STATUS_QUEUE_H
#define TEST_UNIT_STATUS_QUEUE_H

#include "base/clock.h"
#include "base/lock.h"
#include "journal/journal_int.h"
#include "status/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES 60
#define DAYS    4

static struct entry {
    char path[96]; /* "": not there */
    int claim;     /* -1: nobody holds it */
} entries[ENTRIES];

static bool losing; /* notices */
static uint32_t dice;
static int64_t line_ms; /* each line has a time of its own */

static uint32_t roll(uint32_t below)
{
    dice ^= dice << 13;
    dice ^= dice >> 17;
    dice ^= dice << 5;
    return dice % below;
}

static void must(bool good, const char *what)
{
    if (good)
        return;
    printf("Bail out! %s: %s\n", what, strerror(errno));
    exit(1);
}

static void make(const char *folder)
{
    must(mkdir(folder, 0700) == 0 || errno == EEXIST, folder);
}

/* --- What may happen to an entry. */

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ssize_t n = (ssize_t)strlen(text);
    must(fd >= 0 && write(fd, text, (size_t)n) == n && close(fd) == 0, path);
}

static void say(const char *path, const char *words)
{
    char when[CLOCK_TEXT_SIZE], line[512];
    clock_text(when, ++line_ms);
    (void)snprintf(line, sizeof line, "%s cpm-test[1] %s\n", when, words);
    put(path, line);
}

static void some_place(size_t k, char path[96])
{
    static const char *const folders[] = {"held", "failed"};
    char id[QUEUE_ID_SIZE], day[32];
    uint32_t where = roll(6);
    (void)snprintf(id, sizeof id, "%08zx-%016zx", k % 17, k);
    (void)snprintf(day, sizeof day, "done/2026-11-%02u", 20 + roll(DAYS));
    if (where < 3) {
        (void)snprintf(path, 96, "wait/%010u-%s", 1700000000 + roll(1000), id);
    } else if (where < 5) {
        (void)snprintf(path, 96, "%s/%s", folders[where - 3], id);
    } else {
        make(day);
        (void)snprintf(path, 96, "%s/%s", day, id);
    }
}

static void arrive(struct entry *e)
{
    char words[200], birth[CLOCK_TEXT_SIZE];
    some_place((size_t)(e - entries), e->path);
    clock_text(birth, line_ms - roll(100000));
    (void)snprintf(words, sizeof words, "entry to=sip:r%u@example.com birth=%s", roll(9), birth);
    say("tmp/new", words);
    must(rename("tmp/new", e->path) == 0, "rename");
}

static void move(struct entry *e)
{
    char path[96];
    some_place((size_t)(e - entries), path);
    must(strcmp(path, e->path) == 0 || rename(e->path, path) == 0, "rename");
    memcpy(e->path, path, sizeof path);
}

static void grow(struct entry *e)
{
    static const char *const words[] = {
        "attempt.start sid=a n=1",
        "attempt.start sid=b n=2",
        "msrp.listening sid=a path=msrp://h:1/x;tcp octets=100",
        "msrp.connected sid=b",
        "msrp.progress sid=a octets=10 total=100 rate=7",
        "msrp.progress sid=b octets=20 total=100 rate=9",
        "invite.failed sid=a status=75 code=480 reason=\"not now\"",
        "invite.failed sid=b status=69 code=404 reason=gone",
        "msrp.transferred sid=a octets=100",
        "outcome sid=a status=0",
        "outcome sid=a status=75 why=later",
        "outcome sid=b status=69",
        "queue.wish do=hold",
        "queue.failed why=expired",
        "learnt x=y",
        "entry to=sip:other@example.com",
    };
    if (roll(12) == 0)
        put(e->path, "2026-11-22T10:00:00.000Z cpm-te");
    else
        say(e->path, words[roll(sizeof words / sizeof *words)]);
}

static void claim(struct entry *e)
{
    if (e->claim >= 0) {
        must(close(e->claim) == 0, "close");
        e->claim = -1;
        return;
    }
    e->claim = open(e->path, O_RDWR | O_CLOEXEC);
    if (e->claim >= 0)
        must(lock_try(e->claim, BYTE_CLAIM, LOCK_EXCLUSIVE) == 0, "lock");
}

static void go(struct entry *e)
{
    must(unlink(e->path) == 0, "unlink");
    e->path[0] = '\0';
    if (e->claim >= 0)
        claim(e);
}

/* Two names for a while, as a file system may leave them. Of who has it open by the name that goes,
 * nothing is told any more: so nobody may. */
static void double_up(struct entry *e, struct snapshot *s)
{
    char other[96];
    some_place((size_t)(e - entries), other);
    if (e->claim >= 0 || link(e->path, other) != 0)
        return;
    if (roll(2))
        snapshot_update(s);
    if (roll(2)) {
        must(unlink(other) == 0, "unlink");
        return;
    }
    must(unlink(e->path) == 0, "unlink");
    memcpy(e->path, other, sizeof other);
}

static void disturb(void)
{
    char day[32];
    (void)snprintf(day, sizeof day, "done/2026-11-%02u", 20 + roll(DAYS));
    must(rmdir(day) == 0 || errno == ENOTEMPTY || errno == ENOENT, day);
    put("wait/stray", "x");
    make("done/lost+found");
    make("held/0123abcd-0123456789abcdef.d");
}

/* Without those that make history differ. */
static void step_forward(struct entry *e)
{
    uint32_t what = roll(10);
    if (!e->path[0])
        arrive(e);
    else if (what < 3)
        move(e);
    else if (what < 8)
        grow(e);
    else
        claim(e);
}

/* Without notices a new file is told from the old one by its birth, if that was not just now. */
static void step(struct entry *e, struct snapshot *s)
{
    uint32_t what = roll(24);
    if (losing && (!e->path[0] || what == 2))
        return;
    if (!e->path[0] || what >= 7)
        step_forward(e);
    else if (what == 0)
        go(e);
    else if (what == 1) {
        go(e);
        if (!losing)
            arrive(e);
    } else if (what == 2) {
        must(truncate(e->path, 100) == 0, "truncate");
        snapshot_update(s); /* once it is longer again, nobody can tell */
    } else if (what == 3)
        must(chmod(e->path, roll(2) ? 0644 : 0600) == 0, "chmod");
    else if (what == 4)
        double_up(e, s);
    else if (what == 5)
        disturb();
    else
        must(chmod("held", roll(2) ? 0700 : 0750) == 0, "chmod");
}

#endif
