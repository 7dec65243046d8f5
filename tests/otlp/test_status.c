/* Responses and statuses: what was encoded is read back with the type the client would use. */
#include "tests/base/unit.h"

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "opentelemetry/proto/collector/logs/v1/logs_service.pb-c.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h"
#include "otlp/status.h"

static Google__Rpc__Status *decoded(const struct status *s)
{
    struct buf out = BUF_INIT;
    status_encode(&out, s);
    assert_false(out.failed);
    Google__Rpc__Status *m = google__rpc__status__unpack(NULL, out.len, out.at);
    assert_non_null(m);
    buf_release(&out);
    return m;
}

static void R118_status_has_code_and_message(void **state)
{
    (void)state;
    Google__Rpc__Status *m = decoded(&(struct status){.code = 7, .message = "tenant is suspended"});
    assert_int_equal(m->code, 7);
    assert_string_equal(m->message, "tenant is suspended");
    assert_int_equal(m->n_details, 0);
    google__rpc__status__free_unpacked(m, NULL);
}

static void R206_retry_info_is_a_typed_detail(void **state)
{
    (void)state;
    Google__Rpc__Status *m =
        decoded(&(struct status){.code = 14, .message = "slow down", .retry_delay_ns = 2500000001});
    assert_int_equal(m->n_details, 1);
    assert_string_equal(m->details[0]->type_url, "type.googleapis.com/google.rpc.RetryInfo");
    Google__Rpc__RetryInfo *info =
        google__rpc__retry_info__unpack(NULL, m->details[0]->value.len, m->details[0]->value.data);
    assert_non_null(info);
    assert_int_equal(info->retry_delay->seconds, 2);
    assert_int_equal(info->retry_delay->nanos, 500000001);
    google__rpc__retry_info__free_unpacked(info, NULL);
    google__rpc__status__free_unpacked(m, NULL);
}

static void R124_bad_request_names_the_field(void **state)
{
    (void)state;
    Google__Rpc__Status *m = decoded(&(struct status){
        .code = 3, .message = "wrong wire type", .retry_delay_ns = 1, .bad_field = "Span.name"});
    assert_int_equal(m->n_details, 2);
    assert_string_equal(m->details[1]->type_url, "type.googleapis.com/google.rpc.BadRequest");
    Google__Rpc__BadRequest *bad =
        google__rpc__bad_request__unpack(NULL, m->details[1]->value.len, m->details[1]->value.data);
    assert_non_null(bad);
    assert_int_equal(bad->n_field_violations, 1);
    assert_string_equal(bad->field_violations[0]->field, "Span.name");
    assert_string_equal(bad->field_violations[0]->description, "wrong wire type");
    google__rpc__bad_request__free_unpacked(bad, NULL);
    google__rpc__status__free_unpacked(m, NULL);
}

static void R205_retry_info_stands_alone(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    status_encode_retry_info(&out, 5000000000);
    assert_int_equal(out.len, 4); /* retry_delay { seconds: 5 } */
    assert_memory_equal(out.at, "\x0a\x02\x08\x05", 4);
    buf_release(&out);
}

