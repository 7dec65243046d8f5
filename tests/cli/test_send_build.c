/* The payloads of `tenantry send`, read back with protobuf-c: another reading than ours. */
#include "cli/send/send_build.h"
#include "tests/base/unit.h"

#include <opentelemetry/proto/collector/logs/v1/logs_service.pb-c.h>
#include <opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h>
#include <opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h>
#include <string.h>

typedef Opentelemetry__Proto__Common__V1__KeyValue key_value;
typedef Opentelemetry__Proto__Collector__Logs__V1__ExportLogsServiceRequest logs_request;
typedef Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest traces_request;
typedef Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest metrics_request;
typedef Opentelemetry__Proto__Metrics__V1__Metric metric;

#define ATTRIBUTES 12
#define MOST_ITEMS 64

static struct option_pair fixed[] = {{"deployment", "blue"}, {"zone", "b"}};
static const struct send_content content = {"run-1", "shop", ATTRIBUTES, fixed, COUNT(fixed)};

/* What was found in the items of a request. */
struct found {
    unsigned items;
    bool seqs[MOST_ITEMS];
    uint64_t first_seq, attempt;
};

static const key_value *attribute(key_value **at, size_t n, const char *name)
{
    const key_value *found = NULL;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(at[i]->key, name) != 0)
            continue;
        assert_null(found); /* no key twice */
        found = at[i];
    }
    assert_non_null(found);
    return found;
}

static void check_item(struct found *f, key_value **at, size_t n)
{
    assert_int_equal(n, ATTRIBUTES + 2 + 3);
    assert_string_equal(attribute(at, n, "tenantry.run")->value->string_value, "run-1");
    assert_string_equal(attribute(at, n, "deployment")->value->string_value, "blue");
    assert_string_equal(attribute(at, n, "zone")->value->string_value, "b");
    assert_int_equal(attribute(at, n, "tenantry.attempt")->value->int_value, f->attempt);
    uint64_t seq = (uint64_t)attribute(at, n, "tenantry.seq")->value->int_value;
    assert_in_range(seq, f->first_seq, f->first_seq + MOST_ITEMS - 1);
    assert_false(f->seqs[seq - f->first_seq]);
    f->seqs[seq - f->first_seq] = true;
    f->items++;
    unsigned kinds = 0; /* a bit per AnyValue kind */
    for (size_t i = 0; i < n; i++)
        kinds |= 1u << at[i]->value->value_case;
    assert_int_equal(kinds, 0xfe); /* 1 to 7: string ... bytes */
}

static void check_service(const Opentelemetry__Proto__Resource__V1__Resource *resource)
{
    const key_value *service =
        attribute(resource->attributes, resource->n_attributes, "service.name");
    assert_string_equal(service->value->string_value, "shop");
}

static void check_logs(struct found *f, struct slice bytes)
{
    logs_request *r =
        opentelemetry__proto__collector__logs__v1__export_logs_service_request__unpack(
            NULL, bytes.len, bytes.at);
    assert_non_null(r);
    assert_int_equal(r->n_resource_logs, 1);
    check_service(r->resource_logs[0]->resource);
    assert_int_equal(r->resource_logs[0]->n_scope_logs, 1);
    Opentelemetry__Proto__Logs__V1__ScopeLogs *scope = r->resource_logs[0]->scope_logs[0];
    assert_string_equal(scope->scope->name, "tenantry.send");
    for (size_t i = 0; i < scope->n_log_records; i++) {
        Opentelemetry__Proto__Logs__V1__LogRecord *log = scope->log_records[i];
        check_item(f, log->attributes, log->n_attributes);
        assert_int_equal(log->time_unix_nano, 1700000000000000000 + 1000 * i);
        assert_in_range(log->severity_number, 1, 24);
        assert_true(strlen(log->severity_text) > 0);
        assert_true(log->body->value_case == 1 || log->body->value_case == 6);
        assert_true(log->trace_id.len == 0 || log->trace_id.len == 16);
        assert_int_equal(log->span_id.len * 2, log->trace_id.len);
    }
    opentelemetry__proto__collector__logs__v1__export_logs_service_request__free_unpacked(r, NULL);
}

