/* The schedule: back-off, what an exit status means, names and IDs. */
#include "queue/queue_int.h"
#include "test/unit/tap.h"

#include <sysexits.h>

#define ID "0123abcd-0123456789abcdef"

static const struct queue_policy steady = {60000, 4 * 3600000LL, 2, 0};

static int64_t back_off(const struct queue_policy *p, int64_t attempts)
{
    return queue_back_off(p, ID, attempts, 1000000, 0, 0) - 1000;
}

static void test_back_off(void)
{
    struct queue_policy jitter = steady, none = {0, 0, 1, 0};
    bool within = true, differs = false;
    jitter.jitter = 20;
    tap_is_int(back_off(&steady, 1), 60, "the first back-off");
    tap_is_int(back_off(&steady, 2), 120, "doubles");
    tap_is_int(back_off(&steady, 5), 960, "and again");
    tap_is_int(back_off(&steady, 9), 14400, "up to the ceiling");
    tap_is_int(back_off(&steady, INT64_MAX), 14400, "however many there were");
    tap_is_int(back_off(&none, 3), 1, "a back-off of nothing is still later than the end");
    for (int64_t n = 1; n < 200; n++) {
        int64_t plain = back_off(&steady, n), with = back_off(&jitter, n);
        within = within && with >= plain * 8 / 10 && with <= plain * 12 / 10 + 1;
        differs = differs || with != plain;
    }
    tap_ok(within && differs, "jitter goes to both sides, so far and no farther");
    tap_is_int(back_off(&jitter, 7), back_off(&jitter, 7), "and comes out the same again");
}

static void test_limits(void)
{
    tap_is_int(queue_back_off(&steady, ID, 1, 1000000, 500, 0), 1500, "Retry-After is waited for");
    tap_is_int(queue_back_off(&steady, ID, 1, 1000000, 5, 0), 1060, "a short one changes nothing");
    tap_is_int(queue_back_off(&steady, ID, 9, 1000000, 0, 1030000), 1030,
               "the last attempt is made when the time is over");
    tap_is_int(queue_back_off(&steady, ID, 1, 1000000, 0, 900000), 1060,
               "a time that was over before is no limit");
    tap_is_int(queue_back_off(&steady, ID, 1, 1000001, 0, 1000500), 1001, "rounded up");
}

static void test_classes(void)
{
    tap_is_int((int)queue_class_of(EX_OK, true), CLASS_DONE, "0: done");
    tap_is_int((int)queue_class_of(EX_UNAVAILABLE, true), CLASS_FAILED, "69: failed");
    tap_is_int((int)queue_class_of(EX_DATAERR, false), CLASS_FAILED, "65: failed");
    tap_is_int((int)queue_class_of(EX_NOINPUT, false), CLASS_HELD, "66: held");
    tap_is_int((int)queue_class_of(EX_IOERR, true), CLASS_HELD, "74 after the INVITE: held");
    tap_is_int((int)queue_class_of(EX_IOERR, false), CLASS_OURS, "74 before it: ours");
    tap_is_int((int)queue_class_of(EX_OSERR, false), CLASS_OURS, "71 before the INVITE: ours");
    tap_is_int((int)queue_class_of(EX_OSERR, true), CLASS_LATER, "71 after it: later");
    static const int ours[] = {EX_USAGE, EX_NOPERM, EX_CONFIG, 126, 127};
    static const int later[] = {EX_TEMPFAIL, EX_PROTOCOL, EX_SOFTWARE, 137, 3, 255};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        tap_is_int((int)queue_class_of(ours[i], true), CLASS_OURS, "our own fault");
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        tap_is_int((int)queue_class_of(later[i], true), CLASS_LATER, "later");
}

static void test_names(void)
{
    struct queue_name n;
    char a[QUEUE_ID_SIZE], b[QUEUE_ID_SIZE], hash[QUEUE_RECIPIENT_SIZE];
    tap_ok(queue_is_id(ID), "an ID");
    tap_ok(!queue_is_id(ID "0") && !queue_is_id("0123abcd") && !queue_is_id("") &&
               !queue_is_id("0123ABCD-0123456789abcdef") &&
               !queue_is_id("../../../../etc/passwd/xx"),
           "what is none");
    tap_ok(queue_parse_waiting("1795572869-" ID, &n) && n.due == 1795572869, "a waiting name");
    tap_is_str(n.id, ID, "with its ID");
    tap_ok(!queue_parse_waiting(ID, &n) && !queue_parse_waiting("179557286-" ID, &n) &&
               !queue_parse_waiting("17955728x9-" ID, &n) && !queue_parse_waiting("", &n),
           "what is none");
    queue_make_id(a, "sip:bob@example.com", "m", 0);
    queue_make_id(b, "sip:bob@example.com", "m", 0);
    tap_ok(queue_is_id(a) && strcmp(a, b) == 0, "the same message has the same ID");
    queue_make_id(b, "sip:bob@example.com", "m", 1);
    tap_ok(strcmp(a, b) != 0 && strncmp(a, b, 9) == 0,
           "another round gives another, same recipient");
    queue_make_id(b, "sip:bob@example.com", "n", 0);
    tap_ok(strcmp(a, b) != 0 && strncmp(a, b, 9) == 0, "so does another message");
    queue_recipient("sip:bob@example.com", hash);
    (void)snprintf(n.id, sizeof n.id, "%s", a);
    tap_ok(queue_is_for(&n, hash), "an ID tells the recipient");
    tap_ok(queue_is_day("2026-11-25") && !queue_is_day("2026-13-25") && !queue_is_day("lost+found"),
           "days");
}

int main(void)
{
    test_back_off();
    test_limits();
    test_classes();
    test_names();
    return tap_done();
}
