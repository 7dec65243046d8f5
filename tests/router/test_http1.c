/* HTTP/1.1 over a real socket: what is sent, and what comes back until the server closes or falls
 * silent. */
#include "tests/base/unit.h"
#include "tests/router/stub_server.h"

#include <limits.h>
#include <poll.h>

#define POST(path)   "POST " path " HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\n"
#define GRPC_POST    "POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\n"
#define CLOSE        "Connection: close\r\n"
#define QUIET_MS     20    /* after all that was expected, for what was not */
#define PATIENCE_MS  60000 /* for what is expected; a busy machine is slow */
#define UNTIL_CLOSED UINT_MAX

static unsigned count_responses(struct buf *text)
{
    unsigned n = 0;
    for (const char *at = buf_cstr(text); (at = strstr(at, "HTTP/1.1 ")) != NULL; at++)
        n++;
    return n;
}

/* Everything that arrives until the server closes, or until so many responses began and nothing
 * more comes. True when it closed. */
static bool receive(int fd, unsigned responses, struct buf *out)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (;;) {
        char piece[4096];
        bool enough = responses != UNTIL_CLOSED && count_responses(out) >= responses;
        if (poll(&p, 1, enough ? QUIET_MS : PATIENCE_MS) <= 0)
            return false;
        ssize_t n = recv(fd, piece, sizeof(piece), 0);
        if (n <= 0)
            return true;
        buf_append(out, piece, (size_t)n);
    }
}

