/* The sender against a receiver made of the parser: what goes out, and what each answer means. */
#include "msrp/send.h"
#include "test/unit/tap.h"

#include <errno.h>
#include <stdlib.h>

#define US   "msrp://127.0.0.1:1/us;tcp"
#define THEM "msrp://relay:9;tcp msrp://127.0.0.1:2/them;tcp"

static char message[4 << 20];

/* Sender, receiver, and the wire between them. */
struct world {
    struct msrp_sender *s;
    struct msrp_parser *p;
    struct msrp_receipt receipt;
    char got[sizeof(message)];
    uint64_t total;
    uint64_t wire; /* octets so far */
    int64_t now;
    size_t chunks;
    size_t longest; /* chunk */
    char flags[64]; /* of the first ones */
    char heads[8][400];
    struct {
        char id[65];
    } waiting[300]; /* ended, not answered */
    size_t n;
    bool changed;
};

static struct world w;

static int unchanged(void *arg)
{
    (void)arg;
    return w.changed ? ESTALE : 0;
}

static void end_of_chunk(const struct msrp_event *ev)
{
    const char *why;
    if (msrp_receipt_end(&w.receipt, ev, &why) != 0)
        tap_ok(false, "the receiver is content: %s", why);
    if (w.chunks < sizeof(w.flags) - 1)
        w.flags[w.chunks] = ev->flag;
    w.chunks++;
    if (ev->body > w.longest)
        w.longest = (size_t)ev->body;
    if (ev->flag != '#')
        (void)snprintf(w.waiting[w.n++].id, 65, "%.*s", (int)ev->head->id.n, ev->head->id.p);
}

static void receive(const char *bytes, size_t n)
{
    struct slice in = {bytes, n};
    struct msrp_event ev;
    enum msrp_kind kind;
    const char *why = "";
    w.wire += n;
    while ((kind = msrp_parse(w.p, &in, &ev)) != MSRP_MORE) {
        int code = 0;
        if (kind == MSRP_HEAD) {
            code = msrp_receipt_head(&w.receipt, ev.head, &why);
            if (w.chunks < 8)
                (void)snprintf(w.heads[w.chunks], sizeof(w.heads[0]), "%.*s", (int)ev.head->all.n,
                               ev.head->all.p);
        } else if (kind == MSRP_DATA) {
            memcpy(w.got + w.receipt.next - 1, ev.data.p, ev.data.n);
            code = msrp_receipt_data(&w.receipt, ev.data.n, &why);
        } else if (kind == MSRP_END) {
            end_of_chunk(&ev);
        } else {
            why = ev.why;
            code = 1;
        }
        if (code) {
            tap_ok(false, "the receiver is content: %s", why);
            return;
        }
    }
}

/* Lets one step go out: the text, and at most `most` octets of the piece. */
static bool step(size_t most)
{
    struct buf text = BUF_UP_TO(4000);
    struct msrp_piece piece;
    bool more = msrp_sender_next(w.s, w.now, w.wire, true, &text, &piece);
    if (more) {
        receive(text.p, text.n);
        size_t n = piece.n < most ? piece.n : most;
        receive(message + piece.offset, n);
        msrp_sender_sent(w.s, n);
    }
    buf_free(&text);
    return more;
}

static void answer(const char *id, int code)
{
    struct msrp_head h = {.id = slice_of(id), .code = code, .comment = SLICE("so")};
    msrp_sender_response(w.s, &h, w.now);
}

static void answer_first(int code)
{
    char id[65];
    memcpy(id, w.waiting[0].id, sizeof(id));
    w.n--;
    memmove(&w.waiting[0], &w.waiting[1], w.n * sizeof(w.waiting[0]));
    answer(id, code);
}

static void report(uint64_t start, uint64_t end, int status)
{
    struct msrp_head h = {.request = true,
                          .method = SLICE("REPORT"),
                          .message_id = SLICE("m123"),
                          .status = status,
                          .status_text = SLICE("text"),
                          .range = {start, end, MSRP_ANY}};
    msrp_sender_report(w.s, &h, w.now);
}

static void fixed_token(char *text, size_t n)
{
    memset(text, 'T', n);
    text[n] = '\0';
}

