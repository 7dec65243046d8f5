#include "tenancy/limits/limit.h"

#include "base/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS NS_PER_MS

static const struct limit_caller nobody;

/* One story per bucket: the rows of a story follow each other on the same state. */
struct step {
    int line;
    uint64_t at_ms, n, max_wait_ms;
    enum limit_verdict verdict;
    uint64_t wait_ns;
};

static void run_story(const struct limit *l, const struct step *steps, size_t n)
{
    const uint64_t start = 1000 * NS_PER_S;
    struct limit_state s = {0};
    for (size_t i = 0; i < n; i++) {
        uint64_t wait = 12345;
        enum limit_verdict v = limit_take(&s, l, steps[i].n, nobody, start + steps[i].at_ms * MS,
                                          steps[i].max_wait_ms * MS, &wait);
        if (v != steps[i].verdict || wait != steps[i].wait_ns)
            fail_msg("row at line %d: verdict %d, wait %llu ns", steps[i].line, v,
                     (unsigned long long)wait);
    }
}
#define RUN(l, steps) run_story(&(l), steps, sizeof(steps) / sizeof(steps[0]))

static void test_takes_the_burst_then_the_rate(void **state)
{
    (void)state;
    static const struct limit l = {.rate = 1000, .burst = 100};
    static const struct step steps[] = {
        {__LINE__, 0, 60, 0, LIMIT_OK, 0},
        {__LINE__, 0, 40, 0, LIMIT_OK, 0},
        {__LINE__, 0, 1, 0, LIMIT_REFUSED, 1 * MS},
        {__LINE__, 0, 0, 0, LIMIT_OK, 0},
        {__LINE__, 1, 1, 0, LIMIT_OK, 0},
        {__LINE__, 1, 50, 0, LIMIT_REFUSED, 50 * MS},
        {__LINE__, 51, 50, 0, LIMIT_OK, 0},
        {__LINE__, 10000, 101, 0, LIMIT_OK, 0}, /* above the burst, the bucket is full */
        {__LINE__, 10000, 1, 0, LIMIT_REFUSED, 2 * MS},
        {__LINE__, 10050, 200, 0, LIMIT_REFUSED, 51 * MS}, /* above the burst, not full yet */
    };
    RUN(l, steps);
}

static void test_waits_within_the_allowed_time(void **state)
{
    (void)state;
    static const struct limit l = {.rate = 1000, .burst = 100};
    static const struct step steps[] = {
        {__LINE__, 0, 100, 500, LIMIT_OK, 0},
        {__LINE__, 0, 300, 500, LIMIT_WAIT, 100 * MS}, /* pays for all: the next waits for it */
        {__LINE__, 0, 100, 500, LIMIT_WAIT, 400 * MS},
        {__LINE__, 0, 100, 500, LIMIT_WAIT, 500 * MS},
        {__LINE__, 0, 1, 500, LIMIT_REFUSED, 501 * MS},
        {__LINE__, 0, 1, 500, LIMIT_REFUSED, 501 * MS}, /* a refusal takes nothing */
        {__LINE__, 1, 1, 500, LIMIT_WAIT, 500 * MS},
    };
    RUN(l, steps);
}

static void test_extreme_numbers_stay_in_range(void **state)
{
    (void)state;
    static const struct limit unlimited = {0, 0}, slow = {1, 1}, fast = {UINT64_MAX, UINT64_MAX};
    static const struct limit no_burst = {10, 0};
    static const struct step at_will[] = {
        {__LINE__, 0, UINT64_MAX, 0, LIMIT_OK, 0},
        {__LINE__, 0, UINT64_MAX, 0, LIMIT_OK, 0},
    };
    static const struct step once[] = {
        {__LINE__, 0, UINT64_MAX, 0, LIMIT_OK, 0},
        {__LINE__, 0, 1, 0, LIMIT_REFUSED, UINT64_MAX / 4},
    };
    static const struct step every_100_ms[] = {
        {__LINE__, 0, 1, 0, LIMIT_OK, 0},
        {__LINE__, 0, 1, 0, LIMIT_REFUSED, 100 * MS},
        {__LINE__, 100, 1, 0, LIMIT_OK, 0},
    };
    static const struct step whole_second[] = {
        {__LINE__, 0, UINT64_MAX, 0, LIMIT_OK, 0},
        {__LINE__, 0, 1, 0, LIMIT_REFUSED, 1},
    };
    RUN(unlimited, at_will);
    RUN(slow, once);
    RUN(no_burst, every_100_ms);
    RUN(fast, whole_second);
}

