#include "cli/send/send_pb.h"

#include "otlp/wire.h"

/* Fields of AnyValue and KeyValue (common.proto). */
enum { ANY_STRING = 1, ANY_BOOL, ANY_INT, ANY_DOUBLE, ANY_ARRAY, ANY_KVLIST, ANY_BYTES };
enum { KEY_VALUE_KEY = 1, KEY_VALUE_VALUE };

static size_t put_varint(uint8_t *to, uint64_t n)
{
    size_t len = 0;
    for (; n >= 0x80; n >>= 7)
        to[len++] = (uint8_t)n | 0x80;
    to[len++] = (uint8_t)n;
    return len;
}

static void put_little(uint8_t *to, uint64_t n, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(n >> 8 * i);
}

static size_t put_key(uint8_t *to, uint32_t field, enum wire_type type)
{
    return put_varint(to, (uint64_t)field << 3 | type);
}

static uint64_t double_bits(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof(bits));
    return bits;
}

void pb_varint(struct buf *b, uint64_t n)
{
    uint8_t bytes[10];
    buf_append(b, bytes, put_varint(bytes, n));
}

void pb_uint(struct buf *b, uint32_t field, uint64_t n)
{
    uint8_t bytes[20];
    size_t len = put_key(bytes, field, WIRE_VARINT);
    buf_append(b, bytes, len + put_varint(bytes + len, n));
}

void pb_sint(struct buf *b, uint32_t field, int64_t n)
{
    pb_uint(b, field, (uint64_t)n << 1 ^ (uint64_t)(n >> 63));
}

void pb_fixed32(struct buf *b, uint32_t field, uint32_t n)
{
    uint8_t bytes[14];
    size_t len = put_key(bytes, field, WIRE_FIXED32);
    put_little(bytes + len, n, 4);
    buf_append(b, bytes, len + 4);
}

void pb_fixed64(struct buf *b, uint32_t field, uint64_t n)
{
    uint8_t bytes[18];
    size_t len = put_key(bytes, field, WIRE_FIXED64);
    put_little(bytes + len, n, 8);
    buf_append(b, bytes, len + 8);
}

void pb_double(struct buf *b, uint32_t field, double d)
{
    pb_fixed64(b, field, double_bits(d));
}

static void put_header(struct buf *b, uint32_t field, size_t content)
{
    uint8_t bytes[20];
    size_t len = put_key(bytes, field, WIRE_BYTES);
    buf_append(b, bytes, len + put_varint(bytes + len, content));
}

void pb_bytes(struct buf *b, uint32_t field, struct slice s)
{
    put_header(b, field, s.len);
    buf_append_slice(b, s);
}

void pb_string(struct buf *b, uint32_t field, const char *text)
{
    pb_bytes(b, field, slice_str(text));
}

void pb_packed_fixed64(struct buf *b, uint32_t field, const uint64_t *at, size_t n)
{
    put_header(b, field, 8 * n);
    uint8_t *to = buf_reserve(b, 8 * n);
    if (to == NULL)
        return;
    for (size_t i = 0; i < n; i++)
        put_little(to + 8 * i, at[i], 8);
    b->len += 8 * n;
}

void pb_packed_double(struct buf *b, uint32_t field, const double *at, size_t n)
{
    put_header(b, field, 8 * n);
    uint8_t *to = buf_reserve(b, 8 * n);
    if (to == NULL)
        return;
    for (size_t i = 0; i < n; i++)
        put_little(to + 8 * i, double_bits(at[i]), 8);
    b->len += 8 * n;
}

void pb_packed_uint(struct buf *b, uint32_t field, const uint64_t *at, size_t n)
{
    size_t opened = pb_open(b, field);
    for (size_t i = 0; i < n; i++)
        pb_varint(b, at[i]);
    pb_close(b, opened);
}

/* One byte is kept for the length; pb_close moves the content up when it needs more. */
size_t pb_open(struct buf *b, uint32_t field)
{
    put_header(b, field, 0);
    return b->len;
}

void pb_close(struct buf *b, size_t opened)
{
    uint8_t bytes[10];
    if (b->failed)
        return;
    size_t content = b->len - opened;
    size_t more = put_varint(bytes, content) - 1;
    if (more > 0) {
        if (buf_reserve(b, more) == NULL)
            return;
        memmove(b->at + opened + more, b->at + opened, content);
        b->len += more;
    }
    memcpy(b->at + opened - 1, bytes, more + 1);
}

struct open_attribute {
    size_t pair, value;
};

static struct open_attribute open_attribute(struct buf *b, uint32_t field, const char *key)
{
    struct open_attribute opened;
    opened.pair = pb_open(b, field);
    pb_string(b, KEY_VALUE_KEY, key);
    opened.value = pb_open(b, KEY_VALUE_VALUE);
    return opened;
}

static void close_attribute(struct buf *b, struct open_attribute opened)
{
    pb_close(b, opened.value);
    pb_close(b, opened.pair);
}

void pb_attribute_string(struct buf *b, uint32_t field, const char *key, struct slice value)
{
    struct open_attribute opened = open_attribute(b, field, key);
    pb_bytes(b, ANY_STRING, value);
    close_attribute(b, opened);
}

void pb_attribute_int(struct buf *b, uint32_t field, const char *key, int64_t value)
{
    struct open_attribute opened = open_attribute(b, field, key);
    pb_uint(b, ANY_INT, (uint64_t)value);
    close_attribute(b, opened);
}

void pb_attribute_double(struct buf *b, uint32_t field, const char *key, double value)
{
    struct open_attribute opened = open_attribute(b, field, key);
    pb_double(b, ANY_DOUBLE, value);
    close_attribute(b, opened);
}

void pb_attribute_bool(struct buf *b, uint32_t field, const char *key, bool value)
{
    struct open_attribute opened = open_attribute(b, field, key);
    pb_uint(b, ANY_BOOL, value);
    close_attribute(b, opened);
}

void pb_attribute_bytes(struct buf *b, uint32_t field, const char *key, struct slice value)
{
    struct open_attribute opened = open_attribute(b, field, key);
    pb_bytes(b, ANY_BYTES, value);
    close_attribute(b, opened);
}

void pb_attribute_array(struct buf *b, uint32_t field, const char *key, const char *first,
                        const char *second)
{
    struct open_attribute opened = open_attribute(b, field, key);
    const char *texts[] = {first, second};
    size_t array = pb_open(b, ANY_ARRAY);
    for (int i = 0; i < 2; i++) {
        size_t value = pb_open(b, 1);
        pb_string(b, ANY_STRING, texts[i]);
        pb_close(b, value);
    }
    pb_close(b, array);
    close_attribute(b, opened);
}

void pb_attribute_kvlist(struct buf *b, uint32_t field, const char *key, struct slice value)
{
    struct open_attribute opened = open_attribute(b, field, key);
    size_t list = pb_open(b, ANY_KVLIST);
    pb_attribute_string(b, 1, "a", value);
    pb_close(b, list);
    close_attribute(b, opened);
}
