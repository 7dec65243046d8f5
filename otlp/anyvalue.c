/* An AnyValue can be spread: a singular message that occurs several times is merged (R217), and so
 * is a repeated array_value or kvlist_value. Here nothing is copied for that; the occurrences are
 * walked where they lie. Elements of arrays and lists are never spread, so this does not pile up
 * with the nesting. */
#include "otlp/anyvalue.h"

#include "base/json.h"
#include "otlp/attrs.h"
#include "otlp/scan.h"

#include <inttypes.h>
#include <math.h>

enum {
    ANY_VALUE_STRING = 1,
    ANY_VALUE_BOOL = 2,
    ANY_VALUE_INT = 3,
    ANY_VALUE_DOUBLE = 4,
    ANY_VALUE_ARRAY = 5,
    ANY_VALUE_KVLIST = 6,
    ANY_VALUE_BYTES = 7,
    ANY_VALUE_STRINDEX = 8, /* means nothing outside profiles: the value is taken as absent, R262 */
};
enum { LIST_VALUES = 1, KEY_VALUE_VALUE = 2 };

/* What the oneof holds at the end (R218). */
struct member {
    enum anyvalue_kind kind;
    uint32_t number;
    uint64_t bits;       /* ANY_BOOL, ANY_INT, ANY_DOUBLE */
    struct slice bytes;  /* the others: the last occurrence */
    const uint8_t *from; /* ANY_ARRAY, ANY_KVLIST: what begins here is merged; what came before was
                            replaced by another member */
};

/* The bytes of an AnyValue: one run, or the occurrences of field `number` at `spread`. */
struct source {
    struct repeated spread;
    uint32_t number;
};

/* Walks the elements of an array or list over all its occurrences. */
struct elements {
    struct source source;
    struct member member;
    struct wire sources, parts, values;
    bool whole; /* the source is one run, and is still to be opened */
};

struct render {
    struct buf *out;
    struct arena scratch; /* sorted keys of lists */
};

static void render_json(struct render *r, const struct source *source, unsigned depth);

static struct source source_of(struct slice any)
{
    return (struct source){{1, any.at, any.at, any}, 0};
}

static enum anyvalue_kind kind_of(const struct wire_field *f)
{
    switch (WIRE_KEY(f->number, f->type)) {
    case KEY_BYTES(ANY_VALUE_STRING):
        return ANY_STRING;
    case KEY_VARINT(ANY_VALUE_BOOL):
        return ANY_BOOL;
    case KEY_VARINT(ANY_VALUE_INT):
        return ANY_INT;
    case KEY_FIXED64(ANY_VALUE_DOUBLE):
        return ANY_DOUBLE;
    case KEY_BYTES(ANY_VALUE_ARRAY):
        return ANY_ARRAY;
    case KEY_BYTES(ANY_VALUE_KVLIST):
        return ANY_KVLIST;
    case KEY_BYTES(ANY_VALUE_BYTES):
        return ANY_BYTES;
    default:
        return ANY_EMPTY;
    }
}

/* Goes on reading the oneof with one more run of the AnyValue's bytes. */
static void member_read(struct member *m, struct slice any)
{
    struct wire w = wire_of(any);
    struct wire_field f = {0};
    for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at) {
        enum anyvalue_kind kind = kind_of(&f);
        if (kind == ANY_EMPTY && WIRE_KEY(f.number, f.type) != KEY_VARINT(ANY_VALUE_STRINDEX))
            continue; /* an unknown field */
        if (m->number != f.number)
            m->from = start;
        m->kind = kind;
        m->number = f.number;
        if (f.type == WIRE_BYTES)
            m->bytes = f.bytes;
        else
            m->bits = f.value;
    }
}

static struct member member_of(const struct source *source)
{
    struct member m = {0};
    if (source->spread.n == 1) {
        member_read(&m, source->spread.last);
        return m;
    }
    struct wire w = repeated_walk(&source->spread);
    struct slice any;
    while (repeated_next(&w, source->number, &any))
        member_read(&m, any);
    return m;
}

static struct elements elements_of(const struct source *source, const struct member *m)
{
    struct elements e = {*source,
                         *m,
                         wire_of(SLICE_NULL),
                         wire_of(SLICE_NULL),
                         wire_of(SLICE_NULL),
                         source->spread.n == 1};
    if (!e.whole)
        e.sources = repeated_walk(&e.source.spread);
    return e;
}

/* Opens the next run of bytes that the AnyValue consists of. */
static bool elements_open(struct elements *e)
{
    struct slice any = e->source.spread.last;
    if (!e->whole && !repeated_next(&e->sources, e->source.number, &any))
        return false;
    e->whole = false;
    e->parts = wire_of(any);
    return true;
}

static bool elements_next(struct elements *e, struct slice *ret)
{
    while (!repeated_next(&e->values, LIST_VALUES, ret)) {
        struct slice part;
        while (!repeated_next(&e->parts, e->member.number, &part))
            if (!elements_open(e))
                return false;
        if (part.at > e->member.from)
            e->values = wire_of(part);
    }
    return true;
}

