/* A row as text, each column on a line of its own:
 *     Timestamp 17
 *     TraceId 0102
 *     Body "text"
 *     LogAttributes {"a":"1"}
 *     Events.Name ["x","y"]
 *     Value int 5                                                                         */
#ifndef TESTS_OTLP_ROW_TEXT_H
#define TESTS_OTLP_ROW_TEXT_H

#include "base/json.h"
#include "otlp/anyvalue.h"
#include "otlp/table.h"

#include <inttypes.h>

static inline void text_number(struct buf *out, struct number n)
{
    if (n.is_int)
        buf_printf(out, "int %" PRId64, n.i64);
    else
        json_double(out, n.f64);
}

static inline void text_id(struct buf *out, struct slice id)
{
    for (size_t i = 0; i < id.len; i++)
        buf_printf(out, "%02x", id.at[i]);
}

static inline void text_element(struct buf *out, enum column_type type, const struct cell *c,
                                size_t i)
{
    switch (type) {
    case COL_TIMES:
    case COL_U64S:
        buf_printf(out, "%" PRIu64, c->list.u64[i]);
        break;
    case COL_IDS:
        text_id(out, c->list.text[i]);
        break;
    case COL_TEXTS:
    case COL_LABELS:
        json_string(out, c->list.text[i]);
        break;
    case COL_F64S:
        json_double(out, c->list.f64[i]);
        break;
    case COL_NUMBERS:
        text_number(out, c->list.number[i]);
        break;
    default:
        attrs_json(out, c->list.attrs[i]);
    }
}

static inline void text_cell(struct buf *out, enum column_type type, const struct cell *c)
{
    switch (type) {
    case COL_TIME:
    case COL_U8:
    case COL_U32:
    case COL_U64:
    case COL_BOOL:
        buf_printf(out, "%" PRIu64, c->u64);
        break;
    case COL_I32:
        buf_printf(out, "%" PRId64, c->i64);
        break;
    case COL_ID:
        text_id(out, c->text);
        break;
    case COL_TEXT:
    case COL_LABEL:
        json_string(out, c->text);
        break;
    case COL_F64:
        json_double(out, c->f64);
        break;
    case COL_NUMBER:
        text_number(out, c->number);
        break;
    case COL_ATTRS:
        attrs_json(out, c->attrs);
        break;
    default:
        buf_append_byte(out, '[');
        for (size_t i = 0; i < c->list.n; i++) {
            if (i > 0)
                buf_append_byte(out, ',');
            text_element(out, type, c, i);
        }
        buf_append_byte(out, ']');
    }
}

static inline void row_text(struct buf *out, enum table table, const struct cell *cells)
{
    const struct table_info *t = &table_info[table];
    for (size_t i = 0; i < t->n; i++) {
        buf_printf(out, "%s ", t->columns[i].name);
        if (cells[i].null)
            buf_append_str(out, "null");
        else
            text_cell(out, t->columns[i].type, &cells[i]);
        buf_append_byte(out, '\n');
    }
}

#endif
