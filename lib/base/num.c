#include "base/num.h"

#include "base/slice.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int num_int(const char *text, int64_t min, int64_t max, int64_t *value)
{
    struct slice s = slice_of(text);
    bool minus = s.n > 0 && s.p[0] == '-';
    if (minus) {
        s.p++;
        s.n--;
    }
    if (s.n == 0 || strspn(s.p, "0123456789") != s.n)
        return EINVAL;
    uint64_t v;
    if (!slice_number(s, INT64_MAX, &v))
        return ERANGE;
    int64_t n = minus ? -(int64_t)v : (int64_t)v;
    if (n < min || n > max)
        return ERANGE;
    *value = n;
    return 0;
}

/* Splits "1.5h" into 1500 thousandths and the unit "h". */
static int thousandths(const char *text, uint64_t *value, const char **unit)
{
    size_t whole = strspn(text, "0123456789");
    uint64_t v;
    if (whole == 0)
        return EINVAL;
    if (!slice_number((struct slice){text, whole}, INT64_MAX / 1000, &v))
        return ERANGE;
    v *= 1000;
    const char *rest = text + whole;
    if (*rest == '.') {
        size_t digits = strspn(rest + 1, "0123456789");
        if (digits == 0 || digits > 3)
            return EINVAL;
        uint64_t weight = 100;
        for (size_t i = 1; i <= digits; i++, weight /= 10)
            v += (uint64_t)(rest[i] - '0') * weight;
        rest += digits + 1;
    }
    *value = v;
    *unit = rest;
    return 0;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static int scaled(const char *text, const struct unit *units, int64_t *value)
{
    uint64_t v;
    const char *unit;
    int err = thousandths(text, &v, &unit);
    if (err)
        return err;
    for (; units->name; units++) {
        if (strcmp(units->name, unit) != 0)
            continue;
        if (units->factor && v > (uint64_t)INT64_MAX / units->factor)
            return ERANGE;
        *value = (int64_t)(v * units->factor / 1000);
        return 0;
    }
    return EINVAL;
}

int num_duration_ms(const char *text, int64_t *ms)
{
    static const struct unit units[] = {
        {"", 1000},     {"s", 1000},    {"ms", 1},       {"m", 60000},
        {"min", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
    };
    return scaled(text, units, ms);
}

int num_size(const char *text, int64_t *octets)
{
    static const struct unit units[] = {
        {"", 1},        {"k", 1 << 10},    {"K", 1 << 10},    {"m", 1 << 20},
        {"M", 1 << 20}, {"g", 1ULL << 30}, {"G", 1ULL << 30}, {NULL, 0},
    };
    return scaled(text, units, octets);
}

void num_size_text(char text[16], uint64_t octets)
{
    static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (octets < 1024) {
        (void)snprintf(text, 16, "%" PRIu64 " B", octets);
        return;
    }
    double v = (double)octets / 1024;
    size_t i = 0;
    for (; v >= 1023.95 && i < 5; i++)
        v /= 1024;
    (void)snprintf(text, 16, "%.1f %s", v, names[i]);
}

static void two_units(char text[24], int64_t large, const char *name, int64_t small,
                      const char *small_name)
{
    if (small > 0)
        (void)snprintf(text, 24, "%" PRId64 " %s %" PRId64 " %s", large, name, small, small_name);
    else
        (void)snprintf(text, 24, "%" PRId64 " %s", large, name);
}

void num_duration_text(char text[24], int64_t ms)
{
    int64_t s = ms > 0 ? ms / 1000 : 0;
    if (s < 10)
        (void)snprintf(text, 24, "%" PRId64 ".%d s", s, ms > 0 ? (int)(ms % 1000 / 100) : 0);
    else if (s < 60)
        (void)snprintf(text, 24, "%" PRId64 " s", s);
    else if (s < 3600)
        (void)snprintf(text, 24, "%" PRId64 " min", s / 60);
    else if (s < 86400)
        two_units(text, s / 3600, "h", s / 60 % 60, "min");
    else
        two_units(text, s / 86400, "d", s / 3600 % 24, "h");
}

void num_group_text(char text[27], uint64_t n)
{
    char digits[21];
    int count = snprintf(digits, sizeof digits, "%" PRIu64, n);
    for (int i = 0; i < count; i++) {
        *text++ = digits[i];
        if ((count - i) % 3 == 1 && i + 1 < count)
            *text++ = ',';
    }
    *text = '\0';
}

void num_digits_of(char *text, unsigned n, uint64_t value)
{
    while (n-- > 0) {
        text[n] = (char)('0' + value % 10);
        value /= 10;
    }
}

unsigned num_digits(char *text, uint64_t value)
{
    unsigned n = 1;
    for (uint64_t rest = value; rest >= 10; rest /= 10)
        n++;
    num_digits_of(text, n, value);
    return n;
}
