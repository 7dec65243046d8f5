#include "otlp/scan_schema.h"

#define FIELD(name, kind, role, sub)                                                               \
    {                                                                                              \
        name, sub, SCHEMA_##kind, role, 0, 0                                                       \
    }
#define ID(name, len, defect)                                                                      \
    {                                                                                              \
        name, NULL, SCHEMA_ID, ROLE_NONE, len, DEFECT_BIT(defect)                                  \
    }
#define TRACE_ID(name, kind, len, defects)                                                         \
    {                                                                                              \
        name, NULL, SCHEMA_##kind, ROLE_TRACE_ID, len, defects                                     \
    }
#define TIME(name)                                                                                 \
    {                                                                                              \
        name, NULL, SCHEMA_TIME, ROLE_NONE, 0, DEFECT_BIT(TIME)                                    \
    }

#define VARINT(name)             FIELD(name, VARINT, ROLE_NONE, NULL)
#define FIXED32(name)            FIELD(name, FIXED32, ROLE_NONE, NULL)
#define FIXED64(name)            FIELD(name, FIXED64, ROLE_NONE, NULL)
#define VARINTS(name)            FIELD(name, VARINTS, ROLE_NONE, NULL)
#define BYTES(name)              FIELD(name, BYTES, ROLE_NONE, NULL)
#define COUNTS(name)             FIELD(name, COUNTS, ROLE_NONE, NULL)
#define BOUNDS(name)             FIELD(name, BOUNDS, ROLE_NONE, NULL)
#define INDEX(name)              FIELD(name, INDEX, ROLE_NONE, NULL)
#define SUB(name, sub)           FIELD(name, MESSAGE, ROLE_NONE, &(sub))
#define COUNTED(name, sub, role) FIELD(name, MESSAGE, role, &(sub))
#define SHARED_VARINT(name)      FIELD(name, VARINT, ROLE_SHARED, NULL)
#define SHARED_BYTES(name)       FIELD(name, BYTES, ROLE_SHARED, NULL)
#define SHARED_SUB(name, sub)    FIELD(name, MESSAGE, ROLE_SHARED, &(sub))

/* AnyValue holds lists of itself. */
static const struct schema_message array_value, key_value_list;

static const struct schema_message any_value = {
    .name = "AnyValue",
    .fields =
        {
            [1] = BYTES("AnyValue.string_value"),
            [2] = VARINT("AnyValue.bool_value"),
            [3] = VARINT("AnyValue.int_value"),
            [4] = FIXED64("AnyValue.double_value"),
            [5] = SUB("AnyValue.array_value", array_value),
            [6] = SUB("AnyValue.kvlist_value", key_value_list),
            [7] = BYTES("AnyValue.bytes_value"),
            [8] = INDEX("AnyValue.string_value_strindex"),
        },
};

static const struct schema_message array_value = {
    .name = "ArrayValue",
    .fields =
        {
            [1] = SUB("ArrayValue.values", any_value),
        },
};

static const struct schema_message key_value_list = {
    .name = "KeyValueList",
    .fields =
        {
            [1] = SUB("KeyValueList.values", schema_key_value),
        },
};

const struct schema_message schema_key_value = {
    .name = "KeyValue",
    .fields =
        {
            [1] = BYTES("KeyValue.key"),
            [2] = SUB("KeyValue.value", any_value),
            [3] = INDEX("KeyValue.key_strindex"),
        },
};

static const struct schema_message instrumentation_scope = {
    .name = "InstrumentationScope",
    .fields =
        {
            [1] = BYTES("InstrumentationScope.name"),
            [2] = BYTES("InstrumentationScope.version"),
            [3] = SUB("InstrumentationScope.attributes", schema_key_value),
            [4] = VARINT("InstrumentationScope.dropped_attributes_count"),
        },
};

static const struct schema_message entity_ref = {
    .name = "EntityRef",
    .fields =
        {
            [1] = BYTES("EntityRef.schema_url"),
            [2] = BYTES("EntityRef.type"),
            [3] = BYTES("EntityRef.id_keys"),
            [4] = BYTES("EntityRef.description_keys"),
        },
};

static const struct schema_message resource = {
    .name = "Resource",
    .fields =
        {
            [1] = SUB("Resource.attributes", schema_key_value),
            [2] = VARINT("Resource.dropped_attributes_count"),
            [3] = SUB("Resource.entity_refs", entity_ref),
        },
};

