/* IDs and names. Pure. */
#include "queue/queue_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/slice.h"

#include <stdio.h>
#include <string.h>

const char *const queue_state_names[] = {"waiting", "held", "done", "failed"};

#define DUE_DIGITS 10

/* FNV-1a, then mixed so that all bits depend on all octets. IDs need no secret: one that is taken
 * by another message is seen, and the next one is used. */
uint64_t queue_hash(uint64_t seed, const char *text)
{
    uint64_t h = 0xcbf29ce484222325u ^ seed;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
    return h ^ (h >> 33);
}

void queue_recipient(const char *to, char hash[QUEUE_RECIPIENT_SIZE])
{
    (void)snprintf(hash, QUEUE_RECIPIENT_SIZE, "%08x", (unsigned)(queue_hash(0, to) >> 32));
}

void queue_make_id(char id[QUEUE_ID_SIZE], const char *to, const char *message, unsigned round)
{
    uint64_t entry = queue_hash(queue_hash(round + 1, to), message);
    queue_recipient(to, id);
    (void)snprintf(id + QUEUE_RECIPIENT_SIZE - 1, QUEUE_ID_SIZE - QUEUE_RECIPIENT_SIZE + 1,
                   "-%016llx", (unsigned long long)entry);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool queue_is_id(const char *text)
{
    if (strnlen(text, QUEUE_ID_SIZE) != QUEUE_ID_SIZE - 1)
        return false;
    for (size_t i = 0; i < QUEUE_ID_SIZE - 1; i++) {
        bool dash = i == QUEUE_RECIPIENT_SIZE - 1;
        if (dash ? text[i] != '-' : !is_hex(text[i]))
            return false;
    }
    return true;
}

bool queue_parse_waiting(const char *text, struct queue_name *n)
{
    uint64_t due;
    if (strnlen(text, DUE_DIGITS + 1) <= DUE_DIGITS || text[DUE_DIGITS] != '-' ||
        !slice_number((struct slice){text, DUE_DIGITS}, INT64_MAX, &due) ||
        !queue_is_id(text + DUE_DIGITS + 1))
        return false;
    *n = (struct queue_name){.state = QUEUE_WAIT, .due = (int64_t)due};
    memcpy(n->id, text + DUE_DIGITS + 1, QUEUE_ID_SIZE);
    return true;
}

bool queue_is_for(const struct queue_name *n, const char *hash)
{
    return strncmp(n->id, hash, QUEUE_RECIPIENT_SIZE - 1) == 0;
}

void queue_day(char day[QUEUE_DAY_SIZE], int64_t wall_ms)
{
    char text[CLOCK_TEXT_SIZE];
    clock_text(text, wall_ms);
    memcpy(day, text, QUEUE_DAY_SIZE - 1);
    day[QUEUE_DAY_SIZE - 1] = '\0';
}

bool queue_is_day(const char *text)
{
    char whole[CLOCK_TEXT_SIZE];
    int64_t ms;
    if (strlen(text) != QUEUE_DAY_SIZE - 1)
        return false;
    (void)snprintf(whole, sizeof whole, "%sT00:00:00.000Z", text);
    return clock_parse(whole, sizeof whole - 1, &ms) == 0;
}

char *queue_sub(const struct queue *q, const char *name)
{
    return mem_format("%s/%s", q->folder, name);
}

char *queue_path(const struct queue *q, const struct queue_name *n)
{
    switch (n->state) {
    case QUEUE_WAIT:
        return mem_format("%s/wait/%0*lld-%s", q->folder, DUE_DIGITS, (long long)n->due, n->id);
    case QUEUE_HELD:
        return mem_format("%s/held/%s", q->folder, n->id);
    case QUEUE_DONE:
        return mem_format("%s/done/%s/%s", q->folder, n->day, n->id);
    case QUEUE_FAILED:
        break;
    }
    return mem_format("%s/failed/%s", q->folder, n->id);
}

char *queue_body_path(const struct queue *q, const char *id)
{
    return mem_format("%s/msg/%s", q->folder, id);
}
