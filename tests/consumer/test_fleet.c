/* How far a partition is behind, by what was told of it; and the page. */
#include "consumer/supervise/positions.h"

#include "../base/unit.h"

#include <stdlib.h>
#include <unistd.h>

#define NOW 100000 /* ms */

struct row {
    int line;
    int64_t low, high, committed, first_offset, first_ms;
    uint64_t seen_records, seen_bytes;
    struct fleet_lag lag;
};

static const struct row rows[] = {
    /* all is committed */
    {__LINE__, 0, 9, 9, -1, -1, 0, 0, {0, 0, 0}},
    {__LINE__, 0, 0, -1, -1, -1, 0, 0, {0, 0, 0}},
    /* three wait, the first for 40 s, of 50 bytes each */
    {__LINE__, 0, 9, 6, 6, 60000, 4, 200, {3, 150, 40}},
    /* a first record of the future waits since now */
    {__LINE__, 0, 9, 6, 6, NOW + 5000, 1, 10, {3, 30, 0}},
    /* its time is not known yet, or that of another record */
    {__LINE__, 0, 9, 6, -1, -1, 0, 0, {3, -1, -1}},
    {__LINE__, 0, 9, 6, 5, 60000, 1, 10, {3, 30, -1}},
    /* marks of transactions alone */
    {__LINE__, 0, 9, 6, 6, -1, 0, 0, {0, 0, 0}},
    /* nothing was ever committed, or it expired, or it is of another log: from the start */
    {__LINE__, 2, 9, -1, 2, 99000, 1, 10, {7, 70, 1}},
    {__LINE__, 5, 9, 3, 5, 99000, 1, 10, {4, 40, 1}},
    {__LINE__, 5, 9, 12, 5, 99000, 1, 10, {4, 40, 1}},
};

static struct fleet_unit unit_of(const struct row *r)
{
    return (struct fleet_unit){.tenant = "a",
                               .topic = "otlp.a.logs",
                               .signal = SIGNAL_LOGS,
                               .measured = true,
                               .low = r->low,
                               .high = r->high,
                               .committed = r->committed,
                               .first_offset = r->first_offset,
                               .first_ms = r->first_ms,
                               .seen_records = r->seen_records,
                               .seen_bytes = r->seen_bytes};
}

static void test_lag(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *r = &rows[i];
        struct fleet_unit u = unit_of(r);
        struct fleet_lag lag = fleet_lag(&u, NOW);
        check_row(r->line,
                  lag.records == r->lag.records && lag.bytes == r->lag.bytes &&
                      lag.seconds == r->lag.seconds,
                  "%llu records, %g bytes, %g s", (unsigned long long)lag.records, lag.bytes,
                  lag.seconds);
    }
}

/* What workers tell; of several the one that is ahead, nothing of one that is loading or gone. */
static void test_positions(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *units; /* of a living worker, or of none */
        bool alive;
        int64_t next; /* of partition 1 of the logs */
        bool placed;
    } files[] = {
#define UNIT(topic, partition, state, next)                                                        \
    "{\"topic\":\"" topic "\",\"partition\":" partition ",\"state\":\"" state "\",\"next\":" next  \
    "}"
        {__LINE__, UNIT("otlp.a.logs", "1", "running", "7"), true, 7, true},
        {__LINE__, UNIT("otlp.a.logs", "1", "parked", "3"), true, 3, true},
        {__LINE__, UNIT("otlp.a.logs", "1", "running", "0"), true, 0, true},
        {__LINE__, UNIT("otlp.a.logs", "1", "loading", "7"), true, 5, false},
        {__LINE__, UNIT("otlp.a.logs", "1", "running", "7"), false, 5, false},
        {__LINE__, UNIT("otlp.a.logs", "0", "running", "7"), true, 5, false},
        {__LINE__, UNIT("otlp.b.logs", "1", "running", "7"), true, 5, false},
        {__LINE__,
         UNIT("otlp.a.logs", "1", "running", "9") "," UNIT("otlp.a.logs", "1", "running", "7"),
         true, 9, true},
        {__LINE__, "3", true, 5, false},
    };
    struct tenant tenant = {.id = "a"};
    for (int g = 0; g < SIGNAL_COUNT; g++)
        tenant.topic[g] = g == SIGNAL_LOGS ? "otlp.a.logs" : "otlp.a.x";
    struct snapshot s = {.tenants = &tenant, .n_tenants = 1};
    for (size_t i = 0; i < COUNT(files); i++) {
        struct fleet_unit units[] = {
            {.tenant = "a", .signal = SIGNAL_LOGS, .partition = 0, .committed = 5},
            {.tenant = "a", .signal = SIGNAL_LOGS, .partition = 1, .committed = 5},
            {.tenant = "c", .signal = SIGNAL_LOGS, .partition = 1, .committed = 5},
        };
        struct fleet f = {.units = units, .n = COUNT(units)};
        struct buf json = BUF_INIT;
        buf_printf(&json, "{\"tenant\":\"a\",\"pid\":%d,\"units\":[%s]}",
                   files[i].alive ? getpid() : -1, files[i].units);
        check_row(files[i].line, positions_of_worker(&f, &s, buf_slice(&json)) == files[i].alive,
                  "alive");
        check_row(files[i].line,
                  units[1].committed == files[i].next && units[1].placed == files[i].placed, "%lld",
                  (long long)units[1].committed);
        assert_int_equal(units[2].committed, 5);
        assert_ptr_equal(fleet_first(&f, "a"), &units[0]);
        assert_ptr_equal(fleet_after(&f, &units[0]), &units[1]);
        assert_null(fleet_after(&f, &units[1]));
        assert_null(fleet_first(&f, "b"));
        buf_release(&json);
    }
}

