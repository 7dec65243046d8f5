/* Sources, offsets and totals: where a unit's writing stands, moved only by who knows where it
 * stood (compare-and-set), so that a worker that was thought dead cannot write anything twice. */
#include "consumer/export/sqlite.h"

/* In the order of read_progress(). */
#define PROGRESS_COLUMNS                                                                           \
    "s.source, s.generation, p.first, p.next, p.last_timestamp, p.last_checksum, p.records,"       \
    " p.items, p.dropped, p.dlq_records, p.dlq_items, p.lost_records, p.gaps"

static const char load_sql[] =
    "SELECT " PROGRESS_COLUMNS " FROM tenantry_source s LEFT JOIN tenantry_progress p"
    " ON p.source = s.source AND p.kafka_partition = ?3"
    " WHERE s.cluster = ?1 AND s.topic = ?2"
    " ORDER BY p.source IS NULL, s.generation DESC LIMIT 1";

static const char generation_sql[] =
    "SELECT source FROM tenantry_source WHERE cluster = ?1 AND topic = ?2 AND generation = ?3";

static const char make_generation_sql[] =
    "INSERT INTO tenantry_source (cluster, topic, generation, since)"
    " VALUES (?1, ?2, ?3, strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) ON CONFLICT DO NOTHING";

static const char each_sql[] =
    "SELECT " PROGRESS_COLUMNS ", s.cluster, s.topic, ifnull(p.kafka_partition, -1)"
    " FROM tenantry_source s LEFT JOIN tenantry_progress p"
    " ON p.source = s.source"
    " ORDER BY s.cluster, s.topic, s.generation, p.kafka_partition";

/* ?6 ... ?12 are what the batch adds. ?13: where the unit stood, or began. */
static const char insert_sql[] =
    "INSERT INTO tenantry_progress (source, kafka_partition, next, last_timestamp, last_checksum,"
    " records, items, dropped, dlq_records, dlq_items, lost_records, gaps, first)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT DO NOTHING";

static const char update_sql[] =
    "UPDATE tenantry_progress SET next = ?3, last_timestamp = ?4, last_checksum = ?5,"
    " records = records + ?6, items = items + ?7, dropped = dropped + ?8,"
    " dlq_records = dlq_records + ?9, dlq_items = dlq_items + ?10,"
    " lost_records = lost_records + ?11, gaps = gaps + ?12"
    " WHERE source = ?1 AND kafka_partition = ?2 AND (next = ?13 OR ?14)";

static const char exists_sql[] =
    "SELECT 1 FROM tenantry_progress WHERE source = ?1 AND kafka_partition = ?2";

static void read_progress(sqlite3_stmt *st, struct progress *ret)
{
    *ret = (struct progress){
        .source = (uint32_t)sqlite3_column_int64(st, 0),
        .generation = (uint32_t)sqlite3_column_int64(st, 1),
        .known = sqlite3_column_type(st, 3) != SQLITE_NULL,
        .first = sqlite3_column_int64(st, 2),
        .next = sqlite3_column_int64(st, 3),
        .last_timestamp = sqlite3_column_int64(st, 4),
        .last_checksum = (uint32_t)sqlite3_column_int64(st, 5),
        .totals = {.records = (uint64_t)sqlite3_column_int64(st, 6),
                   .items = (uint64_t)sqlite3_column_int64(st, 7),
                   .dropped = (uint64_t)sqlite3_column_int64(st, 8),
                   .dlq_records = (uint64_t)sqlite3_column_int64(st, 9),
                   .dlq_items = (uint64_t)sqlite3_column_int64(st, 10),
                   .lost_records = (uint64_t)sqlite3_column_int64(st, 11),
                   .gaps = (uint64_t)sqlite3_column_int64(st, 12)},
    };
}

/* A statement about one topic; NULL after a failure. */
static sqlite3_stmt *topic_statement(struct sqlite *s, const char *sql, const char *cluster,
                                     const char *topic, int64_t third)
{
    sqlite3_stmt *st = sqlite_statement(s, sql);
    if (st != NULL) {
        sqlite3_bind_text(st, 1, cluster, -1, SQLITE_STATIC);
        sqlite3_bind_text(st, 2, topic, -1, SQLITE_STATIC);
        sqlite3_bind_int64(st, 3, third);
    }
    return st;
}

/* Makes the generation unless it is there, and returns its number in *ret. */
static enum export_result make_generation(struct sqlite *s, const char *cluster, const char *topic,
                                          uint32_t generation, struct progress *ret,
                                          struct errbuf *err)
{
    enum export_result result = EXPORT_OK;
    sqlite3_stmt *make = topic_statement(s, make_generation_sql, cluster, topic, generation);
    if (make == NULL || sqlite3_step(make) != SQLITE_DONE)
        result = sqlite_failed(s, err, "note the source %s", topic);
    sqlite3_finalize(make);
    if (result != EXPORT_OK)
        return result;
    sqlite3_stmt *find = topic_statement(s, generation_sql, cluster, topic, generation);
    if (find != NULL && sqlite3_step(find) == SQLITE_ROW)
        *ret = (struct progress){.source = (uint32_t)sqlite3_column_int64(find, 0),
                                 .generation = generation};
    else
        result = sqlite_failed(s, err, "read the source %s", topic);
    sqlite3_finalize(find);
    return result;
}

