/* Content codings (conformance S3): one row each. The names that are understood, the headers that
 * list them and how a body is decompressed come from here. */
#ifndef ROUTER_CODING_H
#define ROUTER_CODING_H

#include "base/arena.h"
#include "router/coding/decompress.h"

/* id, name, another name, decompress_ over HTTP, over gRPC; NULL: none */
#define CODINGS(ROW)                                                                               \
    ROW(GZIP, "gzip", "x-gzip", decompress_gzip, decompress_gzip)                                  \
    ROW(ZSTD, "zstd", NULL, decompress_zstd, decompress_zstd)                                      \
    ROW(DEFLATE, "deflate", NULL, decompress_deflate, decompress_zlib)                             \
    ROW(ZLIB, "zlib", NULL, decompress_zlib, NULL)                                                 \
    ROW(SNAPPY, "snappy", NULL, decompress_snappy, decompress_snappy_framed)                       \
    ROW(SNAPPY_FRAMED, "x-snappy-framed", NULL, decompress_snappy_framed, NULL)                    \
    ROW(LZ4, "lz4", NULL, decompress_lz4, NULL)

enum coding {
    CODING_IDENTITY,
#define ROW(id, ...) CODING_##id,
    CODINGS(ROW)
#undef ROW
        CODING_UNSUPPORTED,
};

/* Names have no case (R74); an empty one is identity (R75). */
enum coding coding_named(struct slice name, bool grpc);
/* The supported names for accept-encoding or grpc-accept-encoding; at == NULL: no memory. */
struct slice coding_list(struct arena *a, bool grpc);
/* `c` is a coding of the protocol, neither IDENTITY nor UNSUPPORTED. */
enum decompress_status coding_decompress(struct decompressor *d, enum coding c, bool grpc,
                                         struct slice in, struct buf *out);

#endif
