/* Fields that may occur several times in one message. The walk over a message only notes where a
 * field's occurrences lie; afterwards they are read again from there. So arrays are allocated with
 * their exact size, and a message that comes once, as it nearly always does, costs nothing more.
 *
 *     struct repeated attrs = {0};
 *     for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at)
 *         if (WIRE_KEY(f.number, f.type) == KEY_BYTES(6))
 *             repeated_add(&attrs, start, w.at, f.bytes);
 *
 * Thread: any; pure. */
#ifndef OTLP_REPEATED_H
#define OTLP_REPEATED_H

#include "base/arena.h"
#include "otlp/wire.h"

/* Number and wire type in one integer, for a switch. A known number with another wire type than its
 * own falls to the default and is skipped like an unknown field (R228). */
#define WIRE_KEY(number, type) ((uint32_t)(number) << 3 | (uint32_t)(type))
#define KEY_VARINT(number)     WIRE_KEY(number, WIRE_VARINT)
#define KEY_FIXED64(number)    WIRE_KEY(number, WIRE_FIXED64)
#define KEY_BYTES(number)      WIRE_KEY(number, WIRE_BYTES)
#define KEY_FIXED32(number)    WIRE_KEY(number, WIRE_FIXED32)

/* Occurrences of one field of wire type WIRE_BYTES; zeroed = none. */
struct repeated {
    size_t n;
    const uint8_t *from, *to; /* from the key of the first one to the end of the last one */
    struct slice last;        /* the content of the last one */
};

static inline void repeated_add(struct repeated *r, const uint8_t *start, const uint8_t *end,
                                struct slice bytes)
{
    if (r->n++ == 0)
        r->from = start;
    r->to = end;
    r->last = bytes;
}

/* All occurrences of a field in a message. */
struct repeated repeated_of(struct slice message, uint32_t number);

/* Starts reading the occurrences; repeated_next steps through them. */
static inline struct wire repeated_walk(const struct repeated *r)
{
    return wire_of(slice_of(r->from, (size_t)(r->to - r->from)));
}

/* The content of the next field `number`; others are stepped over. False at the end. */
static inline bool repeated_next(struct wire *w, uint32_t number, struct slice *ret)
{
    struct wire_field f = {0};
    while (wire_next(w, &f)) {
        if (WIRE_KEY(f.number, f.type) == KEY_BYTES(number)) {
            *ret = f.bytes;
            return true;
        }
    }
    return false;
}

/* A singular message: of several occurrences the bytes one behind the other in `a`, because parsing
 * the concatenation of encodings is what merging means (R217). Empty when there is none. False when
 * the arena is spent. */
bool repeated_merge(struct arena *a, const struct repeated *r, uint32_t number, struct slice *ret);

/* Occurrences of a repeated numeric field, packed, unpacked or mixed (R219); zeroed = none. */
struct numbers {
    size_t n; /* elements, not occurrences */
    const uint8_t *from, *to;
};

/* One more occurrence, either packed or a single element of wire type `element`: WIRE_FIXED64 or
 * WIRE_VARINT. */
void numbers_add(struct numbers *r, const uint8_t *start, const uint8_t *end,
                 const struct wire_field *f, enum wire_type element);
/* All elements in order, as raw 64 bits, in `a`; NULL when there are none (*ok untouched) or when
 * the arena is spent (*ok = false). */
const uint64_t *numbers_read(struct arena *a, const struct numbers *r, uint32_t number,
                             enum wire_type element, bool *ok);

#endif
