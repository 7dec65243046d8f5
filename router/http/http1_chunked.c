#include "router/http/http1_chunked.h"

#include <stdbool.h>
#include <string.h>

#define SIZE_DIGITS 16

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool go(struct http1_chunked *d, enum chunked_state next)
{
    d->state = next;
    return true;
}

static bool expect(struct http1_chunked *d, uint8_t c, uint8_t wanted, enum chunked_state next)
{
    return c == wanted && go(d, next);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* Up to the line's CR. */
static bool within_line(struct http1_chunked *d, uint8_t c, enum chunked_state at_end)
{
    if (c == '\r')
        return go(d, at_end);
    return (c >= 0x20 && c != 0x7F) || c == '\t';
}

static bool size_digit(struct http1_chunked *d, uint8_t c)
{
    int value = hex_value(c);
    if (value >= 0) {
        d->left = d->left << 4 | (uint64_t)value;
        return ++d->digits <= SIZE_DIGITS;
    }
    if (d->digits == 0)
        return false;
    if (c == '\r')
        return go(d, CHUNKED_SIZE_LF);
    if (is_blank(c))
        return go(d, CHUNKED_BLANK);
    return expect(d, c, ';', CHUNKED_EXTENSION);
}

static bool begin_size(struct http1_chunked *d)
{
    d->digits = 0;
    d->left = 0;
    return go(d, CHUNKED_SIZE);
}

/* One byte of framing; false: malformed. */
static bool step(struct http1_chunked *d, uint8_t c)
{
    switch (d->state) {
    case CHUNKED_SIZE:
        return size_digit(d, c);
    case CHUNKED_BLANK:
        return is_blank(c) || expect(d, c, ';', CHUNKED_EXTENSION);
    case CHUNKED_EXTENSION:
        return within_line(d, c, CHUNKED_SIZE_LF);
    case CHUNKED_SIZE_LF:
        return expect(d, c, '\n', d->left > 0 ? CHUNKED_DATA : CHUNKED_TRAILER);
    case CHUNKED_DATA_CR:
        return expect(d, c, '\r', CHUNKED_DATA_LF);
    case CHUNKED_DATA_LF:
        return c == '\n' && begin_size(d);
    case CHUNKED_TRAILER:
        return within_line(d, c, CHUNKED_LAST_LF) && (c == '\r' || go(d, CHUNKED_TRAILER_LINE));
    case CHUNKED_TRAILER_LINE:
        return within_line(d, c, CHUNKED_TRAILER_LF);
    case CHUNKED_TRAILER_LF:
        return expect(d, c, '\n', CHUNKED_TRAILER);
    case CHUNKED_LAST_LF:
        return expect(d, c, '\n', CHUNKED_DONE);
    case CHUNKED_DATA:
    case CHUNKED_DONE:
        break;
    }
    return false;
}

/* Moves what there is of the chunk at `from` to `to`; how many bytes. */
static size_t take_data(struct http1_chunked *d, uint8_t *to, const uint8_t *from, size_t there)
{
    size_t n = there < d->left ? there : (size_t)d->left;
    memmove(to, from, n);
    d->left -= n;
    if (d->left == 0)
        d->state = CHUNKED_DATA_CR;
    return n;
}

ssize_t http1_chunked_decode(struct http1_chunked *d, uint8_t *at, size_t *len)
{
    size_t read = 0, data = 0;
    while (read < *len && d->state != CHUNKED_DONE) {
        if (d->state == CHUNKED_DATA) {
            size_t n = take_data(d, at + data, at + read, *len - read);
            data += n;
            read += n;
        } else if (!step(d, at[read++])) {
            return -1;
        }
    }
    size_t behind = *len - read;
    *len = data;
    if (d->state != CHUNKED_DONE)
        return -2;
    memmove(at + data, at + read, behind);
    return (ssize_t)behind;
}
