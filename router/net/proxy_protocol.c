#include "router/net/proxy_protocol.h"

#include "base/crc32c.h"

#include <arpa/inet.h>
#include <string.h>

/* --- version 1: a line of text ---------------------------------------------------------------- */

#define LINE_MAX_BYTES 107

/* The text up to the next blank, or the end; false when it is empty. */
static bool word(struct slice *line, struct slice *ret)
{
    const uint8_t *blank = line->len ? memchr(line->at, ' ', line->len) : NULL;
    size_t n = blank ? (size_t)(blank - line->at) : line->len;
    *ret = slice_of(line->at, n);
    n += blank != NULL;
    *line = slice_of(line->at + n, line->len - n);
    return ret->len > 0;
}

static bool read_address(struct slice text, int family, uint8_t out[16])
{
    char copy[ADDRESS_TEXT];
    if (text.len >= sizeof(copy) || memchr(text.at, 0, text.len) != NULL)
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = 0;
    return inet_pton(family, copy, out) == 1;
}

static bool read_port(struct slice text, uint16_t *ret)
{
    unsigned n = 0;
    if (text.len > 5 || (text.len > 1 && text.at[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        n = n * 10 + (unsigned)(text.at[i] - '0');
    }
    *ret = (uint16_t)n;
    return n <= UINT16_MAX;
}

/* "TCP4 192.0.2.1 198.51.100.1 56324 443", or "UNKNOWN" with anything behind it. */
static enum proxy_header read_line(struct slice line, struct address *ret)
{
    struct slice kind, from, to, from_port, to_port;
    uint8_t at[16], other[16];
    uint16_t port, other_port;
    size_t whole = line.len;
    if (!word(&line, &kind))
        return PROXY_BAD;
    if (slice_eq(kind, SLICE_LIT("UNKNOWN")))
        return PROXY_LOCAL;
    int family = slice_eq(kind, SLICE_LIT("TCP4"))   ? AF_INET
                 : slice_eq(kind, SLICE_LIT("TCP6")) ? AF_INET6
                                                     : AF_UNSPEC;
    if (family == AF_UNSPEC || !word(&line, &from) || !word(&line, &to) ||
        !word(&line, &from_port) || !word(&line, &to_port) || line.len != 0)
        return PROXY_BAD;
    /* Four single blanks, none behind. */
    if (kind.len + from.len + to.len + from_port.len + to_port.len + 4 != whole)
        return PROXY_BAD;
    if (!read_address(from, family, at) || !read_address(to, family, other) ||
        !read_port(from_port, &port) || !read_port(to_port, &other_port))
        return PROXY_BAD;
    if (family == AF_INET) {
        *ret = address_v4(at, port);
    } else {
        memcpy(ret->at, at, sizeof(ret->at));
        ret->port = port;
    }
    return PROXY_CLIENT;
}

static enum proxy_header parse_text(struct slice in, size_t *ret_len, struct address *ret)
{
    static const struct slice begin = {(const uint8_t *)"PROXY ", 6};
    size_t known = in.len < begin.len ? in.len : begin.len;
    if (memcmp(in.at, begin.at, known) != 0)
        return PROXY_BAD;
    size_t most = in.len < LINE_MAX_BYTES ? in.len : LINE_MAX_BYTES;
    const uint8_t *cr = memchr(in.at, '\r', most);
    if (cr == NULL || (size_t)(cr - in.at) + 1 == in.len)
        return in.len < LINE_MAX_BYTES ? PROXY_MORE : PROXY_BAD;
    size_t len = (size_t)(cr - in.at);
    if (cr[1] != '\n' || len < begin.len || len + 2 > LINE_MAX_BYTES)
        return PROXY_BAD;
    *ret_len = len + 2;
    return read_line(slice_of(in.at + begin.len, len - begin.len), ret);
}

/* --- version 2: binary ------------------------------------------------------------------------ */

static const uint8_t signature[12] = {0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D,
                                      0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};

#define FIXED_BYTES  16 /* signature, version and command, family, length */
#define TYPE_CRC32C  0x03
#define EXTENSION_HD 3

static size_t be16(const uint8_t *at)
{
    return (size_t)at[0] << 8 | at[1];
}

/* The checksum is of the whole header with zeros in its own place. */
static bool checksum_holds(struct slice header, const uint8_t *stored)
{
    static const uint8_t zeros[4];
    size_t before = (size_t)(stored - header.at);
    uint32_t crc = crc32c(0, slice_of(header.at, before));
    crc = crc32c(crc, slice_of(zeros, sizeof(zeros)));
    crc = crc32c(crc, slice_of(stored + 4, header.len - before - 4));
    return crc == ((uint32_t)stored[0] << 24 | (uint32_t)stored[1] << 16 |
                   (uint32_t)stored[2] << 8 | stored[3]);
}

/* Well-formed to the last byte; what they say is not used, but for the checksum. */
static bool extensions_hold(struct slice header, size_t at)
{
    while (at < header.len) {
        if (header.len - at < EXTENSION_HD)
            return false;
        size_t len = be16(header.at + at + 1);
        const uint8_t *value = header.at + at + EXTENSION_HD;
        if (header.len - at - EXTENSION_HD < len)
            return false;
        if (header.at[at] == TYPE_CRC32C && (len != 4 || !checksum_holds(header, value)))
            return false;
        at += EXTENSION_HD + len;
    }
    return true;
}

/* Bytes of addresses by family and transport: streams alone come in here. -1: not by the book. */
static int address_bytes(uint8_t family)
{
    switch (family) {
    case 0x00:
        return 0;
    case 0x11:
        return 12;
    case 0x21:
        return 36;
    case 0x31:
        return 216;
    default:
        return -1;
    }
}

static enum proxy_header parse_binary(struct slice in, size_t *ret_len, struct address *ret)
{
    size_t known = in.len < sizeof(signature) ? in.len : sizeof(signature);
    if (memcmp(in.at, signature, known) != 0)
        return PROXY_BAD;
    if (in.len < FIXED_BYTES)
        return PROXY_MORE;
    uint8_t command = in.at[12], family = in.at[13];
    size_t len = FIXED_BYTES + be16(in.at + 14);
    if ((command != 0x20 && command != 0x21) || len > PROXY_MAX_HEADER)
        return PROXY_BAD;
    bool local = command == 0x20;
    int addresses = address_bytes(family);
    if (!local && (addresses < 0 || len < FIXED_BYTES + (size_t)addresses))
        return PROXY_BAD;
    if (in.len < len)
        return PROXY_MORE;
    *ret_len = len;
    if (local) /* its rest is to be skipped, whatever it holds */
        return PROXY_LOCAL;
    if (!extensions_hold(slice_of(in.at, len), FIXED_BYTES + (size_t)addresses))
        return PROXY_BAD;
    const uint8_t *at = in.at + FIXED_BYTES;
    if (family == 0x11) {
        *ret = address_v4(at, (uint16_t)be16(at + 8));
        return PROXY_CLIENT;
    }
    if (family == 0x21) {
        memcpy(ret->at, at, sizeof(ret->at));
        ret->port = (uint16_t)be16(at + 32);
        return PROXY_CLIENT;
    }
    return PROXY_LOCAL;
}

enum proxy_header proxy_header_parse(struct slice in, size_t *ret_len, struct address *ret_client)
{
    if (in.len == 0)
        return PROXY_MORE;
    return in.at[0] == signature[0] ? parse_binary(in, ret_len, ret_client)
                                    : parse_text(in, ret_len, ret_client);
}
