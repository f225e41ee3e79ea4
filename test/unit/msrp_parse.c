/* The MSRP parser: whatever the split of its input, the result is the same. */
#include "msrp/msrp.h"
#include "test/unit/tap.h"

#include <glob.h>
#include <stdlib.h>

#define PATHS    "To-Path: msrp://127.0.0.1:1/us;tcp\r\nFrom-Path: msrp://127.0.0.1:2/them;tcp\r\n"
#define SEND(id) "MSRP " id " SEND\r\n" PATHS "Message-ID: m123\r\n"

/* What came out, as text: one line an event, the octets of a body together. */
struct record {
    struct buf out;
    bool in_data;
};

static void take(struct record *r, const struct msrp_event *ev)
{
    int err = 0;
    const struct msrp_head *h = ev->head;
    if (ev->kind != MSRP_DATA && r->in_data) {
        err |= buf_add_text(&r->out, ">\n");
        r->in_data = false;
    }
    switch (ev->kind) {
    case MSRP_HEAD:
        err |= buf_format(&r->out, "head %.*s %.*s %d%s%s\n", (int)h->id.n, h->id.p,
                          (int)h->method.n, h->method.p ? h->method.p : "", h->code,
                          h->fault ? " fault: " : "", h->fault ? h->fault : "");
        break;
    case MSRP_DATA:
        if (!r->in_data)
            err |= buf_add_text(&r->out, "data <");
        r->in_data = true;
        err |= buf_add_slice(&r->out, ev->data);
        break;
    case MSRP_END:
        err |= buf_format(&r->out, "end %c body=%d octets=%llu\n", ev->flag, ev->has_body,
                          (unsigned long long)ev->body);
        break;
    case MSRP_BAD:
        err |= buf_format(&r->out, "bad: %s\n", ev->why);
        break;
    case MSRP_MORE:
        break;
    }
    if (err)
        abort();
}

/* Feeds one piece; false after MSRP_BAD. */
static bool feed(struct msrp_parser *p, struct record *r, struct slice in)
{
    /* Its own allocation, so that a sanitizer sees a read past the end. */
    char *copy = malloc(in.n ? in.n : 1);
    if (!copy)
        abort();
    memcpy(copy, in.p, in.n);
    struct slice rest = {copy, in.n};
    struct msrp_event ev;
    enum msrp_kind kind;
    while ((kind = msrp_parse(p, &rest, &ev)) != MSRP_MORE && kind != MSRP_BAD)
        take(r, &ev);
    if (kind == MSRP_BAD)
        take(r, &ev);
    free(copy);
    return kind == MSRP_MORE;
}

/* In pieces: up to `cut`, then pieces of `step`. */
static char *run(struct slice in, size_t cut, size_t step)
{
    struct msrp_parser *p = msrp_parser_new();
    struct record r = {.out = BUF_UP_TO(1 << 20)};
    bool good = feed(p, &r, (struct slice){in.p, cut});
    for (size_t at = cut; good && at < in.n; at += step) {
        size_t n = in.n - at < step ? in.n - at : step;
        good = feed(p, &r, (struct slice){in.p + at, n});
    }
    if (good && buf_format(&r.out, "%s", msrp_parser_idle(p) ? "idle" : "inside") != 0)
        abort();
    msrp_parser_free(p);
    return r.out.p;
}

static void check(const char *what, struct slice in, const char *want)
{
    char *whole = run(in, in.n, 1);
    tap_is_str(whole, want, what);
    size_t wrong = 0;
    for (size_t cut = 0; cut <= in.n; cut++) {
        char *split = run(in, cut, in.n);
        wrong += strcmp(split, want) != 0;
        free(split);
    }
    tap_is_int((long long)wrong, 0, "  the same at every split");
    for (size_t step = 1; step < 8; step++) {
        char *split = run(in, 0, step);
        if (strcmp(split, want) != 0)
            tap_ok(false, "%s in pieces of %zu: %s", what, step, split);
        free(split);
    }
    free(whole);
}

#define CHECK(what, in, want) check(what, SLICE(in), want)

