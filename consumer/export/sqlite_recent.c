/* A record that Kafka holds twice is written once. Producing again after a broker said that it does
 * not lead any more may store a record a second time in the same partition: the broker had taken it
 * already (docs/decisions/0030-a-record-that-kafka-holds-twice.md). The names of records that were
 * written recently stand beside the rows, noted in the same transaction; who is there already is
 * left out. */
#include "consumer/export/progress.h"
#include "consumer/export/sqlite.h"

static const char note_sql[] =
    "INSERT INTO tenantry_recent (source, kafka_partition, received_ns, record)"
    " VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";

static const char forget_sql[] =
    "DELETE FROM tenantry_recent WHERE source = ?1 AND kafka_partition = ?2 AND received_ns < ?3";

int sqlite_recent_make(struct sqlite *s)
{
    return sqlite_run(s, "CREATE TABLE IF NOT EXISTS tenantry_recent ("
                         " source INTEGER NOT NULL, kafka_partition INTEGER NOT NULL,"
                         " received_ns INTEGER NOT NULL, record TEXT NOT NULL,"
                         " PRIMARY KEY (source, kafka_partition, received_ns, record))"
                         " WITHOUT ROWID;");
}

static int note(struct sqlite *s, sqlite3_stmt *st, const struct batch *b, struct batch_record *r)
{
    const struct batch_unit *u = &b->units[r->unit];
    sqlite3_bind_int64(st, 1, u->before.source);
    sqlite3_bind_int64(st, 2, u->partition);
    sqlite3_bind_int64(st, 3, (int64_t)r->received_ns);
    sqlite3_bind_text(st, 4, (const char *)r->name.at, (int)r->name.len, SQLITE_STATIC);
    int rc = sqlite3_step(st);
    r->repeated = rc == SQLITE_DONE && sqlite3_changes(s->db) == 0;
    sqlite3_reset(st);
    return rc;
}

/* What is older than everything in the batch by the time kept; a unit without names has none. */
static int forget(sqlite3_stmt *st, const struct batch *b, uint32_t unit)
{
    uint64_t oldest = batch_oldest_named(b, unit);
    if (oldest == UINT64_MAX || oldest < RECENT_KEPT_NS)
        return SQLITE_DONE;
    sqlite3_bind_int64(st, 1, b->units[unit].before.source);
    sqlite3_bind_int64(st, 2, b->units[unit].partition);
    sqlite3_bind_int64(st, 3, (int64_t)(oldest - RECENT_KEPT_NS));
    int rc = sqlite3_step(st);
    sqlite3_reset(st);
    return rc;
}

enum export_result sqlite_recent_note(struct sqlite *s, struct batch *b, struct errbuf *err)
{
    sqlite3_stmt *noting = sqlite_statement(s, note_sql);
    sqlite3_stmt *forgetting = sqlite_statement(s, forget_sql);
    int rc = noting != NULL && forgetting != NULL ? SQLITE_DONE : SQLITE_ERROR;
    for (size_t i = 0; rc == SQLITE_DONE && i < b->n_records; i++) {
        b->records[i].repeated = false;
        if (record_has_name(&b->records[i]))
            rc = note(s, noting, b, &b->records[i]);
    }
    for (uint32_t u = 0; rc == SQLITE_DONE && u < b->n_units; u++)
        rc = forget(forgetting, b, u);
    enum export_result result =
        rc == SQLITE_DONE ? EXPORT_OK : sqlite_failed(s, err, "note the records written");
    sqlite3_finalize(noting);
    sqlite3_finalize(forgetting);
    return result;
}
