/* The scanner's judge, shared by test_scan_oracle.c and fuzz_scan.c: protobuf-c for "is it valid"
 * and for counting what a parser would hand out, and a plain recursive reference, driven by
 * protobuf-c's descriptors, for expanded bytes and for the places where the two parsers may differ
 * (the list at the top of otlp/scan.c). */
#ifndef TESTS_OTLP_ORACLE_H
#define TESTS_OTLP_ORACLE_H

#include "opentelemetry/proto/collector/logs/v1/logs_service.pb-c.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h"
#include "otlp/request_type.h"
#include "otlp/scan.h"
#include "otlp/wire.h"

#include <stdio.h>

typedef Opentelemetry__Proto__Trace__V1__Span Span;
typedef Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest TracesRequest;
typedef Opentelemetry__Proto__Trace__V1__ResourceSpans ResourceSpans;
typedef Opentelemetry__Proto__Trace__V1__ScopeSpans ScopeSpans;
typedef Opentelemetry__Proto__Collector__Logs__V1__ExportLogsServiceRequest LogsRequest;
typedef Opentelemetry__Proto__Logs__V1__ResourceLogs ResourceLogs;
typedef Opentelemetry__Proto__Logs__V1__ScopeLogs ScopeLogs;
typedef Opentelemetry__Proto__Metrics__V1__Exemplar Exemplar;
typedef Opentelemetry__Proto__Metrics__V1__Metric Metric;
typedef Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest MetricsRequest;
typedef Opentelemetry__Proto__Metrics__V1__ResourceMetrics ResourceMetrics;
typedef Opentelemetry__Proto__Metrics__V1__ScopeMetrics ScopeMetrics;

/* --- counted from protobuf-c's structs --- */

static bool id_is(const ProtobufCBinaryData *id, size_t len)
{
    static const uint8_t zeros[16];
    return id->len == len && memcmp(id->data, zeros, len) != 0;
}

static bool id_may_be(const ProtobufCBinaryData *id, size_t len)
{
    return id->len == 0 || id->len == len;
}

static bool oracle_span_is_bad(const Span *span)
{
    bool good = id_is(&span->trace_id, 16) && id_is(&span->span_id, 8) &&
                id_may_be(&span->parent_span_id, 8);
    for (size_t i = 0; i < span->n_links; i++)
        good = good && id_may_be(&span->links[i]->trace_id, 16) &&
               id_may_be(&span->links[i]->span_id, 8);
    return !good;
}

static void count_traces(const void *message, struct scan_result *n)
{
    const TracesRequest *request = message;
    for (size_t r = 0; r < request->n_resource_spans; r++) {
        const ResourceSpans *resource = request->resource_spans[r];
        n->resources++;
        for (size_t c = 0; c < resource->n_scope_spans; c++) {
            const ScopeSpans *scope = resource->scope_spans[c];
            n->scopes++;
            n->items += scope->n_spans;
            for (size_t i = 0; i < scope->n_spans; i++)
                n->bad_items += oracle_span_is_bad(scope->spans[i]);
        }
    }
}

static void count_logs(const void *message, struct scan_result *n)
{
    const LogsRequest *request = message;
    for (size_t r = 0; r < request->n_resource_logs; r++) {
        const ResourceLogs *resource = request->resource_logs[r];
        n->resources++;
        for (size_t c = 0; c < resource->n_scope_logs; c++) {
            const ScopeLogs *scope = resource->scope_logs[c];
            n->scopes++;
            n->items += scope->n_log_records;
        }
    }
}

static bool oracle_exemplars_are_bad(Exemplar **exemplars, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!id_may_be(&exemplars[i]->trace_id, 16) || !id_may_be(&exemplars[i]->span_id, 8))
            return true;
    return false;
}

/* The four kinds of points have their fields under the same names. */
static bool oracle_point_is_bad(const ProtobufCMessage *point)
{
#define AS(kind) Opentelemetry__Proto__Metrics__V1__##kind##DataPoint
#define COMMON(kind)                                                                               \
    (((const AS(kind) *)point)->time_unix_nano == 0 ||                                             \
     oracle_exemplars_are_bad(((const AS(kind) *)point)->exemplars,                                \
                              ((const AS(kind) *)point)->n_exemplars))
    const char *name = point->descriptor->short_name;
    if (strcmp(name, "NumberDataPoint") == 0)
        return COMMON(Number);
    if (strcmp(name, "ExponentialHistogramDataPoint") == 0)
        return COMMON(ExponentialHistogram);
    if (strcmp(name, "SummaryDataPoint") == 0)
        return ((const AS(Summary) *)point)->time_unix_nano == 0;
    const AS(Histogram) *histogram = (const AS(Histogram) *)point;
    return COMMON(Histogram) || (histogram->n_bucket_counts != 0 &&
                                 histogram->n_bucket_counts != histogram->n_explicit_bounds + 1);
#undef COMMON
#undef AS
}

