#include "otlp/decode_points.h"

/* Metric */
enum { METRIC_NAME = 1, METRIC_DESCRIPTION = 2, METRIC_UNIT = 3 };
/* Gauge, Sum, Histogram, ExponentialHistogram, Summary: the members of the oneof Metric.data */
enum { DATA_POINTS = 1, DATA_TEMPORALITY = 2, DATA_MONOTONIC = 3 };

/* The members of Metric.data, by field number. */
static const struct data_kind {
    enum table table;
    decode_point_fn *point; /* NULL: no member has this number */
} data_kinds[] = {
    [5] = {TABLE_GAUGE, decode_number_point},
    [7] = {TABLE_SUM, decode_number_point},
    [9] = {TABLE_HISTOGRAM, decode_histogram_point},
    [10] = {TABLE_EXP_HISTOGRAM, decode_exp_histogram_point},
    [11] = {TABLE_SUMMARY, decode_summary_point},
};

struct metric {
    struct slice name, description, unit;
    uint32_t number; /* of the member of `data` that counts; 0 = none */
    struct repeated data;
};

static bool is_data(const struct wire_field *f)
{
    return f->type == WIRE_BYTES && f->number < sizeof(data_kinds) / sizeof(data_kinds[0]) &&
           data_kinds[f->number].point != NULL;
}

static struct metric read_metric(struct slice message)
{
    struct metric m = {0};
    struct wire w = wire_of(message);
    struct wire_field f = {0};
    for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at) {
        switch (WIRE_KEY(f.number, f.type)) {
        case KEY_BYTES(METRIC_NAME):
            m.name = f.bytes;
            break;
        case KEY_BYTES(METRIC_DESCRIPTION):
            m.description = f.bytes;
            break;
        case KEY_BYTES(METRIC_UNIT):
            m.unit = f.bytes;
            break;
        default:
            if (!is_data(&f))
                break;
            if (m.number != f.number) /* the last member counts and replaces others (R218) */
                m.data = (struct repeated){0};
            m.number = f.number;
            repeated_add(&m.data, start, w.at, f.bytes);
        }
    }
    return m;
}

/* The five tables begin with the same columns, so GAUGE_... stands for all of them. */
static void begin_metric(struct decoder *d, enum table table, const struct metric *m)
{
    decode_blank(d, table);
    struct cell *c = d->blank;
    c[GAUGE_RESOURCE_ATTRS].attrs = d->resource.attrs;
    c[GAUGE_RESOURCE_SCHEMA_URL].text = d->resource.schema_url;
    c[GAUGE_SCOPE_NAME].text = d->scope.name;
    c[GAUGE_SCOPE_VERSION].text = d->scope.version;
    c[GAUGE_SCOPE_ATTRS].attrs = d->scope.attrs;
    c[GAUGE_SCOPE_DROPPED_ATTRS].u64 = d->scope.dropped_attrs;
    c[GAUGE_SCOPE_SCHEMA_URL].text = d->scope.schema_url;
    c[GAUGE_SERVICE_NAME].text = d->resource.service_name;
    c[GAUGE_METRIC_NAME].text = m->name;
    c[GAUGE_METRIC_DESCRIPTION].text = m->description;
    c[GAUGE_METRIC_UNIT].text = m->unit;
}

/* What Sum, Histogram and ExponentialHistogram say of all their points. */
static void read_data(struct decoder *d, enum table table, const struct wire_field *f)
{
    struct cell *c = d->blank;
    switch (WIRE_KEY(f->number, f->type)) {
    case KEY_VARINT(DATA_TEMPORALITY):
        if (table == TABLE_SUM)
            c[SUM_TEMPORALITY].i64 = (int32_t)f->value;
        else if (table == TABLE_HISTOGRAM)
            c[HISTOGRAM_TEMPORALITY].i64 = (int32_t)f->value;
        else if (table == TABLE_EXP_HISTOGRAM)
            c[EXP_HISTOGRAM_TEMPORALITY].i64 = (int32_t)f->value;
        break;
    case KEY_VARINT(DATA_MONOTONIC):
        if (table == TABLE_SUM)
            c[SUM_MONOTONIC].u64 = f->value != 0;
        break;
    default:
        break;
    }
}

static enum decode_status metric(struct decoder *d, struct slice message)
{
    const struct metric m = read_metric(message);
    if (m.number == 0)
        return DECODE_OK;
    const struct data_kind *kind = &data_kinds[m.number];
    struct slice data, point;
    if (!repeated_merge(d->a, &m.data, m.number, &data))
        return DECODE_NO_MEMORY;
    begin_metric(d, kind->table, &m);
    struct repeated points = {0};
    struct wire w = wire_of(data);
    struct wire_field f = {0};
    for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at) {
        if (WIRE_KEY(f.number, f.type) == KEY_BYTES(DATA_POINTS))
            repeated_add(&points, start, w.at, f.bytes);
        else
            read_data(d, kind->table, &f);
    }
    enum decode_status status = DECODE_OK;
    w = repeated_walk(&points);
    while (status == DECODE_OK && repeated_next(&w, DATA_POINTS, &point))
        status = kind->point(d, kind->table, point);
    return status;
}

const struct signal_walk decode_metrics = {NULL, metric};
