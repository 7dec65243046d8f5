#include "otlp/anyvalue.h"
#include "otlp/decode_walk.h"

#include <stdio.h>

enum { REQUEST_RESOURCES = 1 };
/* ResourceSpans, ResourceLogs, ResourceMetrics */
enum { RESOURCE_X_RESOURCE = 1, RESOURCE_X_SCOPES = 2, RESOURCE_X_SCHEMA_URL = 3 };
/* ScopeSpans, ScopeLogs, ScopeMetrics */
enum { SCOPE_X_SCOPE = 1, SCOPE_X_ITEMS = 2, SCOPE_X_SCHEMA_URL = 3 };
enum { RESOURCE_ATTRIBUTES = 1 };
enum { SCOPE_NAME = 1, SCOPE_VERSION = 2, SCOPE_ATTRIBUTES = 3, SCOPE_DROPPED_ATTRIBUTES = 4 };

void decode_blank(struct decoder *d, enum table table)
{
    const struct table_info *t = &table_info[table];
    const struct repeated nothing = {0};
    memset(d->blank, 0, t->n * sizeof(d->blank[0]));
    for (size_t i = 0; i < t->n; i++) {
        enum column_type type = t->columns[i].type;
        if (type == COL_ATTRS)
            d->blank[i].attrs = attrs_read(d->a, &nothing, 0);
        d->blank[i].null = type == COL_F64 || type == COL_NUMBER;
    }
}

struct cell *decode_begin(struct decoder *d, enum table table)
{
    memcpy(d->cells, d->blank, table_info[table].n * sizeof(d->cells[0]));
    return d->cells;
}

enum decode_status decode_emit(struct decoder *d, enum table table)
{
    if (d->row(d->arg, table, d->cells) < 0)
        return DECODE_ROW_REFUSED;
    d->rows++;
    return DECODE_OK;
}

enum decode_status decode_text(struct decoder *d, struct slice any, struct slice *ret)
{
    *ret = SLICE_NULL;
    if (any.len == 0 || anyvalue_kind(any, ret) == ANY_STRING)
        return DECODE_OK;
    bool ok = true;
    buf_clear(&d->text);
    anyvalue_text(&d->text, any);
    *ret = arena_copy(d->a, buf_slice(&d->text), &ok);
    return ok && !d->text.failed ? DECODE_OK : DECODE_NO_MEMORY;
}

enum decode_status decode_decimal(struct decoder *d, int32_t n, struct slice *ret)
{
    char digits[16];
    int len = snprintf(digits, sizeof(digits), "%d", (int)n);
    bool ok = true;
    *ret = arena_copy(d->a, slice_of(digits, (size_t)len), &ok);
    return ok ? DECODE_OK : DECODE_NO_MEMORY;
}

static enum decode_status read_resource(struct decoder *d, struct slice message)
{
    const struct repeated attrs = repeated_of(message, RESOURCE_ATTRIBUTES);
    struct resource *r = &d->resource;
    r->attrs = attrs_read(d->a, &attrs, RESOURCE_ATTRIBUTES);
    if (r->attrs == NULL)
        return DECODE_NO_MEMORY;
    const struct attr *name = attrs_find(r->attrs, SLICE_LIT("service.name"));
    return decode_text(d, name != NULL ? name->any : SLICE_NULL, &r->service_name);
}

static enum decode_status read_scope(struct decoder *d, struct slice message)
{
    struct scope *s = &d->scope;
    struct repeated attrs = {0};
    struct wire w = wire_of(message);
    struct wire_field f = {0};
    for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at) {
        switch (WIRE_KEY(f.number, f.type)) {
        case KEY_BYTES(SCOPE_NAME):
            s->name = f.bytes;
            break;
        case KEY_BYTES(SCOPE_VERSION):
            s->version = f.bytes;
            break;
        case KEY_BYTES(SCOPE_ATTRIBUTES):
            repeated_add(&attrs, start, w.at, f.bytes);
            break;
        case KEY_VARINT(SCOPE_DROPPED_ATTRIBUTES):
            s->dropped_attrs = (uint32_t)f.value;
            break;
        default:
            break;
        }
    }
    s->attrs = attrs_read(d->a, &attrs, SCOPE_ATTRIBUTES);
    return s->attrs != NULL ? DECODE_OK : DECODE_NO_MEMORY;
}

