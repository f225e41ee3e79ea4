#include "bin/sink/behave.h"

#include "base/num.h"

#include <errno.h>
#include <string.h>

enum kind {
    FLAG,   /* bool */
    NUMBER, /* int64_t within min..max */
    OCTETS, /* int64_t, also "64k" */
    WORD,   /* const char *, one of form's words */
    TEXT,   /* const char *, anything */
    CODES,
    HEADER,
    CODE_AT,
    CODE_OR_SILENT,
};

struct row {
    const char *key; /* with its "=" or "@"; a flag has neither */
    enum kind kind;
    const char *form;
    size_t at;
    int64_t min, max;
};

#define AT(member) offsetof(struct behave, member)
#define MANY       1000000000

/* clang-format off */
static const struct row table[] = {
    {"invite=",          CODES,   "CODE[,CODE...]", 0, 0, 0},
    {"header=",          HEADER,  "NAME: VALUE", 0, 0, 0},
    {"retry-after=",     NUMBER,  "SECONDS", AT(retry_after), 0, MANY},
    {"ring-ms=",         NUMBER,  "MS", AT(ring_ms), 0, MANY},
    {"silent=",          WORD,    "invite|ack|bye|all", AT(silent), 0, 0},
    {"no-100",           FLAG,    "", AT(no_100), 0, 0},
    {"reliable",         FLAG,    "", AT(reliable), 0, 0},
    {"challenge=",       TEXT,    "PASSWORD", AT(challenge), 0, 0},
    {"repeat-200=",      NUMBER,  "TIMES", AT(repeat_200), 0, 100},
    {"lose-ack=",        NUMBER,  "TIMES", AT(lose_ack), 0, MANY},
    {"session-expires=", TEXT,    "SECONDS[;refresher=uac|uas]|none", AT(session_expires), 0, 0},
    {"min-se=",          NUMBER,  "SECONDS", AT(min_se), 0, MANY},
    {"allow=",           TEXT,    "METHOD[, METHOD...]", AT(allow), 0, 0},
    {"refresh=",         NUMBER,  "CODE", AT(refresh), 200, 699},
    {"setup=",           WORD,    "active|passive|none|actpass|holdconn", AT(setup), 0, 0},
    {"path=",            TEXT,    "wrong|none|relay|URI", AT(path), 0, 0},
    {"port0",            FLAG,    "", AT(port0), 0, 0},
    {"no-sdp",           FLAG,    "", AT(no_sdp), 0, 0},
    {"sdp-lf",           FLAG,    "", AT(sdp_lf), 0, 0},
    {"accept-types=",    TEXT,    "TYPE[ TYPE...]", AT(accept_types), 0, 0},
    {"max-size=",        OCTETS,  "OCTETS", AT(max_size), 0, 0},
    {"direction=",       WORD,    "recvonly|sendrecv|sendonly|inactive", AT(direction), 0, 0},
    {"connect=",         WORD,    "answer|early|after-ack|never", AT(connect), 0, 0},
    {"late-ms=",         NUMBER,  "MS", AT(late_ms), 0, MANY},
    {"connections=",     NUMBER,  "COUNT", AT(connections), 1, 8},
    {"first-send=",      WORD,    "empty|none|body|wrong-session", AT(first_send), 0, 0},
    {"close@",           OCTETS,  "OCTETS", AT(close_at), 0, 0},
    {"read-rate=",       OCTETS,  "OCTETS", AT(read_rate), 1, 0},
    {"garbage",          FLAG,    "", AT(garbage), 0, 0},
    {"tls=",             WORD,    "plain|no-cert|no-fingerprint|wrong-fingerprint", AT(tls), 0, 0},
    {"msrp=",            CODE_AT, "CODE[@CHUNK]", 0, 0, 0},
    {"msrp-delay-ms=",   NUMBER,  "MS", AT(msrp_delay_ms), 0, MANY},
    {"msrp-order=",      WORD,    "reverse", AT(msrp_order), 0, 0},
    {"msrp-twice",       FLAG,    "", AT(msrp_twice), 0, 0},
    {"msrp-early",       FLAG,    "", AT(msrp_early), 0, 0},
    {"msrp-silent@",     NUMBER,  "CHUNK", AT(msrp_silent), 1, MANY},
    {"report=",          WORD,    "success|failure|partial|none", AT(report), 0, 0},
    {"send-empty@",      OCTETS,  "OCTETS", AT(send_empty_at), 0, 0},
    {"send-imdn",        FLAG,    "", AT(send_imdn), 0, 0},
    {"bye@",             OCTETS,  "OCTETS", AT(bye_at), 0, 0},
    {"bye-after-ms=",    NUMBER,  "MS", AT(bye_after_ms), 0, MANY},
    {"bye=",             CODE_OR_SILENT, "CODE|silent", AT(bye), 0, 0},
    {"reinvite@",        OCTETS,  "OCTETS", AT(reinvite_at), 0, 0},
    {"update@",          OCTETS,  "OCTETS", AT(update_at), 0, 0},
    {"options@",         OCTETS,  "OCTETS", AT(options_at), 0, 0},
    {"unknown-method",   FLAG,    "", AT(unknown_method), 0, 0},
};
/* clang-format on */

