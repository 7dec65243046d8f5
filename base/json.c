#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Length of the well-formed UTF-8 sequence at `s` (Unicode 15, table 3-7: no overlong forms, no
 * surrogates, nothing above U+10FFFF), or 0. `s` is not empty. */
static size_t utf8_length(struct slice s)
{
    uint8_t first = s.at[0], low = 0x80, high = 0xBF;
    size_t len;
    if (first < 0x80)
        return 1;
    if (first < 0xC2)
        return 0;
    if (first < 0xE0) {
        len = 2;
    } else if (first < 0xF0) {
        len = 3;
        if (first == 0xE0)
            low = 0xA0;
        if (first == 0xED)
            high = 0x9F;
    } else if (first < 0xF5) {
        len = 4;
        if (first == 0xF0)
            low = 0x90;
        if (first == 0xF4)
            high = 0x8F;
    } else {
        return 0;
    }
    if (s.len < len || s.at[1] < low || s.at[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((s.at[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

/* Bytes at the front of `s` that stand for themselves: printable ASCII but '"' and '\', and
 * well-formed sequences except the C1 controls (U+0080-U+009F), which some terminals obey. */
static size_t plain_length(struct slice s)
{
    size_t n = 0;
    while (n < s.len) {
        uint8_t c = s.at[n];
        if (c >= 0x20 && c < 0x7F) {
            if (c == '"' || c == '\\')
                break;
            n++;
            continue;
        }
        size_t len = c < 0x80 ? 0 : utf8_length(slice_of(s.at + n, s.len - n));
        if (len == 0 || (c == 0xC2 && s.at[n + 1] < 0xA0))
            break;
        n += len;
    }
    return n;
}

/* Writes the one character at the front of `s` that plain_length stopped at; returns its length. */
static size_t write_special(struct buf *out, struct slice s)
{
    static const char names[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    uint8_t c = s.at[0];
    if (c == '"' || c == '\\') {
        buf_append_byte(out, '\\');
        buf_append_byte(out, c);
    } else if (c < 0x20 && names[c] != 0) {
        buf_append_byte(out, '\\');
        buf_append_byte(out, (uint8_t)names[c]);
    } else if (c < 0x80) {
        buf_printf(out, "\\u%04x", c);
    } else if (utf8_length(s) == 2) {
        buf_printf(out, "\\u%04x", s.at[1]); /* C1: the second byte is the code point */
        return 2;
    } else {
        buf_append_str(out, "\xEF\xBF\xBD");
    }
    return 1;
}

void json_string(struct buf *out, struct slice s)
{
    buf_append_byte(out, '"');
    while (s.len > 0) {
        size_t n = plain_length(s);
        buf_append(out, s.at, n);
        s = slice_of(s.at + n, s.len - n);
        if (s.len > 0) {
            n = write_special(out, s);
            s = slice_of(s.at + n, s.len - n);
        }
    }
    buf_append_byte(out, '"');
}

void json_double(struct buf *out, double d)
{
    if (isnan(d)) {
        buf_append_str(out, "\"NaN\"");
        return;
    }
    if (isinf(d)) {
        buf_append_str(out, d < 0 ? "\"-Infinity\"" : "\"Infinity\"");
        return;
    }
    /* 15 digits always survive text -> double -> text, 17 always survive the other way round. */
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    buf_append_str(out, text);
}

void json_base64(struct buf *out, struct slice s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (s.len == 0 || s.len > SIZE_MAX / 8)
        return;
    size_t len = (s.len + 2) / 3 * 4;
    uint8_t *to = buf_reserve(out, len);
    if (to == NULL)
        return;
    for (size_t i = 0; i < s.len; i += 3) {
        size_t left = s.len - i;
        uint32_t bits = (uint32_t)s.at[i] << 16;
        if (left > 1)
            bits |= (uint32_t)s.at[i + 1] << 8;
        if (left > 2)
            bits |= s.at[i + 2];
        *to++ = (uint8_t)digits[bits >> 18];
        *to++ = (uint8_t)digits[bits >> 12 & 63];
        *to++ = left > 1 ? (uint8_t)digits[bits >> 6 & 63] : '=';
        *to++ = left > 2 ? (uint8_t)digits[bits & 63] : '=';
    }
    out->len += len;
}