static const struct schema_message span_event = {
    .name = "Span.Event",
    .fields =
        {
            [1] = FIXED64("Span.Event.time_unix_nano"),
            [2] = BYTES("Span.Event.name"),
            [3] = SUB("Span.Event.attributes", schema_key_value),
            [4] = VARINT("Span.Event.dropped_attributes_count"),
        },
};

static const struct schema_message span_link = {
    .name = "Span.Link",
    .fields =
        {
            [1] = ID("Span.Link.trace_id", 16, LINK_TRACE_ID),
            [2] = ID("Span.Link.span_id", 8, LINK_SPAN_ID),
            [3] = BYTES("Span.Link.trace_state"),
            [4] = SUB("Span.Link.attributes", schema_key_value),
            [5] = VARINT("Span.Link.dropped_attributes_count"),
            [6] = FIXED32("Span.Link.flags"),
        },
};

static const struct schema_message status = {
    .name = "Status",
    .fields =
        {
            [2] = BYTES("Status.message"),
            [3] = VARINT("Status.code"),
        },
};

static const struct schema_message span = {
    .name = "Span",
    .required = DEFECT_BIT(TRACE_ID) | DEFECT_BIT(SPAN_ID),
    .fields =
        {
            [1] = TRACE_ID("Span.trace_id", ID, 16, DEFECT_BIT(TRACE_ID)),
            [2] = ID("Span.span_id", 8, SPAN_ID),
            [3] = BYTES("Span.trace_state"),
            [4] = ID("Span.parent_span_id", 8, PARENT_ID),
            [5] = BYTES("Span.name"),
            [6] = VARINT("Span.kind"),
            [7] = FIXED64("Span.start_time_unix_nano"),
            [8] = FIXED64("Span.end_time_unix_nano"),
            [9] = SUB("Span.attributes", schema_key_value),
            [10] = VARINT("Span.dropped_attributes_count"),
            [11] = SUB("Span.events", span_event),
            [12] = VARINT("Span.dropped_events_count"),
            [13] = SUB("Span.links", span_link),
            [14] = VARINT("Span.dropped_links_count"),
            [15] = SUB("Span.status", status),
            [16] = FIXED32("Span.flags"),
        },
};

static const struct schema_message scope_spans = {
    .name = "ScopeSpans",
    .fields =
        {
            [1] = SHARED_SUB("ScopeSpans.scope", instrumentation_scope),
            [2] = COUNTED("ScopeSpans.spans", span, ROLE_ITEM),
            [3] = SHARED_BYTES("ScopeSpans.schema_url"),
        },
};

static const struct schema_message resource_spans = {
    .name = "ResourceSpans",
    .fields =
        {
            [1] = SHARED_SUB("ResourceSpans.resource", resource),
            [2] = COUNTED("ResourceSpans.scope_spans", scope_spans, ROLE_SCOPE),
            [3] = SHARED_BYTES("ResourceSpans.schema_url"),
        },
};

static const struct schema_message export_trace_service_request = {
    .name = "ExportTraceServiceRequest",
    .fields =
        {
            [1] =
                COUNTED("ExportTraceServiceRequest.resource_spans", resource_spans, ROLE_RESOURCE),
        },
};

static const struct schema_message exemplar = {
    .name = "Exemplar",
    .fields =
        {
            [2] = FIXED64("Exemplar.time_unix_nano"),
            [3] = FIXED64("Exemplar.as_double"),
            [4] = ID("Exemplar.span_id", 8, EXEMPLAR_SPAN_ID),
            [5] = ID("Exemplar.trace_id", 16, EXEMPLAR_TRACE_ID),
            [6] = FIXED64("Exemplar.as_int"),
            [7] = SUB("Exemplar.filtered_attributes", schema_key_value),
        },
};

static const struct schema_message number_data_point = {
    .name = "NumberDataPoint",
    .required = DEFECT_BIT(TIME),
    .fields =
        {
            [2] = FIXED64("NumberDataPoint.start_time_unix_nano"),
            [3] = TIME("NumberDataPoint.time_unix_nano"),
            [4] = FIXED64("NumberDataPoint.as_double"),
            [5] = SUB("NumberDataPoint.exemplars", exemplar),
            [6] = FIXED64("NumberDataPoint.as_int"),
            [7] = SUB("NumberDataPoint.attributes", schema_key_value),
            [8] = VARINT("NumberDataPoint.flags"),
        },
};

