#include "cli/send/send_build.h"

#include "cli/send/send_item.h"
#include "cli/send/send_pb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Fields of Export*ServiceRequest, Resource{Logs,Spans,Metrics} and Scope{Logs,Spans,Metrics}: the
 * same numbers in all three signals. */
enum { REQUEST_RESOURCE = 1 };
enum { RESOURCE_RESOURCE = 1, RESOURCE_SCOPE, RESOURCE_SCHEMA_URL };
enum { SCOPE_SCOPE = 1, SCOPE_ITEM };

#define SCHEMA_URL "https://opentelemetry.io/schemas/1.26.0"

uint64_t send_mix(uint64_t n)
{
    n += 0x9e3779b97f4a7c15u; /* splitmix64 */
    n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9u;
    n = (n ^ n >> 27) * 0x94d049bb133111ebu;
    n ^= n >> 31;
    return n ? n : 1;
}

static uint64_t seed_of(const char *run)
{
    uint64_t seed = 0;
    for (; *run != 0; run++)
        seed = send_mix(seed ^ (uint8_t)*run);
    return seed;
}

/* The i-th made-up attribute. Mostly strings and ints, as in life, and every kind once in twelve.
 */
static void put_made_up(struct buf *out, uint32_t field, unsigned i, unsigned variant)
{
    char key[32], text[48];
    uint64_t hash = send_mix(i * 31u + variant);
    snprintf(key, sizeof(key), "app.attribute.%u", i);
    snprintf(text, sizeof(text), "value-%u-%08x", variant, (unsigned)hash);
    switch (i % 12) {
    case 1:
    case 6:
        pb_attribute_int(out, field, key, (int64_t)(hash % 100000));
        break;
    case 3:
        pb_attribute_double(out, field, key, (double)(hash % 100000) / 8);
        break;
    case 4:
        pb_attribute_bool(out, field, key, hash & 1);
        break;
    case 8:
        pb_attribute_array(out, field, key, "first", text);
        break;
    case 10:
        pb_attribute_kvlist(out, field, key, slice_str(text));
        break;
    case 11:
        pb_attribute_bytes(out, field, key, slice_of(&hash, sizeof(hash)));
        break;
    default:
        pb_attribute_string(out, field, key, slice_str(text));
    }
}

static void put_attributes(struct buf *out, const struct send_content *c, uint32_t field,
                           unsigned variant)
{
    pb_attribute_string(out, field, "tenantry.run", slice_str(c->run));
    for (size_t i = 0; i < c->fixed_count; i++)
        pb_attribute_string(out, field, c->fixed[i].name, slice_str(c->fixed[i].value));
    for (unsigned i = 0; i < c->attributes; i++)
        put_made_up(out, field, i, variant);
}

static void put_resource(struct buf *out, const struct send_content *c)
{
    size_t opened = pb_open(out, RESOURCE_RESOURCE);
    pb_attribute_string(out, 1, "service.name", slice_str(c->service));
    pb_attribute_string(out, 1, "service.version", SLICE_LIT(TENANTRY_VERSION));
    pb_attribute_string(out, 1, "telemetry.sdk.name", SLICE_LIT("tenantry-send"));
    pb_attribute_string(out, 1, "telemetry.sdk.language", SLICE_LIT("c"));
    pb_close(out, opened);
}

static void put_scope(struct buf *out)
{
    size_t opened = pb_open(out, SCOPE_SCOPE);
    pb_string(out, 1, "tenantry.send");
    pb_string(out, 2, TENANTRY_VERSION);
    pb_close(out, opened);
}

struct send_builder *send_builder_new(const struct send_content *content)
{
    struct send_builder *sb = calloc(1, sizeof(*sb));
    if (sb == NULL)
        return NULL;
    sb->content = content;
    sb->seed = seed_of(content->run);
    put_resource(&sb->resource, content);
    put_scope(&sb->scope);
    bool failed = sb->resource.failed || sb->scope.failed;
    for (unsigned field = 1; field < SEND_FIELDS; field++) {
        for (unsigned v = 0; v < SEND_VARIANTS; v++) {
            put_attributes(&sb->attributes[field][v], content, field, v);
            failed |= sb->attributes[field][v].failed;
        }
    }
    if (failed) {
        send_builder_free(sb);
        return NULL;
    }
    return sb;
}

