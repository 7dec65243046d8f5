/* HTTP/2 over a real socket, with nghttp2 as the client: gRPC and OTLP/HTTP exchanges, early
 * answers, windows, floods, drain. */
#include "tests/base/unit.h"
#include "tests/router/h2_fixture.h"

#define LOGS_CALL "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
#define GRPC      "content-type: application/grpc\nte: trailers\n"
#define MESSAGE                                                                                    \
    {                                                                                              \
        (const uint8_t *)"\0\0\0\0\3abc", 8                                                        \
    }

struct row {
    int line;
    const char *method, *path, *headers;
    struct slice body;
    const char *head; /* how what comes back begins, without Date */
    const char *has;  /* a line of it; NULL = any */
    struct slice answer;
};

static const struct row rows[] = {
    /* R180, R181, R185 */
    {__LINE__,
     "POST",
     LOGS_CALL,
     GRPC,
     MESSAGE,
     ":status: 200\ncontent-type: application/grpc\n--\ngrpc-status: 0\n--\n",
     NULL,
     {(const uint8_t *)"\0\0\0\0\0", 5}},
    /* R138, R139, R143, R157 */
    {__LINE__,
     "POST",
     LOGS_CALL,
     "content-type: application/grpc+proto;x=y\ncontent-length: 8\n",
     MESSAGE,
     ":status: 200\ncontent-type: application/grpc\n--\ngrpc-status: 0\n--\n",
     NULL,
     {(const uint8_t *)"\0\0\0\0\0", 5}},
    /* R184, R187, R188: Trailers-Only */
    {__LINE__,
     "POST",
     LOGS_CALL,
     GRPC "x-headers: no_key\n",
     MESSAGE,
     ":status: 200\ncontent-type: application/grpc\ngrpc-status: 16\n",
     "grpc-message: missing or invalid ingestion key\n",
     {0}},
    {__LINE__,
     "POST",
     LOGS_CALL,
     GRPC "x-later: queue_full\n",
     MESSAGE,
     ":status: 200\ncontent-type: application/grpc\ngrpc-status: 14\n",
     "google.rpc.retryinfo-bin: CgIIAQ\n",
     {0}},
    /* R135, R136 */
    {__LINE__,
     "POST",
     "/a.b/C",
     GRPC,
     MESSAGE,
     ":status: 200\ncontent-type: application/grpc\ngrpc-status: 12\n",
     NULL,
     {0}},
    {__LINE__,
     "POST",
     "/v1/logs",
     GRPC,
     MESSAGE,
     ":status: 200\ncontent-type: application/grpc\ngrpc-status: 12\n",
     NULL,
     {0}},
    /* R137 */
    {__LINE__,
     "GET",
     LOGS_CALL,
     GRPC,
     {0},
     ":status: 405\ncontent-type: application/grpc\nallow: POST\ngrpc-status: 13\n",
     NULL,
     {0}},
    /* R140 */
    {__LINE__,
     "POST",
     LOGS_CALL,
     "content-type: application/grpc+json\n",
     MESSAGE,
     ":status: 200\ncontent-type: application/grpc\ngrpc-status: 12\n",
     NULL,
     {0}},
    /* R161-R163 */
    {__LINE__,
     "POST",
     LOGS_CALL,
     GRPC,
     {0},
     ":status: 200\ncontent-type: application/grpc\ngrpc-status: 12\n",
     NULL,
     {0}},
    {__LINE__,
     "POST",
     LOGS_CALL,
     GRPC,
     {(const uint8_t *)"\0\0\0\0\3ab", 7},
     ":status: 200\ncontent-type: application/grpc\ngrpc-status: 13\n",
     NULL,
     {0}},
    {__LINE__,
     "POST",
     LOGS_CALL,
     GRPC,
     {(const uint8_t *)"\7\0\0\0\1a", 6},
     ":status: 200\ncontent-type: application/grpc\ngrpc-status: 13\n",
     NULL,
     {0}},
    /* R160 */
    {__LINE__,
     "POST",
     LOGS_CALL,
     GRPC,
     {(const uint8_t *)"\0\0\0\0\0", 5},
     ":status: 200\ncontent-type: application/grpc\n--\ngrpc-status: 0\n--\n",
     NULL,
     {(const uint8_t *)"\0\0\0\0\0", 5}},
    /* R170 */
    {__LINE__,
     "POST",
     LOGS_CALL,
     GRPC "x-body: unsupported_coding\n",
     MESSAGE,
     ":status: 200\ncontent-type: application/grpc\ngrpc-accept-encoding: "
     "identity,gzip,zstd,deflate,snappy\n"
     "grpc-status: 12\n",
     NULL,
     {0}},
    /* R15, R96-R98, R100: OTLP/HTTP over HTTP/2 */
    {__LINE__,
     "POST",
     "/v1/logs",
     PROTO,
     MESSAGE,
     ":status: 200\ncontent-type: application/x-protobuf\n--\n",
     NULL,
     {0}},
    {__LINE__,
     "POST",
     "/v1/traces?x=y",
     PROTO,
     {0},
     ":status: 200\ncontent-type: application/x-protobuf\n--\n",
     NULL,
     {0}},
    {__LINE__,
     "POST",
     "/v1/logs",
     PROTO "x-headers: over_items\n",
     MESSAGE,
     ":status: 429\ncontent-type: application/x-protobuf\nretry-after: 1\n",
     NULL,
     {NULL, SIZE_MAX}},
    {__LINE__,
     "HEAD",
     "/v1/logs",
     PROTO,
     {0},
     ":status: 405\ncontent-type: application/x-protobuf\nallow: POST\n",
     NULL,
     {0}},
    /* R68 */
    {__LINE__,
     "POST",
     LOGS_CALL,
     "content-type: application/grpc-web\n",
     MESSAGE,
     ":status: 404\ncontent-type: application/json\n",
     NULL,
     {NULL, SIZE_MAX}},
    /* R52 */
    {__LINE__,
     "POST",
     "/v1/logs",
     PROTO "expect: 100-continue\n",
     MESSAGE,
     ":status: 100\n--\n:status: 200\n",
     NULL,
     {0}},
};