static struct msrp_sending plan(uint64_t total)
{
    return (struct msrp_sending){.to_path = SLICE(THEM),
                                 .from_path = SLICE(US),
                                 .message_id = SLICE("m123"),
                                 .content_type = "message/cpim",
                                 .total = total,
                                 .octets = {unchanged, NULL},
                                 .report_timeout_ms = 5000};
}

static void begin(const struct msrp_sending *what)
{
    msrp_sender_free(w.s);
    msrp_parser_free(w.p);
    memset(&w, 0, sizeof(w));
    w.total = what->total;
    w.now = 1000;
    w.s = msrp_sender_new(what);
    w.p = msrp_parser_new();
}

static int status(void)
{
    const struct msrp_outcome *o = msrp_sender_outcome(w.s);
    return o ? o->status : -1;
}

static void run_to_end(void)
{
    while (step(SIZE_MAX) || w.n) {
        if (w.n)
            answer_first(200);
    }
}

static void test_sizes(void)
{
    static const uint64_t sizes[] = {1, 2047, 2048, 2049, 10240, 10241, 1 << 20, 4 << 20};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct msrp_sending what = plan(sizes[i]);
        begin(&what);
        run_to_end();
        tap_ok(status() == 0 && w.receipt.complete && w.receipt.total == sizes[i] &&
                   memcmp(w.got, message, sizes[i]) == 0,
               "%llu octets arrive", (unsigned long long)sizes[i]);
    }
    tap_ok(w.longest > 100000, "the chunks grew (%zu)", w.longest);
}

static void test_heads(void)
{
    struct msrp_sending what = plan(2048);
    begin(&what);
    run_to_end();
    tap_ok(strstr(w.heads[0], "\r\nByte-Range: 1-2048/2048\r\nContent-Type: message/cpim\r\n"),
           "2048 octets have a range-end");
    tap_ok(strstr(w.heads[0], "\r\nTo-Path: " THEM "\r\nFrom-Path: " US "\r\n") != NULL,
           "the whole path goes into To-Path");
    what = plan(2049);
    begin(&what);
    run_to_end();
    tap_ok(strstr(w.heads[0], "\r\nByte-Range: 1-*/2049\r\n") != NULL, "2049 have not");
    what = plan(5000);
    what.chunk = 2000;
    begin(&what);
    run_to_end();
    tap_is_str(w.flags, "++$", "fixed chunks");
    tap_ok(strstr(w.heads[2], "\r\nByte-Range: 4001-5000/5000\r\n") != NULL, "and their ranges");
}

static size_t until_full(void)
{
    while (step(SIZE_MAX)) {
    }
    return w.n;
}

/* One chunk at a time until it has the size that every known peer takes. */
static void test_window(void)
{
    struct msrp_sending what = plan(sizeof(message));
    begin(&what);
    size_t gentle = 0;
    uint64_t gone = 0;
    while (until_full() == 1) {
        answer_first(200);
        gentle++;
        gone = msrp_sender_progress(w.s).gone;
    }
    tap_ok(gentle == 4 && gone == 130 * 1024 && w.longest == MSRP_CHUNK_GENTLE,
           "%zu chunks of at most %zu octets alone, then several", gentle, w.longest);
    uint64_t window = msrp_sender_progress(w.s).window;
    while (w.n)
        answer_first(200);
    uint64_t grown = msrp_sender_progress(w.s).window;
    tap_ok(grown > window && grown <= 2 * window, "answers let the window grow");
    run_to_end();
    tap_ok(w.longest > MSRP_CHUNK_GENTLE && w.longest <= MSRP_CHUNK_MAX, "and then the chunks");

    what.window_max = 4096;
    begin(&what);
    tap_ok(until_full() == 1 && w.longest == 4096, "a lesson learnt begins smaller");
    answer_first(200);
    tap_ok(until_full() == 1 && w.longest == 4096, "and stays so");
    what.chunk = 8192;
    begin(&what);
    (void)until_full();
    answer_first(200);
    tap_ok(until_full() == 2 && w.longest == 8192, "but a fixed size is what was asked for");
    what = plan(100000);
    what.chunk = 1000;
    what.stop_and_wait = true;
    begin(&what);
    size_t most = 0;
    while (step(SIZE_MAX) || w.n) {
        most = w.n > most ? w.n : most;
        if (w.n)
            answer_first(200);
    }
    tap_ok(most == 1 && status() == 0, "stop and wait");
    what = plan(1 << 20);
    what.chunk = 16;
    begin(&what);
    while (step(SIZE_MAX)) {
    }
    tap_ok(w.n <= 256 && w.n > 10, "the number of unanswered chunks is bounded");
}

