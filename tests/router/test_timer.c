/* The heap of deadlines against a plain list, over many random operations. */
#include "router/net/timer.h"
#include "tests/base/unit.h"

#include <stdlib.h>

#define TIMERS 200

struct fixture {
    struct timer_heap heap;
    struct loop_timer timers[TIMERS];
};

static uint64_t earliest(const struct fixture *f)
{
    uint64_t due = UINT64_MAX;
    for (size_t i = 0; i < TIMERS; i++)
        if (f->timers[i].slot != 0 && f->timers[i].due_ns < due)
            due = f->timers[i].due_ns;
    return due;
}

static void random_operation(struct fixture *f)
{
    struct loop_timer *t = &f->timers[random() % TIMERS];
    if (random() % 3 == 0)
        timer_heap_clear(&f->heap, t);
    else
        timer_heap_set(&f->heap, t, (uint64_t)random() % 1000);
    assert_int_equal(timer_heap_next(&f->heap), earliest(f));
}

/* Emptied now and then: what is out of place far down comes to light. */
static void test_random_operations(void **state)
{
    (void)state;
    struct fixture f = {0};
    srandom(1);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 1000; i++)
            random_operation(&f);
        for (uint64_t due; (due = earliest(&f)) != UINT64_MAX;)
            assert_int_equal(timer_heap_take_due(&f.heap, 1000)->due_ns, due);
    }
    timer_heap_release(&f.heap);
}

static void test_due_in_order(void **state)
{
    (void)state;
    struct fixture f = {0};
    struct loop_timer *t;
    uint64_t last = 0;
    size_t n = 0;
    for (size_t i = 0; i < TIMERS; i++)
        timer_heap_set(&f.heap, &f.timers[i], (i * 7919) % 1000);
    while ((t = timer_heap_take_due(&f.heap, 999)) != NULL) {
        assert_true(t->due_ns >= last);
        assert_int_equal(t->slot, 0);
        last = t->due_ns;
        n++;
    }
    assert_int_equal(n, TIMERS);
    assert_int_equal(timer_heap_next(&f.heap), UINT64_MAX);
    timer_heap_release(&f.heap);
}

static void test_not_due_stays(void **state)
{
    (void)state;
    struct fixture f = {0};
    timer_heap_set(&f.heap, &f.timers[0], 10);
    assert_null(timer_heap_take_due(&f.heap, 9));
    assert_ptr_equal(timer_heap_take_due(&f.heap, 10), &f.timers[0]);
    timer_heap_clear(&f.heap, &f.timers[0]); /* not armed: nothing happens */
    timer_heap_release(&f.heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_due_in_order),
        cmocka_unit_test(test_not_due_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
