/* The sender, RFC 4975 sections 7.1 and 7.3.2. */
#include "msrp/send.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* A transact-id is a random part that is the attempt's, and the number of the chunk: it is new for
 * every chunk, and ours are known again.
 *
 * The end-line must not occur in the data (RFC 4975 7.1). It is not looked for; it cannot be met:
 * the random part is drawn when the recipient is connected, long after the octets were written, so
 * nobody could write it into them, and by chance its 143 bits occur in a message of 1 GiB once in
 * 2^113 attempts, far more seldom than memory and TCP's checksum err. Who changes the file while it
 * is being sent would deceive a look beforehand just as well; such a message never gets its last
 * end-line (`unchanged`). And to look costs more than to send: sendfile touches no octet, and
 * reading them all at the speed of the memory halves the rate (make bench). */
#define ID_RANDOM    24
#define CHUNKS       256 /* unanswered at a time */
#define WINDOW_PARTS 8   /* a growing chunk's share of the window */

struct chunk {
    char id[MSRP_IDENT_MAX + 1];
    uint64_t start;   /* octets from 0 */
    uint64_t end;     /* planned; when closed: as it is */
    uint64_t end_at;  /* stream position behind its end-line */
    int64_t taken_ms; /* when the peer's TCP had it all; 0: not yet */
    bool closed;
    bool answered; /* well, and before it was closed */
};

struct msrp_sender {
    struct msrp_sending w;
    char *to_path, *from_path, *message_id, *content_type;
    char prefix[ID_RANDOM + 1];
    uint64_t number; /* of the last id */
    uint64_t begun;

    size_t n; /* of the chunks */
    bool open;
    uint64_t sent; /* octets of the message that went out */
    uint64_t window;
    uint64_t chunk_size;
    uint64_t confirmed;
    struct msrp_ranges reported;
    bool stopping;
    int64_t quiet_ms; /* since when only REPORTs or errors can come; 0: not yet */
    bool overtaxed;   /* the recipient hung up, or fell silent */
    bool over;
    struct msrp_outcome outcome;
    struct chunk
        chunks[CHUNKS]; /* unanswered, oldest first; the open one is the last; not cleared */
};

static char *copy_of(struct slice *s)
{
    char *text = slice_dup(*s);
    s->p = text;
    return text;
}

