/* Reaches the two ways of computing it, so it includes the file. */
#include "base/crc32c.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_known_values(void **state)
{
    (void)state;
    const uint8_t zeros[32] = {0};
    assert_int_equal(crc32c(0, SLICE_NULL), 0);
    assert_int_equal(crc32c(0, SLICE_LIT("123456789")), 0xE3069283);
    assert_int_equal(crc32c(0, slice_of(zeros, 32)), 0x8A9136AA);
    assert_int_equal(crc32c(crc32c(0, SLICE_LIT("1234")), SLICE_LIT("56789")), 0xE3069283);
}

static void test_both_ways_agree(void **state)
{
    (void)state;
    uint8_t bytes[100];
    srandom(7);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)random();
    for (size_t from = 0; from < 8; from++)
        for (size_t len = 0; from + len <= sizeof(bytes); len++) {
            struct slice s = slice_of(bytes + from, len);
            assert_int_equal(~crc_by_table(~0u, s), crc32c(0, s));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_both_ways_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
