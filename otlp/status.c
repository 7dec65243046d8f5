#include "otlp/status.h"

#include "base/json.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h"

/* The type URL of a detail, exactly so (R206). */
#define TYPE_URL        "type.googleapis.com/google.rpc."
#define NS_PER_S        UINT64_C(1000000000)
#define NS_PER_MS       UINT64_C(1000000)
#define DETAILS_AT_MOST 2

static void pack(struct buf *out, const ProtobufCMessage *m)
{
    size_t size = protobuf_c_message_get_packed_size(m);
    uint8_t *at = size ? buf_reserve(out, size) : NULL;
    if (at != NULL)
        out->len += protobuf_c_message_pack(m, at);
}

void status_encode_retry_info(struct buf *out, uint64_t retry_delay_ns)
{
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
    delay.seconds = (int64_t)(retry_delay_ns / NS_PER_S);
    delay.nanos = (int32_t)(retry_delay_ns % NS_PER_S);
    Google__Rpc__RetryInfo info = GOOGLE__RPC__RETRY_INFO__INIT;
    info.retry_delay = &delay;
    pack(out, &info.base);
}

/* protobuf-c's strings are not const, though packing only reads them. */
static char *unconst(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void encode_bad_request(struct buf *out, const struct status *s)
{
    Google__Rpc__BadRequest__FieldViolation violation =
        GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT;
    violation.field = unconst(s->bad_field);
    violation.description = unconst(s->message ? s->message : "");
    Google__Rpc__BadRequest__FieldViolation *violations[] = {&violation};
    Google__Rpc__BadRequest bad = GOOGLE__RPC__BAD_REQUEST__INIT;
    bad.n_field_violations = 1;
    bad.field_violations = violations;
    pack(out, &bad.base);
}

static Google__Protobuf__Any detail_of(const char *type_url, const struct buf *value)
{
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    any.type_url = unconst(type_url);
    any.value.data = value->at;
    any.value.len = value->len;
    return any;
}

void status_encode(struct buf *out, const struct status *s)
{
    struct buf retry = BUF_INIT, bad = BUF_INIT;
    Google__Protobuf__Any any[DETAILS_AT_MOST], *details[DETAILS_AT_MOST] = {&any[0], &any[1]};
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    status.code = s->code;
    status.message = unconst(s->message ? s->message : "");
    status.details = details;
    if (s->retry_delay_ns > 0) {
        status_encode_retry_info(&retry, s->retry_delay_ns);
        any[status.n_details++] = detail_of(TYPE_URL "RetryInfo", &retry);
    }
    if (s->bad_field != NULL) {
        encode_bad_request(&bad, s);
        any[status.n_details++] = detail_of(TYPE_URL "BadRequest", &bad);
    }
    pack(out, &status.base);
    out->failed |= retry.failed || bad.failed;
    buf_release(&retry);
    buf_release(&bad);
}

static void json_text(struct buf *out, const char *text)
{
    json_string(out, slice_str(text ? text : ""));
}

/* "5s", or with 3, 6 or 9 digits of a fraction, as ProtoJSON writes a Duration. */
static void json_duration(struct buf *out, uint64_t ns)
{
    uint64_t s = ns / NS_PER_S, rest = ns % NS_PER_S;
    if (rest == 0)
        buf_printf(out, "\"%llus\"", (unsigned long long)s);
    else if (rest % NS_PER_MS == 0)
        buf_printf(out, "\"%llu.%03us\"", (unsigned long long)s, (unsigned)(rest / NS_PER_MS));
    else if (rest % 1000 == 0)
        buf_printf(out, "\"%llu.%06us\"", (unsigned long long)s, (unsigned)(rest / 1000));
    else
        buf_printf(out, "\"%llu.%09us\"", (unsigned long long)s, (unsigned)rest);
}

void status_json(struct buf *out, const struct status *s)
{
    const char *separator = "";
    buf_printf(out, "{\"code\":%d,\"message\":", s->code);
    json_text(out, s->message);
    if (s->retry_delay_ns == 0 && s->bad_field == NULL) {
        buf_append_str(out, "}");
        return;
    }
    buf_append_str(out, ",\"details\":[");
    if (s->retry_delay_ns > 0) {
        buf_append_str(out, "{\"@type\":\"" TYPE_URL "RetryInfo\",\"retryDelay\":");
        json_duration(out, s->retry_delay_ns);
        buf_append_str(out, "}");
        separator = ",";
    }
    if (s->bad_field != NULL) {
        buf_append_str(out, separator);
        buf_append_str(out,
                       "{\"@type\":\"" TYPE_URL "BadRequest\",\"fieldViolations\":[{\"field\":");
        json_text(out, s->bad_field);
        buf_append_str(out, ",\"description\":");
        json_text(out, s->message);
        buf_append_str(out, "}]}");
    }
    buf_append_str(out, "]}");
}

/* partial_success is there only when it says something (R99, R107, R108). */
static bool full_success(uint64_t rejected, const char *message)
{
    return rejected == 0 && (message == NULL || message[0] == '\0');
}

/* The three responses differ in the name of one counter, which is not on the wire: the type for
 * traces encodes them all. */
void response_encode(struct buf *out, enum signal signal, uint64_t rejected, const char *message)
{
    (void)signal;
    if (full_success(rejected, message))
        return;
    Opentelemetry__Proto__Collector__Trace__V1__ExportTracePartialSuccess partial =
        OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__EXPORT_TRACE_PARTIAL_SUCCESS__INIT;
    partial.rejected_spans = (int64_t)rejected;
    partial.error_message = unconst(message ? message : "");
    Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceResponse response =
        OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__EXPORT_TRACE_SERVICE_RESPONSE__INIT;
    response.partial_success = &partial;
    pack(out, &response.base);
}

void response_json(struct buf *out, enum signal signal, uint64_t rejected, const char *message)
{
    if (full_success(rejected, message)) {
        buf_append_str(out, "{}");
        return;
    }
    /* int64 is a decimal string in JSON (R242); a counter of 0 is absent, like every default. */
    const char *separator = "";
    buf_append_str(out, "{\"partialSuccess\":{");
    if (rejected > 0) {
        buf_printf(out, "\"%s\":\"%llu\"", signal_info[signal].rejected_name,
                   (unsigned long long)rejected);
        separator = ",";
    }
    if (message != NULL && message[0] != '\0') {
        buf_append_str(out, separator);
        buf_append_str(out, "\"errorMessage\":");
        json_text(out, message);
    }
    buf_append_str(out, "}}");
}
