/* The data points of `tenantry send` (metrics.proto), in five kinds. */
#include "cli/send/send_item.h"
#include "cli/send/send_pb.h"

enum { METRIC_NAME = 1, METRIC_DESCRIPTION, METRIC_UNIT };
enum { DATA_TEMPORALITY = 2, DATA_MONOTONIC };
enum { TEMPORALITY_DELTA = 1, TEMPORALITY_CUMULATIVE };
enum { NUMBER_START = 2, NUMBER_TIME, NUMBER_DOUBLE, NUMBER_EXEMPLARS, NUMBER_INT };
enum { NUMBER_ATTRIBUTES = 7 };
enum {
    HISTOGRAM_START = 2,
    HISTOGRAM_TIME,
    HISTOGRAM_COUNT,
    HISTOGRAM_SUM,
    HISTOGRAM_BUCKETS,
    HISTOGRAM_BOUNDS,
    HISTOGRAM_EXEMPLARS,
    HISTOGRAM_ATTRIBUTES,
    HISTOGRAM_MIN = 11,
    HISTOGRAM_MAX,
};
enum {
    EXPONENTIAL_ATTRIBUTES = 1,
    EXPONENTIAL_START,
    EXPONENTIAL_TIME,
    EXPONENTIAL_COUNT,
    EXPONENTIAL_SUM,
    EXPONENTIAL_SCALE,
    EXPONENTIAL_ZERO_COUNT,
    EXPONENTIAL_POSITIVE,
    EXPONENTIAL_NEGATIVE,
};
enum { BUCKETS_OFFSET = 1, BUCKETS_COUNTS };
enum { SUMMARY_START = 2, SUMMARY_TIME, SUMMARY_COUNT, SUMMARY_SUM, SUMMARY_QUANTILES };
enum { SUMMARY_ATTRIBUTES = 7 };
enum { EXEMPLAR_TIME = 2, EXEMPLAR_DOUBLE, EXEMPLAR_SPAN_ID, EXEMPLAR_TRACE_ID };
enum { EXEMPLAR_ATTRIBUTES = 7 };

#define PERIOD_NS 10000000000u /* a point covers the ten seconds before its time */

typedef void point_fn(const struct send_item *item, struct buf *out);
static point_fn put_gauge, put_sum, put_histogram, put_exponential, put_summary;

/* By seq % SEND_METRIC_KINDS. `temporality` 0: the kind has none. */
static const struct {
    const char *name, *description, *unit;
    uint32_t field; /* in Metric */
    unsigned temporality;
    bool monotonic;
    point_fn *put;
} kinds[SEND_METRIC_KINDS] = {
    {"send.queue.length", "Orders that wait.", "{order}", 5, 0, false, put_gauge},
    {"send.orders", "Orders taken.", "{order}", 7, TEMPORALITY_CUMULATIVE, true, put_sum},
    {"send.duration", "Time to answer.", "ms", 9, TEMPORALITY_DELTA, false, put_histogram},
    {"send.size", "Size of answers.", "By", 10, TEMPORALITY_DELTA, false, put_exponential},
    {"send.latency", "Time to the first byte.", "ms", 11, 0, false, put_summary},
};

void send_metric_head(unsigned kind, struct buf *out)
{
    pb_string(out, METRIC_NAME, kinds[kind].name);
    pb_string(out, METRIC_DESCRIPTION, kinds[kind].description);
    pb_string(out, METRIC_UNIT, kinds[kind].unit);
}

size_t send_metric_open(unsigned kind, struct buf *out)
{
    size_t opened = pb_open(out, kinds[kind].field);
    if (kinds[kind].temporality != 0)
        pb_uint(out, DATA_TEMPORALITY, kinds[kind].temporality);
    if (kinds[kind].monotonic)
        pb_uint(out, DATA_MONOTONIC, 1);
    return opened;
}

void send_data_point(const struct send_item *item, unsigned kind, struct buf *out)
{
    kinds[kind].put(item, out);
}

static void put_exemplar(const struct send_item *item, uint32_t field, struct buf *out)
{
    if (item->hash & 1)
        return;
    struct send_trace_id trace = send_item_trace(item, item->seq / SEND_TRACE_SPANS);
    struct send_span_id span = send_item_span(item, item->seq);
    size_t exemplar = pb_open(out, field);
    pb_fixed64(out, EXEMPLAR_TIME, item->time_ns - PERIOD_NS / 2);
    pb_double(out, EXEMPLAR_DOUBLE, (double)(item->hash % 1000) / 4);
    pb_bytes(out, EXEMPLAR_SPAN_ID, slice_of(span.bytes, sizeof(span.bytes)));
    pb_bytes(out, EXEMPLAR_TRACE_ID, slice_of(trace.bytes, sizeof(trace.bytes)));
    pb_attribute_string(out, EXEMPLAR_ATTRIBUTES, "user.kind", SLICE_LIT("guest"));
    pb_close(out, exemplar);
}

