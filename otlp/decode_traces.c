#include "otlp/decode_walk.h"

/* Span */
enum {
    SPAN_TRACE_ID = 1,
    SPAN_SPAN_ID = 2,
    SPAN_TRACE_STATE = 3,
    SPAN_PARENT_SPAN_ID = 4,
    SPAN_NAME = 5,
    SPAN_KIND = 6,
    SPAN_START = 7,
    SPAN_END = 8,
    SPAN_ATTRIBUTES = 9,
    SPAN_EVENTS = 11,
    SPAN_LINKS = 13,
    SPAN_STATUS = 15,
};
/* Span.Event, Span.Link, Status */
enum { EVENT_TIME = 1, EVENT_NAME = 2, EVENT_ATTRIBUTES = 3 };
enum { LINK_TRACE_ID = 1, LINK_SPAN_ID = 2, LINK_TRACE_STATE = 3, LINK_ATTRIBUTES = 4 };
enum { STATUS_MESSAGE = 2, STATUS_CODE = 3 };

/* What is known of a span only at its end. */
struct span {
    uint64_t start, end;
    int32_t kind;
    struct repeated attrs, events, links, status;
};

struct events {
    uint64_t *times;
    struct slice *names;
    const struct attrs **attrs;
};

struct links {
    struct slice *trace_ids, *span_ids, *trace_states;
    const struct attrs **attrs;
};

/* The text of an enum value; open enums may hold any number (R223). */
static enum decode_status enum_text(struct decoder *d, int32_t n, const char *const *names,
                                    size_t count, struct slice *ret)
{
    if (n < 0 || (size_t)n >= count)
        return decode_decimal(d, n, ret);
    *ret = slice_str(names[n]);
    return DECODE_OK;
}

static enum decode_status kind_text(struct decoder *d, int32_t kind, struct slice *ret)
{
    static const char *const names[] = {"Unspecified", "Internal", "Server",
                                        "Client",      "Producer", "Consumer"};
    return enum_text(d, kind, names, sizeof(names) / sizeof(names[0]), ret);
}

static enum decode_status read_status(struct decoder *d, const struct repeated *status)
{
    static const char *const names[] = {"Unset", "Ok", "Error"};
    struct slice message;
    int32_t code = 0;
    if (!repeated_merge(d->a, status, SPAN_STATUS, &message))
        return DECODE_NO_MEMORY;
    struct wire w = wire_of(message);
    struct wire_field f = {0};
    while (wire_next(&w, &f)) {
        if (WIRE_KEY(f.number, f.type) == KEY_BYTES(STATUS_MESSAGE))
            d->cells[TRACES_STATUS_MESSAGE].text = f.bytes;
        else if (WIRE_KEY(f.number, f.type) == KEY_VARINT(STATUS_CODE))
            code = (int32_t)f.value;
    }
    return enum_text(d, code, names, sizeof(names) / sizeof(names[0]),
                     &d->cells[TRACES_STATUS_CODE].text);
}

static bool read_event(struct decoder *d, struct slice message, const struct events *e, size_t i)
{
    struct repeated attrs = {0};
    struct wire w = wire_of(message);
    struct wire_field f = {0};
    for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at) {
        switch (WIRE_KEY(f.number, f.type)) {
        case KEY_FIXED64(EVENT_TIME):
            e->times[i] = decode_time(f.value, 0);
            break;
        case KEY_BYTES(EVENT_NAME):
            e->names[i] = f.bytes;
            break;
        case KEY_BYTES(EVENT_ATTRIBUTES):
            repeated_add(&attrs, start, w.at, f.bytes);
            break;
        default:
            break;
        }
    }
    e->attrs[i] = attrs_read(d->a, &attrs, EVENT_ATTRIBUTES);
    return e->attrs[i] != NULL;
}

static enum decode_status read_events(struct decoder *d, const struct repeated *r)
{
    if (r->n == 0)
        return DECODE_OK;
    struct events e = {
        .times = arena_calloc(d->a, r->n, sizeof(*e.times)),
        .names = arena_calloc(d->a, r->n, sizeof(*e.names)),
        .attrs = arena_calloc(d->a, r->n, sizeof(*e.attrs)),
    };
    if (e.times == NULL || e.names == NULL || e.attrs == NULL)
        return DECODE_NO_MEMORY;
    struct wire w = repeated_walk(r);
    struct slice message;
    for (size_t i = 0; i < r->n && repeated_next(&w, SPAN_EVENTS, &message); i++)
        if (!read_event(d, message, &e, i))
            return DECODE_NO_MEMORY;
    struct cell *c = d->cells;
    c[TRACES_EVENT_TIMES].list.n = c[TRACES_EVENT_NAMES].list.n = r->n;
    c[TRACES_EVENT_ATTRS].list.n = r->n;
    c[TRACES_EVENT_TIMES].list.u64 = e.times;
    c[TRACES_EVENT_NAMES].list.text = e.names;
    c[TRACES_EVENT_ATTRS].list.attrs = e.attrs;
    return DECODE_OK;
}

static bool read_link(struct decoder *d, struct slice message, const struct links *l, size_t i)
{
    struct repeated attrs = {0};
    struct wire w = wire_of(message);
    struct wire_field f = {0};
    for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at) {
        switch (WIRE_KEY(f.number, f.type)) {
        case KEY_BYTES(LINK_TRACE_ID):
            l->trace_ids[i] = decode_id(f.bytes);
            break;
        case KEY_BYTES(LINK_SPAN_ID):
            l->span_ids[i] = decode_id(f.bytes);
            break;
        case KEY_BYTES(LINK_TRACE_STATE):
            l->trace_states[i] = f.bytes;
            break;
        case KEY_BYTES(LINK_ATTRIBUTES):
            repeated_add(&attrs, start, w.at, f.bytes);
            break;
        default:
            break;
        }
    }
    l->attrs[i] = attrs_read(d->a, &attrs, LINK_ATTRIBUTES);
    return l->attrs[i] != NULL;
}

