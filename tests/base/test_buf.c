#include "unit.h"

#include "base/buf.h"

#include <errno.h>

static void test_append(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    assert_string_equal(buf_cstr(&b), "");
    assert_int_equal(buf_append(&b, NULL, 0), 0);
    assert_int_equal(buf_append_str(&b, "one"), 0);
    assert_int_equal(buf_append_byte(&b, ' '), 0);
    assert_int_equal(buf_append_slice(&b, SLICE_LIT("two")), 0);
    assert_int_equal(buf_printf(&b, " %d", 3), 0);
    assert_string_equal(buf_cstr(&b), "one two 3");
    assert_int_equal(b.len, 9);
    buf_release(&b);
    assert_null(b.at);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        const char *text;
    } rows[] = {{0, "0"}, {9, "9"}, {10, "10"}, {UINT64_MAX, "18446744073709551615"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf b = BUF_INIT;
        assert_int_equal(buf_append_u64(&b, rows[i].n), 0);
        assert_string_equal(buf_cstr(&b), rows[i].text);
        buf_release(&b);
    }
    struct buf small = BUF_INIT_CEILING(2);
    assert_int_equal(buf_append_u64(&small, 123), -ENOBUFS);
    buf_release(&small);
}

static void test_grow(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    for (int i = 0; i < 5000; i++)
        buf_printf(&b, "%d,", i % 10);
    assert_false(b.failed);
    assert_int_equal(b.len, 10000);
    for (size_t i = 0; i < b.len; i++)
        assert_int_equal(b.at[i], i % 2 ? ',' : '0' + i / 2 % 10);
    buf_release(&b);
}

/* Each row: what is there, what is added by each way, and whether it fits under a ceiling of 8. */
static void test_ceiling(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *first, *more;
        bool fits;
    } rows[] = {
        {__LINE__, "", "12345678", true},   {__LINE__, "1234", "5678", true},
        {__LINE__, "", "123456789", false}, {__LINE__, "1234567", "89", false},
        {__LINE__, "12345678", "", true},   {__LINE__, "12345678", "9", false},
    };
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        size_t row = i / 2;
        struct buf b = BUF_INIT_CEILING(8);
        buf_append_str(&b, rows[row].first);
        int rc = i % 2 ? buf_printf(&b, "%s", rows[row].more) : buf_append_str(&b, rows[row].more);
        check_row(rows[row].line, (rc == 0) == rows[row].fits, "%d", rc);
        check_row(rows[row].line, b.failed == !rows[row].fits, "failed");
        check_row(rows[row].line, b.len <= 8, "%zu", b.len);
        buf_release(&b);
    }
}

static void test_failed(void **state)
{
    (void)state;
    struct buf b = BUF_INIT_CEILING(4);
    assert_int_equal(buf_append_str(&b, "12"), 0);
    assert_int_equal(buf_append_str(&b, "345"), -ENOBUFS);
    assert_int_equal(buf_append_str(&b, "3"), -ENOBUFS); /* would fit, but content is missing */
    assert_int_equal(buf_append(&b, NULL, 0), -ENOBUFS);
    assert_int_equal(buf_printf(&b, "3"), -ENOBUFS);
    assert_null(buf_reserve(&b, 1));
    assert_string_equal(buf_cstr(&b), "");
    buf_clear(&b);
    assert_int_equal(buf_append_str(&b, "1234"), 0);
    assert_string_equal(buf_cstr(&b), "1234");
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_true(b.failed);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),  cmocka_unit_test(test_numbers), cmocka_unit_test(test_grow),
        cmocka_unit_test(test_ceiling), cmocka_unit_test(test_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
