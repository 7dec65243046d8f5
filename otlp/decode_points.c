#include "otlp/decode_points.h"

/* The numbers of the same field differ between the points. */
enum number_point_field {
    NUMBER_START = 2,
    NUMBER_TIME = 3,
    NUMBER_AS_DOUBLE = 4,
    NUMBER_EXEMPLARS = 5,
    NUMBER_AS_INT = 6,
    NUMBER_ATTRIBUTES = 7,
    NUMBER_FLAGS = 8,
};
enum histogram_point_field {
    HIST_START = 2,
    HIST_TIME = 3,
    HIST_COUNT = 4,
    HIST_SUM = 5,
    HIST_BUCKET_COUNTS = 6,
    HIST_BOUNDS = 7,
    HIST_EXEMPLARS = 8,
    HIST_ATTRIBUTES = 9,
    HIST_FLAGS = 10,
    HIST_MIN = 11,
    HIST_MAX = 12,
};
enum exp_histogram_point_field {
    EXP_ATTRIBUTES = 1,
    EXP_START = 2,
    EXP_TIME = 3,
    EXP_COUNT = 4,
    EXP_SUM = 5,
    EXP_SCALE = 6,
    EXP_ZERO_COUNT = 7,
    EXP_POSITIVE = 8,
    EXP_NEGATIVE = 9,
    EXP_FLAGS = 10,
    EXP_EXEMPLARS = 11,
    EXP_MIN = 12,
    EXP_MAX = 13,
};
enum summary_point_field {
    SUMMARY_POINT_START = 2,
    SUMMARY_POINT_TIME = 3,
    SUMMARY_POINT_COUNT = 4,
    SUMMARY_POINT_SUM = 5,
    SUMMARY_POINT_QUANTILES = 6,
    SUMMARY_POINT_ATTRIBUTES = 7,
    SUMMARY_POINT_FLAGS = 8,
};
enum { BUCKETS_OFFSET = 1, BUCKETS_COUNTS = 2 };
enum { QUANTILE_QUANTILE = 1, QUANTILE_VALUE = 2 };
enum exemplar_field {
    EXEMPLAR_TIME = 2,
    EXEMPLAR_AS_DOUBLE = 3,
    EXEMPLAR_SPAN_ID = 4,
    EXEMPLAR_TRACE_ID = 5,
    EXEMPLAR_AS_INT = 6,
    EXEMPLAR_ATTRIBUTES = 7,
};

/* Columns of all five tables are set by their GAUGE_ number, those of EXEMPLAR_COLUMNS by their
 * distance from X_EX_ATTRS. */
_Static_assert((int)GAUGE_TIME == (int)SUM_TIME && (int)GAUGE_TIME == (int)HISTOGRAM_TIME &&
                   (int)GAUGE_TIME == (int)EXP_HISTOGRAM_TIME &&
                   (int)GAUGE_TIME == (int)SUMMARY_TIME,
               "the tables differ in their first columns");
_Static_assert((int)GAUGE_VALUE == (int)SUM_VALUE && (int)GAUGE_FLAGS == (int)SUM_FLAGS &&
                   (int)GAUGE_EX_ATTRS == (int)SUM_EX_ATTRS,
               "gauges and sums differ in more than what follows the exemplars");

/* What every point has. */
struct point {
    uint64_t start, time;
    struct repeated attrs, exemplars;
};

struct exemplars {
    const struct attrs **attrs;
    uint64_t *times;
    struct number *values;
    struct slice *span_ids, *trace_ids;
};

static struct number number_double(uint64_t bits)
{
    return (struct number){.is_int = false, .f64 = wire_double(bits)};
}

static struct number number_int(uint64_t bits)
{
    return (struct number){.is_int = true, .i64 = (int64_t)bits};
}

static void set_double(struct cell *c, uint64_t bits)
{
    c->null = false;
    c->f64 = wire_double(bits);
}

