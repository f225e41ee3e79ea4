/* Options: what counts where, and how a wrong use ends. Each case runs opt_parse in a child, as it
 * may end the process. */
#include "base/mem.h"
#include "base/opt.h"
#include "bin/options.h"
#include "test/unit/tap.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct values {
    const char *text;
    const char *way;
    bool flag;
    struct opt_list list;
    int64_t count, time, ms, size;
    const char *session;
};

static char folder[] = "/tmp/base_opt.XXXXXX";

static void show(const struct values *v, const struct opt_result *r)
{
    printf("text=%s way=%s flag=%d list=", v->text ? v->text : "-", v->way, v->flag);
    for (size_t i = 0; i < v->list.n; i++)
        printf("%s%s", i ? "|" : "", v->list.v[i]);
    printf(" count=%" PRId64 " time=%" PRId64 " ms=%" PRId64 " size=%" PRId64, v->count, v->time,
           v->ms, v->size);
    for (int i = 0; i < r->count; i++)
        printf(" [%s]", r->operands[i]);
    struct opt_list given;
    if (opt_given("list", &given))
        printf(" given=%zu", given.n);
    printf("\n");
}

static _Noreturn void child(char **argv, bool argv_only)
{
    struct values v = {.way = "udp", .count = 7, .time = 30000, .ms = 500, .size = 65536};
    static const char *const known[] = {"of-another-program", NULL};
    const struct opt table[] = {
        {.name = "text",
         .letter = 't',
         .kind = OPT_TEXT,
         .arg = "T",
         .help = "a text",
         .to = &v.text},
        {.name = "way",
         .kind = OPT_CHOICE,
         .arg = "udp|tcp",
         .choices = "udp|tcp",
         .help = "a way",
         .to = &v.way},
        {.name = "flag", .letter = 'f', .kind = OPT_FLAG, .help = "a flag", .to = &v.flag},
        {.name = "list",
         .letter = 'l',
         .kind = OPT_LIST,
         .arg = "L",
         .help = "a list",
         .to = &v.list},
        {.name = "count",
         .kind = OPT_INT,
         .arg = "N",
         .help = "a number",
         .to = &v.count,
         .min = 1,
         .max = 10},
        {.name = "time",
         .kind = OPT_DURATION,
         .arg = "S",
         .help = "a time",
         .to = &v.time,
         .min = 1,
         .max = 60000},
        {.name = "ms", .kind = OPT_MS, .arg = "MS", .help = "a short time", .to = &v.ms},
        {.name = "size", .kind = OPT_SIZE, .arg = "N", .help = "a size", .to = &v.size},
        {.name = "session",
         .letter = 's',
         .kind = OPT_TEXT,
         .arg = "FILE",
         .help = "a file",
         .to = &v.session,
         .where = OPT_COMMAND_LINE},
        {0},
    };
    const struct opt *const tables[] = {table, NULL};
    const struct opt_program p = {.name = "prog",
                                  .usage = "[options] FILE",
                                  .about = "Tests.",
                                  .tables = tables,
                                  .known = known,
                                  .argv_only = argv_only};
    struct opt_result r;
    int argc = 0;
    while (argv[argc])
        argc++;
    opt_parse(&p, argc, argv, &r);
    show(&v, &r);
    exit(0);
}

static char output[16384];

