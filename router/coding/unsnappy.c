/* Snappy comes in two forms: one block, which begins with its decompressed size, and a stream of
 * chunks, each a type, a length of three bytes and, for data, a checksum and at most 64 KiB. */
#include "router/coding/decompress.h"

#include "base/crc32c.h"

#include <snappy-c.h>

#define EXPANDS_AT_MOST 22 /* a copy makes 64 bytes of 3 */
#define CHUNK_HEADER    4
#define CHECKSUM        4
#define CHUNK_MAX       65536

enum {
    CHUNK_COMPRESSED = 0x00,
    CHUNK_PLAIN = 0x01,
    CHUNK_SKIPPED_FROM = 0x80, /* before: must be understood */
    CHUNK_STREAM = 0xff,
};

#define STREAM_IDENTIFIER SLICE_LIT("\xff\x06\x00\x00sNaPpY")

/* One block. `most`: bytes that it may become. */
static enum decompress_status block(struct slice in, size_t most, struct buf *out)
{
    const char *from = (const char *)in.at;
    size_t size;
    if (in.len == 0 || snappy_uncompressed_length(from, in.len, &size) != SNAPPY_OK ||
        size > most || size / EXPANDS_AT_MOST > in.len)
        return DECOMPRESS_CORRUPT;
    if (out->ceiling != 0 && size > out->ceiling - out->len)
        return DECOMPRESS_TOO_LARGE;
    uint8_t *to = buf_reserve(out, size ? size : 1);
    if (to == NULL)
        return DECOMPRESS_NO_MEMORY;
    if (snappy_uncompress(from, in.len, (char *)to, &size) != SNAPPY_OK)
        return DECOMPRESS_CORRUPT;
    out->len += size;
    return DECOMPRESS_OK;
}

static enum decompress_status plain(struct slice in, struct buf *out)
{
    if (in.len > CHUNK_MAX)
        return DECOMPRESS_CORRUPT;
    if (out->ceiling != 0 && in.len > out->ceiling - out->len)
        return DECOMPRESS_TOO_LARGE;
    return buf_append_slice(out, in) == 0 ? DECOMPRESS_OK : DECOMPRESS_NO_MEMORY;
}

static uint32_t little_endian(const uint8_t *at, unsigned n)
{
    uint32_t v = 0;
    while (n-- > 0)
        v = v << 8 | at[n];
    return v;
}

static uint32_t masked_checksum(struct slice s)
{
    uint32_t crc = crc32c(0, s);
    return (crc >> 15 | crc << 17) + 0xa282ead8;
}

/* A chunk that holds data. */
static enum decompress_status data_chunk(uint8_t type, struct slice in, struct buf *out)
{
    if (in.len < CHECKSUM)
        return DECOMPRESS_CORRUPT;
    size_t start = out->len;
    struct slice content = slice_of(in.at + CHECKSUM, in.len - CHECKSUM);
    enum decompress_status status =
        type == CHUNK_COMPRESSED ? block(content, CHUNK_MAX, out) : plain(content, out);
    if (status != DECOMPRESS_OK)
        return status;
    struct slice got = slice_of(out->at ? out->at + start : NULL, out->len - start);
    return masked_checksum(got) == little_endian(in.at, CHECKSUM) ? DECOMPRESS_OK
                                                                  : DECOMPRESS_CORRUPT;
}

static enum decompress_status chunk(uint8_t type, struct slice in, struct buf *out)
{
    if (type == CHUNK_COMPRESSED || type == CHUNK_PLAIN)
        return data_chunk(type, in, out);
    if (type == CHUNK_STREAM) { /* streams may stand one behind the other */
        size_t header = CHUNK_HEADER;
        struct slice name = slice_of(STREAM_IDENTIFIER.at + header, STREAM_IDENTIFIER.len - header);
        return slice_eq(in, name) ? DECOMPRESS_OK : DECOMPRESS_CORRUPT;
    }
    return type >= CHUNK_SKIPPED_FROM ? DECOMPRESS_OK : DECOMPRESS_CORRUPT;
}

enum decompress_status decompress_snappy_framed(struct decompressor *d, struct slice in,
                                                struct buf *out)
{
    (void)d;
    if (!slice_starts(in, STREAM_IDENTIFIER))
        return DECOMPRESS_CORRUPT;
    while (in.len > 0) {
        size_t len = in.len >= CHUNK_HEADER ? little_endian(in.at + 1, 3) : 0;
        if (in.len < CHUNK_HEADER || len > in.len - CHUNK_HEADER)
            return DECOMPRESS_CORRUPT;
        enum decompress_status status = chunk(in.at[0], slice_of(in.at + CHUNK_HEADER, len), out);
        if (status != DECOMPRESS_OK)
            return status;
        in = slice_of(in.at + CHUNK_HEADER + len, in.len - CHUNK_HEADER - len);
    }
    return DECOMPRESS_OK;
}

enum decompress_status decompress_snappy(struct decompressor *d, struct slice in, struct buf *out)
{
    if (slice_starts(in, STREAM_IDENTIFIER))
        return decompress_snappy_framed(d, in, out);
    return block(in, SIZE_MAX, out);
}
