/* A router without network and Kafka around admission: config and keys are real files, the loop is
 * a clock that tests move, the transport keeps the answer, the producer keeps the record until the
 * test reports on it. */
#ifndef TESTS_ROUTER_ADMISSION_HOME_H
#define TESTS_ROUTER_ADMISSION_HOME_H

#include "gzip.h"
#include "tests/base/unit.h"

#include "router/admission/admission.h"
#include "router/metrics.h"
#include "router/router.h"
#include "tenancy/keys/keystore.h"
#include "tests/otlp/message.h"
#include "tests/tenancy/temp_folder.h"

#include <sys/stat.h>

#define MAX_BODY         20000
#define MAX_DECOMPRESSED 100000
#define RECORD_BYTES     65536
#define RECORD_ITEMS     200
#define RECORD_PARTS     4
#define MAX_RECORDS      100

enum key_name {
    KEY_ACME,
    KEY_BETA,
    KEY_SUSPENDED,
    KEY_TRACES,
    KEY_REVOKED,
    KEY_EXPIRED,
    KEY_COUNT
};

struct home {
    struct temp_folder folder;
    struct tenancy *tenancy;
    struct router router;
    struct loop loop;
    char keys[KEY_COUNT][KEY_TEXT_LENGTH + 1];
};

/* What the fakes saw last. */
static struct {
    struct loop_timer *timer;
    struct loop_message *posted;
    struct producer_record *record, *records[MAX_RECORDS]; /* the last one, all since a report */
    size_t n_records;
    size_t send_after;              /* so many records are taken before send_error */
    uint64_t room;                  /* of the queue; 0 = there is */
    rd_kafka_resp_err_t send_error; /* of producer_send_all */
    bool kafka_down;
    struct partitions partitions;
    int answers, resumed;
    enum outcome outcome;
    char message[512];
    int page_status; /* 0 = no page */
    uint64_t rejected;
    uint64_t retry_delay_ns;
    const char *bad_field;
} fake;

/* --- fakes, by their real names --------------------------------------------------------------- */

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t due_ns)
{
    (void)l;
    assert_true(fake.timer == NULL || fake.timer == t);
    t->due_ns = due_ns;
    fake.timer = t;
}

void loop_timer_clear(struct loop *l, struct loop_timer *t)
{
    (void)l;
    if (fake.timer == t)
        fake.timer = NULL;
}

void loop_post(struct loop *l, struct loop_message *m)
{
    (void)l;
    assert_null(fake.posted);
    fake.posted = m;
}

size_t producer_send_all(struct producers *p, struct producer_record *const *records, size_t n,
                         rd_kafka_resp_err_t *ret_error)
{
    (void)p;
    size_t sent = 0;
    for (; sent < n; sent++) {
        if (fake.send_error != RD_KAFKA_RESP_ERR_NO_ERROR && fake.n_records >= fake.send_after)
            break;
        assert_true(fake.n_records < MAX_RECORDS);
        fake.record = fake.records[fake.n_records++] = records[sent];
    }
    *ret_error = sent < n ? fake.send_error : RD_KAFKA_RESP_ERR_NO_ERROR;
    return sent;
}

struct partitions *producer_partitions(struct producers *p, const struct tenant *t,
                                       enum signal signal)
{
    (void)p, (void)t, (void)signal;
    return &fake.partitions;
}

bool producers_ready(struct producers *p)
{
    (void)p;
    return !fake.kafka_down;
}

struct producer_standing producer_standing(struct producers *p, const char *tenant)
{
    (void)p, (void)tenant;
    return (struct producer_standing){0};
}

uint64_t producers_queued_bytes(struct producers *p)
{
    (void)p;
    return 0;
}

static void keep_answer(struct request *req, const struct answer *a)
{
    (void)req;
    fake.answers++;
    if (a->page != NULL) {
        fake.page_status = a->page->status;
        snprintf(fake.message, sizeof(fake.message), "%.*s", SLICE_ARG(a->page->body));
        return;
    }
    fake.outcome = a->outcome;
    snprintf(fake.message, sizeof(fake.message), "%s", a->message ? a->message : "");
    fake.rejected = a->rejected;
    fake.retry_delay_ns = a->retry_delay_ns;
    fake.bad_field = a->bad_field;
}

static void keep_resume(struct request *req)
{
    (void)req;
    fake.resumed++;
}

static const struct transport_ops fake_transport = {.answer = keep_answer, .resume = keep_resume};

/* --- the installation ------------------------------------------------------------------------- */

