/* The same message said differently: fields in another order, singular messages in two pieces,
 * packed numbers element by element, scalars twice with a wrong value first. A parser must read
 * both the same (R216, R217, R219). */
#ifndef TESTS_OTLP_VARIANT_H
#define TESTS_OTLP_VARIANT_H

#include "otlp/wire.h"
#include "tests/otlp/generator.h"
#include "tests/otlp/message.h"

/* The most fields of a message that are rewritten; those behind them stay as they are. */
#define VARIANT_FIELDS 64

static inline void variant_write(struct generator *g, const ProtobufCMessageDescriptor *m,
                                 struct slice bytes, struct buf *out);

/* Fields that must keep their order among themselves: those of one number, those of one oneof, and
 * the unknown ones. */
static inline uint32_t variant_group(const ProtobufCFieldDescriptor *f)
{
    if (f == NULL)
        return 0;
    return f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF ? UINT32_MAX : f->id;
}

/* A singular message in two pieces, cut between two of its fields. */
static inline void variant_split(struct generator *g, uint32_t number, struct slice content,
                                 struct buf *out)
{
    struct wire w = wire_of(content);
    struct wire_field f;
    while (generator_next(g, 3) != 0 && wire_next(&w, &f))
        ;
    size_t left = (size_t)(w.end - w.at);
    put_bytes(out, number, slice_of(content.at, content.len - left));
    put_bytes(out, number, slice_of(w.at, left));
}

/* Repeated numbers: packed ones element by element, single ones packed. */
static inline void variant_numbers(const ProtobufCFieldDescriptor *f,
                                   const struct wire_field *field, struct buf *out)
{
    bool varint = f->type == PROTOBUF_C_TYPE_UINT64;
    uint64_t n;
    if (field->type == WIRE_BYTES) {
        struct wire w = wire_of(field->bytes);
        while (w.at < w.end && (varint ? wire_varint(&w, &n) : wire_fixed64(&w, &n)))
            varint ? put_varint(out, f->id, n) : put_fixed64(out, f->id, n);
        return;
    }
    MESSAGE (out, f->id)
        varint ? put_raw_varint(out, field->value) : put_raw_fixed64(out, field->value);
}

static inline void variant_message(struct generator *g, const ProtobufCFieldDescriptor *f,
                                   struct slice message, struct buf *out)
{
    struct buf content = BUF_INIT;
    variant_write(g, f->descriptor, message, &content);
    if (f->label != PROTOBUF_C_LABEL_REPEATED && generator_next(g, 2) != 0)
        variant_split(g, f->id, buf_slice(&content), out);
    else
        put_bytes(out, f->id, buf_slice(&content));
    buf_release(&content);
}

static inline void variant_field(struct generator *g, const ProtobufCFieldDescriptor *f,
                                 const struct wire_field *field, struct slice raw, struct buf *out)
{
    bool number = f != NULL && f->type != PROTOBUF_C_TYPE_MESSAGE &&
                  f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_BYTES;
    bool repeated = f != NULL && f->label == PROTOBUF_C_LABEL_REPEATED;
    if (f != NULL && f->type == PROTOBUF_C_TYPE_MESSAGE) {
        variant_message(g, f, field->bytes, out);
    } else if (number && repeated && generator_next(g, 2) != 0) {
        variant_numbers(f, field, out);
    } else {
        if (number && !repeated && field->type == WIRE_VARINT)
            put_varint(out, f->id, generator_number(g));
        if (number && !repeated && field->type == WIRE_FIXED64)
            put_fixed64(out, f->id, generator_number(g));
        buf_append_slice(out, raw);
    }
}

/* Writes a variant of the valid message to `out`. */
static inline void variant_write(struct generator *g, const ProtobufCMessageDescriptor *m,
                                 struct slice bytes, struct buf *out)
{
    struct {
        const ProtobufCFieldDescriptor *f;
        struct wire_field field;
        struct slice raw;
        bool written;
    } fields[VARIANT_FIELDS];
    size_t n = 0;
    struct wire w = wire_of(bytes);
    for (const uint8_t *at = w.at; n < VARIANT_FIELDS && wire_next(&w, &fields[n].field);
         at = w.at) {
        fields[n].f = protobuf_c_message_descriptor_get_field(m, fields[n].field.number);
        fields[n].raw = slice_of(at, (size_t)(w.at - at));
        fields[n++].written = false;
    }
    for (size_t left = n; left > 0; left--) {
        size_t pick = generator_next(g, (uint32_t)n);
        while (fields[pick].written)
            pick = (pick + 1) % n;
        size_t first = 0; /* of the picked field's group */
        while (fields[first].written ||
               variant_group(fields[first].f) != variant_group(fields[pick].f))
            first++;
        fields[first].written = true;
        variant_field(g, fields[first].f, &fields[first].field, fields[first].raw, out);
    }
    buf_append(out, w.at, (size_t)(w.end - w.at));
}

#endif
