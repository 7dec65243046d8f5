/* What a worker counts of its records, and the books' check that has to say a thing twice. */
#include "consumer/flow.h"

#include "../base/unit.h"
#include "base/clock.h"
#include "consumer/supervise/books.h"

#define NOW (1000 * NS_PER_S)

struct row {
    int line;
    uint64_t received_ns;
    enum record_fate fate;
    int bucket; /* -1 = not observed */
};

static const struct row rows[] = {
    {__LINE__, NOW, RECORD_GOOD, 0},
    {__LINE__, NOW + NS_PER_S, RECORD_GOOD, 0}, /* the router's clock is ahead */
    {__LINE__, NOW - 100 * NS_PER_MS, RECORD_GOOD, 0},
    {__LINE__, NOW - 101 * NS_PER_MS, RECORD_GOOD, 1},
    {__LINE__, NOW - 4 * NS_PER_S, RECORD_GOOD, 5},
    {__LINE__, NOW - 999 * NS_PER_S, RECORD_GOOD, 10},
    {__LINE__, 0, RECORD_GOOD, -1}, /* a foreign record without the header */
    {__LINE__, NOW, RECORD_DEAD, -1},
};

static void test_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct flow f = {0};
        rd_kafka_message_t m = {.len = 70};
        struct batch_unit unit = {.signal = SIGNAL_LOGS};
        struct batch_record r = {
            .items = 3, .fate = rows[i].fate, .received_ns = rows[i].received_ns, .message = &m};
        struct batch b = {.records = &r, .n_records = 1, .units = &unit, .n_units = 1};
        flow_written(&f, &b, NOW);
        const struct flow_signal *s = &f.of[SIGNAL_LOGS];
        bool dead = rows[i].fate == RECORD_DEAD;
        for (int k = 0; k <= FLOW_BUCKET_COUNT; k++)
            check_row(rows[i].line, s->latency[k] == (k == rows[i].bucket), "bucket %d", k);
        check_row(rows[i].line, s->written_records == !dead, "records");
        check_row(rows[i].line, s->written_items == (dead ? 0 : 3), "items");
        check_row(rows[i].line, s->written_bytes == (dead ? 0 : 70), "bytes");
    }
}

static void test_metrics(void **state)
{
    (void)state;
    struct flow f = {0};
    struct buf out = BUF_INIT;
    flow_read(&f, SIGNAL_TRACES, 100);
    flow_read(&f, SIGNAL_TRACES, 50);
    assert_float_equal(flow_mean_bytes(&f, SIGNAL_TRACES), 75, 0);
    assert_float_equal(flow_mean_bytes(&f, SIGNAL_LOGS), 0, 0);
    f.of[SIGNAL_TRACES].latency[1] = 2;
    f.of[SIGNAL_TRACES].latency[FLOW_BUCKET_COUNT] = 1;
    assert_float_equal(flow_latency(&f, SIGNAL_TRACES, 0.5), 0.25, 0);
    assert_float_equal(flow_latency(&f, SIGNAL_TRACES, 0.99), -1, 0); /* above all bounds */
    assert_float_equal(flow_latency(&f, SIGNAL_LOGS, 0.5), -1, 0);
    flow_metrics(&f, "a", "main", &out);
    static const char *const lines[] = {
        "tenantry_consumer_read_bytes_total{tenant=\"a\",worker=\"main\",signal=\"traces\"} 150\n",
        "signal=\"traces\",le=\"0.1\"} 0\n",
        "signal=\"traces\",le=\"0.25\"} 2\n",
        "signal=\"traces\",le=\"10800\"} 2\n",
        "signal=\"traces\",le=\"+Inf\"} 3\n",
        "_latency_seconds_count{tenant=\"a\",worker=\"main\",signal=\"traces\"} 3\n",
    };
    for (size_t i = 0; i < COUNT(lines); i++)
        if (strstr(buf_cstr(&out), lines[i]) == NULL)
            fail_msg("%s is not in %s", lines[i], buf_cstr(&out));
    assert_null(strstr(buf_cstr(&out), "signal=\"logs\""));
    buf_release(&out);
}

/* One finding may be of a moment; twice in a row it counts, and goes at once. */
static void test_books(void **state)
{
    (void)state;
    static const struct {
        int line;
        uint64_t found, told;
        bool changed;
    } steps[] = {
        {__LINE__, 0, 0, false}, {__LINE__, 2, 0, false}, {__LINE__, 0, 0, false},
        {__LINE__, 1, 0, false}, {__LINE__, 2, 2, true},  {__LINE__, 2, 2, false},
        {__LINE__, 3, 3, true},  {__LINE__, 0, 0, true},  {__LINE__, 1, 0, false},
    };
    struct book_check c = {0};
    for (size_t i = 0; i < COUNT(steps); i++) {
        bool changed = book_note(&c, steps[i].found, i + 1);
        check_row(steps[i].line, changed == steps[i].changed && c.findings == steps[i].told,
                  "%d %llu", changed, (unsigned long long)c.findings);
    }
    assert_int_equal(c.checked_ms, COUNT(steps) - 1); /* the last one is not a result yet */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
