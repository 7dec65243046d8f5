#include "base/periodic.h"

#include "base/clock.h"
#include "tests/base/unit.h"

#include <semaphore.h>

struct seen {
    sem_t ran;
    int runs;
};

static void note(void *arg)
{
    struct seen *s = arg;
    s->runs++;
    sem_post(&s->ran);
}

static void test_runs_until_stopped(void **state)
{
    (void)state;
    struct seen s = {0};
    struct periodic p;
    sem_init(&s.ran, 0, 0);
    assert_int_equal(periodic_start(&p, "often", NS_PER_MS, note, &s), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sem_wait(&s.ran), 0);
    periodic_stop(&p);
    assert_true(s.runs >= 3);
    sem_destroy(&s.ran);
}

/* Who stops it does not wait for the interval to pass. */
static void test_stops_at_once(void **state)
{
    (void)state;
    struct seen s = {0};
    struct periodic p;
    sem_init(&s.ran, 0, 0);
    assert_int_equal(periodic_start(&p, "seldom", 1000000 * NS_PER_S, note, &s), 0);
    periodic_stop(&p);
    assert_int_equal(s.runs, 0);
    sem_destroy(&s.ran);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_until_stopped),
        cmocka_unit_test(test_stops_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