enum export_result sqlite_load(struct exporter *x, const char *cluster, const char *topic,
                               int32_t partition, struct progress *ret, struct errbuf *err)
{
    struct sqlite *s = (struct sqlite *)x;
    enum export_result result = sqlite_connect(s, err);
    if (result != EXPORT_OK)
        return result;
    sqlite3_stmt *st = topic_statement(s, load_sql, cluster, topic, partition);
    int rc = st == NULL ? SQLITE_ERROR : sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        read_progress(st, ret);
        s->holds_progress |= ret->known;
    } else if (rc != SQLITE_DONE) {
        result = sqlite_failed(s, err, "read the progress of %s", topic);
    }
    sqlite3_finalize(st);
    if (rc != SQLITE_DONE)
        return result;
    if (s->mode == EXPORTER_WRITE)
        return make_generation(s, cluster, topic, 1, ret, err);
    *ret = (struct progress){.generation = 1};
    return EXPORT_OK;
}

enum export_result sqlite_next_generation(struct exporter *x, const char *cluster,
                                          const char *topic, uint32_t current, struct progress *ret,
                                          struct errbuf *err)
{
    struct sqlite *s = (struct sqlite *)x;
    enum export_result result = sqlite_connect(s, err);
    if (result != EXPORT_OK)
        return result;
    return make_generation(s, cluster, topic, current + 1, ret, err);
}

enum export_result sqlite_each_progress(struct exporter *x,
                                        void (*each)(void *arg, const char *cluster,
                                                     const char *topic, int32_t partition,
                                                     const struct progress *p),
                                        void *arg, struct errbuf *err)
{
    struct sqlite *s = (struct sqlite *)x;
    enum export_result result = sqlite_connect(s, err);
    if (result != EXPORT_OK)
        return result;
    sqlite3_stmt *st = sqlite_statement(s, each_sql);
    int rc = st == NULL ? SQLITE_ERROR : sqlite3_step(st);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(st)) {
        struct progress p;
        read_progress(st, &p);
        each(arg, (const char *)sqlite3_column_text(st, 13),
             (const char *)sqlite3_column_text(st, 14), sqlite3_column_int(st, 15), &p);
    }
    if (rc != SQLITE_DONE)
        result = sqlite_failed(s, err, "read the progress");
    sqlite3_finalize(st);
    return result;
}

static void bind_move(sqlite3_stmt *st, const struct batch_unit *u, const struct progress *after,
                      bool no_compare)
{
    const struct totals *old = &u->before.totals, *new = &after->totals;
    const uint64_t values[] = {
        after->source,
        (uint64_t)u->partition,
        (uint64_t)after->next,
        (uint64_t)after->last_timestamp,
        after->last_checksum,
        new->records - old->records,
        new->items - old->items,
        new->dropped - old->dropped,
        new->dlq_records - old->dlq_records,
        new->dlq_items - old->dlq_items,
        new->lost_records - old->lost_records,
        new->gaps - old->gaps,
        (uint64_t)(u->before.known ? u->before.next : after->first),
        no_compare, /* ?14 is in the UPDATE only; SQLite refuses to bind it elsewhere */
    };
    for (int i = 0; i < (int)(sizeof(values) / sizeof(values[0])); i++)
        sqlite3_bind_int64(st, i + 1, (int64_t)values[i]);
}

/* Nothing was moved: another writer did, unless the entry that we know is gone. To begin anew then
 * would write everything twice. */
static enum export_result judge_unmoved(struct sqlite *s, struct batch_unit *u, struct errbuf *err)
{
    if (s->no_compare_and_set)
        return EXPORT_OK;
    sqlite3_stmt *st = sqlite_statement(s, exists_sql);
    int rc = SQLITE_ERROR;
    if (st != NULL) {
        sqlite3_bind_int64(st, 1, u->before.source);
        sqlite3_bind_int64(st, 2, u->partition);
        rc = sqlite3_step(st);
    }
    sqlite3_finalize(st);
    if (rc == SQLITE_DONE)
        return sqlite_refuse(s, EXPORT_CONFIGURATION, err,
                             "has lost the offset of partition %d of %s while it was in use. "
                             "Restore it; or restart the worker, which writes again what Kafka "
                             "still holds.",
                             u->partition, u->topic);
    if (rc != SQLITE_ROW)
        return sqlite_failed(s, err, "read the progress of %s", u->topic);
    u->fenced = true;
    return EXPORT_OK;
}

static enum export_result move_unit(struct sqlite *s, struct batch_unit *u,
                                    const struct progress *after, struct errbuf *err)
{
    sqlite3_stmt *st = sqlite_statement(s, u->before.known ? update_sql : insert_sql);
    if (st != NULL)
        bind_move(st, u, after, s->no_compare_and_set);
    enum export_result result = EXPORT_OK;
    if (st == NULL || sqlite3_step(st) != SQLITE_DONE)
        result = sqlite_failed(s, err, "move the offset of %s", u->topic);
    else if (sqlite3_changes(s->db) == 0)
        result = judge_unmoved(s, u, err);
    sqlite3_finalize(st);
    return result;
}

enum export_result sqlite_progress_move(struct sqlite *s, struct batch *b,
                                        const struct progress *after, struct errbuf *err)
{
    const struct batch_unit *fenced = NULL;
    for (size_t i = 0; i < b->n_units; i++) {
        enum export_result result = move_unit(s, &b->units[i], &after[i], err);
        if (result != EXPORT_OK)
            return result;
        if (b->units[i].fenced)
            fenced = &b->units[i];
    }
    if (fenced == NULL)
        return EXPORT_OK;
    return sqlite_refuse(s, EXPORT_FENCED, err,
                         "has moved on without us in partition %d of %s: another worker writes it "
                         "now. Its progress must be loaded again.",
                         fenced->partition, fenced->topic);
}
