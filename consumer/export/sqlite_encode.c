/* Cells to SQLite values, made on the decode thread so that the writer only binds.
 *
 * - Integers are INTEGER. U64 above INT64_MAX is exact decimal TEXT, in a column without a type,
 *   since INTEGER would turn it into a REAL of fewer digits. It sorts after all integers.
 * - Doubles are REAL, infinities too (SQLite keeps -0.0 as 0.0). NaN is the TEXT 'NaN': SQLite
 *   would store NULL, which means "absent" here. A metric value has no column type, so that int64
 *   and double keep their kind.
 * - Ids are TEXT in lower-case hex, '' when empty.
 * - In text, NUL and what is not UTF-8 become U+FFFD: SQL functions end at a NUL, so the rest would
 *   seem lost. (Inside JSON a NUL is "\u0000" and stays.)
 * - Attributes are a JSON object, lists a JSON array, numbers in it with all their digits. */
#include "base/utf8.h"
#include "consumer/export/cell_json.h"
#include "consumer/export/sqlite.h"
#include "otlp/anyvalue.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

struct rows {
    struct arena *arena;
    struct sqlite_row *first, **end;
    struct buf scratch;
    /* What each column rendered last: rows in a row share resource and scope. */
    struct {
        const struct attrs *attrs;
        struct sqlite_value value;
    } rendered[TABLE_MAX_COLUMNS];
};

static struct sqlite_value value_i64(int64_t i64)
{
    return (struct sqlite_value){VALUE_I64, {.i64 = i64}};
}

static struct sqlite_value value_text(struct slice text)
{
    return (struct sqlite_value){VALUE_TEXT, {.text = text}};
}

static struct sqlite_value value_f64(double f64)
{
    if (isnan(f64))
        return value_text(SLICE_LIT("NaN"));
    return (struct sqlite_value){VALUE_F64, {.f64 = f64}};
}

/* The scratch buffer as a text in the arena. */
static int take_scratch(struct rows *r, struct sqlite_value *ret)
{
    bool ok = !r->scratch.failed;
    *ret = value_text(arena_copy(r->arena, buf_slice(&r->scratch), &ok));
    buf_clear(&r->scratch);
    return ok ? 0 : -ENOMEM;
}

static int encode_u64(struct rows *r, const struct cell *c, struct sqlite_value *ret)
{
    if (c->u64 <= INT64_MAX) {
        *ret = value_i64((int64_t)c->u64);
        return 0;
    }
    buf_printf(&r->scratch, "%" PRIu64, c->u64);
    return take_scratch(r, ret);
}

static int encode_i64(struct rows *r, const struct cell *c, struct sqlite_value *ret)
{
    (void)r;
    *ret = value_i64(c->i64);
    return 0;
}

static int encode_f64(struct rows *r, const struct cell *c, struct sqlite_value *ret)
{
    (void)r;
    *ret = value_f64(c->f64);
    return 0;
}

static int encode_number(struct rows *r, const struct cell *c, struct sqlite_value *ret)
{
    (void)r;
    *ret = c->number.is_int ? value_i64(c->number.i64) : value_f64(c->number.f64);
    return 0;
}

static int encode_text(struct rows *r, const struct cell *c, struct sqlite_value *ret)
{
    if (utf8_clean_length(c->text) == c->text.len) {
        *ret = value_text(c->text);
        return 0;
    }
    utf8_clean(&r->scratch, c->text);
    return take_scratch(r, ret);
}

static int encode_id(struct rows *r, const struct cell *c, struct sqlite_value *ret)
{
    cell_hex(&r->scratch, c->text);
    return take_scratch(r, ret);
}

static int encode_attrs(struct rows *r, const struct cell *c, struct sqlite_value *ret)
{
    attrs_json(&r->scratch, c->attrs);
    return take_scratch(r, ret);
}

static int encode_list(struct rows *r, enum column_type type, const struct cell *c,
                       struct sqlite_value *ret)
{
    if (c->list.n == 0) {
        *ret = value_text(SLICE_LIT("[]"));
        return 0;
    }
    cell_list_json(&r->scratch, type, c);
    return take_scratch(r, ret);
}

