/* Protobuf messages written as text, so that a row of a test shows its bytes' meaning:
 *     1{...}   field 1, length-delimited: fields in the same notation
 *     2'text'  field 2, length-delimited: text
 *     3=150    field 3, varint (-1 is ten bytes long)
 *     4@7      field 4, fixed64
 *     5%7      field 5, fixed32
 *     6(...)   field 6, group
 *     ~0aff    these bytes, as they are
 *     *3 F     the field F three times                                                     */
#ifndef TESTS_OTLP_NOTATION_H
#define TESTS_OTLP_NOTATION_H

#include "base/buf.h"
#include "otlp/wire.h"

#include <ctype.h>
#include <stdlib.h>

static void put_varint(struct buf *b, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        buf_append_byte(b, (uint8_t)(n | 0x80));
    buf_append_byte(b, (uint8_t)n);
}

static void put_key(struct buf *b, uint64_t number, enum wire_type type)
{
    put_varint(b, number << 3 | type);
}

static void put_bytes(struct buf *b, uint64_t number, struct slice s)
{
    put_key(b, number, WIRE_BYTES);
    put_varint(b, s.len);
    buf_append_slice(b, s);
}

static void put_fixed(struct buf *b, uint64_t n, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        buf_append_byte(b, (uint8_t)(n >> 8 * i));
}

static const char *put_fields(struct buf *b, const char *text);

static const char *put_hex(struct buf *b, const char *text)
{
    for (; isxdigit((unsigned char)text[0]); text += 2) {
        char digits[3] = {text[0], text[1], '\0'};
        buf_append_byte(b, (uint8_t)strtoul(digits, NULL, 16));
    }
    return text;
}

static const char *put_content(struct buf *b, uint64_t number, const char *text)
{
    struct buf content = BUF_INIT;
    if (*text == '{') {
        text = put_fields(&content, text + 1);
    } else {
        const char *end = strchr(text + 1, '\'');
        buf_append(&content, text + 1, (size_t)(end - text - 1));
        text = end;
    }
    put_bytes(b, number, buf_slice(&content));
    buf_release(&content);
    return text + 1;
}

static const char *put_field(struct buf *b, const char *text)
{
    char *at;
    if (*text == '~')
        return put_hex(b, text + 1);
    uint64_t number = strtoull(text, &at, 10);
    char mark = *at;
    if (mark == '{' || mark == '\'')
        return put_content(b, number, at);
    if (mark == '(') {
        put_key(b, number, WIRE_GROUP);
        text = put_fields(b, at + 1);
        put_key(b, number, WIRE_END_GROUP);
        return text + 1;
    }
    if (mark == '\0' || strchr("=@%", mark) == NULL)
        abort(); /* a typing error in a row */
    uint64_t value = (uint64_t)strtoll(at + 1, &at, 10);
    put_key(b, number, mark == '=' ? WIRE_VARINT : mark == '@' ? WIRE_FIXED64 : WIRE_FIXED32);
    if (mark == '=')
        put_varint(b, value);
    else
        put_fixed(b, value, mark == '@' ? 8 : 4);
    return at;
}

/* Up to the end of the text or of the message it is in. */
static const char *put_fields(struct buf *b, const char *text)
{
    for (;;) {
        unsigned long times = 1;
        text += strspn(text, " ");
        if (*text == '\0' || *text == '}' || *text == ')')
            return text;
        if (*text == '*') {
            char *field;
            times = strtoul(text + 1, &field, 10);
            text = field + strspn(field, " ");
        }
        const char *end = text;
        while (times-- > 0)
            end = put_field(b, text);
        text = end;
    }
}

/* Copied to exactly as many bytes, for the sanitizer. The caller frees `at`. */
static struct slice wire_text(const char *text)
{
    struct buf b = BUF_INIT;
    put_fields(&b, text);
    uint8_t *at = malloc(b.len ? b.len : 1);
    if (at == NULL)
        abort();
    if (b.len > 0)
        memcpy(at, b.at, b.len);
    struct slice s = slice_of(at, b.len);
    buf_release(&b);
    return s;
}

#endif
