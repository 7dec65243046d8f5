/* The log records of `tenantry send` (LogRecord, logs.proto). */
#include "cli/send/send_item.h"
#include "cli/send/send_pb.h"

#include <stdio.h>

enum {
    LOG_TIME = 1,
    LOG_SEVERITY,
    LOG_SEVERITY_TEXT,
    LOG_BODY = 5,
    LOG_ATTRIBUTES,
    LOG_FLAGS = 8,
    LOG_TRACE_ID,
    LOG_SPAN_ID,
    LOG_OBSERVED_TIME,
    LOG_EVENT_NAME,
};

static const struct {
    unsigned number;
    const char *text;
} severities[] = {{9, "INFO"}, {9, "INFO"},  {5, "DEBUG"},  {13, "WARN"},
                  {9, "INFO"}, {1, "TRACE"}, {17, "ERROR"}, {21, "FATAL"}};

static const char *const texts[] = {
    "GET /api/orders/%llu 200 in 12 ms",
    "payment of order %llu was accepted by the provider after one try",
    "cache miss for key user:%llu:profile, read from the database",
    "connection %llu closed by the peer",
};

/* One body in sixteen is structured. */
static void put_body(const struct send_item *item, struct buf *out)
{
    char text[128];
    snprintf(text, sizeof(text), texts[item->hash >> 8 & 3], (unsigned long long)item->seq);
    size_t body = pb_open(out, LOG_BODY);
    if (item->seq % 16 == 15) {
        size_t list = pb_open(out, 6);
        pb_attribute_string(out, 1, "message", slice_str(text));
        pb_attribute_int(out, 1, "order", (int64_t)item->seq);
        pb_close(out, list);
    } else {
        pb_string(out, 1, text);
    }
    pb_close(out, body);
}

void send_log_record(const struct send_item *item, struct buf *out)
{
    size_t severity = item->hash & 7;
    pb_fixed64(out, LOG_TIME, item->time_ns);
    pb_uint(out, LOG_SEVERITY, severities[severity].number);
    pb_string(out, LOG_SEVERITY_TEXT, severities[severity].text);
    put_body(item, out);
    send_item_attributes(item, LOG_ATTRIBUTES, out);
    if (item->seq % 2 == 0) { /* the others belong to no trace */
        struct send_trace_id trace = send_item_trace(item, item->seq / SEND_TRACE_SPANS);
        struct send_span_id span = send_item_span(item, item->seq);
        pb_fixed32(out, LOG_FLAGS, 1);
        pb_bytes(out, LOG_TRACE_ID, slice_of(trace.bytes, sizeof(trace.bytes)));
        pb_bytes(out, LOG_SPAN_ID, slice_of(span.bytes, sizeof(span.bytes)));
    }
    pb_fixed64(out, LOG_OBSERVED_TIME, item->time_ns + 1000);
    if (item->seq % 8 == 7)
        pb_string(out, LOG_EVENT_NAME, "order.changed");
}
