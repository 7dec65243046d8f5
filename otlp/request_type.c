#include "otlp/request_type.h"

#include "opentelemetry/proto/collector/logs/v1/logs_service.pb-c.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h"

const ProtobufCMessageDescriptor *const request_type[SIGNAL_COUNT] = {
    [SIGNAL_TRACES] =
        &opentelemetry__proto__collector__trace__v1__export_trace_service_request__descriptor,
    [SIGNAL_METRICS] =
        &opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__descriptor,
    [SIGNAL_LOGS] =
        &opentelemetry__proto__collector__logs__v1__export_logs_service_request__descriptor,
};
