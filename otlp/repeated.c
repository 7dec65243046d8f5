#include "otlp/repeated.h"

struct repeated repeated_of(struct slice message, uint32_t number)
{
    struct repeated r = {0};
    struct wire w = wire_of(message);
    struct wire_field f = {0};
    for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at)
        if (WIRE_KEY(f.number, f.type) == KEY_BYTES(number))
            repeated_add(&r, start, w.at, f.bytes);
    return r;
}

bool repeated_merge(struct arena *a, const struct repeated *r, uint32_t number, struct slice *ret)
{
    *ret = r->last;
    if (r->n <= 1)
        return true;
    size_t total = 0, len = 0;
    struct slice one;
    for (struct wire w = repeated_walk(r); repeated_next(&w, number, &one);)
        total += one.len;
    uint8_t *at = arena_alloc(a, total);
    if (at == NULL)
        return false;
    for (struct wire w = repeated_walk(r); repeated_next(&w, number, &one); len += one.len)
        if (one.len > 0)
            memcpy(at + len, one.at, one.len);
    *ret = slice_of(at, len);
    return true;
}

/* How many elements a packed field holds: a varint ends with the one byte below 0x80. */
static size_t packed_count(struct slice packed, enum wire_type element)
{
    if (element == WIRE_FIXED64)
        return packed.len / 8;
    size_t n = 0;
    for (size_t i = 0; i < packed.len; i++)
        n += packed.at[i] < 0x80;
    return n;
}

void numbers_add(struct numbers *r, const uint8_t *start, const uint8_t *end,
                 const struct wire_field *f, enum wire_type element)
{
    if (r->from == NULL)
        r->from = start;
    r->to = end;
    r->n += f->type == WIRE_BYTES ? packed_count(f->bytes, element) : 1;
}

/* Appends the elements of one packed field; returns the new count, at most `max`. */
static size_t packed_read(struct slice packed, enum wire_type element, uint64_t *at, size_t n,
                          size_t max)
{
    struct wire w = wire_of(packed);
    while (n < max && w.at < w.end) {
        if (!(element == WIRE_FIXED64 ? wire_fixed64(&w, &at[n]) : wire_varint(&w, &at[n])))
            break;
        n++;
    }
    return n;
}

const uint64_t *numbers_read(struct arena *a, const struct numbers *r, uint32_t number,
                             enum wire_type element, bool *ok)
{
    if (r->n == 0)
        return NULL;
    uint64_t *at = arena_calloc(a, r->n, sizeof(*at));
    if (at == NULL) {
        *ok = false;
        return NULL;
    }
    struct wire w = wire_of(slice_of(r->from, (size_t)(r->to - r->from)));
    struct wire_field f = {0};
    size_t n = 0;
    while (n < r->n && wire_next(&w, &f)) {
        if (f.number != number)
            continue;
        if (f.type == WIRE_BYTES)
            n = packed_read(f.bytes, element, at, n, r->n);
        else if (f.type == element)
            at[n++] = f.value;
    }
    return at;
}