void send_builder_free(struct send_builder *sb)
{
    if (sb == NULL)
        return;
    buf_release(&sb->resource);
    buf_release(&sb->scope);
    for (unsigned field = 0; field < SEND_FIELDS; field++)
        for (unsigned v = 0; v < SEND_VARIANTS; v++)
            buf_release(&sb->attributes[field][v]);
    free(sb);
}

void send_item_attributes(const struct send_item *item, uint32_t field, struct buf *out)
{
    buf_append_slice(out, buf_slice(&item->sb->attributes[field][item->hash % SEND_VARIANTS]));
    pb_attribute_int(out, field, "tenantry.attempt", (int64_t)item->attempt);
    pb_attribute_int(out, field, "tenantry.seq", (int64_t)item->seq);
}

struct send_trace_id send_item_trace(const struct send_item *item, uint64_t trace)
{
    struct send_trace_id id;
    uint64_t high = send_mix(item->sb->seed + 1), low = send_mix(item->sb->seed ^ trace);
    memcpy(id.bytes, &low, 8);
    memcpy(id.bytes + 8, &high, 8);
    return id;
}

struct send_span_id send_item_span(const struct send_item *item, uint64_t seq)
{
    struct send_span_id id;
    uint64_t n = send_mix(item->sb->seed + 2 + seq);
    memcpy(id.bytes, &n, 8);
    return id;
}

static struct send_item item_of(const struct send_builder *sb, const struct send_request *req,
                                uint64_t attempt, uint64_t i)
{
    uint64_t seq = req->first_seq + i;
    return (struct send_item){sb, seq, attempt, req->time_ns + 1000 * i, send_mix(sb->seed ^ seq)};
}

static void put_items(const struct send_builder *sb, const struct send_request *req,
                      uint64_t attempt, struct buf *out)
{
    for (uint64_t i = 0; i < req->items; i++) {
        struct send_item item = item_of(sb, req, attempt, i);
        size_t opened = pb_open(out, SCOPE_ITEM);
        if (req->signal == SIGNAL_LOGS)
            send_log_record(&item, out);
        else
            send_span(&item, out);
        pb_close(out, opened);
    }
}

/* One metric per kind, with the points whose turn it is. */
static void put_metrics(const struct send_builder *sb, const struct send_request *req,
                        uint64_t attempt, struct buf *out)
{
    for (uint64_t start = 0; start < SEND_METRIC_KINDS && start < req->items; start++) {
        unsigned kind = (unsigned)((req->first_seq + start) % SEND_METRIC_KINDS);
        size_t metric = pb_open(out, SCOPE_ITEM);
        send_metric_head(kind, out);
        size_t data = send_metric_open(kind, out);
        for (uint64_t i = start; i < req->items; i += SEND_METRIC_KINDS) {
            struct send_item item = item_of(sb, req, attempt, i);
            size_t point = pb_open(out, 1);
            send_data_point(&item, kind, out);
            pb_close(out, point);
        }
        pb_close(out, data);
        pb_close(out, metric);
    }
}

int send_build(const struct send_builder *sb, const struct send_request *req, uint64_t attempt,
               struct buf *out)
{
    size_t resource = pb_open(out, REQUEST_RESOURCE);
    buf_append_slice(out, buf_slice(&sb->resource));
    size_t scope = pb_open(out, RESOURCE_SCOPE);
    buf_append_slice(out, buf_slice(&sb->scope));
    if (req->signal == SIGNAL_METRICS)
        put_metrics(sb, req, attempt, out);
    else
        put_items(sb, req, attempt, out);
    pb_close(out, scope);
    pb_string(out, RESOURCE_SCHEMA_URL, SCHEMA_URL);
    pb_close(out, resource);
    return out->failed ? -ENOBUFS : 0;
}
