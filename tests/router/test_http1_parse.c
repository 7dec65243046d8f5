/* Heads and bodies of HTTP/1 as bytes: framing, refusals, every split. */
#include "router/http/http1_parse.h"
#include "tests/base/unit.h"

#include <stdlib.h>

#define MAX_BYTES 16384
#define HOST      "Host: a\r\n"

struct head_row {
    int line;
    const char *head;
    enum outcome outcome;
    enum http1_framing framing;
    uint64_t length;
    bool keep_alive;
};

static enum outcome parse(const char *text, size_t seen, struct http1_head *h, size_t *len)
{
    return http1_parse_head(slice_str(text), seen, MAX_BYTES, h, len);
}

static void test_framing_and_keep_alive(void **state)
{
    (void)state;
    static const struct head_row rows[] = {
        /* R19, R21 */
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "\r\n", 0, HTTP1_NO_BODY, UINT64_MAX, true},
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", 0, HTTP1_NO_BODY,
         UINT64_MAX, false},
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "Connection: x, CLOSE\r\n\r\n", 0, HTTP1_NO_BODY,
         UINT64_MAX, false},
        {__LINE__, "POST / HTTP/1.0\r\n\r\n", 0, HTTP1_NO_BODY, UINT64_MAX, false},
        {__LINE__, "POST / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 0, HTTP1_NO_BODY,
         UINT64_MAX, true},
        {__LINE__, "\r\nPOST / HTTP/1.1\r\n" HOST "\r\n", 0, HTTP1_NO_BODY, UINT64_MAX, true},
        /* R34 */
        {__LINE__,
         "POST / HTTP/1.1\r\n" HOST "Upgrade: h2c\r\nHTTP2-Settings: AA\r\n"
         "Connection: Upgrade, HTTP2-Settings\r\n\r\n",
         0, HTTP1_NO_BODY, UINT64_MAX, true},
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n", 0, HTTP1_LENGTH, 5,
         true},
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "content-length: 5, 5\r\nContent-Length:5\r\n\r\n", 0,
         HTTP1_LENGTH, 5, true},
        /* above any number: too large, not malformed (R91) */
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999999\r\n\r\n",
         0, HTTP1_LENGTH, UINT64_MAX - 1, true},
        /* R20 */
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n", 0,
         HTTP1_CHUNKED, UINT64_MAX, true},
        /* R23 */
        {__LINE__,
         "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 0,
         HTTP1_CHUNKED, UINT64_MAX, false},
        {__LINE__,
         "POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n", 0,
         HTTP1_CHUNKED, UINT64_MAX, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct head_row *r = &rows[i];
        struct http1_head h;
        size_t len;
        enum outcome o = parse(r->head, 0, &h, &len);
        check_row(r->line, o == OUTCOME_ACCEPTED && len == strlen(r->head), "%s, length %zu",
                  outcome_info[o].reason, len);
        check_row(r->line, h.framing == r->framing, "%d", h.framing);
        check_row(r->line, h.content_length == r->length, "%llu",
                  (unsigned long long)h.content_length);
        check_row(r->line, h.keep_alive == r->keep_alive, "%d", h.keep_alive);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct head_row rows[] = {
        /* R24 */
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
         OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 6\r\n\r\n", OUTCOME_BAD_REQUEST,
         0, 0, 0},
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n", OUTCOME_BAD_REQUEST, 0,
         0, 0},
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5a\r\n\r\n", OUTCOME_BAD_REQUEST, 0,
         0, 0},
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", OUTCOME_BAD_REQUEST, 0, 0,
         0},
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n\r\n",
         OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n",
         OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n",
         OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n", OUTCOME_BAD_REQUEST, 0,
         0, 0},
        /* R25 */
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n",
         OUTCOME_UNKNOWN_TRANSFER_CODING, 0, 0, 0},
        {__LINE__,
         "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
         OUTCOME_UNKNOWN_TRANSFER_CODING, 0, 0, 0},
        /* R26 */
        {__LINE__, "POST / HTTP/1.1\r\n\r\n", OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "POST / HTTP/1.1\r\n" HOST HOST "\r\n", OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "POST / HTTP/1.1\r\nHost: a b\r\n\r\n", OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "POST / HTTP/1.1\r\nHost: a/b\r\n\r\n", OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "POST / HTTP/1.1\r\nHost: u@a\r\n\r\n", OUTCOME_BAD_REQUEST, 0, 0, 0},
        /* R28 */
        {__LINE__, "POST / HTTP/1.1\r\nHost : a\r\n\r\n", OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "Content-Length : 5\r\n\r\n", OUTCOME_BAD_REQUEST, 0,
         0, 0},
        /* obs-fold, bare line feeds, control characters (RFC 9112 §5.2, §2.2) */
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "X: a\n\r\n", OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "POST / HTTP/1.1\nHost: a\n\n", OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "X: a\001\r\n\r\n", OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "X y: a\r\n\r\n", OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "POST / HTTP/1.1\r\n" HOST ": a\r\n\r\n", OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "PRI * HTTP/2.0\r\n\r\n", OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "POST /\r\n\r\n", OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "\026\003\001\002", OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "POST a HTTP/1.1\r\n" HOST "\r\n", OUTCOME_BAD_REQUEST, 0, 0, 0},
        {__LINE__, "CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n", OUTCOME_BAD_REQUEST, 0, 0, 0},
        /* R32 */
        {__LINE__, "POST / HTTP/1.1\r\n" HOST "Expect: cookies\r\n\r\n", OUTCOME_EXPECTATION, 0, 0,
         0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http1_head h;
        size_t len;
        enum outcome o = parse(rows[i].head, 0, &h, &len);
        check_row(rows[i].line, o == rows[i].outcome, "%s", outcome_info[o].reason);
    }
}