static void test_bodies(void)
{
    CHECK("a chunk",
          SEND("abcd") "Byte-Range: 1-3/3\r\nContent-Type: a/b\r\n\r\nxyz\r\n-------abcd$\r\n",
          "head abcd SEND 0\ndata <xyz>\nend $ body=1 octets=3\nidle");
    CHECK("a bodiless SEND", SEND("abcd") "Byte-Range: 1-0/0\r\n-------abcd$\r\n",
          "head abcd SEND 0\nend $ body=0 octets=0\nidle");
    CHECK("an empty body", SEND("abcd") "Content-Type: a/b\r\n\r\n\r\n-------abcd$\r\n",
          "head abcd SEND 0\nend $ body=1 octets=0\nidle");
    CHECK("an empty body without its CR LF",
          SEND("abcd") "Content-Type: a/b\r\n\r\n-------abcd+\r\n",
          "head abcd SEND 0\nend + body=1 octets=0\nidle");
    CHECK("a body that looks like its end in every way",
          SEND("abcd") "Content-Type: "
                       "a/b\r\n\r\n\r\r\n\r\n-------abce$\r\n-------abcd!\r\n-------abcd$\r"
                       "\r\n-------abcd$\r\r\n-------abcd\r\n--------abcd$\r\n-------abcd#\r\n",
          "head abcd SEND 0\ndata <\r\r\n\r\n-------abce$\r\n-------abcd!\r\n-------abcd$\r"
          "\r\n-------abcd$\r\r\n-------abcd\r\n--------abcd$>\nend # body=1 octets=89\nidle");
    CHECK("a body that begins like its end",
          SEND("abcd") "Content-Type: a/b\r\n\r\n-------abcdx\r\n-------abcd$\r\n",
          "head abcd SEND 0\ndata <-------abcdx>\nend $ body=1 octets=12\nidle");
    CHECK("a body with its own CR LF at the end",
          SEND("abcd") "Content-Type: a/b\r\n\r\nx\r\n\r\n-------abcd$\r\n",
          "head abcd SEND 0\ndata <x\r\n>\nend $ body=1 octets=3\nidle");
    CHECK("a body longer than its Byte-Range says",
          SEND("abcd") "Byte-Range: 1-2/2\r\nContent-Type: a/b\r\n\r\nxyz\r\n-------abcd$\r\n",
          "head abcd SEND 0\ndata <xyz>\nend $ body=1 octets=3\nidle");
}

static void test_streams(void)
{
    CHECK("several in a row, with empty lines between",
          "MSRP abcd 200 OK\r\n" PATHS "-------abcd$\r\n\r\n\r\nMSRP efgh 413\r\n" PATHS
          "-------efgh$\r\n" SEND("ijkl") "-------ijkl$\r\n",
          "head abcd  200\nend $ body=0 octets=0\nhead efgh  413\nend $ body=0 octets=0\n"
          "head ijkl SEND 0\nend $ body=0 octets=0\nidle");
    CHECK("a response without any header", "MSRP abcd 481 No such session\r\n-------abcd$\r\n",
          "head abcd  481\nend $ body=0 octets=0\nidle");
    CHECK("it ends within a head", "MSRP abcd SEND\r\nTo-P", "inside");
    CHECK("it ends within a body", SEND("abcd") "Content-Type: a/b\r\n\r\nxyz\r\n----",
          "head abcd SEND 0\ndata <xyzinside");
    CHECK("an end-line of another transaction is a line that is no header",
          SEND("abcd") "-------abce$\r\n-------abcd$\r\n",
          "head abcd SEND 0 fault: a line that is no header\nend $ body=0 octets=0\nidle");
}

static void test_faults(void)
{
    CHECK("no Message-ID", "MSRP abcd SEND\r\n" PATHS "-------abcd$\r\n",
          "head abcd SEND 0 fault: no sound Message-ID\nend $ body=0 octets=0\nidle");
    CHECK("a path that is none",
          "MSRP abcd SEND\r\nTo-Path: nonsense\r\nMessage-ID: m123\r\n-------abcd$\r\n",
          "head abcd SEND 0 fault: no sound To-Path\nend $ body=0 octets=0\nidle");
    static const char *const ranges[] = {"",       "1",     "0-1/1",  "-1-2/3",
                                         "3-1/5",  "1-5/3", "1-2/-1", "99999999999999999999-*/*",
                                         "1-2/3 x"};
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        char text[300];
        int n = snprintf(text, sizeof(text), SEND("abcd") "Byte-Range: %s\r\n-------abcd$\r\n",
                         ranges[i]);
        char *got = run((struct slice){text, (size_t)n}, (size_t)n, 1);
        tap_ok(strstr(got, "fault: bad Byte-Range") != NULL, "refused: Byte-Range '%s'", ranges[i]);
        free(got);
    }
}

