/* Every outcome as a response, over HTTP and over gRPC: status, headers, body. */
#include "router/http/answer.h"
#include "tenancy/tenancy.h"
#include "tests/base/unit.h"

#include "otlp/status.h"
#include "router/admission/admission.h"
#include "router/http/grpc.h"

#include <stdlib.h>

/* The linker wants admission for request.c; nothing here calls it but the release. */
void admission_release(struct request *req)
{
    buf_release(&req->body);
}

struct drawn {
    struct request req;
    struct response r;
};

static struct slice header(const struct response *r, const char *name)
{
    for (size_t i = 0; i < r->n_headers; i++)
        if (slice_eq(r->headers[i].name, slice_str(name)))
            return r->headers[i].value;
    return SLICE_NULL;
}

static bool is(struct slice value, const char *text)
{
    return value.at != NULL && slice_eq(value, slice_str(text));
}

static void draw(struct drawn *d, enum request_kind kind, const char *method, const char *type,
                 const struct answer *a)
{
    memset(d, 0, sizeof(*d));
    static struct conf conf; /* no origin of a browser is allowed */
    static struct snapshot snapshot = {.conf = &conf};
    static struct loop loop = {.snapshot = &snapshot};
    d->req.loop = &loop;
    d->req.kind = kind;
    d->req.method = slice_str(method);
    d->req.headers[0] = (struct header){SLICE_LIT("content-type"), slice_str(type)};
    d->req.n_headers = type[0] ? 1 : 0;
    assert_int_equal(response_build(&d->req, a, "Thu, 01 Jan 1970 00:00:00 GMT", &d->r), 0);
}

static void release(struct drawn *d)
{
    buf_release(&d->r.body);
    arena_release(&d->req.arena);
}

/* What status.h makes of this answer, to be found in the body or the details. */
static struct buf status_body(const struct answer *a, uint64_t retry_ns, bool json)
{
    const struct outcome_info *info = &outcome_info[a->outcome];
    struct status s = {info->grpc, a->message ? a->message : info->text, retry_ns, a->bad_field};
    struct buf b = BUF_INIT;
    (json ? status_json : status_encode)(&b, &s);
    return b;
}

static bool is_throttle(enum outcome o)
{
    return outcome_info[o].retryable && outcome_info[o].grpc == 14;
}

static void test_every_outcome_over_http(void **state)
{
    (void)state;
    for (int o = 1; o < OUTCOME_COUNT; o++) {
        const struct outcome_info *info = &outcome_info[o];
        struct answer a = {.outcome = (enum outcome)o, .retry_delay_ns = 1500 * NS_PER_MS};
        uint64_t retry_ns = is_throttle(a.outcome) ? a.retry_delay_ns : 0;
        struct drawn d;
        draw(&d, REQUEST_HTTP, "POST", "application/x-protobuf", &a);
        struct buf body = status_body(&a, retry_ns, false);
        check_row(o, d.r.status == info->http, "%d", d.r.status);
        check_row(o, header(&d.r, "content-encoding").at == NULL, "%s", info->reason); /* R116 */
        check_row(o, d.r.status / 100 != 3, "%s", info->reason);                       /* R59 */
        check_row(o, is(header(&d.r, "content-type"), "application/x-protobuf"), "%s",
                  info->reason); /* R118 */
        check_row(o, slice_eq(buf_slice(&d.r.body), buf_slice(&body)), "%s", info->reason);
        check_row(o, header(&d.r, "date").at != NULL, "%s", info->reason); /* R35 */
        /* R209, R212: 1.5 s becomes 2 */
        check_row(o,
                  retry_ns ? is(header(&d.r, "retry-after"), "2")
                           : header(&d.r, "retry-after").at == NULL,
                  "%s", info->reason);
        check_row(o, (info->http == 401) == is(header(&d.r, "www-authenticate"), "Bearer"), "%s",
                  info->reason); /* R130 */
        check_row(o, (info->http == 405) == is(header(&d.r, "allow"), "POST"), "%s",
                  info->reason); /* R62 */
        check_row(o,
                  (o == OUTCOME_UNSUPPORTED_CODING) ==
                      is(header(&d.r, "accept-encoding"),
                         "identity, gzip, zstd, deflate, zlib, snappy, x-snappy-framed, lz4"),
                  "%s", info->reason); /* R84 */
        check_row(o, header(&d.r, "grpc-status").at == NULL, "%s", info->reason);
        buf_release(&body);
        release(&d);
    }
}

