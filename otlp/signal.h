/* The signals of OTLP that are served: one row each, everything else about "which signal" is
 * generated from it. (OTLP §OTLP/HTTP Request, §OTLP/gRPC; R55-R57, R131-R133) */
#ifndef OTLP_SIGNAL_H
#define OTLP_SIGNAL_H

#include "base/slice.h"

/* id, name (also topic suffix and option name), HTTP path, gRPC path, the rejected counter's name,
 * what one item is called */
#define SIGNALS(ROW)                                                                               \
    ROW(TRACES, "traces", "/v1/traces",                                                            \
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export", "rejectedSpans", "span")    \
    ROW(METRICS, "metrics", "/v1/metrics",                                                         \
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", "rejectedDataPoints",   \
        "data point")                                                                              \
    ROW(LOGS, "logs", "/v1/logs", "/opentelemetry.proto.collector.logs.v1.LogsService/Export",     \
        "rejectedLogRecords", "log record")

enum signal {
#define ROW(id, ...) SIGNAL_##id,
    SIGNALS(ROW)
#undef ROW
        SIGNAL_COUNT
};

struct signal_info {
    const char *name, *http_path, *grpc_path, *rejected_name, *item_name;
};
extern const struct signal_info signal_info[SIGNAL_COUNT];

/* By name ("traces"); SIGNAL_COUNT when there is none. */
enum signal signal_by_name(struct slice name);

#endif
