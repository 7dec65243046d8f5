#include "base/clock.h"
#include "base/option_row.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

struct unit {
    const char *text;
    uint64_t size;
    bool parse_only; /* another spelling */
};

#define KILO 1000ull
#define KIBI 1024ull

/* A row of size 0 ends each table. */
static const struct unit count_units[] = {
    {"G", KILO *KILO *KILO, false},
    {"M", KILO *KILO, false},
    {"k", KILO, false},
    {"", 1, false},
    {0},
};
static const struct unit size_units[] = {
    {"TB", KILO *KILO *KILO *KILO, false},
    {"TiB", KIBI *KIBI *KIBI *KIBI, false},
    {"GB", KILO *KILO *KILO, false},
    {"GiB", KIBI *KIBI *KIBI, false},
    {"MB", KILO *KILO, false},
    {"MiB", KIBI *KIBI, false},
    {"KB", KILO, false},
    {"kB", KILO, true},
    {"KiB", KIBI, false},
    {"B", 1, false},
    {"", 1, true},
    {0},
};
static const struct unit duration_units[] = {
    {"d", 86400 * NS_PER_S, false},
    {"h", 3600 * NS_PER_S, false},
    {"m", 60 * NS_PER_S, false},
    {"min", 60 * NS_PER_S, true},
    {"s", NS_PER_S, false},
    {"ms", NS_PER_MS, false},
    {"us", NS_PER_US, false},
    {"ns", 1, false},
    {0},
};

static const char *example_of(enum option_kind kind)
{
    switch (kind) {
    case OPT_SIZE:
        return "a size such as \"10MB\" or \"64KiB\"";
    case OPT_RATE:
        return "a rate such as \"20MB/s\" or \"200k/s\"";
    case OPT_DURATION:
        return "a time with its unit, such as \"500ms\", \"30s\" or \"6h\"";
    default:
        return "a whole number";
    }
}

/* Digits with an optional fraction: value = *ret_digits / *ret_divisor. Returns what follows, or
 * NULL. */
static const char *parse_digits(const char *text, uint64_t *ret_digits, uint64_t *ret_divisor)
{
    uint64_t digits = 0, divisor = 1;
    bool fraction = false;
    if (!isdigit((unsigned char)*text))
        return NULL;
    for (; isdigit((unsigned char)*text) || (*text == '.' && !fraction); text++) {
        if (*text == '.') {
            fraction = true;
            continue;
        }
        if (__builtin_mul_overflow(digits, 10, &digits) ||
            __builtin_add_overflow(digits, (uint64_t)(*text - '0'), &digits) ||
            (fraction && __builtin_mul_overflow(divisor, 10, &divisor)))
            return NULL;
    }
    if (text[-1] == '.')
        return NULL;
    *ret_digits = digits;
    *ret_divisor = divisor;
    return text;
}

static const struct unit *find_unit(const struct unit *units, struct slice text)
{
    for (const struct unit *u = units; u->size != 0; u++)
        if (slice_eq(slice_str(u->text), text))
            return u;
    return NULL;
}

/* "/s" is taken off a rate; one without any unit may leave it out. */
static const struct unit *parse_rate_unit(struct slice unit)
{
    if (unit.len > 0) {
        if (unit.len < 2 || memcmp(unit.at + unit.len - 2, "/s", 2) != 0)
            return NULL;
        unit = slice_trim(slice_of(unit.at, unit.len - 2));
    }
    const struct unit *u = find_unit(count_units, unit);
    return u ? u : find_unit(size_units, unit);
}

/* The unit that the rest of the text names, or NULL. A bare time is refused, because readers differ
 * in what they take it for; 0 needs no unit. */
static const struct unit *parse_unit(enum option_kind kind, struct slice rest, bool is_zero)
{
    switch (kind) {
    case OPT_SIZE:
        return find_unit(size_units, rest);
    case OPT_RATE:
        return parse_rate_unit(rest);
    case OPT_DURATION:
        return find_unit(is_zero && rest.len == 0 ? count_units : duration_units, rest);
    default:
        return find_unit(count_units, rest);
    }
}

int option_parse_number(enum option_kind kind, const char *text, uint64_t *ret, struct errbuf *err)
{
    uint64_t digits, divisor;
    const char *rest = parse_digits(text, &digits, &divisor);
    const struct unit *u = rest ? parse_unit(kind, slice_trim(slice_str(rest)), digits == 0) : NULL;
    if (u == NULL)
        return errbuf_set(err, EINVAL, "\"%.64s\" is not %s", text, example_of(kind));
    unsigned __int128 n = (unsigned __int128)digits * u->size;
    if (n % divisor != 0 || n / divisor > UINT64_MAX)
        return errbuf_set(err, EINVAL, "\"%.64s\" is %s", text,
                          n % divisor ? "not a whole number of the smallest unit" : "too large");
    *ret = (uint64_t)(n / divisor);
    return 0;
}

void option_format_number(enum option_kind kind, uint64_t n, char *out, size_t size)
{
    const struct unit *best = NULL, *units = kind == OPT_SIZE       ? size_units
                                             : kind == OPT_DURATION ? duration_units
                                                                    : count_units;
    for (const struct unit *u = units; u->size != 0; u++)
        if (!u->parse_only && n % u->size == 0 && (best == NULL || u->size > best->size))
            best = u;
    if (n == 0 || kind == OPT_UINT)
        snprintf(out, size, "%" PRIu64, n);
    else
        snprintf(out, size, "%" PRIu64 "%s%s", n / best->size, best->text,
                 kind == OPT_RATE ? "/s" : "");
}

int option_check_bounds(const struct option *row, uint64_t n, const char *text, struct errbuf *err)
{
    uint64_t min = 0, max = UINT64_MAX;
    if (row->min != NULL)
        option_parse_number(row->kind, row->min, &min, NULL);
    if (row->max != NULL)
        option_parse_number(row->kind, row->max, &max, NULL);
    if (n >= min && n <= max)
        return 0;
    if (row->max == NULL)
        return errbuf_set(err, EINVAL, "\"%.64s\" is too small: at least %s is allowed", text,
                          row->min);
    if (row->min == NULL || min == 0)
        return errbuf_set(err, EINVAL, "\"%.64s\" is too large: at most %s is allowed", text,
                          row->max);
    return errbuf_set(err, EINVAL, "\"%.64s\" is too %s: from %s to %s is allowed", text,
                      n < min ? "small" : "large", row->min, row->max);
}
