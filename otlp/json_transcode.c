/* A descent over the text, one call per message, that writes as it reads.
 *
 * Lengths. The length of a message stands in front of it and is known behind it: one byte is kept
 * free for it, and a message of 128 bytes or more moves up when it ends. So each byte moves once
 * per long message around it, which is three or four times in practice.
 *
 * Repeated keys. Where a key's value must replace an earlier one (lists and messages, which
 * protobuf would append or merge), the earlier bytes are cut out. Of all other fields protobuf
 * itself takes the last. */
#include "otlp/json_transcode.h"

#include "opentelemetry/proto/logs/v1/logs.pb-c.h"
#include "otlp/json_bytes.h"
#include "otlp/json_number.h"
#include "otlp/json_read.h"
#include "otlp/request_type.h"
#include "otlp/scan.h"
#include "otlp/scan_schema.h"
#include "otlp/wire.h"

#include <stdio.h>

#define KEY_BYTES_MAX    5
#define VARINT_BYTES_MAX 10
#define TRACE_ID_LEN     16
#define SPAN_ID_LEN      8

typedef ProtobufCMessageDescriptor message_type;
typedef ProtobufCFieldDescriptor field_type;

struct transcoder {
    struct json_read in;
    struct buf *out;
    struct json_error *error;
    enum json_status status;
};

/* One object while it is read. `from` and `to`: where in the output the value of a list or message
 * field stands, by field number. */
struct object {
    uint32_t seen, placed; /* bits by field number */
    size_t from[SCHEMA_MAX_NUMBER + 1], to[SCHEMA_MAX_NUMBER + 1];
};

static bool fail(struct transcoder *t, const char *error)
{
    return json_read_fail(&t->in, error);
}

/* The same, about a value that has been read. */
static bool fail_at(struct transcoder *t, const uint8_t *at, const char *error)
{
    t->in.at = at;
    return fail(t, error);
}

/* --- writing -------------------------------------------------------------------------------- */

/* Room for `n` bytes behind what was written, or NULL. */
static uint8_t *room(struct transcoder *t, size_t n)
{
    struct buf *b = t->out;
    uint8_t *at = buf_reserve(b, n);
    if (at == NULL)
        t->status = b->ceiling != 0 && n > b->ceiling - b->len ? JSON_TOO_LARGE : JSON_NO_MEMORY;
    return at;
}

static uint8_t *put_varint(uint8_t *to, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        *to++ = (uint8_t)(n | 0x80);
    *to++ = (uint8_t)n;
    return to;
}

static uint8_t *put_fixed(uint8_t *to, uint64_t n, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        *to++ = (uint8_t)(n >> 8 * i);
    return to;
}

static uint8_t *put_key(uint8_t *to, const field_type *f, enum wire_type wire)
{
    return put_varint(to, (uint64_t)f->id << 3 | wire);
}

static void wrote_to(struct transcoder *t, const uint8_t *end)
{
    t->out->len = (size_t)(end - t->out->at);
}

static bool write_bytes(struct transcoder *t, const field_type *f, struct slice s)
{
    uint8_t *to = room(t, KEY_BYTES_MAX + VARINT_BYTES_MAX + s.len);
    if (to == NULL)
        return false;
    to = put_varint(put_key(to, f, WIRE_BYTES), s.len);
    memcpy(to, s.at, s.len);
    wrote_to(t, to + s.len);
    return true;
}

/* Begins a field whose length is not known yet. Returns where its content starts in the output, 0
 * on failure. */
static size_t begin(struct transcoder *t, const field_type *f)
{
    uint8_t *to = room(t, KEY_BYTES_MAX + 1);
    if (to == NULL)
        return 0;
    wrote_to(t, put_key(to, f, WIRE_BYTES) + 1);
    return t->out->len;
}

static bool end(struct transcoder *t, size_t start)
{
    uint8_t length[VARINT_BYTES_MAX];
    size_t n = t->out->len - start, extra = (size_t)(put_varint(length, n) - length) - 1;
    if (extra > 0) {
        if (room(t, extra) == NULL)
            return false;
        memmove(t->out->at + start + extra, t->out->at + start, n);
        t->out->len += extra;
    }
    memcpy(t->out->at + start - 1, length, extra + 1);
    return true;
}

