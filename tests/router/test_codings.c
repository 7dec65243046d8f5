/* Every content coding over each protocol: formats, limits, bombs, damage. */
#include "tests/base/unit.h"

#include "compress.h"
#include "router/coding/coding.h"

#define KIB     1024
#define MIB     (KIB * KIB)
#define CEILING (200 * KIB)

static struct buf pattern(size_t n, bool zeros)
{
    struct buf b = BUF_INIT;
    uint8_t *at = buf_reserve(&b, n + 1);
    for (size_t i = 0; i < n; i++)
        at[i] = zeros ? 0 : (uint8_t)(i * i >> 3);
    b.len = n;
    return b;
}

static enum decompress_status run(struct decompressor *d, const char *name, bool grpc,
                                  struct slice in, struct buf *out)
{
    enum coding c = coding_named(slice_str(name), grpc);
    assert_int_not_equal(c, CODING_UNSUPPORTED);
    /* of exactly as many bytes, for the sanitizer */
    uint8_t *exact = malloc(in.len ? in.len : 1);
    if (in.len > 0)
        memcpy(exact, in.at, in.len);
    enum decompress_status status = coding_decompress(d, c, grpc, slice_of(exact, in.len), out);
    free(exact);
    return status;
}

#define BOTH -1

static const struct format {
    int line;
    const char *name;
    int grpc; /* 0, 1 or BOTH */
    compress_fn *compress;
    bool accepted;
    bool checked; /* a checksum finds every damage */
} formats[] = {
    {__LINE__, "gzip", BOTH, compress_gzip, true, true}, /* R72, R166 */
    {__LINE__, "gzip", BOTH, compress_zlib, false, false},
    {__LINE__, "X-GZip", 0, compress_gzip, true, true},   /* R74 */
    {__LINE__, "zstd", BOTH, compress_zstd, true, false}, /* R76, R167 */
    {__LINE__, "zstd", BOTH, compress_zstd_sized, true, false},
    {__LINE__, "zstd", BOTH, compress_zstd_wide, false, false}, /* more than 8 MiB of window */
    {__LINE__, "zstd", BOTH, compress_gzip, false, false},
    {__LINE__, "deflate", BOTH, compress_zlib, true, false}, /* R77, R169 */
    {__LINE__, "deflate", 0, compress_raw, true, false},     /* R78 */
    {__LINE__, "deflate", 1, compress_raw, false, false},
    {__LINE__, "zlib", 0, compress_zlib, true, true}, /* R79 */
    {__LINE__, "zlib", 0, compress_raw, false, false},
    {__LINE__, "zlib", 0, compress_gzip, false, false},
    {__LINE__, "snappy", 0, compress_snappy, true, false}, /* R80 */
    {__LINE__, "snappy", 0, compress_snappy_framed, true, true},
    {__LINE__, "snappy", 1, compress_snappy_framed, true, true}, /* R168 */
    {__LINE__, "snappy", 1, compress_snappy_stored, true, true},
    {__LINE__, "snappy", 1, compress_snappy, false, false},
    {__LINE__, "x-snappy-framed", 0, compress_snappy_framed, true, true}, /* R81 */
    {__LINE__, "x-snappy-framed", 0, compress_snappy_stored, true, true},
    {__LINE__, "x-snappy-framed", 0, compress_snappy, false, false},
    {__LINE__, "lz4", 0, compress_lz4, true, true}, /* R82 */
    {__LINE__, "lz4", 0, compress_zstd, false, false},
};

typedef void check_format(struct decompressor *d, const struct format *f, bool grpc);

/* One decompressor for all: nothing of a body is left for the next. */
static void each_format(check_format *check)
{
    struct decompressor d = {0};
    for (size_t i = 0; i < COUNT(formats); i++)
        for (int grpc = 0; grpc < 2; grpc++)
            if (formats[i].grpc == BOTH || formats[i].grpc == grpc)
                check(&d, &formats[i], grpc != 0);
    decompressor_release(&d);
    decompressor_release(&d);
}