static inline void issue(struct home *h, enum key_name name, const char *tenant, struct key k)
{
    struct errbuf err;
    struct arena arena = ARENA_INIT;
    struct key_changed was;
    char folder[512];
    bool revoke = k.revoked;
    k.label = "test";
    k.signals = k.signals ? k.signals : 7;
    if (keystore_issue(temp_path(&h->folder, "keys.d", folder), tenant, &k, h->keys[name], &err) !=
        0)
        fail_msg("%s", err.text);
    if (revoke && keystore_revoke(folder, k.id, &arena, &was, &err) < 0)
        fail_msg("%s", err.text);
    arena_release(&arena);
}

/* `limits` of tenant acme, `router` more options of the router. */
static inline struct home *home_open(const char *limits, const char *router)
{
    struct home *h = calloc(1, sizeof(*h));
    struct errbuf err = ERRBUF_INIT;
    char path[512], text[1024];
    memset(&fake, 0, sizeof(fake));
    h->folder = temp_folder_make();
    mkdir(temp_path(&h->folder, "tenants.d", path), 0700);
    mkdir(temp_path(&h->folder, "keys.d", path), 0700);
    snprintf(text, sizeof(text),
             "router: { max_body = \"%d\"; max_decompressed = \"%d\"; %s };\n"
             "record: { max_items = %d; max_expanded = \"1MB\"; max_bytes = \"%d\"; "
             "max_parts = %d; };\n",
             MAX_BODY, MAX_DECOMPRESSED, router, RECORD_ITEMS, RECORD_BYTES, RECORD_PARTS);
    temp_write(&h->folder, "tenantry.conf", text);
    snprintf(text, sizeof(text), "tenant: { id = \"acme\"; limits = { %s }; };\n", limits);
    temp_write(&h->folder, "tenants.d/acme.conf", text);
    temp_write(&h->folder, "tenants.d/beta.conf", "tenant: { id = \"beta\"; };\n");
    temp_write(&h->folder, "tenants.d/late.conf", "tenant: { id = \"late\"; };\n");
    temp_write(&h->folder, "tenants.d/late.suspended", "");
    issue(h, KEY_ACME, "acme", (struct key){0});
    issue(h, KEY_BETA, "beta", (struct key){0});
    issue(h, KEY_SUSPENDED, "late", (struct key){0});
    issue(h, KEY_TRACES, "acme", (struct key){.signals = 1u << SIGNAL_TRACES});
    issue(h, KEY_REVOKED, "acme", (struct key){.revoked = true});
    issue(h, KEY_EXPIRED, "acme", (struct key){.expires_s = 1000});
    h->tenancy = tenancy_open(temp_path(&h->folder, "tenantry.conf", path), NULL, &err);
    if (h->tenancy == NULL)
        fail_msg("%s", err.text);
    h->router.tenancy = h->tenancy;
    h->router.metrics = router_metrics_new();
    h->loop.router = &h->router;
    h->loop.now_ns = 1000 * NS_PER_S;
    h->loop.snapshot = tenancy_acquire(h->tenancy);
    return h;
}

static inline struct tenant_runtime *runtime_of(struct home *h, const char *id)
{
    return snapshot_tenant(h->loop.snapshot, slice_str(id))->runtime;
}

/* All that was counted for bodies under way has been given back. */
static inline void assert_nothing_held(struct home *h)
{
    assert_true(atomic_load(&h->router.buffered) == 0);
    assert_true(atomic_load(&runtime_of(h, "acme")->in_flight) == 0);
    assert_true(atomic_load(&runtime_of(h, "beta")->in_flight) == 0);
}

static inline void home_close(struct home *h)
{
    assert_nothing_held(h);
    assert_null(fake.timer);
    struct tenant_runtime *rt = runtime_of(h, "acme"); /* outlives this home */
    for (int i = 0; i < LIMIT_SCOPE_COUNT; i++) {
        limit_release(&rt->limits[i].bytes);
        limit_release(&rt->limits[i].items);
        limit_release(&rt->limits[i].requests);
        atomic_store(&rt->limits[i].today.packed, 0);
    }
    router_metrics_free(h->router.metrics);
    decompressor_release(&h->loop.decompressor);
    snapshot_release(h->loop.snapshot);
    tenancy_close(h->tenancy);
    temp_folder_remove(&h->folder);
    free(h);
}

/* --- requests -----------------------------------------------------------------------------------
 */

/* A request whose headers are "name: value|name: value"; a value may name a key as "$0" (enum
 * key_name). */
