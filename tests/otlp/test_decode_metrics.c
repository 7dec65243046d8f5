#include "tests/otlp/rows.h"

#include <math.h>

enum { NAME = 1, DESCRIPTION = 2, UNIT = 3 };
enum { GAUGE = 5, SUM = 7, HISTOGRAM = 9, EXP_HISTOGRAM = 10, SUMMARY = 11 };
enum { POINTS = 1, TEMPORALITY = 2, MONOTONIC = 3 };
/* NumberDataPoint, SummaryDataPoint and HistogramDataPoint begin alike. */
enum { START = 2, TIME = 3, AS_DOUBLE = 4, AS_INT = 6 };

#define POINT(b, kind)                                                                             \
    ITEM (b)                                                                                       \
        MESSAGE (b, kind)                                                                          \
            MESSAGE (b, POINTS)

#define COMMON_FULL                                                                                \
    "ResourceAttributes {\"service.name\":\"shop\"}\n"                                             \
    "ResourceSchemaUrl \"https://r\"\n"                                                            \
    "ScopeName \"lib\"\n"                                                                          \
    "ScopeVersion \"1.2\"\n"                                                                       \
    "ScopeAttributes {\"s\":\"t\"}\n"                                                              \
    "ScopeDroppedAttrCount 7\n"                                                                    \
    "ScopeSchemaUrl \"https://s\"\n"                                                               \
    "ServiceName \"shop\"\n"                                                                       \
    "MetricName \"m\"\n"                                                                           \
    "MetricDescription \"about\"\n"                                                                \
    "MetricUnit \"By\"\n"                                                                          \
    "Attributes {\"a\":\"1\",\"b\":\"2\"}\n"                                                       \
    "StartTimeUnix 10\n"                                                                           \
    "TimeUnix 20\n"

#define COMMON_ABSENT                                                                              \
    "ResourceAttributes {}\nResourceSchemaUrl \"\"\nScopeName \"\"\nScopeVersion \"\"\n"           \
    "ScopeAttributes {}\nScopeDroppedAttrCount 0\nScopeSchemaUrl \"\"\nServiceName \"\"\n"         \
    "MetricName \"\"\nMetricDescription \"\"\nMetricUnit \"\"\nAttributes {}\n"                    \
    "StartTimeUnix 0\nTimeUnix 99\n"

#define EXEMPLARS_FULL                                                                             \
    "Exemplars.FilteredAttributes [{\"e\":\"f\"},{},{}]\n"                                         \
    "Exemplars.TimeUnix [15,0,0]\n"                                                                \
    "Exemplars.Value [0.5,int -3,0]\n"                                                             \
    "Exemplars.SpanId [0102030405060708,,]\n"                                                      \
    "Exemplars.TraceId [0102030405060708090a0b0c0d0e0f10,,]\n"

#define EXEMPLARS_ABSENT                                                                           \
    "Exemplars.FilteredAttributes []\nExemplars.TimeUnix []\nExemplars.Value []\n"                 \
    "Exemplars.SpanId []\nExemplars.TraceId []\n"

static void put_exemplars(struct buf *b, uint32_t number)
{
    static const char id16[] = "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10";
    MESSAGE (b, number) {
        put_fixed64(b, 2, 15);
        put_double(b, 3, 0.5);
        put_bytes(b, 4, slice_of(id16, 8));
        put_bytes(b, 5, slice_of(id16, 16));
        put_attr(b, 7, "e", "f");
    }
    MESSAGE (b, number) {
        put_double(b, 3, 0.5);
        put_fixed64(b, 6, (uint64_t)-3);
    }
    MESSAGE (b, number) {
    }
}

static void put_attrs(struct buf *b, uint32_t number)
{
    put_attr(b, number, "b", "2");
    put_attr(b, number, "a", "1");
}

static void put_packed(struct buf *b, uint32_t number, const uint64_t *at, size_t n)
{
    MESSAGE (b, number)
        for (size_t i = 0; i < n; i++)
            put_raw_fixed64(b, at[i]);
}

static void put_number_point(struct buf *b)
{
    put_attrs(b, 7);
    put_fixed64(b, START, 10);
    put_fixed64(b, TIME, 20);
    put_exemplars(b, 5);
    put_fixed64(b, AS_INT, (uint64_t)INT64_MIN);
    put_varint(b, 8, UINT32_MAX);
}