/* The scope may stand behind its items (R216): it is looked for first. */
static enum decode_status walk_scope(struct decoder *d, const struct signal_walk *walk,
                                     struct slice message)
{
    struct repeated scope = {0}, items = {0};
    struct wire w = wire_of(message);
    struct wire_field f = {0};
    struct slice bytes;
    d->scope = (struct scope){0};
    for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at) {
        switch (WIRE_KEY(f.number, f.type)) {
        case KEY_BYTES(SCOPE_X_SCOPE):
            repeated_add(&scope, start, w.at, f.bytes);
            break;
        case KEY_BYTES(SCOPE_X_ITEMS):
            repeated_add(&items, start, w.at, f.bytes);
            break;
        case KEY_BYTES(SCOPE_X_SCHEMA_URL):
            d->scope.schema_url = f.bytes;
            break;
        default:
            break;
        }
    }
    if (!repeated_merge(d->a, &scope, SCOPE_X_SCOPE, &bytes))
        return DECODE_NO_MEMORY;
    enum decode_status status = read_scope(d, bytes);
    if (status == DECODE_OK && walk->scope != NULL)
        walk->scope(d);
    w = repeated_walk(&items);
    while (status == DECODE_OK && repeated_next(&w, SCOPE_X_ITEMS, &bytes))
        status = walk->item(d, bytes);
    return status;
}

static enum decode_status walk_resource(struct decoder *d, const struct signal_walk *walk,
                                        struct slice message)
{
    struct repeated resource = {0}, scopes = {0};
    struct wire w = wire_of(message);
    struct wire_field f = {0};
    struct slice bytes;
    d->resource = (struct resource){0};
    for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at) {
        switch (WIRE_KEY(f.number, f.type)) {
        case KEY_BYTES(RESOURCE_X_RESOURCE):
            repeated_add(&resource, start, w.at, f.bytes);
            break;
        case KEY_BYTES(RESOURCE_X_SCOPES):
            repeated_add(&scopes, start, w.at, f.bytes);
            break;
        case KEY_BYTES(RESOURCE_X_SCHEMA_URL):
            d->resource.schema_url = f.bytes;
            break;
        default:
            break;
        }
    }
    if (!repeated_merge(d->a, &resource, RESOURCE_X_RESOURCE, &bytes))
        return DECODE_NO_MEMORY;
    enum decode_status status = read_resource(d, bytes);
    w = repeated_walk(&scopes);
    while (status == DECODE_OK && repeated_next(&w, RESOURCE_X_SCOPES, &bytes))
        status = walk_scope(d, walk, bytes);
    return status;
}

static enum decode_status scanned(enum scan_status status)
{
    switch (status) {
    case SCAN_OK:
        return DECODE_OK;
    case SCAN_TOO_MANY_ITEMS:
    case SCAN_TOO_MANY_EXPANDED:
        return DECODE_CEILING;
    case SCAN_MALFORMED:
        break;
    }
    return DECODE_MALFORMED;
}

enum decode_status decode_record(enum signal signal, struct slice value, uint64_t received_ns,
                                 const struct scan_limits *limits, struct arena *a,
                                 decode_row_fn *row, void *arg, struct decode_result *ret)
{
    static const struct signal_walk *const walks[SIGNAL_COUNT] = {
        [SIGNAL_TRACES] = &decode_traces,
        [SIGNAL_METRICS] = &decode_metrics,
        [SIGNAL_LOGS] = &decode_logs,
    };
    struct decoder d = {.a = a, .received_ns = received_ns, .row = row, .arg = arg};
    d.text.ceiling = a->ceiling;
    enum decode_status status = scanned(scan_request(signal, value, limits, &ret->scan));
    struct wire w = wire_of(value);
    struct slice bytes;
    while (status == DECODE_OK && repeated_next(&w, REQUEST_RESOURCES, &bytes))
        status = walk_resource(&d, walks[signal], bytes);
    buf_release(&d.text);
    ret->rows = d.rows;
    return status;
}