/* --- strings, bytes, ids -------------------------------------------------------------------- */

/* What a string means: itself, or written behind the output, where the next thing written
 * overwrites it. */
static bool plain(struct transcoder *t, const struct json_text *text, struct slice *ret)
{
    *ret = text->raw;
    if (!text->escaped)
        return true;
    uint8_t *to = room(t, text->raw.len);
    if (to == NULL)
        return false;
    *ret = slice_of(to, json_text_decode(text, to));
    return true;
}

static bool write_text(struct transcoder *t, const field_type *f, const struct json_text *text)
{
    if (!text->escaped)
        return write_bytes(t, f, text->raw);
    size_t start = begin(t, f);
    uint8_t *to = start ? room(t, text->raw.len) : NULL;
    if (to == NULL)
        return false;
    t->out->len += json_text_decode(text, to);
    return end(t, start);
}

/* Written as the text and decoded in place. */
static bool write_base64(struct transcoder *t, const field_type *f, const struct json_text *text,
                         const uint8_t *at)
{
    size_t start = begin(t, f), len;
    uint8_t *to = start ? room(t, text->raw.len + 1) : NULL;
    if (to == NULL)
        return false;
    if (!json_unbase64(slice_of(to, json_text_decode(text, to)), to, &len))
        return fail_at(t, at, "not base64");
    t->out->len += len;
    return end(t, start);
}

static bool is_id(const field_type *f)
{
    size_t len = strlen(f->name);
    return len > 3 && strcmp(f->name + len - 3, "_id") == 0;
}

static bool write_id(struct transcoder *t, const message_type *m, const field_type *f,
                     const struct json_text *text)
{
    static const uint8_t no_id[1];
    uint8_t id[TRACE_ID_LEN];
    size_t len = strcmp(f->name, "trace_id") == 0 ? TRACE_ID_LEN : SPAN_ID_LEN;
    struct slice digits;
    if (!plain(t, text, &digits))
        return false;
    if (json_hex(digits, id, len))
        return write_bytes(t, f, slice_of(id, len));
    if (digits.len == 0 || m == &opentelemetry__proto__logs__v1__log_record__descriptor)
        return write_bytes(t, f, slice_of(id, 0));
    return write_bytes(t, f, slice_of(no_id, sizeof(no_id)));
}

/* --- numbers -------------------------------------------------------------------------------- */

/* Integer types: the largest value, the absolute value of the least one, the form on the wire. */
static const struct {
    uint64_t most, least;
    enum wire_type wire;
} integers[] = {
    [PROTOBUF_C_TYPE_INT32] = {INT32_MAX, UINT64_C(1) << 31, WIRE_VARINT},
    [PROTOBUF_C_TYPE_SINT32] = {INT32_MAX, UINT64_C(1) << 31, WIRE_VARINT},
    [PROTOBUF_C_TYPE_ENUM] = {INT32_MAX, UINT64_C(1) << 31, WIRE_VARINT},
    [PROTOBUF_C_TYPE_UINT32] = {UINT32_MAX, 0, WIRE_VARINT},
    [PROTOBUF_C_TYPE_FIXED32] = {UINT32_MAX, 0, WIRE_FIXED32},
    [PROTOBUF_C_TYPE_INT64] = {INT64_MAX, UINT64_C(1) << 63, WIRE_VARINT},
    [PROTOBUF_C_TYPE_SFIXED64] = {INT64_MAX, UINT64_C(1) << 63, WIRE_FIXED64},
    [PROTOBUF_C_TYPE_UINT64] = {UINT64_MAX, 0, WIRE_VARINT},
    [PROTOBUF_C_TYPE_FIXED64] = {UINT64_MAX, 0, WIRE_FIXED64},
};