static void put_histogram_point(struct buf *b)
{
    const uint64_t counts[] = {0, UINT64_MAX};
    const uint64_t bounds[] = {double_bits(-0.0), double_bits(INFINITY)};
    put_fixed64(b, START, 10);
    put_fixed64(b, TIME, 20);
    put_fixed64(b, 4, UINT64_MAX);
    put_double(b, 5, 1.5);
    put_packed(b, 6, counts, 2);
    put_packed(b, 7, bounds, 2);
    put_exemplars(b, 8);
    put_attrs(b, 9);
    put_varint(b, 10, 1);
    put_double(b, 11, -1);
    put_double(b, 12, NAN);
}

static void put_buckets(struct buf *b, uint32_t number, uint64_t offset, uint64_t first)
{
    MESSAGE (b, number) {
        put_varint(b, 1, offset);
        MESSAGE (b, 2) {
            put_raw_varint(b, first);
            put_raw_varint(b, UINT64_MAX);
        }
    }
}

static void put_exp_histogram_point(struct buf *b)
{
    put_attrs(b, 1);
    put_fixed64(b, START, 10);
    put_fixed64(b, TIME, 20);
    put_fixed64(b, 4, 6);
    put_double(b, 5, 1.5);
    put_varint(b, 6, 3); /* zigzag: -2 */
    put_fixed64(b, 7, 4);
    put_buckets(b, 8, UINT32_MAX, 300); /* zigzag: INT32_MIN */
    put_buckets(b, 9, 4, 1);
    put_varint(b, 10, 1);
    put_exemplars(b, 11);
    put_double(b, 12, 0.25);
    put_double(b, 13, 4);
    put_double(b, 14, 1e-9);
}

static void put_summary_point(struct buf *b)
{
    put_fixed64(b, START, 10);
    put_fixed64(b, TIME, 20);
    put_fixed64(b, 4, 6);
    put_double(b, 5, -INFINITY);
    MESSAGE (b, 6) {
        put_double(b, 1, 0.5);
        put_double(b, 2, 7);
    }
    MESSAGE (b, 6) {
    }
    put_attrs(b, 7);
    put_varint(b, 8, 1);
}

/* A metric of one point with all that stands above it. */
static void check_full(uint32_t kind, void (*put_point)(struct buf *b), enum table table,
                       const char *expected)
{
    struct buf b = BUF_INIT;
    MESSAGE (&b, 1) {
        MESSAGE (&b, 2) {
            MESSAGE (&b, 2) {
                MESSAGE (&b, kind) {
                    MESSAGE (&b, POINTS)
                        put_point(&b);
                    if (kind != GAUGE && kind != SUMMARY)
                        put_varint(&b, TEMPORALITY, 2);
                    if (kind == SUM)
                        put_varint(&b, MONOTONIC, 1);
                }
                put_text(&b, NAME, "m");
                put_text(&b, DESCRIPTION, "about");
                put_text(&b, UNIT, "By");
                put_attr(&b, 12, "metadata", "x");
            }
            put_text(&b, 3, "https://s");
            MESSAGE (&b, 1) {
                put_text(&b, 1, "lib");
                put_text(&b, 2, "1.2");
                put_attr(&b, 3, "s", "t");
                put_varint(&b, 4, 7);
            }
        }
        put_text(&b, 3, "https://r");
        MESSAGE (&b, 1)
            put_attr(&b, 1, "service.name", "shop");
    }
    check_only_row(&b, table, expected);
}

static void check_absent(uint32_t kind, enum table table, const char *expected)
{
    struct buf b = BUF_INIT;
    POINT (&b, kind) {
    }
    check_only_row(&b, table, expected);
}

static void test_gauge(void **state)
{
    (void)state;
    check_full(GAUGE, put_number_point, TABLE_GAUGE,
               COMMON_FULL "Value int -9223372036854775808\nFlags 4294967295\n" EXEMPLARS_FULL);
    check_absent(GAUGE, TABLE_GAUGE, COMMON_ABSENT "Value null\nFlags 0\n" EXEMPLARS_ABSENT);
}

