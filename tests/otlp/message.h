/* Writing protobuf messages by hand, field by field, so that a test can say things no library would
 * write: any order, repeated singular fields, mixed packing.
 *
 *     struct buf b = BUF_INIT;
 *     MESSAGE(&b, 1) {                          the field 1, a message that holds
 *         put_text(&b, 2, "name");              ... a string in field 2
 *         MESSAGE(&b, 3) put_varint(&b, 1, 7);  ... and a message in field 3
 *     }                                                                                   */
#ifndef TESTS_OTLP_MESSAGE_H
#define TESTS_OTLP_MESSAGE_H

#include "base/buf.h"

static inline void put_raw_varint(struct buf *b, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        buf_append_byte(b, (uint8_t)(n | 0x80));
    buf_append_byte(b, (uint8_t)n);
}

static inline void put_key(struct buf *b, uint32_t number, unsigned wire_type)
{
    put_raw_varint(b, (uint64_t)number << 3 | wire_type);
}

static inline void put_varint(struct buf *b, uint32_t number, uint64_t n)
{
    put_key(b, number, 0);
    put_raw_varint(b, n);
}

static inline void put_raw_fixed64(struct buf *b, uint64_t n)
{
    for (int i = 0; i < 8; i++)
        buf_append_byte(b, (uint8_t)(n >> 8 * i));
}

static inline void put_fixed64(struct buf *b, uint32_t number, uint64_t n)
{
    put_key(b, number, 1);
    put_raw_fixed64(b, n);
}

static inline uint64_t double_bits(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof(bits));
    return bits;
}

static inline void put_double(struct buf *b, uint32_t number, double d)
{
    put_fixed64(b, number, double_bits(d));
}

static inline void put_fixed32(struct buf *b, uint32_t number, uint32_t n)
{
    put_key(b, number, 5);
    for (int i = 0; i < 4; i++)
        buf_append_byte(b, (uint8_t)(n >> 8 * i));
}

static inline void put_bytes(struct buf *b, uint32_t number, struct slice s)
{
    put_key(b, number, 2);
    put_raw_varint(b, s.len);
    buf_append_slice(b, s);
}

static inline void put_text(struct buf *b, uint32_t number, const char *text)
{
    put_bytes(b, number, slice_str(text));
}

/* Begins a message; returns where its content starts. */
static inline size_t message_begin(struct buf *b, uint32_t number)
{
    put_key(b, number, 2);
    return b->len;
}

/* Puts the length in front of what was written since. Returns 0. */
static inline size_t message_end(struct buf *b, size_t start)
{
    size_t len = b->len - start;
    put_raw_varint(b, len);
    size_t prefix = b->len - start - len;
    uint8_t length[10];
    memcpy(length, b->at + start + len, prefix);
    memmove(b->at + start + prefix, b->at + start, len);
    memcpy(b->at + start, length, prefix);
    return 0;
}

#define MESSAGE_NAME2(counter) message_start_##counter
#define MESSAGE_NAME(counter)  MESSAGE_NAME2(counter)
#define MESSAGE_LOOP(b, number, s)                                                                 \
    for (size_t s = message_begin((b), (number)); s != 0; s = message_end((b), s))
#define MESSAGE(b, number) MESSAGE_LOOP(b, number, MESSAGE_NAME(__COUNTER__))

/* A KeyValue with a string value, in the repeated field `number`. */
static inline void put_attr(struct buf *b, uint32_t number, const char *key, const char *value)
{
    MESSAGE (b, number) {
        put_text(b, 1, key);
        MESSAGE (b, 2)
            put_text(b, 1, value);
    }
}

#endif
