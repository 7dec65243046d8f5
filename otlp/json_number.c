#include "otlp/json_number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPONENT_MAX 1000000000 /* beyond any text we read */
#define EXACT_POWERS 22         /* 10^22 is the largest power of ten that is a double */
#define EXACT_DIGITS (UINT64_C(1) << 53)
#define TEXT_MAX     2048 /* the longest exact decimal of a double has 1,077 characters */

struct digits {
    const uint8_t *at, *end;
    struct json_number *n;
    bool full; /* further digits only count */
};

static bool is_digit(const struct digits *d)
{
    return d->at < d->end && *d->at >= '0' && *d->at <= '9';
}

/* A run of digits before (`decimals` 0) or behind (1) the point. */
static void add_digits(struct digits *d, int decimals)
{
    struct json_number *n = d->n;
    for (; is_digit(d); d->at++) {
        uint64_t digit = *d->at - '0', sum;
        if (!d->full && !__builtin_mul_overflow(n->digits, (uint64_t)10, &sum) &&
            !__builtin_add_overflow(sum, digit, &sum)) {
            n->digits = sum;
            n->exponent -= decimals;
            continue;
        }
        d->full = true;
        n->cut |= digit != 0;
        n->exponent += 1 - decimals;
    }
}

/* False when it has no digits. */
static bool add_exponent(struct digits *d)
{
    int64_t exponent = 0;
    bool negative = false;
    if (d->at < d->end && (*d->at == '+' || *d->at == '-'))
        negative = *d->at++ == '-';
    if (!is_digit(d))
        return false;
    for (; is_digit(d); d->at++)
        if (exponent < EXPONENT_MAX)
            exponent = exponent * 10 + (*d->at - '0');
    d->n->exponent += negative ? -exponent : exponent;
    return true;
}

size_t json_number_read(struct slice s, struct json_number *ret)
{
    struct digits d = {.at = s.at, .end = s.at + s.len, .n = ret};
    *ret = (struct json_number){0};
    if (s.len == 0)
        return 0;
    ret->negative = *d.at == '-';
    d.at += ret->negative;
    const uint8_t *first = d.at;
    add_digits(&d, 0);
    if (d.at == first || (*first == '0' && d.at - first > 1)) /* no leading zeros */
        return 0;
    if (d.at < d.end && *d.at == '.') {
        const uint8_t *point = d.at++;
        add_digits(&d, 1);
        if (d.at - point == 1)
            return 0;
    }
    if (d.at < d.end && (*d.at | 0x20) == 'e') {
        d.at++;
        if (!add_exponent(&d))
            return 0;
    }
    ret->text = slice_of(s.at, (size_t)(d.at - s.at));
    return ret->text.len;
}

const char *json_number_integer(const struct json_number *n, uint64_t *ret)
{
    uint64_t value = n->digits;
    int64_t exponent = value == 0 ? 0 : n->exponent;
    for (; exponent < 0 && value % 10 == 0; exponent++)
        value /= 10;
    if (exponent < 0)
        return "not an integer";
    if (n->cut)
        return "number out of range";
    for (; exponent > 0; exponent--)
        if (__builtin_mul_overflow(value, (uint64_t)10, &value))
            return "number out of range";
    *ret = value;
    return NULL;
}

/* Both operands are doubles exactly, so that one correctly rounded operation gives the nearest
 * double (Clinger 1990). */
static bool quick_double(const struct json_number *n, double *ret)
{
    static const double powers[EXACT_POWERS + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (n->digits > EXACT_DIGITS || n->exponent > EXACT_POWERS || n->exponent < -EXACT_POWERS)
        return false;
    double d = (double)n->digits;
    d = n->exponent < 0 ? d / powers[-n->exponent] : d * powers[n->exponent];
    *ret = n->negative ? -d : d;
    return true;
}

const char *json_number_double(const struct json_number *n, double *ret)
{
    char text[TEXT_MAX];
    if (quick_double(n, ret))
        return NULL;
    if (n->text.len >= sizeof(text))
        return "number of too many digits";
    snprintf(text, sizeof(text), "%.*s", SLICE_ARG(n->text));
    *ret = strtod(text, NULL);
    return isinf(*ret) ? "number out of range" : NULL;
}
