/* Two ways through. Most bodies are one gzip member that ends with its true size, so libdeflate
 * gets an output of just that size: it is the faster one but wants everything in one piece.
 * Whatever does not come out that way (several members, a size that lies, damage) goes through
 * zlib, which grows the output as it goes and alone decides what is wrong. */
#include "router/inflate.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <zlib.h>

#define GZIP_SMALLEST 18   /* header and trailer */
#define DEFLATE_RATIO 1032 /* nothing expands further */
#define FIRST_ROOM    16384

struct inflater {
    struct libdeflate_decompressor *whole;
    z_stream stream;
};

struct inflater *inflater_new(void)
{
    struct inflater *i = calloc(1, sizeof(*i));
    if (i == NULL)
        return NULL;
    i->whole = libdeflate_alloc_decompressor();
    if (i->whole != NULL && inflateInit2(&i->stream, 16 + MAX_WBITS) == Z_OK)
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
    if (in.len < GZIP_SMALLEST)
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

/* Where the next bytes go, and how many fit: at least one, the first past the ceiling in *spare. */
static uint8_t *next_room(struct buf *out, uint8_t *spare, size_t *ret_size)
{
    size_t room = out->len ? out->len : FIRST_ROOM;
    if (out->ceiling != 0 && room > out->ceiling - out->len)
        room = out->ceiling - out->len;
    *ret_size = room ? room : 1;
    return room ? buf_reserve(out, room) : spare;
}

/* Up to the end of one member. */
static enum inflate_status inflate_member(z_stream *z, struct buf *out)
{
    for (;;) {
        uint8_t spare;
        size_t room;
        uint8_t *to = next_room(out, &spare, &room);
        if (to == NULL)
            return INFLATE_NO_MEMORY;
        z->next_out = to;
        z->avail_out = (uInt)room;
        int rc = inflate(z, Z_NO_FLUSH);
        size_t got = room - z->avail_out;
        if (to == &spare && got > 0)
            return INFLATE_TOO_LARGE;
        out->len += got;
        if (rc == Z_STREAM_END)
            return INFLATE_OK;
        if (rc == Z_MEM_ERROR)
            return INFLATE_NO_MEMORY;
        if ((rc != Z_OK && rc != Z_BUF_ERROR) || z->avail_out > 0)
            return INFLATE_CORRUPT; /* damaged, or all input is read and more is needed */
    }
}

static enum inflate_status inflate_members(z_stream *z, struct slice in, struct buf *out)
{
    z->next_in = (Bytef *)in.at;
    z->avail_in = (uInt)in.len;
    do {
        if (inflateReset(z) != Z_OK)
            return INFLATE_NO_MEMORY;
        enum inflate_status status = inflate_member(z, out);
        if (status != INFLATE_OK)
            return status;
    } while (z->avail_in > 0);
    return INFLATE_OK;
}

enum inflate_status inflate_gzip(struct inflater *i, struct slice in, struct buf *out)
{
    if (inflate_whole(i, in, out))
        return INFLATE_OK;
    return inflate_members(&i->stream, in, out);
}