/* Where answers are not asked for, nothing tells how much the peer can take. */
static bool answers_due(const struct msrp_sender *s)
{
    return s->w.failure_report == MSRP_FAILURE_YES;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t growing_chunk(const struct msrp_sender *s)
{
    if (s->w.chunk)
        return s->w.chunk;
    if (!answers_due(s))
        return MSRP_CHUNK_GENTLE;
    if (s->window <= MSRP_CHUNK_GENTLE)
        return s->window;
    return least(most(s->window / WINDOW_PARTS, MSRP_CHUNK_GENTLE), MSRP_CHUNK_MAX);
}

struct msrp_sender *msrp_sender_new(const struct msrp_sending *what)
{
    struct msrp_sender *s = mem_new_part(sizeof(*s), offsetof(struct msrp_sender, chunks));
    s->w = *what;
    s->to_path = copy_of(&s->w.to_path);
    s->from_path = copy_of(&s->w.from_path);
    s->message_id = copy_of(&s->w.message_id);
    s->w.content_type = s->content_type = mem_dup(what->content_type);
    (what->token ? what->token : rand_token)(s->prefix, ID_RANDOM);
    if (s->w.window_max == 0 || s->w.chunk) /* a fixed size is for who knows better */
        s->w.window_max = most(s->w.chunk, MSRP_WINDOW_MAX);
    s->window = least(most(s->w.chunk, MSRP_CHUNK_START), s->w.window_max);
    s->chunk_size = growing_chunk(s);
    s->outcome.report = "none";
    return s;
}

void msrp_sender_free(struct msrp_sender *s)
{
    if (!s)
        return;
    free(s->to_path);
    free(s->from_path);
    free(s->message_id);
    free(s->content_type);
    free(s);
}

/* --- The verdict. */

static void end(struct msrp_sender *s, int status, const char *why)
{
    if (s->over)
        return;
    s->over = true;
    s->outcome.status = status;
    s->outcome.why = why;
}

static void end_by_code(struct msrp_sender *s, int code, struct slice reason)
{
    if (s->over)
        return;
    const char *why;
    int status = msrp_verdict(code, &why);
    s->outcome.code = code;
    utf8_copy(s->outcome.reason, sizeof(s->outcome.reason), reason);
    end(s, status, why);
}

static bool all_sent(const struct msrp_sender *s)
{
    return s->sent == s->w.total && !s->open;
}

static bool all_there(const struct msrp_sender *s)
{
    return s->confirmed == s->w.total;
}

static bool is_reported(const struct msrp_sender *s)
{
    return s->w.success_report && all_sent(s) && msrp_ranges_cover(&s->reported, s->w.total);
}

static void end_reported(struct msrp_sender *s)
{
    if (!s->over)
        s->outcome.report = "success";
    end(s, EX_OK, "");
}

/* Is this the end, or the beginning of the last wait? */
static void settle(struct msrp_sender *s, int64_t now)
{
    if (s->over || !all_there(s))
        return;
    if (is_reported(s)) {
        end_reported(s);
    } else if (!s->w.success_report && answers_due(s)) {
        end(s, EX_OK, "");
    } else if (s->quiet_ms == 0) {
        s->quiet_ms = now;
    }
}

/* Everything is there, and no more is waited for. */
static void end_without_report(struct msrp_sender *s)
{
    if (s->w.success_report)
        s->outcome.report = "missing";
    if (s->w.success_report && s->w.require_report)
        end(s, EX_TEMPFAIL, "the recipient sent no report");
    else
        end(s, EX_OK, "");
}

/* A REPORT comes from the recipient itself and says more than the next hop's 200. */
void msrp_sender_give_up(struct msrp_sender *s, int status, const char *why)
{
    if (is_reported(s))
        end_reported(s);
    else if (all_there(s))
        end_without_report(s);
    else
        end(s, status, why);
}

void msrp_sender_fail(struct msrp_sender *s, int status, const char *why)
{
    end(s, status, why);
}

const struct msrp_outcome *msrp_sender_outcome(const struct msrp_sender *s)
{
    return s->over ? &s->outcome : NULL;
}

/* --- Chunks. */

static struct chunk *current(struct msrp_sender *s)
{
    return &s->chunks[s->n - 1];
}

static uint64_t unanswered(const struct msrp_sender *s)
{
    uint64_t octets = 0;
    for (size_t i = 0; i < s->n; i++)
        octets += s->chunks[i].end - s->chunks[i].start;
    return octets;
}

static void forget(struct msrp_sender *s, size_t i)
{
    memmove(&s->chunks[i], &s->chunks[i + 1], (s->n - i - 1) * sizeof(s->chunks[0]));
    s->n--;
}

/* Where nobody has to answer them, the two oldest chunks count as one. */
static void join_oldest(struct msrp_sender *s)
{
    s->chunks[1].start = s->chunks[0].start;
    forget(s, 0);
}

static uint64_t next_size(const struct msrp_sender *s)
{
    return least(s->chunk_size, s->w.total - s->sent);
}

static bool may_begin(const struct msrp_sender *s)
{
    if (msrp_sender_cut(s) || s->sent == s->w.total)
        return false;
    if (!answers_due(s) || s->n == 0)
        return true;
    return s->n < CHUNKS && !s->w.stop_and_wait && unanswered(s) + next_size(s) <= s->window;
}

static void confirm(struct msrp_sender *s, size_t i, int64_t now)
{
    uint64_t octets = s->chunks[i].end - s->chunks[i].start;
    s->confirmed += octets;
    forget(s, i);
    s->window = least(s->window + octets, s->w.window_max);
    s->chunk_size = growing_chunk(s);
    settle(s, now);
}

void msrp_sender_unreadable(struct msrp_sender *s, int error)
{
    const char *why = error == ENODATA || error == ESTALE
                          ? "the message file changed while it was being sent"
                          : "the message file cannot be read";
    end(s, EX_IOERR, why);
}

static int chunk_head(struct msrp_sender *s, struct buf *text)
{
    const struct chunk *c = current(s);
    bool long_one = c->end - c->start > MSRP_INTERRUPTIBLE;
    struct msrp_send head = {.id = c->id,
                             .to_path = s->w.to_path,
                             .from_path = s->w.from_path,
                             .message_id = s->w.message_id,
                             .range = {c->start + 1, long_one ? MSRP_ANY : c->end, s->w.total},
                             .failure_report = s->w.failure_report,
                             .success_report = s->w.success_report,
                             .content_type = s->w.content_type};
    return msrp_frame_send(text, &head);
}

static void cannot_frame(struct msrp_sender *s)
{
    end(s, EX_SOFTWARE, "a chunk cannot be framed");
}

static void begin_chunk(struct msrp_sender *s, struct buf *text)
{
    if (s->n == CHUNKS)
        join_oldest(s);
    s->chunks[s->n++] = (struct chunk){.start = s->sent, .end = s->sent + next_size(s)};
    struct chunk *c = current(s);
    (void)snprintf(c->id, sizeof(c->id), "%s%08llx", s->prefix, (unsigned long long)++s->number);
    s->open = chunk_head(s, text) == 0;
    if (!s->open) {
        s->n--;
        cannot_frame(s);
    }
    s->begun += s->open;
}

/* `at` is the stream position of the text's end before. */
static void end_chunk(struct msrp_sender *s, char flag, int64_t now, uint64_t at, struct buf *text)
{
    struct chunk *c = current(s);
    size_t before = text->n;
    if (msrp_frame_end(text, c->id, true, flag) != 0)
        cannot_frame(s);
    c->end = s->sent;
    c->end_at = at + (text->n - before);
    c->closed = true;
    s->open = false;
    if (flag == '#')
        forget(s, s->n - 1);
    else if (c->answered) /* before its end: it is good for what went out */
        confirm(s, s->n - 1, now);
}

static void end_chunk_in_order(struct msrp_sender *s, int64_t now, uint64_t at, struct buf *text)
{
    bool last = s->sent == s->w.total;
    int err = last ? s->w.octets.unchanged(s->w.octets.arg) : 0;
    if (err) {
        msrp_sender_unreadable(s, err);
        end_chunk(s, '#', now, at, text);
        return;
    }
    end_chunk(s, last ? '$' : '+', now, at, text);
}

/* A chunk is open and nothing of it waits. True: there is more of it, *piece. */
static bool go_on(struct msrp_sender *s, int64_t now, uint64_t at, struct buf *text,
                  struct msrp_piece *piece)
{
    uint64_t left = current(s)->end - s->sent;
    if (msrp_sender_cut(s))
        end_chunk(s, '#', now, at, text);
    else if (left == 0)
        end_chunk_in_order(s, now, at, text);
    else
        *piece = (struct msrp_piece){s->sent, left};
    return left != 0 && s->open;
}

bool msrp_sender_next(struct msrp_sender *s, int64_t now, uint64_t at, bool may_open,
                      struct buf *text, struct msrp_piece *piece)
{
    size_t before = text->n;
    *piece = (struct msrp_piece){0, 0};
    while (s->open || (may_open && may_begin(s))) {
        if (!s->open)
            begin_chunk(s, text);
        if (s->open && go_on(s, now, at + (text->n - before), text, piece))
            return true;
    }
    return text->n > before;
}

void msrp_sender_sent(struct msrp_sender *s, size_t n)
{
    s->sent += n;
}

bool msrp_sender_cut(const struct msrp_sender *s)
{
    return s->over || s->stopping;
}

bool msrp_sender_interrupt(struct msrp_sender *s, int64_t now, uint64_t at, struct buf *text)
{
    if (!s->open)
        return true;
    const struct chunk *c = current(s);
    if (msrp_sender_cut(s) || c->end - c->start <= MSRP_INTERRUPTIBLE || s->sent == c->start ||
        s->sent == c->end)
        return false;
    end_chunk(s, '+', now, at, text);
    return true;
}

void msrp_sender_stop(struct msrp_sender *s)
{
    s->stopping = true;
}

/* --- What the peer says. */

void msrp_sender_response(struct msrp_sender *s, const struct msrp_head *h, int64_t now)
{
    size_t i = 0;
    while (i < s->n && !slice_is(h->id, s->chunks[i].id))
        i++;
    bool good = h->code >= 200 && h->code <= 299;
    bool known = i < s->n;
    if (!known && (good || answers_due(s) || !slice_starts(h->id, s->prefix)))
        return; /* not ours, or answered before */
    if (!good) {
        end_by_code(s, h->code, h->comment);
    } else if (!s->chunks[i].closed) {
        s->chunks[i].answered = true;
    } else {
        confirm(s, i, now);
    }
}

void msrp_sender_report(struct msrp_sender *s, const struct msrp_head *h, int64_t now)
{
    if (h->fault || h->status == 0 || !slice_eq(h->message_id, s->w.message_id))
        return;
    if (h->status < 200 || h->status > 299) {
        end_by_code(s, h->status, h->status_text);
        return;
    }
    /* One that would leave more gaps than can be kept counts as not sent. */
    if (msrp_ranges_add(&s->reported, h->range.start, least(h->range.end, s->w.total)) == 0)
        settle(s, now);
}

/* --- Time. */

void msrp_sender_taken(struct msrp_sender *s, int64_t now, uint64_t position)
{
    for (size_t i = 0; i < s->n; i++) {
        struct chunk *c = &s->chunks[i];
        if (c->closed && c->taken_ms == 0 && c->end_at <= position)
            c->taken_ms = now;
    }
    if (answers_due(s))
        return;
    while (s->n > 0 && s->chunks[0].taken_ms != 0) {
        s->confirmed += s->chunks[0].end - s->chunks[0].start;
        forget(s, 0);
    }
    settle(s, now);
}

int64_t msrp_sender_due(const struct msrp_sender *s)
{
    if (s->over)
        return CLOCK_NEVER;
    if (s->quiet_ms)
        return s->quiet_ms + s->w.report_timeout_ms;
    int64_t due = CLOCK_NEVER;
    for (size_t i = 0; answers_due(s) && i < s->n; i++) {
        int64_t one = s->chunks[i].taken_ms + MSRP_ANSWER_MS;
        if (s->chunks[i].taken_ms != 0 && one < due)
            due = one;
    }
    return due;
}

void msrp_sender_time(struct msrp_sender *s, int64_t now)
{
    if (s->over || now < msrp_sender_due(s))
        return;
    if (s->quiet_ms) {
        end_without_report(s);
        return;
    }
    s->overtaxed = true;
    msrp_sender_give_up(s, EX_TEMPFAIL, "the recipient did not answer a chunk in 30 seconds");
}

void msrp_sender_hung_up(struct msrp_sender *s)
{
    s->overtaxed = s->overtaxed || !s->over;
}

uint64_t msrp_sender_lesson(const struct msrp_sender *s)
{
    bool lesson = s->overtaxed && s->n > 0 && answers_due(s) && !s->w.chunk && !s->stopping;
    return lesson ? most(s->window / 4, MSRP_WINDOW_MIN) : 0;
}

struct msrp_progress msrp_sender_progress(const struct msrp_sender *s)
{
    return (struct msrp_progress){s->sent, s->confirmed, s->begun, s->window};
}

bool msrp_sender_waits(const struct msrp_sender *s)
{
    return !s->over && answers_due(s) && s->n > 0;
}

bool msrp_sender_blocked(const struct msrp_sender *s)
{
    return !msrp_sender_cut(s) && !s->open && s->sent < s->w.total && !may_begin(s);
}
