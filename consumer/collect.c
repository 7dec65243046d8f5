#include "consumer/collect.h"

#include "base/clock.h"
#include "base/fault.h"
#include "otlp/decode.h"
#include "otlp/json_transcode.h"

#include <errno.h>
#include <stdio.h>

#define RECORD_OVERHEAD 256 /* what librdkafka and our tables hold per record beside its bytes */

static struct record_headers read_headers(const rd_kafka_message_t *m)
{
    struct record_headers h = {0};
    rd_kafka_headers_t *list;
    if (rd_kafka_message_headers((rd_kafka_message_t *)m, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return h;
    const char *name;
    const void *value;
    size_t size;
    for (size_t i = 0; rd_kafka_header_get_all(list, i, &name, &value, &size) == 0; i++)
        if (value != NULL)
            record_header_read(&h, name, slice_of(value, size));
    return h;
}

struct row_target {
    const struct exporter_ops *ops;
    void *rows;
    uint32_t record;
};

static int add_row(void *arg, enum table table, const struct cell *cells)
{
    struct row_target *target = arg;
    return target->ops->rows_add(target->rows, target->record, table, cells);
}

static void make_dead(struct batch *b, struct batch_record *r, const struct record_headers *h,
                      const char *error_class, const char *code, const char *text)
{
    const char *kept = arena_strdup(&b->arena, slice_str(text));
    r->fate = RECORD_DEAD;
    r->items = h->has_items ? h->items : 0;
    r->error_class = error_class;
    r->error_code = code;
    r->error_text = kept ? kept : "out of memory";
}

static void dead_by_decode(struct batch *b, struct batch_record *r, const struct record_headers *h,
                           enum decode_status status, const struct decode_result *d,
                           const struct record_conf *limits)
{
    char text[256];
    if (status == DECODE_MALFORMED) {
        snprintf(text, sizeof(text), "not a valid request: %s at byte %zu in %s",
                 d->scan.error ? d->scan.error : "malformed", d->scan.error_at,
                 d->scan.field ? d->scan.field : "the request");
        make_dead(b, r, h, "decode", "malformed", text);
    } else if (status == DECODE_CEILING) {
        snprintf(text, sizeof(text),
                 "becomes more rows than a record may: %llu items, %llu expanded bytes "
                 "(record.max_items "
                 "%llu, record.max_expanded %llu)",
                 (unsigned long long)d->scan.items, (unsigned long long)d->scan.expanded_bytes,
                 (unsigned long long)limits->max_items, (unsigned long long)limits->max_expanded);
        make_dead(b, r, h, "ceiling", "too_many_rows", text);
    } else {
        make_dead(
            b, r, h, "ceiling", "too_large_for_memory",
            "its rows do not fit the worker's memory alone; raise consumer.memory and replay it");
    }
}

/* A foreign record's OTLP/JSON as protobuf in the batch's arena, like what is decoded of it. */
static enum decode_status from_json(struct batch *b, enum signal signal, struct slice *value,
                                    struct decode_result *d)
{
    struct arena *a = &b->arena;
    struct buf protobuf = BUF_INIT_CEILING(a->ceiling > a->held ? a->ceiling - a->held : 1);
    struct json_error why;
    bool room = true;
    enum json_status status = json_transcode(signal, *value, &protobuf, &why);
    if (status == JSON_MALFORMED)
        d->scan = (struct scan_result){
            .error = why.text, .error_at = why.at, .field = arena_strdup(a, slice_str(why.field))};
    else if (status == JSON_OK)
        *value = arena_copy(a, buf_slice(&protobuf), &room);
    buf_release(&protobuf);
    if (status == JSON_MALFORMED)
        return DECODE_MALFORMED;
    return status == JSON_OK && room ? DECODE_OK : DECODE_NO_MEMORY;
}

static enum decode_status decode(struct batch *b, struct exporter *x, enum signal signal,
                                 const struct record_headers *h, const struct record_conf *limits,
                                 struct decode_result *d)
{
    struct batch_record *r = &b->records[b->n_records - 1];
    struct row_target target = {x->ops, b->encoded, (uint32_t)(b->n_records - 1)};
    struct scan_limits scan = {limits->max_items, limits->max_expanded};
    uint64_t received_ns = h->received_ns;
    if (received_ns == 0 && r->timestamp > 0)
        received_ns = (uint64_t)r->timestamp * NS_PER_MS;
    struct slice value = slice_of(r->message->payload, r->message->len);
    enum decode_status status =
        record_is_json(h, value) ? from_json(b, signal, &value, d) : DECODE_OK;
    return status == DECODE_OK
               ? decode_record(signal, value, received_ns, &scan, &b->arena, add_row, &target, d)
               : status;
}

enum collect_result collect(struct batch *b, struct exporter *x, const struct tenant *t,
                            const struct record_conf *limits, enum signal signal, int32_t partition,
                            const char *topic, const struct collect_room *room,
                            rd_kafka_message_t *message)
{
    struct record_headers h = read_headers(message);
    if (h.version > RECORD_VERSION)
        return COLLECT_NEW_VERSION;
    bool alone = b->n_records == 0;
    b->arena.ceiling = alone ? room->alone : room->batch;
    if (alone)
        b->opened_ns = clock_mono_ns();
    if (b->encoded == NULL)
        b->encoded = x->ops->rows_new(x, &b->arena);
    struct batch_record *r = b->encoded ? batch_add(b, topic, signal, partition, message) : NULL;
    if (r == NULL)
        return COLLECT_FULL;
    r->name = h.name;
    r->received_ns = h.received_ns;
    struct decode_result d = {0};
    if (h.tenant.len > 0 && !slice_eq(h.tenant, slice_str(t->id))) {
        make_dead(b, r, &h, "decode", "wrong_tenant", "the record's header names another tenant");
    } else {
        enum decode_status status = decode(b, x, signal, &h, limits, &d);
        if (status == DECODE_NO_MEMORY || status == DECODE_ROW_REFUSED) {
            if (!alone || !room->last) {
                batch_take_back(b);
                return COLLECT_FULL;
            }
            dead_by_decode(b, r, &h, DECODE_NO_MEMORY, &d, limits);
        } else if (status != DECODE_OK) {
            dead_by_decode(b, r, &h, status, &d, limits);
        }
    }
    if (r->fate == RECORD_GOOD)
        r->items = d.rows;
    FAULT_POINT("after_decode");
    b->rows += d.rows;
    b->bytes += message->len + RECORD_OVERHEAD;
    return COLLECT_TAKEN;
}