static void test_targets(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *target, *path;
    } rows[] = {
        {__LINE__, "/v1/logs", "/v1/logs"},
        {__LINE__, "/v1/logs?x=/y?z", "/v1/logs"},             /* R59 */
        {__LINE__, "http://a.example:1/v1/logs", "/v1/logs"},  /* R27 */
        {__LINE__, "HTTPS://a.example/v1/logs?x", "/v1/logs"}, /* R27 */
        {__LINE__, "http://a.example", "/"},
        {__LINE__, "http://a.example?x=/v1/logs", "/"},
        {__LINE__, "*", "*"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char head[256];
        struct http1_head h;
        size_t len;
        snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\n" HOST "\r\n", rows[i].target);
        enum outcome o = parse(head, 0, &h, &len);
        check_row(rows[i].line, o == OUTCOME_ACCEPTED, "%s", outcome_info[o].reason);
        check_row(rows[i].line, slice_eq(h.path, slice_str(rows[i].path)), "%.*s",
                  SLICE_ARG(h.path));
    }
}

static void test_expectations(void **state)
{
    (void)state;
    struct http1_head h;
    size_t len;
    parse("POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\n\r\n", 0, &h, &len);
    assert_true(h.expect_continue); /* R29 */
    assert_int_equal(parse("POST / HTTP/1.0\r\nExpect: x\r\n\r\n", 0, &h, &len), OUTCOME_ACCEPTED);
    assert_false(h.expect_continue); /* R31 */
}

/* A head byte by byte is the head in one piece. */
static void test_every_split(void **state)
{
    (void)state;
    static const char head[] =
        "POST /v1/logs?q HTTP/1.1\r\n" HOST "Content-Length: 12\r\nX-Key:  value \r\n\r\n";
    struct http1_head h;
    size_t len, seen = 0;
    for (size_t n = 1; n < sizeof(head) - 1; n++) {
        char *exact = malloc(n);
        memcpy(exact, head, n);
        assert_int_equal(http1_parse_head(slice_of(exact, n), seen, MAX_BYTES, &h, &len),
                         OUTCOME_ACCEPTED);
        assert_int_equal(len, 0);
        seen = n;
        free(exact);
    }
    assert_int_equal(parse(head, seen, &h, &len), OUTCOME_ACCEPTED);
    assert_int_equal(len, sizeof(head) - 1);
    assert_true(slice_eq(h.headers[2].value, SLICE_LIT("value")));
}

