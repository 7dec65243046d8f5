/* Cells to values of PostgreSQL's binary format, made on the decode thread so that the writer only
 * strings them together.
 *
 * - Times are timestamptz, which has microseconds: the rest of the row's own time (0..999 ns) is in
 *   the column _ns, so that it can be told and sorted exactly.
 * - Counts of 64 bits are numeric(20): bigint ends at half of them.
 * - A metric value is a double; one that was sent as an integer stands in <name>Int as well, with
 *   all its 64 bits.
 * - Ids are text in lower-case hex, '' when empty.
 * - In text, NUL and what is not UTF-8 become U+FFFD: PostgreSQL takes neither, nor \u0000 in
 * jsonb.
 * - Attributes are a jsonb object, lists a jsonb array. */
#include "base/utf8.h"
#include "consumer/export/cell_json.h"
#include "consumer/export/postgres.h"
#include "otlp/anyvalue.h"

#include <errno.h>
#include <stdlib.h>

#define NS_PER_DAY UINT64_C(86400000000000)
/* 2000-01-01, where PostgreSQL's time begins. */
#define EPOCH_US      INT64_C(946684800000000)
#define JSONB_VERSION 1

struct rows {
    struct arena *arena;
    struct postgres_row *first[TABLE_COUNT], **end[TABLE_COUNT];
    struct buf scratch;
    /* What each column rendered last: rows in a row share resource and scope. */
    struct {
        const struct attrs *attrs;
        struct postgres_value value;
    } rendered[TABLE_MAX_COLUMNS];
};

static struct postgres_value number(uint64_t n, int32_t bytes)
{
    struct postgres_value v = {.len = bytes};
    for (int32_t i = bytes; i-- > 0; n >>= 8)
        v.few[i] = (uint8_t)n;
    return v;
}

static struct postgres_value number_f64(double f64)
{
    uint64_t bits;
    memcpy(&bits, &f64, sizeof(bits));
    return number(bits, 8);
}

/* Bytes that live as long as the batch. */
static struct postgres_value borrowed(struct slice s)
{
    struct postgres_value v = {.len = (int32_t)s.len};
    if (s.len > sizeof(v.few))
        v.at = s.at;
    else if (s.len > 0)
        memcpy(v.few, s.at, s.len);
    return v;
}

/* The scratch buffer as a value; it is empty again. */
static int take_scratch(struct rows *r, struct postgres_value *ret)
{
    bool ok = !r->scratch.failed && r->scratch.len <= INT32_MAX;
    struct slice s = buf_slice(&r->scratch);
    *ret = borrowed(s.len > sizeof(ret->few) && ok ? arena_copy(r->arena, s, &ok) : s);
    buf_clear(&r->scratch);
    return ok ? 0 : -ENOMEM;
}

static int encode_time(struct rows *r, const struct cell *c, struct postgres_value *ret)
{
    (void)r;
    *ret = number((uint64_t)((int64_t)(c->u64 / 1000) - EPOCH_US), 8);
    return 0;
}

static int encode_smallint(struct rows *r, const struct cell *c, struct postgres_value *ret)
{
    (void)r;
    *ret = number(c->u64, 2);
    return 0;
}

static int encode_bigint(struct rows *r, const struct cell *c, struct postgres_value *ret)
{
    (void)r;
    *ret = number(c->u64, 8);
    return 0;
}

static int encode_integer(struct rows *r, const struct cell *c, struct postgres_value *ret)
{
    (void)r;
    *ret = number((uint64_t)c->i64, 4);
    return 0;
}

static int encode_bool(struct rows *r, const struct cell *c, struct postgres_value *ret)
{
    (void)r;
    *ret = number(c->u64 != 0, 1);
    return 0;
}

static int encode_f64(struct rows *r, const struct cell *c, struct postgres_value *ret)
{
    (void)r;
    *ret = number_f64(c->f64);
    return 0;
}

static int encode_number(struct rows *r, const struct cell *c, struct postgres_value *ret)
{
    (void)r;
    *ret = number_f64(c->number.is_int ? (double)c->number.i64 : c->number.f64);
    return 0;
}

static void append_u16(struct buf *out, unsigned n)
{
    buf_append_byte(out, (uint8_t)(n >> 8));
    buf_append_byte(out, (uint8_t)n);
}

/* numeric: number of digits, weight of the first, sign, digits behind the point, and the digits to
 * the base 10,000 without zeros at the end. */
static int encode_numeric(struct rows *r, const struct cell *c, struct postgres_value *ret)
{
    unsigned digits[5], n = 0, last = 0;
    for (uint64_t rest = c->u64; rest > 0; rest /= 10000)
        digits[n++] = (unsigned)(rest % 10000);
    while (last < n && digits[last] == 0)
        last++;
    append_u16(&r->scratch, n - last);
    append_u16(&r->scratch, n > 0 ? n - 1 : 0);
    append_u16(&r->scratch, 0);
    append_u16(&r->scratch, 0);
    while (n > last)
        append_u16(&r->scratch, digits[--n]);
    return take_scratch(r, ret);
}

static int encode_text(struct rows *r, const struct cell *c, struct postgres_value *ret)
{
    if (utf8_clean_length(c->text) == c->text.len) {
        *ret = borrowed(c->text);
        return 0;
    }
    utf8_clean(&r->scratch, c->text);
    return take_scratch(r, ret);
}

