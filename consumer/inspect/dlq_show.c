/* One dead letter after another, for people and as JSON. */
#include "base/clock.h"
#include "base/json.h"
#include "consumer/inspect/dlq_read.h"
#include "otlp/decode.h"
#include "otlp/row_json.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define DUMPED_BYTES  256
#define ARENA_CEILING (512u << 20)

/* ---- the value ---- */

struct rows {
    struct buf *out;
    uint64_t left;
    bool json, first;
};

static int put_row(void *arg, enum table table, const struct cell *cells)
{
    struct rows *r = arg;
    if (r->left == 0)
        return -E2BIG;
    r->left--;
    buf_append_str(r->out, r->json ? (r->first ? "" : ",") : "    ");
    row_json(r->out, table, cells);
    buf_append_str(r->out, r->json ? "" : "\n");
    r->first = false;
    return 0;
}

/* As `hexdump -C` shows it. */
static void put_dump(struct slice value, struct buf *out)
{
    size_t n = value.len < DUMPED_BYTES ? value.len : DUMPED_BYTES;
    for (size_t line = 0; line < n; line += 16) {
        char text[17] = "";
        buf_printf(out, "    %04zx ", line);
        for (size_t i = line; i < line + 16; i++) {
            if (i >= n) {
                buf_append_str(out, "   ");
                continue;
            }
            buf_printf(out, " %02x", value.at[i]);
            text[i - line] = isprint(value.at[i]) ? (char)value.at[i] : '.';
        }
        buf_printf(out, "  |%s|\n", text);
    }
}

static void put_hex(struct slice value, struct buf *out)
{
    size_t n = value.len < DUMPED_BYTES ? value.len : DUMPED_BYTES;
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%02x", value.at[i]);
}

static void put_malformed(const char *why, struct slice value, bool json, struct buf *out)
{
    if (json) {
        buf_append_str(out, "\"not_decodable\":");
        json_string(out, slice_str(why));
        buf_append_str(out, ",\"first_bytes\":\"");
        put_hex(value, out);
        buf_append_byte(out, '"');
        return;
    }
    buf_printf(out, "  cannot be decoded: %s\n", why);
    put_dump(value, out);
}

static const char *explain(enum signal signal, const struct scan_result *scan, char *out,
                           size_t size)
{
    if (signal == SIGNAL_COUNT)
        return "its headers do not tell the signal";
    snprintf(out, size, "%s at byte %zu in %s", scan->error ? scan->error : "malformed",
             scan->error_at, scan->field ? scan->field : "the request");
    return out;
}

void dlq_show_value(enum signal signal, struct slice value, uint64_t rows, bool json,
                    struct buf *out)
{
    char why[256];
    struct scan_result scan = {0};
    struct decode_result decoded = {0};
    struct arena arena = ARENA_INIT_CEILING(ARENA_CEILING);
    struct rows r = {out, rows, json, true};
    if (signal == SIGNAL_COUNT || scan_request(signal, value, NULL, &scan) != SCAN_OK) {
        put_malformed(explain(signal, &scan, why, sizeof(why)), value, json, out);
        return;
    }
    if (json)
        buf_printf(out, "\"items\":%" PRIu64 ",\"rows\":[", scan.items);
    else
        buf_printf(out, "  %" PRIu64 " %s%s%s\n", scan.items, signal_info[signal].item_name,
                   scan.items == 1 ? "" : "s",
                   scan.items > rows ? ", the first of them:"
                   : scan.items      ? ":"
                                     : "");
    decode_record(signal, value, 0, NULL, &arena, put_row, &r, &decoded);
    buf_append_str(out, json ? "]" : "");
    arena_release(&arena);
}

/* ---- the letter ---- */

static void put_headers(const rd_kafka_message_t *m, bool json, struct buf *out)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(m, &headers))
        return;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; i++) {
        buf_append_str(out, json ? (i ? ",[" : "[") : "  ");
        if (json) {
            json_string(out, slice_str(name));
            buf_append_byte(out, ',');
        } else {
            buf_printf(out, "%s: ", name);
        }
        json_string(out, slice_of(value, value ? size : 0));
        buf_append_str(out, json ? "]" : "\n");
    }
}

static void put_text(const rd_kafka_message_t *m, struct buf *out)
{
    char time[CLOCK_TEXT_SIZE];
    int64_t ms = rd_kafka_message_timestamp(m, NULL);
    buf_printf(out, "letter %" PRId32 ":%" PRId64 "  %s  %zu bytes\n", m->partition, m->offset,
               clock_text(ms > 0 ? (uint64_t)ms * NS_PER_MS : 0, time, sizeof(time)), m->len);
    if (m->key_len > 0) {
        buf_append_str(out, "  key: ");
        json_string(out, slice_of(m->key, m->key_len));
        buf_append_byte(out, '\n');
    }
    put_headers(m, false, out);
}

