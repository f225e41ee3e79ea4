/* However a queue changes, the snapshot that is kept up to date says what a new one says.
 * usage: status_follow [SEED], to let other things happen */
#include "base/num.h"
#include "test/unit/status_queue.h"
#include "test/unit/tap.h"

#include <ftw.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define MANY 5000 /* more than are read at once */

/* --- Comparing. */

struct pages {
    char *text;
    size_t n;
    FILE *f;
};

static void on_entry(void *arg, const struct status_entry *e)
{
    (void)fprintf(
        arg,
        "%s %d %s %s due=%jd birth=%jd expires=%jd attempts=%jd started=%jd ended=%jd "
        "status=%d code=%d %s fate=%d wish=%d abandoned=%d error=%d sid=%s phase=%d at=%jd "
        "octets=%ju of %ju rate=%ju\n",
        e->id, (int)e->state, e->recipient, e->to, (intmax_t)e->due_ms, (intmax_t)e->birth_ms,
        (intmax_t)e->expires_ms, (intmax_t)e->attempts, (intmax_t)e->started_ms,
        (intmax_t)e->ended_ms, e->status, e->code, e->why, (int)e->fate, (int)e->wish, e->abandoned,
        e->error, e->sid, (int)e->phase, (intmax_t)e->progress_ms, (uintmax_t)e->octets,
        (uintmax_t)e->total, (uintmax_t)e->rate);
}

static void on_group(void *arg, const struct status_group *g)
{
    (void)fprintf(arg, "group %s %d %d", g->recipient, g->status, g->code);
    for (int i = 0; i < STATUS_STATES; i++)
        (void)fprintf(arg, " %ju", (uintmax_t)g->entries[i]);
    (void)fputc('\n', arg);
}

static void write_history(FILE *f, const struct snapshot *s)
{
    const struct status_counters *c = &snapshot_summary(s)->counters;
    const struct status_attempt *a;
    size_t n = snapshot_attempts(s, &a);
    (void)fprintf(f, "accepted=%ju started=%ju delivered=%ju %ju confirmed=%ju hour=%ju %ju",
                  (uintmax_t)c->accepted, (uintmax_t)c->started, (uintmax_t)c->delivered,
                  (uintmax_t)c->delivered_octets, (uintmax_t)c->confirmed_octets,
                  (uintmax_t)snapshot_summary(s)->failures_hour,
                  (uintmax_t)snapshot_summary(s)->deliveries_hour);
    for (int i = 0; i < 256; i++)
        (void)fprintf(f, " %ju", (uintmax_t)c->ended[i]);
    for (size_t i = 0; i < n; i++)
        (void)fprintf(f, "\n%jd %s %d %d", (intmax_t)a[i].ended_ms, a[i].id, a[i].status,
                      a[i].code);
}

/* The last entry's reason and recipient's name stand for those of a group: the order in which they
 * came is not told by what is there. */
static void write_all(struct pages *p, const struct snapshot *s, bool history)
{
    const struct status_summary *sum = snapshot_summary(s);
    struct status_filter all = {.limit = SIZE_MAX}, some = {1U << STATUS_DELIVERING, .limit = 7};
    bool more;
    p->f = open_memstream(&p->text, &p->n);
    must(p->f != NULL, "memory");
    snapshot_entries(s, &all, on_entry, p->f, &more);
    snapshot_entries(s, &some, on_entry, p->f, &more);
    (void)fprintf(p->f, "more=%d error=%d unreadable=%ju abandoned=%ju recipients=%ju\n", more,
                  sum->error, (uintmax_t)sum->unreadable, (uintmax_t)sum->abandoned,
                  (uintmax_t)sum->recipients);
    for (int i = 0; i < STATUS_STATES; i++)
        (void)fprintf(p->f, "%ju ", (uintmax_t)sum->entries[i]);
    for (int i = 0; i < 3; i++)
        (void)fprintf(p->f, "%ju ", (uintmax_t)sum->sessions[i]);
    (void)fprintf(p->f, "birth=%jd due=%jd rate=%ju\n", (intmax_t)sum->oldest_birth_ms,
                  (intmax_t)sum->oldest_due_ms, (uintmax_t)sum->rate);
    (void)snapshot_reasons(s, 1000, on_group, p->f);
    if (history)
        write_history(p->f, s);
    must(fclose(p->f) == 0, "memory");
}

