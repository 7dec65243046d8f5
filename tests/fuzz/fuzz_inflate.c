/* Any bytes as a gzip, zlib or bare deflate body: never more than the ceiling; what the fast way
 * accepts of gzip is what zlib makes of it, and a gzip body is neither of the others.
 *
 * Files: router/coding/inflate.c */
#include "router/coding/decompress.h"

#include <stdlib.h>
#include <zlib.h>

#define CEILING 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Length of the first member by zlib alone, or -1. */
static long reference(const uint8_t *data, size_t size, uint8_t *out, bool *ret_all)
{
    z_stream z = {0};
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
        abort();
    z.next_in = (Bytef *)data;
    z.avail_in = (uInt)size;
    z.next_out = out;
    z.avail_out = CEILING;
    int rc = inflate(&z, Z_FINISH);
    long n = rc == Z_STREAM_END ? (long)(CEILING - z.avail_out) : -1;
    *ret_all = z.avail_in == 0;
    inflateEnd(&z);
    return n;
}

static void check_others(struct slice in, bool is_gzip)
{
    struct decompressor d = {0};
    struct buf zlib = BUF_INIT_CEILING(CEILING), deflate = BUF_INIT_CEILING(CEILING);
    enum decompress_status a = decompress_zlib(&d, in, &zlib);
    enum decompress_status b = decompress_deflate(&d, in, &deflate);
    if (zlib.len > CEILING || deflate.len > CEILING || (is_gzip && a == DECOMPRESS_OK) ||
        (a == DECOMPRESS_OK && (b != DECOMPRESS_OK || zlib.len != deflate.len)))
        abort();
    buf_release(&zlib);
    buf_release(&deflate);
    decompressor_release(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct decompressor d;
    static uint8_t expected[CEILING];
    struct buf out = BUF_INIT_CEILING(CEILING);
    enum decompress_status status = decompress_gzip(&d, slice_of(data, size), &out);
    if (out.len > CEILING)
        abort();
    bool all;
    long n = reference(data, size, expected, &all);
    if (n >= 0 && all &&
        (status != DECOMPRESS_OK || out.len != (size_t)n || (n > 0 && memcmp(out.at, expected, n))))
        abort();
    if (n < 0 && status == DECOMPRESS_OK && out.len == 0)
        abort(); /* an empty result needs a complete first member */
    check_others(slice_of(data, size), status == DECOMPRESS_OK && size > 0);
    buf_release(&out);
    return 0;
}
