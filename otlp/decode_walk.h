/* What the decoders of the signals share: the state of one decode_record call, and how cells are
 * filled. Private to otlp/decode*.c.
 *
 * The scanner has proven the record well-formed, so a walk does not look at wire.error: it could
 * only end early, never leave the record. */
#ifndef OTLP_DECODE_WALK_H
#define OTLP_DECODE_WALK_H

#include "base/buf.h"
#include "otlp/attrs.h"
#include "otlp/decode.h"

struct resource {
    const struct attrs *attrs;
    struct slice service_name, schema_url;
};

struct scope {
    const struct attrs *attrs;
    struct slice name, version, schema_url;
    uint64_t dropped_attrs;
};

struct decoder {
    struct arena *a;
    uint64_t received_ns;
    decode_row_fn *row;
    void *arg;
    uint64_t rows;
    struct buf text; /* scratch of decode_text */
    struct resource resource;
    struct scope scope;
    /* A row in which everything above the item is filled (resource, scope, metric) and everything
     * of the item absent: each row starts as a copy. */
    struct cell blank[TABLE_MAX_COLUMNS];
    struct cell cells[TABLE_MAX_COLUMNS];
};

/* How a signal goes on below ResourceX and ScopeX, which have the same fields in all of them. */
struct signal_walk {
    void (*scope)(struct decoder *d); /* a scope begins: fill `blank`; may be NULL */
    /* One element of ScopeX's repeated field: a span, a log record, a metric. */
    enum decode_status (*item)(struct decoder *d, struct slice item);
};
extern const struct signal_walk decode_traces, decode_logs, decode_metrics;

/* All cells of the table as absent: no attributes, empty lists and texts, null where a column has
 * null, otherwise 0. */
void decode_blank(struct decoder *d, enum table table);
/* Begins a row: `cells` as in `blank`. */
struct cell *decode_begin(struct decoder *d, enum table table);
/* Hands the row to the callback. */
enum decode_status decode_emit(struct decoder *d, enum table table);

/* The AnyValue as text: a string borrowed, other kinds rendered into the arena. */
enum decode_status decode_text(struct decoder *d, struct slice any, struct slice *ret);
/* A number that has no name: in decimal, in the arena. */
enum decode_status decode_decimal(struct decoder *d, int32_t n, struct slice *ret);

/* Attributes into a cell. */
static inline enum decode_status decode_attrs(struct decoder *d, const struct repeated *r,
                                              uint32_t number, struct cell *c)
{
    c->attrs = attrs_read(d->a, r, number);
    return c->attrs != NULL ? DECODE_OK : DECODE_NO_MEMORY;
}

/* Of several times the first that is set. Databases count in int64, so later times (after 2262) are
 * clamped. */
static inline uint64_t decode_time(uint64_t time, uint64_t otherwise)
{
    uint64_t t = time != 0 ? time : otherwise;
    return t < INT64_MAX ? t : INT64_MAX;
}

/* A trace or span id. One of zeros alone is invalid and taken as absent (R264). */
static inline struct slice decode_id(struct slice id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.at[i] != 0)
            return id;
    return SLICE_NULL;
}

#endif
