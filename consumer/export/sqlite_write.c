/* The transaction. First everything is written at full speed; only when SQLite refuses a row for
 * its data the same transaction is tried once more with a savepoint around each record, to find all
 * records that are to blame, and thrown away. */
#include "base/fault.h"
#include "consumer/export/progress.h"
#include "consumer/export/sqlite.h"

#include <stdlib.h>

/* SQLite's code: SQLITE_DONE when the row is in. */
static int insert_row(struct sqlite *s, const struct batch *b, const struct sqlite_row *row)
{
    const struct batch_record *r = &b->records[row->record];
    const struct batch_unit *u = &b->units[r->unit];
    sqlite3_stmt *st = s->insert[row->table];
    int n = (int)table_info[row->table].n, rc = SQLITE_OK;
    for (int c = 0; c < n && rc == SQLITE_OK; c++)
        rc = sqlite_bind(st, c + 1, &row->values[c]);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_int64(st, n + 1, u->before.source);
    sqlite3_bind_int64(st, n + 2, u->partition);
    sqlite3_bind_int64(st, n + 3, r->offset);
    rc = sqlite3_step(st);
    sqlite3_reset(st);
    return rc;
}

static enum export_result insert_rows(struct sqlite *s, const struct batch *b, struct errbuf *err)
{
    for (const struct sqlite_row *row = sqlite_rows_first(b->encoded); row != NULL; row = row->next)
        if (batch_is_written(b, row->record) && insert_row(s, b, row) != SQLITE_DONE)
            return sqlite_row_failed(s, row->table, err);
    return EXPORT_OK;
}

/* A failure may have ended the transaction already. */
static void rollback(struct sqlite *s)
{
    if (!sqlite3_get_autocommit(s->db) && sqlite_run(s, "ROLLBACK") != SQLITE_OK)
        s->stale = true;
}

static enum export_result begin(struct sqlite *s, struct batch *b, struct progress *after,
                                struct errbuf *err)
{
    if (sqlite_run(s, "BEGIN IMMEDIATE") != SQLITE_OK)
        return sqlite_failed(s, err, "begin a transaction");
    enum export_result result = sqlite_recent_note(s, b, err);
    if (result != EXPORT_OK)
        return result;
    progress_after(b, after);
    return sqlite_progress_move(s, b, after, err);
}

static void mark_refused(const struct sqlite *s, struct batch *b, struct batch_record *r,
                         const struct errbuf *why)
{
    const char *text = arena_strdup(&b->arena, slice_str(why->text));
    r->fate = RECORD_REFUSED;
    r->error_class = "data";
    r->error_code = sqlite_error_name(s);
    r->error_text = text != NULL ? text : "the database refused it";
}

/* Tries the rows of one record, marks it when they are refused; *row moves behind them. */
static enum export_result try_record(struct sqlite *s, struct batch *b,
                                     const struct sqlite_row **row, struct errbuf *err)
{
    const uint32_t record = (*row)->record;
    bool refused = !batch_is_written(b, (*row)->record);
    if (sqlite_run(s, "SAVEPOINT record") != SQLITE_OK)
        return sqlite_failed(s, err, "set a savepoint");
    for (; *row != NULL && (*row)->record == record; *row = (*row)->next) {
        if (refused || insert_row(s, b, *row) == SQLITE_DONE)
            continue;
        enum export_result result = sqlite_row_failed(s, (*row)->table, err);
        if (result != EXPORT_DATA)
            return result;
        mark_refused(s, b, &b->records[record], err);
        refused = true;
    }
    if (sqlite3_get_autocommit(s->db)) /* a trigger rolled back all: the rest is for the next try */
        return EXPORT_DATA;
    if ((refused && sqlite_run(s, "ROLLBACK TO record") != SQLITE_OK) ||
        sqlite_run(s, "RELEASE record") != SQLITE_OK)
        return sqlite_failed(s, err, "end a savepoint");
    return EXPORT_OK;
}

/* Marks the records that are refused. Leaves nothing in the database. */
static enum export_result find_refused(struct sqlite *s, struct batch *b, struct progress *after,
                                       struct errbuf *err)
{
    enum export_result result = begin(s, b, after, err);
    const struct sqlite_row *row = sqlite_rows_first(b->encoded);
    while (result == EXPORT_OK && row != NULL)
        result = try_record(s, b, &row, err);
    rollback(s);
    if (result != EXPORT_OK || batch_has_refused(b))
        return result == EXPORT_OK ? EXPORT_DATA : result;
    return EXPORT_TRANSIENT; /* refused once and not again: whoever was to blame has changed */
}

static enum export_result write_all(struct sqlite *s, struct batch *b, struct progress *after,
                                    struct errbuf *err)
{
    enum export_result result = begin(s, b, after, err);
    if (result == EXPORT_OK)
        result = insert_rows(s, b, err);
    if (result == EXPORT_OK) {
        FAULT_POINT("inside_transaction");
        if (sqlite_run(s, "COMMIT") == SQLITE_OK)
            return EXPORT_OK;
        result = sqlite_failed(s, err, "commit");
    }
    rollback(s);
    return result;
}

enum export_result sqlite_write(struct exporter *x, struct batch *b, struct errbuf *err)
{
    struct sqlite *s = (struct sqlite *)x;
    enum export_result result = sqlite_connect(s, err);
    if (result != EXPORT_OK)
        return result;
    batch_forget_verdicts(b);
    struct progress *after = calloc(b->n_units + 1, sizeof(*after));
    if (after == NULL)
        return sqlite_refuse(s, EXPORT_TRANSIENT, err, "cannot be written: out of memory.");
    result = write_all(s, b, after, err);
    if (result == EXPORT_DATA)
        result = find_refused(s, b, after, err);
    if (result == EXPORT_OK) {
        FAULT_POINT("after_commit");
        batch_committed(b, after, s->tenant);
        s->holds_progress |= b->n_units > 0;
    }
    free(after);
    return result;
}
