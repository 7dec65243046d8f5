#include "router/http/grpc.h"

#include <stdio.h>

#define PREFIX_LENGTH 5

enum grpc_type grpc_content_type(struct slice content_type)
{
    static const struct slice base = {(const uint8_t *)"application/grpc", 16};
    struct slice v = slice_trim(content_type);
    if (v.len < base.len || !slice_ieq(slice_of(v.at, base.len), base))
        return GRPC_NONE;
    struct slice rest = slice_of(v.at + base.len, v.len - base.len);
    const uint8_t *parameters = rest.len ? memchr(rest.at, ';', rest.len) : NULL;
    if (parameters != NULL)
        rest.len = (size_t)(parameters - rest.at);
    rest = slice_trim(rest);
    if (rest.len == 0 || slice_ieq(rest, SLICE_LIT("+proto")))
        return GRPC_PROTO;
    return rest.at[0] == '+' ? GRPC_OTHER_SUBTYPE : GRPC_NONE;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

enum outcome grpc_frame_next(struct grpc_frame *f, struct slice *in, uint64_t max,
                             struct slice *ret_piece)
{
    *ret_piece = SLICE_NULL;
    if (f->prefix_len < PREFIX_LENGTH) {
        size_t n = smaller(PREFIX_LENGTH - f->prefix_len, in->len);
        if (n == 0)
            return OUTCOME_ACCEPTED;
        memcpy(f->prefix + f->prefix_len, in->at, n);
        f->prefix_len = (uint8_t)(f->prefix_len + n);
        *in = slice_of(in->at + n, in->len - n);
        if (f->prefix[0] > 1) /* R163 */
            return OUTCOME_BAD_GRPC_FRAME;
        if (f->prefix_len < PREFIX_LENGTH)
            return OUTCOME_ACCEPTED;
        const uint8_t *p = f->prefix;
        f->left = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
        return f->left > max ? OUTCOME_TOO_LARGE : OUTCOME_ACCEPTED;
    }
    if (f->left == 0 && in->len > 0) /* a second message */
        return OUTCOME_MESSAGE_COUNT;
    size_t n = smaller(f->left, in->len);
    *ret_piece = slice_of(in->at, n);
    *in = slice_of(in->at + n, in->len - n);
    f->left -= (uint32_t)n;
    return OUTCOME_ACCEPTED;
}

enum outcome grpc_frame_end(const struct grpc_frame *f)
{
    if (f->prefix_len == 0)
        return OUTCOME_MESSAGE_COUNT;
    return f->prefix_len < PREFIX_LENGTH || f->left > 0 ? OUTCOME_BAD_GRPC_FRAME : OUTCOME_ACCEPTED;
}

void grpc_prefix(uint8_t out[5], size_t message_len)
{
    out[0] = 0;
    for (int i = 0; i < 4; i++)
        out[1 + i] = (uint8_t)(message_len >> (24 - 8 * i));
}

struct slice grpc_message_value(struct arena *a, const char *text, size_t max)
{
    size_t len = strlen(text), n = 0;
    if (len > max)
        for (len = max; len > 0 && ((uint8_t)text[len] & 0xC0) == 0x80;)
            len--;
    uint8_t *out = arena_alloc(a, 3 * len + 1);
    if (out == NULL)
        return SLICE_NULL;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];
        if (c >= 0x20 && c <= 0x7E && c != '%')
            out[n++] = c;
        else
            n += (size_t)snprintf((char *)out + n, 4, "%%%02X", c);
    }
    return slice_of(out, n);
}

struct slice grpc_binary_value(struct arena *a, struct slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t *out = arena_alloc(a, (bytes.len + 2) / 3 * 4 + 1);
    size_t n = 0;
    if (out == NULL)
        return SLICE_NULL;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t have = smaller(bytes.len - i, 3);
        uint32_t v = (uint32_t)bytes.at[i] << 16;
        v |= have > 1 ? (uint32_t)bytes.at[i + 1] << 8 : 0;
        v |= have > 2 ? bytes.at[i + 2] : 0;
        for (size_t k = 0; k <= have; k++)
            out[n++] = (uint8_t)digits[v >> (18 - 6 * k) & 63];
    }
    return slice_of(out, n);
}
