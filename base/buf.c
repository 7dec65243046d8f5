#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Whether `more` bytes of content fit under the ceiling. */
static bool fits(const struct buf *b, size_t more)
{
    return !b->failed && more <= SIZE_MAX / 4 - b->len &&
           (b->ceiling == 0 || more <= b->ceiling - b->len);
}

/* Capacity for `more` bytes behind len, whatever the ceiling. */
static bool grow(struct buf *b, size_t more)
{
    if (b->len + more <= b->capacity)
        return true;
    size_t capacity = b->capacity ? b->capacity : 256;
    while (capacity < b->len + more)
        capacity *= 2;
    uint8_t *at = realloc(b->at, capacity);
    if (at == NULL)
        return false;
    b->at = at;
    b->capacity = capacity;
    return true;
}

uint8_t *buf_reserve(struct buf *b, size_t more)
{
    if (!fits(b, more) || !grow(b, more)) {
        b->failed = true;
        return NULL;
    }
    return b->at ? b->at + b->len : NULL;
}

int buf_append(struct buf *b, const void *at, size_t len)
{
    if (len == 0)
        return b->failed ? -ENOBUFS : 0;
    uint8_t *to = buf_reserve(b, len);
    if (to == NULL)
        return -ENOBUFS;
    memcpy(to, at, len);
    b->len += len;
    return 0;
}

int buf_append_slice(struct buf *b, struct slice s)
{
    return buf_append(b, s.at, s.len);
}

int buf_append_str(struct buf *b, const char *text)
{
    return buf_append(b, text, strlen(text));
}

int buf_append_byte(struct buf *b, uint8_t byte)
{
    return buf_append(b, &byte, 1);
}

int buf_append_u64(struct buf *b, uint64_t n)
{
    char digits[20];
    size_t at = sizeof(digits);
    do
        digits[--at] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    return buf_append(b, digits + at, sizeof(digits) - at);
}

int buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    /* vsnprintf writes a NUL: room for it, though it is no content and may pass the ceiling. */
    if (n < 0 || !fits(b, (size_t)n) || !grow(b, (size_t)n + 1)) {
        b->failed = true;
    } else {
        vsnprintf((char *)b->at + b->len, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
    return b->failed ? -ENOBUFS : 0;
}

const char *buf_cstr(struct buf *b)
{
    if (b->failed || b->len == 0)
        return "";
    if (!grow(b, 1)) {
        b->failed = true;
        return "";
    }
    b->at[b->len] = 0;
    return (const char *)b->at;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

void buf_release(struct buf *b)
{
    free(b->at);
    b->at = NULL;
    b->len = b->capacity = 0;
    b->failed = false;
}