static enum decode_status read_exemplar(struct decoder *d, struct slice message,
                                        const struct exemplars *e, size_t i)
{
    struct repeated attrs = {0};
    struct wire w = wire_of(message);
    struct wire_field f = {0};
    for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at) {
        switch (WIRE_KEY(f.number, f.type)) {
        case KEY_FIXED64(EXEMPLAR_TIME):
            e->times[i] = decode_time(f.value, 0);
            break;
        case KEY_FIXED64(EXEMPLAR_AS_DOUBLE):
            e->values[i] = number_double(f.value);
            break;
        case KEY_FIXED64(EXEMPLAR_AS_INT):
            e->values[i] = number_int(f.value);
            break;
        case KEY_BYTES(EXEMPLAR_SPAN_ID):
            e->span_ids[i] = decode_id(f.bytes);
            break;
        case KEY_BYTES(EXEMPLAR_TRACE_ID):
            e->trace_ids[i] = decode_id(f.bytes);
            break;
        case KEY_BYTES(EXEMPLAR_ATTRIBUTES):
            repeated_add(&attrs, start, w.at, f.bytes);
            break;
        default:
            break;
        }
    }
    e->attrs[i] = attrs_read(d->a, &attrs, EXEMPLAR_ATTRIBUTES);
    return e->attrs[i] != NULL ? DECODE_OK : DECODE_NO_MEMORY;
}

/* `c` is the table's X_EX_ATTRS, which the other exemplar columns follow. */
static enum decode_status read_exemplars(struct decoder *d, const struct repeated *r,
                                         uint32_t number, struct cell *c)
{
    if (r->n == 0)
        return DECODE_OK;
    struct exemplars e = {
        .attrs = arena_calloc(d->a, r->n, sizeof(*e.attrs)),
        .times = arena_calloc(d->a, r->n, sizeof(*e.times)),
        .values = arena_calloc(d->a, r->n, sizeof(*e.values)),
        .span_ids = arena_calloc(d->a, r->n, sizeof(*e.span_ids)),
        .trace_ids = arena_calloc(d->a, r->n, sizeof(*e.trace_ids)),
    };
    if (e.attrs == NULL || e.times == NULL || e.values == NULL || e.span_ids == NULL ||
        e.trace_ids == NULL)
        return DECODE_NO_MEMORY;
    enum decode_status status = DECODE_OK;
    struct wire w = repeated_walk(r);
    struct slice message;
    for (size_t i = 0; status == DECODE_OK && repeated_next(&w, number, &message); i++)
        status = read_exemplar(d, message, &e, i);
    for (int i = 0; i <= GAUGE_EX_TRACE_IDS - GAUGE_EX_ATTRS; i++)
        c[i].list.n = r->n;
    c[0].list.attrs = e.attrs;
    c[GAUGE_EX_TIMES - GAUGE_EX_ATTRS].list.u64 = e.times;
    c[GAUGE_EX_VALUES - GAUGE_EX_ATTRS].list.number = e.values;
    c[GAUGE_EX_SPAN_IDS - GAUGE_EX_ATTRS].list.text = e.span_ids;
    c[GAUGE_EX_TRACE_IDS - GAUGE_EX_ATTRS].list.text = e.trace_ids;
    return status;
}

/* Times and attributes, common to all tables. */
static enum decode_status set_common(struct decoder *d, const struct point *p,
                                     uint32_t attrs_number)
{
    struct cell *c = d->cells;
    c[GAUGE_START_TIME].u64 = p->start;
    c[GAUGE_TIME].u64 = decode_time(p->time, d->received_ns);
    return decode_attrs(d, &p->attrs, attrs_number, &c[GAUGE_ATTRS]);
}

