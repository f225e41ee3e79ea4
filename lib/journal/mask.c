/* What names a person in a text: users of addresses, the names beside them, telephone numbers.
 * Hosts stay. Where it is not certain what something is, it goes. */
#include "journal/journal_int.h"

#include <string.h>
#include <strings.h>

static void hide(struct buf *out)
{
    clean_add(out, HIDDEN, sizeof HIDDEN - 1);
}

/* Shows the text from `shown` on up to `from`, and hides it up to `to`: that is given back. */
static size_t hide_part(struct slice t, size_t shown, size_t from, size_t to, struct buf *out)
{
    clean_add(out, t.p + shown, from - shown);
    if (from < to)
        hide(out);
    return to;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The length of the scheme of an address that stands there, with its colon; 0: none does. */
static size_t scheme_at(const char *p, size_t n)
{
    static const char *const schemes[] = {"sip:", "sips:", "im:", "pres:", "tel:", "cpm:"};
    for (size_t k = 0; k < sizeof schemes / sizeof *schemes; k++) {
        size_t length = strlen(schemes[k]);
        if (n >= length && strncasecmp(p, schemes[k], length) == 0)
            return length;
    }
    return 0;
}

/* --- "Alice" <sip:...>, Alice <sip:...> */

/* Where the name begins that ends before `end`. Without quotes it may have several words. */
static size_t name_start(const char *p, size_t from, size_t end)
{
    size_t i = end;
    if (i > from && p[i - 1] == '"') {
        for (i--; i > from; i--) {
            if (p[i - 1] == '"' && (i - 1 == from || p[i - 2] != '\\'))
                return i - 1;
        }
        return from;
    }
    while (i > from && !strchr("<>\",;:=", p[i - 1]))
        i--;
    while (i < end && p[i] == ' ')
        i++;
    return i;
}

static void hide_names(struct slice t, struct buf *out)
{
    size_t shown = 0;
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] != '<' || scheme_at(t.p + i + 1, t.n - i - 1) == 0)
            continue;
        size_t end = i;
        while (end > shown && t.p[end - 1] == ' ')
            end--;
        shown = hide_part(t, shown, name_start(t.p, shown, end), end, out);
    }
    clean_add(out, t.p + shown, t.n - shown);
}

/* --- sip:alice@example.com, alice@example.com */

/* Where the user begins in what stands before an '@': behind the scheme, or at the word's start. */
static size_t user_start(const char *p, size_t from, size_t at)
{
    for (size_t i = at; i-- > from;) {
        size_t scheme = scheme_at(p + i, at - i);
        if (scheme > 0 && (i == from || !is_letter(p[i - 1])))
            return i + scheme;
    }
    while (at > from && !clean_ends_word(p[at - 1]))
        at--;
    return at;
}

static void hide_users(struct slice t, struct buf *out)
{
    size_t shown = 0;
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] == '@')
            shown = hide_part(t, shown, user_start(t.p, shown, i), i, out);
    }
    clean_add(out, t.p + shown, t.n - shown);
}

/* --- tel:+15550100, sip:15550100; but sip:192.0.2.1 and sip:example.com have no user. */

/* A domain name of more than one label, or an IP address. */
static bool is_host(struct slice s)
{
    size_t labels = 1;
    bool letters = false; /* in the last one */
    if (s.n > 0 && s.p[0] == '[')
        return true;
    for (size_t i = 0; i < s.n && s.p[i] != ':'; i++) {
        if (s.p[i] == '.') {
            labels++;
            letters = false;
        } else if (is_letter(s.p[i])) {
            letters = true;
        } else if (!is_digit(s.p[i]) && s.p[i] != '-') {
            return false;
        }
    }
    return letters ? labels > 1 : labels == 4;
}

static void hide_addresses(struct slice t, struct buf *out)
{
    for (size_t i = 0; i < t.n;) {
        size_t scheme = i > 0 && is_letter(t.p[i - 1]) ? 0 : scheme_at(t.p + i, t.n - i);
        bool tel = scheme > 0 && strncasecmp(t.p + i, "tel:", 4) == 0;
        if (scheme == 0) {
            clean_add(out, t.p + i++, 1);
            continue;
        }
        clean_add(out, t.p + i, scheme);
        i += scheme;
        size_t end = i;
        while (end < t.n && !clean_ends_word(t.p[end]) && t.p[end] != '@' &&
               (tel || !strchr(";?,", t.p[end])))
            end++;
        bool known = end < t.n && t.p[end] == '@'; /* its user is hidden */
        if (end > i && !known && (tel || !is_host((struct slice){t.p + i, end - i}))) {
            hide(out);
            i = end;
        }
    }
}

/* --- +1 555 0100, (0151) 2345678 */

enum { LEAST_WITH_PLUS = 5, LEAST_DIGITS = 7 };

static bool is_date(const char *p, size_t n)
{
    return n >= 10 && p[4] == '-' && p[7] == '-' && is_digit(p[5]) && is_digit(p[6]) &&
           is_digit(p[8]) && is_digit(p[9]);
}

/* The length of the telephone number that stands there; 0: none does. */
static size_t number_at(const char *p, size_t n)
{
    bool plus = n > 0 && p[0] == '+';
    const char *apart = plus ? " -.()" : " -()";
    size_t digits = 0, end = 0;
    for (size_t i = plus; i < n && (is_digit(p[i]) || memchr(apart, p[i], strlen(apart))); i++) {
        if (!is_digit(p[i]))
            continue;
        digits++;
        end = i + 1;
    }
    if (digits < (plus ? LEAST_WITH_PLUS : LEAST_DIGITS) || is_date(p, n))
        return 0;
    bool goes_on = end < n && (is_letter(p[end]) || p[end] == ':' || p[end] == '_');
    return goes_on ? 0 : end;
}

static bool is_number(struct slice t)
{
    size_t digits = 0;
    while (digits < t.n && is_digit(t.p[digits]))
        digits++;
    return digits == t.n;
}

/* A value that is nothing but digits is a size, a time, a count. */
static void hide_numbers(struct slice t, struct buf *out)
{
    bool only = is_number(t);
    for (size_t i = 0; i < t.n;) {
        char before = i > 0 ? t.p[i - 1] : ' ';
        bool begins = (is_digit(t.p[i]) || strchr("+(", t.p[i])) && !is_digit(before) &&
                      !is_letter(before) && !strchr(".-:_/*", before);
        size_t n = begins && !only ? number_at(t.p + i, t.n - i) : 0;
        if (n > 0)
            hide(out);
        else
            clean_add(out, t.p + i, 1);
        i += n > 0 ? n : 1;
    }
}

clean_step *const mask_steps[] = {hide_names, hide_users, hide_addresses, hide_numbers, NULL};