static void send_all(int fd, struct slice s)
{
    while (s.len > 0) {
        ssize_t n = send(fd, s.at, s.len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        s = slice_of(s.at + n, s.len - (size_t)n);
    }
}

/* The status codes of all responses in `text`, as "200 429". */
static const char *statuses(struct buf *text, char *out, size_t size)
{
    const char *at = buf_cstr(text);
    size_t n = 0;
    out[0] = 0;
    while ((at = strstr(at, "HTTP/1.1 ")) != NULL && n + 5 < size) {
        n += (size_t)snprintf(out + n, size - n, "%s%.3s", n ? " " : "", at + 9);
        at += 9;
    }
    return out;
}

struct row {
    int line;
    const char *request;
    const char *statuses;
    bool closed;
    const char *has; /* in what comes back; NULL = anything */
};

static void check(struct server *s, const struct row *r, size_t step)
{
    struct buf answer = BUF_INIT;
    char found[64];
    int fd = server_connect(s);
    for (size_t at = 0, len = strlen(r->request); at < len; at += step)
        send_all(fd, slice_of(r->request + at, len - at < step ? len - at : step));
    unsigned expected = r->statuses[0] ? (unsigned)(strlen(r->statuses) + 1) / 4 : 0;
    bool closed = receive(fd, r->closed ? UNTIL_CLOSED : expected, &answer);
    check_row(r->line, strcmp(statuses(&answer, found, sizeof(found)), r->statuses) == 0,
              "got %s: %s", found, buf_cstr(&answer));
    /* One that was announced comes a second later: too late for `receive`, or not. */
    bool announced = strstr(buf_cstr(&answer), "connection: close\r\n") != NULL;
    check_row(r->line, closed == r->closed || (closed && announced), "closed is %d after: %s",
              closed, buf_cstr(&answer));
    check_row(r->line, r->has == NULL || strstr(buf_cstr(&answer), r->has) != NULL, "%s",
              buf_cstr(&answer));
    close(fd);
    buf_release(&answer);
}

static const struct row rows[] = {
    /* R19, R21, R97, R100 */
    {__LINE__, POST("/v1/logs") "\r\n", "200", false, "content-type: application/x-protobuf\r\n"},
    {__LINE__, POST("/v1/logs") "Content-Length: 3\r\n\r\nabc", "200", false,
     "content-length: 0\r\n"},
    {__LINE__, POST("/v1/logs") CLOSE "Content-Length: 3\r\n\r\nabc", "200", true,
     "connection: close\r\n"},
    /* R35 */
    {__LINE__, POST("/v1/logs") "\r\n", "200", false, " GMT\r\n"},
    /* R20, R22 */
    {__LINE__,
     POST("/v1/traces") "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n",
     "200", false, NULL},
    /* R33: in order, though the first one takes longer */
    {__LINE__,
     POST("/v1/logs") "x-delay: 30\r\nx-later: over_bytes\r\nContent-Length: 1\r\n\r\na" POST(
         "/v1/logs") "x-body: malformed\r\nContent-Length: 1\r\n\r\na" POST("/v1/logs") "Content-"
                                                                                        "Length: "
                                                                                        "0\r\n\r\n",
     "429 400 200", false, NULL},
    /* HTTP/1.0 */
    {__LINE__, "POST /v1/logs HTTP/1.0\r\nContent-Length: 1\r\n\r\na", "200", true, NULL},
    {__LINE__, "POST /v1/logs HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
     "200", false, "connection: keep-alive\r\n"},
    /* R23: answered, then closed, and what follows is not taken for a request */
    {__LINE__,
     POST("/v1/logs") "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" POST(
         "/v1/logs") "\r\n",
     "200", true, "connection: close\r\n"},
    /* R24-R28, R32: refused and closed after the client had time to read it (R38) */
    {__LINE__, POST("/v1/logs") "Content-Length: x\r\n\r\n", "400", false, "connection: close\r\n"},
    {__LINE__, POST("/v1/logs") "Transfer-Encoding: gzip, chunked\r\n\r\n", "501", false, NULL},
    {__LINE__, "POST /v1/logs HTTP/1.1\r\n\r\n", "400", false, NULL},
    {__LINE__, POST("/v1/logs") "Host: b\r\n\r\n", "400", false, NULL},
    {__LINE__, POST("/v1/logs") "X : b\r\n\r\n", "400", false, NULL},
    {__LINE__, POST("/v1/logs") "Expect: x\r\n\r\n", "417", false, NULL},
    {__LINE__, "nonsense\r\n\r\n", "400", false, NULL},
    /* R27 */
    {__LINE__, POST("http://b/v1/logs?x=y") "\r\n", "200", false, NULL},
    /* R29 */
    {__LINE__, POST("/v1/logs") "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", "100", false,
     "HTTP/1.1 100 Continue\r\n\r\n"},
    {__LINE__, POST("/v1/logs") "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", "100 200",
     false, NULL},
    /* R30: the headers decide, nobody says continue */
    {__LINE__,
     POST("/v1/logs") "Expect: 100-continue\r\nx-headers: no_key\r\nContent-Length: 3\r\n\r\n",
     "401", false, "connection: close\r\n"},
    {__LINE__, POST("/nowhere") "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", "404", false,
     NULL},
    /* R31 */
    {__LINE__, "POST /v1/logs HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
     "200", true, NULL},
    /* R16 */
    {__LINE__, GRPC_POST "Content-Length: 5\r\n\r\n\0\0\0\0", "505", false, NULL},
    /* R34 */
    {__LINE__,
     POST("/v1/logs") "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                      "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
     "200", false, NULL},
    /* R61-R63 */
    {__LINE__, "GET /v1/logs HTTP/1.1\r\nHost: a\r\n\r\n", "405", false, "allow: POST\r\n"},
    {__LINE__, "HEAD /v1/logs HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
     "405 404", false, "\r\n\r\nHTTP/1.1 404"},
    /* R91: by its length alone */
    {__LINE__, POST("/v1/logs") "Content-Length: 99999999\r\n\r\nabc", "413", false,
     "connection: close\r\n"},
    /* R38: an early answer keeps the connection when what is left is small, known or chunked */
    {__LINE__,
     POST("/v1/logs") "x-headers: over_requests\r\nContent-Length: 3\r\n\r\nabc" POST(
         "/v1/logs") "\r\n",
     "429 200", false, "retry-after: 1\r\n"},
    {__LINE__,
     POST("/v1/logs") "x-data: over_bytes\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "3\r\nabc\r\n3\r\nabc\r\n0\r\n\r\n" POST("/v1/logs") "\r\n",
     "429 200", false, NULL},
    {__LINE__, POST("/v1/logs") "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "400", false,
     "connection: close\r\n"},
};

static void test_exchanges(void **state)
{
    (void)state;
    struct server s;
    server_init(&s);
    server_start(&s, NULL);
    for (size_t i = 0; i < COUNT(rows); i++)
        check(&s, &rows[i], SIZE_MAX / 2);
    server_stop(&s);
}

/* The same in pieces of three bytes. */
static void test_exchanges_in_pieces(void **state)
{
    (void)state;
    struct server s;
    server_init(&s);
    server_start(&s, NULL);
    for (size_t i = 0; i < COUNT(rows); i++)
        check(&s, &rows[i], 3);
    server_stop(&s);
}

/* R36 */
static void test_large_heads(void **state)
{
    (void)state;
    struct server s;
    server_init(&s);
    server_start(&s, NULL);
    static char head[40000];
    memset(head, 'a', sizeof(head) - 1);
    memcpy(head, "POST /", 6);
    check(&s, &(struct row){__LINE__, head, "414", false, NULL}, 1000);
    memcpy(head, POST("/v1/logs") "X: ", sizeof(POST("/v1/logs") "X: ") - 1);
    check(&s, &(struct row){__LINE__, head, "431", false, NULL}, 1000);
    server_stop(&s);
}

/* R37: closed without a word; R18: the same for a head that does not come. */
static void test_stalls(void **state)
{
    (void)state;
    struct server s;
    server_init(&s);
    s.conf.router.body_timeout = s.conf.router.idle_timeout = 50 * NS_PER_MS;
    server_start(&s, NULL);
    check(&s,
          &(struct row){__LINE__, POST("/v1/logs") "Content-Length: 9\r\n\r\nabc", "", true, NULL},
          1000);
    assert_int_equal(seen.stalled, 1);
    check(&s, &(struct row){__LINE__, POST("/v1/logs") "\r\n", "200", true, NULL}, 1000);
    server_stop(&s);

    server_init(&s);
    s.conf.router.header_timeout = s.conf.router.handshake_timeout = 50 * NS_PER_MS;
    server_start(&s, NULL);
    check(&s, &(struct row){__LINE__, "POST /v1", "", true, NULL}, 1000);
    check(&s, &(struct row){__LINE__, "", "", true, NULL}, 1000);
    server_stop(&s);
}

/* A body may come slowly, but not a byte now and then for ever. */
static void test_dripping_body(void **state)
{
    (void)state;
    static const char head[] = POST("/v1/logs") "Content-Length: 100000\r\n\r\nx";
    struct server s;
    char c;
    server_init(&s);
    s.conf.router.body_timeout = 200 * NS_PER_MS;
    server_start(&s, NULL);
    int fd = server_connect(&s), drops = 0;
    send(fd, head, sizeof(head) - 1, 0);
    struct pollfd closed = {fd, POLLIN, 0};
    while (drops < 100 && poll(&closed, 1, 50) == 0)
        drops += (int)send(fd, "x", 1, MSG_NOSIGNAL);
    assert_true(drops < 100);
    assert_true(recv(fd, &c, 1, 0) <= 0);
    assert_int_equal(seen.stalled, 1);
    close(fd);
    server_stop(&s);
}

static void wait_for(_Atomic unsigned *counter, unsigned value)
{
    for (int i = 0; i < PATIENCE_MS && *counter != value; i++)
        usleep(1000);
    assert_int_equal(*counter, value);
}

static void wait_for_no_connection(struct server *s)
{
    for (int i = 0; i < PATIENCE_MS && s->router.connections > 0; i++)
        usleep(1000);
    assert_int_equal(s->router.connections, 0);
}

/* A client that leaves is noticed while its request is worked on. */
static void test_client_gone(void **state)
{
    (void)state;
    struct server s;
    server_init(&s);
    server_start(&s, NULL);
    int fd = server_connect(&s);
    send_all(fd, SLICE_LIT(POST("/v1/logs") "x-held: yes\r\nContent-Length: 1\r\n\r\na"));
    wait_for(&seen.bodies, 1);
    close(fd);
    wait_for(&seen.gone, 1);
    seen.release = true;
    wait_for(&seen.late, 1); /* its answer finds nobody */
    assert_int_equal(seen.answered, 0);
    server_stop(&s);
}

/* R38: the client is still writing megabytes and reads its 413 afterwards. */
static void test_answer_survives_upload(void **state)
{
    (void)state;
    struct server s;
    server_init(&s);
    server_start(&s, NULL);
    int fd = server_connect(&s);
    struct buf answer = BUF_INIT;
    static char block[1 << 20];
    send_all(fd, SLICE_LIT(POST("/v1/logs") "Content-Length: 8388608\r\n\r\n"));
    for (int i = 0; i < 8; i++)
        send_all(fd, slice_of(block, sizeof(block)));
    receive(fd, 1, &answer);
    assert_non_null(strstr(buf_cstr(&answer), "HTTP/1.1 413 "));
    close(fd);
    buf_release(&answer);
    server_stop(&s);
}

/* R299: idle connections end, a request under way is answered with "close". */
static void test_drain(void **state)
{
    (void)state;
    struct server s;
    server_init(&s);
    server_start(&s, NULL);
    int idle = server_connect(&s), busy = server_connect(&s);
    struct buf answer = BUF_INIT;
    send_all(idle, SLICE_LIT(POST("/v1/logs") "\r\n"));
    assert_false(receive(idle, 1, &answer));
    send_all(busy, SLICE_LIT(POST("/v1/logs") "x-held: yes\r\nContent-Length: 1\r\n\r\na"));
    wait_for(&seen.bodies, 2);
    front_drain(&s.router);
    assert_true(receive(idle, UNTIL_CLOSED, &answer));
    seen.release = true;
    buf_clear(&answer);
    assert_true(receive(busy, UNTIL_CLOSED, &answer));
    assert_non_null(strstr(buf_cstr(&answer), "HTTP/1.1 200 "));
    assert_non_null(strstr(buf_cstr(&answer), "connection: close\r\n"));
    wait_for_no_connection(&s);
    close(idle);
    close(busy);
    buf_release(&answer);
    server_stop(&s);
}

static void test_connection_limit(void **state)
{
    (void)state;
    struct server s;
    server_init(&s);
    s.conf.router.max_connections = 1;
    server_start(&s, NULL);
    int first = server_connect(&s);
    struct buf answer = BUF_INIT;
    send_all(first, SLICE_LIT(POST("/v1/logs") "\r\n"));
    assert_false(receive(first, 1, &answer));
    check(&s, &(struct row){__LINE__, "", "", true, NULL}, 1000);
    close(first);
    wait_for_no_connection(&s);
    check(&s, &(struct row){__LINE__, POST("/v1/logs") "\r\n", "200", false, NULL}, 1000);
    buf_release(&answer);
    server_stop(&s);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchanges),        cmocka_unit_test(test_exchanges_in_pieces),
        cmocka_unit_test(test_large_heads),      cmocka_unit_test(test_stalls),
        cmocka_unit_test(test_client_gone),      cmocka_unit_test(test_answer_survives_upload),
        cmocka_unit_test(test_dripping_body),    cmocka_unit_test(test_drain),
        cmocka_unit_test(test_connection_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
