#include "unit.h"

#include "base/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const struct metric requests = {
    "test_requests_total", METRIC_COUNTER, "Requests.", {"tenant", "signal"}};
static const struct metric memory = {"test_memory_bytes", METRIC_GAUGE, "Memory.", {NULL}};
static const struct metric latency = {
    "test_latency_seconds", METRIC_HISTOGRAM, "Time.", {"tenant"}};

static struct metric_series *request_series(const char *tenant, const char *signal)
{
    return metric_series(&requests, (const char *const[]){tenant, signal});
}

static void check_page(int line, const char *part, bool wanted)
{
    struct buf out = BUF_INIT;
    metrics_write(&out);
    check_row(line, (strstr(buf_cstr(&out), part) != NULL) == wanted, "%s in\n%s", part,
              buf_cstr(&out));
    buf_release(&out);
}

static void test_text(void **state)
{
    (void)state;
    metric_add(request_series("acme", "logs"), 3);
    metric_add(request_series("acme", "logs"), 4);
    metric_add(request_series("q\"b\\n\nx\xC3\xA9\xFF", "traces"), 1);
    metric_set(metric_series(&memory, NULL), 1.5);
    struct metric_series *h = metric_series(&latency, (const char *const[]){"acme"});
    metric_observe(h, 0.0005);
    metric_observe(h, 0.002);
    metric_observe(h, 1); /* a bound is part of its bucket */
    metric_observe(h, 100);
    metric_observe(h, NAN);
    static const struct {
        int line;
        const char *part;
    } rows[] = {
        {__LINE__, "# HELP test_requests_total Requests.\n# TYPE test_requests_total counter\n"},
        {__LINE__, "test_requests_total{tenant=\"acme\",signal=\"logs\"} 7\n"},
        {__LINE__, "{tenant=\"q\\\"b\\\\n\\nx\xC3\xA9\xEF\xBF\xBD\",signal=\"traces\"} 1\n"},
        {__LINE__, "# TYPE test_memory_bytes gauge\ntest_memory_bytes 1.5\n"},
        {__LINE__, "test_latency_seconds_bucket{tenant=\"acme\",le=\"0.001\"} 2\n"},
        {__LINE__, "test_latency_seconds_bucket{tenant=\"acme\",le=\"0.0025\"} 3\n"},
        {__LINE__, "test_latency_seconds_bucket{tenant=\"acme\",le=\"0.5\"} 3\n"},
        {__LINE__, "test_latency_seconds_bucket{tenant=\"acme\",le=\"1\"} 4\n"},
        {__LINE__, "test_latency_seconds_bucket{tenant=\"acme\",le=\"+Inf\"} 5\n"},
        {__LINE__, "test_latency_seconds_sum{tenant=\"acme\"} 101.0025\n"},
        {__LINE__, "test_latency_seconds_count{tenant=\"acme\"} 5\n"},
        {__LINE__, "\ntenantry_metric_series_refused_total 0\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        check_page(rows[i].line, rows[i].part, true);
    assert_int_equal(metric_read(request_series("acme", "logs")), 7);
    assert_int_equal(metric_read(h), 5);
    metric_set(metric_series(&memory, NULL), -INFINITY);
    check_page(__LINE__, "test_memory_bytes -Inf\n", true);
    assert_int_equal(metric_read(metric_series(&memory, NULL)), 0);
}

static void test_forget(void **state)
{
    (void)state;
    struct metric_series *s = request_series("gone", "logs");
    metric_add(s, 2);
    metrics_forget("signal", "gone");
    check_page(__LINE__, "gone", true);
    metrics_forget("tenant", "gone");
    check_page(__LINE__, "gone", false);
    metric_add(s, 1); /* a late one is not shown */
    check_page(__LINE__, "gone", false);
    assert_ptr_equal(request_series("gone", "logs"), s);
    check_page(__LINE__, "{tenant=\"gone\",signal=\"logs\"} 0\n", true);
    metric_add(s, 1);
    assert_ptr_equal(request_series("gone", "logs"), s);
    check_page(__LINE__, "{tenant=\"gone\",signal=\"logs\"} 1\n", true);
}

enum { THREADS = 12, ROUNDS = 20000 }; /* more threads than shards */

static void *hammer(void *arg)
{
    struct metric_series *h = metric_series(&latency, (const char *const[]){"busy"});
    for (int i = 0; i < ROUNDS; i++) {
        char tenant[16];
        snprintf(tenant, sizeof(tenant), "t%d", i % 50);
        metric_add(i % 100 ? request_series("busy", "logs") : request_series(tenant, arg), 1);
        metric_observe(h, 0.001);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, hammer, (void *)(i % 2 ? "logs" : "traces")), 0);
    for (int i = 0; i < 20; i++) {
        struct buf out = BUF_INIT;
        metrics_write(&out);
        buf_release(&out);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(metric_read(request_series("busy", "logs")), THREADS * ROUNDS / 100 * 99);
    struct metric_series *h = metric_series(&latency, (const char *const[]){"busy"});
    assert_int_equal(metric_read(h), THREADS * ROUNDS);
}

static void test_ceiling(void **state)
{
    (void)state;
    char tenant[16];
    for (int i = 0; i < METRICS_MAX_SERIES; i++) {
        snprintf(tenant, sizeof(tenant), "c%d", i);
        metric_add(request_series(tenant, "logs"), 1);
    }
    struct metric_series *a = request_series("late", "logs"), *b = request_series("later", "logs");
    assert_ptr_equal(a, b);
    metric_add(a, 1);
    metric_observe(metric_series(&latency, (const char *const[]){"late"}), 1);
    assert_int_equal(metric_read(request_series("acme", "logs")), 7);
    check_page(__LINE__, "\"late\"", false);
    check_page(__LINE__, "\ntenantry_metric_series_refused_total 0\n", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
