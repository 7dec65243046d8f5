#include "tenancy/limits/meter.h"
#include "tenancy/limits/refusals.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_the_same_again_is_one_entry(void **state)
{
    (void)state;
    static const struct {
        uint64_t at_s;
        const char *reason;
        enum signal signal;
        size_t n;              /* entries then */
        uint64_t count, for_s; /* of the newest */
    } steps[] = {
        {100, "over_bytes", SIGNAL_LOGS, 1, 1, 0},   {110, "over_bytes", SIGNAL_LOGS, 1, 2, 10},
        {111, "over_bytes", SIGNAL_TRACES, 2, 1, 0}, {112, "malformed", SIGNAL_LOGS, 3, 1, 0},
        {150, "over_bytes", SIGNAL_LOGS, 3, 3, 50}, /* to the front */
        {211, "over_bytes", SIGNAL_LOGS, 4, 1, 0},  /* more than a minute later: another time */
        {212, "over_bytes", SIGNAL_COUNT, 5, 1, 0},
    };
    struct refusals r = {0};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        refusals_add(&r, steps[i].at_s * NS_PER_S, steps[i].reason, steps[i].signal);
        const struct refusal_entry *e = &r.at[0];
        if (r.n != steps[i].n || e->count != steps[i].count || e->signal != steps[i].signal ||
            strcmp(e->reason, steps[i].reason) != 0 ||
            e->last_ns - e->first_ns != steps[i].for_s * NS_PER_S)
            fail_msg("step %zu: %zu entries, %llu times", i, r.n, (unsigned long long)e->count);
    }
}

static void test_the_oldest_goes(void **state)
{
    (void)state;
    struct refusals r = {0};
    for (uint64_t i = 0; i < 3 * REFUSALS_KEPT; i++)
        refusals_add(&r, i * 100 * NS_PER_S, "over_items", SIGNAL_LOGS);
    assert_int_equal(r.n, REFUSALS_KEPT);
    for (size_t i = 0; i < r.n; i++)
        assert_true(r.at[i].last_ns == (3 * REFUSALS_KEPT - 1 - i) * 100 * NS_PER_S);
}

static void test_meter(void **state)
{
    (void)state;
    struct meter m = {0};
    uint64_t n = 0;
    for (int i = 0; i < 400; i++) /* 100 s of 40/s */
        meter_look(&m, n += 10, 250 * NS_PER_MS);
    assert_true(meter_per_second(&m) > 39.5 && meter_per_second(&m) < 40.5);
    meter_look(&m, n, 0);
    assert_true(meter_per_second(&m) > 39.5);
    meter_look(&m, 5, 250 * NS_PER_MS); /* midnight */
    assert_true(meter_per_second(&m) > 38 && meter_per_second(&m) < 41);
    for (int i = 0; i < 40; i++) /* ten seconds of nothing: a third is left */
        meter_look(&m, 5, 250 * NS_PER_MS);
    assert_true(meter_per_second(&m) > 10 && meter_per_second(&m) < 18);
    meter_look(&m, 5, 60 * NS_PER_S);
    assert_true(meter_per_second(&m) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_again_is_one_entry),
        cmocka_unit_test(test_the_oldest_goes),
        cmocka_unit_test(test_meter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