static void test_sum(void **state)
{
    (void)state;
    check_full(SUM, put_number_point, TABLE_SUM,
               COMMON_FULL "Value int -9223372036854775808\nFlags 4294967295\n" EXEMPLARS_FULL
                           "AggregationTemporality 2\nIsMonotonic 1\n");
    check_absent(SUM, TABLE_SUM,
                 COMMON_ABSENT "Value null\nFlags 0\n" EXEMPLARS_ABSENT
                               "AggregationTemporality 0\nIsMonotonic 0\n");
}

static void test_histogram(void **state)
{
    (void)state;
    check_full(HISTOGRAM, put_histogram_point, TABLE_HISTOGRAM,
               COMMON_FULL "Count 18446744073709551615\nSum 1.5\n"
                           "BucketCounts [0,18446744073709551615]\n"
                           "ExplicitBounds [-0,\"Infinity\"]\n" EXEMPLARS_FULL
                           "Flags 1\nMin -1\nMax \"NaN\"\nAggregationTemporality 2\n");
    check_absent(HISTOGRAM, TABLE_HISTOGRAM,
                 COMMON_ABSENT
                 "Count 0\nSum null\nBucketCounts []\nExplicitBounds []\n" EXEMPLARS_ABSENT
                 "Flags 0\nMin null\nMax null\nAggregationTemporality 0\n");
}

/* R221 */
static void test_exp_histogram(void **state)
{
    (void)state;
    check_full(EXP_HISTOGRAM, put_exp_histogram_point, TABLE_EXP_HISTOGRAM,
               COMMON_FULL
               "Count 6\nSum 1.5\nScale -2\nZeroCount 4\n"
               "PositiveOffset -2147483648\n"
               "PositiveBucketCounts [300,18446744073709551615]\n"
               "NegativeOffset 2\nNegativeBucketCounts [1,18446744073709551615]\n" EXEMPLARS_FULL
               "Flags 1\nMin 0.25\nMax 4\nAggregationTemporality 2\n");
    check_absent(EXP_HISTOGRAM, TABLE_EXP_HISTOGRAM,
                 COMMON_ABSENT "Count 0\nSum null\nScale 0\nZeroCount 0\nPositiveOffset 0\n"
                               "PositiveBucketCounts []\nNegativeOffset 0\n"
                               "NegativeBucketCounts []\n" EXEMPLARS_ABSENT
                               "Flags 0\nMin null\nMax null\nAggregationTemporality 0\n");
}

static void test_summary(void **state)
{
    (void)state;
    check_full(SUMMARY, put_summary_point, TABLE_SUMMARY,
               COMMON_FULL "Count 6\nSum \"-Infinity\"\nValueAtQuantiles.Quantile [0.5,0]\n"
                           "ValueAtQuantiles.Value [7,0]\nFlags 1\n");
    check_absent(SUMMARY, TABLE_SUMMARY,
                 COMMON_ABSENT "Count 0\nSum 0\nValueAtQuantiles.Quantile []\n"
                               "ValueAtQuantiles.Value []\nFlags 0\n");
}

/* R224: present and 0 is not absent. */
static void test_optional_zero(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct rows r = {0};
    POINT (&b, HISTOGRAM) {
        put_double(&b, 5, 0);
        put_double(&b, 11, -0.0);
    }
    rows_decode(&r, SIGNAL_METRICS, &b);
    check_line(&r, 0, "Sum 0");
    check_line(&r, 0, "Min -0");
    check_line(&r, 0, "Max null");
    rows_release(&r);
    buf_release(&b);
}

static void test_values(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    POINT (&b, GAUGE)
        put_double(&b, AS_DOUBLE, NAN);
    check_column(&b, SIGNAL_METRICS, "Value \"NaN\"");
    POINT (&b, GAUGE) {
        put_fixed64(&b, AS_INT, 1);
        put_double(&b, AS_DOUBLE, -0.0);
    }
    check_column(&b, SIGNAL_METRICS, "Value -0");
    POINT (&b, GAUGE) {
        put_double(&b, AS_DOUBLE, 0.5);
        put_fixed64(&b, AS_INT, INT64_MAX);
    }
    check_column(&b, SIGNAL_METRICS, "Value int 9223372036854775807");
    POINT (&b, GAUGE)
        put_fixed64(&b, TIME, UINT64_MAX);
    check_column(&b, SIGNAL_METRICS, "TimeUnix 9223372036854775807");
}