static void check_body(struct decompressor *d, const struct format *f, bool grpc, size_t size,
                       size_t ceiling, enum decompress_status want)
{
    for (int zeros = 0; zeros < 2; zeros++) {
        struct buf plain = pattern(size, zeros != 0), in = BUF_INIT;
        struct buf out = BUF_INIT_CEILING(ceiling);
        f->compress(&in, buf_slice(&plain));
        enum decompress_status status = run(d, f->name, grpc, buf_slice(&in), &out);
        check_row(f->line, status == want, "%zu bytes: status %d", size, status);
        check_row(f->line, out.len <= ceiling && out.capacity < 2 * ceiling + 256,
                  "%zu bytes in %zu", out.len, out.capacity);
        check_row(f->line, want != DECOMPRESS_OK || slice_eq(buf_slice(&out), buf_slice(&plain)),
                  "%zu bytes became %zu", size, out.len);
        buf_release(&plain);
        buf_release(&in);
        buf_release(&out);
    }
}

static void check_sizes(struct decompressor *d, const struct format *f, bool grpc)
{
    static const size_t sizes[] = {0, 1, 1000, 65536, 65537, 150 * KIB};
    for (size_t i = 0; i < COUNT(sizes); i++)
        if (f->accepted)
            check_body(d, f, grpc, sizes[i], CEILING, DECOMPRESS_OK);
    if (!f->accepted)
        check_body(d, f, grpc, 1000, CEILING, DECOMPRESS_CORRUPT);
}

static void test_formats(void **state)
{
    (void)state;
    each_format(check_sizes);
}

static void check_limit(struct decompressor *d, const struct format *f, bool grpc)
{
    static const size_t sizes[] = {1, 1000, 65536, 70000};
    for (size_t i = 0; f->accepted && i < COUNT(sizes); i++) {
        check_body(d, f, grpc, sizes[i], sizes[i], DECOMPRESS_OK);
        check_body(d, f, grpc, sizes[i] + 1, sizes[i], DECOMPRESS_TOO_LARGE);
    }
}

static void test_R90_exactly_the_limit(void **state)
{
    (void)state;
    each_format(check_limit);
}

static void check_bomb(struct decompressor *d, const struct format *f, bool grpc)
{
    if (f->accepted)
        check_body(d, f, grpc, 20 * MIB, CEILING, DECOMPRESS_TOO_LARGE);
}

static void test_R92_bombs(void **state)
{
    (void)state;
    each_format(check_bomb);
}

static void check_cut(struct decompressor *d, const struct format *f, bool grpc)
{
    struct buf plain = pattern(700, false), in = BUF_INIT;
    f->compress(&in, buf_slice(&plain));
    for (size_t len = 0; f->accepted && len < in.len; len++) {
        struct buf out = BUF_INIT_CEILING(CEILING);
        enum decompress_status status = run(d, f->name, grpc, slice_of(in.at, len), &out);
        /* an empty snappy stream is one, too: it has no end mark */
        bool empty = len == 10 && memcmp(in.at, SNAPPY_STREAM, 10) == 0;
        check_row(f->line, status == (empty ? DECOMPRESS_OK : DECOMPRESS_CORRUPT),
                  "cut at %zu: status %d", len, status);
        buf_release(&out);
    }
    buf_release(&plain);
    buf_release(&in);
}

static void test_R85_cut_off(void **state)
{
    (void)state;
    each_format(check_cut);
}

static void check_damage(struct decompressor *d, const struct format *f, bool grpc)
{
    struct buf plain = pattern(700, false), in = BUF_INIT;
    f->compress(&in, buf_slice(&plain));
    for (size_t i = 0; f->accepted && i < in.len * 2; i++) {
        struct buf out = BUF_INIT_CEILING(CEILING);
        uint8_t bit = i % 2 ? 0x80 : 1;
        in.at[i / 2] ^= bit;
        enum decompress_status status = run(d, f->name, grpc, buf_slice(&in), &out);
        in.at[i / 2] ^= bit;
        check_row(f->line, out.len <= CEILING, "byte %zu", i / 2);
        check_row(f->line,
                  !f->checked || status != DECOMPRESS_OK || out.len == 0 ||
                      slice_eq(buf_slice(&out), buf_slice(&plain)),
                  "byte %zu", i / 2);
        buf_release(&out);
    }
    buf_release(&plain);
    buf_release(&in);
}

