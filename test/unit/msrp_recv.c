/* Frames that go out, and what a receiver keeps. */
#include "msrp/msrp.h"
#include "test/unit/tap.h"

#include <errno.h>

#define US   "msrp://127.0.0.1:1/us;tcp"
#define THEM "msrp://127.0.0.1:2/them;tcp"

static void test_frames(void)
{
    struct buf b = BUF_UP_TO(2000);
    struct msrp_send s = {.id = "tid1",
                          .to_path = SLICE(THEM),
                          .from_path = SLICE(US),
                          .message_id = SLICE("m123"),
                          .range = {1, MSRP_ANY, 5000},
                          .failure_report = MSRP_FAILURE_PARTIAL,
                          .success_report = true,
                          .content_type = "message/cpim"};
    tap_is_int(msrp_frame_send(&b, &s), 0, "a SEND");
    tap_is_str(b.p,
               "MSRP tid1 SEND\r\nTo-Path: " THEM "\r\nFrom-Path: " US "\r\nMessage-ID: m123\r\n"
               "Byte-Range: 1-*/5000\r\nSuccess-Report: yes\r\nFailure-Report: partial\r\n"
               "Content-Type: message/cpim\r\n\r\n",
               "Content-Type is last");
    buf_clear(&b);
    s.content_type = NULL;
    s.range = (struct msrp_range){1, 0, 0};
    s.failure_report = MSRP_FAILURE_YES;
    s.success_report = false;
    tap_ok(msrp_frame_send(&b, &s) == 0 && msrp_frame_end(&b, "tid1", false, '$') == 0,
           "a bodiless SEND");
    tap_is_str(b.p,
               "MSRP tid1 SEND\r\nTo-Path: " THEM "\r\nFrom-Path: " US "\r\nMessage-ID: m123\r\n"
               "Byte-Range: 1-0/0\r\n-------tid1$\r\n",
               "has no blank line");
    buf_free(&b);
    b = BUF_UP_TO(30);
    tap_ok(msrp_frame_send(&b, &s) == EMSGSIZE && b.n == 0, "a frame goes in whole or not at all");
    buf_free(&b);
}

static void test_responses(void)
{
    struct msrp_head h = {.request = true,
                          .id = SLICE("tid1"),
                          .method = SLICE("SEND"),
                          .to_path = SLICE("msrp://relay:1;tcp " US),
                          .from_path = SLICE("msrp://relay2:1;tcp " THEM),
                          .message_id = SLICE("m123")};
    struct buf b = BUF_UP_TO(2000);
    tap_is_int(msrp_frame_response(&b, &h, 200, NULL), 0, "a response");
    tap_is_str(b.p,
               "MSRP tid1 200 OK\r\nTo-Path: msrp://relay2:1;tcp\r\n"
               "From-Path: msrp://relay:1;tcp\r\n-------tid1$\r\n",
               "goes one hop back");
    buf_clear(&b);
    tap_is_int(msrp_frame_report(&b, "tid2", &h, (struct msrp_range){1, 5, 5}, 200, NULL), 0,
               "a REPORT");
    tap_is_str(b.p,
               "MSRP tid2 REPORT\r\nTo-Path: msrp://relay2:1;tcp " THEM "\r\nFrom-Path: " US
               "\r\nMessage-ID: m123\r\nByte-Range: 1-5/5\r\nStatus: 000 200 OK\r\n"
               "-------tid2$\r\n",
               "goes the whole way back");
    buf_free(&b);
    tap_ok(msrp_answer_wanted(&h, 200) && msrp_answer_wanted(&h, 400), "Failure-Report yes");
    h.failure_report = MSRP_FAILURE_PARTIAL;
    tap_ok(!msrp_answer_wanted(&h, 200) && msrp_answer_wanted(&h, 400), "Failure-Report partial");
    h.failure_report = MSRP_FAILURE_NO;
    tap_ok(!msrp_answer_wanted(&h, 200) && !msrp_answer_wanted(&h, 481), "Failure-Report no");
    h.failure_report = MSRP_FAILURE_YES;
    h.method = SLICE("REPORT");
    tap_ok(!msrp_answer_wanted(&h, 400), "a REPORT is never answered");
}

