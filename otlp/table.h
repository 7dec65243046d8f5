/* The tables that telemetry is written to, defined once: column name, type, what fills it. DDL and
 * encoders of every database follow from these rows; the decoder fills cells by column number.
 * Tables and names are those of the Collector's clickhouseexporter (current generation), so that
 * people's dashboards and SQL work unchanged. Beside the columns here every table has _ks, _kp,
 * _ko: source, Kafka partition and offset of the record that the row came from (DESIGN §5, §6). */
#ifndef OTLP_TABLE_H
#define OTLP_TABLE_H

#include "otlp/signal.h"

enum column_type {
    COL_TIME,   /* u64: ns since 1970, at most INT64_MAX */
    COL_ID,     /* bytes: raw trace or span id, written as lower-case hex, '' when empty */
    COL_TEXT,   /* bytes */
    COL_LABEL,  /* bytes of low cardinality (ClickHouse LowCardinality) */
    COL_U8,     /* u64 */
    COL_U32,    /* u64 */
    COL_U64,    /* u64 */
    COL_I32,    /* i64 */
    COL_BOOL,   /* u64: 0 or 1 */
    COL_F64,    /* f64; null = absent (optional sum, min, max) */
    COL_NUMBER, /* f64, or i64 when is_int: a metric value keeps its 64 bits where the database
                   allows */
    COL_ATTRS,  /* attrs */
    /* lists: `n` elements, parallel lists of one group have the same n */
    COL_TIMES,      /* list.u64 */
    COL_IDS,        /* list.text */
    COL_TEXTS,      /* list.text */
    COL_LABELS,     /* list.text */
    COL_U64S,       /* list.u64 */
    COL_F64S,       /* list.f64 */
    COL_NUMBERS,    /* list.number */
    COL_ATTRS_LIST, /* list.attrs */
};

struct number {
    bool is_int;
    union {
        int64_t i64;
        double f64;
    };
};

/* Attributes of one place, sorted by key in byte order, of a repeated key the last one. `any` is
 * the wire form of an AnyValue; render it with otlp/anyvalue.h. The same resource or scope of
 * consecutive rows has the same pointer, so a writer may keep what it rendered. */
struct attr {
    struct slice key, any;
};
struct attrs {
    size_t n;
    const struct attr *at;
};

struct cell {
    bool null;
    union {
        uint64_t u64;
        int64_t i64;
        double f64;
        struct number number;
        struct slice text; /* COL_ID, COL_TEXT, COL_LABEL */
        const struct attrs *attrs;
        struct {
            size_t n;
            union {
                const uint64_t *u64;
                const double *f64;
                const struct number *number;
                const struct slice *text;
                const struct attrs *const *attrs;
            };
        } list;
    };
};

/* id, table name, signal, array of columns */
#define TABLES(ROW)                                                                                \
    ROW(LOGS, "otel_logs", LOGS, logs_columns)                                                     \
    ROW(TRACES, "otel_traces", TRACES, traces_columns)                                             \
    ROW(GAUGE, "otel_metrics_gauge", METRICS, gauge_columns)                                       \
    ROW(SUM, "otel_metrics_sum", METRICS, sum_columns)                                             \
    ROW(HISTOGRAM, "otel_metrics_histogram", METRICS, histogram_columns)                           \
    ROW(EXP_HISTOGRAM, "otel_metrics_exponential_histogram", METRICS, exp_histogram_columns)       \
    ROW(SUMMARY, "otel_metrics_summary", METRICS, summary_columns)

enum table {
#define ROW(id, ...) TABLE_##id,
    TABLES(ROW)
#undef ROW
        TABLE_COUNT
};

struct column {
    const char *name;
    enum column_type type;
    const char *source; /* the OTLP field that fills it, for docs: "LogRecord.time_unix_nano" */
};
struct table_info {
    const char *name;
    enum signal signal;
    const struct column *columns;
    size_t n;
};
extern const struct table_info table_info[TABLE_COUNT];

/* Most columns of any table; a row is an array of table_info[t].n cells. */
#define TABLE_MAX_COLUMNS 32

