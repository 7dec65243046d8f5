#include "otlp/json_read.h"

#include "base/utf8.h"
#include "otlp/json_number.h"

#include <endian.h>

/* --- strings -------------------------------------------------------------------------------- */

/* The first byte that does not simply stand for itself: a quote, a backslash, a control byte or one
 * of a sequence. Eight by eight: a borrow from a lane below its bound sets the lane's high bit, and
 * can falsely do so only in lanes above it. */
static const uint8_t *plain_end(const uint8_t *at, const uint8_t *end)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    for (; end - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        word = le64toh(word);
        uint64_t stops = (word | (word - ones * 0x20) | ((word ^ ones * '"') - ones) |
                          ((word ^ ones * '\\') - ones)) &
                         highs;
        if (stops != 0)
            return at + __builtin_ctzll(stops) / 8;
    }
    while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return at;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of \uXXXX, or -1. */
static int32_t unit_of(const uint8_t *digits)
{
    int32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(digits[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* Length of the escape at `at`, or 0. */
static size_t escape_length(const uint8_t *at, const uint8_t *end)
{
    if (end - at < 2)
        return 0;
    if (at[1] == 'u')
        return end - at >= 6 && unit_of(at + 2) >= 0 ? 6 : 0;
    return at[1] != 0 && strchr("\"\\/bfnrt", at[1]) != NULL ? 2 : 0;
}

/* Steps over what plain_end stopped at. */
static bool special(struct json_read *r, bool *ret_escaped)
{
    size_t n;
    if (*r->at == '\\') {
        *ret_escaped = true;
        n = escape_length(r->at, r->end);
        if (n == 0)
            return json_read_fail(r, "invalid escape in a string");
    } else if (*r->at < 0x20) {
        return json_read_fail(r, "control character in a string");
    } else {
        n = utf8_length(slice_of(r->at, (size_t)(r->end - r->at)));
        if (n == 0)
            return json_read_fail(r, "invalid UTF-8");
    }
    r->at += n;
    return true;
}

bool json_read_string(struct json_read *r, struct json_text *ret)
{
    if (!json_read_take(r, '"'))
        return json_read_fail(r, "expected a string");
    const uint8_t *start = r->at;
    ret->escaped = false;
    for (;;) {
        r->at = plain_end(r->at, r->end);
        if (r->at == r->end)
            return json_read_fail(r, "a string without its end");
        if (*r->at == '"')
            break;
        if (!special(r, &ret->escaped))
            return false;
    }
    ret->raw = slice_of(start, (size_t)(r->at - start));
    r->at++;
    return true;
}

static size_t put_code_point(uint8_t *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (uint8_t)(0xC0 | c >> 6);
        to[1] = (uint8_t)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (uint8_t)(0xE0 | c >> 12);
        to[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        to[2] = (uint8_t)(0x80 | (c & 0x3F));
        return 3;
    }
    to[0] = (uint8_t)(0xF0 | c >> 18);
    to[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
    to[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
    to[3] = (uint8_t)(0x80 | (c & 0x3F));
    return 4;
}

/* The \uXXXX at `*at`, or the two of a surrogate pair, which are stepped over. */
static uint32_t unicode_escape(const uint8_t **at, const uint8_t *end)
{
    uint32_t unit = (uint32_t)unit_of(*at + 2);
    *at += 6;
    if (unit < 0xD800 || unit > 0xDFFF)
        return unit;
    if (unit < 0xDC00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
        uint32_t low = (uint32_t)unit_of(*at + 2);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            *at += 6;
            return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    return 0xFFFD; /* R254 */
}

/* The character of a two-byte escape. */
static uint8_t short_escape(uint8_t c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

size_t json_text_decode(const struct json_text *text, uint8_t *to)
{
    const uint8_t *at = text->raw.at, *end = at + text->raw.len;
    uint8_t *start = to;
    while (at < end) {
        const uint8_t *escape = memchr(at, '\\', (size_t)(end - at));
        size_t n = (size_t)((escape ? escape : end) - at);
        memcpy(to, at, n);
        to += n;
        at += n;
        if (escape == NULL)
            break;
        if (at[1] == 'u') {
            to += put_code_point(to, unicode_escape(&at, end));
        } else {
            *to++ = short_escape(at[1]);
            at += 2;
        }
    }
    return (size_t)(to - start);
}

/* --- everything else ------------------------------------------------------------------------ */

bool json_read_more(struct json_read *r, uint8_t close)
{
    uint8_t c = json_read_peek(r);
    if (c == ',' || c == close) {
        r->at++;
        return c == ',';
    }
    return json_read_fail(r, r->at == r->end ? "the text ends too early"
                             : close == '}'  ? "expected a comma or a closing brace"
                                             : "expected a comma or a closing bracket");
}

bool json_read_word(struct json_read *r, struct slice word)
{
    json_read_peek(r);
    if (!slice_starts(slice_of(r->at, (size_t)(r->end - r->at)), word))
        return false;
    r->at += word.len;
    return true;
}

static bool skip_number(struct json_read *r)
{
    struct json_number unused;
    size_t n = json_number_read(slice_of(r->at, (size_t)(r->end - r->at)), &unused);
    r->at += n;
    return n > 0 ||
           json_read_fail(r, r->at == r->end ? "the text ends too early" : "expected a value");
}

static bool skip_object(struct json_read *r, unsigned levels)
{
    struct json_text key;
    if (json_read_take(r, '}'))
        return true;
    do {
        if (!json_read_string(r, &key))
            return false;
        if (!json_read_take(r, ':'))
            return json_read_fail(r, "expected a colon");
        if (!json_read_skip(r, levels))
            return false;
    } while (json_read_more(r, '}'));
    return r->error == NULL;
}

static bool skip_array(struct json_read *r, unsigned levels)
{
    if (json_read_take(r, ']'))
        return true;
    do {
        if (!json_read_skip(r, levels))
            return false;
    } while (json_read_more(r, ']'));
    return r->error == NULL;
}

bool json_read_skip(struct json_read *r, unsigned levels)
{
    struct json_text text;
    uint8_t c = json_read_peek(r);
    if (c == '"')
        return json_read_string(r, &text);
    if (c == '{' || c == '[') {
        if (levels == 0)
            return json_read_fail(r, "nested too deeply");
        r->at++;
        return c == '{' ? skip_object(r, levels - 1) : skip_array(r, levels - 1);
    }
    return json_read_word(r, SLICE_LIT("null")) || json_read_word(r, SLICE_LIT("true")) ||
           json_read_word(r, SLICE_LIT("false")) || skip_number(r);
}
