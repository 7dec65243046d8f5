/* The transaction. First everything is written at full speed; only when the server refuses a row
 * for its data the same transaction is tried once more, by halves between savepoints, to find all
 * records that are to blame, and thrown away. */
#include "base/fault.h"
#include "consumer/export/postgres.h"
#include "consumer/export/progress.h"

#include <stdlib.h>

#define COPY_CHUNK (256ul * 1024)

/* Records [from, to) of a batch. */
struct range {
    uint32_t from, to;
};

/* --- COPY ---------------------------------------------------------------------------------- */

static void append_number(struct buf *out, uint64_t n, int bytes)
{
    uint8_t *to = buf_reserve(out, (size_t)bytes);
    if (to == NULL)
        return;
    for (int i = bytes; i-- > 0; n >>= 8)
        to[i] = (uint8_t)n;
    out->len += (size_t)bytes;
}

static void append_field(struct buf *out, uint64_t n, int bytes)
{
    append_number(out, (uint64_t)bytes, 4);
    append_number(out, n, bytes);
}

static void append_value(struct buf *out, const struct postgres_value *v)
{
    append_number(out, (uint32_t)v->len, 4);
    if (v->len > 0)
        buf_append(out, (size_t)v->len > sizeof(v->few) ? v->at : v->few, (size_t)v->len);
}

static void append_row(struct buf *out, const struct batch *b, const struct postgres_row *row)
{
    const struct batch_record *r = &b->records[row->record];
    const struct batch_unit *u = &b->units[r->unit];
    append_number(out, row->n + 3u, 2);
    for (size_t i = 0; i < row->n; i++)
        append_value(out, &row->values[i]);
    append_field(out, u->before.source, 4);
    append_field(out, (uint32_t)u->partition, 4);
    append_field(out, (uint64_t)r->offset, 8);
}

static bool is_written(const struct batch *b, const struct postgres_row *row, struct range range)
{
    return row->record >= range.from && row->record < range.to &&
           batch_is_written(b, row->record) && b->records[row->record].fate != RECORD_REFUSED;
}

static const struct postgres_row *next_written(const struct batch *b,
                                               const struct postgres_row *row, struct range range)
{
    while (row != NULL && !is_written(b, row, range))
        row = row->next;
    return row;
}

static bool begin_copy(struct postgres *p, enum table table)
{
    struct buf sql = BUF_INIT;
    buf_printf(&sql, "COPY \"%s\" ", table_info[table].name);
    postgres_append_columns(&sql, table, false);
    buf_append_str(&sql, " FROM STDIN (FORMAT binary)");
    const char *text = buf_cstr(&sql);
    bool ok = sql.failed ? postgres_no_memory(p) : postgres_run(p, text);
    buf_release(&sql);
    return ok;
}

static bool send_chunk(struct postgres *p, struct buf *chunk)
{
    bool ok = chunk->failed ? postgres_no_memory(p) : postgres_copy_data(p, buf_slice(chunk));
    buf_clear(chunk);
    return ok;
}

static bool copy_rows(struct postgres *p, const struct batch *b, enum table table,
                      const struct postgres_row *row, struct range range)
{
    static const char header[19] = "PGCOPY\n\377\r\n"; /* and zeros: no flags, no extension */
    struct buf chunk = BUF_INIT;
    bool ok = begin_copy(p, table);
    buf_append(&chunk, header, sizeof(header));
    for (; row != NULL && ok; row = next_written(b, row->next, range)) {
        append_row(&chunk, b, row);
        if (chunk.len >= COPY_CHUNK)
            ok = send_chunk(p, &chunk);
    }
    append_number(&chunk, UINT16_MAX, 2); /* the end */
    ok = ok && send_chunk(p, &chunk) && postgres_copy_end(p);
    buf_release(&chunk);
    return ok;
}

static enum export_result insert_rows(struct postgres *p, const struct batch *b, struct range range,
                                      struct errbuf *err)
{
    for (int t = 0; t < TABLE_COUNT; t++) {
        const struct postgres_row *row =
            next_written(b, postgres_rows_first(b->encoded, (enum table)t), range);
        if (row != NULL && !copy_rows(p, b, (enum table)t, row, range))
            return postgres_row_failed(p, (enum table)t, err);
    }
    return EXPORT_OK;
}

/* --- who is to blame ----------------------------------------------------------------------- */