/* id, name, type, source. The order is the order of the clickhouseexporter's tables. */
#define LOGS_COLUMNS(ROW)                                                                          \
    ROW(LOGS, TIMESTAMP, "Timestamp", COL_TIME,                                                    \
        "time_unix_nano, else observed_time_unix_nano, else received")                             \
    ROW(LOGS, TRACE_ID, "TraceId", COL_ID, "trace_id")                                             \
    ROW(LOGS, SPAN_ID, "SpanId", COL_ID, "span_id")                                                \
    ROW(LOGS, TRACE_FLAGS, "TraceFlags", COL_U8, "flags, bits 0-7")                                \
    ROW(LOGS, SEVERITY_TEXT, "SeverityText", COL_LABEL, "severity_text")                           \
    ROW(LOGS, SEVERITY_NUMBER, "SeverityNumber", COL_U8, "severity_number")                        \
    ROW(LOGS, SERVICE_NAME, "ServiceName", COL_LABEL, "resource attribute service.name")           \
    ROW(LOGS, BODY, "Body", COL_TEXT, "body; other than a string as JSON text")                    \
    ROW(LOGS, RESOURCE_SCHEMA_URL, "ResourceSchemaUrl", COL_LABEL, "ResourceLogs.schema_url")      \
    ROW(LOGS, RESOURCE_ATTRS, "ResourceAttributes", COL_ATTRS, "resource.attributes")              \
    ROW(LOGS, SCOPE_SCHEMA_URL, "ScopeSchemaUrl", COL_LABEL, "ScopeLogs.schema_url")               \
    ROW(LOGS, SCOPE_NAME, "ScopeName", COL_TEXT, "scope.name")                                     \
    ROW(LOGS, SCOPE_VERSION, "ScopeVersion", COL_LABEL, "scope.version")                           \
    ROW(LOGS, SCOPE_ATTRS, "ScopeAttributes", COL_ATTRS, "scope.attributes")                       \
    ROW(LOGS, LOG_ATTRS, "LogAttributes", COL_ATTRS, "attributes")                                 \
    ROW(LOGS, EVENT_NAME, "EventName", COL_TEXT, "event_name")

#define TRACES_COLUMNS(ROW)                                                                        \
    ROW(TRACES, TIMESTAMP, "Timestamp", COL_TIME, "start_time_unix_nano, else received")           \
    ROW(TRACES, TRACE_ID, "TraceId", COL_ID, "trace_id")                                           \
    ROW(TRACES, SPAN_ID, "SpanId", COL_ID, "span_id")                                              \
    ROW(TRACES, PARENT_SPAN_ID, "ParentSpanId", COL_ID, "parent_span_id")                          \
    ROW(TRACES, TRACE_STATE, "TraceState", COL_TEXT, "trace_state")                                \
    ROW(TRACES, SPAN_NAME, "SpanName", COL_LABEL, "name")                                          \
    ROW(TRACES, SPAN_KIND, "SpanKind", COL_LABEL, "kind: Unspecified, Internal, Server, ...")      \
    ROW(TRACES, SERVICE_NAME, "ServiceName", COL_LABEL, "resource attribute service.name")         \
    ROW(TRACES, RESOURCE_ATTRS, "ResourceAttributes", COL_ATTRS, "resource.attributes")            \
    ROW(TRACES, SCOPE_NAME, "ScopeName", COL_TEXT, "scope.name")                                   \
    ROW(TRACES, SCOPE_VERSION, "ScopeVersion", COL_TEXT, "scope.version")                          \
    ROW(TRACES, SPAN_ATTRS, "SpanAttributes", COL_ATTRS, "attributes")                             \
    ROW(TRACES, DURATION, "Duration", COL_U64, "end - start in ns, 0 when negative")               \
    ROW(TRACES, STATUS_CODE, "StatusCode", COL_LABEL, "status.code: Unset, Ok, Error")             \
    ROW(TRACES, STATUS_MESSAGE, "StatusMessage", COL_TEXT, "status.message")                       \
    ROW(TRACES, EVENT_TIMES, "Events.Timestamp", COL_TIMES, "events.time_unix_nano")               \
    ROW(TRACES, EVENT_NAMES, "Events.Name", COL_LABELS, "events.name")                             \
    ROW(TRACES, EVENT_ATTRS, "Events.Attributes", COL_ATTRS_LIST, "events.attributes")             \
    ROW(TRACES, LINK_TRACE_IDS, "Links.TraceId", COL_IDS, "links.trace_id")                        \
    ROW(TRACES, LINK_SPAN_IDS, "Links.SpanId", COL_IDS, "links.span_id")                           \
    ROW(TRACES, LINK_TRACE_STATES, "Links.TraceState", COL_TEXTS, "links.trace_state")             \
    ROW(TRACES, LINK_ATTRS, "Links.Attributes", COL_ATTRS_LIST, "links.attributes")

