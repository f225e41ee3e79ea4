/* The lines of a dialog's requests, written alike by its owner and by who takes over. */
#include "sip/agent.h"

#include <osipparser2/osip_parser.h>

int emit_cseq(int64_t cseq, const char *method, const char *sid, emit_f *emit, void *arg)
{
    struct line_out o;

    line_begin(&o, "dialog.cseq", sid);
    line_number(&o, "cseq", cseq);
    line_text(&o, "method", method);
    return emit(arg, &o, false);
}

int emit_bye_sent(int64_t cseq, const char *method, const char *sid, emit_f *emit, void *arg)
{
    struct line_out o;

    line_begin(&o, "bye.sent", sid);
    line_text(&o, "method", method);
    line_number(&o, "cseq", cseq);
    return emit(arg, &o, false);
}

static void emit_code(struct line_out *o, int code)
{
    if (code != 0) /* no answer has none */
        line_number(o, "code", code);
}

int emit_bye_answered(const char *method, int code, const char *reason, const char *sid,
                      emit_f *emit, void *arg)
{
    struct line_out o;

    line_begin(&o, "bye.answered", sid);
    line_text(&o, "method", method);
    emit_code(&o, code);
    line_free_text(&o, "reason", slice_of(reason));
    return emit(arg, &o, false);
}

int emit_bye_failed(const char *method, int code, const char *why, const char *sid, emit_f *emit,
                    void *arg)
{
    struct line_out o;

    line_begin(&o, "bye.failed", sid);
    line_text(&o, "method", method);
    emit_code(&o, code);
    line_text(&o, "why", why);
    return emit(arg, &o, false);
}

const char *reason_of(const struct osip_message *m)
{
    return m->reason_phrase != NULL ? m->reason_phrase : "";
}