static void R258_status_in_json(void **state)
{
    (void)state;
#define RETRY "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":"
#define BAD   "{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\",\"fieldViolations\":"
    static const struct {
        int line;
        struct status s;
        const char *json;
    } rows[] = {
        {__LINE__,
         {.code = 5, .message = "no \"such\" path"},
         "{\"code\":5,\"message\":\"no \\\"such\\\" path\"}"},
        {__LINE__, {.code = 13}, "{\"code\":13,\"message\":\"\"}"},
        {__LINE__,
         {.code = 14, .message = "a", .retry_delay_ns = 5000000000},
         "{\"code\":14,\"message\":\"a\",\"details\":[" RETRY "\"5s\"}]}"},
        {__LINE__,
         {.code = 14, .message = "a", .retry_delay_ns = 1500000000},
         "{\"code\":14,\"message\":\"a\",\"details\":[" RETRY "\"1.500s\"}]}"},
        {__LINE__,
         {.code = 14, .message = "a", .retry_delay_ns = 20000},
         "{\"code\":14,\"message\":\"a\",\"details\":[" RETRY "\"0.000020s\"}]}"},
        {__LINE__,
         {.code = 14, .message = "a", .retry_delay_ns = 3000000007},
         "{\"code\":14,\"message\":\"a\",\"details\":[" RETRY "\"3.000000007s\"}]}"},
        {__LINE__,
         {.code = 3, .message = "a", .retry_delay_ns = 1000000000, .bad_field = "f"},
         "{\"code\":3,\"message\":\"a\",\"details\":[" RETRY "\"1s\"}," BAD
         "[{\"field\":\"f\",\"description\":\"a\"}]}]}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out = BUF_INIT;
        status_json(&out, &rows[i].s);
        if (strcmp(buf_cstr(&out), rows[i].json) != 0)
            fail_msg("line %d: %s", rows[i].line, buf_cstr(&out));
        buf_release(&out);
    }
}

static void R100_full_success_is_empty(void **state)
{
    (void)state;
    for (int s = 0; s < SIGNAL_COUNT; s++) {
        struct buf binary = BUF_INIT, json = BUF_INIT;
        response_encode(&binary, (enum signal)s, 0, NULL);
        response_encode(&binary, (enum signal)s, 0, ""); /* R108 */
        assert_int_equal(binary.len, 0);
        response_json(&json, (enum signal)s, 0, NULL);
        assert_string_equal(buf_cstr(&json), "{}");
        buf_release(&json);
    }
}

/* Reads `out` with the response type of `signal`. */
#define CHECK_PARTIAL(pkg, Type, field)                                                            \
    do {                                                                                           \
        pkg##Type##Response *m =                                                                   \
            (void *)protobuf_c_message_unpack(descriptor[s], NULL, out.len, out.at);               \
        assert_non_null(m);                                                                        \
        assert_int_equal(m->partial_success->field, 3);                                            \
        assert_string_equal(m->partial_success->error_message, "ids");                             \
        protobuf_c_message_free_unpacked(&m->base, NULL);                                          \
    } while (0)

static void R104_partial_success_in_binary(void **state)
{
    (void)state;
    static const ProtobufCMessageDescriptor *const descriptor[SIGNAL_COUNT] = {
        [SIGNAL_TRACES] =
            &opentelemetry__proto__collector__trace__v1__export_trace_service_response__descriptor,
        [SIGNAL_METRICS] =
            &opentelemetry__proto__collector__metrics__v1__export_metrics_service_response__descriptor,
        [SIGNAL_LOGS] =
            &opentelemetry__proto__collector__logs__v1__export_logs_service_response__descriptor,
    };
    for (int s = 0; s < SIGNAL_COUNT; s++) {
        struct buf out = BUF_INIT;
        response_encode(&out, (enum signal)s, 3, "ids");
        if (s == SIGNAL_TRACES)
            CHECK_PARTIAL(Opentelemetry__Proto__Collector__Trace__V1__, ExportTraceService,
                          rejected_spans);
        else if (s == SIGNAL_METRICS)
            CHECK_PARTIAL(Opentelemetry__Proto__Collector__Metrics__V1__, ExportMetricsService,
                          rejected_data_points);
        else
            CHECK_PARTIAL(Opentelemetry__Proto__Collector__Logs__V1__, ExportLogsService,
                          rejected_log_records);
        buf_release(&out);
    }
}

static void R242_partial_success_in_json(void **state)
{
    (void)state;
    static const struct {
        int line;
        enum signal signal;
        uint64_t rejected;
        const char *message, *json;
    } rows[] = {
        {__LINE__, SIGNAL_TRACES, 3, "bad ids",
         "{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"bad ids\"}}"},
        {__LINE__, SIGNAL_METRICS, 9007199254740993, NULL,
         "{\"partialSuccess\":{\"rejectedDataPoints\":\"9007199254740993\"}}"},
        {__LINE__, SIGNAL_LOGS, 1, "", "{\"partialSuccess\":{\"rejectedLogRecords\":\"1\"}}"},
        /* R107: a warning */
        {__LINE__, SIGNAL_LOGS, 0, "late", "{\"partialSuccess\":{\"errorMessage\":\"late\"}}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out = BUF_INIT;
        response_json(&out, rows[i].signal, rows[i].rejected, rows[i].message);
        if (strcmp(buf_cstr(&out), rows[i].json) != 0)
            fail_msg("line %d: %s", rows[i].line, buf_cstr(&out));
        buf_release(&out);
    }
}

static void a_full_buffer_is_told_and_holds_nothing_half(void **state)
{
    (void)state;
    struct buf out = BUF_INIT_CEILING(8);
    status_encode(&out,
                  &(struct status){.code = 14, .message = "a long message", .bad_field = "f"});
    assert_true(out.failed);
    assert_int_equal(out.len, 0);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(R118_status_has_code_and_message),
        cmocka_unit_test(R206_retry_info_is_a_typed_detail),
        cmocka_unit_test(R124_bad_request_names_the_field),
        cmocka_unit_test(R205_retry_info_stands_alone),
        cmocka_unit_test(R258_status_in_json),
        cmocka_unit_test(R100_full_success_is_empty),
        cmocka_unit_test(R104_partial_success_in_binary),
        cmocka_unit_test(R242_partial_success_in_json),
        cmocka_unit_test(a_full_buffer_is_told_and_holds_nothing_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
