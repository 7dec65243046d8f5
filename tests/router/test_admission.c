/* How requests end that need one request to show: each row names the requirement it stands for. */
#include "admission_home.h"

enum body {
    NONE,         /* zero bytes */
    LOGS,         /* three log records */
    LOGS_GZIP,    /* the same, compressed */
    LOGS_MEMBERS, /* the same in two members */
    NO_ITEMS,     /* a resource without records */
    GARBAGE,
    GZIP_CUT,
    GZIP_BOMB,    /* 1 MB of zeros */
    LARGEST,      /* exactly MAX_BODY bytes */
    TOO_LARGE,    /* one more */
    LARGE_RECORD, /* decompressed above RECORD_BYTES, below MAX_DECOMPRESSED */
    MANY_ITEMS,   /* RECORD_ITEMS */
    SPLIT_ITEMS,  /* as many as RECORD_PARTS records may hold */
    TOO_MANY_ITEMS,
    FAT_RESOURCE, /* few bytes that become more than 4 MB of rows */
    LOGS_JSON,    /* as LOGS */
    LOGS_JSON_GZIP,
    NO_ITEMS_JSON,
    BAD_JSON,
    LARGE_JSON,      /* as protobuf above RECORD_BYTES, below MAX_DECOMPRESSED */
    GROWING_JSON,    /* above RECORD_BYTES as protobuf only */
    WIDE_JSON,       /* above RECORD_BYTES as text only */
    MANY_ITEMS_JSON, /* one more than RECORD_PARTS times RECORD_ITEMS */
};

static void put_fat_resource(struct buf *b)
{
    char fat[8000];
    memset(fat, 'f', sizeof(fat) - 1);
    fat[sizeof(fat) - 1] = 0;
    MESSAGE (b, 1) {
        MESSAGE (b, 1)
            put_attr(b, 1, "fat", fat);
        MESSAGE (b, 2) {
            for (int i = 0; i < 3 * RECORD_ITEMS; i++)
                MESSAGE (b, 2)
                    put_varint(b, 2, 9);
        }
    }
}

/* A valid request of exactly `size` bytes. */
static void put_exactly(struct buf *b, size_t size)
{
    size_t text = size - 100;
    for (; b->len != size; text++) {
        buf_clear(b);
        put_logs(b, 1, text);
    }
}

/* `n` items in JSON. */
static void put_json_list(struct buf *b, const char *before, int n, const char *item,
                          const char *after)
{
    buf_append_str(b, before);
    for (int i = 0; i < n; i++)
        buf_printf(b, "%s%s", i > 0 ? "," : "", item);
    buf_append_str(b, after);
}

