#include "otlp/row_json.h"

#include "base/json.h"
#include "otlp/anyvalue.h"

#include <inttypes.h>

static void put_number(struct buf *out, struct number n)
{
    if (n.is_int)
        buf_printf(out, "%" PRId64, n.i64);
    else
        json_double(out, n.f64);
}

static void put_id(struct buf *out, struct slice id)
{
    buf_append_byte(out, '"');
    for (size_t i = 0; i < id.len; i++)
        buf_printf(out, "%02x", id.at[i]);
    buf_append_byte(out, '"');
}

static void put_element(struct buf *out, enum column_type type, const struct cell *c, size_t i)
{
    switch (type) {
    case COL_TIMES:
    case COL_U64S:
        buf_printf(out, "%" PRIu64, c->list.u64[i]);
        break;
    case COL_IDS:
        put_id(out, c->list.text[i]);
        break;
    case COL_TEXTS:
    case COL_LABELS:
        json_string(out, c->list.text[i]);
        break;
    case COL_F64S:
        json_double(out, c->list.f64[i]);
        break;
    case COL_NUMBERS:
        put_number(out, c->list.number[i]);
        break;
    default:
        attrs_json(out, c->list.attrs[i]);
    }
}

static void put_list(struct buf *out, enum column_type type, const struct cell *c)
{
    buf_append_byte(out, '[');
    for (size_t i = 0; i < c->list.n; i++) {
        buf_append_str(out, i ? "," : "");
        put_element(out, type, c, i);
    }
    buf_append_byte(out, ']');
}

static void put_cell(struct buf *out, enum column_type type, const struct cell *c)
{
    switch (type) {
    case COL_TIME:
    case COL_U8:
    case COL_U32:
    case COL_U64:
        buf_printf(out, "%" PRIu64, c->u64);
        break;
    case COL_BOOL:
        buf_append_str(out, c->u64 ? "true" : "false");
        break;
    case COL_I32:
        buf_printf(out, "%" PRId64, c->i64);
        break;
    case COL_ID:
        put_id(out, c->text);
        break;
    case COL_TEXT:
    case COL_LABEL:
        json_string(out, c->text);
        break;
    case COL_F64:
        json_double(out, c->f64);
        break;
    case COL_NUMBER:
        put_number(out, c->number);
        break;
    case COL_ATTRS:
        attrs_json(out, c->attrs);
        break;
    default:
        put_list(out, type, c);
    }
}

static bool is_empty(enum column_type type, const struct cell *c)
{
    switch (type) {
    case COL_TIME:
    case COL_U8:
    case COL_U32:
    case COL_U64:
    case COL_BOOL:
        return c->u64 == 0;
    case COL_I32:
        return c->i64 == 0;
    case COL_ID:
    case COL_TEXT:
    case COL_LABEL:
        return c->text.len == 0;
    case COL_F64:
    case COL_NUMBER:
        return false; /* absent ones are null */
    case COL_ATTRS:
        return c->attrs->n == 0;
    default:
        return c->list.n == 0;
    }
}

void row_json(struct buf *out, enum table table, const struct cell *cells)
{
    const struct table_info *t = &table_info[table];
    const char *comma = "{";
    for (size_t i = 0; i < t->n; i++) {
        if (cells[i].null || is_empty(t->columns[i].type, &cells[i]))
            continue;
        buf_printf(out, "%s\"%s\":", comma, t->columns[i].name);
        put_cell(out, t->columns[i].type, &cells[i]);
        comma = ",";
    }
    buf_append_str(out, comma[0] == '{' ? "{}" : "}");
}