static void put_json(const rd_kafka_message_t *m, struct buf *out)
{
    buf_printf(out,
               "{\"partition\":%" PRId32 ",\"offset\":%" PRId64 ",\"timestamp_ms\":%" PRId64
               ",\"bytes\":%zu,\"key\":",
               m->partition, m->offset, rd_kafka_message_timestamp(m, NULL), m->len);
    if (m->key_len > 0)
        json_string(out, slice_of(m->key, m->key_len));
    else
        buf_append_str(out, "null");
    buf_append_str(out, ",\"headers\":[");
    put_headers(m, true, out);
    buf_append_str(out, "],");
}

static void put_omitted(const rd_kafka_message_t *m, uint64_t bytes, bool json, struct buf *out)
{
    if (json) {
        buf_printf(out, "\"omitted_bytes\":%" PRIu64, bytes);
        return;
    }
    buf_printf(out,
               "  its %" PRIu64 " bytes did not fit into the DLQ: they stand in %.*s, partition "
               "%.*s, offset %.*s, until they expire\n",
               bytes, SLICE_ARG(kafka_log_header(m, DLQ_H_TOPIC)),
               SLICE_ARG(kafka_log_header(m, "__connect.errors.partition")),
               SLICE_ARG(kafka_log_header(m, "__connect.errors.offset")));
}

struct showing {
    const struct tenant *t;
    const struct dlq_show *how;
    struct letters shown;
    uint64_t n;
    struct buf *out;
    struct errbuf *err;
};

static bool was_shown(const struct showing *s, const struct letter *letter)
{
    for (size_t i = 0; i < s->shown.n; i++)
        if (letter_cmp(&s->shown.at[i], letter) == 0)
            return true;
    return false;
}

static int show(void *arg, const rd_kafka_message_t *m)
{
    struct showing *s = arg;
    struct letter origin;
    bool has_origin = letter_of(m, s->t, &origin);
    if (has_origin && was_shown(s, &origin))
        return 0;
    if (has_origin && letters_add(&s->shown, &origin) < 0)
        return errbuf_set(s->err, ENOMEM, "out of memory");
    buf_append_str(s->out, s->n == 0 ? "" : s->how->json ? ",\n" : "\n");
    if (s->how->json)
        put_json(m, s->out);
    else
        put_text(m, s->out);
    enum signal signal = tenant_signal_of(s->t, kafka_log_header(m, DLQ_H_TOPIC));
    struct buf protobuf = BUF_INIT; /* of a foreign record in JSON */
    uint64_t omitted;
    if (record_number(kafka_log_header(m, DLQ_H_OMITTED), &omitted))
        put_omitted(m, omitted, s->how->json, s->out);
    else
        dlq_show_value(signal, kafka_log_value(m, signal, &protobuf), s->how->rows, s->how->json,
                       s->out);
    buf_release(&protobuf);
    buf_append_str(s->out, s->how->json ? "}" : "");
    return ++s->n >= s->how->limit;
}

static int show_partition(struct kafka_log *log, struct showing *s, int32_t partition)
{
    int64_t low, high;
    const char *topic = s->t->dlq_topic;
    int rc = kafka_log_range(log, topic, partition, &low, &high, s->err);
    if (rc < 0)
        return rc;
    if (s->how->partition >= 0) {
        if (s->how->offset < low || s->how->offset >= high)
            return errbuf_set(s->err, ERANGE,
                              "partition %" PRId32 " of %s holds the offsets %" PRId64
                              " to %" PRId64,
                              partition, topic, low, high - 1);
        low = s->how->offset;
        high = low + 1;
    }
    return kafka_log_read(log, topic, partition, low, high, show, s, s->err);
}

int64_t dlq_show(struct kafka_log *log, const struct tenant *t, const struct dlq_show *how,
                 struct buf *out, struct errbuf *err)
{
    struct showing s = {.t = t, .how = how, .out = out, .err = err};
    int rc = 0, partitions = kafka_log_partitions(log, t->dlq_topic, err);
    if (how->partition >= partitions && partitions >= 0)
        partitions = errbuf_set(err, ERANGE, "%s has %d partitions", t->dlq_topic, partitions);
    for (int32_t p = 0; rc == 0 && p < partitions && s.n < how->limit; p++)
        if (how->partition < 0 || how->partition == p)
            rc = show_partition(log, &s, p);
    letters_release(&s.shown);
    return partitions < 0 ? partitions : rc < 0 ? rc : (int64_t)s.n;
}
