/* The spans of `tenantry send` (Span, trace.proto): small traces of a root and its children, with
 * events, links and statuses. */
#include "cli/send/send_item.h"
#include "cli/send/send_pb.h"

#include <stdio.h>

enum {
    SPAN_TRACE_ID = 1,
    SPAN_SPAN_ID,
    SPAN_TRACE_STATE,
    SPAN_PARENT,
    SPAN_NAME,
    SPAN_KIND,
    SPAN_START,
    SPAN_END,
    SPAN_ATTRIBUTES,
    SPAN_EVENTS = 11,
    SPAN_LINKS = 13,
    SPAN_STATUS = 15,
    SPAN_FLAGS,
};
enum { EVENT_TIME = 1, EVENT_NAME, EVENT_ATTRIBUTES };
enum { LINK_TRACE_ID = 1, LINK_SPAN_ID, LINK_ATTRIBUTES = 4 };
enum { STATUS_MESSAGE = 2, STATUS_CODE };
enum { KIND_INTERNAL = 1, KIND_SERVER, KIND_CLIENT, KIND_PRODUCER, KIND_CONSUMER };

static const struct {
    const char *name;
    unsigned kind;
} shapes[SEND_TRACE_SPANS] = {
    {"GET /api/orders/{id}", KIND_SERVER},    {"SELECT orders", KIND_CLIENT},
    {"check stock", KIND_INTERNAL},           {"send order-changed", KIND_PRODUCER},
    {"receive order-changed", KIND_CONSUMER},
};

static void put_ids(const struct send_item *item, struct buf *out)
{
    struct send_trace_id trace = send_item_trace(item, item->seq / SEND_TRACE_SPANS);
    struct send_span_id span = send_item_span(item, item->seq);
    unsigned place = (unsigned)(item->seq % SEND_TRACE_SPANS);
    pb_bytes(out, SPAN_TRACE_ID, slice_of(trace.bytes, sizeof(trace.bytes)));
    pb_bytes(out, SPAN_SPAN_ID, slice_of(span.bytes, sizeof(span.bytes)));
    if (place > 0) {
        struct send_span_id root = send_item_span(item, item->seq - place);
        pb_bytes(out, SPAN_PARENT, slice_of(root.bytes, sizeof(root.bytes)));
    } else {
        pb_string(out, SPAN_TRACE_STATE, "tenantry=send");
    }
    pb_string(out, SPAN_NAME, shapes[place].name);
    pb_uint(out, SPAN_KIND, shapes[place].kind);
}

static void put_events(const struct send_item *item, uint64_t duration_ns, struct buf *out)
{
    for (uint64_t i = 0; i < item->seq % 3; i++) {
        size_t event = pb_open(out, SPAN_EVENTS);
        pb_fixed64(out, EVENT_TIME, item->time_ns + duration_ns / 3 * (i + 1));
        pb_string(out, EVENT_NAME, i == 0 ? "started" : "answered");
        pb_attribute_int(out, EVENT_ATTRIBUTES, "event.number", (int64_t)i);
        pb_close(out, event);
    }
}

/* A root links to the root of the trace before. */
static void put_link(const struct send_item *item, struct buf *out)
{
    uint64_t trace_number = item->seq / SEND_TRACE_SPANS;
    if (item->seq % SEND_TRACE_SPANS != 0 || trace_number == 0)
        return;
    struct send_trace_id trace = send_item_trace(item, trace_number - 1);
    struct send_span_id span = send_item_span(item, item->seq - SEND_TRACE_SPANS);
    size_t link = pb_open(out, SPAN_LINKS);
    pb_bytes(out, LINK_TRACE_ID, slice_of(trace.bytes, sizeof(trace.bytes)));
    pb_bytes(out, LINK_SPAN_ID, slice_of(span.bytes, sizeof(span.bytes)));
    pb_attribute_string(out, LINK_ATTRIBUTES, "link.kind", SLICE_LIT("previous"));
    pb_close(out, link);
}

/* One in eight failed; half of the others say that all is well. */
static void put_status(const struct send_item *item, struct buf *out)
{
    size_t status = pb_open(out, SPAN_STATUS);
    if ((item->hash & 7) == 0) {
        pb_string(out, STATUS_MESSAGE, "the other side did not answer in time");
        pb_uint(out, STATUS_CODE, 2);
    } else if (item->hash & 8) {
        pb_uint(out, STATUS_CODE, 1);
    }
    pb_close(out, status);
}

void send_span(const struct send_item *item, struct buf *out)
{
    uint64_t duration_ns = 1000000 + item->hash % 50000000;
    put_ids(item, out);
    pb_fixed64(out, SPAN_START, item->time_ns);
    pb_fixed64(out, SPAN_END, item->time_ns + duration_ns);
    send_item_attributes(item, SPAN_ATTRIBUTES, out);
    put_events(item, duration_ns, out);
    put_link(item, out);
    put_status(item, out);
    pb_fixed32(out, SPAN_FLAGS, 0x101);
}
