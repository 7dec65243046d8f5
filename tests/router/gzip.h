/* Making gzip members and their like. */
#ifndef TESTS_ROUTER_GZIP_H
#define TESTS_ROUTER_GZIP_H

#include "base/buf.h"

#include <stdlib.h>
#include <zlib.h>

/* Appends `plain` in the form that zlib's windowBits tell. */
static inline void deflate_append(struct buf *out, struct slice plain, int window_bits)
{
    z_stream z = {0};
    size_t room = compressBound(plain.len) + 64;
    if (deflateInit2(&z, 6, Z_DEFLATED, window_bits, 8, 0) != Z_OK)
        abort();
    z.next_in = (Bytef *)plain.at;
    z.avail_in = (uInt)plain.len;
    z.next_out = buf_reserve(out, room);
    z.avail_out = (uInt)room;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        abort();
    out->len += room - z.avail_out;
    deflateEnd(&z);
}

/* Appends one gzip member that holds `plain`. */
static inline void gzip_append(struct buf *out, struct slice plain)
{
    deflate_append(out, plain, 16 + MAX_WBITS);
}

#endif