static void put_gauge(const struct send_item *item, struct buf *out)
{
    pb_fixed64(out, NUMBER_TIME, item->time_ns);
    pb_double(out, NUMBER_DOUBLE, (double)(item->hash % 100000) / 16 - 1000);
    send_item_attributes(item, NUMBER_ATTRIBUTES, out);
}

static void put_sum(const struct send_item *item, struct buf *out)
{
    pb_fixed64(out, NUMBER_START, item->time_ns - PERIOD_NS);
    pb_fixed64(out, NUMBER_TIME, item->time_ns);
    put_exemplar(item, NUMBER_EXEMPLARS, out);
    pb_fixed64(out, NUMBER_INT, item->seq);
    send_item_attributes(item, NUMBER_ATTRIBUTES, out);
}

static void put_histogram(const struct send_item *item, struct buf *out)
{
    static const double bounds[] = {1, 10, 100, 1000};
    uint64_t counts[5], total = 0;
    for (unsigned i = 0; i < 5; i++)
        total += counts[i] = item->hash >> 8 * i & 0xff;
    pb_fixed64(out, HISTOGRAM_START, item->time_ns - PERIOD_NS);
    pb_fixed64(out, HISTOGRAM_TIME, item->time_ns);
    pb_fixed64(out, HISTOGRAM_COUNT, total);
    pb_double(out, HISTOGRAM_SUM, (double)total * 12.5);
    pb_packed_fixed64(out, HISTOGRAM_BUCKETS, counts, 5);
    pb_packed_double(out, HISTOGRAM_BOUNDS, bounds, 4);
    put_exemplar(item, HISTOGRAM_EXEMPLARS, out);
    send_item_attributes(item, HISTOGRAM_ATTRIBUTES, out);
    pb_double(out, HISTOGRAM_MIN, 0.25);
    pb_double(out, HISTOGRAM_MAX, 2000);
}

static void put_buckets(uint32_t field, int64_t offset, const uint64_t *counts, size_t n,
                        struct buf *out)
{
    size_t buckets = pb_open(out, field);
    pb_sint(out, BUCKETS_OFFSET, offset);
    pb_packed_uint(out, BUCKETS_COUNTS, counts, n);
    pb_close(out, buckets);
}

static void put_exponential(const struct send_item *item, struct buf *out)
{
    uint64_t counts[4], zeros = item->hash >> 40 & 3, total = zeros;
    for (unsigned i = 0; i < 4; i++)
        total += counts[i] = item->hash >> 8 * i & 0x3ff;
    send_item_attributes(item, EXPONENTIAL_ATTRIBUTES, out);
    pb_fixed64(out, EXPONENTIAL_START, item->time_ns - PERIOD_NS);
    pb_fixed64(out, EXPONENTIAL_TIME, item->time_ns);
    pb_fixed64(out, EXPONENTIAL_COUNT, total);
    pb_double(out, EXPONENTIAL_SUM, (double)total * 3);
    pb_sint(out, EXPONENTIAL_SCALE, (int64_t)(item->seq % 7) - 3);
    pb_fixed64(out, EXPONENTIAL_ZERO_COUNT, zeros);
    put_buckets(EXPONENTIAL_POSITIVE, -2, counts, 3, out);
    put_buckets(EXPONENTIAL_NEGATIVE, 1, counts + 3, 1, out);
}

static void put_summary(const struct send_item *item, struct buf *out)
{
    static const double quantiles[] = {0, 0.5, 0.99, 1};
    pb_fixed64(out, SUMMARY_START, item->time_ns - PERIOD_NS);
    pb_fixed64(out, SUMMARY_TIME, item->time_ns);
    pb_fixed64(out, SUMMARY_COUNT, item->hash % 1000 + 1);
    pb_double(out, SUMMARY_SUM, (double)(item->hash % 1000 + 1) * 20);
    for (unsigned i = 0; i < 4; i++) {
        size_t value = pb_open(out, SUMMARY_QUANTILES);
        pb_double(out, 1, quantiles[i]);
        pb_double(out, 2, 10 * quantiles[i] + (double)(item->hash & 0xff));
        pb_close(out, value);
    }
    send_item_attributes(item, SUMMARY_ATTRIBUTES, out);
}
