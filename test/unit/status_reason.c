/* Every code that a peer may answer has one row, whatever it is. */
#include "status/snapshot_int.h"
#include "test/unit/tap.h"

static bool is_row(enum status_stage stage, int code, const char *text)
{
    const struct status_reason *r = &status_reasons[status_reason_of(stage, code)];
    return r->stage == stage && strcmp(r->code, text) == 0;
}

static bool all_fit(enum status_stage stage)
{
    for (int code = 0; code <= 999; code++) {
        const struct status_reason *r = &status_reasons[status_reason_of(stage, code)];
        if (r->stage != stage || code < r->low || code > r->high)
            return false;
    }
    return true;
}

int main(void)
{
    bool used[STATUS_REASONS] = {false};
    size_t n = 0;
    for (int stage = STAGE_NONE; stage <= STAGE_TRANSFER; stage++) {
        tap_ok(all_fit((enum status_stage)stage), "every code: %s", status_stage_names[stage]);
        for (int code = 0; code <= 999; code++)
            used[status_reason_of((enum status_stage)stage, code)] = true;
    }
    for (size_t i = 0; i < STATUS_REASONS; i++)
        n += used[i];
    tap_ok(n == STATUS_REASONS, "no row is hidden by one before it");
    tap_ok(is_row(STAGE_INVITE, 486, "486") && is_row(STAGE_TRANSFER, 413, "413"), "by the code");
    tap_ok(is_row(STAGE_INVITE, 499, "4xx") && is_row(STAGE_INVITE, 699, "6xx"), "by the class");
    tap_ok(is_row(STAGE_INVITE, 0, "none") && is_row(STAGE_TRANSFER, 999, "none") &&
               is_row(STAGE_NONE, 486, "none"),
           "by nothing");
    return tap_done();
}
