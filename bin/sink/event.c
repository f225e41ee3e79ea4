/* The sink's event lines (cpm-session(5) has their form). */
#include "base/err.h"
#include "base/file.h"
#include "bin/sink/sink.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ERRORS_SHOWN 20
#define WHY_SIZE     512

void event_begin(struct line_out *o, const struct call *c, const char *event)
{
    line_begin(o, event, c ? c->sid : NULL);
}

void event_peer_slice(struct line_out *o, const char *key, struct slice value)
{
    line_free_text(o, key, value);
}

void event_peer(struct line_out *o, const char *key, const char *value)
{
    event_peer_slice(o, key, slice_of(value));
}

/* A reader that went away takes nothing from the peers: the sink goes on. */
void event_end(struct line_out *o)
{
    if (line_end(o)) {
        err_warn("an event does not fit into a line and is left out");
        return;
    }
    int error = file_write_all(STDOUT_FILENO, o->text, o->n);
    (void)error;
}

void call_error(struct call *c, const char *format, ...)
{
    struct line_out o;
    char why[WHY_SIZE];
    va_list ap;
    if (++c->errors > ERRORS_SHOWN)
        return;
    va_start(ap, format);
    (void)vsnprintf(why, sizeof why, format, ap);
    va_end(ap);
    event_begin(&o, c, "sink.error");
    event_peer(&o, "why", why);
    event_end(&o);
}

void sink_error(const char *why)
{
    struct line_out o;
    event_begin(&o, NULL, "sink.error");
    event_peer(&o, "why", why);
    event_end(&o);
}
