#include "consumer/export/cell_json.h"

#include "base/json.h"
#include "otlp/anyvalue.h"

#include <inttypes.h>

void cell_hex(struct buf *out, struct slice id)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *to = buf_reserve(out, id.len * 2);
    if (to == NULL)
        return;
    for (size_t i = 0; i < id.len; i++) {
        *to++ = (uint8_t)digits[id.at[i] >> 4];
        *to++ = (uint8_t)digits[id.at[i] & 15];
    }
    out->len += id.len * 2;
}

static void item_u64(struct buf *out, const struct cell *c, size_t i)
{
    buf_append_u64(out, c->list.u64[i]);
}

static void item_f64(struct buf *out, const struct cell *c, size_t i)
{
    json_double(out, c->list.f64[i]);
}

static void item_number(struct buf *out, const struct cell *c, size_t i)
{
    const struct number *n = &c->list.number[i];
    if (n->is_int)
        buf_printf(out, "%" PRId64, n->i64);
    else
        json_double(out, n->f64);
}

static void item_text(struct buf *out, const struct cell *c, size_t i)
{
    json_string(out, c->list.text[i]);
}

static void item_id(struct buf *out, const struct cell *c, size_t i)
{
    buf_append_byte(out, '"');
    cell_hex(out, c->list.text[i]);
    buf_append_byte(out, '"');
}

static void item_attrs(struct buf *out, const struct cell *c, size_t i)
{
    attrs_json(out, c->list.attrs[i]);
}

typedef void item_fn(struct buf *out, const struct cell *c, size_t i);

static item_fn *const items[COL_ATTRS_LIST + 1] = {
    [COL_TIMES] = item_u64,      [COL_IDS] = item_id,           [COL_TEXTS] = item_text,
    [COL_LABELS] = item_text,    [COL_U64S] = item_u64,         [COL_F64S] = item_f64,
    [COL_NUMBERS] = item_number, [COL_ATTRS_LIST] = item_attrs,
};

bool cell_is_list(enum column_type type)
{
    return items[type] != NULL;
}

void cell_list_json(struct buf *out, enum column_type type, const struct cell *c)
{
    buf_append_byte(out, '[');
    for (size_t i = 0; i < c->list.n; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        items[type](out, c, i);
    }
    buf_append_byte(out, ']');
}
