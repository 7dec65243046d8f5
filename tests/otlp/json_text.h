/* A protobuf message as OTLP/JSON, from protobuf-c's structs and descriptors, in the forms that
 * senders choose between: 64-bit integers as strings or numbers, numbers with exponents, base64 of
 * two alphabets, escapes, white space, unknown keys. What JSON cannot carry is changed in the
 * message, too: strings become UTF-8, NaNs lose their payload, bad ids are dropped. */
#ifndef TESTS_OTLP_JSON_TEXT_H
#define TESTS_OTLP_JSON_TEXT_H

#include "base/json.h"
#include "base/utf8.h"
#include "tests/otlp/generator.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>

static void json_message(struct generator *g, struct buf *out, ProtobufCMessage *m);

static void json_space(struct generator *g, struct buf *out)
{
    if (generator_next(g, 8) == 0)
        buf_append_byte(out, (uint8_t) " \t\r\n"[generator_next(g, 4)]);
}

static void json_key(struct buf *out, const char *name)
{
    buf_append_byte(out, '"');
    for (; *name != 0; name++)
        if (*name == '_')
            buf_append_byte(out, (uint8_t)toupper((unsigned char)*++name));
        else
            buf_append_byte(out, (uint8_t)*name);
    buf_append_byte(out, '"');
}

/* Quoted, plain, or with an exponent. */
static void json_integer(struct generator *g, struct buf *out, bool negative, uint64_t size)
{
    static const char *const formats[] = {"%s%" PRIu64, "\"%s%" PRIu64 "\"", "%s%" PRIu64 ".000",
                                          "\"%s%" PRIu64 "E+0\"", "%s%" PRIu64 "00e-2"};
    /* a zero would get leading zeros from the last */
    buf_printf(out, formats[generator_next(g, size == 0 ? 4 : 5)], negative ? "-" : "", size);
}

static void json_signed(struct generator *g, struct buf *out, int64_t n)
{
    json_integer(g, out, n < 0, n < 0 ? -(uint64_t)n : (uint64_t)n);
}

static void json_number(struct generator *g, struct buf *out, double *d)
{
    bool quoted = generator_next(g, 4) == 0 && isfinite(*d);
    if (isnan(*d))
        *d = NAN;
    if (quoted)
        buf_append_byte(out, '"');
    json_double(out, *d);
    if (quoted)
        buf_append_byte(out, '"');
}

/* Every character as it is or escaped. */
static void json_characters(struct generator *g, struct buf *out, struct slice s)
{
    buf_append_byte(out, '"');
    while (s.len > 0) {
        size_t n = utf8_length(s);
        bool escaped = s.at[0] < 0x20 || s.at[0] == '"' || s.at[0] == '\\';
        if (n <= 2 && (escaped || generator_next(g, 10) == 0))
            buf_printf(out, "\\u%04X", n == 1 ? s.at[0] : (s.at[0] & 0x1F) << 6 | (s.at[1] & 0x3F));
        else
            buf_append(out, s.at, n);
        s = slice_of(s.at + n, s.len - n);
    }
    buf_append_byte(out, '"');
}

static void json_chars(struct generator *g, struct buf *out, char **text)
{
    struct buf clean = BUF_INIT;
    utf8_clean(&clean, slice_str(*text));
    free(*text);
    *text = generator_alloc(clean.len + 1);
    memcpy(*text, buf_cstr(&clean), clean.len);
    json_characters(g, out, buf_slice(&clean));
    buf_release(&clean);
}

static void json_id(struct buf *out, ProtobufCBinaryData *id, size_t right_len)
{
    if (id->len != right_len)
        id->len = 0;
    buf_append_byte(out, '"');
    for (size_t i = 0; i < id->len; i++)
        buf_printf(out, i % 2 ? "%02x" : "%02X", id->data[i]);
    buf_append_byte(out, '"');
}