/* "POST /<n times a> HTTP/1.1" and `headers` lines "h: <m times b>", complete or not. */
static enum outcome parse_large(size_t n, size_t headers, size_t m, bool complete)
{
    struct buf b = BUF_INIT;
    struct http1_head h;
    size_t len;
    buf_append_str(&b, "POST /");
    for (size_t i = 0; i < n; i++)
        buf_append_byte(&b, 'a');
    buf_append_str(&b, " HTTP/1.1\r\n" HOST);
    for (size_t i = 0; i < headers; i++) {
        buf_append_str(&b, "h: ");
        for (size_t k = 0; k < m; k++)
            buf_append_byte(&b, 'b');
        buf_append_str(&b, "\r\n");
    }
    if (complete)
        buf_append_str(&b, "\r\n");
    enum outcome o = http1_parse_head(buf_slice(&b), 0, MAX_BYTES, &h, &len);
    buf_release(&b);
    return o;
}

static void test_limits(void **state)
{
    (void)state;
    /* R36 */
    assert_int_equal(parse_large(8100, 0, 0, true), OUTCOME_ACCEPTED);
    assert_int_equal(parse_large(8200, 0, 0, true), OUTCOME_URI_TOO_LONG);
    assert_int_equal(parse_large(20000, 0, 0, true), OUTCOME_URI_TOO_LONG);
    assert_int_equal(parse_large(20000, 0, 0, false), OUTCOME_URI_TOO_LONG);
    assert_int_equal(parse_large(1, 1, 17000, true), OUTCOME_HEADERS_TOO_LARGE);
    assert_int_equal(parse_large(1, 1, 17000, false), OUTCOME_HEADERS_TOO_LARGE);
    assert_int_equal(parse_large(1, REQUEST_MAX_HEADERS - 1, 1, true), OUTCOME_ACCEPTED);
    assert_int_equal(parse_large(1, REQUEST_MAX_HEADERS, 1, true), OUTCOME_HEADERS_TOO_LARGE);
    assert_int_equal(parse_large(1, 500, 1, true), OUTCOME_HEADERS_TOO_LARGE);
}

/* -- bodies -- */

struct body_row {
    int line;
    enum http1_framing framing;
    uint64_t length;
    const char *bytes, *data, *behind;
    enum http1_body_state state;
};

/* Feeds in pieces of `step`; data and what is left behind are collected. */
static enum http1_body_state feed(const struct body_row *r, size_t step, struct buf *data,
                                  struct buf *behind)
{
    struct http1_head h = {.framing = r->framing, .content_length = r->length};
    struct http1_body b;
    enum http1_body_state s = HTTP1_BODY_MORE;
    size_t total = strlen(r->bytes);
    http1_body_init(&b, &h);
    for (size_t at = 0; at < total && s == HTTP1_BODY_MORE; at += step) {
        size_t len = total - at < step ? total - at : step, n;
        uint8_t *piece = malloc(len);
        size_t rest = len;
        memcpy(piece, r->bytes + at, len);
        s = http1_body_decode(&b, piece, &rest, &n);
        buf_append(data, piece, n);
        if (s == HTTP1_BODY_DONE) {
            buf_append(behind, piece + n, rest - n);
            buf_append_str(behind, r->bytes + at + len);
        }
        free(piece);
    }
    return s;
}

