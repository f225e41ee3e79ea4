#include "trace/trace_int.h"

/* The transcript first, which hears what is wrong with the capture, and last for the same reason.
 */
void trace_open(const struct trace_options *o)
{
    text_open(o);
    capture_open(o);
}

void trace_close(void)
{
    capture_close();
    text_close();
}
