/* The transcript: on stderr with -vv, and in the file of --trace. */
#include "base/clock.h"
#include "base/err.h"
#include "trace/trace_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX ((size_t)1024 * 1024) /* of one message, with the marks */
#define HEAD_MAX 256

static struct {
    struct record_file *file;
    struct under_way *under_way;
    struct buf lines;
} transcript;

/* --- The file: a line that a killed process began is closed, whatever the file holds. */

static off_t mend(int fd, off_t known, off_t size)
{
    char last = '\n';
    (void)known;
    if (size > 0 && pread(fd, &last, 1, size - 1) != 1)
        return -1;
    if (last != '\n' && write(fd, "\n", 1) != 1)
        return -1;
    return last == '\n' ? size : size + 1;
}

static const struct record_kind text_kind = {.mend = mend};

/* As in a session file, so that the lines of both can be sorted together. */
static void add_who(struct buf *b)
{
    char now[CLOCK_TEXT_SIZE];
    clock_text(now, clock_wall_ms());
    (void)buf_format(b, "%s %s[%d] ", now, err_name(), (int)getpid());
}

static void on_line(const char *mark, const char *text, size_t n)
{
    struct buf b = BUF_UP_TO(TEXT_MAX);
    (void)buf_format(&b, "%s ", mark);
    add_who(&b);
    (void)buf_add(&b, text, n);
    (void)buf_add_text(&b, "\n");
    record_append(transcript.file, buf_slice(&b));
    buf_free(&b);
}

void text_open(const struct trace_options *o)
{
    transcript.lines = BUF_UP_TO(TEXT_MAX);
    if (o->trace)
        transcript.file = record_open("--trace", o->trace, &text_kind);
    if (transcript.file)
        err_listen(on_line);
}

void text_close(void)
{
    struct record_file *f = transcript.file;
    err_listen(NULL);
    transcript.file = NULL;
    record_close(f);
    free(transcript.under_way);
    transcript.under_way = NULL;
    buf_free(&transcript.lines);
}

bool trace_shows(void)
{
    return record_takes(transcript.file) || err_verbosity >= ERR_WIRE;
}

/* --- Messages. */

static const char *mark_of(const struct trace_message *m, bool odd)
{
    static const char *const marks[2][2][2] = {
        {{"<- ", "<**"}, {"<~ ", "<~*"}},
        {{" ->", "**>"}, {" ~>", "*~>"}},
    };
    return marks[m->sent][m->encrypted][odd];
}

static void add_line(struct buf *b, const char *mark, struct slice line)
{
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    size_t begin = b->n;
    (void)buf_format(b, "%s%s", mark, line.n > 0 ? " " : "");
    (void)buf_add_slice(b, line);
    err_tame(b->p + begin, b->n - begin, '.');
    (void)buf_add_text(b, "\n");
}

static void add_message(struct buf *b, const char *mark, const struct trace_message *m)
{
    struct slice rest = m->text;
    while (rest.n > 0)
        add_line(b, mark, slice_cut(&rest, '\n'));
    if (m->content > 0)
        (void)buf_format(b, "%s (%llu octets)\n", mark, (unsigned long long)m->content);
}

static void headline(char text[HEAD_MAX], const struct trace_message *m,
                     const struct under_way_note *note)
{
    char peer[NET_TEXT_SIZE], past[48] = "";
    net_addr_text(peer, m->peer);
    if (note->known)
        (void)snprintf(past, sizeof past, ", %.3f s after its request", note->past);
    (void)snprintf(text, HEAD_MAX, "%s %s %s, %llu octets%s%s", m->sent ? "sent" : "received",
                   m->over, peer, (unsigned long long)(m->text.n + m->content),
                   note->again ? ", once more" : "", past);
}

/* One record, so that nobody's lines come between. */
static void to_file(const char *head, struct slice lines)
{
    struct buf b = BUF_UP_TO(2 * TEXT_MAX);
    (void)buf_add_text(&b, "=== ");
    add_who(&b);
    (void)buf_format(&b, "%s\n", head);
    (void)buf_add_slice(&b, lines);
    record_append(transcript.file, buf_slice(&b));
    buf_free(&b);
}

void trace_message(const struct trace_message *m)
{
    char head[HEAD_MAX];
    if (!trace_shows())
        return;
    struct under_way_note note = under_way_note(&transcript.under_way, m);
    bool odd = m->failure || (note.again && m->kind != TRACE_PROVISIONAL);
    struct buf *b = &transcript.lines;
    buf_clear(b);
    add_message(b, mark_of(m, odd), m);
    if (b->n > 0)
        mask_sessions(b->p, b->n);
    headline(head, m, &note);
    err_wire(head, b->p, b->n);
    if (record_takes(transcript.file))
        to_file(head, buf_slice(b));
}
