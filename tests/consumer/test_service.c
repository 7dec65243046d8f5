/* Real children: started, restarted with back-off, stopped, killed when they do not stop. */
#include "consumer/supervise/service.h"

#include "base/clock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_NS (60 * NS_PER_S)

static uint64_t stop_timeout_ns = PATIENCE_NS;

static bool running(const struct service *s)
{
    return s->state == SERVICE_RUNNING;
}
static bool gone(const struct service *s)
{
    return s->state == SERVICE_STOPPED;
}
static bool ended_once(const struct service *s)
{
    return s->restarts >= 1;
}
static bool ended_four_times(const struct service *s)
{
    return s->restarts >= 4;
}

static void step(struct service *s)
{
    static const struct timespec turn = {.tv_nsec = 1000000};
    service_step(s, true, stop_timeout_ns);
    nanosleep(&turn, NULL); /* as the supervisor between its turns */
}

static void until(struct service *s, bool (*reached)(const struct service *s))
{
    for (uint64_t due = clock_mono_ns() + PATIENCE_NS; !reached(s); step(s))
        assert_true(clock_mono_ns() < due);
}

#define SHELL(script) ((const char *const[]){"sh", "-c", script, NULL})

static void make(struct service *s, const char *const *argv)
{
    service_init(s, "child", argv, "/dev/null", 2 * NS_PER_MS);
}

static void stop(struct service *s)
{
    s->wanted = false;
    until(s, gone);
    assert_int_equal(s->pid, 0);
}

static void test_a_child_is_started_when_it_may_and_stopped(void **state)
{
    (void)state;
    struct service s;
    make(&s, SHELL("exec sleep 100"));
    service_step(&s, false, stop_timeout_ns);
    assert_int_equal(s.state, SERVICE_WAITING);
    until(&s, running);
    pid_t pid = s.pid;
    stop(&s);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(s.restarts, 0);
    assert_string_equal(s.last_end, "killed by signal 15 (TERM)");
}

static void test_a_crash_loop_backs_off(void **state)
{
    (void)state;
    struct service s;
    make(&s, SHELL("exit 3"));
    until(&s, ended_four_times);
    assert_string_equal(s.last_end, "exit code 3");
    assert_int_equal(s.backoff.attempt, 4);
    s.backoff.max_ns = 100 * NS_PER_S;
    s.backoff.first_ns = 100 * NS_PER_S;
    uint64_t restarts = s.restarts;
    while (s.restarts == restarts)
        step(&s);
    assert_true(s.due_ns > clock_mono_ns() + 5 * NS_PER_S); /* a tenth of the bound at least */
    service_step(&s, true, stop_timeout_ns);
    assert_int_equal(s.state, SERVICE_WAITING);
    stop(&s); /* at once: nothing runs */
}

static void test_a_child_that_does_not_stop_is_killed(void **state)
{
    (void)state;
    struct service s;
    char ready[] = "/tmp/tenantry-service-XXXXXX", script[128];
    close(mkstemp(ready));
    snprintf(script, sizeof(script), "trap '' TERM; rm %s; while :; do sleep 0.01; done", ready);
    make(&s, SHELL(script));
    while (access(ready, F_OK) == 0)
        step(&s);
    uint64_t begun = clock_mono_ns();
    stop_timeout_ns = 300 * NS_PER_MS;
    stop(&s);
    assert_true(clock_mono_ns() - begun >= stop_timeout_ns);
    stop_timeout_ns = PATIENCE_NS;
    assert_string_equal(s.last_end, "killed by signal 9 (KILL)");
}

static void test_a_restart_is_asked_for(void **state)
{
    (void)state;
    struct service s;
    make(&s, SHELL("exec sleep 100"));
    until(&s, running);
    pid_t first = s.pid;
    s.restart = true;
    while (s.pid == first || s.pid == 0)
        step(&s);
    assert_int_equal(s.restarts, 0);
    for (int i = 0; i < 20; i++)
        step(&s);
    assert_true(running(&s) && !s.restart);
    stop(&s);
}

static void test_a_restart_is_not_repeated_for_one_that_ended_meanwhile(void **state)
{
    (void)state;
    struct service s;
    make(&s, SHELL("exec sleep 100"));
    until(&s, running);
    siginfo_t ended;
    kill(s.pid, SIGKILL);
    waitid(P_PID, (id_t)s.pid, &ended, WEXITED | WNOWAIT); /* it is left for the service to reap */
    s.restart = true;
    until(&s, ended_once);
    until(&s, running);
    assert_false(s.restart);
    stop(&s);
}

static void test_a_program_that_is_not_there(void **state)
{
    (void)state;
    struct service s;
    make(&s, (const char *const[]){"/nowhere/at/all", NULL});
    for (int i = 0; i < 20; i++)
        step(&s);
    assert_int_equal(s.state, SERVICE_WAITING);
    assert_true(s.backoff.attempt > 0);
    stop(&s);
}

static void test_wanted_again_while_stopping(void **state)
{
    (void)state;
    struct service s;
    make(&s, SHELL("exec sleep 100"));
    until(&s, running);
    s.wanted = false;
    service_step(&s, true, stop_timeout_ns);
    assert_int_equal(s.state, SERVICE_STOPPING);
    s.wanted = true;
    until(&s, running);
    stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_child_is_started_when_it_may_and_stopped),
        cmocka_unit_test(test_a_crash_loop_backs_off),
        cmocka_unit_test(test_a_child_that_does_not_stop_is_killed),
        cmocka_unit_test(test_a_restart_is_asked_for),
        cmocka_unit_test(test_a_restart_is_not_repeated_for_one_that_ended_meanwhile),
        cmocka_unit_test(test_a_program_that_is_not_there),
        cmocka_unit_test(test_wanted_again_while_stopping),
    };
    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