/* Runs with these words, split at blanks; stdout and stderr land in `output`. The exit status. */
static int run_as(const char *words, bool argv_only)
{
    char name[] = "prog", *copy = mem_dup(words), *argv[32] = {name};
    size_t n = 1;
    for (char *rest = copy, *word; (word = strsep(&rest, " ")) != NULL;) {
        if (*word && n < 31)
            argv[n++] = word;
    }
    int pipes[2], status = -1;
    if (pipe(pipes) < 0)
        exit(1);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipes[1], 1);
        dup2(pipes[1], 2);
        child(argv, argv_only);
    }
    close(pipes[1]);
    size_t got = 0;
    for (ssize_t k; (k = read(pipes[0], output + got, sizeof output - 1 - got)) > 0;)
        got += (size_t)k;
    output[got] = '\0';
    close(pipes[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        exit(1);
    free(copy);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run(const char *words)
{
    return run_as(words, false);
}

static bool says(const char *text)
{
    bool good = strstr(output, text) != NULL;
    if (!good)
        printf("# output: %s\n", output);
    return good;
}

static size_t lines(void)
{
    size_t n = 0;
    for (const char *p = output; *p; p++)
        n += *p == '\n';
    return n;
}

static void put_file(const char *name, const char *content)
{
    char *path = mem_format("%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    if (!f || fputs(content, f) < 0 || fclose(f) != 0)
        exit(1);
    free(path);
}

static void test_line(void)
{
    tap_is_int(run(""), 0, "no option at all is fine");
    tap_ok(says("text=- way=udp flag=0 list= count=7 time=30000 ms=500 size=65536\n"),
           "the defaults stay");
    tap_is_int(run("-t x --flag -l a --list=b --count 3 file --time 1.5 --ms 20 --size 2k"), 0,
               "every kind of option");
    tap_ok(says("text=x way=udp flag=1 list=a|b count=3 time=1500 ms=20 size=2048 [file] given=2"),
           "every kind of value arrives, operands stay");
    run("-- -5 --flag");
    tap_ok(says("flag=0") && says("[-5] [--flag]"), "after -- all is operands");
    run("--ms 2s --time 250ms");
    tap_ok(says("time=250 ms=2000"), "units beat what a plain number means");
    run("--text a -t b");
    tap_ok(says("text=b"), "the last of several counts");
    run("-l a --list= -l b");
    tap_ok(says("list=b "), "an empty value empties a list");
}

static void test_wrong_use(void)
{
    static const struct {
        const char *words, *says;
    } cases[] = {
        {"--nonsense", "--nonsense: no such option"},
        {"-x", "-x: no such option"},
        {"--count", "--count: needs a value"},
        {"-t", "-t: needs a value"},
        {"--flag=yes", "--flag: takes no value"},
        {"--count 11", "--count: \"11\" is not within 1 to 10"},
        {"--count 3x", "--count: \"3x\" is not a whole number"},
        {"--count 99999999999999999999", "is not a whole number"},
        {"--time 0", "--time: \"0\" is not within 1ms to 1m"},
        {"--time soon", "is not a time in seconds"},
        {"--ms -1", "--ms: \"-1\" is not a time in milliseconds"},
        {"--ms 1.5", "is not a time in milliseconds"},
        {"--size 1T", "is not a size"},
        {"--way tls", "--way: \"tls\" is none of udp|tcp"},
        {"--way udp|tcp", "is none of"},
        {"--no-text", "no such option"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = run(cases[i].words);
        tap_ok(status == 64 && says(cases[i].says) && says("see prog --help") && lines() == 1,
               "64 and one line: %s", cases[i].words);
    }
}

static void test_sources(void)
{
    char *home = mem_format("%s/home", folder);
    (void)mkdir(home, 0700);
    setenv("HOME", home, 1);
    put_file("home/.config.dir", "");
    char *config = mem_format("%s/xdg", folder);
    (void)mkdir(config, 0700);
    char *cpm = mem_format("%s/xdg/cpm", folder);
    (void)mkdir(cpm, 0700);
    setenv("XDG_CONFIG_HOME", config, 1);
    put_file("xdg/cpm/cpm.conf", "# mine\n\n[sip]\n  text = from \"file\"; all\nflag=yes\n"
                                 "list = a\nlist = b\nof-another-program = 1\ncount = 2\r\n");
    tap_is_int(run(""), 0, "a file of the user");
    tap_ok(says("text=from \"file\"; all way=udp flag=1 list=a|b count=2"), "its values count");
    run("--no-flag -l c");
    tap_ok(says("flag=0 list=c "), "the command line beats it, lists as a whole");
    setenv("CPM_LIST", "x y\n z\n", 1);
    setenv("CPM_COUNT", "5", 1);
    setenv("CPM_TEXT", "", 1);
    setenv("CPM_SESSION", "stray", 1);
    run("");
    tap_ok(says("list=x y|z count=5") && says("text=from"), "the environment beats the file");
    run("--count 6 --show-config -s S");
    tap_ok(says("count=6  # from: command line\n"), "--show-config: the command line");
    tap_ok(says("list=x y  # from: environment CPM_LIST\nlist=z  # from"),
           "--show-config: the environment");
    tap_ok(says("xdg/cpm/cpm.conf:4\n") && says("text=from"), "--show-config: file and line");
    tap_ok(says("size=64k  # from: default\n"), "--show-config: the default");
    tap_ok(says("session=S  # from: command line\n"), "CPM_SESSION is not looked at");
    tap_is_int(run_as("", true), 0, "a program without configuration");
    tap_ok(says("list= count=7"), "reads neither file nor environment");
    tap_is_int(run_as("--show-config", true), 64, "and has no --show-config");
    setenv("CPM_COUNT", "many", 1);
    tap_is_int(run(""), 78, "a bad variable is a bad configuration");
    tap_ok(says("CPM_COUNT: \"many\" is not a whole number") && lines() == 1, "and is named");
    tap_is_int(run("--help"), 0, "help is there all the same");
    unsetenv("CPM_COUNT");
    unsetenv("CPM_LIST");
    free(home);
    free(config);
    free(cpm);
}

static void test_bad_files(void)
{
    static const struct {
        const char *content, *says;
    } cases[] = {
        {"\nnonsense = 1\n", ":2: no option is called \"nonsense\""},
        {"count = 1\ncount = 0\n", ":2: count: \"0\" is not within"},
        {"flag = perhaps\n", ":1: flag: \"perhaps\" is neither yes nor no"},
        {"flag\n", ":1: not of the form"},
        {"= 1\n", ":1: no option is called \"\""},
        {"text = a ; b\n", ":1: a blank and"},
        {"[sip\n", ":1: not of the form"},
        {"session = S\n", ":1: \"session\" has its place on the command line only"},
        {"config = other\n", "command line only"},
    };
    char *words = mem_format("-c %s/bad.conf", folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_file("bad.conf", cases[i].content);
        int status = run(words);
        tap_ok(status == 78 && says("bad.conf:") && says(cases[i].says) && lines() == 1,
               "78 and one line: %.*s", (int)strcspn(cases[i].content + 1, "\n") + 1,
               cases[i].content[0] == '\n' ? cases[i].content + 1 : cases[i].content);
    }
    put_file("bad.conf", "count = 4");
    run(words);
    tap_ok(says("count=4") && says("text=-"), "-c takes the place of the usual files");
    tap_is_int(run("-c /nonexistent/x"), 78, "a file that was asked for has to be there");
    char *longer = mem_new(10000);
    (void)snprintf(longer, 10000, "text = %09000d\n", 5);
    put_file("bad.conf", longer);
    tap_is_int(run(words), 78, "a long line is refused");
    tap_ok(says("bad.conf:1: the line is too long"), "rather than cut");
    free(longer);
    free(words);
}

static void test_help(void)
{
    tap_is_int(run("--help"), 0, "--help");
    tap_ok(says("Usage: prog [options] FILE\n\nTests.\n"), "shows the use");
    tap_ok(says("  -t, --text T                a text\n"), "aligns");
    tap_ok(says("--time S                a time [30s]\n"), "shows defaults");
    tap_ok(says("-f, --[no-]flag"), "shows which flags can be undone");
    tap_is_int(run("-V"), 0, "-V");
    tap_ok(says("prog " CPM_VERSION "\n"), "gives name and version");
}

static bool is_name(const char *const *names, const char *name)
{
    for (; *names; names++) {
        if (strcmp(*names, name) == 0)
            return true;
    }
    return false;
}

#define KEEP(field) NULL

/* The list of names that files may hold follows the tables. */
static void test_shared_tables(void)
{
    static const char *const names[] = OPTION_NAMES;
    static const struct opt table[] = {ADDRESS_OPTIONS(KEEP) SESSION_OPTIONS(KEEP) STAGE_OPTIONS(
        KEEP) SIP_OPTIONS(KEEP) MSRP_OPTIONS(KEEP) COMPOSE_OPTIONS(KEEP){0}};
    bool listed = true, once = true, sound = true;
    for (const struct opt *o = table; o->name; o++) {
        listed = listed && is_name(names, o->name) == (o->where != OPT_COMMAND_LINE);
        sound = sound && o->help && (o->kind == OPT_FLAG || o->arg);
        for (const struct opt *other = o + 1; other->name; other++) {
            once = once && strcmp(o->name, other->name) != 0;
            once = once && (!o->letter || o->letter != other->letter);
        }
        if (!listed || !sound || !once)
            printf("# at %s\n", o->name);
    }
    tap_ok(listed, "OPTION_NAMES holds every option that a file may hold, and no other");
    tap_ok(once, "no shared option or letter is there twice");
    tap_ok(sound, "each has its help, and an argument unless it is a flag");
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    setenv("XDG_CONFIG_HOME", folder, 1);
    test_line();
    test_wrong_use();
    test_sources();
    test_bad_files();
    test_help();
    test_shared_tables();
    char *words = mem_format("rm -rf %s", folder);
    if (fork() == 0)
        execl("/bin/sh", "sh", "-c", words, (char *)NULL);
    (void)wait(NULL);
    free(words);
    return tap_done();
}