static void put_json(struct buf *b, enum body body)
{
    static const char logs[] = "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[";
    static const char logs_end[] = "]}]}]}";
    char *large = NULL;
    switch (body) {
    case NO_ITEMS_JSON:
        put_json_list(b, logs, 0, "", logs_end);
        break;
    case BAD_JSON:
        put_json_list(b, logs, 1, "{\"severityNumber\": \"INFO\"}", logs_end);
        break;
    case LARGE_JSON:
        if (asprintf(&large, "{\"body\":{\"stringValue\":\"%0*d\"}}", RECORD_BYTES, 0) < 0)
            fail();
        put_json_list(b, logs, 1, large, logs_end);
        free(large);
        break;
    case GROWING_JSON:
        put_json_list(b,
                      "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":{"
                      "\"dataPoints\":[{\"explicitBounds\":[",
                      RECORD_BYTES / 4, "0", "]}]}}]}]}]}");
        break;
    case WIDE_JSON:
        buf_printf(b, "{%*s}", RECORD_BYTES, "");
        break;
    case MANY_ITEMS_JSON:
        put_json_list(b, logs, RECORD_PARTS * RECORD_ITEMS + 1, "{}", logs_end);
        break;
    default:
        put_json_list(b, logs, 3, "{\"body\":{\"stringValue\":\"xxxxxxxxxx\"}}", logs_end);
        break;
    }
}

static void put_plain(struct buf *b, enum body body)
{
    uint8_t *zeros = calloc(1, 1000000);
    switch (body) {
    case LOGS:
    case LOGS_GZIP:
    case LOGS_MEMBERS:
    case GZIP_CUT:
        put_logs(b, 3, 10);
        break;
    case NO_ITEMS:
        MESSAGE (b, 1)
            MESSAGE (b, 1)
                put_attr(b, 1, "a", "b");
        break;
    case GARBAGE:
        buf_append_str(b, "\x0A\x7Fgarbage");
        break;
    case GZIP_BOMB:
        buf_append(b, zeros, 1000000);
        break;
    case LARGEST:
        put_exactly(b, MAX_BODY);
        break;
    case TOO_LARGE:
        put_exactly(b, MAX_BODY + 1);
        break;
    case LARGE_RECORD:
        put_logs(b, 1, RECORD_BYTES);
        break;
    case MANY_ITEMS:
        put_logs(b, RECORD_ITEMS, 1);
        break;
    case SPLIT_ITEMS:
        put_logs(b, RECORD_PARTS * RECORD_ITEMS, 1);
        break;
    case TOO_MANY_ITEMS:
        put_logs(b, RECORD_PARTS * RECORD_ITEMS + 1, 1);
        break;
    case FAT_RESOURCE:
        put_fat_resource(b);
        break;
    case NONE:
        break;
    default:
        put_json(b, body);
        break;
    }
    free(zeros);
}

static void put_body(struct buf *b, enum body body)
{
    struct buf plain = BUF_INIT;
    put_plain(&plain, body);
    struct slice s = buf_slice(&plain);
    if (body == LOGS_MEMBERS) {
        gzip_append(b, slice_of(s.at, 5));
        gzip_append(b, slice_of(s.at + 5, s.len - 5));
    } else if (body == LOGS_GZIP || body == GZIP_BOMB || body == LARGE_RECORD || body == GZIP_CUT ||
               body == LOGS_JSON_GZIP || body == LARGE_JSON || body == GROWING_JSON ||
               body == WIDE_JSON) {
        gzip_append(b, s);
    } else {
        buf_append_slice(b, s);
    }
    b->len -= body == GZIP_CUT ? 5 : 0;
    buf_release(&plain);
}

#define PB          "content-type: application/x-protobuf"
#define JSON        "content-type: application/json"
#define KEY         "|x-api-key: $0"
#define GZIP        "|content-encoding: gzip"
#define GRPC        "content-type: application/grpc"
#define LOGS_PATH   "/v1/logs"
#define LOGS_METHOD "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

struct row {
    int line;
    const char *path;
    const char *headers;
    enum body body;
    enum outcome outcome; /* ACCEPTED: after a report; the others are answered at once */
    const char *says;     /* part of the message; NULL = the outcome's own text */
};

/* clang-format off */
static const struct row http_rows[] = {
    {__LINE__, LOGS_PATH, PB KEY, LOGS, OUTCOME_ACCEPTED, NULL},                              /* R57 */
    {__LINE__, "/v1/trace", PB KEY, LOGS, OUTCOME_UNKNOWN_PATH, NULL},                        /* R60 */
    {__LINE__, "/V1/logs", PB KEY, LOGS, OUTCOME_UNKNOWN_PATH, NULL},                         /* R59 */
    {__LINE__, "/v1/logs/", PB KEY, LOGS, OUTCOME_UNKNOWN_PATH, NULL},
    {__LINE__, "/v1development/profiles", PB KEY, LOGS, OUTCOME_UNKNOWN_PATH, NULL},          /* R274 */
    {__LINE__, LOGS_METHOD, PB KEY, LOGS, OUTCOME_UNSUPPORTED_TYPE, NULL},                    /* R141 */
    {__LINE__, LOGS_PATH, "content-type: APPLICATION/X-Protobuf; a=b" KEY, LOGS, OUTCOME_ACCEPTED, NULL}, /* R66 */
    {__LINE__, LOGS_PATH, "x-api-key: $0", LOGS, OUTCOME_UNSUPPORTED_TYPE, NULL},             /* R67 */
    {__LINE__, LOGS_PATH, "content-type: text/plain" KEY, LOGS, OUTCOME_UNSUPPORTED_TYPE, NULL},
    {__LINE__, LOGS_PATH, JSON KEY, LOGS_JSON, OUTCOME_ACCEPTED, NULL},                       /* R65 */
    {__LINE__, LOGS_PATH, "content-type: Application/JSON ; charset=utf-8" KEY, LOGS_JSON, OUTCOME_ACCEPTED, NULL}, /* R66 */
    {__LINE__, LOGS_PATH, JSON KEY GZIP, LOGS_JSON_GZIP, OUTCOME_ACCEPTED, NULL},             /* R72 */
    {__LINE__, LOGS_PATH, JSON KEY, NO_ITEMS_JSON, OUTCOME_ACCEPTED, NULL},
    {__LINE__, LOGS_PATH, JSON KEY, NONE, OUTCOME_MALFORMED, "expected an object at byte 0, in ExportLogsServiceRequest"}, /* R94 */
    {__LINE__, LOGS_PATH, JSON KEY, LOGS, OUTCOME_MALFORMED, "expected an object at byte 1, in ExportLogsServiceRequest"},
    {__LINE__, LOGS_PATH, JSON KEY, BAD_JSON, OUTCOME_MALFORMED, "logs request: expected a number (names of enum values are not read) at byte 65, in LogRecord.severity_number"},
    {__LINE__, LOGS_PATH, JSON KEY GZIP, LARGE_JSON, OUTCOME_ACCEPTED, "1 of 1 log records rejected"},
    {__LINE__, "/v1/metrics", JSON KEY GZIP, GROWING_JSON, OUTCOME_TOO_LARGE_DECOMPRESSED, NULL},
    {__LINE__, LOGS_PATH, JSON KEY GZIP, WIDE_JSON, OUTCOME_ACCEPTED, NULL},
    {__LINE__, LOGS_PATH, JSON KEY GZIP, GZIP_BOMB, OUTCOME_TOO_LARGE_DECOMPRESSED, NULL},    /* R86 */
    {__LINE__, LOGS_PATH, JSON KEY, MANY_ITEMS_JSON, OUTCOME_TOO_MANY_ITEMS, "at most 800"},
    {__LINE__, LOGS_PATH, PB KEY, LOGS_JSON, OUTCOME_MALFORMED, "not a valid logs request"},
    {__LINE__, LOGS_PATH, "content-type: application/jsonx" KEY, LOGS_JSON, OUTCOME_UNSUPPORTED_TYPE, NULL},
    {__LINE__, LOGS_PATH, "content-type: application/grpc-web" KEY, LOGS, OUTCOME_UNSUPPORTED_TYPE, NULL}, /* R68 */
    {__LINE__, LOGS_PATH, "content-type: application/protobuf" KEY, LOGS, OUTCOME_UNSUPPORTED_TYPE, NULL}, /* R69 */
    {__LINE__, LOGS_PATH, PB KEY GZIP, LOGS_GZIP, OUTCOME_ACCEPTED, NULL},                    /* R72 */
    {__LINE__, LOGS_PATH, PB KEY GZIP, LOGS_MEMBERS, OUTCOME_ACCEPTED, NULL},                 /* R73 */
    {__LINE__, LOGS_PATH, PB KEY "|content-encoding: X-GZip", LOGS_GZIP, OUTCOME_ACCEPTED, NULL}, /* R74 */
    {__LINE__, LOGS_PATH, PB KEY "|content-encoding: ", LOGS, OUTCOME_ACCEPTED, NULL},        /* R75 */
    {__LINE__, LOGS_PATH, PB KEY "|content-encoding: identity", LOGS, OUTCOME_ACCEPTED, NULL},
    {__LINE__, LOGS_PATH, PB KEY "|content-encoding: identity, gzip", LOGS_GZIP, OUTCOME_ACCEPTED, NULL}, /* R83 */
    {__LINE__, LOGS_PATH, PB KEY "|content-encoding: gzip, gzip", LOGS_GZIP, OUTCOME_UNSUPPORTED_CODING, "supported are identity"},
    {__LINE__, LOGS_PATH, PB KEY GZIP GZIP, LOGS_GZIP, OUTCOME_UNSUPPORTED_CODING, "supported are identity"},
    {__LINE__, LOGS_PATH, PB KEY "|content-encoding: br", LOGS, OUTCOME_UNSUPPORTED_CODING, "supported are identity"}, /* R84 */
    {__LINE__, LOGS_PATH, PB KEY GZIP, LOGS, OUTCOME_BAD_COMPRESSION, NULL},                  /* R85 */
    {__LINE__, LOGS_PATH, PB KEY GZIP, GZIP_CUT, OUTCOME_BAD_COMPRESSION, NULL},
    {__LINE__, LOGS_PATH, PB KEY GZIP, NONE, OUTCOME_BAD_COMPRESSION, NULL},
    {__LINE__, LOGS_PATH, PB KEY GZIP, GZIP_BOMB, OUTCOME_TOO_LARGE_DECOMPRESSED, NULL}, /* R86 */
    {__LINE__, LOGS_PATH, PB KEY, LARGEST, OUTCOME_ACCEPTED, NULL},                           /* R90 */
    {__LINE__, LOGS_PATH, PB KEY, TOO_LARGE, OUTCOME_TOO_LARGE, NULL},                        /* R87, R90 */
    {__LINE__, LOGS_PATH, PB KEY GZIP, LARGE_RECORD, OUTCOME_ACCEPTED, "1 of 1 log records rejected; in the first one, with its resource"},
    {__LINE__, LOGS_PATH, PB KEY, MANY_ITEMS, OUTCOME_ACCEPTED, NULL},
    {__LINE__, LOGS_PATH, PB KEY, SPLIT_ITEMS, OUTCOME_ACCEPTED, NULL},
    {__LINE__, LOGS_PATH, PB KEY, TOO_MANY_ITEMS, OUTCOME_TOO_MANY_ITEMS, "at most 800"},
    {__LINE__, LOGS_PATH, PB KEY, FAT_RESOURCE, OUTCOME_TOO_MANY_EXPANDED, "at most 4000000"},
    {__LINE__, LOGS_PATH, PB KEY, GARBAGE, OUTCOME_MALFORMED, "not a valid logs request: "},  /* R123, R124 */
    {__LINE__, LOGS_PATH, PB, LOGS, OUTCOME_NO_KEY, NULL},                                    /* R284 */
    {__LINE__, LOGS_PATH, PB "|x-api-key: ", LOGS, OUTCOME_NO_KEY, NULL},
    {__LINE__, LOGS_PATH, PB "|authorization: Basic dXNlcjpwYXNz", LOGS, OUTCOME_NO_KEY, NULL},
    {__LINE__, LOGS_PATH, PB "|authorization: Bearer $0", LOGS, OUTCOME_ACCEPTED, NULL},      /* R280 */
    {__LINE__, LOGS_PATH, PB "|authorization: bearer   $0", LOGS, OUTCOME_ACCEPTED, NULL},
    {__LINE__, LOGS_PATH, PB "|authorization: Bearer%20$0", LOGS, OUTCOME_ACCEPTED, NULL},    /* R282 */
    {__LINE__, LOGS_PATH, PB "|authorization: $0", LOGS, OUTCOME_NO_KEY, NULL},
    {__LINE__, LOGS_PATH, PB "|authorization: Basic dG50X3g6", LOGS, OUTCOME_BAD_KEY, NULL},  /* R281: "tnt_x:" */
    {__LINE__, LOGS_PATH, PB "|signoz-ingestion-key: $0", LOGS, OUTCOME_ACCEPTED, NULL},      /* R280 */
    {__LINE__, LOGS_PATH, PB "|other: $0", LOGS, OUTCOME_NO_KEY, NULL},
    {__LINE__, LOGS_PATH, PB KEY "|authorization: Bearer $0", LOGS, OUTCOME_ACCEPTED, NULL},
    {__LINE__, LOGS_PATH, PB KEY "|authorization: Bearer $1", LOGS, OUTCOME_BAD_KEY, NULL},   /* R283 */
    {__LINE__, LOGS_PATH, PB KEY "|x-api-key: $1", LOGS, OUTCOME_BAD_KEY, NULL},
    {__LINE__, LOGS_PATH, PB KEY "|authorization: Basic dXNlcjpwYXNz", LOGS, OUTCOME_ACCEPTED, NULL},
    {__LINE__, LOGS_PATH, PB "|x-api-key: tnt_nonsense", LOGS, OUTCOME_BAD_KEY, NULL},
    {__LINE__, LOGS_PATH, PB "|x-api-key: $0x", LOGS, OUTCOME_BAD_KEY, NULL},
    {__LINE__, LOGS_PATH, PB "|x-api-key: $4", LOGS, OUTCOME_BAD_KEY, NULL},                  /* revoked */
    {__LINE__, LOGS_PATH, PB "|x-api-key: $5", LOGS, OUTCOME_BAD_KEY, NULL},                  /* expired */
    {__LINE__, LOGS_PATH, PB "|x-api-key: $2", LOGS, OUTCOME_SUSPENDED, NULL},                /* R284 */
    {__LINE__, LOGS_PATH, PB "|x-api-key: $3", LOGS, OUTCOME_SIGNAL_FORBIDDEN, NULL},
    {__LINE__, LOGS_PATH, PB KEY "|grpc-timeout: nonsense", LOGS, OUTCOME_ACCEPTED, NULL},
};

static const struct row grpc_rows[] = {
    {__LINE__, LOGS_METHOD, GRPC KEY, LOGS, OUTCOME_ACCEPTED, NULL},                          /* R133 */
    {__LINE__, LOGS_PATH, GRPC KEY, LOGS, OUTCOME_UNKNOWN_METHOD, NULL},                      /* R136 */
    {__LINE__, "/grpc.health.v1.Health/Watch", GRPC KEY, LOGS, OUTCOME_UNKNOWN_METHOD, NULL}, /* R135, R305 */
    {__LINE__, LOGS_METHOD, "content-type: application/grpc+proto" KEY, LOGS, OUTCOME_ACCEPTED, NULL}, /* R138 */
    {__LINE__, LOGS_METHOD, "content-type: application/grpc; x=y" KEY, LOGS, OUTCOME_ACCEPTED, NULL}, /* R139 */
    {__LINE__, LOGS_METHOD, "content-type: application/grpc+json" KEY, LOGS, OUTCOME_UNSUPPORTED_TYPE, "read as protobuf"}, /* R140 */
    {__LINE__, LOGS_METHOD, GRPC, LOGS, OUTCOME_NO_KEY, NULL},                                /* R200 */
    {__LINE__, LOGS_METHOD, GRPC "|signoz-ingestion-key: $0", LOGS, OUTCOME_ACCEPTED, NULL},
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-timeout: 10S", LOGS, OUTCOME_ACCEPTED, NULL},     /* R144 */
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-timeout: 99999999H", LOGS, OUTCOME_ACCEPTED, NULL},
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-timeout: 10M", LOGS, OUTCOME_ACCEPTED, NULL},
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-timeout: 9000m", LOGS, OUTCOME_ACCEPTED, NULL},
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-timeout: 9000000u", LOGS, OUTCOME_ACCEPTED, NULL},
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-timeout: 99999999n", LOGS, OUTCOME_ACCEPTED, NULL},
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-timeout: 1", LOGS, OUTCOME_BAD_TIMEOUT, NULL},
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-timeout: 1SS", LOGS, OUTCOME_BAD_TIMEOUT, NULL},
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-timeout: 10s", LOGS, OUTCOME_BAD_TIMEOUT, NULL},  /* R146 */
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-timeout: 123456789S", LOGS, OUTCOME_BAD_TIMEOUT, NULL},
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-timeout: S", LOGS, OUTCOME_BAD_TIMEOUT, NULL},
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-timeout: -1S", LOGS, OUTCOME_BAD_TIMEOUT, NULL},
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-timeout: 0n", LOGS, OUTCOME_DEADLINE, NULL},      /* R148 */
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-encoding: br", LOGS, OUTCOME_ACCEPTED, NULL},     /* R165 */
    {__LINE__, LOGS_METHOD, GRPC KEY "|content-encoding: br", LOGS, OUTCOME_ACCEPTED, NULL},
    {__LINE__, LOGS_METHOD, GRPC KEY, NONE, OUTCOME_ACCEPTED, NULL},                          /* R160 */
    {__LINE__, LOGS_METHOD, GRPC KEY, GARBAGE, OUTCOME_MALFORMED, "not a valid logs request: "}, /* R178 */
};

static const struct row compressed_rows[] = { /* gRPC messages with flag 1 */
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-encoding: gzip", LOGS_GZIP, OUTCOME_ACCEPTED, NULL}, /* R166 */
    {__LINE__, LOGS_METHOD, GRPC KEY, LOGS_GZIP, OUTCOME_COMPRESSED_WITHOUT_CODING, NULL},    /* R164 */
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-encoding: identity", LOGS_GZIP, OUTCOME_COMPRESSED_WITHOUT_CODING, NULL},
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-encoding: br", LOGS_GZIP, OUTCOME_UNSUPPORTED_CODING, "supported are identity"}, /* R170 */
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-encoding: gzip", GZIP_CUT, OUTCOME_BAD_COMPRESSION, NULL}, /* R172 */
    {__LINE__, LOGS_METHOD, GRPC KEY "|grpc-encoding: gzip", GZIP_BOMB, OUTCOME_TOO_LARGE_DECOMPRESSED, NULL}, /* R173 */
};
/* clang-format on */

static void check(struct home *h, const struct row *r, enum request_kind kind, bool compressed)
{
    struct buf body = BUF_INIT;
    put_body(&body, r->body);
    struct request *req = make_request(h, kind, r->path, r->headers);
    req->grpc_compressed = compressed;
    fake.answers = 0;
    run(req, buf_slice(&body));
    if (fake.record != NULL)
        report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    check_row(r->line, fake.answers == 1 && fake.outcome == r->outcome, "%d answers, %s",
              fake.answers, outcome_info[fake.outcome].reason);
    check_row(r->line, r->says ? strstr(fake.message, r->says) != NULL : fake.message[0] == 0,
              "says: %s", fake.message);
    assert_int_equal(req->refs, 1);
    request_unref(req);
    buf_release(&body);
    assert_nothing_held(h);
}

/* DESIGN §4: JSON is transcoded to the same protobuf. */
static void test_json_is_produced_as_protobuf(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    struct buf json = BUF_INIT, protobuf = BUF_INIT;
    put_body(&json, LOGS_JSON_GZIP);
    put_body(&protobuf, LOGS);
    struct request *req = make_request(h, REQUEST_HTTP, LOGS_PATH, JSON KEY GZIP);
    run(req, buf_slice(&json));
    assert_non_null(fake.record);
    assert_true(slice_eq(fake.record->value, buf_slice(&protobuf)));
    assert_int_equal(fake.record->items, 3);
    assert_int_equal(req->bytes, protobuf.len);
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    request_unref(req);
    buf_release(&json);
    buf_release(&protobuf);
    assert_nothing_held(h);
    home_close(h);
}

static void test_bad_json_names_its_field(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    struct buf json = BUF_INIT;
    put_body(&json, BAD_JSON);
    struct request *req = make_request(h, REQUEST_HTTP, LOGS_PATH, JSON KEY);
    run(req, buf_slice(&json));
    assert_int_equal(fake.outcome, OUTCOME_MALFORMED);
    assert_string_equal(fake.bad_field, "LogRecord.severity_number");
    request_unref(req);
    buf_release(&json);
    home_close(h);
}

static void check_rows(const struct row *rows, size_t n, enum request_kind kind, bool compressed)
{
    struct home *h = home_open("", "");
    for (size_t i = 0; i < n; i++)
        check(h, &rows[i], kind, compressed);
    home_close(h);
}
#define ROWS(rows) rows, sizeof(rows) / sizeof(rows[0])

static void test_http(void **state)
{
    (void)state;
    check_rows(ROWS(http_rows), REQUEST_HTTP, false);
}

static void test_grpc(void **state)
{
    (void)state;
    check_rows(ROWS(grpc_rows), REQUEST_GRPC, false);
    check_rows(ROWS(compressed_rows), REQUEST_GRPC, true);
}

/* Each signal's paths lead to its own topic. */
static void test_signals(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    for (int s = 0; s < SIGNAL_COUNT; s++) {
        /* One item of any signal: field 2 of the scope, as data point one level deeper. */
        struct buf b = BUF_INIT;
        MESSAGE (&b, 1)
            MESSAGE (&b, 2)
                MESSAGE (&b, 2) {
                    if (s == SIGNAL_TRACES) {
                        put_text(&b, 1, "0123456789abcdef");
                        put_text(&b, 2, "01234567");
                    }
                    MESSAGE (&b, 5)
                        MESSAGE (&b, 1)
                            put_fixed64(&b, 3, 1);
                }
        struct request *req = make_request(h, REQUEST_GRPC, signal_info[s].grpc_path, GRPC KEY);
        run(req, buf_slice(&b));
        assert_non_null(fake.record);
        assert_int_equal(fake.record->signal, s);
        report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
        assert_int_equal(req->signal, s);
        request_unref(req);
        buf_release(&b);
    }
    home_close(h);
}

static void test_method_http1_and_drain(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    struct request *req = make_logs_request(h);
    req->method = SLICE_LIT("GET"); /* R61 */
    run(req, SLICE_NULL);
    assert_int_equal(fake.outcome, OUTCOME_NOT_POST);
    request_unref(req);

    req = make_request(h, REQUEST_GRPC, LOGS_METHOD, GRPC KEY); /* R16 */
    req->http1 = true;
    run(req, SLICE_NULL);
    assert_int_equal(fake.outcome, OUTCOME_GRPC_OVER_HTTP1);
    request_unref(req);

    atomic_store(&h->router.draining, true); /* R300 */
    req = run_logs(h, 1, 1);
    assert_int_equal(fake.outcome, OUTCOME_DRAINING);
    request_unref(req);
    home_close(h);
}

/* R91: decided before a byte of the body; exactly the limit passes, a gRPC prefix on top (R157). */
static void test_announced_length(void **state)
{
    (void)state;
    static const struct {
        enum request_kind kind;
        uint64_t length;
        bool fits;
    } rows[] = {
        {REQUEST_HTTP, MAX_BODY, true},     {REQUEST_HTTP, MAX_BODY + 1, false},
        {REQUEST_GRPC, MAX_BODY + 5, true}, {REQUEST_GRPC, MAX_BODY + 6, false},
        {REQUEST_HTTP, UINT64_MAX, true},
    };
    struct home *h = home_open("", "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool grpc = rows[i].kind == REQUEST_GRPC;
        struct request *req =
            make_request(h, rows[i].kind, grpc ? LOGS_METHOD : LOGS_PATH, grpc ? GRPC KEY : PB KEY);
        req->content_length = rows[i].length;
        enum admission_step step = admission_headers(req);
        assert_int_equal(step, rows[i].fits ? ADMISSION_CONTINUE : ADMISSION_ANSWERED);
        if (rows[i].fits)
            admission_gone(req, OUTCOME_CLIENT_GONE);
        else
            assert_int_equal(fake.outcome, OUTCOME_TOO_LARGE);
        request_unref(req);
    }
    home_close(h);
}

/* The record is what came in, decompressed, with the tenant of the key. */
static void test_record(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    struct buf plain = BUF_INIT, body = BUF_INIT;
    put_plain(&plain, LOGS);
    gzip_append(&body, buf_slice(&plain));
    struct request *req = make_request(h, REQUEST_HTTP, LOGS_PATH, PB KEY GZIP);
    req->received_ns = 1700000000123456789;
    run(req, buf_slice(&body));
    const struct producer_record *r = fake.record;
    assert_non_null(r);
    assert_true(slice_eq(r->value, buf_slice(&plain)));
    assert_string_equal(r->tenant->id, "acme");
    assert_int_equal(r->signal, SIGNAL_LOGS);
    assert_true(slice_eq(r->key_id, slice_of(h->keys[KEY_ACME] + 4, KEY_ID_LENGTH)));
    assert_true(r->received_ns == 1700000000123456789 && r->items == 3);
    uint8_t hash[16];
    memcpy(hash, r->request_hash, 16);
    assert_true(atomic_load(&h->router.buffered) == plain.len); /* the compressed body is gone */
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    assert_nothing_held(h); /* before the transport lets go */
    request_unref(req);

    req = make_request(h, REQUEST_HTTP, LOGS_PATH, PB KEY);
    run(req, buf_slice(&plain));
    assert_memory_equal(fake.record->request_hash, hash, 16); /* of the decompressed bytes */
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    request_unref(req);
    buf_release(&plain);
    buf_release(&body);
    home_close(h);
}

/* R93, R102, R103: accepted and not produced. */
static void test_empty_request(void **state)
{
    (void)state;
    static const enum body bodies[] = {NONE, NO_ITEMS};
    struct home *h = home_open("", "");
    for (int i = 0; i < 2; i++) {
        struct buf b = BUF_INIT;
        put_body(&b, bodies[i]);
        struct request *req = make_logs_request(h);
        fake.answers = 0;
        run(req, buf_slice(&b));
        assert_null(fake.record);
        assert_int_equal(fake.answers, 1);
        assert_int_equal(fake.outcome, OUTCOME_ACCEPTED);
        request_unref(req);
        buf_release(&b);
    }
    home_close(h);
}

static void put_span(struct buf *b, const char *trace_id)
{
    MESSAGE (b, 2) {
        put_text(b, 1, trace_id);
        put_text(b, 2, "01234567");
    }
}

/* `good` spans and then `bad` ones. */
static void put_spans(struct buf *b, int good, int bad)
{
    MESSAGE (b, 1)
        MESSAGE (b, 2) {
            for (int i = 0; i < good; i++)
                put_span(b, "0123456789abcdef");
            for (int i = 0; i < bad; i++)
                put_span(b, "short");
        }
}

static double rejected_spans(void)
{
    return metric_value("tenantry_items_rejected_total{tenant=\"acme\",signal=\"traces\","
                        "reason=\"trace_id\"}");
}

/* R104-R107, R182, R232, R270: what is good is produced, the rest is told and counted, once the
 * good is safe. */
static void check_partial(struct home *h, enum request_kind kind, int good, int bad)
{
    struct buf body = BUF_INIT, want = BUF_INIT;
    char text[160];
    double before = rejected_spans();
    put_spans(&body, good, bad);
    put_spans(&want, good, 0);
    struct request *req =
        kind == REQUEST_GRPC ? make_request(h, kind, signal_info[SIGNAL_TRACES].grpc_path, GRPC KEY)
                             : make_request(h, kind, "/v1/traces", PB KEY);
    fake.answers = 0;
    run(req, buf_slice(&body));
    if (good > 0) {
        assert_non_null(fake.record);
        assert_true(slice_eq(fake.record->value, buf_slice(&want)));
        assert_int_equal(fake.record->items, good);
        assert_true(atomic_load(&h->router.buffered) == want.len);
        assert_int_equal(fake.answers, 0);
        assert_true(rejected_spans() == before);
        report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    }
    assert_null(fake.record);
    assert_int_equal(fake.answers, 1);
    assert_int_equal(fake.outcome, OUTCOME_ACCEPTED);
    assert_int_equal(fake.rejected, bad);
    snprintf(text, sizeof(text), "%d of %d spans rejected; in the first one, %s", bad, good + bad,
             defect_info[DEFECT_TRACE_ID].text);
    assert_string_equal(fake.message, bad ? text : "");
    assert_true(rejected_spans() == before + bad);
    request_unref(req);
    buf_release(&body);
    buf_release(&want);
}

static void test_partial_success(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    check_partial(h, REQUEST_HTTP, 3, 2);
    check_partial(h, REQUEST_GRPC, 3, 2);
    check_partial(h, REQUEST_HTTP, 1, 0);
    check_partial(h, REQUEST_HTTP, 0, 4); /* nothing is produced */
    check_partial(h, REQUEST_GRPC, 0, 1);
    home_close(h);
}

/* Nothing was taken, so nothing was rejected either: the sender comes back with all of it. */
static void test_partial_failure_is_a_failure(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    struct buf body = BUF_INIT;
    double before = rejected_spans();
    put_spans(&body, 1, 1);
    struct request *req = make_request(h, REQUEST_HTTP, "/v1/traces", PB KEY);
    run(req, buf_slice(&body));
    report(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, false);
    assert_int_equal(fake.outcome, OUTCOME_KAFKA_DOWN);
    assert_int_equal(fake.rejected, 0);
    assert_true(rejected_spans() == before);
    request_unref(req);
    buf_release(&body);
    home_close(h);
}

/* Bad items count against the limits, too. */
static void test_bad_items_are_not_free(void **state)
{
    (void)state;
    struct home *h = home_open("items = \"5/s\"; wait = \"0s\";", "");
    struct buf body = BUF_INIT;
    put_spans(&body, 0, 150);
    for (int i = 0; i < 3; i++) {
        struct request *req = make_request(h, REQUEST_HTTP, "/v1/traces", PB KEY);
        run(req, buf_slice(&body));
        request_unref(req);
    }
    assert_int_equal(fake.outcome, OUTCOME_OVER_ITEMS);
    buf_release(&body);
    home_close(h);
}

/* The transport's own findings, also before admission saw the headers. */
static void test_refused_by_transport(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    static const char series[] =
        "tenantry_requests_total{tenant=\"\",signal=\"\",outcome=\"bad_request\"}";
    double before = metric_value(series);
    struct request *req = make_logs_request(h);
    admission_refuse(req, OUTCOME_BAD_REQUEST, "two hosts");
    assert_int_equal(fake.outcome, OUTCOME_BAD_REQUEST);
    assert_string_equal(fake.message, "two hosts");
    assert_true(metric_value(series) == before + 1);
    request_unref(req);

    req = make_logs_request(h);
    assert_int_equal(admission_headers(req), ADMISSION_CONTINUE);
    assert_int_equal(admission_data(req, 100), ADMISSION_CONTINUE);
    admission_refuse(req, OUTCOME_BAD_GRPC_FRAME, NULL);
    assert_nothing_held(h);
    request_unref(req);
    home_close(h);
}

/* Keys stand in no answer (R286). */
static void test_keys_are_not_told(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    for (int k = 0; k < KEY_COUNT; k++) {
        char headers[64];
        snprintf(headers, sizeof(headers), PB "|x-api-key: $%dx", k);
        struct request *req = make_request(h, REQUEST_HTTP, LOGS_PATH, headers);
        run(req, SLICE_NULL);
        assert_int_equal(fake.outcome, OUTCOME_BAD_KEY);
        assert_null(strstr(fake.message, "tnt_"));
        request_unref(req);
    }
    home_close(h);
}

/* --- pages ---------------------------------------------------------------------------------- */

static struct request *ask(struct home *h, const char *method, const char *path,
                           const char *headers)
{
    struct request *req = make_request(h, REQUEST_HTTP, path, headers);
    req->method = slice_str(method);
    fake.page_status = 0;
    assert_int_equal(admission_headers(req), ADMISSION_ANSWERED);
    return req;
}

static void test_pages(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *method, *path, *headers;
        int status; /* of the page; 0 = an outcome */
        enum outcome outcome;
        const char *says;
    } rows[] = {
        {__LINE__, "GET", "/readyz", "", 200, OUTCOME_ACCEPTED, "ready\n"},
        {__LINE__, "HEAD", "/readyz", "", 200, OUTCOME_ACCEPTED, "ready\n"},
        {__LINE__, "POST", "/readyz", "", 405, OUTCOME_ACCEPTED, "GET"},
        {__LINE__, "GET", "/readyz/", "", 0, OUTCOME_UNKNOWN_PATH, ""},
        {__LINE__, "GET", "/api/tenant", "", 0, OUTCOME_NO_KEY, ""},
        {__LINE__, "GET", "/api/tenant", "x-api-key: $4", 0, OUTCOME_BAD_KEY, ""},
        {__LINE__, "GET", "/api/tenant", "x-api-key: $0", 200, OUTCOME_ACCEPTED,
         "{\"tenant\":\"acme\","},
        {__LINE__, "GET", "/api/tenant", "x-api-key: $1", 200, OUTCOME_ACCEPTED,
         "{\"tenant\":\"beta\","},
        {__LINE__, "GET", "/api/tenant", "x-api-key: $2", 200, OUTCOME_ACCEPTED,
         "\"suspended\":true"},
        {__LINE__, "GET", "/api/tenant", "x-api-key: $3", 200, OUTCOME_ACCEPTED,
         "\"per_second\":7,"},
        {__LINE__, "PUT", "/api/tenant", "x-api-key: $0", 405, OUTCOME_ACCEPTED, "GET"},
    };
    struct home *h = home_open("items = \"7/s\";", "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fake.outcome = OUTCOME_ACCEPTED;
        fake.message[0] = 0;
        struct request *req = ask(h, rows[i].method, rows[i].path, rows[i].headers);
        if (fake.page_status != rows[i].status || fake.outcome != rows[i].outcome ||
            strstr(fake.message, rows[i].says) == NULL)
            fail_msg("row at line %d: %d, %s, %s", rows[i].line, fake.page_status,
                     outcome_info[fake.outcome].reason, fake.message);
        request_unref(req);
    }
    fake.kafka_down = true;
    request_unref(ask(h, "GET", "/readyz", ""));
    assert_int_equal(fake.page_status, 503);
    fake.kafka_down = false;
    atomic_store(&h->router.leaving, true);
    request_unref(ask(h, "GET", "/readyz", ""));
    assert_int_equal(fake.page_status, 503);
    home_close(h);
}

