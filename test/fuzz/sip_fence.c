/* A SIP message, as a datagram and as the beginning of a stream: what is taken has all that a
 * message needs, and can be answered; what is refused is answered with its own lines, or not. */
#include "sip/fence.h"
#include "sip/stack_int.h"
#include "test/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void silent(const char *file, int line, osip_trace_level_t level, const char *format,
                   va_list ap)
{
    (void)file;
    (void)line;
    (void)level;
    (void)format;
    (void)ap;
}

static void start_once(void)
{
    static osip_t *osip;
    if (osip)
        return;
    osip_trace_initialize_func(END_TRACE_LEVEL, silent);
    HOLDS(osip_init(&osip) == 0);
}

static void answer(osip_message_t *m)
{
    struct osip_message *r = sip_response_to(m, 200, NULL);
    char *text;
    size_t n;
    HOLDS(r);
    if (message_text(r, &text, &n) == 0) {
        HOLDS(strncmp(text, "SIP/2.0 200 OK\r\n", 16) == 0 && strlen(text) == n);
        HOLDS(!strstr(text, "\r\n" SHADOW));
        free(text);
    }
    osip_message_free(r);
}

static void taken(osip_event_t *event, size_t n)
{
    osip_message_t *m = event->sip;
    const char *type;
    HOLDS(m->from && m->to && m->call_id && m->cseq && osip_list_size(&m->vias) > 0);
    HOLDS(sip_status(m) == 0 || (sip_status(m) >= 100 && sip_status(m) <= 699));
    HOLDS(sip_method(m) && sip_header(m, "Via", 0) && sip_body(m, &type).n <= n);
    free(trans_key(m, false, NULL));
    free(trans_key(m, true, NULL));
    if (sip_status(m) == 0)
        answer(m);
    fence_drop(event);
}

static void read_it(struct slice raw, bool stream)
{
    osip_event_t *event;
    struct fence_fault fault;
    int err = fence_read(raw, stream, &event, &fault);
    HOLDS((err == 0) == (event != NULL));
    if (event) {
        taken(event, raw.n);
        return;
    }
    struct buf b = BUF_UP_TO(SIP_MESSAGE_MAX);
    HOLDS(fault.code == 0 || (fault.code >= 400 && fault.code < 600));
    if (fence_refuse(raw, &fault, &b) == 0)
        HOLDS(b.n > 4 && memcmp(b.p + b.n - 4, "\r\n\r\n", 4) == 0);
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct slice raw = {(const char *)bytes, n};
    size_t whole;
    start_once();
    read_it(raw, false);
    int err = fence_frame(raw, &whole);
    HOLDS(whole <= n || err == EAGAIN);
    if (!err)
        read_it((struct slice){raw.p, whole}, true);
    return 0;
}
