#include "consumer/export/sqlite.h"

#define SCHEMA_VERSION 2

/* One row. Grows by 1 when a table below or of otlp/table.h changes so that older programs must not
 * write. */
static const char version_table[] = "CREATE TABLE tenantry_schema (version INTEGER NOT NULL);"
                                    "INSERT INTO tenantry_schema VALUES (2);";
_Static_assert(SCHEMA_VERSION == 2, "the INSERT above names it too");

/* `first`, `next` and the totals: consumer/batch.h. */
static const char progress_tables[] =
    "CREATE TABLE tenantry_source ("
    " source INTEGER PRIMARY KEY, cluster TEXT NOT NULL, topic TEXT NOT NULL,"
    " generation INTEGER NOT NULL, since TEXT NOT NULL,"
    " UNIQUE (cluster, topic, generation));"
    "CREATE TABLE tenantry_progress ("
    " source INTEGER NOT NULL REFERENCES tenantry_source, kafka_partition INTEGER NOT NULL,"
    " first INTEGER NOT NULL, next INTEGER NOT NULL,"
    " last_timestamp INTEGER NOT NULL, last_checksum INTEGER NOT NULL,"
    " records INTEGER NOT NULL, items INTEGER NOT NULL, dropped INTEGER NOT NULL,"
    " dlq_records INTEGER NOT NULL, dlq_items INTEGER NOT NULL, lost_records INTEGER NOT NULL,"
    " gaps INTEGER NOT NULL,"
    " PRIMARY KEY (source, kafka_partition)) WITHOUT ROWID;";

/* Version 1 counted gaps as lost records: those of the past stay there. */
static const char from_version_1[] =
    "ALTER TABLE tenantry_progress ADD COLUMN gaps INTEGER NOT NULL DEFAULT 0;"
    "UPDATE tenantry_schema SET version = 2;";

/* For people's questions: a trace by its id, a span of time. Beside these every table has one on
 * its Kafka columns, for `ledger --recount`. */
static const struct {
    enum table table;
    const char *suffix, *column;
} indexes[] = {
    {TABLE_LOGS, "trace", "TraceId"},      {TABLE_LOGS, "time", "Timestamp"},
    {TABLE_TRACES, "trace", "TraceId"},    {TABLE_TRACES, "time", "Timestamp"},
    {TABLE_GAUGE, "time", "TimeUnix"},     {TABLE_SUM, "time", "TimeUnix"},
    {TABLE_HISTOGRAM, "time", "TimeUnix"}, {TABLE_EXP_HISTOGRAM, "time", "TimeUnix"},
    {TABLE_SUMMARY, "time", "TimeUnix"},
};

static void append_table(struct buf *sql, enum table table)
{
    const struct table_info *info = &table_info[table];
    buf_printf(sql, "CREATE TABLE IF NOT EXISTS \"%s\" (", info->name);
    for (size_t c = 0; c < info->n; c++)
        buf_printf(sql, "\"%s\" %s, ", info->columns[c].name,
                   sqlite_column_type(info->columns[c].type));
    buf_append_str(sql, "_ks INTEGER, _kp INTEGER, _ko INTEGER);\n");
    buf_printf(sql, "CREATE INDEX IF NOT EXISTS \"%s_kafka\" ON \"%s\" (_ks, _kp, _ko);\n",
               info->name, info->name);
}

static int make_tables(struct sqlite *s)
{
    struct buf sql = BUF_INIT;
    for (int t = 0; t < TABLE_COUNT; t++)
        append_table(&sql, (enum table)t);
    for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
        const char *name = table_info[indexes[i].table].name;
        buf_printf(&sql, "CREATE INDEX IF NOT EXISTS \"%s_%s\" ON \"%s\" (\"%s\");\n", name,
                   indexes[i].suffix, name, indexes[i].column);
    }
    const char *text = buf_cstr(&sql);
    int rc = sql.failed ? SQLITE_NOMEM : sqlite_run(s, text);
    if (rc == SQLITE_OK)
        rc = sqlite_recent_make(s);
    buf_release(&sql);
    return rc;
}

