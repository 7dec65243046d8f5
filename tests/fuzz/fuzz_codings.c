/* Any bytes in any coding: never more than the ceiling, and the same again from a decompressor that
 * has seen others. The first byte picks coding and protocol.
 *
 * Files: router/coding/coding.c router/coding/decompress.c router/coding/inflate.c
 * router/coding/unzstd.c router/coding/unlz4.c router/coding/unsnappy.c */
#include "router/coding/coding.h"

#include <stdlib.h>

#define CEILING 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every coding that we say we take is one. */
static void check_list(bool grpc)
{
    struct arena a = ARENA_INIT;
    struct slice list = coding_list(&a, grpc);
    while (list.len > 0) {
        const uint8_t *comma = memchr(list.at, ',', list.len);
        size_t n = comma ? (size_t)(comma - list.at) : list.len;
        if (coding_named(slice_trim(slice_of(list.at, n)), grpc) == CODING_UNSUPPORTED)
            abort();
        list = slice_of(list.at + n + (comma != NULL), list.len - n - (comma != NULL));
    }
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {
        "gzip", "zstd", "deflate", "zlib", "snappy", "x-snappy-framed", "lz4"};
    static struct decompressor used;
    struct decompressor fresh = {0};
    struct buf first = BUF_INIT_CEILING(CEILING), second = BUF_INIT_CEILING(CEILING);
    if (size == 0)
        return 0;
    bool grpc = data[0] & 0x80;
    check_list(grpc);
    const char *name = names[(data[0] & 0x7f) % (sizeof(names) / sizeof(names[0]))];
    enum coding c = coding_named(slice_str(name), grpc);
    if (c == CODING_UNSUPPORTED)
        return 0;
    struct slice in = slice_of(data + 1, size - 1);
    enum decompress_status a = coding_decompress(&used, c, grpc, in, &first);
    enum decompress_status b = coding_decompress(&fresh, c, grpc, in, &second);
    if (a != b || first.len > CEILING)
        abort();
    if (a == DECOMPRESS_OK && !slice_eq(buf_slice(&first), buf_slice(&second)))
        abort();
    buf_release(&first);
    buf_release(&second);
    decompressor_release(&fresh);
    return 0;
}