typedef int encode_fn(struct rows *r, const struct cell *c, struct sqlite_value *ret);

static const struct {
    const char *sql_type;
    encode_fn *encode; /* not of a list */
} kinds[] = {
    [COL_TIME] = {"INTEGER", encode_u64}, [COL_ID] = {"TEXT", encode_id},
    [COL_TEXT] = {"TEXT", encode_text},   [COL_LABEL] = {"TEXT", encode_text},
    [COL_U8] = {"INTEGER", encode_u64},   [COL_U32] = {"INTEGER", encode_u64},
    [COL_U64] = {"", encode_u64},         [COL_I32] = {"INTEGER", encode_i64},
    [COL_BOOL] = {"INTEGER", encode_u64}, [COL_F64] = {"REAL", encode_f64},
    [COL_NUMBER] = {"", encode_number},   [COL_ATTRS] = {"TEXT", encode_attrs},
    [COL_TIMES] = {"TEXT", NULL},         [COL_IDS] = {"TEXT", NULL},
    [COL_TEXTS] = {"TEXT", NULL},         [COL_LABELS] = {"TEXT", NULL},
    [COL_U64S] = {"TEXT", NULL},          [COL_F64S] = {"TEXT", NULL},
    [COL_NUMBERS] = {"TEXT", NULL},       [COL_ATTRS_LIST] = {"TEXT", NULL},
};

const char *sqlite_column_type(enum column_type type)
{
    return kinds[type].sql_type;
}

static int encode(struct rows *r, enum column_type type, const struct cell *c,
                  struct sqlite_value *ret)
{
    if (c->null) {
        *ret = (struct sqlite_value){.kind = VALUE_NULL};
        return 0;
    }
    if (cell_is_list(type))
        return encode_list(r, type, c, ret);
    return kinds[type].encode(r, c, ret);
}

/* Attributes of the last row's pointer are not rendered again. */
static int encode_column(struct rows *r, size_t column, enum column_type type, const struct cell *c,
                         struct sqlite_value *ret)
{
    if (type != COL_ATTRS || c->null)
        return encode(r, type, c, ret);
    if (r->rendered[column].attrs != c->attrs) {
        int rc = encode(r, type, c, &r->rendered[column].value);
        if (rc < 0)
            return rc;
        r->rendered[column].attrs = c->attrs;
    }
    *ret = r->rendered[column].value;
    return 0;
}

void *sqlite_rows_new(struct exporter *x, struct arena *a)
{
    (void)x;
    struct rows *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->arena = a;
    r->end = &r->first;
    return r;
}

int sqlite_rows_add(void *rows, uint32_t record, enum table table, const struct cell *cells)
{
    struct rows *r = rows;
    const struct table_info *info = &table_info[table];
    struct sqlite_row *row = arena_alloc(r->arena, sizeof(*row) + info->n * sizeof(row->values[0]));
    if (row == NULL)
        return -ENOMEM;
    *row = (struct sqlite_row){.record = record, .table = table};
    for (size_t c = 0; c < info->n; c++) {
        int rc = encode_column(r, c, info->columns[c].type, &cells[c], &row->values[c]);
        if (rc < 0)
            return rc;
    }
    *r->end = row;
    r->end = &row->next;
    return 0;
}

void sqlite_rows_free(void *rows)
{
    struct rows *r = rows;
    if (r == NULL)
        return;
    buf_release(&r->scratch);
    free(r);
}

const struct sqlite_row *sqlite_rows_first(const void *rows)
{
    return rows == NULL ? NULL : ((const struct rows *)rows)->first;
}

int sqlite_bind(sqlite3_stmt *statement, int index, const struct sqlite_value *v)
{
    switch (v->kind) {
    case VALUE_I64:
        return sqlite3_bind_int64(statement, index, v->i64);
    case VALUE_F64:
        return sqlite3_bind_double(statement, index, v->f64);
    case VALUE_TEXT:
        return sqlite3_bind_text64(statement, index, v->text.len ? (const char *)v->text.at : "",
                                   v->text.len, SQLITE_STATIC, SQLITE_UTF8);
    case VALUE_NULL:
        break;
    }
    return sqlite3_bind_null(statement, index);
}
