/* A connection's way out: answers, chunks, and the message between them. */
#include "msrp/conn_int.h"

#include "base/clock.h"
#include "msrp/shown.h"

#include <errno.h>

#define SEND_SIZE ((uint64_t)1024 * 1024)
#define SENDS     64 /* at a time, before answers are looked for */

/* Where the text that waits will end in the stream. */
static uint64_t text_end(const struct msrp_conn *c)
{
    return c->written + (c->text.n - c->text_out);
}

/* What a call that writes gave. True: go on. */
static bool wrote(struct msrp_conn *c, ssize_t n)
{
    if (n >= 0) {
        c->written += (uint64_t)n;
        return true;
    }
    c->waits = errno == EAGAIN;
    if (errno != EAGAIN && errno != EINTR)
        c->broken = errno;
    return errno == EINTR;
}

static bool write_text(struct msrp_conn *c)
{
    ssize_t n = msrp_out_text(&c->out, c->text.p + c->text_out, c->text.n - c->text_out);
    if (!wrote(c, n))
        return false;
    c->text_out += n > 0 ? (size_t)n : 0;
    if (c->text_out == c->text.n) {
        buf_clear(&c->text);
        c->text_out = 0;
    }
    return true;
}

static bool write_piece(struct msrp_conn *c)
{
    size_t most = (size_t)(c->piece.n < SEND_SIZE ? c->piece.n : SEND_SIZE);
    ssize_t n = msrp_out_file(&c->out, c->file, c->piece.offset, most);
    if (n == 0 || (n < 0 && !msrp_out_is_sockets(errno))) {
        msrp_sender_unreadable(c->sender, n == 0 ? ENODATA : errno);
        c->piece.n = 0;
        return true;
    }
    if (!wrote(c, n))
        return false;
    if (n > 0) {
        c->piece.offset += (uint64_t)n;
        c->piece.n -= (uint64_t)n;
        msrp_sender_sent(c->sender, (size_t)n);
    }
    return true;
}

/* Answers go out where no chunk is open. */
static void move_answers(struct msrp_conn *c)
{
    if (c->answers.n == 0 || c->text.n)
        return;
    if (c->sender && !msrp_sender_interrupt(c->sender, clock_ms(), text_end(c), &c->text))
        return;
    c->piece.n = 0;
    if (buf_add(&c->text, c->answers.p, c->answers.n) == 0)
        buf_clear(&c->answers);
    msrp_show_sent(&c->peer, c->out.sock.tls, buf_slice(&c->text), c->piece.n);
}

static bool ask_sender(struct msrp_conn *c)
{
    if (!c->sender)
        return false;
    bool more = msrp_sender_next(c->sender, clock_ms(), text_end(c), c->answers.n == 0, &c->text,
                                 &c->piece);
    if (more)
        msrp_show_sent(&c->peer, c->out.sock.tls, buf_slice(&c->text), c->piece.n);
    return more;
}

/* The chunk under way is not to be finished: what is left of the piece stays here. */
static bool is_cut(const struct msrp_conn *c)
{
    return c->sender && msrp_sender_cut(c->sender);
}

/* One step; false: nothing to do, or the socket is full. */
static bool step(struct msrp_conn *c)
{
    if (c->text.n)
        return write_text(c);
    if (c->piece.n && is_cut(c))
        c->piece.n = 0;
    move_answers(c);
    if (c->text.n)
        return true;
    if (c->piece.n)
        return write_piece(c);
    return ask_sender(c);
}

bool msrp_conn_is_idle(const struct msrp_conn *c)
{
    return c->text.n == 0 && c->answers.n == 0 && c->piece.n == 0 && msrp_out_is_empty(&c->out);
}

static void flush(struct msrp_conn *c)
{
    int err = msrp_out_flush(&c->out);
    if (err == EAGAIN)
        c->waits = true;
    else if (err)
        c->broken = err;
}

void msrp_conn_write(struct msrp_conn *c)
{
    c->waits = false;
    int n = 0;
    while (n < SENDS && step(c))
        n++;
    if (!c->broken)
        flush(c);
    if (n == SENDS)
        c->waits = true;
}