/* Takes the date lines out. */
static void without_dates(struct buf *head)
{
    char *at, *end;
    buf_cstr(head);
    while ((at = strstr((char *)head->at, "date: ")) != NULL) {
        end = strchr(at, '\n') + 1;
        memmove(at, end, strlen(end) + 1);
    }
}

static void check(struct fixture *f, const struct row *r, size_t step)
{
    int32_t id = h2_request(&f->c, r->method, r->path, r->headers,
                            (struct h2_exchange){.to_send = r->body, .step = step});
    h2_run(&f->c, id, PATIENCE);
    struct h2_exchange *x = h2_at(&f->c, id);
    check_row(r->line, x->head.len > 0, "no answer, reset %u", x->reset);
    without_dates(&x->head);
    const char *head = (const char *)x->head.at;
    check_row(r->line, strncmp(head, r->head, strlen(r->head)) == 0, "%s", head);
    check_row(r->line, r->has == NULL || strstr(head, r->has) != NULL, "%s", head);
    check_row(r->line,
              r->answer.len == SIZE_MAX ? x->body.len > 0
                                        : slice_eq(buf_slice(&x->body), r->answer),
              "%zu bytes of body", x->body.len);
    check_row(r->line, x->close_code == 0, "closed with %u", x->close_code);
    buf_release(&x->head);
    buf_release(&x->body);
}

static void test_exchanges(void **state)
{
    (void)state;
    struct fixture f;
    server_init(&f.s);
    begin(&f);
    for (size_t i = 0; i < COUNT(rows); i++)
        check(&f, &rows[i], 0);
    for (size_t i = 0; i < COUNT(rows); i++) /* R158: one octet per frame */
        check(&f, &rows[i], 1);
    end(&f);
}

/* R14, R290: many at once on one connection, each answered by its own rules. */
static void test_interleaved(void **state)
{
    (void)state;
    struct fixture f;
    server_init(&f.s);
    begin(&f);
    int32_t ids[100];
    for (int i = 0; i < 100; i++)
        ids[i] = h2_request(&f.c, "POST", i % 2 ? LOGS_CALL : "/v1/logs", i % 2 ? GRPC : PROTO,
                            (struct h2_exchange){.to_send = MESSAGE});
    for (int i = 0; i < 100; i++) {
        h2_run(&f.c, ids[i], PATIENCE);
        struct h2_exchange *x = h2_at(&f.c, ids[i]);
        assert_non_null(strstr(buf_cstr(&x->head), ":status: 200\n"));
        assert_int_equal(strstr(buf_cstr(&x->head), "grpc-status: 0\n") != NULL, i % 2);
    }
    end(&f);
}

