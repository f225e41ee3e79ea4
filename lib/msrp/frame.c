/* Frames as they go out, RFC 4975 sections 7.1, 7.1.3 and 7.2. */
#include "msrp/msrp_int.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct comment {
    int code;
    const char *text;
};

static const struct comment comments[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {403, "Action Not Allowed"},
    {408, "Transaction Timeout"},
    {413, "Stop Sending Message"},
    {415, "Unsupported Media Type"},
    {423, "Parameter Out Of Bounds"},
    {481, "No Such Session"},
    {501, "Unknown Method"},
    {506, "Session Already Bound"},
};

/* The usual comment of a code; "" when unknown. */
static const char *usual_comment(int code)
{
    for (size_t i = 0; i < sizeof(comments) / sizeof(comments[0]); i++) {
        if (comments[i].code == code)
            return comments[i].text;
    }
    return "";
}

static int add_number(struct buf *b, uint64_t n)
{
    return n == MSRP_ANY ? buf_add_text(b, "*") : buf_format(b, "%" PRIu64, n);
}

static int add_range(struct buf *b, struct msrp_range r)
{
    int err = buf_format(b, "Byte-Range: %" PRIu64 "-", r.start);
    if (!err)
        err = add_number(b, r.end);
    if (!err)
        err = buf_add_text(b, "/");
    if (!err)
        err = add_number(b, r.total);
    return err ? err : buf_add_text(b, "\r\n");
}

static int add_line(struct buf *b, const char *name, struct slice value)
{
    int err = buf_add_text(b, name);
    if (!err)
        err = buf_add_slice(b, value);
    return err ? err : buf_add_text(b, "\r\n");
}

static int add_paths(struct buf *b, struct slice to, struct slice from)
{
    int err = add_line(b, "To-Path: ", to);
    return err ? err : add_line(b, "From-Path: ", from);
}

/* A frame is in the buffer as a whole or not at all. */
static int undo(struct buf *b, size_t before, int err)
{
    if (err)
        b->n = before;
    return err;
}

static int add_reports(struct buf *b, const struct msrp_send *s)
{
    static const char *const failure[] = {NULL, "partial", "no"};
    int err = 0;
    if (s->success_report)
        err = buf_add_text(b, "Success-Report: yes\r\n");
    if (!err && s->failure_report != MSRP_FAILURE_YES)
        err = buf_format(b, "Failure-Report: %s\r\n", failure[s->failure_report]);
    return err;
}

int msrp_frame_send(struct buf *b, const struct msrp_send *s)
{
    size_t before = b->n;
    int err = buf_format(b, "MSRP %s SEND\r\n", s->id);
    if (!err)
        err = add_paths(b, s->to_path, s->from_path);
    if (!err)
        err = add_line(b, "Message-ID: ", s->message_id);
    if (!err)
        err = add_range(b, s->range);
    if (!err)
        err = add_reports(b, s);
    if (!err && s->content_type)
        err = buf_format(b, "Content-Type: %s\r\n\r\n", s->content_type);
    return undo(b, before, err);
}

int msrp_frame_end(struct buf *b, const char *id, bool has_body, char flag)
{
    return buf_format(b, "%s-------%s%c\r\n", has_body ? "\r\n" : "", id, flag);
}

int msrp_frame_response(struct buf *b, const struct msrp_head *request, int code,
                        const char *comment)
{
    size_t before = b->n;
    int err = buf_format(b, "MSRP %.*s %03d", (int)request->id.n, request->id.p, code);
    const char *text = comment ? comment : usual_comment(code);
    if (!err)
        err = buf_format(b, "%s%s\r\n", *text ? " " : "", text);
    if (!err)
        err = add_paths(b, msrp_path_first(request->from_path), msrp_path_first(request->to_path));
    if (!err)
        err = buf_format(b, "-------%.*s$\r\n", (int)request->id.n, request->id.p);
    return undo(b, before, err);
}

int msrp_frame_report(struct buf *b, const char *id, const struct msrp_head *request,
                      struct msrp_range range, int code, const char *comment)
{
    size_t before = b->n;
    int err = buf_format(b, "MSRP %s REPORT\r\n", id);
    if (!err)
        err = add_paths(b, request->from_path, msrp_path_last(request->to_path));
    if (!err)
        err = add_line(b, "Message-ID: ", request->message_id);
    if (!err)
        err = add_range(b, range);
    if (!err)
        err =
            buf_format(b, "Status: 000 %03d %s\r\n", code, comment ? comment : usual_comment(code));
    if (!err)
        err = msrp_frame_end(b, id, false, '$');
    return undo(b, before, err);
}
