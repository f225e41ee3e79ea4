/* What the file brings to cpm-bye's transcript. */
#include "stage/stage_int.h"

#include <string.h>

static void show_line(struct stage *s, struct slice text)
{
    char whole[LINE_MAX_SIZE];
    if (text.n >= sizeof whole)
        return;
    memcpy(whole, text.p, text.n);
    whole[text.n] = '\n';
    stage_show(s, (struct slice){whole, text.n + 1});
}

/* Those of the last attempt wait until it is joined. What is too much for stdout may be left out:
 * the file has it. */
void transcript_line(void *arg, const struct line *l, struct slice text)
{
    struct stage *s = arg;
    if (s->sid[0] != '\0') {
        if (slice_is(l->sid, s->sid))
            show_line(s, text);
        return;
    }
    if (slice_is(l->event, "attempt.start"))
        buf_clear(&s->before);
    if (slice_is(l->sid, journal_sid(s->journal)) && buf_add_slice(&s->before, text) == 0)
        (void)buf_add(&s->before, "\n", 1);
}

void transcript_begin(struct stage *s)
{
    struct slice rest = buf_slice(&s->before);
    while (rest.n > 0)
        show_line(s, slice_cut(&rest, '\n'));
    buf_free(&s->before);
}
