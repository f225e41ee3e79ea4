/* Why attempts fail, as a table of its own: what peers say is counted under these rows and no
 * others, so that nobody outside decides how many series there are. */
#include "status/snapshot_int.h"

/* The first one that fits counts; the last one of a stage takes what comes without a code. */
const struct status_reason status_reasons[STATUS_REASONS] = {
    {STAGE_INVITE, "3xx", 300, 399},   {STAGE_INVITE, "403", 403, 403},
    {STAGE_INVITE, "404", 404, 404},   {STAGE_INVITE, "408", 408, 408},
    {STAGE_INVITE, "410", 410, 410},   {STAGE_INVITE, "415", 415, 415},
    {STAGE_INVITE, "480", 480, 480},   {STAGE_INVITE, "486", 486, 486},
    {STAGE_INVITE, "487", 487, 487},   {STAGE_INVITE, "488", 488, 488},
    {STAGE_INVITE, "4xx", 400, 499},   {STAGE_INVITE, "500", 500, 500},
    {STAGE_INVITE, "503", 503, 503},   {STAGE_INVITE, "504", 504, 504},
    {STAGE_INVITE, "5xx", 500, 599},   {STAGE_INVITE, "600", 600, 600},
    {STAGE_INVITE, "603", 603, 603},   {STAGE_INVITE, "604", 604, 604},
    {STAGE_INVITE, "606", 606, 606},   {STAGE_INVITE, "6xx", 600, 699},
    {STAGE_INVITE, "none", 0, 999},    {STAGE_TRANSFER, "400", 400, 400},
    {STAGE_TRANSFER, "403", 403, 403}, {STAGE_TRANSFER, "408", 408, 408},
    {STAGE_TRANSFER, "413", 413, 413}, {STAGE_TRANSFER, "415", 415, 415},
    {STAGE_TRANSFER, "423", 423, 423}, {STAGE_TRANSFER, "481", 481, 481},
    {STAGE_TRANSFER, "4xx", 400, 499}, {STAGE_TRANSFER, "501", 501, 501},
    {STAGE_TRANSFER, "506", 506, 506}, {STAGE_TRANSFER, "5xx", 500, 599},
    {STAGE_TRANSFER, "none", 0, 999},  {STAGE_NONE, "none", 0, 999},
};
const char *const status_stage_names[] = {"none", "invite", "transfer"};

size_t status_reason_of(enum status_stage stage, int code)
{
    size_t i = 0;
    while (i + 1 < STATUS_REASONS &&
           (status_reasons[i].stage != stage || code < status_reasons[i].low ||
            code > status_reasons[i].high))
        i++;
    return i;
}