static void test_page(void **state)
{
    (void)state;
    static const struct row behind = {__LINE__, 0, 9, 6, 6, 60000, 1, 50, {0}};
    struct tenant_conf conf = {.topics = {.retention = 80000000000u}};
    struct tenant tenant = {.id = "a", .conf = &conf};
    struct snapshot s = {.tenants = &tenant, .n_tenants = 1};
    struct fleet_unit units[] = {unit_of(&behind), unit_of(&behind), unit_of(&behind)};
    units[1].partition = 1;
    units[1].first_ms = 90000;
    units[2].partition = 2;
    units[2].measured = false; /* it has no leader since the start */
    struct fleet f = {.units = units, .n = COUNT(units), .reachable = true};
    f.cluster = (struct cluster_view){.id = "x", .n_brokers = 3, .ours = {.leaderless = 1}};
    struct buf out = BUF_INIT;
    fleet_page(&f, &s, NOW, &out);
    static const char *const lines[] = {
        "tenantry_lag_records{tenant=\"a\",signal=\"logs\",partition=\"0\"} 3\n",
        "tenantry_lag_bytes{tenant=\"a\",signal=\"logs\",partition=\"0\"} 150\n",
        "tenantry_lag_seconds{tenant=\"a\",signal=\"logs\",partition=\"0\"} 40\n",
        "tenantry_lag_seconds{tenant=\"a\",signal=\"logs\",partition=\"1\"} 10\n",
        "tenantry_lag_retention_ratio{tenant=\"a\",signal=\"logs\"} 0.5\n",
        "tenantry_produced_records_total{tenant=\"a\",signal=\"logs\"} 18\n",
        "tenantry_consumed_records_total{tenant=\"a\",signal=\"logs\"} 12\n",
        "tenantry_cluster_brokers{cluster=\"x\"} 3\n",
        "tenantry_cluster_leaderless_partitions{cluster=\"x\"} 1\n",
        "# TYPE tenantry_lag_seconds gauge\n",
    };
    for (size_t i = 0; i < COUNT(lines); i++)
        if (strstr(buf_cstr(&out), lines[i]) == NULL)
            fail_msg("%s is not in %s", lines[i], buf_cstr(&out));
    assert_null(strstr(buf_cstr(&out), "partition=\"2\""));
    buf_clear(&out);
    fleet_json(&f, &s, NOW, &out);
    assert_string_equal(
        buf_cstr(&out),
        "{\"written_at_ms\":100000,\"cluster\":{\"id\":\"x\",\"reachable\":true,\"looked_at_ms\":0,"
        "\"brokers\":3,\"brokers_gone\":0,\"leaderless_partitions\":1,"
        "\"under_replicated_partitions\":0,\"missing_topics\":0},\"tenants\":{\"a\":{\"logs\":{"
        "\"lag_records\":6,\"lag_bytes\":300,\"lag_seconds\":40.000,\"retention_ratio\":0.500000,"
        "\"produced_records\":18,\"consumed_records\":12}}}}\n");
    buf_release(&out);
}

/* Thousands of tenants: one line for a tenant's signal, not one for each partition. */
static void test_large_page(void **state)
{
    (void)state;
    static const struct row behind = {__LINE__, 0, 9, 6, 6, 60000, 1, 50, {0}};
    struct snapshot s = {0};
    struct fleet f = {.n = FLEET_MOST_UNITS + 1};
    f.units = calloc(f.n, sizeof(*f.units));
    for (size_t i = 0; i < f.n; i++) {
        f.units[i] = unit_of(&behind);
        f.units[i].partition = (int32_t)i;
    }
    struct buf out = BUF_INIT;
    fleet_page(&f, &s, NOW, &out);
    assert_non_null(strstr(buf_cstr(&out), "tenantry_lag_records{tenant=\"a\",signal=\"logs\","
                                           "partition=\"all\"} 60003\n"));
    assert_null(strstr(buf_cstr(&out), "partition=\"0\""));
    assert_true(out.len < 5000);
    buf_release(&out);
    free(f.units);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lag),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_page),
        cmocka_unit_test(test_large_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