static void show_difference(const char *kept, const char *fresh)
{
    size_t line = 0, i = 0;
    for (; kept[i] && kept[i] == fresh[i]; i++) {
        if (kept[i] == '\n')
            line = i + 1;
    }
    printf("#  kept: %.*s\n# fresh: %.*s\n", (int)strcspn(kept + line, "\n"), kept + line,
           (int)strcspn(fresh + line, "\n"), fresh + line);
}

struct order {
    int64_t last_ms;
    uint64_t n;
    bool good, by_age;
};

static bool on_first(void *arg, const struct status_entry *e)
{
    struct order *o = arg;
    int64_t ms = o->by_age ? e->birth_ms : e->due_ms;
    o->good = o->good && e->state == STATUS_WAITING && ms >= o->last_ms;
    o->last_ms = ms;
    return ++o->n < 200;
}

static bool is_in_order(const struct snapshot *s)
{
    uint64_t waiting = snapshot_summary(s)->entries[STATUS_WAITING];
    struct order due = {.good = true}, age = {.good = true, .by_age = true};
    snapshot_first(s, STATUS_BY_DUE, on_first, &due);
    snapshot_first(s, STATUS_BY_AGE, on_first, &age);
    return due.good && age.good && due.n == (waiting < 200 ? waiting : 200) && age.n <= due.n;
}

static const struct snapshot_options options = {.since_ms = 1};

static bool is_the_same(struct snapshot *s, bool history)
{
    struct snapshot *fresh;
    struct pages a, b;
    must(snapshot_open(&fresh, ".", &options) == 0, "open");
    snapshot_update(fresh);
    write_all(&a, s, history);
    write_all(&b, fresh, history);
    bool good = strcmp(a.text, b.text) == 0 && is_in_order(s);
    if (!good)
        show_difference(a.text, b.text);
    free(a.text);
    free(b.text);
    snapshot_close(fresh);
    return good;
}

/* --- The tests. */

static int64_t seed; /* of the command line */

static void begin(uint32_t number)
{
    static const char *const folders[] = {"tmp", "msg", "wait", "held", "done", "failed"};
    static int run;
    char folder[32];
    (void)snprintf(folder, sizeof folder, "queue%d", run++);
    make(folder);
    must(chdir(folder) == 0, folder);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        make(folders[i]);
    for (size_t i = 0; i < ENTRIES; i++)
        entries[i] = (struct entry){.claim = -1};
    dice = number + (uint32_t)seed * 97;
    line_ms = clock_wall_ms() - 30 * 60000;
}

static void end(struct snapshot *s)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        if (entries[i].claim >= 0)
            claim(&entries[i]);
    }
    snapshot_close(s);
    must(chdir("..") == 0, "..");
}

/* A user has 128 instances of inotify, and other programs take some for a moment. */
static void await_notices(struct snapshot *s)
{
    for (int i = 0; i < 600 && !snapshot_summary(s)->told; i++) {
        must(poll(NULL, 0, i ? 50 : 0) == 0, "poll");
        snapshot_update(s);
    }
}

static struct snapshot *opened(bool told)
{
    struct snapshot *s;
    must(snapshot_open(&s, ".", &options) == 0, "open");
    snapshot_update(s);
    if (told)
        await_notices(s);
    return s;
}

