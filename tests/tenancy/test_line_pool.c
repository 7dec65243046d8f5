/* Limits and their lines: more limits than lines, and that lines come back from limits that do not
 * need them any more. */
#include "tenancy/limits/line_pool.h"
#include "tests/base/unit.h"

#include "base/clock.h"

#include <pthread.h>

#define LIMITS (LINE_POOL_SIZE + 100)

static const struct limit slow = {.rate = 10, .burst = 10};
static struct limit_state limits[LIMITS];

static void release_all(void)
{
    for (size_t i = 0; i < LIMITS; i++)
        limit_release(&limits[i]);
}

/* Empties the bucket and is refused; true when it has a place in a line afterwards. */
static bool refuse(struct limit_state *s, uint64_t now_ns)
{
    const struct limit_caller who = {.id = 7};
    uint64_t wait_ns;
    while (limit_take(s, &slow, 10, who, now_ns, 0, &wait_ns) != LIMIT_REFUSED)
        ;
    limit_queue_up(s, &slow, 10, who, now_ns);
    struct limit_line *line = line_open(s, now_ns);
    bool placed = line != NULL && limit_line_find(line, who, now_ns) != NULL;
    if (line != NULL)
        line_close(s, line);
    return placed;
}

static size_t refuse_all(uint64_t now_ns)
{
    size_t placed = 0;
    for (size_t i = 0; i < LIMITS; i++)
        placed += refuse(&limits[i], now_ns);
    return placed;
}

static void test_lines_come_back(void **state)
{
    (void)state;
    uint64_t now_ns = 1000 * NS_PER_S;
    assert_int_equal(refuse_all(now_ns), LINE_POOL_SIZE);
    assert_false(refuse(&limits[LIMITS - 1], now_ns + NS_PER_S)); /* all are still in use */
    for (int round = 1; round <= 3; round++) {
        now_ns += 60 * NS_PER_S; /* nobody came back: all lines are idle */
        for (size_t i = LIMITS; i-- > LIMITS - 100;)
            assert_true(refuse(&limits[i], now_ns));
        assert_true(refuse(&limits[0], now_ns)); /* its line may have gone to another */
    }
    release_all();
}

static void test_released_lines_are_lent_again(void **state)
{
    (void)state;
    uint64_t now_ns = 1000 * NS_PER_S;
    for (int round = 0; round < 3; round++) {
        assert_int_equal(refuse_all(now_ns), LINE_POOL_SIZE);
        release_all();
    }
}

/* A limit without a line still limits, and tells a delay. */
static void test_without_a_line(void **state)
{
    (void)state;
    uint64_t now_ns = 1000 * NS_PER_S, wait_ns;
    const struct limit_caller who = {.id = 9};
    refuse_all(now_ns);
    struct limit_state *s = &limits[LIMITS - 1];
    assert_int_equal(limit_take(s, &slow, 10, who, now_ns, 0, &wait_ns), LIMIT_REFUSED);
    assert_int_equal(limit_queue_up(s, &slow, 10, who, now_ns), NS_PER_S);
    assert_int_equal(limit_take(s, &slow, 10, who, now_ns + NS_PER_S, 0, &wait_ns), LIMIT_OK);
    release_all();
}

static void *hammer(void *arg)
{
    unsigned seed = *(unsigned *)arg;
    for (int i = 0; i < 20000; i++) {
        seed = seed * 1103515245 + 12345;
        struct limit_state *s = &limits[(seed >> 8) % LIMITS];
        const struct limit_caller who = {.id = 1 + seed % 5};
        uint64_t now_ns = (uint64_t)(1000 + i / 10) * NS_PER_S, wait_ns;
        if (limit_take(s, &slow, 10, who, now_ns, 0, &wait_ns) == LIMIT_REFUSED)
            limit_queue_up(s, &slow, 10, who, now_ns);
        else
            limit_leave(s, who, now_ns);
        if (i % 1000 == 0)
            limit_reset(s);
    }
    return NULL;
}

/* Lines are taken away from limits that others are just using; the sanitizers look at it. */
static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    unsigned seeds[4] = {1, 2, 3, 4};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &seeds[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    /* What they left waits for nothing. */
    for (size_t i = 0; i < LIMITS; i++)
        assert_true(limit_wait(&limits[i], &slow, 1, (struct limit_caller){0}, 9000 * NS_PER_S) ==
                    0);
    release_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_come_back),
        cmocka_unit_test(test_released_lines_are_lent_again),
        cmocka_unit_test(test_without_a_line),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