static void check_traces(struct found *f, struct slice bytes)
{
    traces_request *r =
        opentelemetry__proto__collector__trace__v1__export_trace_service_request__unpack(
            NULL, bytes.len, bytes.at);
    assert_non_null(r);
    check_service(r->resource_spans[0]->resource);
    Opentelemetry__Proto__Trace__V1__ScopeSpans *scope = r->resource_spans[0]->scope_spans[0];
    size_t events = 0, links = 0, roots = 0, codes = 0;
    for (size_t i = 0; i < scope->n_spans; i++) {
        Opentelemetry__Proto__Trace__V1__Span *span = scope->spans[i];
        check_item(f, span->attributes, span->n_attributes);
        assert_int_equal(span->trace_id.len, 16);
        assert_int_equal(span->span_id.len, 8);
        assert_true(span->parent_span_id.len == 0 || span->parent_span_id.len == 8);
        assert_true(span->end_time_unix_nano > span->start_time_unix_nano);
        assert_in_range(span->kind, 1, 5);
        events += span->n_events;
        links += span->n_links;
        roots += span->parent_span_id.len == 0;
        codes |= 1u << span->status->code;
        if (span->parent_span_id.len != 0 && i > 0)
            assert_memory_equal(span->trace_id.data, scope->spans[i - 1]->trace_id.data, 16);
    }
    if (scope->n_spans == MOST_ITEMS) {
        assert_true(events > 0 && links > 0);
        assert_int_equal(roots, (MOST_ITEMS + 4) / 5);
        assert_int_equal(codes, 7); /* unset, ok and error */
    }
    opentelemetry__proto__collector__trace__v1__export_trace_service_request__free_unpacked(r,
                                                                                            NULL);
}

static void check_number(struct found *f, Opentelemetry__Proto__Metrics__V1__NumberDataPoint *p)
{
    check_item(f, p->attributes, p->n_attributes);
    assert_true(p->time_unix_nano != 0);
    assert_true(p->value_case == 4 || p->value_case == 6);
}

static void check_histogram(struct found *f,
                            Opentelemetry__Proto__Metrics__V1__HistogramDataPoint *p)
{
    uint64_t total = 0;
    check_item(f, p->attributes, p->n_attributes);
    assert_int_equal(p->n_bucket_counts, p->n_explicit_bounds + 1);
    for (size_t i = 0; i < p->n_bucket_counts; i++)
        total += p->bucket_counts[i];
    assert_int_equal(p->count, total);
    assert_true(p->sum_presence_case != 0 && p->min_presence_case != 0 &&
                p->max_presence_case != 0);
}

static void check_exponential(struct found *f,
                              Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint *p)
{
    uint64_t total = p->zero_count;
    check_item(f, p->attributes, p->n_attributes);
    for (size_t i = 0; i < p->positive->n_bucket_counts; i++)
        total += p->positive->bucket_counts[i];
    for (size_t i = 0; i < p->negative->n_bucket_counts; i++)
        total += p->negative->bucket_counts[i];
    assert_int_equal(p->count, total);
    assert_int_equal(p->positive->offset, -2);
    assert_in_range(p->scale + 3, 0, 6);
}

static void check_summary(struct found *f, Opentelemetry__Proto__Metrics__V1__SummaryDataPoint *p)
{
    check_item(f, p->attributes, p->n_attributes);
    assert_int_equal(p->n_quantile_values, 4);
    assert_true(p->quantile_values[1]->quantile == 0.5);
}

static void check_metric(struct found *f, metric *m)
{
    switch ((int)m->data_case) {
    case 5:
        for (size_t i = 0; i < m->gauge->n_data_points; i++)
            check_number(f, m->gauge->data_points[i]);
        break;
    case 7:
        assert_int_equal(m->sum->aggregation_temporality, 2);
        assert_true(m->sum->is_monotonic);
        for (size_t i = 0; i < m->sum->n_data_points; i++)
            check_number(f, m->sum->data_points[i]);
        break;
    case 9:
        assert_int_equal(m->histogram->aggregation_temporality, 1);
        for (size_t i = 0; i < m->histogram->n_data_points; i++)
            check_histogram(f, m->histogram->data_points[i]);
        break;
    case 10:
        assert_int_equal(m->exponential_histogram->aggregation_temporality, 1);
        for (size_t i = 0; i < m->exponential_histogram->n_data_points; i++)
            check_exponential(f, m->exponential_histogram->data_points[i]);
        break;
    case 11:
        for (size_t i = 0; i < m->summary->n_data_points; i++)
            check_summary(f, m->summary->data_points[i]);
        break;
    default:
        fail_msg("metric %s has no data", m->name);
    }
}