/* The random part of the transact-ids: 24 characters, drawn anew for each sender. */
static void test_ids(void)
{
    struct msrp_sending what = plan(30000);
    char ids[2][65];
    what.chunk = 10000;
    for (int i = 0; i < 2; i++) {
        begin(&what);
        run_to_end();
        (void)snprintf(ids[i], sizeof(ids[0]), "%.*s", (int)strcspn(w.heads[1] + 5, " "),
                       w.heads[1] + 5);
        tap_ok(strlen(ids[i]) == 32 && strncmp(w.heads[0] + 5, ids[i], 24) == 0 &&
                   strncmp(w.heads[0] + 5, ids[i], 32) != 0,
               "a chunk's id is the sender's random part and a number");
    }
    size_t same = 0;
    for (size_t i = 0; i < 24; i++)
        same += ids[0][i] == ids[1][i];
    tap_ok(same < 8, "another sender draws another one");
}

static void test_answers(void)
{
    struct msrp_sending what = plan(1 << 20);
    what.chunk = 10000;
    begin(&what);
    while (step(SIZE_MAX)) {
    }
    char id[65];
    memcpy(id, w.waiting[0].id, sizeof(id));
    answer_first(200);
    answer(id, 200);
    answer(id, 481);
    tap_ok(status() == -1, "an answer that comes again means nothing");
    answer("nobody", 500);
    tap_ok(status() == -1, "nor does one to nobody's transaction");
    (void)step(SIZE_MAX);
    (void)step(5000);
    answer_first(413);
    (void)step(0);
    tap_is_int(w.flags[2], '#', "413 cuts the chunk under way");
    tap_is_int(status(), 69, "and ends it");
    tap_is_int(msrp_sender_outcome(w.s)->code, 413, "with its code");
    tap_is_str(msrp_sender_outcome(w.s)->reason, "so", "and its words");
}

static void test_abort(void)
{
    struct msrp_sending what = plan(4 << 20);
    what.chunk = 4 << 20;
    begin(&what);
    (void)step(5000);
    msrp_sender_stop(w.s);
    tap_ok(step(SIZE_MAX) && !step(SIZE_MAX), "stopping sends one more thing");
    tap_ok(w.flags[0] == '#' && w.receipt.aborted && w.receipt.next == 5001, "a #");
    msrp_sender_give_up(w.s, 75, "reason");
    tap_is_int(status(), 75, "and fails");
    begin(&what);
    (void)step(5000);
    msrp_sender_unreadable(w.s, ENODATA);
    tap_ok(step(0) && w.flags[0] == '#' && status() == 74, "a file that became shorter: # and 74");
    begin(&what);
    w.changed = true;
    run_to_end();
    tap_ok(w.flags[0] == '#' && status() == 74, "a file that changed never gets its $");
    begin(&what);
    (void)step(5000);
    msrp_sender_unreadable(w.s, EIO);
    tap_ok(step(0) && w.flags[0] == '#' && status() == 74, "a file that cannot be read");
}

static void test_interrupt(void)
{
    struct msrp_sending what = plan(100000);
    what.chunk = 100000;
    begin(&what);
    struct buf text = BUF_UP_TO(1000);
    (void)step(0);
    tap_ok(!msrp_sender_interrupt(w.s, w.now, w.wire, &text), "not before the first octet");
    begin(&what);
    (void)step(3000);
    tap_ok(msrp_sender_interrupt(w.s, w.now, w.wire, &text), "an interruption");
    receive(text.p, text.n);
    run_to_end();
    tap_is_str(w.flags, "+$", "ends the chunk with +");
    tap_ok(status() == 0 && w.receipt.complete && memcmp(w.got, message, 100000) == 0,
           "and loses nothing");
    what.chunk = 2048;
    begin(&what);
    (void)step(1000);
    tap_ok(!msrp_sender_interrupt(w.s, w.now, w.wire, &text), "a short chunk is not interrupted");
    buf_free(&text);
}