static enum decode_status read_links(struct decoder *d, const struct repeated *r)
{
    if (r->n == 0)
        return DECODE_OK;
    struct links l = {
        .trace_ids = arena_calloc(d->a, r->n, sizeof(*l.trace_ids)),
        .span_ids = arena_calloc(d->a, r->n, sizeof(*l.span_ids)),
        .trace_states = arena_calloc(d->a, r->n, sizeof(*l.trace_states)),
        .attrs = arena_calloc(d->a, r->n, sizeof(*l.attrs)),
    };
    if (l.trace_ids == NULL || l.span_ids == NULL || l.trace_states == NULL || l.attrs == NULL)
        return DECODE_NO_MEMORY;
    struct wire w = repeated_walk(r);
    struct slice message;
    for (size_t i = 0; i < r->n && repeated_next(&w, SPAN_LINKS, &message); i++)
        if (!read_link(d, message, &l, i))
            return DECODE_NO_MEMORY;
    struct cell *c = d->cells;
    c[TRACES_LINK_TRACE_IDS].list.n = c[TRACES_LINK_SPAN_IDS].list.n = r->n;
    c[TRACES_LINK_TRACE_STATES].list.n = c[TRACES_LINK_ATTRS].list.n = r->n;
    c[TRACES_LINK_TRACE_IDS].list.text = l.trace_ids;
    c[TRACES_LINK_SPAN_IDS].list.text = l.span_ids;
    c[TRACES_LINK_TRACE_STATES].list.text = l.trace_states;
    c[TRACES_LINK_ATTRS].list.attrs = l.attrs;
    return DECODE_OK;
}

static void begin_scope(struct decoder *d)
{
    decode_blank(d, TABLE_TRACES);
    struct cell *c = d->blank;
    c[TRACES_SERVICE_NAME].text = d->resource.service_name;
    c[TRACES_RESOURCE_ATTRS].attrs = d->resource.attrs;
    c[TRACES_SCOPE_NAME].text = d->scope.name;
    c[TRACES_SCOPE_VERSION].text = d->scope.version;
}

/* One field of the span that goes into a cell as it is, or into `s`. */
static void plain_field(struct cell *c, struct span *s, const struct wire_field *f)
{
    switch (WIRE_KEY(f->number, f->type)) {
    case KEY_BYTES(SPAN_TRACE_ID):
        c[TRACES_TRACE_ID].text = decode_id(f->bytes);
        break;
    case KEY_BYTES(SPAN_SPAN_ID):
        c[TRACES_SPAN_ID].text = decode_id(f->bytes);
        break;
    case KEY_BYTES(SPAN_TRACE_STATE):
        c[TRACES_TRACE_STATE].text = f->bytes;
        break;
    case KEY_BYTES(SPAN_PARENT_SPAN_ID):
        c[TRACES_PARENT_SPAN_ID].text = decode_id(f->bytes);
        break;
    case KEY_BYTES(SPAN_NAME):
        c[TRACES_SPAN_NAME].text = f->bytes;
        break;
    case KEY_VARINT(SPAN_KIND):
        s->kind = (int32_t)f->value;
        break;
    case KEY_FIXED64(SPAN_START):
        s->start = f->value;
        break;
    case KEY_FIXED64(SPAN_END):
        s->end = f->value;
        break;
    default:
        break;
    }
}

static void read_span(struct cell *c, struct span *s, struct slice message)
{
    struct wire w = wire_of(message);
    struct wire_field f = {0};
    for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at) {
        switch (WIRE_KEY(f.number, f.type)) {
        case KEY_BYTES(SPAN_ATTRIBUTES):
            repeated_add(&s->attrs, start, w.at, f.bytes);
            break;
        case KEY_BYTES(SPAN_EVENTS):
            repeated_add(&s->events, start, w.at, f.bytes);
            break;
        case KEY_BYTES(SPAN_LINKS):
            repeated_add(&s->links, start, w.at, f.bytes);
            break;
        case KEY_BYTES(SPAN_STATUS):
            repeated_add(&s->status, start, w.at, f.bytes);
            break;
        default:
            plain_field(c, s, &f);
        }
    }
}

static enum decode_status span(struct decoder *d, struct slice message)
{
    struct cell *c = decode_begin(d, TABLE_TRACES);
    struct span s = {0};
    read_span(c, &s, message);
    c[TRACES_TIMESTAMP].u64 = decode_time(s.start, d->received_ns);
    c[TRACES_DURATION].u64 = s.end > s.start ? s.end - s.start : 0;
    enum decode_status status = kind_text(d, s.kind, &c[TRACES_SPAN_KIND].text);
    if (status == DECODE_OK)
        status = decode_attrs(d, &s.attrs, SPAN_ATTRIBUTES, &c[TRACES_SPAN_ATTRS]);
    if (status == DECODE_OK)
        status = read_status(d, &s.status);
    if (status == DECODE_OK)
        status = read_events(d, &s.events);
    if (status == DECODE_OK)
        status = read_links(d, &s.links);
    return status == DECODE_OK ? decode_emit(d, TABLE_TRACES) : status;
}

const struct signal_walk decode_traces = {begin_scope, span};