enum decode_status decode_number_point(struct decoder *d, enum table table, struct slice message)
{
    struct cell *c = decode_begin(d, table);
    struct point p = {0};
    struct wire w = wire_of(message);
    struct wire_field f = {0};
    for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at) {
        switch (WIRE_KEY(f.number, f.type)) {
        case KEY_FIXED64(NUMBER_START):
            p.start = decode_time(f.value, 0);
            break;
        case KEY_FIXED64(NUMBER_TIME):
            p.time = f.value;
            break;
        case KEY_FIXED64(NUMBER_AS_DOUBLE):
            c[GAUGE_VALUE].null = false;
            c[GAUGE_VALUE].number = number_double(f.value);
            break;
        case KEY_FIXED64(NUMBER_AS_INT):
            c[GAUGE_VALUE].null = false;
            c[GAUGE_VALUE].number = number_int(f.value);
            break;
        case KEY_BYTES(NUMBER_EXEMPLARS):
            repeated_add(&p.exemplars, start, w.at, f.bytes);
            break;
        case KEY_BYTES(NUMBER_ATTRIBUTES):
            repeated_add(&p.attrs, start, w.at, f.bytes);
            break;
        case KEY_VARINT(NUMBER_FLAGS):
            c[GAUGE_FLAGS].u64 = (uint32_t)f.value;
            break;
        default:
            break;
        }
    }
    enum decode_status status = set_common(d, &p, NUMBER_ATTRIBUTES);
    if (status == DECODE_OK)
        status = read_exemplars(d, &p.exemplars, NUMBER_EXEMPLARS, &c[GAUGE_EX_ATTRS]);
    return status == DECODE_OK ? decode_emit(d, table) : status;
}

/* One field of the point that goes into a cell as it is, or into `p`. */
static void histogram_plain_field(struct cell *c, struct point *p, const struct wire_field *f)
{
    switch (WIRE_KEY(f->number, f->type)) {
    case KEY_FIXED64(HIST_START):
        p->start = decode_time(f->value, 0);
        break;
    case KEY_FIXED64(HIST_TIME):
        p->time = f->value;
        break;
    case KEY_FIXED64(HIST_COUNT):
        c[HISTOGRAM_COUNT].u64 = f->value;
        break;
    case KEY_FIXED64(HIST_SUM):
        set_double(&c[HISTOGRAM_SUM], f->value);
        break;
    case KEY_VARINT(HIST_FLAGS):
        c[HISTOGRAM_FLAGS].u64 = (uint32_t)f->value;
        break;
    case KEY_FIXED64(HIST_MIN):
        set_double(&c[HISTOGRAM_MIN], f->value);
        break;
    case KEY_FIXED64(HIST_MAX):
        set_double(&c[HISTOGRAM_MAX], f->value);
        break;
    default:
        break;
    }
}

/* A list of fixed64 or double (`element` WIRE_FIXED64) or of uint64 (WIRE_VARINT) into a cell. */
static enum decode_status set_numbers(struct decoder *d, const struct numbers *r, uint32_t number,
                                      enum wire_type element, struct cell *c)
{
    bool ok = true;
    c->list.n = r->n;
    c->list.u64 = numbers_read(d->a, r, number, element, &ok);
    return ok ? DECODE_OK : DECODE_NO_MEMORY;
}

enum decode_status decode_histogram_point(struct decoder *d, enum table table, struct slice message)
{
    struct cell *c = decode_begin(d, table);
    struct point p = {0};
    struct numbers counts = {0}, bounds = {0};
    struct wire w = wire_of(message);
    struct wire_field f = {0};
    for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at) {
        switch (WIRE_KEY(f.number, f.type)) {
        case KEY_BYTES(HIST_BUCKET_COUNTS):
        case KEY_FIXED64(HIST_BUCKET_COUNTS):
            numbers_add(&counts, start, w.at, &f, WIRE_FIXED64);
            break;
        case KEY_BYTES(HIST_BOUNDS):
        case KEY_FIXED64(HIST_BOUNDS):
            numbers_add(&bounds, start, w.at, &f, WIRE_FIXED64);
            break;
        case KEY_BYTES(HIST_EXEMPLARS):
            repeated_add(&p.exemplars, start, w.at, f.bytes);
            break;
        case KEY_BYTES(HIST_ATTRIBUTES):
            repeated_add(&p.attrs, start, w.at, f.bytes);
            break;
        default:
            histogram_plain_field(c, &p, &f);
        }
    }
    enum decode_status status = set_common(d, &p, HIST_ATTRIBUTES);
    if (status == DECODE_OK)
        status =
            set_numbers(d, &counts, HIST_BUCKET_COUNTS, WIRE_FIXED64, &c[HISTOGRAM_BUCKET_COUNTS]);
    if (status == DECODE_OK) /* the cell's f64 overlays u64: same bits */
        status = set_numbers(d, &bounds, HIST_BOUNDS, WIRE_FIXED64, &c[HISTOGRAM_BOUNDS]);
    if (status == DECODE_OK)
        status = read_exemplars(d, &p.exemplars, HIST_EXEMPLARS, &c[HISTOGRAM_EX_ATTRS]);
    return status == DECODE_OK ? decode_emit(d, table) : status;
}