static const struct schema_message histogram_data_point = {
    .name = "HistogramDataPoint",
    .required = DEFECT_BIT(TIME),
    .fields =
        {
            [2] = FIXED64("HistogramDataPoint.start_time_unix_nano"),
            [3] = TIME("HistogramDataPoint.time_unix_nano"),
            [4] = FIXED64("HistogramDataPoint.count"),
            [5] = FIXED64("HistogramDataPoint.sum"),
            [6] = COUNTS("HistogramDataPoint.bucket_counts"),
            [7] = BOUNDS("HistogramDataPoint.explicit_bounds"),
            [8] = SUB("HistogramDataPoint.exemplars", exemplar),
            [9] = SUB("HistogramDataPoint.attributes", schema_key_value),
            [10] = VARINT("HistogramDataPoint.flags"),
            [11] = FIXED64("HistogramDataPoint.min"),
            [12] = FIXED64("HistogramDataPoint.max"),
        },
};

static const struct schema_message exponential_histogram_data_point_buckets = {
    .name = "ExponentialHistogramDataPoint.Buckets",
    .fields =
        {
            [1] = VARINT("ExponentialHistogramDataPoint.Buckets.offset"),
            [2] = VARINTS("ExponentialHistogramDataPoint.Buckets.bucket_counts"),
        },
};

static const struct schema_message exponential_histogram_data_point = {
    .name = "ExponentialHistogramDataPoint",
    .required = DEFECT_BIT(TIME),
    .fields =
        {
            [1] = SUB("ExponentialHistogramDataPoint.attributes", schema_key_value),
            [2] = FIXED64("ExponentialHistogramDataPoint.start_time_unix_nano"),
            [3] = TIME("ExponentialHistogramDataPoint.time_unix_nano"),
            [4] = FIXED64("ExponentialHistogramDataPoint.count"),
            [5] = FIXED64("ExponentialHistogramDataPoint.sum"),
            [6] = VARINT("ExponentialHistogramDataPoint.scale"),
            [7] = FIXED64("ExponentialHistogramDataPoint.zero_count"),
            [8] = SUB("ExponentialHistogramDataPoint.positive",
                      exponential_histogram_data_point_buckets),
            [9] = SUB("ExponentialHistogramDataPoint.negative",
                      exponential_histogram_data_point_buckets),
            [10] = VARINT("ExponentialHistogramDataPoint.flags"),
            [11] = SUB("ExponentialHistogramDataPoint.exemplars", exemplar),
            [12] = FIXED64("ExponentialHistogramDataPoint.min"),
            [13] = FIXED64("ExponentialHistogramDataPoint.max"),
            [14] = FIXED64("ExponentialHistogramDataPoint.zero_threshold"),
        },
};

static const struct schema_message summary_data_point_value_at_quantile = {
    .name = "SummaryDataPoint.ValueAtQuantile",
    .fields =
        {
            [1] = FIXED64("SummaryDataPoint.ValueAtQuantile.quantile"),
            [2] = FIXED64("SummaryDataPoint.ValueAtQuantile.value"),
        },
};

static const struct schema_message summary_data_point = {
    .name = "SummaryDataPoint",
    .required = DEFECT_BIT(TIME),
    .fields =
        {
            [2] = FIXED64("SummaryDataPoint.start_time_unix_nano"),
            [3] = TIME("SummaryDataPoint.time_unix_nano"),
            [4] = FIXED64("SummaryDataPoint.count"),
            [5] = FIXED64("SummaryDataPoint.sum"),
            [6] = SUB("SummaryDataPoint.quantile_values", summary_data_point_value_at_quantile),
            [7] = SUB("SummaryDataPoint.attributes", schema_key_value),
            [8] = VARINT("SummaryDataPoint.flags"),
        },
};

static const struct schema_message gauge = {
    .name = "Gauge",
    .fields =
        {
            [1] = COUNTED("Gauge.data_points", number_data_point, ROLE_ITEM),
        },
};

static const struct schema_message sum = {
    .name = "Sum",
    .fields =
        {
            [1] = COUNTED("Sum.data_points", number_data_point, ROLE_ITEM),
            [2] = SHARED_VARINT("Sum.aggregation_temporality"),
            [3] = SHARED_VARINT("Sum.is_monotonic"),
        },
};

static const struct schema_message histogram = {
    .name = "Histogram",
    .fields =
        {
            [1] = COUNTED("Histogram.data_points", histogram_data_point, ROLE_ITEM),
            [2] = SHARED_VARINT("Histogram.aggregation_temporality"),
        },
};

