/* Rows per CPU-second of decode_record: a record of 1,000 log records with 12 attributes each, the
 * keys in the order an SDK sends them (unsorted) and sorted. Not a test: run it by hand. */
#include "otlp/decode.h"
#include "tests/otlp/message.h"

#include <stdio.h>
#include <time.h>

enum { RECORDS = 1000, ROUNDS = 2000 };

static const char *const keys[] = {
    "http.request.method",
    "url.path",
    "http.response.status_code",
    "server.address",
    "client.address",
    "user_agent",
    "network.protocol.version",
    "thread.id",
    "code.function.name",
    "code.line",
    "enduser.id",
    "session.id",
};
static const char *const sorted_keys[] = {
    "client.address",
    "code.function.name",
    "code.line",
    "enduser.id",
    "http.request.method",
    "http.response.status_code",
    "network.protocol.version",
    "server.address",
    "session.id",
    "thread.id",
    "url.path",
    "user_agent",
};

/* Lengths and kinds vary, or the branch predictor would learn the record by heart. */
static void put_value(struct buf *b, const char *key, unsigned seed)
{
    static const char text[] = "a value of an attribute, cut somewhere";
    MESSAGE (b, 6) {
        put_text(b, 1, key);
        MESSAGE (b, 2) {
            if (seed % 5 == 0)
                put_varint(b, 3, seed);
            else
                put_bytes(b, 1, slice_of(text, 1 + seed % (sizeof(text) - 1)));
        }
    }
}

static void put_record(struct buf *b, const char *const *with, unsigned i)
{
    MESSAGE (b, 2) {
        put_fixed64(b, 1, 1700000000000000000 + i);
        put_varint(b, 2, 9);
        put_text(b, 3, "INFO");
        MESSAGE (b, 5)
            put_text(b, 1, "GET /api/v1/orders/1234 took 17 ms and returned 200");
        for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
            put_value(b, with[k], (unsigned)(i * 2654435761u + k * 40503u) >> 7);
        put_bytes(b, 9, SLICE_LIT("0123456789abcdef"));
        put_bytes(b, 10, SLICE_LIT("01234567"));
    }
}

static int count_row(void *arg, enum table table, const struct cell *cells)
{
    (void)table;
    *(uint64_t *)arg += cells[LOGS_LOG_ATTRS].attrs->n;
    return 0;
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int measure(const char *name, const char *const *with)
{
    struct buf b = BUF_INIT;
    struct arena a = ARENA_INIT;
    struct decode_result result;
    uint64_t attrs = 0;
    MESSAGE (&b, 1) {
        MESSAGE (&b, 1)
            put_attr(&b, 1, "service.name", "shop");
        MESSAGE (&b, 2)
            for (unsigned i = 0; i < RECORDS; i++)
                put_record(&b, with, i);
    }
    double start = cpu_seconds();
    for (int i = 0; i < ROUNDS; i++) {
        if (decode_record(SIGNAL_LOGS, buf_slice(&b), 1, NULL, &a, count_row, &attrs, &result) !=
            DECODE_OK)
            return 1;
        arena_reset(&a, SIZE_MAX);
    }
    double decoded = cpu_seconds();
    for (int i = 0; i < ROUNDS; i++)
        if (scan_request(SIGNAL_LOGS, buf_slice(&b), NULL, &result.scan) != SCAN_OK)
            return 1;
    double scanned = cpu_seconds();
    printf("%s keys: %.2f M rows/s (%.0f ns a row of %zu bytes; scanning is %.0f ns of it)\n", name,
           RECORDS * ROUNDS / (decoded - start) / 1e6, (decoded - start) / (RECORDS * ROUNDS) * 1e9,
           b.len / RECORDS, (scanned - decoded) / (RECORDS * ROUNDS) * 1e9);
    arena_release(&a);
    buf_release(&b);
    return 0;
}

int main(void)
{
    return measure("unsorted", keys) || measure("sorted", sorted_keys);
}