static void test_early(void)
{
    struct msrp_sending what = plan(100000);
    what.chunk = 50000;
    what.token = fixed_token;
    begin(&what);
    (void)step(1000);
    answer("TTTTTTTTTTTTTTTTTTTTTTTT00000001", 200);
    struct buf text = BUF_UP_TO(1000);
    struct msrp_piece piece;
    tap_ok(msrp_sender_next(w.s, w.now, w.wire, true, &text, &piece) && piece.offset == 1000,
           "an early answer does not end a chunk");
    receive(message + piece.offset, piece.n);
    msrp_sender_sent(w.s, piece.n);
    (void)step(SIZE_MAX);
    tap_is_int((int64_t)msrp_sender_progress(w.s).confirmed, 50000, "but counts when it ends");
    buf_free(&text);
}

/* The connection breaks when the recipient has so many octets of the stream; what it has as a whole
 * chunk it has answered. */
static uint64_t break_at(uint64_t place)
{
    struct buf text = BUF_UP_TO(4000);
    struct msrp_piece piece = {0, 0};
    while (w.wire < place && msrp_sender_next(w.s, w.now, w.wire, true, &text, &piece)) {
        uint64_t n = text.n < place - w.wire ? text.n : place - w.wire;
        receive(text.p, n);
        uint64_t data = piece.n < place - w.wire ? piece.n : place - w.wire;
        receive(message + piece.offset, data);
        msrp_sender_sent(w.s, data);
        buf_clear(&text);
        while (w.n)
            answer_first(200);
    }
    buf_free(&text);
    msrp_sender_hung_up(w.s);
    msrp_sender_give_up(w.s, 75, "lost");
    return msrp_sender_progress(w.s).confirmed;
}

static void test_lost(void)
{
    struct msrp_sending what = plan(1500);
    int wrong = 0;
    uint64_t place = 0;
    uint64_t confirmed = 0;
    what.chunk = 400;
    while (confirmed < 1500 && place < 10000) {
        begin(&what);
        confirmed = break_at(++place);
        uint64_t whole = confirmed == 1500 ? 1500 : w.chunks * 400;
        wrong += confirmed != whole || status() != (confirmed == 1500 ? 0 : 75);
    }
    tap_ok(wrong == 0 && confirmed == 1500 && place > 1500,
           "lost at each of %llu octets: only what was answered counts", (unsigned long long)place);
}

static void test_timer(void)
{
    struct msrp_sending what = plan(1000);
    begin(&what);
    while (step(SIZE_MAX)) {
    }
    tap_ok(msrp_sender_due(w.s) == INT64_MAX, "no timer while the octets are on their way");
    msrp_sender_taken(w.s, 2000, w.wire - 1);
    tap_ok(msrp_sender_due(w.s) == INT64_MAX, "nor while the last is");
    msrp_sender_taken(w.s, 3000, w.wire);
    msrp_sender_taken(w.s, 4000, w.wire);
    tap_is_int(msrp_sender_due(w.s), 33000, "30 s from the last octet");
    msrp_sender_time(w.s, 32999);
    tap_is_int(status(), -1, "not before");
    msrp_sender_time(w.s, 33000);
    tap_is_int(status(), 75, "no answer: 75");
}

/* What the next attempt should know of a recipient that hung up or fell silent. */
static void test_lesson(void)
{
    struct msrp_sending what = plan(sizeof(message));
    begin(&what);
    while (until_full() == 1)
        answer_first(200);
    uint64_t window = msrp_sender_progress(w.s).window;
    tap_ok(msrp_sender_lesson(w.s) == 0, "no lesson while all is well");
    msrp_sender_hung_up(w.s);
    tap_ok(msrp_sender_lesson(w.s) == window / 4, "it hung up with octets unanswered");
    while (w.n)
        answer_first(200);
    tap_ok(msrp_sender_lesson(w.s) == 0, "with none: nothing to learn");
    begin(&what);
    (void)until_full();
    msrp_sender_taken(w.s, 2000, w.wire);
    msrp_sender_time(w.s, msrp_sender_due(w.s));
    tap_ok(status() == 75 && msrp_sender_lesson(w.s) == MSRP_CHUNK_START / 4, "it fell silent");
    what.window_max = MSRP_WINDOW_MIN;
    begin(&what);
    (void)until_full();
    msrp_sender_hung_up(w.s);
    tap_ok(msrp_sender_lesson(w.s) == MSRP_WINDOW_MIN, "there is a least window");
    what.chunk = 5000;
    begin(&what);
    (void)until_full();
    msrp_sender_hung_up(w.s);
    tap_ok(msrp_sender_lesson(w.s) == 0, "a fixed size learns nothing");
}