static void test_every_outcome_over_grpc(void **state)
{
    (void)state;
    for (int o = 1; o < OUTCOME_COUNT; o++) {
        const struct outcome_info *info = &outcome_info[o];
        struct answer a = {.outcome = (enum outcome)o, .retry_delay_ns = 1500 * NS_PER_MS};
        uint64_t retry_ns = is_throttle(a.outcome) ? a.retry_delay_ns : 0;
        struct arena arena = ARENA_INIT;
        struct drawn d;
        char code[8];
        draw(&d, REQUEST_GRPC, "POST", "application/grpc+proto", &a);
        struct buf details = status_body(&a, retry_ns, false);
        snprintf(code, sizeof(code), "%d", info->grpc);
        check_row(o, d.r.status == 200, "%d", d.r.status); /* R184 */
        check_row(o, is(header(&d.r, "content-type"), "application/grpc"), "%s", info->reason);
        check_row(o, is(header(&d.r, "grpc-status"), code), "%s", info->reason);        /* R185 */
        check_row(o, is(header(&d.r, "grpc-message"), info->text), "%s", info->reason); /* R186 */
        check_row(o,
                  slice_eq(header(&d.r, "grpc-status-details-bin"),
                           grpc_binary_value(&arena, buf_slice(&details))),
                  "%s", info->reason); /* R189, R190 */
        /* R201-R205; 8 never has it (R174) */
        check_row(o, (retry_ns != 0) == (header(&d.r, "google.rpc.retryinfo-bin").at != NULL), "%s",
                  info->reason);
        check_row(o, info->grpc == 8 ? retry_ns == 0 : true, "%s", info->reason);
        check_row(o, d.r.body.len == 0 && !d.r.grpc_ok, "%s", info->reason); /* R188 */
        check_row(o, header(&d.r, "retry-after").at == NULL, "%s", info->reason);
        check_row(o,
                  (o == OUTCOME_UNSUPPORTED_CODING) ==
                      is(header(&d.r, "grpc-accept-encoding"), "identity,gzip,zstd,deflate,snappy"),
                  "%s", info->reason); /* R170, R171 */
        buf_release(&details);
        arena_release(&arena);
        release(&d);
    }
}

/* R96-R100, R180-R182, R189 */
static void test_success(void **state)
{
    (void)state;
    static const struct answer accepted = {.outcome = OUTCOME_ACCEPTED};
    struct drawn d;
    draw(&d, REQUEST_HTTP, "POST", "application/x-protobuf; charset=utf-8", &accepted);
    assert_int_equal(d.r.status, 200);
    assert_int_equal(d.r.body.len, 0);
    assert_true(is(header(&d.r, "content-type"), "application/x-protobuf"));
    release(&d);
    draw(&d, REQUEST_HTTP, "POST", "Application/JSON", &accepted);
    assert_true(slice_eq(buf_slice(&d.r.body), SLICE_LIT("{}")));
    assert_true(is(header(&d.r, "content-type"), "application/json"));
    release(&d);
    draw(&d, REQUEST_GRPC, "POST", "application/grpc", &accepted);
    assert_int_equal(d.r.status, 200);
    assert_true(d.r.grpc_ok);
    assert_true(slice_eq(buf_slice(&d.r.body), slice_of("\0\0\0\0\0", 5)));
    assert_null(header(&d.r, "grpc-status").at);
    assert_null(header(&d.r, "grpc-status-details-bin").at);
    release(&d);
}

/* R104-R106, R182: what was rejected, in each encoding. */
static void test_partial_success(void **state)
{
    (void)state;
    static const struct answer partial = {
        .outcome = OUTCOME_ACCEPTED, .message = "why", .rejected = 300};
    struct buf want = BUF_INIT;
    struct drawn d;
    response_encode(&want, SIGNAL_TRACES, 300, "why");
    draw(&d, REQUEST_HTTP, "POST", "application/x-protobuf", &partial);
    assert_int_equal(d.r.status, 200);
    assert_true(slice_eq(buf_slice(&d.r.body), buf_slice(&want)));
    release(&d);
    draw(&d, REQUEST_HTTP, "POST", "application/json", &partial);
    assert_true(slice_eq(
        buf_slice(&d.r.body),
        SLICE_LIT("{\"partialSuccess\":{\"rejectedSpans\":\"300\",\"errorMessage\":\"why\"}}")));
    release(&d);
    draw(&d, REQUEST_GRPC, "POST", "application/grpc", &partial);
    assert_true(d.r.grpc_ok);
    assert_int_equal(d.r.body.at[4], want.len); /* R181 */
    assert_true(slice_eq(slice_of(d.r.body.at + 5, d.r.body.len - 5), buf_slice(&want)));
    release(&d);
    buf_release(&want);
}

/* R119: no usable media type: JSON, and the status stays. */
static void test_unusable_type(void **state)
{
    (void)state;
    static const char *const types[] = {"", "text/plain", "application/jsonx",
                                        "application/protobuf"};
    struct answer a = {.outcome = OUTCOME_UNSUPPORTED_TYPE};
    for (size_t i = 0; i < COUNT(types); i++) {
        struct drawn d;
        draw(&d, REQUEST_HTTP, "POST", types[i], &a);
        struct buf body = status_body(&a, 0, true);
        assert_int_equal(d.r.status, 415);
        assert_true(is(header(&d.r, "content-type"), "application/json"));
        assert_true(slice_eq(buf_slice(&d.r.body), buf_slice(&body)));
        buf_release(&body);
        release(&d);
    }
}