/* NULL, or why `n` has no place in the type. */
static const char *integer_bits(ProtobufCType type, const struct json_number *n, uint64_t *ret)
{
    uint64_t size;
    const char *error = json_number_integer(n, &size);
    if (error != NULL)
        return error;
    if (size > (n->negative ? integers[type].least : integers[type].most))
        return "number out of range";
    *ret = n->negative ? -size : size;
    if (type == PROTOBUF_C_TYPE_SINT32)
        *ret = *ret << 1 ^ -(*ret >> 63);
    return NULL;
}

static const char *double_bits(const struct json_number *n, uint64_t *ret)
{
    double d;
    const char *error = json_number_double(n, &d);
    if (error == NULL)
        memcpy(ret, &d, sizeof(d));
    return error;
}

static const char *number_bits(ProtobufCType type, const struct json_number *n, uint64_t *ret)
{
    return type == PROTOBUF_C_TYPE_DOUBLE ? double_bits(n, ret) : integer_bits(type, n, ret);
}

/* The doubles that are no numbers (R245). */
static bool named_double(struct slice name, uint64_t *ret)
{
    static const struct {
        const char *name;
        uint64_t bits;
    } named[] = {{"NaN", 0x7FF8000000000000u},
                 {"Infinity", 0x7FF0000000000000u},
                 {"-Infinity", 0xFFF0000000000000u}};
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
        if (slice_eq(name, slice_str(named[i].name))) {
            *ret = named[i].bits;
            return true;
        }
    return false;
}

static const char *expected_number(ProtobufCType type)
{
    return type == PROTOBUF_C_TYPE_ENUM ? "expected a number (names of enum values are not read)"
                                        : "expected a number";
}

/* A number in a string (R241, R243, R245). */
static bool read_quoted(struct transcoder *t, ProtobufCType type, uint64_t *ret)
{
    const uint8_t *at = t->in.at;
    struct json_text text;
    struct json_number n;
    struct slice s;
    if (!json_read_string(&t->in, &text) || !plain(t, &text, &s))
        return false;
    if (type == PROTOBUF_C_TYPE_ENUM)
        return fail_at(t, at, expected_number(type));
    if (type == PROTOBUF_C_TYPE_DOUBLE && named_double(s, ret))
        return true;
    if (s.len == 0 || json_number_read(s, &n) != s.len)
        return fail_at(t, at, "not a number");
    const char *error = number_bits(type, &n, ret);
    return error == NULL || fail_at(t, at, error);
}

static bool read_number(struct transcoder *t, ProtobufCType type, uint64_t *ret)
{
    struct json_number n;
    if (json_read_peek(&t->in) == '"')
        return read_quoted(t, type, ret);
    size_t len = json_number_read(slice_of(t->in.at, (size_t)(t->in.end - t->in.at)), &n);
    if (len == 0)
        return fail(t, expected_number(type));
    const char *error = number_bits(type, &n, ret);
    if (error != NULL)
        return fail(t, error);
    t->in.at += len;
    return true;
}

static bool read_bool(struct transcoder *t, uint64_t *ret)
{
    *ret = json_read_word(&t->in, SLICE_LIT("true"));
    return *ret || json_read_word(&t->in, SLICE_LIT("false")) || fail(t, "expected true or false");
}

static enum wire_type wire_of_type(ProtobufCType type)
{
    if (type == PROTOBUF_C_TYPE_DOUBLE)
        return WIRE_FIXED64;
    return type == PROTOBUF_C_TYPE_BOOL ? WIRE_VARINT : integers[type].wire;
}

/* The value alone, without its key. */
static bool write_number(struct transcoder *t, uint8_t *to, enum wire_type wire, uint64_t bits)
{
    if (wire == WIRE_VARINT)
        to = put_varint(to, bits);
    else
        to = put_fixed(to, bits, wire == WIRE_FIXED64 ? 8 : 4);
    wrote_to(t, to);
    return true;
}

/* --- fields --------------------------------------------------------------------------------- */

static bool read_object(struct transcoder *t, const message_type *m, unsigned levels);