/* R219 */
static void test_packed_and_unpacked_mix(void **state)
{
    (void)state;
    const uint64_t more[] = {2, 3};
    struct buf b = BUF_INIT;
    struct rows r = {0};
    POINT (&b, HISTOGRAM) {
        put_fixed64(&b, 6, 1);
        put_double(&b, 7, 0.5);
        put_packed(&b, 6, more, 2);
        put_packed(&b, 6, NULL, 0);
        put_fixed64(&b, 6, 4);
        put_double(&b, 7, 1.5);
    }
    ITEM (&b)
        MESSAGE (&b, EXP_HISTOGRAM)
            MESSAGE (&b, POINTS) {
                MESSAGE (&b, 8) {
                    put_varint(&b, 2, 500);
                    put_text(&b, 2, "\x81\x01\x7f");
                }
                MESSAGE (&b, 8) {
                    put_varint(&b, 2, 7);
                    put_varint(&b, 1, 2);
                }
            }
    rows_decode(&r, SIGNAL_METRICS, &b);
    check_line(&r, 0, "BucketCounts [1,2,3,4]");
    check_line(&r, 0, "ExplicitBounds [0.5,1.5]");
    check_line(&r, 1, "PositiveBucketCounts [500,129,127,7]");
    check_line(&r, 1, "PositiveOffset 1");
    rows_release(&r);
    buf_release(&b);
}

static void put_int_point(struct buf *b, uint64_t n)
{
    MESSAGE (b, POINTS)
        put_fixed64(b, AS_INT, n);
}

/* R217, R218: the last member of the oneof counts; repeated, it is merged. */
static void test_merging(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct rows r = {0};
    ITEM (&b) {
        MESSAGE (&b, SUM)
            put_int_point(&b, 1);
        MESSAGE (&b, GAUGE)
            put_int_point(&b, 2);
        MESSAGE (&b, SUM) {
            put_varint(&b, MONOTONIC, 1);
            put_int_point(&b, 3);
            put_varint(&b, TEMPORALITY, 1);
        }
        MESSAGE (&b, SUM) {
            put_int_point(&b, 4);
            put_varint(&b, TEMPORALITY, 2);
        }
    }
    rows_decode(&r, SIGNAL_METRICS, &b);
    assert_int_equal(r.n, 2);
    check_line(&r, 0, "Value int 3");
    check_line(&r, 1, "Value int 4");
    for (size_t i = 0; i < 2; i++) {
        check_line(&r, i, "AggregationTemporality 2");
        check_line(&r, i, "IsMonotonic 1");
    }
    rows_release(&r);
    buf_release(&b);
}

static void test_metrics_without_points(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct rows r = {0};
    ITEM (&b)
        put_text(&b, NAME, "no data");
    ITEM (&b)
        MESSAGE (&b, SUMMARY) {
        }
    ITEM (&b)
        put_text(&b, 6, "a field that is reserved");
    ITEM (&b)
        put_text(&b, 13, "a kind of the future");
    rows_decode(&r, SIGNAL_METRICS, &b);
    assert_int_equal(r.status, DECODE_OK);
    assert_int_equal(r.n, 0);
    rows_release(&r);
    buf_release(&b);
}

/* What one point sets must not be seen in the next row. */
static void test_rows_start_blank(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct rows r = {0};
    ITEM (&b)
        MESSAGE (&b, GAUGE) {
            MESSAGE (&b, POINTS)
                put_number_point(&b);
            MESSAGE (&b, POINTS) {
            }
        }
    rows_decode(&r, SIGNAL_METRICS, &b);
    assert_int_equal(r.n, 2);
    assert_string_equal(buf_cstr(&r.row[1].text),
                        COMMON_ABSENT "Value null\nFlags 0\n" EXEMPLARS_ABSENT);
    rows_release(&r);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gauge),
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_exp_histogram),
        cmocka_unit_test(test_summary),
        cmocka_unit_test(test_optional_zero),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_packed_and_unpacked_mix),
        cmocka_unit_test(test_merging),
        cmocka_unit_test(test_metrics_without_points),
        cmocka_unit_test(test_rows_start_blank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
