/* Reading protobuf's wire format: small inline steps over a borrowed run of bytes, safe on any
 * input, without allocation. A message is a run of fields; a field is a key (number and wire type)
 * and a value. https://protobuf.dev/programming-guides/encoding/
 *
 * Rules of the wire, for everything that is read here (R214, R220, R227):
 *   - a varint, be it value, key or length, has at most 10 bytes; bits beyond 64 are dropped;
 *   - field numbers are 1 to 2^29-1; wire types 6 and 7 do not exist;
 *   - a length must lie within the enclosing message;
 *   - a group ends with the end-group of its own number; groups nest at most WIRE_GROUP_DEPTH.
 *
 * A step that fails returns false, sets `error` to a literal and leaves `at` where the trouble is.
 * Thread: any; pure. */
#ifndef OTLP_WIRE_H
#define OTLP_WIRE_H

#include "base/slice.h"

enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2, /* strings, bytes, messages, packed numbers */
    WIRE_GROUP = 3,
    WIRE_END_GROUP = 4,
    WIRE_FIXED32 = 5,
};

#define WIRE_MAX_NUMBER  ((1u << 29) - 1)
#define WIRE_GROUP_DEPTH 100

struct wire {
    const uint8_t *at, *end; /* what is still to be read */
    const char *error;       /* NULL until a step fails */
};

struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t value;     /* WIRE_VARINT, WIRE_FIXED64, WIRE_FIXED32: the raw bits */
    struct slice bytes; /* WIRE_BYTES, WIRE_GROUP: the content */
};

static inline struct wire wire_of(struct slice message)
{
    static const uint8_t nothing[1];
    const uint8_t *at = message.len ? message.at : nothing; /* no arithmetic on NULL */
    return (struct wire){at, at + message.len, NULL};
}

static inline bool wire_fail(struct wire *w, const char *error)
{
    w->error = error;
    return false;
}

/* A varint of any length, and where it ends: NULL when it is truncated or too long. By value, so
 * that a reader may live in registers. */
struct wire_number {
    const uint8_t *end;
    uint64_t n;
};
struct wire_number wire_varint_long(const uint8_t *at, const uint8_t *end);

static inline bool wire_varint(struct wire *w, uint64_t *ret)
{
    if (__builtin_expect(w->at < w->end && *w->at < 0x80, 1)) {
        *ret = *w->at++;
        return true;
    }
    struct wire_number v = wire_varint_long(w->at, w->end);
    if (__builtin_expect(v.end == NULL, 0))
        return wire_fail(w, w->end - w->at < 10 ? "truncated" : "varint longer than 10 bytes");
    *ret = v.n;
    w->at = v.end;
    return true;
}

/* A field's key. End-group is returned like any other type: only a group may contain it. */
static inline bool wire_key(struct wire *w, uint32_t *ret_number, enum wire_type *ret_type)
{
    const uint8_t *start = w->at;
    uint64_t key;
    if (!wire_varint(w, &key))
        return false;
    if (__builtin_expect(key < 8 || key >> 3 > WIRE_MAX_NUMBER || (key & 7) > 5, 0)) {
        w->at = start;
        return wire_fail(w, (key & 7) > 5 ? "wire type 6 or 7" : "field number out of range");
    }
    *ret_number = (uint32_t)(key >> 3);
    *ret_type = (enum wire_type)(key & 7);
    return true;
}

static inline bool wire_fixed64(struct wire *w, uint64_t *ret)
{
    if (w->end - w->at < 8)
        return wire_fail(w, "truncated");
    uint64_t n = 0;
    for (int i = 7; i >= 0; i--) /* compiles to one load on little-endian machines */
        n = n << 8 | w->at[i];
    *ret = n;
    w->at += 8;
    return true;
}

static inline bool wire_fixed32(struct wire *w, uint32_t *ret)
{
    if (w->end - w->at < 4)
        return wire_fail(w, "truncated");
    *ret = (uint32_t)w->at[3] << 24 | (uint32_t)w->at[2] << 16 | (uint32_t)w->at[1] << 8 | w->at[0];
    w->at += 4;
    return true;
}

/* A length and as many bytes, borrowed. */
static inline bool wire_bytes(struct wire *w, struct slice *ret)
{
    const uint8_t *start = w->at;
    uint64_t len;
    if (!wire_varint(w, &len))
        return false;
    if (__builtin_expect(len > (size_t)(w->end - w->at), 0)) {
        w->at = start;
        return wire_fail(w, "length runs past the end of its message");
    }
    *ret = slice_of(w->at, (size_t)len);
    w->at += len;
    return true;
}

/* The content of a group whose start key (of `number`) has been read, up to and without its end
 * key, which is consumed. Every field inside is checked. */
bool wire_group(struct wire *w, uint32_t number, struct slice *ret);

/* Steps over the value of a field whose key has been read. */
bool wire_skip(struct wire *w, uint32_t number, enum wire_type type);

/* Reads the next field with its value. False at the end of the message and on an error:
 *     while (wire_next(&w, &f))
 *         switch (f.number) { ... }
 *     if (w.error != NULL) ...                                                            */
static inline bool wire_next(struct wire *w, struct wire_field *f)
{
    if (w->at >= w->end || !wire_key(w, &f->number, &f->type))
        return false;
    uint32_t n;
    switch (f->type) {
    case WIRE_VARINT:
        return wire_varint(w, &f->value);
    case WIRE_FIXED64:
        return wire_fixed64(w, &f->value);
    case WIRE_BYTES:
        return wire_bytes(w, &f->bytes);
    case WIRE_GROUP:
        return wire_group(w, f->number, &f->bytes);
    case WIRE_FIXED32:
        if (!wire_fixed32(w, &n))
            return false;
        f->value = n;
        return true;
    default:
        return wire_fail(w, "end-group outside a group");
    }
}

/* sint32 and sint64 (R221). */
static inline int64_t wire_zigzag(uint64_t n)
{
    return (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
}

/* The bits of a fixed64 as a double: NaNs, infinities and -0 survive (R225). */
static inline double wire_double(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof(d));
    return d;
}

#endif