/* R44: a body as large as the limit through default windows, many times the connection's. */
static void test_large_bodies(void **state)
{
    (void)state;
    struct fixture f;
    server_init(&f.s);
    begin(&f);
    size_t size = f.s.conf.router.max_body;
    uint8_t *body = calloc(1, size + 6);
    for (int i = 0; i < 20; i++) {
        int32_t id = h2_request(&f.c, "POST", "/v1/logs", PROTO,
                                (struct h2_exchange){.to_send = {body, size}});
        h2_run(&f.c, id, PATIENCE);
        assert_non_null(strstr(buf_cstr(&h2_at(&f.c, id)->head), ":status: 200\n"));
    }
    assert_int_equal(seen.body_bytes, 20 * size);
    /* R90, R174, R177: one octet more is refused by its length alone */
    for (int more = 0; more < 2; more++) {
        size_t n = size + (size_t)more;
        for (int k = 0; k < 4; k++)
            body[1 + k] = (uint8_t)(n >> (24 - 8 * k));
        int32_t id = h2_request(
            &f.c, "POST", LOGS_CALL, GRPC,
            (struct h2_exchange){.to_send = {body, more ? 5 : n + 5}, .stays_open = more});
        h2_run(&f.c, id, PATIENCE);
        assert_non_null(strstr(buf_cstr(&h2_at(&f.c, id)->head),
                               more ? "grpc-status: 8\n" : "grpc-status: 0\n"));
        assert_int_equal(h2_at(&f.c, id)->reset, more); /* R51: NO_ERROR + 1, after the answer */
    }
    free(body);
    end(&f);
}

/* R45: streams that were answered early and go on sending do not starve the others. */
static void test_ignored_bodies_leave_the_window(void **state)
{
    (void)state;
    struct fixture f;
    server_init(&f.s);
    begin(&f);
    static uint8_t body[900000];
    for (int i = 0; i < 60; i++)
        h2_request(&f.c, "POST", "/v1/logs", PROTO "x-headers: over_bytes\n",
                   (struct h2_exchange){.to_send = {body, sizeof(body)}, .stays_open = true});
    h2_run(&f.c, 0, 200);
    int32_t id = h2_request(&f.c, "POST", "/v1/logs", PROTO,
                            (struct h2_exchange){.to_send = {body, sizeof(body)}});
    h2_run(&f.c, id, PATIENCE);
    assert_non_null(strstr(buf_cstr(&h2_at(&f.c, id)->head), ":status: 200\n"));
    end(&f);
}

/* R149: a reset is noticed, its late answer dropped. */
static void test_cancel(void **state)
{
    (void)state;
    struct fixture f;
    server_init(&f.s);
    begin(&f);
    int32_t id = h2_request(&f.c, "POST", LOGS_CALL, GRPC "x-held: yes\n",
                            (struct h2_exchange){.to_send = MESSAGE});
    RUN_UNTIL(&f.c, seen.bodies == 1);
    nghttp2_submit_rst_stream(f.c.session, 0, id, NGHTTP2_CANCEL);
    RUN_UNTIL(&f.c, seen.gone == 1);
    seen.release = true;
    RUN_UNTIL(&f.c, seen.late == 1);
    assert_int_equal(seen.gone, 1);
    assert_int_equal(seen.answered, 0);
    id = h2_request(&f.c, "POST", LOGS_CALL, GRPC, (struct h2_exchange){.to_send = MESSAGE});
    h2_run(&f.c, id, PATIENCE);
    assert_int_equal(seen.answered, 1);
    end(&f);
}

/* A body that stalls is reset, the connection goes on (S2). */
static void test_stalled_body(void **state)
{
    (void)state;
    struct fixture f;
    server_init(&f.s);
    f.s.conf.router.body_timeout = 50 * NS_PER_MS;
    begin(&f);
    int32_t id = h2_request(&f.c, "POST", LOGS_CALL, GRPC,
                            (struct h2_exchange){.to_send = MESSAGE, .stays_open = true});
    h2_run(&f.c, id, PATIENCE);
    assert_int_equal(h2_at(&f.c, id)->reset, NGHTTP2_CANCEL + 1);
    assert_int_equal(seen.stalled, 1);
    id = h2_request(&f.c, "POST", LOGS_CALL, GRPC "x-headers: no_key\n", (struct h2_exchange){0});
    h2_run(&f.c, id, PATIENCE);
    assert_non_null(strstr(buf_cstr(&h2_at(&f.c, id)->head), "grpc-status: 16\n"));
    end(&f);
}

/* R36, R50: too many headers are a 431, the connection and its compression state survive. */
static void test_large_headers(void **state)
{
    (void)state;
    struct fixture f;
    server_init(&f.s);
    begin(&f);
    struct buf headers = BUF_INIT;
    for (int i = 0; i < 120; i++)
        buf_printf(&headers, "x-%d: v\n", i);
    int32_t id = h2_request(&f.c, "POST", "/v1/logs", buf_cstr(&headers),
                            (struct h2_exchange){.to_send = MESSAGE});
    h2_run(&f.c, id, PATIENCE);
    assert_non_null(strstr(buf_cstr(&h2_at(&f.c, id)->head), ":status: 431\n"));
    check(&f, &rows[0], 0);
    buf_release(&headers);
    end(&f);
}