static void test_bodies_in_every_split(void **state)
{
    (void)state;
    static const struct body_row rows[] = {
        {__LINE__, HTTP1_LENGTH, 5, "helloNEXT", "hello", "NEXT", HTTP1_BODY_DONE},
        {__LINE__, HTTP1_LENGTH, 5, "hell", "hell", "", HTTP1_BODY_MORE},
        /* R20, R22 */
        {__LINE__, HTTP1_CHUNKED, 0, "5\r\nhello\r\n0\r\n\r\nNEXT", "hello", "NEXT",
         HTTP1_BODY_DONE},
        {__LINE__, HTTP1_CHUNKED, 0, "0\r\n\r\n", "", "", HTTP1_BODY_DONE},
        {__LINE__, HTTP1_CHUNKED, 0, "3;a=b;c=\"d\"\r\nhel\r\nA\r\n0123456789\r\n0;x\r\n\r\n",
         "hel0123456789", "", HTTP1_BODY_DONE},
        {__LINE__, HTTP1_CHUNKED, 0, "1\r\na\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\nN", "a", "N",
         HTTP1_BODY_DONE},
        {__LINE__, HTTP1_CHUNKED, 0, "1 \t;x=y\r\na\r\n0000\r\nT: \tx\r\n\r\n", "a", "",
         HTTP1_BODY_DONE},
        {__LINE__, HTTP1_CHUNKED, 0, "5\r\nhel", "hel", "", HTTP1_BODY_MORE},
        {__LINE__, HTTP1_CHUNKED, 0, "x\r\n", "", "", HTTP1_BODY_BROKEN},
        {__LINE__, HTTP1_CHUNKED, 0, "-1\r\n", "", "", HTTP1_BODY_BROKEN},
        {__LINE__, HTTP1_CHUNKED, 0, "11111111111111111\r\n", "", "", HTTP1_BODY_BROKEN},
        /* what other parsers may read otherwise */
        {__LINE__, HTTP1_CHUNKED, 0, "1\na\r\n", "", "", HTTP1_BODY_BROKEN},
        {__LINE__, HTTP1_CHUNKED, 0, "0x1\r\n", "", "", HTTP1_BODY_BROKEN},
        {__LINE__, HTTP1_CHUNKED, 0, "1 \r\n", "", "", HTTP1_BODY_BROKEN},
        {__LINE__, HTTP1_CHUNKED, 0, "1junk\r\n", "", "", HTTP1_BODY_BROKEN},
        {__LINE__, HTTP1_CHUNKED, 0, "\r\n", "", "", HTTP1_BODY_BROKEN},
        {__LINE__, HTTP1_CHUNKED, 0, ";x\r\n", "", "", HTTP1_BODY_BROKEN},
        {__LINE__, HTTP1_CHUNKED, 0, "1;x\na\r\n", "", "", HTTP1_BODY_BROKEN},
        {__LINE__, HTTP1_CHUNKED, 0, "1;x\rya\r\n", "", "", HTTP1_BODY_BROKEN},
        {__LINE__, HTTP1_CHUNKED, 0, "0\r\n\n", "", "", HTTP1_BODY_BROKEN},
        {__LINE__, HTTP1_CHUNKED, 0, "0\r\nT: 1\n\r\n", "", "", HTTP1_BODY_BROKEN},
        {__LINE__, HTTP1_CHUNKED, 0, "0\r\n\r\r\n", "", "", HTTP1_BODY_BROKEN},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t step = 1; step <= strlen(rows[i].bytes); step++) {
            struct buf data = BUF_INIT, behind = BUF_INIT;
            enum http1_body_state s = feed(&rows[i], step, &data, &behind);
            check_row(rows[i].line, s == rows[i].state, "in pieces of %zu: %d", step, s);
            check_row(rows[i].line, slice_eq(buf_slice(&data), slice_str(rows[i].data)),
                      "in pieces of %zu: %.*s", step, SLICE_ARG(buf_slice(&data)));
            check_row(rows[i].line, slice_eq(buf_slice(&behind), slice_str(rows[i].behind)),
                      "in pieces of %zu: %.*s", step, SLICE_ARG(buf_slice(&behind)));
            buf_release(&data);
            buf_release(&behind);
        }
}

/* Chunk extensions that never end bring no data and are cut. */
static void test_endless_extension(void **state)
{
    (void)state;
    struct http1_head h = {.framing = HTTP1_CHUNKED};
    struct http1_body b;
    uint8_t piece[4096];
    enum http1_body_state s = HTTP1_BODY_MORE;
    size_t fed = 0;
    http1_body_init(&b, &h);
    for (; s == HTTP1_BODY_MORE && fed < 1 << 20; fed += sizeof(piece)) {
        size_t len = sizeof(piece), n;
        memset(piece, 'x', sizeof(piece));
        memcpy(piece, fed ? "xx" : "5;", 2);
        s = http1_body_decode(&b, piece, &len, &n);
    }
    assert_int_equal(s, HTTP1_BODY_BROKEN);
    assert_true(fed < 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_framing_and_keep_alive),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_expectations),
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_bodies_in_every_split),
        cmocka_unit_test(test_endless_extension),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