static void test_steps(const char *what, int steps, bool history, bool told)
{
    bool good = true;
    begin(7);
    struct snapshot *s = opened(told);
    for (int i = 0; i < steps && good; i++) {
        for (uint32_t k = roll(5); k-- > 0;) {
            if (history)
                step_forward(&entries[roll(ENTRIES)]);
            else
                step(&entries[roll(ENTRIES)], s);
        }
        snapshot_update(s);
        good = is_the_same(s, history);
        if (!good)
            printf("# in step %d\n", i);
    }
    tap_ok(good, "%s", what);
    tap_ok(snapshot_summary(s)->told == told && snapshot_summary(s)->complete, "... %s notices",
           told ? "by" : "without");
    end(s);
}

static void fill(unsigned count)
{
    char path[96];
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(path, sizeof path, "wait/1700000000-%08x-%016x", i + ENTRIES, i);
        say(path, "entry to=sip:bob@example.com birth=2026-11-22T10:00:00.000Z");
    }
}

static void test_cost(void)
{
    begin(9);
    fill(2000);
    struct snapshot *s = opened(true);
    uint64_t first = snapshot_summary(s)->glances;
    for (unsigned i = 0; i < 20; i++)
        arrive(&entries[i]);
    for (unsigned i = 0; i < 10; i++)
        move(&entries[i]);
    snapshot_update(s);
    uint64_t second = snapshot_summary(s)->glances;
    snapshot_update(s);
    tap_is_int((int64_t)first, 2000, "the first time each journal is opened");
    tap_is_int((int64_t)(second - first), 20, "then those that changed");
    tap_is_int((int64_t)(snapshot_summary(s)->glances - second), 0, "else none");
    end(s);
}

/* More notices than the kernel keeps. */
static void flood(void)
{
    int64_t most = 0;
    char text[32] = "";
    int fd = open("/proc/sys/fs/inotify/max_queued_events", O_RDONLY | O_CLOEXEC);
    must(fd >= 0 && read(fd, text, sizeof text - 1) > 0 && close(fd) == 0, "limit");
    for (const char *p = text; *p >= '0' && *p <= '9'; p++)
        most = most * 10 + *p - '0';
    put("wait/stray", "x");
    put("held/stray", "x");
    for (int64_t i = 0; i <= most; i++)
        must(chmod(i % 2 ? "wait/stray" : "held/stray", 0600) == 0, "chmod");
}

static void change(struct snapshot *s, int times)
{
    while (times-- > 0)
        step(&entries[roll(ENTRIES)], s);
}

static void test_overflow(void)
{
    bool good = true;
    int most = 0;
    begin(11);
    fill(MANY);
    struct snapshot *s = opened(true);
    for (int round = 0; round < 4 && good; round++) {
        int updates = 0;
        change(s, 100);
        losing = true;
        flood();
        change(s, 100);
        do {
            change(s, 3);
            snapshot_update(s);
            updates++;
        } while (!snapshot_summary(s)->complete && updates < 50);
        losing = false;
        good = is_the_same(s, false);
        most = updates > most ? updates : most;
    }
    tap_ok(good, "after lost notices, and changes while all is read again");
    tap_ok(snapshot_summary(s)->overruns >= 4 && most > 1 && most < 50, "... in %d pieces", most);
    end(s);
}

/* Entries that somebody moves as fast as he can are there once each, at any moment. */
static _Noreturn void move_for_ever(void)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
        move(&entries[roll(ENTRIES)]);
}

static bool all_are_there(const struct snapshot *s)
{
    uint64_t n = 0;
    for (int i = 0; i < STATUS_STATES; i++)
        n += snapshot_summary(s)->entries[i];
    return n == ENTRIES && snapshot_summary(s)->unreadable == 0;
}

static void test_race(void)
{
    int i = 0, status;
    begin(13);
    for (size_t k = 0; k < ENTRIES; k++)
        arrive(&entries[k]);
    for (unsigned day = 0; day < DAYS; day++) {
        char path[32];
        (void)snprintf(path, sizeof path, "done/2026-11-%02u", 20 + day);
        make(path);
    }
    (void)fflush(stdout);
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0)
        move_for_ever();
    struct snapshot *s = opened(true);
    for (; i < 500 && all_are_there(s); i++)
        snapshot_update(s);
    tap_ok(all_are_there(s), "while they move, each is there once, %d times", i);
    must(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid, "kill");
    do
        snapshot_update(s);
    while (!snapshot_summary(s)->complete && ++i < 1000);
    tap_ok(is_the_same(s, false), "... and where they came to rest");
    end(s);
}