static inline struct request *make_request(struct home *h, enum request_kind kind, const char *path,
                                           const char *headers)
{
    struct request *req = request_new(&h->loop, &fake_transport, NULL);
    req->kind = kind;
    req->method = SLICE_LIT("POST");
    req->path = slice_str(path);
    while (*headers != 0) {
        char value[512] = "";
        size_t name = strcspn(headers, ":");
        const char *at = headers + name + (headers[name] != 0);
        size_t end = strcspn(at, "|");
        size_t before = strcspn(at, "$|");
        if (before < end)
            snprintf(value, sizeof(value), "%.*s%s%.*s", (int)before, at,
                     h->keys[at[before + 1] - '0'], (int)(end - before - 2), at + before + 2);
        else
            snprintf(value, sizeof(value), "%.*s", (int)end, at);
        assert_int_equal(
            request_add_header(req, slice_of(headers, name), slice_trim(slice_str(value))), 0);
        headers = at + end + (at[end] != 0);
    }
    return req;
}

#define GOOD_HEADERS "content-type: application/x-protobuf|x-api-key: $0"

/* A request of acme to /v1/logs. */
static inline struct request *make_logs_request(struct home *h)
{
    return make_request(h, REQUEST_HTTP, "/v1/logs", GOOD_HEADERS);
}

/* Appends an ExportLogsServiceRequest of `items` records with a body of `size` bytes each. */
static inline void put_logs(struct buf *b, int items, size_t size)
{
    char *text = calloc(1, size + 1);
    memset(text, 'x', size);
    MESSAGE (b, 1) {
        MESSAGE (b, 2) {
            for (int i = 0; i < items; i++)
                MESSAGE (b, 2)
                    MESSAGE (b, 5)
                        put_text(b, 1, text);
        }
    }
    free(text);
}

/* As a transport does: in pieces, until admission answers. */
static inline void feed(struct request *req, struct slice body)
{
    while (body.len > 0) {
        size_t n = body.len < 7000 ? body.len : 7000;
        if (admission_data(req, n) == ADMISSION_ANSWERED)
            return;
        buf_append(&req->body, body.at, n);
        body = slice_of(body.at + n, body.len - n);
    }
    admission_body(req);
}

static inline void run(struct request *req, struct slice body)
{
    if (admission_headers(req) == ADMISSION_CONTINUE)
        feed(req, body);
}

/* A whole request of acme with `items` log records. */
static inline struct request *run_logs(struct home *h, int items, size_t size)
{
    struct buf b = BUF_INIT;
    put_logs(&b, items, size);
    struct request *req = make_logs_request(h);
    run(req, buf_slice(&b));
    buf_release(&b);
    return req;
}

/* A delivery report, as far as the loop. */
static inline void report_on(struct producer_record *r, rd_kafka_resp_err_t error,
                             bool possibly_persisted)
{
    r->done(r->arg, error, possibly_persisted);
    struct loop_message *m = fake.posted;
    fake.posted = NULL;
    m->run(m);
}

/* On all records that the producer holds. */
static inline void report(rd_kafka_resp_err_t error, bool possibly_persisted)
{
    assert_non_null(fake.record);
    size_t n = fake.n_records;
    fake.record = NULL;
    fake.n_records = 0;
    for (size_t i = 0; i < n; i++)
        report_on(fake.records[i], error, possibly_persisted);
}

static inline void advance(struct home *h, uint64_t ns)
{
    h->loop.now_ns += ns;
    struct loop_timer *t = fake.timer;
    if (t == NULL || t->due_ns > h->loop.now_ns)
        return;
    fake.timer = NULL;
    t->fire(t);
}

/* The value of a line of /metrics; 0 when there is none. */
static inline double metric_value(const char *series)
{
    struct buf b = BUF_INIT;
    metrics_write(&b);
    double value = 0;
    char line[512];
    snprintf(line, sizeof(line), "\n%s ", series);
    const char *at = strstr(buf_cstr(&b), line);
    if (at != NULL)
        value = atof(at + strlen(line));
    buf_release(&b);
    return value;
}

static inline double counted(const char *what, const char *outcome)
{
    char series[256];
    snprintf(series, sizeof(series),
             "tenantry_%s_total{tenant=\"acme\",signal=\"logs\",outcome=\"%s\"}", what, outcome);
    return metric_value(series);
}

static inline double possible_duplicates(void)
{
    return metric_value("tenantry_possible_duplicates_total{tenant=\"acme\",signal=\"logs\"}");
}

#endif
