#include "base/clock.h"

#include "base/num.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

static int64_t now_ns(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t); /* cannot fail for these two clocks */
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_ns(void)
{
    return now_ns(CLOCK_MONOTONIC);
}

int64_t clock_ms(void)
{
    return now_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t clock_wall_ms(void)
{
    return now_ns(CLOCK_REALTIME) / 1000000;
}

/* Dates by our own reckoning: gmtime and timegm read the file of the local time zone first. A year
 * here begins in March, so that the leap day is its last; an era has 400 years. */
#define DAY_S    86400
#define ERA_DAYS 146097
#define TO_EPOCH 719468 /* days from 0000-03-01 to 1970-01-01 */

struct date {
    int64_t year;
    int month, day;
};

static struct date date_of(int64_t days) /* since 1970, not before 0000-03-01 */
{
    int64_t era = (days + TO_EPOCH) / ERA_DAYS;
    int64_t in_era = (days + TO_EPOCH) % ERA_DAYS;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    int month = (int)((5 * in_year + 2) / 153); /* from March on */
    int day = (int)(in_year - (153 * month + 2) / 5) + 1;
    return (struct date){era * 400 + year + (month >= 10), month + (month < 10 ? 3 : -9), day};
}

static int64_t days_of(struct date d)
{
    int64_t year = d.year - (d.month <= 2) + 400; /* not negative */
    int64_t era = year / 400;
    int64_t of_era = year % 400;
    int month = d.month + (d.month > 2 ? -3 : 9);
    int64_t in_year = (153 * month + 2) / 5 + d.day - 1;
    int64_t in_era = of_era * 365 + of_era / 4 - of_era / 100 + in_year;
    return (era - 1) * ERA_DAYS + in_era - TO_EPOCH;
}

#define YEAR_10000 ((int64_t)253402300800) /* in seconds since 1970 */

static const char form[CLOCK_TEXT_SIZE] = "0000-00-00T00:00:00.000Z";

void clock_text(char text[CLOCK_TEXT_SIZE], int64_t wall_ms)
{
    int64_t seconds = wall_ms / 1000;
    if (wall_ms < 0 || seconds >= YEAR_10000)
        seconds = 0;
    struct date d = date_of(seconds / DAY_S);
    uint64_t in_day = (uint64_t)(seconds % DAY_S);
    memcpy(text, form, sizeof form);
    num_digits_of(text, 4, (uint64_t)d.year);
    num_digits_of(text + 5, 2, (uint64_t)d.month);
    num_digits_of(text + 8, 2, (uint64_t)d.day);
    num_digits_of(text + 11, 2, in_day / 3600);
    num_digits_of(text + 14, 2, in_day / 60 % 60);
    num_digits_of(text + 17, 2, in_day % 60);
    num_digits_of(text + 20, 3, wall_ms < 0 ? 0 : (uint64_t)wall_ms % 1000);
}

/* Digits exactly where the form has them; the rest to the letter. */
static int check_form(const char *text)
{
    for (size_t i = 0; form[i]; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == '0' ? !digit : text[i] != form[i])
            return EINVAL;
    }
    return 0;
}

static int digits(const char *p, int n)
{
    int v = 0;
    while (n-- > 0)
        v = v * 10 + (*p++ - '0');
    return v;
}

int clock_parse(const char *text, unsigned long n, int64_t *wall_ms)
{
    if (n != CLOCK_TEXT_SIZE - 1 || check_form(text) != 0)
        return EINVAL;
    struct date d = {digits(text, 4), digits(text + 5, 2), digits(text + 8, 2)};
    int hour = digits(text + 11, 2);
    int minute = digits(text + 14, 2);
    int second = digits(text + 17, 2);
    if (d.month < 1 || d.month > 12 || d.day < 1 || d.day > 31 || hour > 23 || minute > 59 ||
        second > 60)
        return EINVAL;
    int64_t seconds = days_of(d) * DAY_S + hour * 3600 + minute * 60 + second;
    *wall_ms = seconds * 1000 + digits(text + 20, 3);
    return 0;
}