/* R48: malformed requests are reset by nghttp2, the connection goes on. */
static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *headers;
    } malformed[] = {
        {__LINE__, "connection: close\n"}, {__LINE__, "te: gzip\n"},
        {__LINE__, "content-length: 9\n"}, {__LINE__, "content-length: x\n"},
        {__LINE__, "host: a\nhost: b\n"},
    };
    struct fixture f;
    server_init(&f.s);
    begin(&f);
    nghttp2_session_del(f.c.session); /* a client that does not check what it sends */
    nghttp2_option *option;
    nghttp2_session_callbacks *cb;
    nghttp2_session_callbacks_new(&cb);
    nghttp2_option_new(&option);
    nghttp2_option_set_no_http_messaging(option, 1);
    nghttp2_session_callbacks_set_on_header_callback(cb, h2_on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, h2_on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, h2_on_close);
    nghttp2_session_client_new2(&f.c.session, cb, &f.c, option);
    nghttp2_submit_settings(f.c.session, 0, NULL, 0);
    for (size_t i = 0; i < COUNT(malformed); i++) {
        int32_t id = h2_request(&f.c, "POST", "/v1/logs", malformed[i].headers,
                                (struct h2_exchange){.to_send = MESSAGE});
        h2_run(&f.c, id, PATIENCE);
        check_row(malformed[i].line, h2_at(&f.c, id)->reset == NGHTTP2_PROTOCOL_ERROR + 1,
                  "reset %u, head %s", h2_at(&f.c, id)->reset, buf_cstr(&h2_at(&f.c, id)->head));
    }
    assert_false(f.c.eof);
    nghttp2_session_callbacks_del(cb);
    nghttp2_option_del(option);
    end(&f);
}

/* -- floods: `frame` again and again must end in GOAWAY(ENHANCE_YOUR_CALM) -- */

static void flood(int line, const void *frame, size_t len, int times)
{
    struct fixture f;
    server_init(&f.s);
    begin(&f);
    int32_t id = h2_request(&f.c, "POST", LOGS_CALL, GRPC "x-held: yes\n",
                            (struct h2_exchange){.to_send = MESSAGE, .stays_open = true});
    RUN_UNTIL(&f.c, seen.requests == 1);
    struct buf block = BUF_INIT;
    for (int i = 0; i < times; i++)
        buf_append(&block, frame, len);
    for (int i = 0; i < 1000 && !f.c.eof; i++) {
        h2_send_raw(&f.c, block.at, block.len);
        h2_run(&f.c, id, 2);
        if (f.c.n_goaway > 0)
            break;
    }
    RUN_UNTIL(&f.c, f.c.eof);
    check_row(line, f.c.eof || f.c.goaway_code == NGHTTP2_ENHANCE_YOUR_CALM, "goaway %u",
              f.c.goaway_code);
    check_row(line, f.c.n_goaway == 0 || f.c.goaway_code == NGHTTP2_ENHANCE_YOUR_CALM, "goaway %u",
              f.c.goaway_code);
    buf_release(&block);
    end(&f);
}