static void json_bytes(struct generator *g, struct buf *out, const ProtobufCBinaryData *bytes)
{
    bool url = generator_next(g, 2) == 0;
    buf_append_byte(out, '"');
    size_t start = out->len;
    json_base64(out, slice_of(bytes->data, bytes->len));
    for (size_t i = start; url && i < out->len; i++)
        out->at[i] = out->at[i] == '+' ? '-' : out->at[i] == '/' ? '_' : out->at[i];
    while (url && out->len > start && out->at[out->len - 1] == '=')
        out->len--;
    buf_append_byte(out, '"');
}

static void json_value(struct generator *g, struct buf *out, const ProtobufCFieldDescriptor *f,
                       void *at)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        json_message(g, out, *(ProtobufCMessage **)at);
        break;
    case PROTOBUF_C_TYPE_STRING:
        json_chars(g, out, at);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        if (strcmp(f->name, "bytes_value") == 0)
            json_bytes(g, out, at);
        else
            json_id(out, at, strcmp(f->name, "trace_id") == 0 ? 16 : 8);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        buf_append_str(out, *(protobuf_c_boolean *)at ? "true" : "false");
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        json_number(g, out, at);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        json_signed(g, out, *(int64_t *)at);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        json_integer(g, out, false, *(uint64_t *)at);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        json_integer(g, out, false, *(uint32_t *)at);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        buf_printf(out, "%d", *(int32_t *)at);
        break;
    default:
        json_signed(g, out, *(int32_t *)at);
        break;
    }
}

static void json_list(struct generator *g, struct buf *out, const ProtobufCFieldDescriptor *f,
                      uint8_t *array, size_t n)
{
    buf_append_byte(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        json_space(g, out);
        json_value(g, out, f, array + i * generator_size(f));
        json_space(g, out);
    }
    buf_append_byte(out, ']');
}

/* Whether the field has a value in the message. */
static bool json_present(const ProtobufCFieldDescriptor *f, const uint8_t *base)
{
    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)(base + f->quantifier_offset) == f->id;
    if (f->type == PROTOBUF_C_TYPE_MESSAGE && f->label != PROTOBUF_C_LABEL_REPEATED)
        return *(void *const *)(base + f->offset) != NULL;
    if (f->label == PROTOBUF_C_LABEL_OPTIONAL)
        return *(const protobuf_c_boolean *)(base + f->quantifier_offset);
    return f->type != PROTOBUF_C_TYPE_STRING || f->label == PROTOBUF_C_LABEL_REPEATED ||
           *(char *const *)(base + f->offset) != protobuf_c_empty_string;
}

static void json_member(struct generator *g, struct buf *out, const ProtobufCFieldDescriptor *f,
                        uint8_t *base)
{
    json_key(out, f->name);
    json_space(g, out);
    buf_append_byte(out, ':');
    json_space(g, out);
    if (!json_present(f, base))
        buf_append_str(out, "null");
    else if (f->label == PROTOBUF_C_LABEL_REPEATED)
        json_list(g, out, f, *(uint8_t **)(base + f->offset),
                  *(size_t *)(base + f->quantifier_offset));
    else
        json_value(g, out, f, base + f->offset);
}

/* The fields in order of number from a random one on. */
static void json_message(struct generator *g, struct buf *out, ProtobufCMessage *m)
{
    const ProtobufCMessageDescriptor *type = m->descriptor;
    unsigned start = generator_next(g, type->n_fields);
    buf_append_byte(out, '{');
    if (generator_next(g, 4) == 0)
        buf_append_str(out, "\"unknown\":{\"a\":[{\"b\":\"\\\"\"},-1.5e3,null]},");
    for (unsigned i = 0; i < type->n_fields; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        json_space(g, out);
        json_member(g, out, &type->fields[(start + i) % type->n_fields], (uint8_t *)m);
        json_space(g, out);
    }
    buf_append_byte(out, '}');
}

#endif
