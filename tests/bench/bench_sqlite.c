/* Log rows per CPU-second from record bytes to SQLite: 1,000 log records with 12 attributes a
 * record, ten records a batch, all in a file in the current folder. Not a test: run it by hand.
 *
 *     bench_sqlite [batches] [rows per trace]                                               */
#include "base/clock.h"
#include "consumer/export/exporter.h"
#include "otlp/decode.h"
#include "tests/otlp/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { ROWS = 1000, RECORDS = 10 };

static const char path[] = "bench_sqlite.db";

static const char *const keys[] = {
    "client.address",    "code.function.name", "code.line",
    "enduser.id",        "http.method",        "http.response.status_code",
    "network.transport", "server.address",     "session.id",
    "thread.id",         "url.path",           "user_agent",
};

static void put_trace_id(struct buf *b, uint64_t trace)
{
    uint64_t id[2] = {trace * 0x9E3779B97F4A7C15u, trace * 0xC2B2AE3D27D4EB4Fu};
    put_bytes(b, 9, slice_of(id, sizeof(id)));
    put_bytes(b, 10, slice_of(&id[1], sizeof(id[1])));
}

static void put_log(struct buf *b, uint64_t row, uint64_t per_trace)
{
    MESSAGE (b, 2) {
        put_fixed64(b, 1, 1700000000000000000u + row * 1000);
        put_varint(b, 2, 9);
        put_text(b, 3, "INFO");
        MESSAGE (b, 5)
            put_text(b, 1, "GET /api/v1/orders/1234 took 17 ms and returned 200");
        for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
            put_attr(b, 6, keys[k], "a value of an attribute" + (row + k) % 16);
        put_trace_id(b, 1 + row / per_trace);
    }
}

static void put_request(struct buf *b, uint64_t first_row, uint64_t per_trace)
{
    buf_clear(b);
    MESSAGE (b, 1) {
        MESSAGE (b, 1) {
            put_attr(b, 1, "service.name", "shop");
            put_attr(b, 1, "host.name", "node-17.example");
        }
        MESSAGE (b, 2)
            for (uint64_t i = 0; i < ROWS; i++)
                put_log(b, first_row + i, per_trace);
    }
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct target {
    void *rows;
    uint32_t record;
};

static int add_row(void *arg, enum table table, const struct cell *cells)
{
    struct target *t = arg;
    return sqlite_exporter.rows_add(t->rows, t->record, table, cells);
}

struct times {
    double decode, write;
};

/* Ten requests through decoder and exporter; what building them costs is not counted. */
static enum export_result run_batch(struct exporter *x, struct batch_unit *u, uint64_t per_trace,
                                    struct times *times, struct errbuf *err)
{
    struct batch_record records[RECORDS] = {0};
    struct batch b = {.units = u, .n_units = 1, .records = records, .n_records = RECORDS};
    struct buf requests[RECORDS] = {0};
    struct decode_result result;
    for (int i = 0; i < RECORDS; i++)
        put_request(&requests[i], (uint64_t)(u->next + i) * ROWS, per_trace);

    double start = cpu_seconds();
    b.encoded = sqlite_exporter.rows_new(x, &b.arena);
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct target target = {b.encoded, i};
        if (decode_record(SIGNAL_LOGS, buf_slice(&requests[i]), 1, NULL, &b.arena, add_row, &target,
                          &result) != DECODE_OK)
            abort();
        records[i] = (struct batch_record){.offset = u->next++, .items = result.rows};
    }
    double decoded = cpu_seconds();
    enum export_result rc = sqlite_exporter.write(x, &b, err);
    times->decode += decoded - start;
    times->write += cpu_seconds() - decoded;

    sqlite_exporter.rows_free(b.encoded);
    arena_release(&b.arena);
    for (int i = 0; i < RECORDS; i++)
        buf_release(&requests[i]);
    return rc;
}

int main(int argc, char **argv)
{
    long batches = argc > 1 ? atol(argv[1]) : 30;
    uint64_t per_trace = argc > 2 ? (uint64_t)atol(argv[2]) : 10;
    struct tenant_conf conf = {.id = "bench", .database = {.path = path}};
    struct tenant tenant = {.conf = &conf, .id = "bench"};
    struct batch_unit u = {.topic = "otlp.bench.logs", .signal = SIGNAL_LOGS};
    struct errbuf err = ERRBUF_INIT;
    struct times times = {0};
    unlink(path);
    struct exporter *x = sqlite_exporter.open(&tenant, EXPORTER_WRITE, &err);
    enum export_result rc = EXPORT_CONFIGURATION;
    if (x != NULL)
        rc = x->ops->load(x, "bench", u.topic, 0, &u.before, &err);
    uint64_t wall = clock_mono_ns();
    for (long i = 0; i < batches && rc == EXPORT_OK; i++)
        rc = run_batch(x, &u, per_trace, &times, &err);
    if (rc != EXPORT_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    double n = (double)batches * RECORDS * ROWS, seconds = (double)(clock_mono_ns() - wall) / 1e9;
    printf("%.0f rows: %.0f per CPU-second (decode and render %.2f us a row, write %.2f us); "
           "%.1f s in all\n",
           n, n / (times.decode + times.write), times.decode / n * 1e6, times.write / n * 1e6,
           seconds);
    sqlite_exporter.close(x);
    unlink(path);
    return 0;
}