/* --- In a loop, which takes notices in by itself. */

struct followed {
    struct snapshot *s;
    struct loop *loop;
    struct loop_timer next;
    int steps, compared;
    bool good;
};

static void on_step(void *arg)
{
    struct followed *f = arg;
    change(f->s, 5);
    if (f->steps % 3 == 0) {
        snapshot_update(f->s);
        f->compared += snapshot_summary(f->s)->complete;
        f->good = !snapshot_summary(f->s)->complete || is_the_same(f->s, false);
    }
    if (--f->steps > 0 && f->good)
        loop_at(f->loop, &f->next, clock_ms() + 13 * (f->steps % 5), on_step, f);
    else
        loop_stop(f->loop);
}

static void test_loop(void)
{
    struct followed f = {.loop = loop_new(), .steps = 90, .good = true};
    begin(19);
    fill(MANY);
    must(snapshot_open(&f.s, ".", &options) == 0, "open");
    snapshot_follow(f.s, f.loop);
    loop_at(f.loop, &f.next, clock_ms() + 20, on_step, &f);
    loop_run(f.loop);
    tap_ok(f.good && f.compared > 0, "while a loop takes in what is told, %d times", f.compared);
    end(f.s);
    loop_free(f.loop);
}

/* A delivery that is killed says nothing more. */
static void test_kill(void)
{
    int ready[2], status;
    char byte = 0;
    begin(23);
    arrive(&entries[0]);
    while (strncmp(entries[0].path, "wait/", 5) != 0)
        move(&entries[0]);
    say(entries[0].path, "attempt.start sid=a n=1");
    must(pipe2(ready, O_CLOEXEC) == 0, "pipe");
    (void)fflush(stdout);
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        claim(&entries[0]);
        must(write(ready[1], &byte, 1) == 1, "write");
        (void)pause();
        _exit(1);
    }
    must(read(ready[0], &byte, 1) == 1 && close(ready[0]) == 0 && close(ready[1]) == 0, "read");
    struct snapshot *s = opened(true);
    snapshot_update(s);
    tap_ok(snapshot_summary(s)->entries[STATUS_DELIVERING] == 1, "a delivery is under way");
    must(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid, "kill");
    snapshot_update(s);
    tap_ok(snapshot_summary(s)->abandoned == 1, "... and dead once it was killed");
    end(s);
}

static void test_replaced_queue(void)
{
    begin(17);
    arrive(&entries[0]);
    struct snapshot *s = opened(true);
    must(rename("wait", "elsewhere") == 0, "rename");
    snapshot_update(s);
    tap_is_int(snapshot_summary(s)->error, ENOENT, "wait/ is gone");
    must(rename("elsewhere", "wait") == 0, "rename");
    snapshot_update(s);
    await_notices(s);
    tap_ok(is_the_same(s, false) && snapshot_summary(s)->told, "... and there again");
    end(s);
}

static void no_notices(void)
{
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_inotify_init1, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EMFILE),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof f / sizeof *f, f};
    must(prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0 &&
             prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0,
         "seccomp");
}

static int on_path(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/status-XXXXXX";
    must(argc < 2 || num_int(argv[1], 0, 1000000, &seed) == 0, "SEED");
    must(mkdtemp(folder) && chdir(folder) == 0, "mkdtemp");
    test_steps("whatever happens", 600, false, true);
    test_steps("counters, the last hour and attempts", 600, true, true);
    test_cost();
    test_overflow();
    test_race();
    test_loop();
    test_kill();
    test_replaced_queue();
    no_notices();
    test_steps("whatever happens", 200, false, false);
    must(chdir("/") == 0 && nftw(folder, on_path, 8, FTW_DEPTH | FTW_PHYS) == 0, folder);
    return tap_done();
}