/* The columns all five metric tables begin with. */
#define METRIC_COMMON_COLUMNS(ROW, T)                                                              \
    ROW(T, RESOURCE_ATTRS, "ResourceAttributes", COL_ATTRS, "resource.attributes")                 \
    ROW(T, RESOURCE_SCHEMA_URL, "ResourceSchemaUrl", COL_TEXT, "ResourceMetrics.schema_url")       \
    ROW(T, SCOPE_NAME, "ScopeName", COL_TEXT, "scope.name")                                        \
    ROW(T, SCOPE_VERSION, "ScopeVersion", COL_TEXT, "scope.version")                               \
    ROW(T, SCOPE_ATTRS, "ScopeAttributes", COL_ATTRS, "scope.attributes")                          \
    ROW(T, SCOPE_DROPPED_ATTRS, "ScopeDroppedAttrCount", COL_U32,                                  \
        "scope.dropped_attributes_count")                                                          \
    ROW(T, SCOPE_SCHEMA_URL, "ScopeSchemaUrl", COL_TEXT, "ScopeMetrics.schema_url")                \
    ROW(T, SERVICE_NAME, "ServiceName", COL_LABEL, "resource attribute service.name")              \
    ROW(T, METRIC_NAME, "MetricName", COL_LABEL, "Metric.name")                                    \
    ROW(T, METRIC_DESCRIPTION, "MetricDescription", COL_TEXT, "Metric.description")                \
    ROW(T, METRIC_UNIT, "MetricUnit", COL_TEXT, "Metric.unit")                                     \
    ROW(T, ATTRS, "Attributes", COL_ATTRS, "data point attributes")                                \
    ROW(T, START_TIME, "StartTimeUnix", COL_TIME, "start_time_unix_nano")                          \
    ROW(T, TIME, "TimeUnix", COL_TIME, "time_unix_nano, else received")

#define EXEMPLAR_COLUMNS(ROW, T)                                                                   \
    ROW(T, EX_ATTRS, "Exemplars.FilteredAttributes", COL_ATTRS_LIST,                               \
        "exemplars.filtered_attributes")                                                           \
    ROW(T, EX_TIMES, "Exemplars.TimeUnix", COL_TIMES, "exemplars.time_unix_nano")                  \
    ROW(T, EX_VALUES, "Exemplars.Value", COL_NUMBERS, "exemplars.as_double or as_int")             \
    ROW(T, EX_SPAN_IDS, "Exemplars.SpanId", COL_IDS, "exemplars.span_id")                          \
    ROW(T, EX_TRACE_IDS, "Exemplars.TraceId", COL_IDS, "exemplars.trace_id")

#define GAUGE_COLUMNS(ROW)                                                                         \
    METRIC_COMMON_COLUMNS(ROW, GAUGE)                                                              \
    ROW(GAUGE, VALUE, "Value", COL_NUMBER, "as_double or as_int")                                  \
    ROW(GAUGE, FLAGS, "Flags", COL_U32, "flags")                                                   \
    EXEMPLAR_COLUMNS(ROW, GAUGE)

#define SUM_COLUMNS(ROW)                                                                           \
    METRIC_COMMON_COLUMNS(ROW, SUM)                                                                \
    ROW(SUM, VALUE, "Value", COL_NUMBER, "as_double or as_int")                                    \
    ROW(SUM, FLAGS, "Flags", COL_U32, "flags")                                                     \
    EXEMPLAR_COLUMNS(ROW, SUM)                                                                     \
    ROW(SUM, TEMPORALITY, "AggregationTemporality", COL_I32, "Sum.aggregation_temporality")        \
    ROW(SUM, MONOTONIC, "IsMonotonic", COL_BOOL, "Sum.is_monotonic")

