#include "base/json.h"

#include "base/utf8.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

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
    /* 15 digits always survive text -> double -> text (fewer for a subnormal), 17 always survive
     * the other way round. */
    char text[40];
    for (int digits = fabs(d) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
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
