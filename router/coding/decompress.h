/* What decompressing is, whatever the coding: a whole body under a ceiling. It stops as soon as the
 * ceiling is passed (R92), so that memory does not depend on how far a body expands, and refuses
 * what is damaged, cut off or followed by anything else (R85).
 *
 * One decompressor per loop keeps the working memory of its codings from request to request; each
 * is made when first needed. Thread: one at a time. */
#ifndef ROUTER_DECOMPRESS_H
#define ROUTER_DECOMPRESS_H

#include "base/buf.h"

enum decompress_status {
    DECOMPRESS_OK,
    DECOMPRESS_TOO_LARGE, /* the ceiling of `out` is passed */
    DECOMPRESS_CORRUPT,   /* not this coding, damaged, cut off, or garbage behind it */
    DECOMPRESS_NO_MEMORY,
};

/* NULL: not made yet. */
struct decompressor {
    struct inflater *inflater;
    struct ZSTD_DCtx_s *zstd;
    struct LZ4F_dctx_s *lz4;
};

/* Appends the decompressed bytes to `out`, which is empty and has a ceiling. */
typedef enum decompress_status decompress_fn(struct decompressor *d, struct slice in,
                                             struct buf *out);

decompress_fn decompress_gzip;    /* members one behind the other (R73) */
decompress_fn decompress_zlib;    /* RFC 1950 (R77) */
decompress_fn decompress_deflate; /* the same, or raw RFC 1951 (R78) */
/* RFC 8878, frames one behind the other, windows of at most 8 MiB (R76, RFC 9659) */
decompress_fn decompress_zstd;
decompress_fn decompress_lz4; /* LZ4 frames (R82) */
/* https://github.com/google/snappy/blob/main/framing_format.txt (R81, R168) */
decompress_fn decompress_snappy_framed;
decompress_fn decompress_snappy; /* a raw block, or the above when it starts so (R80) */

void inflater_free(struct inflater *i); /* NULL is fine */
/* Frees all that was made. */
void decompressor_release(struct decompressor *d);

/* For the decompressors: where the next bytes go, and how many fit. At least one: the first past
 * the ceiling goes to *spare. NULL: no memory. */
uint8_t *decompress_room(struct buf *out, uint8_t *spare, size_t *ret_size);

#endif
