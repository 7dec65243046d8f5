/* What a sender reads from an answer, and whether it sends again (otlp-conformance S1, S2). */
#include "cli/send/send_answer.h"
#include "otlp/status.h"
#include "tests/base/unit.h"

#include <openssl/evp.h>
#include <string.h>

static struct send_answer read_answer(enum send_protocol protocol, const char *headers,
                                      struct slice body)
{
    struct send_answer a;
    send_answer_init(&a);
    for (const char *end; (end = strchr(headers, '\n')) != NULL; headers = end + 1)
        send_answer_header(&a, slice_of(headers, (size_t)(end + 1 - headers)));
    send_answer_body(&a, protocol, body);
    return a;
}

static void test_what_is_sent_again(void **state)
{
    (void)state;
    static const struct {
        int line;
        enum send_protocol protocol;
        const char *headers;
        enum send_outcome outcome;
        bool may_retry;
        int delay_s; /* -1 = none told */
    } rows[] = {
        {__LINE__, SEND_HTTP, "HTTP/2 200\r\n", SEND_ACKED, false, -1},
        {__LINE__, SEND_HTTP, "HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\n", SEND_ACKED, false, -1},
        {__LINE__, SEND_HTTP, "HTTP/2 400\n", SEND_REFUSED, false, -1},
        {__LINE__, SEND_HTTP, "HTTP/2 401\n", SEND_REFUSED, false, -1},
        {__LINE__, SEND_HTTP, "HTTP/2 413\n", SEND_REFUSED, false, -1},
        {__LINE__, SEND_HTTP, "HTTP/2 429\nRetry-After: 3\n", SEND_REFUSED, true, 3},
        {__LINE__, SEND_HTTP, "HTTP/2 429\n", SEND_REFUSED, true, -1},
        {__LINE__, SEND_HTTP, "HTTP/2 500\n", SEND_REFUSED, false, -1},
        {__LINE__, SEND_HTTP, "HTTP/2 502\n", SEND_REFUSED, true, -1},
        {__LINE__, SEND_HTTP, "HTTP/2 503\nretry-after: 12\n", SEND_REFUSED, true, 12},
        {__LINE__, SEND_HTTP, "HTTP/2 503\nretry-after: Mon, 01 Jan 2001 00:00:00 GMT\n",
         SEND_REFUSED, true, 0},
        {__LINE__, SEND_HTTP, "HTTP/2 503\nretry-after: soon\n", SEND_REFUSED, true, -1},
        {__LINE__, SEND_HTTP, "HTTP/2 504\n", SEND_REFUSED, true, -1},
        {__LINE__, SEND_GRPC, "HTTP/2 200\ngrpc-status: 0\n", SEND_ACKED, false, -1},
        {__LINE__, SEND_GRPC, "HTTP/2 200\ngrpc-status: 1\n", SEND_REFUSED, true, -1},
        {__LINE__, SEND_GRPC, "HTTP/2 200\ngrpc-status: 2\n", SEND_REFUSED, false, -1},
        {__LINE__, SEND_GRPC, "HTTP/2 200\ngrpc-status: 3\n", SEND_REFUSED, false, -1},
        {__LINE__, SEND_GRPC, "HTTP/2 200\ngrpc-status: 4\n", SEND_REFUSED, true, -1},
        {__LINE__, SEND_GRPC, "HTTP/2 200\ngrpc-status: 7\n", SEND_REFUSED, false, -1},
        {__LINE__, SEND_GRPC, "HTTP/2 200\ngrpc-status: 8\n", SEND_REFUSED, false, -1},
        {__LINE__, SEND_GRPC, "HTTP/2 200\ngrpc-status: 8\ngoogle.rpc.retryinfo-bin: CgIIAg\n",
         SEND_REFUSED, true, 2},
        {__LINE__, SEND_GRPC, "HTTP/2 200\ngrpc-status: 10\n", SEND_REFUSED, true, -1},
        {__LINE__, SEND_GRPC, "HTTP/2 200\ngrpc-status: 11\n", SEND_REFUSED, true, -1},
        {__LINE__, SEND_GRPC, "HTTP/2 200\ngrpc-status: 13\n", SEND_REFUSED, false, -1},
        {__LINE__, SEND_GRPC, "HTTP/2 200\ngrpc-status: 14\n", SEND_REFUSED, true, -1},
        {__LINE__, SEND_GRPC, "HTTP/2 200\ngrpc-status: 14\ngoogle.rpc.retryinfo-bin: CgIIAg==\n",
         SEND_REFUSED, true, 2},
        {__LINE__, SEND_GRPC, "HTTP/2 200\ngrpc-status: 14\ngoogle.rpc.retryinfo-bin: !!!!\n",
         SEND_REFUSED, true, -1},
        {__LINE__, SEND_GRPC, "HTTP/2 200\ngrpc-status: 15\n", SEND_REFUSED, true, -1},
        {__LINE__, SEND_GRPC, "HTTP/2 200\ngrpc-status: 16\n", SEND_REFUSED, false, -1},
        {__LINE__, SEND_GRPC, "HTTP/2 200\ngrpc-status: x\n", SEND_REFUSED, false, -1},
        {__LINE__, SEND_GRPC, "HTTP/2 200\n", SEND_REFUSED, false, -1},
        {__LINE__, SEND_GRPC, "HTTP/2 200\ncontent-type: application/grpc\n", SEND_UNKNOWN, true,
         -1},
        {__LINE__, SEND_GRPC, "HTTP/2 503\n", SEND_REFUSED, true, -1},
        {__LINE__, SEND_GRPC, "HTTP/2 401\n", SEND_REFUSED, false, -1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct send_answer a = read_answer(rows[i].protocol, rows[i].headers, SLICE_NULL);
        check_row(rows[i].line, send_answer_outcome(&a) == rows[i].outcome, "outcome %s",
                  send_outcome_name(send_answer_outcome(&a)));
        check_row(rows[i].line, send_answer_may_retry(&a) == rows[i].may_retry, "retry");
        check_row(rows[i].line, a.has_delay == (rows[i].delay_s >= 0), "delay told");
        if (a.has_delay)
            check_row(rows[i].line, a.delay_ns == (uint64_t)rows[i].delay_s * 1000000000,
                      "delay %llu ns", (unsigned long long)a.delay_ns);
    }
}

static void test_no_answer_is_sent_again(void **state)
{
    (void)state;
    struct send_answer a;
    send_answer_init(&a);
    send_answer_header(&a, SLICE_LIT("HTTP/2 200\r\n"));
    send_answer_none(&a, "connection reset");
    assert_int_equal(send_answer_outcome(&a), SEND_UNKNOWN);
    assert_true(send_answer_may_retry(&a));
    assert_int_equal(a.http_status, 0);
    assert_string_equal(a.message, "connection reset");
}

/* As the router writes it: base64 without padding. */
static void test_retry_info_in_status_details(void **state)
{
    (void)state;
    struct status s = {.code = 14, .message = "slower", .retry_delay_ns = 2500000000};
    struct buf details = BUF_INIT, headers = BUF_INIT;
    char text[512];
    status_encode(&details, &s);
    EVP_EncodeBlock((unsigned char *)text, details.at, (int)details.len);
    text[strcspn(text, "=")] = 0;
    buf_printf(&headers,
               "HTTP/2 200\r\ngrpc-status: 14\r\ngrpc-message: 100%%25 f%%C3%%BCll %%\r\n"
               "grpc-status-details-bin: %s\r\n",
               text);
    struct send_answer a = read_answer(SEND_GRPC, buf_cstr(&headers), SLICE_NULL);
    assert_true(a.has_delay);
    assert_int_equal(a.delay_ns, 2500000000);
    assert_string_equal(a.message, "100% f\xc3\xbcll %");
    buf_release(&details);
    buf_release(&headers);
}

static void test_partial_success(void **state)
{
    (void)state;
    struct buf body = BUF_INIT;
    response_encode(&body, SIGNAL_LOGS, 3, "three had no time");
    struct send_answer a = read_answer(
        SEND_HTTP, "HTTP/2 200\ncontent-type: application/x-protobuf\n", buf_slice(&body));
    assert_int_equal(a.rejected, 3);
    assert_string_equal(a.message, "three had no time");
    assert_int_equal(send_answer_outcome(&a), SEND_ACKED);

    struct buf frame = BUF_INIT;
    buf_append(&frame, (uint8_t[]){0, 0, 0, 0, (uint8_t)body.len}, 5);
    buf_append_slice(&frame, buf_slice(&body));
    a = read_answer(SEND_GRPC, "HTTP/2 200\ngrpc-status: 0\n", buf_slice(&frame));
    assert_int_equal(a.rejected, 3);
    buf_release(&body);
    buf_release(&frame);
}

static void test_reason_of_an_http_refusal(void **state)
{
    (void)state;
    struct status s = {.code = 3, .message = "not a request"};
    struct buf body = BUF_INIT;
    status_encode(&body, &s);
    struct send_answer a = read_answer(
        SEND_HTTP, "HTTP/2 400\ncontent-type: application/x-protobuf\n", buf_slice(&body));
    assert_string_equal(a.message, "not a request");
    a = read_answer(SEND_HTTP, "HTTP/1.1 502 Bad\ncontent-type: text/plain\n", SLICE_LIT("no"));
    assert_string_equal(a.message, "no");
    buf_release(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_sent_again),
        cmocka_unit_test(test_no_answer_is_sent_again),
        cmocka_unit_test(test_retry_info_in_status_details),
        cmocka_unit_test(test_partial_success),
        cmocka_unit_test(test_reason_of_an_http_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
