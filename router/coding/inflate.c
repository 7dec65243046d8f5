/* gzip: two ways through. Most bodies are one gzip member that ends with its true size, so
 * libdeflate gets an output of just that size: it is the faster one but wants everything in one
 * piece. Whatever does not come out that way (several members, a size that lies, damage) goes
 * through zlib, which grows the output as it goes and alone decides what is wrong. The other two
 * have no size at their end and go through zlib at once. */
#include "router/coding/decompress.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <zlib.h>

#define GZIP_SMALLEST 18   /* header and trailer */
#define DEFLATE_RATIO 1032 /* nothing expands further */
#define HEADER_CHECK  0x02 /* flag: the header has a checksum, which only zlib compares */

/* What zlib calls windowBits. */
#define GZIP (16 + MAX_WBITS)
#define ZLIB MAX_WBITS
#define RAW  (-MAX_WBITS)

struct inflater {
    struct libdeflate_decompressor *whole;
    z_stream stream;
};

static struct inflater *inflater_new(void)
{
    struct inflater *i = calloc(1, sizeof(*i));
    if (i == NULL)
        return NULL;
    i->whole = libdeflate_alloc_decompressor();
    if (i->whole != NULL && inflateInit2(&i->stream, GZIP) == Z_OK)
        return i;
    libdeflate_free_decompressor(i->whole);
    free(i);
    return NULL;
}

void inflater_free(struct inflater *i)
{
    if (i == NULL)
        return;
    libdeflate_free_decompressor(i->whole);
    inflateEnd(&i->stream);
    free(i);
}

/* The size that a single member's trailer tells (RFC 1952 §2.3.1). */
static size_t told_size(struct slice in)
{
    const uint8_t *at = in.at + in.len - 4;
    return (size_t)at[3] << 24 | (size_t)at[2] << 16 | (size_t)at[1] << 8 | at[0];
}

/* False when `in` is not one member of the size it tells; `out` is as it was then. */
static bool inflate_whole(struct inflater *i, struct slice in, struct buf *out)
{
    if (in.len < GZIP_SMALLEST || in.at[3] & HEADER_CHECK)
        return false;
    size_t size = told_size(in), used, got;
    if ((out->ceiling != 0 && size > out->ceiling) || size / DEFLATE_RATIO > in.len)
        return false;
    uint8_t *to = buf_reserve(out, size ? size : 1);
    if (to == NULL) {
        out->failed = false; /* the stream may do with less */
        return false;
    }
    if (libdeflate_gzip_decompress_ex(i->whole, in.at, in.len, to, size, &used, &got) !=
            LIBDEFLATE_SUCCESS ||
        used != in.len)
        return false;
    out->len = got;
    return true;
}

/* Up to the end of one member. */
static enum decompress_status inflate_member(z_stream *z, struct buf *out)
{
    for (;;) {
        uint8_t spare;
        size_t room;
        uint8_t *to = decompress_room(out, &spare, &room);
        if (to == NULL)
            return DECOMPRESS_NO_MEMORY;
        z->next_out = to;
        z->avail_out = (uInt)room;
        int rc = inflate(z, Z_NO_FLUSH);
        size_t got = room - z->avail_out;
        if (to == &spare && got > 0)
            return DECOMPRESS_TOO_LARGE;
        out->len += got;
        if (rc == Z_STREAM_END)
            return DECOMPRESS_OK;
        if (rc == Z_MEM_ERROR)
            return DECOMPRESS_NO_MEMORY;
        if ((rc != Z_OK && rc != Z_BUF_ERROR) || z->avail_out > 0)
            return DECOMPRESS_CORRUPT; /* damaged, or all input is read and more is needed */
    }
}

static enum decompress_status inflate_members(z_stream *z, struct slice in, struct buf *out)
{
    z->next_in = (Bytef *)in.at;
    z->avail_in = (uInt)in.len;
    do {
        if (inflateReset(z) != Z_OK)
            return DECOMPRESS_NO_MEMORY;
        enum decompress_status status = inflate_member(z, out);
        if (status != DECOMPRESS_OK)
            return status;
    } while (z->avail_in > 0);
    return DECOMPRESS_OK;
}

/* One member, without any other behind it. */
static enum decompress_status inflate_only(z_stream *z, struct slice in, struct buf *out)
{
    z->next_in = (Bytef *)in.at;
    z->avail_in = (uInt)in.len;
    enum decompress_status status = inflate_member(z, out);
    return status == DECOMPRESS_OK && z->avail_in > 0 ? DECOMPRESS_CORRUPT : status;
}

/* The stream, set to this form; NULL: no memory. */
static z_stream *stream_of(struct decompressor *d, int window_bits)
{
    if (d->inflater == NULL)
        d->inflater = inflater_new();
    if (d->inflater == NULL || inflateReset2(&d->inflater->stream, window_bits) != Z_OK)
        return NULL;
    return &d->inflater->stream;
}

enum decompress_status decompress_gzip(struct decompressor *d, struct slice in, struct buf *out)
{
    z_stream *z = stream_of(d, GZIP);
    if (z == NULL)
        return DECOMPRESS_NO_MEMORY;
    return inflate_whole(d->inflater, in, out) ? DECOMPRESS_OK : inflate_members(z, in, out);
}

enum decompress_status decompress_zlib(struct decompressor *d, struct slice in, struct buf *out)
{
    z_stream *z = stream_of(d, ZLIB);
    return z ? inflate_only(z, in, out) : DECOMPRESS_NO_MEMORY;
}

/* Two bytes of a zlib stream: method 8 and a check sum. No encoder begins a raw one with them: it
 * would be a stored block whose padding is not zero. */
static bool has_zlib_header(struct slice in)
{
    return in.len >= 2 && (in.at[0] & 0x0f) == 8 && (in.at[0] << 8 | in.at[1]) % 31 == 0;
}

enum decompress_status decompress_deflate(struct decompressor *d, struct slice in, struct buf *out)
{
    if (has_zlib_header(in))
        return decompress_zlib(d, in, out);
    z_stream *z = stream_of(d, RAW);
    return z ? inflate_only(z, in, out) : DECOMPRESS_NO_MEMORY;
}
