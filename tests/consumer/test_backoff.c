#include "consumer/supervise/backoff.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { ROUNDS = 200 };

/* The smallest and largest wait of attempt number `attempt`. */
static void sample(unsigned attempt, uint64_t *least, uint64_t *most)
{
    *least = UINT64_MAX;
    *most = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct backoff b = {100 * NS_PER_MS, 10 * NS_PER_S, attempt};
        uint64_t wait = backoff_next(&b);
        *least = wait < *least ? wait : *least;
        *most = wait > *most ? wait : *most;
    }
}

static void test_the_bound_doubles_up_to_the_most(void **state)
{
    (void)state;
    static const uint64_t bounds_ms[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
    for (unsigned i = 0; i < sizeof(bounds_ms) / sizeof(bounds_ms[0]); i++) {
        uint64_t least, most, bound = bounds_ms[i] * NS_PER_MS;
        sample(i, &least, &most);
        assert_in_range(least, bound / 10, bound / 2); /* jitter is full */
        assert_in_range(most, bound / 2, bound);
    }
}

static void test_attempts_are_counted_and_forgotten(void **state)
{
    (void)state;
    struct backoff b = {1000, 8000, 0};
    for (int i = 0; i < 100; i++)
        assert_in_range(backoff_next(&b), 100, 8000);
    assert_int_equal(b.attempt, 32); /* no shift beyond the type */
    backoff_reset(&b);
    assert_in_range(backoff_next(&b), 100, 1000);
}

static void test_a_first_wait_above_the_most_is_cut(void **state)
{
    (void)state;
    struct backoff b = {250 * NS_PER_MS, 10 * NS_PER_MS, 0};
    assert_in_range(backoff_next(&b), NS_PER_MS, 10 * NS_PER_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_bound_doubles_up_to_the_most),
        cmocka_unit_test(test_attempts_are_counted_and_forgotten),
        cmocka_unit_test(test_a_first_wait_above_the_most_is_cut),
    };
    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