/* ExponentialHistogramDataPoint.Buckets, which may be absent: offset 0, no counts. */
static enum decode_status read_buckets(struct decoder *d, const struct repeated *r, uint32_t number,
                                       struct cell *offset, struct cell *counts)
{
    struct numbers run = {0};
    struct slice message;
    if (!repeated_merge(d->a, r, number, &message))
        return DECODE_NO_MEMORY;
    struct wire w = wire_of(message);
    struct wire_field f = {0};
    for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at) {
        switch (WIRE_KEY(f.number, f.type)) {
        case KEY_VARINT(BUCKETS_OFFSET):
            offset->i64 = wire_zigzag((uint32_t)f.value);
            break;
        case KEY_BYTES(BUCKETS_COUNTS):
        case KEY_VARINT(BUCKETS_COUNTS):
            numbers_add(&run, start, w.at, &f, WIRE_VARINT);
            break;
        default:
            break;
        }
    }
    return set_numbers(d, &run, BUCKETS_COUNTS, WIRE_VARINT, counts);
}

static void exp_histogram_plain_field(struct cell *c, struct point *p, const struct wire_field *f)
{
    switch (WIRE_KEY(f->number, f->type)) {
    case KEY_FIXED64(EXP_START):
        p->start = decode_time(f->value, 0);
        break;
    case KEY_FIXED64(EXP_TIME):
        p->time = f->value;
        break;
    case KEY_FIXED64(EXP_COUNT):
        c[EXP_HISTOGRAM_COUNT].u64 = f->value;
        break;
    case KEY_FIXED64(EXP_SUM):
        set_double(&c[EXP_HISTOGRAM_SUM], f->value);
        break;
    case KEY_VARINT(EXP_SCALE):
        c[EXP_HISTOGRAM_SCALE].i64 = wire_zigzag((uint32_t)f->value);
        break;
    case KEY_FIXED64(EXP_ZERO_COUNT):
        c[EXP_HISTOGRAM_ZERO_COUNT].u64 = f->value;
        break;
    case KEY_VARINT(EXP_FLAGS):
        c[EXP_HISTOGRAM_FLAGS].u64 = (uint32_t)f->value;
        break;
    case KEY_FIXED64(EXP_MIN):
        set_double(&c[EXP_HISTOGRAM_MIN], f->value);
        break;
    case KEY_FIXED64(EXP_MAX):
        set_double(&c[EXP_HISTOGRAM_MAX], f->value);
        break;
    default:
        break;
    }
}

