#include "otlp/json_bytes.h"

#define NO_DIGIT 0xFF

static uint8_t hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return (uint8_t)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (uint8_t)(c - 'a' + 10) : NO_DIGIT;
}

bool json_hex(struct slice s, uint8_t *to, size_t len)
{
    if (s.len != 2 * len)
        return false;
    for (size_t i = 0; i < len; i++) {
        uint8_t high = hex_value(s.at[2 * i]), low = hex_value(s.at[2 * i + 1]);
        if (high == NO_DIGIT || low == NO_DIGIT)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static uint8_t base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint8_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint8_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint8_t)(c - '0' + 52);
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : NO_DIGIT;
}

/* Without its padding, which there is to the full or not at all. */
static struct slice unpadded(struct slice s)
{
    if (s.len == 0 || s.len % 4 != 0)
        return s;
    for (int i = 0; i < 2 && s.at[s.len - 1] == '='; i++)
        s.len--;
    return s;
}

bool json_unbase64(struct slice s, uint8_t *to, size_t *ret_len)
{
    uint32_t bits = 0;
    size_t len = 0;
    s = unpadded(s);
    if (s.len % 4 == 1)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t value = base64_value(s.at[i]);
        if (value == NO_DIGIT)
            return false;
        bits = bits << 6 | value;
        if (i % 4 != 0)
            to[len++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    *ret_len = len;
    return true;
}