static void check_metrics(struct found *f, struct slice bytes)
{
    metrics_request *r =
        opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__unpack(
            NULL, bytes.len, bytes.at);
    assert_non_null(r);
    check_service(r->resource_metrics[0]->resource);
    Opentelemetry__Proto__Metrics__V1__ScopeMetrics *scope =
        r->resource_metrics[0]->scope_metrics[0];
    unsigned kinds = 0;
    for (size_t i = 0; i < scope->n_metrics; i++) {
        assert_true(strlen(scope->metrics[i]->name) > 0);
        assert_true(strlen(scope->metrics[i]->unit) > 0);
        kinds |= 1u << scope->metrics[i]->data_case;
        check_metric(f, scope->metrics[i]);
    }
    if (f->items >= 5)
        assert_int_equal(kinds, 1u << 5 | 1u << 7 | 1u << 9 | 1u << 10 | 1u << 11);
    opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__free_unpacked(
        r, NULL);
}

static void check_request(enum signal signal, struct found *f, struct slice bytes)
{
    if (signal == SIGNAL_LOGS)
        check_logs(f, bytes);
    else if (signal == SIGNAL_TRACES)
        check_traces(f, bytes);
    else
        check_metrics(f, bytes);
}

static void test_every_item_is_stamped(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 3, MOST_ITEMS};
    static const uint64_t firsts[] = {0, 7, 5000000000};
    struct send_builder *sb = send_builder_new(&content);
    assert_non_null(sb);
    struct buf out = BUF_INIT;
    for (unsigned row = 0; row < COUNT(sizes) * SIGNAL_COUNT; row++) {
        uint32_t items = sizes[row / SIGNAL_COUNT];
        enum signal signal = row % SIGNAL_COUNT;
        uint64_t first_seq = firsts[row / SIGNAL_COUNT];
        struct send_request req = {signal, first_seq, items, 1700000000000000000};
        struct found f = {.first_seq = first_seq, .attempt = 900 + row};
        buf_clear(&out);
        assert_int_equal(send_build(sb, &req, f.attempt, &out), 0);
        check_request(signal, &f, buf_slice(&out));
        assert_int_equal(f.items, items);
        for (uint32_t i = 0; i < items; i++)
            assert_true(f.seqs[i]);
    }
    buf_release(&out);
    send_builder_free(sb);
}

/* Same length of the attempt's number, so that the two may differ in that number's bytes only. */
static void test_a_repetition_differs_in_the_attempt_alone(void **state)
{
    (void)state;
    struct send_builder *sb = send_builder_new(&content);
    for (int signal = 0; signal < SIGNAL_COUNT; signal++) {
        struct send_request req = {signal, 100, 20, 1700000000000000000};
        struct buf first = BUF_INIT, second = BUF_INIT;
        unsigned different = 0;
        assert_int_equal(send_build(sb, &req, 1, &first), 0);
        assert_int_equal(send_build(sb, &req, 2, &second), 0);
        assert_int_equal(first.len, second.len);
        for (size_t i = 0; i < first.len; i++)
            different += first.at[i] != second.at[i];
        assert_int_equal(different, 20);
        buf_release(&first);
        buf_release(&second);
    }
    send_builder_free(sb);
}

static void test_a_full_buffer_is_an_error(void **state)
{
    (void)state;
    struct send_builder *sb = send_builder_new(&content);
    struct send_request req = {SIGNAL_METRICS, 0, 10, 1700000000000000000};
    for (size_t ceiling = 1; ceiling < 3000; ceiling += 7) {
        struct buf out = BUF_INIT_CEILING(ceiling);
        assert_true(send_build(sb, &req, 1, &out) < 0);
        buf_release(&out);
    }
    send_builder_free(sb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_item_is_stamped),
        cmocka_unit_test(test_a_repetition_differs_in_the_attempt_alone),
        cmocka_unit_test(test_a_full_buffer_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
