/* Bytes of OTLP/JSON per CPU-second through json_transcode, as an SDK writes it: compact, keys in
 * one order, 64-bit integers as strings; and indented. Not a test: run it by hand. */
#include "base/buf.h"
#include "otlp/json_transcode.h"
#include "otlp/scan.h"

#include <stdio.h>
#include <time.h>

enum { ITEMS = 1000, ROUNDS = 200 };

/* Lengths and kinds vary, or the branch predictor would learn the text by heart. */
static void put_attributes(struct buf *b, unsigned seed)
{
    static const char *const keys[] = {"http.request.method", "url.path",   "server.address",
                                       "client.address",      "session.id", "thread.id",
                                       "code.function.name",  "user_agent"};
    static const char text[] = "a value of an attribute, cut somewhere";
    buf_append_str(b, "\"attributes\":[");
    for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        unsigned n = (seed * 2654435761u + i * 40503u) >> 7;
        buf_printf(b, "%s{\"key\":\"%s\",\"value\":{", i > 0 ? "," : "", keys[i]);
        if (n % 5 == 0)
            buf_printf(b, "\"intValue\":\"%u\"}}", n);
        else
            buf_printf(b, "\"stringValue\":\"%.*s\"}}", (int)(1 + n % (sizeof(text) - 1)), text);
    }
    buf_append_str(b, "]");
}

static void put_log(struct buf *b, unsigned i)
{
    buf_printf(b,
               "{\"timeUnixNano\":\"%u000000001\",\"severityNumber\":9,\"severityText\":\"INFO\","
               "\"body\":{\"stringValue\":\"GET /api/v1/orders/%u took 17 ms, returned 200\"},",
               1700000000 + i, i);
    put_attributes(b, i);
    buf_printf(b, ",\"traceId\":\"5b8efff798038103d269b633%08x\",\"spanId\":\"eee19b7e%08x\"}", i,
               i);
}

static void put_span(struct buf *b, unsigned i)
{
    buf_printf(b,
               "{\"traceId\":\"5b8efff798038103d269b633%08x\",\"spanId\":\"eee19b7e%08x\","
               "\"parentSpanId\":\"\",\"name\":\"GET /api/v1/orders\",\"kind\":2,"
               "\"startTimeUnixNano\":\"%u000000001\",\"endTimeUnixNano\":\"%u000100001\",",
               i, i, 1700000000 + i, 1700000000 + i);
    put_attributes(b, i);
    buf_append_str(b, ",\"events\":[],\"links\":[],\"status\":{}}");
}

static void put_point(struct buf *b, unsigned i)
{
    buf_printf(b,
               "{\"startTimeUnixNano\":\"1700000000000000001\",\"timeUnixNano\":\"%u000000001\","
               "\"count\":\"%u\",\"sum\":%.17g,\"min\":%.3f,\"max\":%u,"
               "\"bucketCounts\":[0,%u,7,\"12\",0,0,1,0],"
               "\"explicitBounds\":[0.005,0.01,0.25,0.5,1,2.5,10],",
               1700000000 + i, i, i / 7.0, i / 1000.0, i, i);
    put_attributes(b, i);
    buf_append_str(b, "}");
}

/* With a line for each token, as people and some SDKs write it. */
static void indent(struct buf *to, struct slice s)
{
    int level = 0;
    bool quoted = false;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i];
        quoted ^= c == '"';
        level += !quoted && (c == '{' || c == '[');
        level -= !quoted && (c == '}' || c == ']');
        if (!quoted && (c == '}' || c == ']'))
            buf_printf(to, "\n%*s", level * 2, "");
        buf_append_byte(to, c);
        if (!quoted && (c == '{' || c == '[' || c == ','))
            buf_printf(to, "\n%*s", level * 2, "");
        else if (!quoted && c == ':')
            buf_append_byte(to, ' ');
    }
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int measure(const char *name, enum signal signal, struct slice text)
{
    struct buf out = BUF_INIT;
    struct json_error error;
    struct scan_result scanned;
    double start = cpu_seconds();
    for (int i = 0; i < ROUNDS; i++) {
        buf_clear(&out);
        if (json_transcode(signal, text, &out, &error) != JSON_OK)
            return 1;
    }
    double seconds = cpu_seconds() - start;
    if (scan_request(signal, buf_slice(&out), NULL, &scanned) != SCAN_OK || scanned.items != ITEMS)
        return 1;
    printf("%s: %.0f MB/s (%zu bytes an item, %zu as protobuf, %.0f ns)\n", name,
           (double)text.len * ROUNDS / seconds / 1e6, text.len / ITEMS, out.len / ITEMS,
           seconds / (ITEMS * (double)ROUNDS) * 1e9);
    buf_release(&out);
    return 0;
}

int main(void)
{
    static const struct {
        const char *name;
        enum signal signal;
        const char *before, *after;
        void (*put)(struct buf *b, unsigned i);
    } rows[] = {
        {"logs", SIGNAL_LOGS, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[", "]}]}]}",
         put_log},
        {"traces", SIGNAL_TRACES, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[", "]}]}]}",
         put_span},
        {"metrics", SIGNAL_METRICS,
         "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":{\"dataPoints\":[",
         "]}}]}]}]}", put_point},
    };
    int failed = 0;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        struct buf text = BUF_INIT, indented = BUF_INIT;
        buf_append_str(&text, rows[r].before);
        for (unsigned i = 0; i < ITEMS; i++) {
            buf_append_str(&text, i > 0 ? "," : "");
            rows[r].put(&text, i);
        }
        buf_append_str(&text, rows[r].after);
        indent(&indented, buf_slice(&text));
        failed |= measure(rows[r].name, rows[r].signal, buf_slice(&text));
        failed |= measure("  indented", rows[r].signal, buf_slice(&indented));
        buf_release(&text);
        buf_release(&indented);
    }
    return failed;
}