static void test_ranges(void)
{
    struct msrp_ranges s = {.n = 0};
    tap_ok(msrp_ranges_cover(&s, 0) && !msrp_ranges_cover(&s, 1), "nothing covers only nothing");
    tap_ok(msrp_ranges_add(&s, 5, 6) == 0 && msrp_ranges_add(&s, 1, 2) == 0 && s.n == 2,
           "two ranges, out of order");
    tap_ok(!msrp_ranges_cover(&s, 6), "with a gap");
    tap_ok(msrp_ranges_add(&s, 3, 4) == 0 && s.n == 1 && msrp_ranges_cover(&s, 6),
           "the gap closes by neighbours");
    tap_ok(msrp_ranges_add(&s, 2, 3) == 0 && s.n == 1 && s.r[0].start == 1 && s.r[0].end == 6,
           "a range within");
    tap_ok(msrp_ranges_add(&s, 4, 3) == 0 && s.n == 1 && s.r[0].start == 1 && s.r[0].end == 6,
           "an empty range");
    tap_ok(msrp_ranges_add(&s, 6, UINT64_MAX) == 0 && msrp_ranges_cover(&s, UINT64_MAX),
           "a range up to the end of numbers");
    s.n = 0;
    int err = 0;
    for (uint64_t i = 0; i < MSRP_RANGES_MAX; i++)
        err |= msrp_ranges_add(&s, 1 + 2 * i, 1 + 2 * i);
    tap_is_int(err, 0, "as many gaps as fit");
    tap_is_int(msrp_ranges_add(&s, 2000, 2000), ENOSPC, "and one more");
    tap_ok(msrp_ranges_add(&s, 1, 2000) == 0 && s.n == 1, "one that spans them all");
}

/* One chunk of n octets from `start`. */
static int chunk(struct msrp_receipt *r, struct msrp_range range, size_t n, char flag)
{
    const char *why;
    struct msrp_head h = {.request = true, .message_id = SLICE("m123"), .range = range};
    struct msrp_event ev = {.head = &h, .flag = flag, .has_body = true, .body = n};
    int code = msrp_receipt_head(r, &h, &why);
    if (!code)
        code = msrp_receipt_data(r, n, &why);
    return code ? code : msrp_receipt_end(r, &ev, &why);
}

static void test_receipt(void)
{
    struct msrp_receipt r = {.total = 0};
    tap_is_int(chunk(&r, (struct msrp_range){1, MSRP_ANY, 30}, 10, '+'), 0, "the first chunk");
    tap_is_int(chunk(&r, (struct msrp_range){21, 30, 30}, 10, '$'), 0,
               "the last before the second");
    tap_ok(!r.complete, "is not complete yet");
    tap_is_int(chunk(&r, (struct msrp_range){11, 20, 30}, 10, '+'), 0, "the second");
    tap_ok(r.complete && r.total == 30 && r.chunks == 3, "is complete in any order");
    r = (struct msrp_receipt){.total = 0};
    tap_is_int(chunk(&r, (struct msrp_range){1, MSRP_ANY, 30}, 31, '$'), 413, "past the total");
    r = (struct msrp_receipt){.total = 0};
    tap_is_int(chunk(&r, (struct msrp_range){1, MSRP_ANY, MSRP_ANY}, 7, '$'), 0, "total unknown");
    tap_ok(r.complete && r.total == 7, "the chunk with $ tells the length");
    r = (struct msrp_receipt){.total = 0};
    tap_is_int(chunk(&r, (struct msrp_range){1, MSRP_ANY, 7}, 7, '#'), 0, "aborted");
    tap_ok(r.aborted && !r.complete, "is not complete");
    r = (struct msrp_receipt){.total = 0};
    tap_is_int(chunk(&r, (struct msrp_range){1, MSRP_ANY, 7}, 3, '+'), 0, "a total");
    tap_is_int(chunk(&r, (struct msrp_range){4, MSRP_ANY, 8}, 3, '+'), 400, "and another total");
    r = (struct msrp_receipt){.total = 0};
    struct msrp_head h = {.request = true, .message_id = SLICE("m123"), .range = {1, 0, 0}};
    struct msrp_event ev = {.head = &h, .flag = '$'};
    const char *why;
    tap_ok(msrp_receipt_head(&r, &h, &why) == 0 && msrp_receipt_end(&r, &ev, &why) == 0 &&
               !r.complete,
           "a bodiless SEND is no message");
    tap_is_int(chunk(&r, (struct msrp_range){1, 3, 3}, 3, '$'), 0, "and says nothing about one");
    r = (struct msrp_receipt){.total = 0};
    tap_is_int(chunk(&r, (struct msrp_range){900, MSRP_ANY, 7}, 3, '+'), 413,
               "a start behind the end");
}

static void test_verdicts(void)
{
    static const struct {
        int code, status;
    } want[] = {{200, 0},  {400, 69}, {403, 69}, {408, 75}, {413, 69}, {415, 69}, {423, 75},
                {481, 75}, {501, 76}, {506, 75}, {499, 69}, {599, 75}, {699, 69}, {302, 76}};
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        const char *why;
        tap_ok(msrp_verdict(want[i].code, &why) == want[i].status, "the verdict on %d",
               want[i].code);
    }
}

int main(void)
{
    test_frames();
    test_responses();
    test_ranges();
    test_receipt();
    test_verdicts();
    return tap_done();
}