#define COUNT_POINTS(data)                                                                         \
    do {                                                                                           \
        n->items += (data)->n_data_points;                                                         \
        for (size_t p = 0; p < (data)->n_data_points; p++)                                         \
            n->bad_items += oracle_point_is_bad(&(data)->data_points[p]->base);                    \
    } while (0)

static void count_metric(const Metric *metric, struct scan_result *n)
{
#define CASE(kind) OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_##kind
    switch (metric->data_case) {
    case CASE(GAUGE):
        COUNT_POINTS(metric->gauge);
        break;
    case CASE(SUM):
        COUNT_POINTS(metric->sum);
        break;
    case CASE(HISTOGRAM):
        COUNT_POINTS(metric->histogram);
        break;
    case CASE(EXPONENTIAL_HISTOGRAM):
        COUNT_POINTS(metric->exponential_histogram);
        break;
    case CASE(SUMMARY):
        COUNT_POINTS(metric->summary);
        break;
    default:
        break;
    }
#undef CASE
}

static void count_metrics(const void *message, struct scan_result *n)
{
    const MetricsRequest *request = message;
    for (size_t r = 0; r < request->n_resource_metrics; r++) {
        const ResourceMetrics *resource = request->resource_metrics[r];
        n->resources++;
        for (size_t c = 0; c < resource->n_scope_metrics; c++) {
            const ScopeMetrics *scope = resource->scope_metrics[c];
            n->scopes++;
            for (size_t i = 0; i < scope->n_metrics; i++)
                count_metric(scope->metrics[i], n);
        }
    }
}

/* --- the reference --- */

/* Where protobuf-c's verdict or count may differ from the scanner's. */
struct quirks {
    bool group;       /* refused by protobuf-c */
    bool long_prefix; /* a key or length of more than 5 bytes: the same */
    bool bool_type;   /* a bool of another wire type: accepted by protobuf-c */
    bool oneof_again; /* a message in a oneof twice: not merged by protobuf-c */
    bool any_again;   /* a singular message that has a oneof, twice: protobuf-c 1.4 and 1.5 may read
                         before their field table when merging, so they are not asked */
    bool number;      /* a field number out of range: accepted by protobuf-c */
};

struct totals {
    uint64_t items, expanded;
};

static size_t varint_len(const uint8_t *at)
{
    size_t n = 1;
    while (*at++ >= 0x80)
        n++;
    return n;
}

static bool is_item(const ProtobufCFieldDescriptor *f)
{
    return strcmp(f->name, "spans") == 0 || strcmp(f->name, "log_records") == 0 ||
           strcmp(f->name, "data_points") == 0;
}

static bool holds_items(const ProtobufCFieldDescriptor *f)
{
    static const char *const names[] = {"resource_", "scope_", "metrics"};
    const ProtobufCMessageDescriptor *sub = f->descriptor;
    if (f->type != PROTOBUF_C_TYPE_MESSAGE)
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(f->name, names[i], strlen(names[i])) == 0)
            return true;
    return protobuf_c_message_descriptor_get_field_by_name(sub, "data_points") != NULL;
}

static bool has_oneof(const ProtobufCMessageDescriptor *m)
{
    for (unsigned i = 0; i < m->n_fields; i++)
        if (m->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
            return true;
    return false;
}

/* Finds the quirks of `bytes` and all below, as far as the bytes can be read. */
static void find_quirks(const ProtobufCMessageDescriptor *m, struct slice bytes, struct quirks *q)
{
    struct wire w = wire_of(bytes);
    struct wire_field field;
    uint32_t oneof_number = 0;
    uint64_t seen = 0; /* a bit per field number; OTLP's stop at 16 */
    for (const uint8_t *at = w.at; wire_next(&w, &field); at = w.at) {
        size_t key_len = varint_len(at);
        q->group |= field.type == WIRE_GROUP;
        q->long_prefix |= key_len > 5;
        q->long_prefix |= field.type == WIRE_BYTES && varint_len(at + key_len) > 5;
        const ProtobufCFieldDescriptor *f =
            protobuf_c_message_descriptor_get_field(m, field.number);
        if (f == NULL)
            continue;
        q->bool_type |= f->type == PROTOBUF_C_TYPE_BOOL && field.type != WIRE_VARINT;
        if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
            q->oneof_again |= f->type == PROTOBUF_C_TYPE_MESSAGE && f->id == oneof_number;
            oneof_number = f->id;
        }
        if (f->type != PROTOBUF_C_TYPE_MESSAGE || field.type != WIRE_BYTES)
            continue;
        if (f->label != PROTOBUF_C_LABEL_REPEATED && has_oneof(f->descriptor))
            q->any_again |= seen >> f->id & 1;
        seen |= UINT64_C(1) << f->id;
        find_quirks(f->descriptor, field.bytes, q);
    }
    if (w.error != NULL) {
        q->group |= strstr(w.error, "group") != NULL;
        q->number |= strcmp(w.error, "field number out of range") == 0;
    }
}

