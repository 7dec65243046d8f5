#include "otlp/wire.h"

struct wire_number wire_varint_long(const uint8_t *at, const uint8_t *end)
{
    uint64_t n = 0;
    for (unsigned shift = 0; shift < 70 && at < end; shift += 7) {
        uint8_t byte = *at++;
        n |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return (struct wire_number){at, n};
    }
    return (struct wire_number){NULL, 0};
}

/* Steps over a value that is not a group. */
static bool skip_plain(struct wire *w, enum wire_type type)
{
    uint64_t n;
    uint32_t n32;
    struct slice bytes;
    switch (type) {
    case WIRE_VARINT:
        return wire_varint(w, &n);
    case WIRE_FIXED64:
        return wire_fixed64(w, &n);
    case WIRE_FIXED32:
        return wire_fixed32(w, &n32);
    case WIRE_BYTES:
        return wire_bytes(w, &bytes);
    default:
        return wire_fail(w, "end-group outside a group");
    }
}

bool wire_group(struct wire *w, uint32_t number, struct slice *ret)
{
    uint32_t open[WIRE_GROUP_DEPTH]; /* numbers of the groups we are in, outermost first */
    const uint8_t *start = w->at;
    unsigned depth = 0;
    open[depth++] = number;
    while (w->at < w->end) {
        const uint8_t *key_at = w->at;
        enum wire_type type;
        if (!wire_key(w, &number, &type))
            return false;
        if (type == WIRE_GROUP) {
            if (depth == WIRE_GROUP_DEPTH)
                return wire_fail(w, "groups nested too deeply");
            open[depth++] = number;
        } else if (type == WIRE_END_GROUP) {
            if (open[--depth] != number)
                return wire_fail(w, "end-group of another group");
            if (depth == 0) {
                *ret = slice_of(start, (size_t)(key_at - start));
                return true;
            }
        } else if (!skip_plain(w, type)) {
            return false;
        }
    }
    return wire_fail(w, "group without an end");
}

bool wire_skip(struct wire *w, uint32_t number, enum wire_type type)
{
    struct slice content;
    if (type == WIRE_GROUP)
        return wire_group(w, number, &content);
    return skip_plain(w, type);
}