enum decode_status decode_exp_histogram_point(struct decoder *d, enum table table,
                                              struct slice message)
{
    struct cell *c = decode_begin(d, table);
    struct point p = {0};
    struct repeated positive = {0}, negative = {0};
    struct wire w = wire_of(message);
    struct wire_field f = {0};
    for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at) {
        switch (WIRE_KEY(f.number, f.type)) {
        case KEY_BYTES(EXP_POSITIVE):
            repeated_add(&positive, start, w.at, f.bytes);
            break;
        case KEY_BYTES(EXP_NEGATIVE):
            repeated_add(&negative, start, w.at, f.bytes);
            break;
        case KEY_BYTES(EXP_EXEMPLARS):
            repeated_add(&p.exemplars, start, w.at, f.bytes);
            break;
        case KEY_BYTES(EXP_ATTRIBUTES):
            repeated_add(&p.attrs, start, w.at, f.bytes);
            break;
        default:
            exp_histogram_plain_field(c, &p, &f);
        }
    }
    enum decode_status status = set_common(d, &p, EXP_ATTRIBUTES);
    if (status == DECODE_OK)
        status = read_buckets(d, &positive, EXP_POSITIVE, &c[EXP_HISTOGRAM_POSITIVE_OFFSET],
                              &c[EXP_HISTOGRAM_POSITIVE_COUNTS]);
    if (status == DECODE_OK)
        status = read_buckets(d, &negative, EXP_NEGATIVE, &c[EXP_HISTOGRAM_NEGATIVE_OFFSET],
                              &c[EXP_HISTOGRAM_NEGATIVE_COUNTS]);
    if (status == DECODE_OK)
        status = read_exemplars(d, &p.exemplars, EXP_EXEMPLARS, &c[EXP_HISTOGRAM_EX_ATTRS]);
    return status == DECODE_OK ? decode_emit(d, table) : status;
}

static enum decode_status read_quantiles(struct decoder *d, const struct repeated *r)
{
    if (r->n == 0)
        return DECODE_OK;
    double *quantiles = arena_calloc(d->a, r->n, sizeof(*quantiles));
    double *values = arena_calloc(d->a, r->n, sizeof(*values));
    if (quantiles == NULL || values == NULL)
        return DECODE_NO_MEMORY;
    struct wire w = repeated_walk(r);
    struct slice message;
    for (size_t i = 0; repeated_next(&w, SUMMARY_POINT_QUANTILES, &message); i++) {
        struct wire inner = wire_of(message);
        struct wire_field f = {0};
        while (wire_next(&inner, &f)) {
            if (WIRE_KEY(f.number, f.type) == KEY_FIXED64(QUANTILE_QUANTILE))
                quantiles[i] = wire_double(f.value);
            else if (WIRE_KEY(f.number, f.type) == KEY_FIXED64(QUANTILE_VALUE))
                values[i] = wire_double(f.value);
        }
    }
    struct cell *c = d->cells;
    c[SUMMARY_QUANTILES].list.n = c[SUMMARY_QUANTILE_VALUES].list.n = r->n;
    c[SUMMARY_QUANTILES].list.f64 = quantiles;
    c[SUMMARY_QUANTILE_VALUES].list.f64 = values;
    return DECODE_OK;
}

enum decode_status decode_summary_point(struct decoder *d, enum table table, struct slice message)
{
    struct cell *c = decode_begin(d, table);
    struct point p = {0};
    struct repeated quantiles = {0};
    c[SUMMARY_SUM].null = false; /* the one sum that is not optional: absent is 0 */
    struct wire w = wire_of(message);
    struct wire_field f = {0};
    for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at) {
        switch (WIRE_KEY(f.number, f.type)) {
        case KEY_FIXED64(SUMMARY_POINT_START):
            p.start = decode_time(f.value, 0);
            break;
        case KEY_FIXED64(SUMMARY_POINT_TIME):
            p.time = f.value;
            break;
        case KEY_FIXED64(SUMMARY_POINT_COUNT):
            c[SUMMARY_COUNT].u64 = f.value;
            break;
        case KEY_FIXED64(SUMMARY_POINT_SUM):
            set_double(&c[SUMMARY_SUM], f.value);
            break;
        case KEY_BYTES(SUMMARY_POINT_QUANTILES):
            repeated_add(&quantiles, start, w.at, f.bytes);
            break;
        case KEY_BYTES(SUMMARY_POINT_ATTRIBUTES):
            repeated_add(&p.attrs, start, w.at, f.bytes);
            break;
        case KEY_VARINT(SUMMARY_POINT_FLAGS):
            c[SUMMARY_FLAGS].u64 = (uint32_t)f.value;
            break;
        default:
            break;
        }
    }
    enum decode_status status = set_common(d, &p, SUMMARY_POINT_ATTRIBUTES);
    if (status == DECODE_OK)
        status = read_quantiles(d, &quantiles);
    return status == DECODE_OK ? decode_emit(d, table) : status;
}