static void render_array(struct render *r, struct elements *e, unsigned depth)
{
    struct slice any;
    const char *separator = "[";
    while (elements_next(e, &any)) {
        struct source element = source_of(any);
        buf_append_str(r->out, separator);
        render_json(r, &element, depth + 1);
        separator = ",";
    }
    buf_append_str(r->out, *separator == '[' ? "[]" : "]");
}

/* The KeyValues of the list as {key, whole KeyValue}, sorted; NULL when memory is out. */
static struct attr *sorted_entries(struct render *r, const struct elements *list, size_t *ret_n)
{
    struct slice key_value;
    size_t n = 0, max = 0;
    for (struct elements e = *list; elements_next(&e, &key_value);)
        max++;
    struct attr *at = arena_alloc(&r->scratch, max * sizeof(*at));
    if (at == NULL)
        return NULL;
    for (struct elements e = *list; n < max && elements_next(&e, &key_value); n++)
        at[n] = (struct attr){attr_key(key_value), key_value};
    *ret_n = attrs_sort(at, n);
    return at;
}

static void render_list(struct render *r, struct elements *e, unsigned depth)
{
    size_t n;
    const struct attr *at = sorted_entries(r, e, &n);
    if (at == NULL) {
        r->out->failed = true;
        return;
    }
    buf_append_byte(r->out, '{');
    for (size_t i = 0; i < n; i++) {
        struct source value = {repeated_of(at[i].any, KEY_VALUE_VALUE), KEY_VALUE_VALUE};
        if (i > 0)
            buf_append_byte(r->out, ',');
        json_string(r->out, at[i].key);
        buf_append_byte(r->out, ':');
        render_json(r, &value, depth + 1);
    }
    buf_append_byte(r->out, '}');
}

static void render_int(struct buf *out, uint64_t bits)
{
    uint64_t n = (int64_t)bits < 0 ? 0 - bits : bits;
    char digits[20], *at = digits + sizeof(digits);
    do {
        *--at = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    if ((int64_t)bits < 0)
        buf_append_byte(out, '-');
    buf_append(out, at, (size_t)(digits + sizeof(digits) - at));
}

/* The kinds that nest; `depth` counts AnyValues, the scanner's limit counts all messages. */
static void render_nested(struct render *r, const struct source *source, const struct member *m,
                          unsigned depth)
{
    struct elements e = elements_of(source, m);
    if (depth >= SCAN_MAX_DEPTH)
        buf_append_str(r->out, "null");
    else if (m->kind == ANY_ARRAY)
        render_array(r, &e, depth);
    else
        render_list(r, &e, depth);
}

static void render_json(struct render *r, const struct source *source, unsigned depth)
{
    struct member m = member_of(source);
    switch (m.kind) {
    case ANY_STRING:
        json_string(r->out, m.bytes);
        break;
    case ANY_BOOL:
        buf_append_str(r->out, m.bits != 0 ? "true" : "false");
        break;
    case ANY_INT:
        render_int(r->out, m.bits);
        break;
    case ANY_DOUBLE:
        json_double(r->out, wire_double(m.bits));
        break;
    case ANY_BYTES:
        buf_append_byte(r->out, '"');
        json_base64(r->out, m.bytes);
        buf_append_byte(r->out, '"');
        break;
    case ANY_ARRAY:
    case ANY_KVLIST:
        render_nested(r, source, &m, depth);
        break;
    case ANY_EMPTY:
        buf_append_str(r->out, "null");
        break;
    }
}

enum anyvalue_kind anyvalue_kind(struct slice any, struct slice *ret_text)
{
    struct source source = source_of(any);
    struct member m = member_of(&source);
    if (ret_text != NULL && (m.kind == ANY_STRING || m.kind == ANY_BYTES))
        *ret_text = m.bytes;
    return m.kind;
}

void anyvalue_json(struct buf *out, struct slice any)
{
    struct render r = {out, ARENA_INIT};
    struct source source = source_of(any);
    render_json(&r, &source, 0);
    arena_release(&r.scratch);
}

void anyvalue_text(struct buf *out, struct slice any)
{
    struct source source = source_of(any);
    struct member m = member_of(&source);
    double d = wire_double(m.bits);
    if (m.kind == ANY_STRING)
        buf_append_slice(out, m.bytes);
    else if (m.kind == ANY_BYTES)
        json_base64(out, m.bytes);
    else if (m.kind == ANY_DOUBLE && !isfinite(d))
        buf_append_str(out, isnan(d) ? "NaN" : d < 0 ? "-Infinity" : "Infinity");
    else if (m.kind != ANY_EMPTY)
        anyvalue_json(out, any);
}

void attrs_json(struct buf *out, const struct attrs *attrs)
{
    struct render r = {out, ARENA_INIT};
    buf_append_byte(out, '{');
    for (size_t i = 0; i < attrs->n; i++) {
        struct source value = source_of(attrs->at[i].any);
        if (i > 0)
            buf_append_byte(out, ',');
        json_string(out, attrs->at[i].key);
        buf_append_byte(out, ':');
        render_json(&r, &value, 0);
    }
    buf_append_byte(out, '}');
    arena_release(&r.scratch);
}
