/* What to do with an entry, and when. Pure. */
#include "queue/queue_int.h"

#include <sysexits.h>

#define MS 1000

enum queue_class queue_class_of(int status, bool sent)
{
    switch (status) {
    case EX_OK:
        return CLASS_DONE;
    case EX_DATAERR:
    case EX_UNAVAILABLE:
        return CLASS_FAILED;
    case EX_NOINPUT:
        return CLASS_HELD;
    case EX_IOERR:
        return sent ? CLASS_HELD : CLASS_OURS;
    case EX_USAGE:
    case EX_NOPERM:
    case EX_CONFIG:
    case 126:
    case 127:
        return CLASS_OURS;
    case EX_OSERR:
        return sent ? CLASS_LATER : CLASS_OURS;
    default:
        return CLASS_LATER;
    }
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t grown(const struct queue_policy *p, int64_t attempts)
{
    int64_t ms = p->first_ms;
    for (int64_t i = 1; i < attempts && ms < p->most_ms; i++)
        ms = ms > p->most_ms / p->factor ? p->most_ms : ms * p->factor;
    return least(ms, p->most_ms);
}

/* Between -jitter and +jitter percent, by entry and attempt: what was computed once comes out again
 * after a crash. */
static int64_t with_jitter(const struct queue_policy *p, const char *id, int64_t attempts,
                           int64_t ms)
{
    int64_t parts = (int64_t)(queue_hash((uint64_t)attempts, id) % 2001) - 1000;
    return ms + ms / 1000 * p->jitter / 100 * parts;
}

int64_t queue_back_off(const struct queue_policy *p, const char *id, int64_t attempts,
                       int64_t ended_ms, int64_t retry_after_s, int64_t expires_ms)
{
    int64_t due_ms = ended_ms + with_jitter(p, id, attempts, grown(p, attempts));
    if (retry_after_s > 0 && ended_ms + retry_after_s * MS > due_ms)
        due_ms = ended_ms + retry_after_s * MS;
    /* The last attempt is made when the time is over, not after it. */
    if (expires_ms > ended_ms)
        due_ms = least(due_ms, expires_ms);
    int64_t due = (due_ms + MS - 1) / MS;
    int64_t soonest = ended_ms / MS + 1; /* a name not younger than the end is an old one */
    return due < soonest ? soonest : due;
}

static bool was_sent(const struct queue_entry *e)
{
    return journal_has(e->journal, "invite.sent");
}

bool queue_challenged(const struct queue_entry *e)
{
    int64_t code = journal_number(e->journal, "invite.failed.code", 0);
    return code == 401 || code == 407; /* RFC 3261 22 */
}

static bool showed_certificate(const struct queue_entry *e)
{
    return journal_has(e->journal, "invite.answered") &&
           journal_number(e->journal, "msrp.failed.status", EX_OK) == EX_NOPERM;
}

enum queue_class queue_class_of_end(const struct queue_entry *e, int status)
{
    bool his = status == EX_NOPERM && (showed_certificate(e) || queue_challenged(e));
    return his ? CLASS_LATER : queue_class_of(status, was_sent(e));
}

bool queue_set_up(const struct queue_entry *e)
{
    return journal_has(e->journal, "dialog.confirmed");
}

bool queue_dangles(const struct queue_entry *e)
{
    const struct journal *j = e->journal;
    return was_sent(e) && !journal_has(j, "bye.answered") && !journal_has(j, "bye.failed") &&
           !journal_has(j, "session.ended") && !journal_has(j, "invite.failed");
}

/* A clock that stands before what it wrote itself, or ten years after the message came, is no
 * ground to give a message up. */
static bool clock_is_sound(const struct queue_entry *e, int64_t now_ms)
{
    const int64_t minute = 60 * MS, years = (int64_t)10 * 365 * 24 * 60 * minute;
    int64_t born = queue_entry_time(e, "entry.birth");
    return now_ms >= e->facts.newest_ms - 5 * minute && now_ms >= born - 5 * minute &&
           now_ms < born + years;
}

static bool is_expired(const struct queue_entry *e, int64_t now_ms)
{
    int64_t expires = queue_entry_time(e, "entry.expires");
    return expires != 0 && now_ms >= expires && clock_is_sound(e, now_ms);
}

/* The longest Retry-After that is believed is the time the message has. */
#define RETRY_AFTER_MOST ((int64_t)30 * 24 * 3600)

static int64_t next_due(const struct queue_entry *e, const struct queue_policy *p)
{
    int64_t after = journal_number(e->journal, "invite.failed.retry-after", 0);
    return queue_back_off(p, e->name.id, e->facts.attempts, e->facts.outcome_ms,
                          least(after, RETRY_AFTER_MOST), queue_entry_time(e, "entry.expires"));
}

int64_t queue_notify_due(const struct queue_entry *e, const struct queue_policy *p)
{
    return queue_back_off(p, e->name.id, e->facts.not_notified, e->facts.newest_ms, 0, 0);
}

/* The last attempt failed, and nobody has dealt with that. */
static void decide_end(const struct queue_entry *e, const struct queue_policy *p, int64_t now_ms,
                       struct queue_decision *d)
{
    int status = (int)journal_number(e->journal, "outcome.status", EX_TEMPFAIL);
    enum queue_class c = queue_class_of_end(e, status);
    d->failed = true;
    if (c == CLASS_FAILED) {
        d->what = DO_FAIL;
        d->why = WHY_REFUSED;
    } else if (c == CLASS_HELD) {
        d->what = DO_HOLD;
    } else if (c == CLASS_LATER && is_expired(e, now_ms)) {
        d->what = DO_FAIL;
        d->why = WHY_EXPIRED;
    } else {
        d->what = DO_DEFER;
        d->due = next_due(e, p);
    }
}

void queue_decide(const struct queue_entry *e, const struct queue_policy *p, int64_t now_ms,
                  enum queue_when when, struct queue_decision *d)
{
    const struct queue_facts *f = &e->facts;
    bool anew = f->wish == WISH_RETRY || f->wish == WISH_RELEASE;
    bool due = when != WHEN_DUE || e->name.due <= now_ms / MS;
    bool ended = when == WHEN_ENDED || e->name.due * MS <= f->outcome_ms;
    *d = (struct queue_decision){.what = due ? DO_DELIVER : DO_NOTHING};
    if (journal_has(e->journal, "msrp.transferred")) {
        d->what = DO_FINISH;
    } else if (f->wish == WISH_REMOVE) {
        d->what = DO_REMOVE;
    } else if (f->wish == WISH_HOLD) {
        d->what = DO_HOLD;
    } else if (f->wish == WISH_EXPIRE) {
        d->what = DO_FAIL;
        d->why = WHY_EXPIRED;
    } else if (f->why != WHY_NONE) {
        d->what = due ? DO_FAIL : DO_NOTHING;
        d->why = f->why;
    } else if (f->outcome_ms != 0 && !anew && ended) {
        decide_end(e, p, now_ms, d);
    }
    /* An end that is dealt with late may be due again already. */
    if (d->what == DO_DEFER && d->due <= now_ms / MS)
        d->what = DO_DELIVER;
    if (d->what == DO_DELIVER && when == WHEN_ENDED)
        *d = (struct queue_decision){.what = DO_DEFER, .due = now_ms / MS, .failed = true};
}