static void test_reports(void)
{
    struct msrp_sending what = plan(1000);
    what.success_report = true;
    begin(&what);
    run_to_end();
    tap_ok(strstr(w.heads[0], "Success-Report: yes\r\n") != NULL, "reports are asked for");
    tap_is_int(status(), -1, "answered, but not reported");
    report(501, 1000, 200);
    tap_is_int(status(), -1, "reported in part");
    report(1, 600, 200);
    tap_ok(status() == 0 && !strcmp(msrp_sender_outcome(w.s)->report, "success"), "and as a whole");

    begin(&what);
    report(1, MSRP_ANY, 200);
    run_to_end();
    tap_is_int(status(), 0, "a report may come before the answer");

    begin(&what);
    run_to_end();
    msrp_sender_time(w.s, msrp_sender_due(w.s));
    tap_ok(status() == 0 && !strcmp(msrp_sender_outcome(w.s)->report, "missing"),
           "no report in time is no failure");
    begin(&what);
    while (step(SIZE_MAX))
        w.n = 0;
    report(1, 999, 200);
    tap_is_int(status(), -1, "reported but for one octet, and not answered");
    msrp_sender_give_up(w.s, 75, "lost");
    tap_is_int(status(), 75, "and then lost");
    begin(&what);
    while (step(SIZE_MAX))
        w.n = 0;
    report(1, 1000, 200);
    msrp_sender_give_up(w.s, 75, "lost");
    tap_ok(status() == 0 && !strcmp(msrp_sender_outcome(w.s)->report, "success"),
           "a report over the whole is enough where the answers never came");
    what.require_report = true;
    begin(&what);
    run_to_end();
    tap_is_int(msrp_sender_due(w.s), w.now + 5000, "the wait for reports");
    msrp_sender_time(w.s, msrp_sender_due(w.s));
    tap_is_int(status(), 75, "but when it is required");
    begin(&what);
    run_to_end();
    report(1, 1000, 403);
    tap_is_int(status(), 69, "a report of failure");
}

static void test_scattered_reports(void)
{
    struct msrp_sending what = plan(1000);
    what.success_report = true;
    begin(&what);
    run_to_end();
    for (uint64_t at = 1; at <= 999; at += 2)
        report(at, at, 200);
    tap_is_int(status(), -1, "more gaps than can be kept are no end");
    report(1, 1000, 200);
    tap_is_int(status(), 0, "and a report of everything closes them");
}

static void test_unanswered(void)
{
    struct msrp_sending what = plan(4 << 20);
    what.failure_report = MSRP_FAILURE_PARTIAL;
    begin(&what);
    while (step(SIZE_MAX)) {
        w.n = 0;
    }
    tap_ok(w.receipt.complete && status() == -1, "everything goes out without answers");
    msrp_sender_taken(w.s, 2000, w.wire);
    tap_is_int(msrp_sender_due(w.s), 7000, "then the time for errors runs");
    msrp_sender_time(w.s, 7000);
    tap_is_int(status(), 0, "no error: delivered");
    what.token = fixed_token;
    begin(&what);
    while (step(SIZE_MAX)) {
        w.n = 0;
    }
    msrp_sender_taken(w.s, 2000, w.wire);
    answer("TTTTTTTTTTTTTTTTTTTTTTTT00000001", 200);
    tap_is_int(status(), -1, "a good answer that nobody asked for");
    answer("TTTTTTTTTTTTTTTTTTTTTTTT00000001", 415);
    tap_is_int(status(), 69, "an error to a chunk of long ago");
}

int main(void)
{
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof(message); i++) {
        x = x * 1664525 + 1013904223;
        message[i] = (char)(x >> 24);
    }
    begin(&(struct msrp_sending){.total = 1});
    test_sizes();
    test_heads();
    test_window();
    test_ids();
    test_answers();
    test_abort();
    test_interrupt();
    test_early();
    test_lost();
    test_timer();
    test_lesson();
    test_reports();
    test_scattered_reports();
    test_unanswered();
    msrp_sender_free(w.s);
    msrp_parser_free(w.p);
    return tap_done();
}