static void test_bad(void)
{
    CHECK("another protocol", "GET / HTTP/1.1\r\n", "bad: not MSRP\n");
    CHECK("a bare LF", "MSRP abcd SEND\nTo-Path: x\r\n",
          "bad: a line of a head that does not end in CR LF\n");
    CHECK("neither method nor status", "MSRP abcd\r\n",
          "bad: start line without method or status\n");
    CHECK("too much in a start line", "MSRP abcd SEND it\r\n", "bad: bad start line\n");
    char long_id[100];
    (void)snprintf(long_id, sizeof(long_id), "MSRP %0*d SEND\r\n", MSRP_IDENT_TAKEN_MAX + 1, 0);
    check("a transaction id without end", slice_of(long_id), "bad: bad transaction id\n");
}

static void test_limits(void)
{
    static char text[32768];
    int n = snprintf(text, sizeof(text), "MSRP abcd SEND\r\nX: ");
    memset(text + n, 'x', MSRP_HEAD_MAX);
    char *got = run((struct slice){text, (size_t)n + MSRP_HEAD_MAX}, 0, 1);
    tap_is_str(got, "bad: a head of more than 8192 octets\n", "a head without end");
    free(got);
    n = snprintf(text, sizeof(text), "MSRP abcd NICKNAME\r\n" PATHS "\r\n");
    memset(text + n, 'x', MSRP_OTHER_BODY_MAX + 1);
    struct slice in = {text, (size_t)n + MSRP_OTHER_BODY_MAX + 1};
    for (int i = 0; i < 2; i++) {
        got = run(in, i ? in.n : 0, 1);
        tap_ok(strstr(got, ">\nbad: a body of more than 10240 octets") != NULL,
               "a body that is too long for anything but SEND");
        tap_is_int((long long)strspn(strchr(got, '<') + 1, "x"), MSRP_OTHER_BODY_MAX,
                   "  and all that fits came before");
        free(got);
    }
}

static void test_head(void)
{
    struct msrp_parser *p = msrp_parser_new();
    struct slice in = SLICE("MSRP d93kswow REPORT\r\n" PATHS "Message-ID: 12339sdqwer\r\n"
                            "byte-range: 7-*/39\r\nStatus: 000 413 no more\r\n"
                            "Success-Report: yes\r\nFailure-Report: partial\r\n"
                            "X-Odd:   value here \r\n-------d93kswow$\r\n");
    struct msrp_event ev;
    tap_is_int(msrp_parse(p, &in, &ev), MSRP_HEAD, "a REPORT");
    const struct msrp_head *h = ev.head;
    tap_ok(msrp_head_is(h, "REPORT") && !h->fault, "its method");
    tap_ok(h->has_range && h->range.start == 7 && h->range.end == MSRP_ANY && h->range.total == 39,
           "its Byte-Range");
    tap_ok(h->status == 413 && slice_is(h->status_text, "no more"), "its Status");
    tap_ok(h->success_report && h->failure_report == MSRP_FAILURE_PARTIAL, "its report headers");
    tap_is_int(msrp_parse(p, &in, &ev), MSRP_END, "its end");
    tap_ok(slice_is(h->message_id, "12339sdqwer"), "the head lives until the call after its end");
    msrp_parser_free(p);
}

/* Every exchange of the fuzzers' corpus, cut in two at every octet. */
static void test_corpus(void)
{
    static char text[64 * 1024];
    glob_t found;
    tap_ok(glob("test/fuzz/corpus/msrp_parse/*", 0, NULL, &found) == 0, "there is a corpus");
    for (size_t i = 0; i < found.gl_pathc; i++) {
        FILE *f = fopen(found.gl_pathv[i], "rb");
        size_t n = f ? fread(text, 1, sizeof(text), f) : 0;
        if (f)
            (void)fclose(f);
        struct slice in = {text + 1, n ? n - 1 : 0}; /* the first octet is for the fuzzers */
        char *whole = run(in, in.n, 1);
        size_t wrong = 0;
        for (size_t cut = 0; cut < in.n; cut++) {
            char *split = run(in, cut, in.n);
            wrong += strcmp(split, whole) != 0;
            free(split);
        }
        tap_ok(n > 1 && wrong == 0, "%s: the same at all %zu splits", found.gl_pathv[i], in.n);
        free(whole);
    }
    globfree(&found);
}

int main(void)
{
    test_corpus();
    test_bodies();
    test_streams();
    test_faults();
    test_bad();
    test_limits();
    test_head();
    return tap_done();
}