static const struct schema_message exponential_histogram = {
    .name = "ExponentialHistogram",
    .fields =
        {
            [1] = COUNTED("ExponentialHistogram.data_points", exponential_histogram_data_point,
                          ROLE_ITEM),
            [2] = SHARED_VARINT("ExponentialHistogram.aggregation_temporality"),
        },
};

static const struct schema_message summary = {
    .name = "Summary",
    .fields =
        {
            [1] = COUNTED("Summary.data_points", summary_data_point, ROLE_ITEM),
        },
};

static const struct schema_message metric = {
    .name = "Metric",
    .fields =
        {
            [1] = SHARED_BYTES("Metric.name"),
            [2] = SHARED_BYTES("Metric.description"),
            [3] = SHARED_BYTES("Metric.unit"),
            [5] = COUNTED("Metric.gauge", gauge, ROLE_DATA),
            [7] = COUNTED("Metric.sum", sum, ROLE_DATA),
            [9] = COUNTED("Metric.histogram", histogram, ROLE_DATA),
            [10] = COUNTED("Metric.exponential_histogram", exponential_histogram, ROLE_DATA),
            [11] = COUNTED("Metric.summary", summary, ROLE_DATA),
            [12] = SHARED_SUB("Metric.metadata", schema_key_value),
        },
};

static const struct schema_message scope_metrics = {
    .name = "ScopeMetrics",
    .fields =
        {
            [1] = SHARED_SUB("ScopeMetrics.scope", instrumentation_scope),
            [2] = COUNTED("ScopeMetrics.metrics", metric, ROLE_METRIC),
            [3] = SHARED_BYTES("ScopeMetrics.schema_url"),
        },
};

static const struct schema_message resource_metrics = {
    .name = "ResourceMetrics",
    .fields =
        {
            [1] = SHARED_SUB("ResourceMetrics.resource", resource),
            [2] = COUNTED("ResourceMetrics.scope_metrics", scope_metrics, ROLE_SCOPE),
            [3] = SHARED_BYTES("ResourceMetrics.schema_url"),
        },
};

static const struct schema_message export_metrics_service_request = {
    .name = "ExportMetricsServiceRequest",
    .fields =
        {
            [1] = COUNTED("ExportMetricsServiceRequest.resource_metrics", resource_metrics,
                          ROLE_RESOURCE),
        },
};

static const struct schema_message log_record = {
    .name = "LogRecord",
    .fields =
        {
            [1] = FIXED64("LogRecord.time_unix_nano"),
            [2] = VARINT("LogRecord.severity_number"),
            [3] = BYTES("LogRecord.severity_text"),
            [5] = SUB("LogRecord.body", any_value),
            [6] = SUB("LogRecord.attributes", schema_key_value),
            [7] = VARINT("LogRecord.dropped_attributes_count"),
            [8] = FIXED32("LogRecord.flags"),
            [9] = TRACE_ID("LogRecord.trace_id", BYTES, 0, 0),
            [10] = BYTES("LogRecord.span_id"),
            [11] = FIXED64("LogRecord.observed_time_unix_nano"),
            [12] = BYTES("LogRecord.event_name"),
        },
};

static const struct schema_message scope_logs = {
    .name = "ScopeLogs",
    .fields =
        {
            [1] = SHARED_SUB("ScopeLogs.scope", instrumentation_scope),
            [2] = COUNTED("ScopeLogs.log_records", log_record, ROLE_ITEM),
            [3] = SHARED_BYTES("ScopeLogs.schema_url"),
        },
};

static const struct schema_message resource_logs = {
    .name = "ResourceLogs",
    .fields =
        {
            [1] = SHARED_SUB("ResourceLogs.resource", resource),
            [2] = COUNTED("ResourceLogs.scope_logs", scope_logs, ROLE_SCOPE),
            [3] = SHARED_BYTES("ResourceLogs.schema_url"),
        },
};

static const struct schema_message export_logs_service_request = {
    .name = "ExportLogsServiceRequest",
    .fields =
        {
            [1] = COUNTED("ExportLogsServiceRequest.resource_logs", resource_logs, ROLE_RESOURCE),
        },
};

const struct schema_message *const schema_request[SIGNAL_COUNT] = {
    [SIGNAL_TRACES] = &export_trace_service_request,
    [SIGNAL_METRICS] = &export_metrics_service_request,
    [SIGNAL_LOGS] = &export_logs_service_request,
};