/* R53 */
static void test_floods(void **state)
{
    (void)state;
    static const uint8_t ping[17] = {0, 0, 8, 6};
    static const uint8_t ping_ack[17] = {0, 0, 8, 6, 1};
    static const uint8_t settings[9] = {0, 0, 0, 4};
    static const uint8_t empty_data[9] = {0, 0, 0, 0, 0, 0, 0, 0, 1};
    static const uint8_t padded_data[10] = {0, 0, 1, 0, 8, 0, 0, 0, 1, 0};
    static const uint8_t window[13] = {0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    static uint8_t unknown[9 + 16384] = {0, 64, 0, 99};
    flood(__LINE__, ping, sizeof(ping), 500);
    flood(__LINE__, ping_ack, sizeof(ping_ack), 500);
    flood(__LINE__, settings, sizeof(settings), 500);
    flood(__LINE__, empty_data, sizeof(empty_data), 500);
    flood(__LINE__, padded_data, sizeof(padded_data), 500);
    flood(__LINE__, window, sizeof(window), 500);
    flood(__LINE__, unknown, sizeof(unknown), 100);
}

/* R293: PINGs now and then are answered and end nothing; R40. */
static void test_pings(void **state)
{
    (void)state;
    struct fixture f;
    server_init(&f.s);
    begin(&f);
    for (int i = 0; i < 100; i++) {
        nghttp2_submit_ping(f.c.session, 0, NULL);
        h2_run(&f.c, 0, 2);
    }
    check(&f, &rows[0], 0);
    assert_int_equal(f.c.n_goaway, 0);
    end(&f);
}

/* D of h2o-grpc-feasibility.md §5: requests that are reset at once (R53). */
static void test_rapid_reset(void **state)
{
    (void)state;
    struct fixture f;
    server_init(&f.s);
    begin(&f);
    /* A hundred at a time: one by one, a busy machine is slow enough to be let pass. */
    for (int i = 0; i < 20000 && !f.c.eof && f.c.n_goaway == 0; i++) {
        int32_t id =
            h2_request(&f.c, "POST", LOGS_CALL, GRPC, (struct h2_exchange){.stays_open = true});
        h2_send(&f.c);
        nghttp2_submit_rst_stream(f.c.session, 0, id, NGHTTP2_CANCEL);
        h2_send(&f.c);
        if (i % 100 == 99)
            h2_run(&f.c, 0, 1);
    }
    h2_run(&f.c, 0, PATIENCE);
    assert_true(f.c.eof);
    assert_true(seen.requests < 4000);
    end(&f);
}

/* R298: notice, then the last stream; what was taken is finished; then closed. */
/* libcurl resets every stream whose answer it has read: no flood, however many. */
static void test_resets_behind_answers(void **state)
{
    (void)state;
    struct fixture f;
    server_init(&f.s);
    begin(&f);
    for (int i = 0; i < 3000 && !f.c.eof; i++) {
        int32_t id = h2_request(&f.c, "POST", "/v1/logs", PROTO "x-headers: no_key\n",
                                (struct h2_exchange){0});
        h2_run(&f.c, id, PATIENCE);
        const uint8_t reset[] = {
            0, 0, 4, NGHTTP2_RST_STREAM,   0, 0, 0, (uint8_t)(id >> 8), (uint8_t)id,
            0, 0, 0, NGHTTP2_STREAM_CLOSED};
        h2_send_raw(&f.c, reset, sizeof(reset));
    }
    assert_int_equal(seen.requests, 3000);
    assert_int_equal(f.c.n_goaway, 0);
    end(&f);
}

static void test_drain(void **state)
{
    (void)state;
    struct fixture f;
    server_init(&f.s);
    begin(&f);
    int32_t slow = h2_request(&f.c, "POST", LOGS_CALL, GRPC "x-held: yes\n",
                              (struct h2_exchange){.to_send = MESSAGE});
    RUN_UNTIL(&f.c, seen.bodies == 1);
    front_drain(&f.s.router);
    RUN_UNTIL(&f.c, f.c.n_goaway > 0);
    assert_int_equal(f.c.goaway_last[0], INT32_MAX);
    RUN_UNTIL(&f.c, f.c.n_goaway > 1);
    seen.release = true;
    h2_run(&f.c, 0, PATIENCE);
    assert_true(f.c.eof);
    assert_int_equal(f.c.n_goaway, 2);
    assert_int_equal(f.c.goaway_last[1], slow);
    assert_int_equal(f.c.goaway_code, NGHTTP2_NO_ERROR);
    assert_non_null(strstr(buf_cstr(&h2_at(&f.c, slow)->head), "grpc-status: 0\n"));
    end(&f);
}

/* R18, R54, R297: without a request for too long: GOAWAY and closed. */
static void test_idle(void **state)
{
    (void)state;
    struct fixture f;
    server_init(&f.s);
    f.s.conf.router.idle_timeout = 50 * NS_PER_MS;
    begin(&f);
    check(&f, &rows[0], 0);
    h2_run(&f.c, 0, PATIENCE);
    assert_true(f.c.eof);
    assert_true(f.c.n_goaway > 0); /* nghttp2's client looks at nothing behind the first one */
    assert_int_equal(f.c.goaway_last[0], INT32_MAX);
    assert_int_equal(f.c.goaway_code, NGHTTP2_NO_ERROR);
    end(&f);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchanges),
        cmocka_unit_test(test_interleaved),
        cmocka_unit_test(test_large_bodies),
        cmocka_unit_test(test_ignored_bodies_leave_the_window),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_stalled_body),
        cmocka_unit_test(test_large_headers),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_floods),
        cmocka_unit_test(test_pings),
        cmocka_unit_test(test_rapid_reset),
        cmocka_unit_test(test_resets_behind_answers),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
