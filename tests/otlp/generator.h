/* Random valid messages of any type, from protobuf-c's descriptors and a seed. */
#ifndef TESTS_OTLP_GENERATOR_H
#define TESTS_OTLP_GENERATOR_H

#include <protobuf-c/protobuf-c.h>

#include <stdlib.h>
#include <string.h>

struct generator {
    uint64_t state;  /* xorshift64*; not 0 */
    unsigned levels; /* messages that may still nest */
};

static uint32_t generator_next(struct generator *g, uint32_t below)
{
    g->state ^= g->state >> 12;
    g->state ^= g->state << 25;
    g->state ^= g->state >> 27;
    return (uint32_t)((g->state * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % below;
}

/* Numbers of all lengths, the extremes among them. */
static uint64_t generator_number(struct generator *g)
{
    uint64_t n = (uint64_t)generator_next(g, UINT32_MAX) << 32 | generator_next(g, UINT32_MAX);
    return generator_next(g, 8) == 0 ? UINT64_MAX : n >> generator_next(g, 64);
}

static size_t generator_length(struct generator *g, const char *field)
{
    size_t len = strlen(field);
    if (len >= 3 && strcmp(field + len - 3, "_id") == 0 && generator_next(g, 10) != 0)
        return strcmp(field, "trace_id") == 0 ? 16 : 8;
    return generator_next(g, 16) == 0 ? 100 + generator_next(g, 200) : generator_next(g, 20);
}

static void *generator_alloc(size_t size)
{
    void *at = calloc(1, size ? size : 1);
    if (at == NULL)
        abort();
    return at;
}

static ProtobufCMessage *generate(struct generator *g, const ProtobufCMessageDescriptor *m);

/* `at`: where the value stands, in a message or in an array. */
static void generate_value(struct generator *g, const ProtobufCFieldDescriptor *f, void *at)
{
    ProtobufCBinaryData bytes;
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)at = generate(g, f->descriptor);
        break;
    case PROTOBUF_C_TYPE_STRING: {
        size_t len = generator_length(g, f->name);
        char *text = generator_alloc(len + 1);
        for (size_t i = 0; i < len; i++)
            text[i] = (char)(1 + generator_next(g, 255)); /* not always UTF-8 */
        *(char **)at = text;
        break;
    }
    case PROTOBUF_C_TYPE_BYTES:
        bytes.len = generator_length(g, f->name);
        bytes.data = generator_alloc(bytes.len);
        for (size_t i = 0; i < bytes.len; i++)
            bytes.data[i] = (uint8_t)generator_next(g, 256);
        memcpy(at, &bytes, sizeof(bytes));
        break;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)at = 1;
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        *(uint64_t *)at = generator_number(g);
        break;
    default: /* all others are 32 bits wide */
        *(uint32_t *)at = (uint32_t)generator_number(g);
        break;
    }
}

static size_t generator_size(const ProtobufCFieldDescriptor *f)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(void *);
    default: /* OTLP repeats no bytes, bools or 32-bit numbers */
        return 8;
    }
}

static void generate_field(struct generator *g, ProtobufCMessage *message,
                           const ProtobufCFieldDescriptor *f)
{
    uint8_t *base = (uint8_t *)message;
    void *at = base + f->offset;
    if (f->type == PROTOBUF_C_TYPE_MESSAGE && g->levels == 0)
        return;
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t n = generator_next(g, 4);
        if (n == 0)
            return;
        uint8_t *array = generator_alloc(n * generator_size(f));
        for (size_t i = 0; i < n; i++)
            generate_value(g, f, array + i * generator_size(f));
        memcpy(at, &array, sizeof(array));
        *(size_t *)(base + f->quantifier_offset) = n;
        return;
    }
    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        uint32_t *chosen = (uint32_t *)(base + f->quantifier_offset);
        if (*chosen != 0)
            return;
        *chosen = f->id;
    }
    generate_value(g, f, at);
}

/* Freed with protobuf_c_message_free_unpacked. */
static ProtobufCMessage *generate(struct generator *g, const ProtobufCMessageDescriptor *m)
{
    ProtobufCMessage *message = generator_alloc(m->sizeof_message);
    protobuf_c_message_init(m, message);
    g->levels--;
    unsigned start = generator_next(g, m->n_fields); /* no member of a oneof is preferred */
    for (unsigned i = 0; i < m->n_fields; i++)
        if (generator_next(g, 4) != 0)
            generate_field(g, message, &m->fields[(start + i) % m->n_fields]);
    g->levels++;
    return message;
}

#endif