static int prepare_insert(struct sqlite *s, enum table table)
{
    const struct table_info *info = &table_info[table];
    struct buf sql = BUF_INIT;
    buf_printf(&sql, "INSERT INTO \"%s\" (", info->name);
    for (size_t c = 0; c < info->n; c++)
        buf_printf(&sql, "\"%s\", ", info->columns[c].name);
    buf_append_str(&sql, "_ks, _kp, _ko) VALUES (?");
    for (size_t c = 1; c < info->n + SQLITE_KAFKA_COLUMNS; c++)
        buf_append_str(&sql, ", ?");
    buf_append_byte(&sql, ')');
    int rc = sqlite3_prepare_v3(s->db, buf_cstr(&sql), -1, SQLITE_PREPARE_PERSISTENT,
                                &s->insert[table], NULL);
    buf_release(&sql);
    return rc;
}

static enum export_result prepare_inserts(struct sqlite *s, struct errbuf *err)
{
    for (int t = 0; t < TABLE_COUNT; t++)
        if (prepare_insert(s, (enum table)t) != SQLITE_OK)
            return sqlite_failed(s, err, "write to %s", table_info[t].name);
    return EXPORT_OK;
}

/* A number that one row tells; false after a failure. */
static bool query_number(struct sqlite *s, const char *sql, int64_t *ret)
{
    sqlite3_stmt *st = sqlite_statement(s, sql);
    bool ok = st != NULL && sqlite3_step(st) == SQLITE_ROW;
    if (ok)
        *ret = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return ok;
}

/* Our three tables are there together or not at all; a missing one would make the worker begin
 * again and write everything twice. *ret_version 0: they are not. */
static enum export_result check_version(struct sqlite *s, int64_t *ret_version, struct errbuf *err)
{
    int64_t tables = 0, version = 0, units = 0;
    if (!query_number(s,
                      "SELECT count(*) FROM sqlite_master WHERE type='table' AND name IN"
                      " ('tenantry_schema', 'tenantry_source', 'tenantry_progress')",
                      &tables))
        return sqlite_failed(s, err, "read it");
    if (tables != 0 && tables != 3)
        return sqlite_refuse(s, EXPORT_CONFIGURATION, err,
                             "has lost some of its tables tenantry_schema, tenantry_source and "
                             "tenantry_progress. Restore them: without them rows would double.");
    if (tables == 3 && (!query_number(s, "SELECT max(version) FROM tenantry_schema", &version) ||
                        !query_number(s, "SELECT count(*) FROM tenantry_progress", &units)))
        return sqlite_failed(s, err, "read its version");
    if (version > SCHEMA_VERSION)
        return sqlite_refuse(s, EXPORT_CONFIGURATION, err,
                             "has version %lld of the tables, this program knows version %d. "
                             "Upgrade this program.",
                             (long long)version, SCHEMA_VERSION);
    if (s->holds_progress && units == 0)
        return sqlite_refuse(s, EXPORT_CONFIGURATION, err,
                             "was replaced by one without our offsets while it was in use. Put "
                             "the old one back; or restart the worker, which begins anew with "
                             "what Kafka still holds.");
    *ret_version = version;
    return EXPORT_OK;
}

static enum export_result make_all(struct sqlite *s, struct errbuf *err)
{
    if (sqlite_run(s, "BEGIN IMMEDIATE") != SQLITE_OK)
        return sqlite_failed(s, err, "begin a transaction");
    int64_t version;
    enum export_result result = check_version(s, &version, err);
    if (result == EXPORT_OK &&
        ((version == 0 && (sqlite_run(s, version_table) != SQLITE_OK ||
                           sqlite_run(s, progress_tables) != SQLITE_OK)) ||
         (version == 1 && sqlite_run(s, from_version_1) != SQLITE_OK) ||
         make_tables(s) != SQLITE_OK || sqlite_run(s, "COMMIT") != SQLITE_OK))
        result = sqlite_failed(s, err, "make its tables");
    return result; /* after a failure the connection is closed, which rolls back */
}

enum export_result sqlite_schema_prepare(struct sqlite *s, struct errbuf *err)
{
    if (s->mode == EXPORTER_WRITE) {
        enum export_result result = make_all(s, err);
        return result == EXPORT_OK ? prepare_inserts(s, err) : result;
    }
    int64_t version;
    enum export_result result = check_version(s, &version, err);
    if (result == EXPORT_OK && version == 0)
        result = sqlite_refuse(s, EXPORT_MISSING, err,
                               "holds no tables yet. The tenant's worker makes them.");
    else if (result == EXPORT_OK && version < SCHEMA_VERSION)
        result = sqlite_refuse(s, EXPORT_CONFIGURATION, err,
                               "has version %lld of the tables, this program reads version %d. "
                               "Start the tenant's worker, which brings it up to date.",
                               (long long)version, SCHEMA_VERSION);
    return result;
}