static void test_an_early_clock_is_no_trouble(void **state)
{
    (void)state;
    struct limit_state s = {0};
    const struct limit l = {10, 100};
    uint64_t wait;
    assert_int_equal(limit_take(&s, &l, 10, nobody, 0, 0, &wait), LIMIT_OK);
    assert_int_equal(limit_available(&s, &l, 0), 90);
}

static void test_available_and_return(void **state)
{
    (void)state;
    struct limit_state s = {0};
    const struct limit l = {1000, 500}, unlimited = {0, 0};
    uint64_t now = 50 * NS_PER_S, wait;
    assert_int_equal(limit_available(&s, &l, now), 500);
    assert_int_equal(limit_take(&s, &l, 200, nobody, now, 0, &wait), LIMIT_OK);
    assert_int_equal(limit_available(&s, &l, now), 300);
    assert_int_equal(limit_available(&s, &l, now + 100 * MS), 400);
    limit_return(&s, &l, 200);
    assert_int_equal(limit_available(&s, &l, now), 500);
    assert_int_equal(limit_take(&s, &l, 5000, nobody, now, 0, &wait), LIMIT_OK);
    assert_int_equal(limit_available(&s, &l, now), 0);
    limit_reset(&s);
    assert_int_equal(limit_available(&s, &l, now), 500);
    limit_return(&s, &l, 1000000);
    assert_int_equal(limit_available(&s, &l, now), 500);
    assert_true(limit_available(&s, &unlimited, now) == UINT64_MAX);
}

/* Odd rates: rounding must not let more through than rate * time + burst. */
static void test_rounding_is_never_in_favour_of_the_sender(void **state)
{
    (void)state;
    static const uint64_t rates[] = {3, 7, 999983, 700000001, 3000000019};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct limit_state s = {0};
        const struct limit l = {rates[i], 10};
        uint64_t start = 7 * NS_PER_S, now = start, taken = 0, wait;
        for (int k = 0; k < 100000; k++, now += 777) {
            taken += limit_take(&s, &l, 1, nobody, now, 0, &wait) == LIMIT_OK;
            unsigned __int128 allowed = (unsigned __int128)(now - start) * l.rate / NS_PER_S;
            assert_true(taken <= (uint64_t)allowed + l.burst);
        }
    }
}

struct taker {
    struct limit_state *s;
    const struct limit *l;
    uint64_t until_ns, taken;
};

static void *take_until(void *arg)
{
    struct taker *t = arg;
    uint64_t now, wait;
    while ((now = clock_mono_ns()) < t->until_ns)
        if (limit_take(t->s, t->l, 3, nobody, now, 0, &wait) == LIMIT_OK)
            t->taken += 3;
    return NULL;
}

static void test_threads_share_one_limit(void **state)
{
    (void)state;
    struct limit_state s = {0};
    const struct limit l = {1000000, 50000};
    uint64_t start = clock_mono_ns(), until = start + 200 * MS, taken = 0;
    struct taker takers[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        takers[i] = (struct taker){&s, &l, until, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, take_until, &takers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        taken += takers[i].taken;
    }
    uint64_t allowed = (until - start) / 1000 + l.burst;
    assert_true(taken <= allowed);
    assert_true(taken >= l.burst - 2); /* and the limit was reached at all */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_the_burst_then_the_rate),
        cmocka_unit_test(test_waits_within_the_allowed_time),
        cmocka_unit_test(test_extreme_numbers_stay_in_range),
        cmocka_unit_test(test_an_early_clock_is_no_trouble),
        cmocka_unit_test(test_available_and_return),
        cmocka_unit_test(test_rounding_is_never_in_favour_of_the_sender),
        cmocka_unit_test(test_threads_share_one_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