static int encode_id(struct rows *r, const struct cell *c, struct postgres_value *ret)
{
    cell_hex(&r->scratch, c->text);
    return take_scratch(r, ret);
}

/* \u0000 to \ufffd, which is as long, where the backslash is not itself escaped. */
static void replace_nul(struct slice json)
{
    uint8_t *at = (uint8_t *)json.at, *end = at + json.len;
    while (at != NULL && (at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        if (end - at >= 6 && memcmp(at, "\\u0000", 6) == 0)
            memcpy(at + 2, "fffd", 4);
        at += end - at >= 2 ? 2 : 1;
    }
}

static int take_jsonb(struct rows *r, struct postgres_value *ret)
{
    replace_nul(buf_slice(&r->scratch));
    return take_scratch(r, ret);
}

static int encode_attrs(struct rows *r, const struct cell *c, struct postgres_value *ret)
{
    buf_append_byte(&r->scratch, JSONB_VERSION);
    attrs_json(&r->scratch, c->attrs);
    return take_jsonb(r, ret);
}

typedef int encode_fn(struct rows *r, const struct cell *c, struct postgres_value *ret);

static const struct {
    const char *sql_type;
    encode_fn *encode; /* not of a list */
} kinds[] = {
    [COL_TIME] = {"timestamptz", encode_time},
    [COL_ID] = {"text", encode_id},
    [COL_TEXT] = {"text", encode_text},
    [COL_LABEL] = {"text", encode_text},
    [COL_U8] = {"smallint", encode_smallint},
    [COL_U32] = {"bigint", encode_bigint},
    [COL_U64] = {"numeric(20)", encode_numeric},
    [COL_I32] = {"integer", encode_integer},
    [COL_BOOL] = {"boolean", encode_bool},
    [COL_F64] = {"double precision", encode_f64},
    [COL_NUMBER] = {"double precision", encode_number},
    [COL_ATTRS] = {"jsonb", encode_attrs},
    [COL_TIMES] = {"jsonb", NULL},
    [COL_IDS] = {"jsonb", NULL},
    [COL_TEXTS] = {"jsonb", NULL},
    [COL_LABELS] = {"jsonb", NULL},
    [COL_U64S] = {"jsonb", NULL},
    [COL_F64S] = {"jsonb", NULL},
    [COL_NUMBERS] = {"jsonb", NULL},
    [COL_ATTRS_LIST] = {"jsonb", NULL},
};

const char *postgres_column_type(enum column_type type)
{
    return kinds[type].sql_type;
}

static int encode(struct rows *r, enum column_type type, const struct cell *c,
                  struct postgres_value *ret)
{
    if (c->null) {
        *ret = (struct postgres_value){.len = -1};
        return 0;
    }
    if (!cell_is_list(type))
        return kinds[type].encode(r, c, ret);
    buf_append_byte(&r->scratch, JSONB_VERSION);
    cell_list_json(&r->scratch, type, c);
    return take_jsonb(r, ret);
}

/* Attributes of the last row's pointer are not rendered again. */
static int encode_column(struct rows *r, size_t column, enum column_type type, const struct cell *c,
                         struct postgres_value *ret)
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

static struct postgres_value exact_int(const struct cell *c)
{
    return !c->null && c->number.is_int ? number((uint64_t)c->number.i64, 8)
                                        : (struct postgres_value){.len = -1};
}

void *postgres_rows_new(struct exporter *x, struct arena *a)
{
    (void)x;
    struct rows *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->arena = a;
    for (int t = 0; t < TABLE_COUNT; t++)
        r->end[t] = &r->first[t];
    return r;
}

/* The table's columns, one more for each number, and _ns. */
static size_t count_values(const struct table_info *info)
{
    size_t n = info->n + 1;
    for (size_t c = 0; c < info->n; c++)
        n += info->columns[c].type == COL_NUMBER;
    return n;
}

int postgres_rows_add(void *rows, uint32_t record, enum table table, const struct cell *cells)
{
    struct rows *r = rows;
    const struct table_info *info = &table_info[table];
    uint64_t time_ns = cells[postgres_time_column(table)].u64;
    size_t n = count_values(info), at = 0;
    struct postgres_row *row = arena_alloc(r->arena, sizeof(*row) + n * sizeof(row->values[0]));
    if (row == NULL)
        return -ENOMEM;
    *row = (struct postgres_row){
        .record = record, .day = (int32_t)(time_ns / NS_PER_DAY), .n = (uint16_t)n};
    for (size_t c = 0; c < info->n; c++) {
        int rc = encode_column(r, c, info->columns[c].type, &cells[c], &row->values[at++]);
        if (rc < 0)
            return rc;
        if (info->columns[c].type == COL_NUMBER)
            row->values[at++] = exact_int(&cells[c]);
    }
    row->values[at] = number(time_ns % 1000, 2);
    *r->end[table] = row;
    r->end[table] = &row->next;
    return 0;
}

void postgres_rows_free(void *rows)
{
    struct rows *r = rows;
    if (r == NULL)
        return;
    buf_release(&r->scratch);
    free(r);
}

const struct postgres_row *postgres_rows_first(const void *rows, enum table table)
{
    return rows == NULL ? NULL : ((const struct rows *)rows)->first[table];
}
