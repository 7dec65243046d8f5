/* The counts and latencies that `tenantry send` reports. */
#include "cli/send/send_report.h"
#include "tests/base/unit.h"

#include <string.h>

#define MS 1000000ull

static const struct send_answer acked = {.answered = true, .http_status = 200, .grpc_status = 0};

static void test_latencies_are_told_to_three_percent(void **state)
{
    (void)state;
    static struct send_report r;
    for (uint64_t i = 1; i <= 1000; i++)
        send_report_attempt(&r, &acked, 1, i * MS);
    static const struct {
        int line;
        double p;
        uint64_t wanted_ns;
    } rows[] = {
        {__LINE__, 0, 1 * MS},      {__LINE__, 0.5, 500 * MS}, {__LINE__, 0.9, 900 * MS},
        {__LINE__, 0.99, 990 * MS}, {__LINE__, 1, 1000 * MS},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t found = send_report_latency_ns(&r, rows[i].p);
        check_row(rows[i].line,
                  found >= rows[i].wanted_ns * 97 / 100 && found <= rows[i].wanted_ns * 104 / 100,
                  "%llu ns", (unsigned long long)found);
    }
    assert_int_equal(r.latency_max_ns, 1000 * MS);
}

static void test_any_latency_has_a_cell(void **state)
{
    (void)state;
    static struct send_report r;
    static const uint64_t latencies[] = {0, 1, 31999, 32000, 33000, 1ull << 60};
    for (size_t i = 0; i < COUNT(latencies); i++)
        send_report_attempt(&r, &acked, 1, latencies[i]);
    assert_int_equal(send_report_latency_ns(&r, 0), 0);
    assert_int_equal(send_report_latency_ns(&r, 1), 1ull << 60);
}

/* More kinds than are told apart: the rest are one, and nothing is lost. */
static void test_refusals_are_counted_by_kind(void **state)
{
    (void)state;
    static struct send_report r;
    uint64_t attempts = 0, items = 0;
    for (int round = 0; round < 2; round++) {
        for (int status = 400; status < 400 + SEND_REASONS + 5; status++) {
            struct send_answer a = {.answered = true, .http_status = status};
            a.grpc_status = SEND_NO_GRPC_STATUS;
            send_report_attempt(&r, &a, 10, MS);
        }
    }
    assert_int_equal(r.reason_count, SEND_REASONS);
    for (unsigned i = 0; i < r.reason_count; i++) {
        attempts += r.reasons[i].attempts;
        items += r.reasons[i].items;
    }
    assert_int_equal(attempts, 2 * (SEND_REASONS + 5));
    assert_int_equal(items, 10 * attempts);
    assert_int_equal(r.reasons[0].attempts, 2);
}

static void test_fate_of_items(void **state)
{
    (void)state;
    static struct send_report r = {.items = 30};
    struct send_answer partly = acked, refused = {.answered = true, .http_status = 400};
    partly.rejected = 4;
    refused.grpc_status = SEND_NO_GRPC_STATUS;
    send_report_final(&r, &acked, 10);
    assert_false(send_report_all_acked(&r));
    send_report_final(&r, &partly, 10);
    send_report_final(&r, &refused, 5);
    send_report_final(&r, NULL, 5);
    assert_int_equal(r.acked, 16);
    assert_int_equal(r.rejected, 4);
    assert_int_equal(r.dropped, 10);
    r.items = r.wanted = 16;
    assert_true(send_report_all_acked(&r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latencies_are_told_to_three_percent),
        cmocka_unit_test(test_any_latency_has_a_cell),
        cmocka_unit_test(test_refusals_are_counted_by_kind),
        cmocka_unit_test(test_fate_of_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
