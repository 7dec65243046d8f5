#include "router/coding/decompress.h"

#include "gzip.h"

#include <setjmp.h>
#include <stdarg.h>
/* after the four above */
#include <cmocka.h>

#define KIB 1024

static uint8_t plain_byte(size_t i, bool zeros)
{
    return zeros ? 0 : (uint8_t)(i * i >> 3);
}

/* Appends one gzip member that holds `n` bytes of a pattern, or zeros. */
static void add_member(struct buf *out, size_t n, bool zeros)
{
    uint8_t *plain = malloc(n ? n : 1);
    for (size_t i = 0; i < n; i++)
        plain[i] = plain_byte(i, zeros);
    gzip_append(out, slice_of(plain, n));
    free(plain);
}

struct row {
    int line;
    size_t members[3]; /* sizes; SIZE_MAX ends */
    bool zeros;
    int cut;             /* bytes taken off the end */
    const char *garbage; /* behind it */
    int flip;            /* this byte from the end is changed; 0 = none */
    size_t ceiling;
    enum decompress_status status;
};

#define NO SIZE_MAX
static const struct row rows[] = {
    /* clang-format off */
    {__LINE__, {1000, NO},      false, 0, "",  0, 64 * KIB, DECOMPRESS_OK},
    {__LINE__, {0, NO},         false, 0, "",  0, 64 * KIB, DECOMPRESS_OK},
    {__LINE__, {1000, 500, NO}, false, 0, "",  0, 64 * KIB, DECOMPRESS_OK},        /* R73 */
    {__LINE__, {500, 1000, NO}, false, 0, "",  0, 64 * KIB, DECOMPRESS_OK},
    {__LINE__, {0, 1000, 0},    false, 0, "",  0, 64 * KIB, DECOMPRESS_OK},
    {__LINE__, {64 * KIB, NO},  false, 0, "",  0, 64 * KIB, DECOMPRESS_OK},        /* R90 */
    {__LINE__, {64 * KIB + 1, NO}, false, 0, "", 0, 64 * KIB, DECOMPRESS_TOO_LARGE},
    {__LINE__, {32 * KIB, 32 * KIB, NO}, false, 0, "", 0, 64 * KIB, DECOMPRESS_OK},
    {__LINE__, {32 * KIB, 32 * KIB, 1},  false, 0, "", 0, 64 * KIB, DECOMPRESS_TOO_LARGE},
    {__LINE__, {1024 * KIB, NO}, true, 0, "",  0, 64 * KIB, DECOMPRESS_TOO_LARGE}, /* R92 */
    {__LINE__, {1024 * KIB, NO}, true, 0, "",  1, 64 * KIB, DECOMPRESS_TOO_LARGE}, /* the size lies */
    {__LINE__, {1000, NO},      false, 1, "",  0, 64 * KIB, DECOMPRESS_CORRUPT},   /* R85 */
    {__LINE__, {1000, NO},      false, 9, "",  0, 64 * KIB, DECOMPRESS_CORRUPT},
    {__LINE__, {1000, 500, NO}, false, 12, "", 0, 64 * KIB, DECOMPRESS_CORRUPT},
    {__LINE__, {1000, NO},      false, 0, "x", 0, 64 * KIB, DECOMPRESS_CORRUPT},
    {__LINE__, {1000, NO},      false, 0, "garbage behind it", 0, 64 * KIB, DECOMPRESS_CORRUPT},
    {__LINE__, {1000, NO},      false, 0, "",  1, 64 * KIB, DECOMPRESS_CORRUPT},   /* size */
    {__LINE__, {1000, NO},      false, 0, "",  5, 64 * KIB, DECOMPRESS_CORRUPT},   /* CRC */
    {__LINE__, {NO},            false, 0, "",  0, 64 * KIB, DECOMPRESS_CORRUPT},   /* nothing */
    {__LINE__, {NO},            false, 0, "not gzip at all, not at all", 0, 64 * KIB, DECOMPRESS_CORRUPT},
    /* clang-format on */
};

static void check(struct decompressor *d, const struct row *r)
{
    struct buf in = BUF_INIT, out = BUF_INIT_CEILING(r->ceiling);
    size_t expected = 0;
    for (int m = 0; m < 3 && r->members[m] != NO; m++) {
        add_member(&in, r->members[m], r->zeros);
        expected += r->members[m];
    }
    in.len -= (size_t)r->cut;
    if (r->flip)
        in.at[in.len - (size_t)r->flip] ^= 1;
    buf_append_str(&in, r->garbage);
    enum decompress_status status = decompress_gzip(d, buf_slice(&in), &out);
    if (status != r->status || out.len > r->ceiling ||
        (status == DECOMPRESS_OK && (out.len != expected || out.failed)))
        fail_msg("row of line %d: status %d, %zu bytes", r->line, status, out.len);
    for (size_t at = 0, m = 0; status == DECOMPRESS_OK && m < 3 && r->members[m] != NO; m++)
        for (size_t n = 0; n < r->members[m]; n++, at++)
            assert_int_equal(out.at[at], plain_byte(n, r->zeros));
    buf_release(&in);
    buf_release(&out);
}

/* One inflater for all: nothing of a row is left for the next. */
/* Both ways through look at a header's own checksum (RFC 1952 §2.3.1, FHCRC). */
static void test_header_checksum(void **state)
{
    (void)state;
    static const uint8_t wrong[] = {0x1f, 0x8b, 8, 2, 0, 0, 0, 0, 0, 3, /* header */
                                    0xff, 0xff, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    struct decompressor d = {0};
    struct buf out = BUF_INIT_CEILING(KIB);
    assert_int_equal(decompress_gzip(&d, slice_of(wrong, sizeof(wrong)), &out), DECOMPRESS_CORRUPT);
    buf_release(&out);
    decompressor_release(&d);
}

static void test_rows(void **state)
{
    (void)state;
    struct decompressor d = {0};
    for (int round = 0; round < 2; round++)
        for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++)
            check(&d, &rows[n]);
    decompressor_release(&d);
}

/* A bomb of 1 GiB costs no more than the ceiling. */
static void test_bomb_stops_early(void **state)
{
    (void)state;
    struct buf in = BUF_INIT, out = BUF_INIT_CEILING(64 * KIB);
    add_member(&in, 16 * 1024 * KIB, true);
    for (size_t m = 1, len = in.len; m < 64; m++) {
        buf_reserve(&in, len);
        buf_append(&in, in.at, len);
    }
    struct decompressor d = {0};
    assert_int_equal(decompress_gzip(&d, buf_slice(&in), &out), DECOMPRESS_TOO_LARGE);
    assert_true(out.capacity <= 64 * KIB);
    decompressor_release(&d);
    buf_release(&in);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_header_checksum),
        cmocka_unit_test(test_bomb_stops_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