/* Twenty at once, then five a second; a tenant's own, and nothing of its other limits. */
static void test_a_page_may_not_be_asked_for_at_will(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    h->loop.now_ns += 60 * NS_PER_S; /* the rows above have asked */
    for (int i = 0; i < 21; i++) {
        request_unref(ask(h, "GET", "/api/tenant", "x-api-key: $0"));
        assert_int_equal(fake.page_status, i < 20 ? 200 : 429);
    }
    request_unref(ask(h, "GET", "/api/tenant", "x-api-key: $1"));
    assert_int_equal(fake.page_status, 200);
    h->loop.now_ns += 200 * NS_PER_MS;
    request_unref(ask(h, "GET", "/api/tenant", "x-api-key: $0"));
    assert_int_equal(fake.page_status, 200);
    home_close(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_is_produced_as_protobuf),
        cmocka_unit_test(test_bad_json_names_its_field),
        cmocka_unit_test(test_http),
        cmocka_unit_test(test_grpc),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_method_http1_and_drain),
        cmocka_unit_test(test_announced_length),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_empty_request),
        cmocka_unit_test(test_partial_success),
        cmocka_unit_test(test_partial_failure_is_a_failure),
        cmocka_unit_test(test_bad_items_are_not_free),
        cmocka_unit_test(test_refused_by_transport),
        cmocka_unit_test(test_keys_are_not_told),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_a_page_may_not_be_asked_for_at_will),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
