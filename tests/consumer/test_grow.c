/* When a topic gets more partitions: a story per row, one look every ten seconds. */
#include "consumer/supervise/grow.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MB        1000000.0
#define LOOK_S    10
#define MAX_LOOKS 8

static const struct grow_conf rules = {.most = 6,
                                       .rate = 5000000,
                                       .lag = 300 * NS_PER_S,
                                       .after = 20 * NS_PER_S,
                                       .pause = 600 * NS_PER_S};

/* Looks with so many MB/s since the look before, in records of 1000 bytes; from two partitions. */
struct story {
    int line;
    double rates[MAX_LOOKS];
    double lag;
    bool held;
    int wanted[MAX_LOOKS]; /* at each look; 0 = not told any more */
    enum grow_reason why;  /* of the first that is more than two */
};

static void play(const struct story *row, const struct grow_conf *c)
{
    struct grow_state s = {0};
    struct grow_look look = {.partitions = 2, .record_bytes = 1000, .end = 1000};
    enum grow_reason first = GROW_NOT;
    for (int i = 0; i < MAX_LOOKS && row->wanted[i] != 0; i++) {
        enum grow_reason why;
        uint64_t now = (uint64_t)(i + 1) * LOOK_S * NS_PER_S;
        look.end += (uint64_t)(row->rates[i] * MB * LOOK_S / 1000);
        look.lag_seconds = row->lag;
        look.held = row->held;
        int wanted = grow_decide(&s, c, &look, now, &why);
        if (wanted != row->wanted[i] || (wanted > look.partitions) != (why != GROW_NOT))
            fail_msg("row at line %d, look %d: %d, rate %g, reason %d", row->line, i, wanted,
                     s.rate, why);
        if (wanted > look.partitions)
            grow_raised(&s, now);
        first = first == GROW_NOT ? why : first;
        look.partitions = wanted;
    }
    if (first != row->why)
        fail_msg("row at line %d: reason %d", row->line, first);
}

static void test_stories(void **state)
{
    (void)state;
    static const struct story rows[] = {
        {__LINE__, {0, 1, 1, 1, 1}, 0, false, {2, 2, 2, 2, 2}, GROW_NOT},
        /* 12 MB/s need three; the first look only begins to measure */
        {__LINE__, {0, 12, 12, 12, 12}, 0, false, {2, 2, 2, 3, 3}, GROW_BY_RATE},
        {__LINE__, {0, 10, 10, 10, 10}, 0, false, {2, 2, 2, 2, 2}, GROW_NOT},
        {__LINE__, {0, 999, 999, 999, 999}, 0, false, {2, 2, 2, 6, 6}, GROW_BY_RATE},
        /* a burst that ends, begins anew */
        {__LINE__, {0, 12, 12, 1, 12, 12, 12}, 0, false, {2, 2, 2, 2, 2, 2, 3}, GROW_BY_RATE},
        /* more is needed, but it was raised a moment ago */
        {__LINE__, {0, 12, 12, 12, 25, 25, 25}, 0, false, {2, 2, 2, 3, 3, 3, 3}, GROW_BY_RATE},
        {__LINE__, {0, 12, 12, 12, 12}, 0, true, {2, 2, 2, 2, 2}, GROW_NOT},
        {__LINE__, {0, 1, 1, 1}, 301, false, {2, 2, 4, 4}, GROW_BY_LAG},
        {__LINE__, {0, 1, 1, 1}, 300, false, {2, 2, 2, 2}, GROW_NOT},
        {__LINE__, {0, 1, 1, 1}, -1, false, {2, 2, 2, 2}, GROW_NOT},
        {__LINE__, {0, 1, 1, 1}, 999, true, {2, 2, 2, 2}, GROW_NOT},
        {__LINE__, {0, 28, 28, 28}, 999, false, {2, 2, 6, 6}, GROW_BY_RATE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        play(&rows[i], &rules);
}

static void test_rules_that_are_off(void **state)
{
    (void)state;
    struct grow_conf by_lag = rules, by_rate = rules;
    by_lag.rate = 0;
    by_rate.lag = 0;
    play(&(struct story){__LINE__, {0, 99, 99, 99, 99}, 0, false, {2, 2, 2, 2, 2}, GROW_NOT},
         &by_lag);
    play(&(struct story){__LINE__, {0, 1, 1, 1}, 999, false, {2, 2, 2, 2}, GROW_NOT}, &by_rate);
}

static void test_it_grows_again_after_the_pause(void **state)
{
    (void)state;
    struct grow_conf c = rules;
    c.pause = 30 * NS_PER_S;
    play(&(struct story){__LINE__,
                         {0, 12, 12, 12, 25, 25, 25, 25},
                         0,
                         false,
                         {2, 2, 2, 3, 3, 3, 5, 5},
                         GROW_BY_RATE},
         &c);
}

/* Made anew, a topic's log begins at 0: that is no rate. */
static void test_a_topic_made_anew(void **state)
{
    (void)state;
    struct grow_state s = {0};
    enum grow_reason why;
    struct grow_look look = {.partitions = 2, .record_bytes = 1000, .end = 5000000};
    assert_int_equal(grow_decide(&s, &rules, &look, NS_PER_S, &why), 2);
    look.end = 10;
    assert_int_equal(grow_decide(&s, &rules, &look, 2 * NS_PER_S, &why), 2);
    assert_true(s.rate == 0 && s.hot_ns == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories),
        cmocka_unit_test(test_rules_that_are_off),
        cmocka_unit_test(test_it_grows_again_after_the_pause),
        cmocka_unit_test(test_a_topic_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