static void test_R85_damage(void **state)
{
    (void)state;
    each_format(check_damage);
}

static void check_garbage_behind(struct decompressor *d, const struct format *f, bool grpc)
{
    struct buf plain = pattern(700, false), in = BUF_INIT, out = BUF_INIT_CEILING(CEILING);
    f->compress(&in, buf_slice(&plain));
    buf_append_str(&in, "garbage");
    check_row(f->line,
              !f->accepted || run(d, f->name, grpc, buf_slice(&in), &out) == DECOMPRESS_CORRUPT,
              "%zu bytes", out.len);
    buf_release(&plain);
    buf_release(&in);
    buf_release(&out);
}

static void test_R85_garbage_behind(void **state)
{
    (void)state;
    each_format(check_garbage_behind);
}

/* R73 and what RFC 8878 and the LZ4 and snappy formats say alike. */
static void test_one_behind_the_other(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        compress_fn *compress;
    } rows[] = {{"gzip", compress_gzip},
                {"zstd", compress_zstd},
                {"lz4", compress_lz4},
                {"x-snappy-framed", compress_snappy_framed}};
    struct decompressor d = {0};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf in = BUF_INIT, out = BUF_INIT_CEILING(5);
        rows[i].compress(&in, SLICE_LIT("ab"));
        rows[i].compress(&in, SLICE_NULL);
        rows[i].compress(&in, SLICE_LIT("cde"));
        assert_int_equal(run(&d, rows[i].name, false, buf_slice(&in), &out), DECOMPRESS_OK);
        assert_true(slice_eq(buf_slice(&out), SLICE_LIT("abcde")));
        buf_release(&in);
        buf_release(&out);
    }
    decompressor_release(&d);
}

/* R80, R81: what the framing format says about chunks. */
static void test_snappy_chunks(void **state)
{
    (void)state;
#define STREAM SNAPPY_STREAM
    static const struct {
        int line;
        const char *bytes;
        size_t len;
        enum decompress_status status;
    } rows[] = {
#define ROW(bytes, status) {__LINE__, bytes, sizeof(bytes) - 1, status}
        ROW(STREAM, DECOMPRESS_OK),
        ROW(STREAM STREAM, DECOMPRESS_OK),
        ROW(STREAM "\xfe\x03\x00\x00xyz", DECOMPRESS_OK), /* padding */
        ROW(STREAM "\x80\x01\x00\x00x", DECOMPRESS_OK),   /* may be skipped */
        ROW(STREAM "\xfd\x00\x00\x00", DECOMPRESS_OK),
        ROW(STREAM "\x02\x01\x00\x00x", DECOMPRESS_CORRUPT), /* may not */
        ROW(STREAM "\x7f\x00\x00\x00", DECOMPRESS_CORRUPT),
        ROW(STREAM "\x01\x03\x00\x00xyz", DECOMPRESS_CORRUPT),       /* no room for a checksum */
        ROW(STREAM "\x01\x05\x00\x00\0\0\0\0x", DECOMPRESS_CORRUPT), /* a wrong one */
        /* that of no bytes */
        ROW(STREAM "\x01\x04\x00\x00\xd8\xea\x82\xa2", DECOMPRESS_OK),
        ROW(STREAM "\xff\x06\x00\x00sNaPpX", DECOMPRESS_CORRUPT),
        ROW(STREAM "\xfe\xff\xff\xff", DECOMPRESS_CORRUPT), /* 16 MiB that do not come */
        ROW("\xfe\x00\x00\x00" STREAM, DECOMPRESS_CORRUPT),
        ROW("\xff\x06\x00\x00sNaPp", DECOMPRESS_CORRUPT),
#undef ROW
    };
    struct decompressor d = {0};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT_CEILING(CEILING);
        struct slice in = slice_of(rows[i].bytes, rows[i].len);
        enum decompress_status status = run(&d, "x-snappy-framed", false, in, &out);
        check_row(rows[i].line, status == rows[i].status, "status %d", status);
        check_row(rows[i].line, status != DECOMPRESS_OK || out.len == 0, "%zu bytes", out.len);
        buf_release(&out);
    }
}