/* R137: gRPC with another method gets the HTTP status as well; R63: HEAD. */
static void test_methods(void **state)
{
    (void)state;
    struct answer a = {.outcome = OUTCOME_NOT_POST};
    struct drawn d;
    draw(&d, REQUEST_GRPC, "PUT", "application/grpc", &a);
    assert_int_equal(d.r.status, 405);
    assert_true(is(header(&d.r, "grpc-status"), "13"));
    release(&d);
    draw(&d, REQUEST_HTTP, "HEAD", "", &a);
    assert_true(d.r.without_body);
    assert_true(is(header(&d.r, "allow"), "POST"));
    release(&d);
}

static void test_retry_after(void **state)
{
    (void)state;
    static const struct {
        int line;
        uint64_t delay_ns;
        const char *seconds;
    } rows[] = {
        {__LINE__, 0, "1"}, /* the default */
        {__LINE__, 1, "1"},
        {__LINE__, NS_PER_S, "1"},
        {__LINE__, NS_PER_S + 1, "2"},
        {__LINE__, 5 * NS_PER_S, "5"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct answer a = {.outcome = OUTCOME_OVER_BYTES, .retry_delay_ns = rows[i].delay_ns};
        struct drawn d;
        draw(&d, REQUEST_HTTP, "POST", "application/x-protobuf", &a);
        check_row(rows[i].line, is(header(&d.r, "retry-after"), rows[i].seconds), "%.*s",
                  SLICE_ARG(header(&d.r, "retry-after")));
        release(&d);
    }
}

/* Whether to retry follows from the status alone (R125). Asked for are 429 and 503, over gRPC 14
 * and the caller's own deadline (R126, R127, R198, R199); 500 never is (R128), nor is 8 (R203). A
 * client that is gone or stalls is told nothing. */
static void test_status_tells_whether_to_retry(void **state)
{
    (void)state;
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        const struct outcome_info *info = &outcome_info[o];
        bool told = o != OUTCOME_CLIENT_GONE && o != OUTCOME_BODY_STALLED;
        bool http = info->http == 429 || (info->http >= 502 && info->http <= 504);
        bool grpc = info->grpc == 1 || info->grpc == 4 || info->grpc == 10 || info->grpc == 11 ||
                    info->grpc == 14 || info->grpc == 15;
        check_row(o, !told || info->retryable == http, "%s", info->reason);
        check_row(o, info->retryable == grpc, "%s", info->reason);
        check_row(o, !told || !info->retryable || info->http == 429 || info->http == 503, "%s",
                  info->reason);
        check_row(o, !told || !info->retryable || info->grpc == 14 || o == OUTCOME_DEADLINE, "%s",
                  info->reason);
        check_row(o, info->text[0] != 0 || o == OUTCOME_ACCEPTED, "%s", info->reason); /* R120 */
    }
}

/* R109, R194: what a partial success tells is cut, in each encoding (R111, R196), so that it fits
 * (R113). */
static void test_long_partial_success(void **state)
{
    (void)state;
    static char text[20000];
    memset(text, 'x', sizeof(text) - 1);
    const struct answer partial = {.outcome = OUTCOME_ACCEPTED, .message = text, .rejected = 300};
    static const char *const types[] = {"application/x-protobuf", "application/json",
                                        "application/grpc"};
    for (size_t i = 0; i < COUNT(types); i++) {
        struct drawn d;
        draw(&d, i == 2 ? REQUEST_GRPC : REQUEST_HTTP, "POST", types[i], &partial);
        assert_int_equal(d.r.status, 200);
        assert_in_range(d.r.body.len, 1000, 1200);
        release(&d);
    }
}

/* R191: whatever the message, a client that takes 8 KiB of headers takes it. */
static void test_long_message(void **state)
{
    (void)state;
    static char text[20000];
    memset(text, '\n', sizeof(text) - 1);
    struct answer a = {.outcome = OUTCOME_OVER_BYTES, .message = text};
    struct drawn d;
    size_t bytes = 0;
    draw(&d, REQUEST_GRPC, "POST", "application/grpc", &a);
    for (size_t i = 0; i < d.r.n_headers; i++)
        bytes += d.r.headers[i].name.len + d.r.headers[i].value.len + 32;
    assert_in_range(bytes, 3000, 8000);
    release(&d);
    draw(&d, REQUEST_HTTP, "POST", "application/x-protobuf", &a);
    assert_true(d.r.body.len < 4096); /* R113 */
    release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_outcome_over_http),
        cmocka_unit_test(test_every_outcome_over_grpc),
        cmocka_unit_test(test_success),
        cmocka_unit_test(test_partial_success),
        cmocka_unit_test(test_unusable_type),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_status_tells_whether_to_retry),
        cmocka_unit_test(test_long_partial_success),
        cmocka_unit_test(test_long_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
