#include "otlp/decode_walk.h"

/* LogRecord */
enum {
    LOG_TIME = 1,
    LOG_SEVERITY_NUMBER = 2,
    LOG_SEVERITY_TEXT = 3,
    LOG_BODY = 5,
    LOG_ATTRIBUTES = 6,
    LOG_FLAGS = 8,
    LOG_TRACE_ID = 9,
    LOG_SPAN_ID = 10,
    LOG_OBSERVED_TIME = 11,
    LOG_EVENT_NAME = 12,
};

/* Severities are 0 to 24; others come from mistakes and must fit the column. */
static uint64_t severity(uint64_t wire)
{
    int32_t n = (int32_t)wire;
    return n < 0 ? 0 : n > UINT8_MAX ? UINT8_MAX : (uint64_t)n;
}

static void begin_scope(struct decoder *d)
{
    decode_blank(d, TABLE_LOGS);
    struct cell *c = d->blank;
    c[LOGS_SERVICE_NAME].text = d->resource.service_name;
    c[LOGS_RESOURCE_SCHEMA_URL].text = d->resource.schema_url;
    c[LOGS_RESOURCE_ATTRS].attrs = d->resource.attrs;
    c[LOGS_SCOPE_SCHEMA_URL].text = d->scope.schema_url;
    c[LOGS_SCOPE_NAME].text = d->scope.name;
    c[LOGS_SCOPE_VERSION].text = d->scope.version;
    c[LOGS_SCOPE_ATTRS].attrs = d->scope.attrs;
}

/* One field of the record that goes into a cell as it is. */
static void plain_field(struct cell *c, const struct wire_field *f)
{
    switch (WIRE_KEY(f->number, f->type)) {
    case KEY_VARINT(LOG_SEVERITY_NUMBER):
        c[LOGS_SEVERITY_NUMBER].u64 = severity(f->value);
        break;
    case KEY_BYTES(LOG_SEVERITY_TEXT):
        c[LOGS_SEVERITY_TEXT].text = f->bytes;
        break;
    case KEY_FIXED32(LOG_FLAGS):
        c[LOGS_TRACE_FLAGS].u64 = f->value & 0xff;
        break;
    case KEY_BYTES(LOG_TRACE_ID):
        c[LOGS_TRACE_ID].text = decode_id(f->bytes);
        break;
    case KEY_BYTES(LOG_SPAN_ID):
        c[LOGS_SPAN_ID].text = decode_id(f->bytes);
        break;
    case KEY_BYTES(LOG_EVENT_NAME):
        c[LOGS_EVENT_NAME].text = f->bytes;
        break;
    default:
        break;
    }
}

static enum decode_status log_record(struct decoder *d, struct slice record)
{
    struct cell *c = decode_begin(d, TABLE_LOGS);
    struct repeated body = {0}, attrs = {0};
    uint64_t time = 0, observed = 0;
    struct slice any;
    struct wire w = wire_of(record);
    struct wire_field f = {0};
    for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at) {
        switch (WIRE_KEY(f.number, f.type)) {
        case KEY_FIXED64(LOG_TIME):
            time = f.value;
            break;
        case KEY_FIXED64(LOG_OBSERVED_TIME):
            observed = f.value;
            break;
        case KEY_BYTES(LOG_BODY):
            repeated_add(&body, start, w.at, f.bytes);
            break;
        case KEY_BYTES(LOG_ATTRIBUTES):
            repeated_add(&attrs, start, w.at, f.bytes);
            break;
        default:
            plain_field(c, &f);
        }
    }
    c[LOGS_TIMESTAMP].u64 = decode_time(time, observed != 0 ? observed : d->received_ns);
    if (!repeated_merge(d->a, &body, LOG_BODY, &any))
        return DECODE_NO_MEMORY;
    enum decode_status status = decode_text(d, any, &c[LOGS_BODY].text);
    if (status == DECODE_OK)
        status = decode_attrs(d, &attrs, LOG_ATTRIBUTES, &c[LOGS_LOG_ATTRS]);
    return status == DECODE_OK ? decode_emit(d, TABLE_LOGS) : status;
}

const struct signal_walk decode_logs = {begin_scope, log_record};