static const struct behave defaults = {
    .retry_after = BEHAVE_OFF,
    .ring_ms = BEHAVE_OFF,
    .allow = "INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS",
    .refresh = 200,
    .accept_types = "message/cpim message/imdn+xml",
    .max_size = BEHAVE_OFF,
    .direction = "recvonly",
    .late_ms = BEHAVE_OFF,
    .connections = 1,
    .first_send = "empty",
    .close_at = BEHAVE_OFF,
    .msrp_silent = BEHAVE_OFF,
    .send_empty_at = BEHAVE_OFF,
    .bye_at = BEHAVE_OFF,
    .bye_after_ms = BEHAVE_OFF,
    .reinvite_at = BEHAVE_OFF,
    .update_at = BEHAVE_OFF,
    .options_at = BEHAVE_OFF,
};

bool behave_is(const char *setting, const char *word)
{
    return setting && !strcmp(setting, word);
}

static int code_read(struct slice text, int *code)
{
    uint64_t value;
    if (!slice_number(text, 699, &value) || value < 100)
        return EINVAL;
    *code = (int)value;
    return 0;
}

static int codes_read(struct behave *b, const char *value)
{
    struct slice rest = slice_of(value);
    b->n_codes = 0;
    while (rest.p) {
        int code;
        if (code_read(slice_cut(&rest, ','), &code) || b->n_codes == BEHAVE_CODES_MAX)
            return EINVAL;
        b->codes[b->n_codes++] = code;
    }
    return 0;
}

static int header_read(struct behave *b, const char *value)
{
    const char *colon = strchr(value, ':');
    if (!colon || colon == value || b->n_headers == BEHAVE_HEADERS_MAX)
        return EINVAL;
    b->headers[b->n_headers++] = value;
    return 0;
}

static int code_at_read(struct behave *b, const char *value)
{
    struct slice rest = slice_of(value);
    struct slice code = slice_cut(&rest, '@');
    uint64_t at = 1;
    if (rest.p && (!slice_number(rest, MANY, &at) || !at))
        return EINVAL;
    b->msrp_at = (int64_t)at;
    return code_read(code, &b->msrp_code);
}

static bool has_word(const char *words, const char *value)
{
    struct slice rest = slice_of(words);
    while (rest.p)
        if (slice_is(slice_cut(&rest, '|'), value))
            return true;
    return false;
}

static int octets_read(const struct row *row, const char *value, int64_t *octets)
{
    return num_size(value, octets) || *octets < row->min ? EINVAL : 0;
}

static int text_read(const struct row *row, const char *value, const char **text)
{
    int code;
    if (row->kind == WORD && !has_word(row->form, value))
        return EINVAL;
    if (row->kind == CODE_OR_SILENT && strcmp(value, "silent") && code_read(slice_of(value), &code))
        return EINVAL;
    *text = value;
    return *value ? 0 : EINVAL;
}

static int value_read(struct behave *b, const struct row *row, const char *value)
{
    void *to = (char *)b + row->at;
    switch (row->kind) {
    case FLAG:
        *(bool *)to = true;
        return 0;
    case NUMBER:
        return num_int(value, row->min, row->max, to) ? EINVAL : 0;
    case OCTETS:
        return octets_read(row, value, to);
    case WORD:
    case TEXT:
    case CODE_OR_SILENT:
        return text_read(row, value, to);
    case CODES:
        return codes_read(b, value);
    case HEADER:
        return header_read(b, value);
    case CODE_AT:
        return code_at_read(b, value);
    }
    return EINVAL;
}

/* The row of a rule, whose value then begins at *value. */
static const struct row *row_of(const char *rule, const char **value)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t n = strlen(table[i].key);
        if (strncmp(rule, table[i].key, n))
            continue;
        if (table[i].kind == FLAG && rule[n])
            continue;
        *value = rule + n;
        return &table[i];
    }
    return NULL;
}

/* "3:invite=486" is for the third INVITE only: *only is then 3, else 0. */
static int rule_place(const char **rule, uint64_t *only)
{
    struct slice rest = slice_of(*rule);
    struct slice number = slice_cut(&rest, ':');
    *only = 0;
    if (!rest.p || !number.n || number.p[0] < '0' || number.p[0] > '9')
        return 0;
    if (!slice_number(number, MANY, only) || !*only)
        return EINVAL;
    *rule = rest.p;
    return 0;
}

static int rule_read(struct behave *b, const char *rule, uint64_t n, const char **why)
{
    uint64_t only;
    *why = "the number of an INVITE is 1 or more";
    if (rule_place(&rule, &only))
        return EINVAL;
    const char *value;
    const struct row *row = row_of(rule, &value);
    *why = "there is no such behaviour";
    if (!row)
        return EINVAL;
    struct behave unused = defaults;
    *why = row->form;
    return value_read(!only || only == n ? b : &unused, row, value);
}

int behave_for(struct behave *b, const char *const *rules, size_t count, uint64_t n, size_t *which,
               const char **why)
{
    *b = defaults;
    for (*which = 0; *which < count; ++*which)
        if (rule_read(b, rules[*which], n, why))
            return EINVAL;
    return 0;
}

int behave_check(const char *const *rules, size_t count, size_t *which, const char **why)
{
    struct behave b;
    return behave_for(&b, rules, count, 0, which, why);
}

int behave_help(struct buf *b)
{
    int error = 0;
    for (size_t i = 0; i < sizeof table / sizeof *table && !error; i++)
        error = buf_format(b, "  %s%s\n", table[i].key, table[i].form);
    return error;
}