/* Items and expanded bytes of a valid message, straight from the definition in otlp/scan.h. */
static struct totals totals_of(const ProtobufCMessageDescriptor *m, struct slice bytes)
{
    struct totals plain = {0, 0}, chosen = {0, 0}; /* outside and inside of the oneof */
    uint64_t shared = 0;
    uint32_t oneof_number = 0;
    struct wire w = wire_of(bytes);
    struct wire_field field;
    for (const uint8_t *at = w.at; wire_next(&w, &field); at = w.at) {
        const ProtobufCFieldDescriptor *f =
            protobuf_c_message_descriptor_get_field(m, field.number);
        if (f == NULL)
            continue;
        struct totals *to = &plain;
        if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
            to = &chosen;
            if (f->id != oneof_number)
                chosen = (struct totals){0, 0};
            oneof_number = f->id;
        }
        if (is_item(f)) {
            to->items++;
            to->expanded += (uint64_t)(w.at - at);
        } else if (holds_items(f)) {
            struct totals sub = totals_of(f->descriptor, field.bytes);
            to->items += sub.items;
            to->expanded += sub.expanded;
        } else {
            shared += (uint64_t)(w.at - at);
        }
    }
    plain.items += chosen.items;
    plain.expanded += chosen.expanded + shared * plain.items;
    return plain;
}

/* --- the verdict --- */

static const char *compare_counts(enum signal signal, struct slice body,
                                  const ProtobufCMessage *message, const struct scan_result *got,
                                  const struct quirks *q)
{
    struct totals want = totals_of(request_type[signal], body);
    if (got->items != want.items)
        return "items differ from the reference";
    if (got->expanded_bytes != want.expanded)
        return "expanded bytes differ from the reference";
    if (message == NULL || q->oneof_again)
        return NULL;
    struct scan_result parsed = {0};
    if (signal == SIGNAL_TRACES)
        count_traces(message, &parsed);
    else if (signal == SIGNAL_METRICS)
        count_metrics(message, &parsed);
    else
        count_logs(message, &parsed);
    if (got->items != parsed.items)
        return "items differ from protobuf-c";
    if (got->resources != parsed.resources || got->scopes != parsed.scopes)
        return "resources or scopes differ from protobuf-c";
    if (got->bad_items != parsed.bad_items)
        return "bad items differ from protobuf-c";
    return NULL;
}

/* Both judges about the validity of `body`. */
static const char *compare_verdicts(enum scan_status status, const struct scan_result *got,
                                    const ProtobufCMessage *message, const struct quirks *q)
{
    if (status == SCAN_OK)
        return message == NULL && !q->group && !q->long_prefix
                   ? "accepted, and protobuf-c refuses it"
                   : NULL;
    return message != NULL && !q->bool_type && strcmp(got->error, "messages nested too deeply") != 0
               ? "refused, and protobuf-c accepts it"
               : NULL;
}

/* NULL when the scanner and its judges agree about `body`, else what they disagree about. */
static const char *oracle_disagreement(enum signal signal, struct slice body)
{
    struct scan_result got;
    struct quirks q = {0};
    ProtobufCMessage *message = NULL;
    const char *disagreement = NULL;
    enum scan_status status = scan_request(signal, body, NULL, &got);
    if (status != SCAN_OK && status != SCAN_MALFORMED)
        return "a ceiling was met where there is none";
    if (status == SCAN_MALFORMED &&
        (got.error == NULL || got.field == NULL || got.error_at > body.len))
        return "an error without its reason, field or place";
    find_quirks(request_type[signal], body, &q);
    if (q.number && status == SCAN_OK)
        return "a field number out of range was accepted";
    if (!q.any_again && !q.number) {
        message = protobuf_c_message_unpack(request_type[signal], NULL, body.len,
                                            body.len ? body.at : (const uint8_t *)"");
        disagreement = compare_verdicts(status, &got, message, &q);
    }
    if (disagreement == NULL && status == SCAN_OK)
        disagreement = compare_counts(signal, body, message, &got, &q);
    if (message != NULL)
        protobuf_c_message_free_unpacked(message, NULL);
    return disagreement;
}

#endif