static void test_snappy_chunks_hold_64_kib(void **state)
{
    (void)state;
    struct decompressor d = {0};
    struct buf plain = pattern(65537, true);
    for (uint8_t type = 0; type < 2; type++)
        for (size_t n = 65536; n <= 65537; n++) {
            struct buf in = BUF_INIT, out = BUF_INIT_CEILING(CEILING);
            buf_append(&in, SNAPPY_STREAM, 10);
            snappy_data(&in, type, slice_of(plain.at, n));
            assert_int_equal(run(&d, "snappy", true, buf_slice(&in), &out),
                             n == 65536 ? DECOMPRESS_OK : DECOMPRESS_CORRUPT);
            buf_release(&in);
            buf_release(&out);
        }
    buf_release(&plain);
}

/* A size that is told and does not come costs nothing. */
static void test_snappy_claims(void **state)
{
    (void)state;
    struct decompressor d = {0};
    struct buf out = BUF_INIT_CEILING(64 * MIB);
    static const char claims_50_mib[] = "\x80\x80\x80\x19\x00x";
    assert_int_equal(run(&d, "snappy", false, slice_of(claims_50_mib, 6), &out),
                     DECOMPRESS_CORRUPT);
    assert_int_equal(out.capacity, 0);
    buf_release(&out);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *name;
        enum coding http, grpc;
    } rows[] = {
        {__LINE__, "identity", CODING_IDENTITY, CODING_IDENTITY},
        {__LINE__, "", CODING_IDENTITY, CODING_IDENTITY}, /* R75 */
        {__LINE__, "GZIP", CODING_GZIP, CODING_GZIP},     /* R74 */
        {__LINE__, "zstd", CODING_ZSTD, CODING_ZSTD},
        {__LINE__, "deflate", CODING_DEFLATE, CODING_DEFLATE},
        {__LINE__, "zlib", CODING_ZLIB, CODING_UNSUPPORTED},
        {__LINE__, "snappy", CODING_SNAPPY, CODING_SNAPPY},
        {__LINE__, "x-snappy-framed", CODING_SNAPPY_FRAMED, CODING_UNSUPPORTED},
        {__LINE__, "lz4", CODING_LZ4, CODING_UNSUPPORTED},
        {__LINE__, "br", CODING_UNSUPPORTED, CODING_UNSUPPORTED},
        {__LINE__, "gzi", CODING_UNSUPPORTED, CODING_UNSUPPORTED},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice name = slice_str(rows[i].name);
        check_row(rows[i].line, coding_named(name, false) == rows[i].http, "over HTTP");
        check_row(rows[i].line, coding_named(name, true) == rows[i].grpc, "over gRPC");
    }
}

/* R84, R170, R171 */
static void test_lists(void **state)
{
    (void)state;
    struct arena a = ARENA_INIT;
    assert_true(
        slice_eq(coding_list(&a, false),
                 SLICE_LIT("identity, gzip, zstd, deflate, zlib, snappy, x-snappy-framed, lz4")));
    assert_true(slice_eq(coding_list(&a, true), SLICE_LIT("identity,gzip,zstd,deflate,snappy")));
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_R90_exactly_the_limit),
        cmocka_unit_test(test_R92_bombs),
        cmocka_unit_test(test_R85_cut_off),
        cmocka_unit_test(test_R85_damage),
        cmocka_unit_test(test_R85_garbage_behind),
        cmocka_unit_test(test_one_behind_the_other),
        cmocka_unit_test(test_snappy_chunks),
        cmocka_unit_test(test_snappy_chunks_hold_64_kib),
        cmocka_unit_test(test_snappy_claims),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
