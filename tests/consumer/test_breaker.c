/* When a partition stops instead of filling the DLQ. */
#include "consumer/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_what_is_allowed(void **state)
{
    (void)state;
    static const struct {
        int line;
        struct breaker before;
        uint64_t seen, dead, max_dead;
        bool allowed;
    } rows[] = {
        {__LINE__, {0, 0}, 5000, 0, 0, true},
        {__LINE__, {0, 0}, 100, 100, 100, true},
        {__LINE__, {0, 0}, 101, 101, 100, false},
        {__LINE__, {0, 0}, 1, 1, 0, false}, /* none at all, until there are 100 good ones */
        {__LINE__, {99, 0}, 1, 1, 0, true},
        {__LINE__, {500, 60}, 500, 40, 100, true}, /* what went before counts */
        {__LINE__, {500, 60}, 500, 41, 100, false},
        {__LINE__, {15000, 0}, 5000, 200, 100, true}, /* 1 % of the recent ones */
        {__LINE__, {15000, 0}, 5000, 201, 100, false},
        {__LINE__, {10000, 5000}, 20, 0, 100, true}, /* good ones always go on */
        {__LINE__, {10000, 5000}, 20, 1, 100, false},
        {__LINE__, {0, 0}, 20000, 20000, 1000000000000, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (breaker_allows(&rows[i].before, rows[i].seen, rows[i].dead, rows[i].max_dead) !=
            rows[i].allowed)
            fail_msg("line %d", rows[i].line);
}

static void test_what_is_long_ago_fades(void **state)
{
    (void)state;
    struct breaker b = {0, 0};
    breaker_count(&b, 100, 100);
    assert_false(breaker_allows(&b, 1, 1, 100));
    for (int i = 0; i < 40; i++)
        breaker_count(&b, 1000, 0);
    assert_true(b.seen >= 10000 && b.seen < 20000);
    assert_true(b.dead <= 25);
    assert_true(breaker_allows(&b, 75, 75, 100));
    breaker_count(&b, 1000000000, 0); /* one huge batch */
    assert_true(b.seen < 20000);
}

/* Each record's fate and class; two units, record i belongs to unit i % 2. */
static void test_a_batch_is_judged_by_what_can_be_mended(void **state)
{
    (void)state;
    struct batch_record records[] = {
        {.unit = 0, .fate = RECORD_DEAD, .error_class = "decode"},
        {.unit = 1, .fate = RECORD_GOOD},
        {.unit = 0, .fate = RECORD_DEAD, .error_class = "ceiling"},
        {.unit = 1, .fate = RECORD_DEAD, .error_class = "decode"},
        {.unit = 0, .fate = RECORD_REFUSED, .error_class = "data"},
        {.unit = 1, .fate = RECORD_REFUSED, .error_class = "data"},
        {.unit = 0, .fate = RECORD_DEAD, .error_class = "data"},
    };
    struct batch_unit units[2] = {0};
    struct batch b = {.records = records, .n_records = 7, .units = units, .n_units = 2};
    assert_false(breaker_judge(&b, 3));
    assert_int_equal(units[0].seen, 4);
    assert_int_equal(units[0].dead, 3);
    assert_int_equal(units[1].seen, 3);
    assert_int_equal(units[1].dead, 1);
    assert_true(breaker_judge(&b, 2));
    assert_true(units[0].stopped);
    assert_false(units[1].stopped);
    assert_ptr_equal(breaker_first_dead(&b, 0), &records[2]);
    units[1].breaker = (struct breaker){50, 2};
    assert_true(breaker_judge(&b, 2));
    assert_true(units[1].stopped);
    assert_ptr_equal(breaker_first_dead(&b, 1), &records[5]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_allowed),
        cmocka_unit_test(test_what_is_long_ago_fades),
        cmocka_unit_test(test_a_batch_is_judged_by_what_can_be_mended),
    };
    return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