#define HISTOGRAM_COLUMNS(ROW)                                                                     \
    METRIC_COMMON_COLUMNS(ROW, HISTOGRAM)                                                          \
    ROW(HISTOGRAM, COUNT, "Count", COL_U64, "count")                                               \
    ROW(HISTOGRAM, SUM, "Sum", COL_F64, "sum")                                                     \
    ROW(HISTOGRAM, BUCKET_COUNTS, "BucketCounts", COL_U64S, "bucket_counts")                       \
    ROW(HISTOGRAM, BOUNDS, "ExplicitBounds", COL_F64S, "explicit_bounds")                          \
    EXEMPLAR_COLUMNS(ROW, HISTOGRAM)                                                               \
    ROW(HISTOGRAM, FLAGS, "Flags", COL_U32, "flags")                                               \
    ROW(HISTOGRAM, MIN, "Min", COL_F64, "min")                                                     \
    ROW(HISTOGRAM, MAX, "Max", COL_F64, "max")                                                     \
    ROW(HISTOGRAM, TEMPORALITY, "AggregationTemporality", COL_I32,                                 \
        "Histogram.aggregation_temporality")

#define EXP_HISTOGRAM_COLUMNS(ROW)                                                                 \
    METRIC_COMMON_COLUMNS(ROW, EXP_HISTOGRAM)                                                      \
    ROW(EXP_HISTOGRAM, COUNT, "Count", COL_U64, "count")                                           \
    ROW(EXP_HISTOGRAM, SUM, "Sum", COL_F64, "sum")                                                 \
    ROW(EXP_HISTOGRAM, SCALE, "Scale", COL_I32, "scale")                                           \
    ROW(EXP_HISTOGRAM, ZERO_COUNT, "ZeroCount", COL_U64, "zero_count")                             \
    ROW(EXP_HISTOGRAM, POSITIVE_OFFSET, "PositiveOffset", COL_I32, "positive.offset")              \
    ROW(EXP_HISTOGRAM, POSITIVE_COUNTS, "PositiveBucketCounts", COL_U64S,                          \
        "positive.bucket_counts")                                                                  \
    ROW(EXP_HISTOGRAM, NEGATIVE_OFFSET, "NegativeOffset", COL_I32, "negative.offset")              \
    ROW(EXP_HISTOGRAM, NEGATIVE_COUNTS, "NegativeBucketCounts", COL_U64S,                          \
        "negative.bucket_counts")                                                                  \
    EXEMPLAR_COLUMNS(ROW, EXP_HISTOGRAM)                                                           \
    ROW(EXP_HISTOGRAM, FLAGS, "Flags", COL_U32, "flags")                                           \
    ROW(EXP_HISTOGRAM, MIN, "Min", COL_F64, "min")                                                 \
    ROW(EXP_HISTOGRAM, MAX, "Max", COL_F64, "max")                                                 \
    ROW(EXP_HISTOGRAM, TEMPORALITY, "AggregationTemporality", COL_I32,                             \
        "ExponentialHistogram.aggregation_temporality")

#define SUMMARY_COLUMNS(ROW)                                                                       \
    METRIC_COMMON_COLUMNS(ROW, SUMMARY)                                                            \
    ROW(SUMMARY, COUNT, "Count", COL_U64, "count")                                                 \
    ROW(SUMMARY, SUM, "Sum", COL_F64, "sum")                                                       \
    ROW(SUMMARY, QUANTILES, "ValueAtQuantiles.Quantile", COL_F64S, "quantile_values.quantile")     \
    ROW(SUMMARY, QUANTILE_VALUES, "ValueAtQuantiles.Value", COL_F64S, "quantile_values.value")     \
    ROW(SUMMARY, FLAGS, "Flags", COL_U32, "flags")

/* LOGS_TIMESTAMP, TRACES_SPAN_NAME, HISTOGRAM_BOUNDS, ... */
#define ROW(table, id, ...) table##_##id,
enum logs_column { LOGS_COLUMNS(ROW) LOGS_COLUMN_COUNT };
enum traces_column { TRACES_COLUMNS(ROW) TRACES_COLUMN_COUNT };
enum gauge_column { GAUGE_COLUMNS(ROW) GAUGE_COLUMN_COUNT };
enum sum_column { SUM_COLUMNS(ROW) SUM_COLUMN_COUNT };
enum histogram_column { HISTOGRAM_COLUMNS(ROW) HISTOGRAM_COLUMN_COUNT };
enum exp_histogram_column { EXP_HISTOGRAM_COLUMNS(ROW) EXP_HISTOGRAM_COLUMN_COUNT };
enum summary_column { SUMMARY_COLUMNS(ROW) SUMMARY_COLUMN_COUNT };
#undef ROW

#endif