/* One value of a string or bytes field. `keep`: also an empty one. */
static bool text_field(struct transcoder *t, const message_type *m, const field_type *f, bool keep)
{
    struct json_text text;
    json_read_peek(&t->in);
    const uint8_t *at = t->in.at;
    if (!json_read_string(&t->in, &text))
        return false;
    if (text.raw.len == 0 && !keep)
        return true;
    if (f->type == PROTOBUF_C_TYPE_STRING)
        return write_text(t, f, &text);
    return is_id(f) ? write_id(t, m, f, &text) : write_base64(t, f, &text, at);
}

static bool number_field(struct transcoder *t, const field_type *f, bool keep)
{
    uint64_t bits;
    if (!(f->type == PROTOBUF_C_TYPE_BOOL ? read_bool(t, &bits) : read_number(t, f->type, &bits)))
        return false;
    if (bits == 0 && !keep)
        return true;
    enum wire_type wire = wire_of_type(f->type);
    uint8_t *to = room(t, KEY_BYTES_MAX + VARINT_BYTES_MAX);
    return to != NULL && write_number(t, put_key(to, f, wire), wire, bits);
}

static bool message_field(struct transcoder *t, const field_type *f, unsigned levels)
{
    size_t start = begin(t, f);
    return start != 0 && read_object(t, f->descriptor, levels) && end(t, start);
}

static bool is_text(const field_type *f)
{
    return f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_BYTES;
}

static bool single_value(struct transcoder *t, const message_type *m, const field_type *f,
                         unsigned levels, bool keep)
{
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        return message_field(t, f, levels);
    return is_text(f) ? text_field(t, m, f, keep) : number_field(t, f, keep);
}

/* The elements of an array of numbers. */
static bool packed_elements(struct transcoder *t, const field_type *f)
{
    enum wire_type wire = wire_of_type(f->type);
    size_t start = begin(t, f);
    if (start == 0)
        return false;
    do {
        uint64_t bits;
        uint8_t *to;
        if (!read_number(t, f->type, &bits) || (to = room(t, VARINT_BYTES_MAX)) == NULL ||
            !write_number(t, to, wire, bits))
            return false;
    } while (json_read_more(&t->in, ']'));
    return t->in.error == NULL && end(t, start);
}

static bool read_list(struct transcoder *t, const message_type *m, const field_type *f,
                      unsigned levels)
{
    if (!json_read_take(&t->in, '['))
        return fail(t, "expected an array");
    if (json_read_take(&t->in, ']'))
        return true;
    if (f->type != PROTOBUF_C_TYPE_MESSAGE && !is_text(f))
        return packed_elements(t, f);
    do {
        if (!single_value(t, m, f, levels, true))
            return false;
    } while (json_read_more(&t->in, ']'));
    return t->in.error == NULL;
}

/* Cuts out what an earlier value of the field wrote. Costs little over all: what is moved here lies
 * behind a value that is about to be written again, at the end. */
static void cut_out(struct transcoder *t, struct object *o, uint32_t number)
{
    size_t from = o->from[number], to = o->to[number];
    if (from == to) /* an empty list; there may be no output at all yet */
        return;
    memmove(t->out->at + from, t->out->at + to, t->out->len - to);
    t->out->len -= to - from;
    for (unsigned i = 1; i <= SCHEMA_MAX_NUMBER; i++)
        if ((o->placed >> i & 1) != 0 && o->from[i] >= to) {
            o->from[i] -= to - from;
            o->to[i] -= to - from;
        }
}

static bool placed_value(struct transcoder *t, struct object *o, const message_type *m,
                         const field_type *f, unsigned levels)
{
    bool list = f->label == PROTOBUF_C_LABEL_REPEATED;
    if ((o->placed >> f->id & 1) != 0)
        cut_out(t, o, f->id);
    o->placed |= 1u << f->id;
    o->from[f->id] = t->out->len;
    if (!(list ? read_list(t, m, f, levels) : message_field(t, f, levels)))
        return false;
    o->to[f->id] = t->out->len;
    return true;
}

