#include "base/utf8.h"

size_t utf8_length(struct slice s)
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

/* Bytes at the front, eight by eight, that are ASCII and not NUL. */
static size_t ascii_length(struct slice s)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    size_t n = 0;
    for (; s.len - n >= sizeof(uint64_t); n += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, s.at + n, sizeof(word));
        /* A byte of zero borrows into its high bit; the high bits themselves are not ASCII. */
        if (((word - ones) | word) & highs)
            break;
    }
    return n;
}

size_t utf8_clean_length(struct slice s)
{
    size_t n = ascii_length(s);
    while (n < s.len) {
        size_t len = s.at[n] == 0 ? 0 : utf8_length(slice_of(s.at + n, s.len - n));
        if (len == 0)
            break;
        n += len;
    }
    return n;
}

void utf8_clean(struct buf *out, struct slice s)
{
    while (s.len > 0) {
        size_t n = utf8_clean_length(s);
        buf_append(out, s.at, n);
        s = slice_of(s.at + n, s.len - n);
        if (s.len > 0) {
            buf_append_str(out, "\xEF\xBF\xBD");
            s = slice_of(s.at + 1, s.len - 1);
        }
    }
}
