/* Making bodies in every coding. */
#ifndef TESTS_ROUTER_COMPRESS_H
#define TESTS_ROUTER_COMPRESS_H

#include "base/crc32c.h"
#include "tests/router/gzip.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <zstd.h>

/* Appends `plain`, compressed. */
typedef void compress_fn(struct buf *out, struct slice plain);

static inline void compress_gzip(struct buf *out, struct slice plain)
{
    deflate_append(out, plain, 16 + MAX_WBITS);
}

static inline void compress_zlib(struct buf *out, struct slice plain)
{
    deflate_append(out, plain, MAX_WBITS);
}

static inline void compress_raw(struct buf *out, struct slice plain)
{
    deflate_append(out, plain, -MAX_WBITS);
}

/* A frame with a checksum whose header tells this window and not the size. */
static inline void zstd_append(struct buf *out, struct slice plain, int window_log)
{
    size_t room = ZSTD_compressBound(plain.len) + 64;
    ZSTD_outBuffer to = {buf_reserve(out, room), room, 0};
    ZSTD_inBuffer from = {plain.at, plain.len, 0};
    ZSTD_CCtx *c = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window_log);
    ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
    ZSTD_compressStream2(c, &to, &from, ZSTD_e_continue);
    if (ZSTD_compressStream2(c, &to, &from, ZSTD_e_end) != 0)
        abort();
    ZSTD_freeCCtx(c);
    out->len += to.pos;
}

static inline void compress_zstd(struct buf *out, struct slice plain)
{
    zstd_append(out, plain, 23);
}

static inline void compress_zstd_wide(struct buf *out, struct slice plain)
{
    zstd_append(out, plain, 24);
}

/* As most senders do: the header tells the size. */
static inline void compress_zstd_sized(struct buf *out, struct slice plain)
{
    size_t room = ZSTD_compressBound(plain.len);
    size_t n = ZSTD_compress(buf_reserve(out, room), room, plain.at, plain.len, 3);
    if (ZSTD_isError(n))
        abort();
    out->len += n;
}

static inline void compress_lz4(struct buf *out, struct slice plain)
{
    const LZ4F_preferences_t how = {
        .frameInfo = {.contentChecksumFlag = LZ4F_contentChecksumEnabled}};
    size_t room = LZ4F_compressFrameBound(plain.len, &how);
    size_t n = LZ4F_compressFrame(buf_reserve(out, room), room, plain.at, plain.len, &how);
    if (LZ4F_isError(n))
        abort();
    out->len += n;
}

static inline void compress_snappy(struct buf *out, struct slice plain)
{
    size_t n = snappy_max_compressed_length(plain.len);
    char *to = (char *)buf_reserve(out, n);
    if (snappy_compress((const char *)plain.at, plain.len, to, &n) != SNAPPY_OK)
        abort();
    out->len += n;
}

static inline void append_little_endian(struct buf *out, uint32_t v, int n)
{
    for (int i = 0; i < n; i++)
        buf_append_byte(out, (uint8_t)(v >> 8 * i));
}

#define SNAPPY_STREAM "\xff\x06\x00\x00sNaPpY"

static inline void snappy_chunk(struct buf *out, uint8_t type, struct slice content)
{
    buf_append_byte(out, type);
    append_little_endian(out, (uint32_t)content.len, 3);
    buf_append_slice(out, content);
}

/* A data chunk, compressed (type 0) or not (1). */
static inline void snappy_data(struct buf *out, uint8_t type, struct slice plain)
{
    struct buf content = BUF_INIT;
    uint32_t crc = crc32c(0, plain);
    append_little_endian(&content, (crc >> 15 | crc << 17) + 0xa282ead8, 4);
    if (type == 0)
        compress_snappy(&content, plain);
    else
        buf_append_slice(&content, plain);
    snappy_chunk(out, type, buf_slice(&content));
    buf_release(&content);
}

static inline void snappy_stream(struct buf *out, uint8_t type, struct slice plain)
{
    buf_append(out, SNAPPY_STREAM, 10);
    while (plain.len > 0) {
        size_t n = plain.len < 65536 ? plain.len : 65536;
        snappy_data(out, type, slice_of(plain.at, n));
        plain = slice_of(plain.at + n, plain.len - n);
    }
}

static inline void compress_snappy_framed(struct buf *out, struct slice plain)
{
    snappy_stream(out, 0, plain);
}

static inline void compress_snappy_stored(struct buf *out, struct slice plain)
{
    snappy_stream(out, 1, plain);
}

#endif