/* The value of a known key. */
static bool read_field(struct transcoder *t, struct object *o, const message_type *m,
                       const field_type *f, unsigned levels)
{
    if (json_read_word(&t->in, SLICE_LIT("null")))
        return true;
    if (f->label == PROTOBUF_C_LABEL_REPEATED || f->type == PROTOBUF_C_TYPE_MESSAGE)
        return placed_value(t, o, m, f, levels);
    bool keep = (o->seen >> f->id & 1) != 0 || f->label != PROTOBUF_C_LABEL_NONE ||
                (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    o->seen |= 1u << f->id;
    return single_value(t, m, f, levels, keep);
}

/* --- objects -------------------------------------------------------------------------------- */

/* Whether `key` is the lowerCamelCase form of a field's name (R238, R239). */
static bool is_key(const char *name, struct slice key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = *name++;
        if (c == '_')
            c = (char)(*name++ - 'a' + 'A');
        if (c == 0 || (uint8_t)c != key.at[i])
            return false;
    }
    return *name == 0;
}

/* Senders write keys in one order: the search goes on behind the last one found. */
static const field_type *find_field(const message_type *m, struct slice key, unsigned *next)
{
    for (unsigned i = 0; i < m->n_fields; i++) {
        unsigned at = *next;
        *next = at + 1 < m->n_fields ? at + 1 : 0;
        if (is_key(m->fields[at].name, key))
            return &m->fields[at];
    }
    return NULL;
}

static bool read_key(struct transcoder *t, struct slice *ret)
{
    struct json_text text;
    if (!json_read_string(&t->in, &text))
        return fail(t, t->in.at == t->in.end ? "the text ends too early" : "expected a key");
    if (!json_read_take(&t->in, ':'))
        return fail(t, "expected a colon");
    return plain(t, &text, ret);
}

/* On the way out of an error: the innermost known field names itself first. */
static bool within(struct transcoder *t, const message_type *m, const field_type *f)
{
    const char *message = m->name + strlen(m->package_name) + 1;
    char *to = t->error->field;
    if (*to == 0)
        snprintf(to, sizeof(t->error->field), "%s%s%s", message, f ? "." : "", f ? f->name : "");
    return false;
}

static bool read_members(struct transcoder *t, const message_type *m, unsigned levels)
{
    struct object o;
    o.seen = o.placed = 0;
    unsigned next = 0;
    do {
        struct slice key;
        if (!read_key(t, &key))
            return within(t, m, NULL);
        const field_type *f = find_field(m, key, &next);
        if (!(f ? read_field(t, &o, m, f, levels) : json_read_skip(&t->in, SCAN_MAX_DEPTH)))
            return within(t, m, f);
    } while (json_read_more(&t->in, '}'));
    return t->in.error == NULL || within(t, m, NULL);
}

/* `levels`: how many messages may nest, this one included; as many as scan_request takes. */
static bool read_object(struct transcoder *t, const message_type *m, unsigned levels)
{
    if (json_read_peek(&t->in) != '{')
        return fail(t, "expected an object");
    if (levels == 0)
        return fail(t, "messages nested too deeply");
    t->in.at++;
    return json_read_take(&t->in, '}') || read_members(t, m, levels - 1);
}

enum json_status json_transcode(enum signal signal, struct slice text, struct buf *out,
                                struct json_error *ret_error)
{
    const struct slice mark = SLICE_LIT("\xEF\xBB\xBF"); /* R255 */
    const uint8_t *start = text.len ? text.at : mark.at; /* no arithmetic on NULL */
    struct transcoder t = {.in = {.at = start, .end = start + text.len}, .out = out};
    t.error = ret_error;
    *ret_error = (struct json_error){0};
    if (slice_starts(text, mark))
        t.in.at += mark.len;
    if (read_object(&t, request_type[signal], SCAN_MAX_DEPTH) && json_read_peek(&t.in) == 0 &&
        t.in.at == t.in.end)
        return JSON_OK;
    if (t.status != JSON_OK)
        return t.status;
    ret_error->text = t.in.error ? t.in.error : "text behind the object";
    ret_error->at = (size_t)(t.in.at - start);
    within(&t, request_type[signal], NULL);
    return JSON_MALFORMED;
}