static void rollback(struct postgres *p)
{
    if (!p->stale && !postgres_run(p, "ROLLBACK"))
        p->stale = true;
}

static void mark_refused(const struct postgres *p, struct batch *b, struct batch_record *r,
                         const struct errbuf *why)
{
    const char *text = arena_strdup(&b->arena, slice_str(why->text));
    const char *code = arena_strdup(&b->arena, slice_str(p->sqlstate));
    r->fate = RECORD_REFUSED;
    r->error_class = "data";
    r->error_code = code != NULL ? code : "";
    r->error_text = text != NULL ? text : "the database refused it";
}

/* Leaves in the transaction what of the range gets in, and marks the records that do not. */
static enum export_result try_range(struct postgres *p, struct batch *b, struct range range,
                                    struct errbuf *err)
{
    if (!postgres_run(p, "SAVEPOINT part"))
        return postgres_failed(p, err, "set a savepoint");
    enum export_result result = insert_rows(p, b, range, err);
    if (result == EXPORT_DATA && range.to - range.from == 1)
        mark_refused(p, b, &b->records[range.from], err);
    if (result != EXPORT_OK && result != EXPORT_DATA)
        return result;
    if (!postgres_run(p, result == EXPORT_OK ? "RELEASE part" : "ROLLBACK TO part; RELEASE part"))
        return postgres_failed(p, err, "end a savepoint");
    if (result == EXPORT_OK || range.to - range.from == 1)
        return EXPORT_OK;
    uint32_t middle = range.from + (range.to - range.from) / 2;
    result = try_range(p, b, (struct range){range.from, middle}, err);
    return result == EXPORT_OK ? try_range(p, b, (struct range){middle, range.to}, err) : result;
}

static enum export_result begin(struct postgres *p, struct batch *b, struct progress *after,
                                struct errbuf *err)
{
    if (!postgres_run(p, "BEGIN"))
        return postgres_failed(p, err, "begin a transaction");
    enum export_result result = postgres_recent_note(p, b, err);
    if (result != EXPORT_OK)
        return result;
    progress_after(b, after);
    return postgres_progress_move(p, b, after, err);
}

/* Leaves nothing in the database. */
static enum export_result find_refused(struct postgres *p, struct batch *b, struct progress *after,
                                       struct errbuf *err)
{
    enum export_result result = begin(p, b, after, err);
    if (result == EXPORT_OK)
        result = try_range(p, b, (struct range){0, (uint32_t)b->n_records}, err);
    rollback(p);
    if (result != EXPORT_OK || batch_has_refused(b))
        return result == EXPORT_OK ? EXPORT_DATA : result;
    return EXPORT_TRANSIENT; /* refused once and not again: whoever was to blame has changed */
}

/* --- writing ------------------------------------------------------------------------------- */

static enum export_result write_all(struct postgres *p, struct batch *b, struct progress *after,
                                    struct errbuf *err)
{
    enum export_result result = begin(p, b, after, err);
    if (result == EXPORT_OK)
        result = insert_rows(p, b, (struct range){0, (uint32_t)b->n_records}, err);
    if (result == EXPORT_OK) {
        FAULT_POINT("inside_transaction");
        if (postgres_run(p, "COMMIT"))
            return EXPORT_OK;
        result = postgres_failed(p, err, "commit");
    }
    rollback(p);
    return result;
}

/* A commit without an answer may have been one: the next try finds that the offsets moved, and
 * loads them again. */
enum export_result postgres_write(struct exporter *x, struct batch *b, struct errbuf *err)
{
    struct postgres *p = (struct postgres *)x;
    enum export_result result = postgres_connect(p, err);
    if (result != EXPORT_OK)
        return result;
    batch_forget_verdicts(b);
    postgres_days_expire(p);
    result = postgres_days_ensure(p, b, err);
    if (result != EXPORT_OK)
        return result;
    struct progress *after = calloc(b->n_units + 1, sizeof(*after));
    if (after == NULL)
        return postgres_refuse(p, EXPORT_TRANSIENT, err, "cannot be written: out of memory.");
    result = write_all(p, b, after, err);
    if (result == EXPORT_DATA)
        result = find_refused(p, b, after, err);
    if (result == EXPORT_OK) {
        FAULT_POINT("after_commit");
        batch_committed(b, after, p->tenant);
        p->holds_progress |= b->n_units > 0;
    }
    free(after);
    return result;
}
