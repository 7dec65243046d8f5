#include "otlp/row_json.h"

#include "tests/base/unit.h"

static const struct attrs none;

static void check(enum table table, const struct cell *cells, const char *expected)
{
    struct buf out = BUF_INIT;
    row_json(&out, table, cells);
    assert_string_equal(buf_cstr(&out), expected);
    buf_release(&out);
}

static void test_log(void **state)
{
    (void)state;
    struct attr attr = {SLICE_LIT("k"), SLICE_LIT("\x0a\x01v")}; /* string_value "v" */
    struct attrs attrs = {1, &attr};
    struct cell cells[LOGS_COLUMN_COUNT] = {0};
    cells[LOGS_RESOURCE_ATTRS].attrs = &none;
    cells[LOGS_SCOPE_ATTRS].attrs = &none;
    cells[LOGS_LOG_ATTRS].attrs = &none;
    check(TABLE_LOGS, cells, "{}");
    cells[LOGS_TIMESTAMP].u64 = 17;
    cells[LOGS_TRACE_ID].text = SLICE_LIT("\x01\xab");
    cells[LOGS_BODY].text = SLICE_LIT("a \"b\"");
    cells[LOGS_LOG_ATTRS].attrs = &attrs;
    check(TABLE_LOGS, cells,
          "{\"Timestamp\":17,\"TraceId\":\"01ab\",\"Body\":\"a \\\"b\\\"\","
          "\"LogAttributes\":{\"k\":\"v\"}}");
}

static void test_metric(void **state)
{
    (void)state;
    struct number numbers[] = {{.is_int = true, .i64 = -3}, {.f64 = 0.5}};
    struct slice ids[] = {SLICE_LIT("\xff"), SLICE_LIT("")};
    const struct attrs *lists[] = {&none};
    struct cell cells[SUM_COLUMN_COUNT] = {0};
    for (size_t i = 0; i < SUM_COLUMN_COUNT; i++)
        if (table_info[TABLE_SUM].columns[i].type == COL_ATTRS)
            cells[i].attrs = &none;
    cells[SUM_VALUE].null = true;
    check(TABLE_SUM, cells, "{}");
    cells[SUM_VALUE] = (struct cell){.number = {.is_int = true, .i64 = INT64_MIN}};
    cells[SUM_MONOTONIC].u64 = 1;
    cells[SUM_TEMPORALITY].i64 = 2;
    cells[SUM_EX_VALUES].list.n = 2;
    cells[SUM_EX_VALUES].list.number = numbers;
    cells[SUM_EX_SPAN_IDS].list.n = 2;
    cells[SUM_EX_SPAN_IDS].list.text = ids;
    cells[SUM_EX_ATTRS].list.n = 1;
    cells[SUM_EX_ATTRS].list.attrs = lists;
    check(TABLE_SUM, cells,
          "{\"Value\":-9223372036854775808,\"Exemplars.FilteredAttributes\":[{}],"
          "\"Exemplars.Value\":[-3,0.5],\"Exemplars.SpanId\":[\"ff\",\"\"],"
          "\"AggregationTemporality\":2,\"IsMonotonic\":true}");
}

static void test_histogram(void **state)
{
    (void)state;
    const uint64_t counts[] = {1, UINT64_MAX};
    const double bounds[] = {0.25};
    struct cell cells[HISTOGRAM_COLUMN_COUNT] = {0};
    for (size_t i = 0; i < HISTOGRAM_COLUMN_COUNT; i++) {
        enum column_type type = table_info[TABLE_HISTOGRAM].columns[i].type;
        if (type == COL_ATTRS)
            cells[i].attrs = &none;
        cells[i].null = type == COL_F64;
    }
    cells[HISTOGRAM_SUM] = (struct cell){.f64 = 0};
    cells[HISTOGRAM_BUCKET_COUNTS].list.n = 2;
    cells[HISTOGRAM_BUCKET_COUNTS].list.u64 = counts;
    cells[HISTOGRAM_BOUNDS].list.n = 1;
    cells[HISTOGRAM_BOUNDS].list.f64 = bounds;
    struct buf out = BUF_INIT;
    row_json(&out, TABLE_HISTOGRAM, cells);
    assert_non_null(strstr(buf_cstr(&out), "\"Sum\":0,\"BucketCounts\":[1,18446744073709551615],"
                                           "\"ExplicitBounds\":[0.25]}"));
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_metric),
        cmocka_unit_test(test_histogram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
