#include "tenancy/limits/day_count.h"

#include "base/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* One story: the steps follow each other on the same count. */
static void test_a_quota_over_days(void **state)
{
    (void)state;
    enum { TAKE, BACK, READ };
    static const struct {
        int line, what;
        uint64_t day, n, most;
        bool fits;
        uint64_t then;
    } steps[] = {
        {__LINE__, READ, 100, 0, 0, true, 0},
        {__LINE__, TAKE, 100, 60, 100, true, 60},
        {__LINE__, TAKE, 100, 41, 100, false, 60}, /* never more than the quota */
        {__LINE__, TAKE, 100, 40, 100, true, 100}, /* all of it */
        {__LINE__, TAKE, 100, 0, 100, false, 100}, /* spent */
        {__LINE__, TAKE, 100, 5, 0, true, 105},    /* without a quota it is counted, too */
        {__LINE__, TAKE, 100, 1, 50, false, 105},  /* the quota was lowered */
        {__LINE__, BACK, 100, 45, 0, true, 60},
        {__LINE__, READ, 101, 0, 0, true, 0},
        {__LINE__, TAKE, 101, 10, 100, true, 10},
        {__LINE__, BACK, 100, 10, 0, true, 10},   /* of yesterday */
        {__LINE__, TAKE, 100, 10, 100, true, 20}, /* the clock was set back: it is still today */
        {__LINE__, READ, 100, 0, 0, true, 20},
        {__LINE__, BACK, 101, 50, 0, true, 0},
        {__LINE__, TAKE, 101, UINT64_MAX, 0, true, DAY_COUNT_MAX},
        {__LINE__, TAKE, 101, 1, 0, true, DAY_COUNT_MAX},
        {__LINE__, TAKE, 102, 1, 1, true, 1},
    };
    struct day_count c = {0};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        bool fits = true;
        if (steps[i].what == TAKE)
            fits = day_count_take(&c, steps[i].n, steps[i].most, steps[i].day);
        else if (steps[i].what == BACK)
            day_count_give_back(&c, steps[i].n, steps[i].day);
        if (fits != steps[i].fits || day_count_read(&c, steps[i].day) != steps[i].then)
            fail_msg("row at line %d: %d, now %llu", steps[i].line, fits,
                     (unsigned long long)day_count_read(&c, steps[i].day));
    }
}

static void test_days_begin_at_midnight_utc(void **state)
{
    (void)state;
    const uint64_t day = 86400 * NS_PER_S, noon = 20000 * day + day / 2;
    assert_true(day_of(noon) == 20000);
    assert_true(day_of(20000 * day) == 20000 && day_of(20000 * day - 1) == 19999);
    assert_true(ns_until_next_day(noon) == day / 2);
    assert_true(ns_until_next_day(20000 * day) == day);
    assert_true(ns_until_next_day(20000 * day - 1) == 1);
}

static void test_restore(void **state)
{
    (void)state;
    struct day_count c = {0};
    day_count_restore(&c, 70, 100);
    assert_true(day_count_read(&c, 100) == 70);
    assert_true(day_count_read(&c, 101) == 0);
    day_count_restore(&c, 10, 100); /* it counts already */
    assert_true(day_count_read(&c, 100) == 70);
}

static void *take_all(void *arg)
{
    uint64_t taken = 0;
    while (day_count_take(arg, 3, 100000, 5))
        taken += 3;
    return (void *)(uintptr_t)taken;
}

static void test_threads_share_a_quota(void **state)
{
    (void)state;
    struct day_count c = {0};
    pthread_t threads[4];
    uint64_t taken = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_all, &c), 0);
    for (int i = 0; i < 4; i++) {
        void *mine;
        pthread_join(threads[i], &mine);
        taken += (uint64_t)(uintptr_t)mine;
    }
    assert_true(taken == 99999 && day_count_read(&c, 5) == 99999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_quota_over_days),
        cmocka_unit_test(test_days_begin_at_midnight_utc),
        cmocka_unit_test(test_restore),
        cmocka_unit_test(test_threads_share_a_quota),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
