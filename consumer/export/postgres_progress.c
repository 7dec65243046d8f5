/* Sources, offsets and totals: where a unit's writing stands, moved only by who knows where it
 * stood (compare-and-set), so that a worker that was thought dead cannot write anything twice. The
 * row's lock makes the slower of two wait for the other's transaction, and find that it moved. */
#include "consumer/export/postgres.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* In the order of read_progress(). */
#define PROGRESS_COLUMNS                                                                           \
    "s.source, s.generation, p.first, p.next, p.last_timestamp, p.last_checksum, p.records,"       \
    " p.items, p.dropped, p.dlq_records, p.dlq_items, p.lost_records, p.gaps"

static const char load_sql[] =
    "SELECT " PROGRESS_COLUMNS " FROM tenantry_source s LEFT JOIN tenantry_progress p"
    " ON p.source = s.source AND p.kafka_partition = $3::integer"
    " WHERE s.cluster = $1 AND s.topic = $2"
    " ORDER BY p.source IS NULL, s.generation DESC LIMIT 1";

static const char generation_sql[] = "SELECT source FROM tenantry_source"
                                     " WHERE cluster = $1 AND topic = $2"
                                     " AND generation = $3::integer";

static const char make_generation_sql[] = "INSERT INTO tenantry_source (cluster, topic, generation)"
                                          " VALUES ($1, $2, $3::integer) ON CONFLICT DO NOTHING";

static const char each_sql[] =
    "SELECT " PROGRESS_COLUMNS ", s.cluster, s.topic, coalesce(p.kafka_partition, -1)"
    " FROM tenantry_source s LEFT JOIN tenantry_progress p ON p.source = s.source"
    " ORDER BY s.cluster, s.topic, s.generation, p.kafka_partition";

/* $6 ... $12 are what the batch adds. $13: where the unit stood, or began. */
static const char insert_sql[] =
    "INSERT INTO tenantry_progress (source, kafka_partition, next, last_timestamp, last_checksum,"
    " records, items, dropped, dlq_records, dlq_items, lost_records, gaps, first)"
    " VALUES ($1::integer, $2::integer, $3::bigint, $4::bigint, $5::bigint, $6::bigint,"
    " $7::bigint, $8::bigint, $9::bigint, $10::bigint, $11::bigint, $12::bigint, $13::bigint)"
    " ON CONFLICT DO NOTHING";

static const char update_sql[] =
    "UPDATE tenantry_progress SET next = $3::bigint, last_timestamp = $4::bigint,"
    " last_checksum = $5::bigint, records = records + $6::bigint, items = items + $7::bigint,"
    " dropped = dropped + $8::bigint, dlq_records = dlq_records + $9::bigint,"
    " dlq_items = dlq_items + $10::bigint, lost_records = lost_records + $11::bigint,"
    " gaps = gaps + $12::bigint"
    " WHERE source = $1::integer AND kafka_partition = $2::integer"
    " AND (next = $13::bigint OR $14::integer <> 0)";

static const char exists_sql[] = "SELECT 1 FROM tenantry_progress"
                                 " WHERE source = $1::integer AND kafka_partition = $2::integer";

static int64_t number_at(const PGresult *r, int row, int column)
{
    return strtoll(PQgetvalue(r, row, column), NULL, 10);
}

static void read_progress(const PGresult *r, int row, struct progress *ret)
{
    *ret = (struct progress){
        .source = (uint32_t)number_at(r, row, 0),
        .generation = (uint32_t)number_at(r, row, 1),
        .known = !PQgetisnull(r, row, 3),
        .first = number_at(r, row, 2),
        .next = number_at(r, row, 3),
        .last_timestamp = number_at(r, row, 4),
        .last_checksum = (uint32_t)number_at(r, row, 5),
        .totals = {.records = (uint64_t)number_at(r, row, 6),
                   .items = (uint64_t)number_at(r, row, 7),
                   .dropped = (uint64_t)number_at(r, row, 8),
                   .dlq_records = (uint64_t)number_at(r, row, 9),
                   .dlq_items = (uint64_t)number_at(r, row, 10),
                   .lost_records = (uint64_t)number_at(r, row, 11),
                   .gaps = (uint64_t)number_at(r, row, 12)},
    };
}

/* A statement about one topic. */
static PGresult *topic_query(struct postgres *p, const char *sql, const char *cluster,
                             const char *topic, int64_t third)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, third);
    return postgres_query(p, sql, 3, (const char *const[]){cluster, topic, text});
}

/* Makes the generation unless it is there, and returns its number in *ret. */
static enum export_result make_generation(struct postgres *p, const char *cluster,
                                          const char *topic, uint32_t generation,
                                          struct progress *ret, struct errbuf *err)
{
    PGresult *made = topic_query(p, make_generation_sql, cluster, topic, generation);
    PQclear(made);
    if (made == NULL)
        return postgres_failed(p, err, "note the source %s", topic);
    PGresult *found = topic_query(p, generation_sql, cluster, topic, generation);
    if (found == NULL || PQntuples(found) == 0) {
        PQclear(found);
        return postgres_failed(p, err, "read the source %s", topic);
    }
    *ret = (struct progress){.source = (uint32_t)number_at(found, 0, 0), .generation = generation};
    PQclear(found);
    return EXPORT_OK;
}

enum export_result postgres_load(struct exporter *x, const char *cluster, const char *topic,
                                 int32_t partition, struct progress *ret, struct errbuf *err)
{
    struct postgres *p = (struct postgres *)x;
    enum export_result result = postgres_connect(p, err);
    if (result != EXPORT_OK)
        return result;
    PGresult *r = topic_query(p, load_sql, cluster, topic, partition);
    if (r == NULL)
        return postgres_failed(p, err, "read the progress of %s", topic);
    bool found = PQntuples(r) > 0;
    if (found) {
        read_progress(r, 0, ret);
        p->holds_progress |= ret->known;
    }
    PQclear(r);
    if (found)
        return EXPORT_OK;
    if (p->mode == EXPORTER_WRITE)
        return make_generation(p, cluster, topic, 1, ret, err);
    *ret = (struct progress){.generation = 1};
    return EXPORT_OK;
}

enum export_result postgres_next_generation(struct exporter *x, const char *cluster,
                                            const char *topic, uint32_t current,
                                            struct progress *ret, struct errbuf *err)
{
    struct postgres *p = (struct postgres *)x;
    enum export_result result = postgres_connect(p, err);
    if (result != EXPORT_OK)
        return result;
    return make_generation(p, cluster, topic, current + 1, ret, err);
}

enum export_result postgres_each_progress(struct exporter *x,
                                          void (*each)(void *arg, const char *cluster,
                                                       const char *topic, int32_t partition,
                                                       const struct progress *p),
                                          void *arg, struct errbuf *err)
{
    struct postgres *p = (struct postgres *)x;
    enum export_result result = postgres_connect(p, err);
    if (result != EXPORT_OK)
        return result;
    PGresult *r = postgres_query(p, each_sql, 0, NULL);
    if (r == NULL)
        return postgres_failed(p, err, "read the progress");
    for (int row = 0; row < PQntuples(r); row++) {
        struct progress at;
        read_progress(r, row, &at);
        each(arg, PQgetvalue(r, row, 13), PQgetvalue(r, row, 14), (int32_t)number_at(r, row, 15),
             &at);
    }
    PQclear(r);
    return EXPORT_OK;
}

#define MOVE_VALUES 14

static PGresult *move(struct postgres *p, const struct batch_unit *u, const struct progress *after)
{
    const struct totals *old = &u->before.totals, *new = &after->totals;
    const int64_t numbers[MOVE_VALUES] = {
        after->source,
        u->partition,
        after->next,
        after->last_timestamp,
        after->last_checksum,
        (int64_t)(new->records - old->records),
        (int64_t)(new->items - old->items),
        (int64_t)(new->dropped - old->dropped),
        (int64_t)(new->dlq_records - old->dlq_records),
        (int64_t)(new->dlq_items - old->dlq_items),
        (int64_t)(new->lost_records - old->lost_records),
        (int64_t)(new->gaps - old->gaps),
        u->before.known ? u->before.next : after->first,
        p->no_compare_and_set, /* $14 is in the UPDATE only */
    };
    char texts[MOVE_VALUES][24];
    const char *values[MOVE_VALUES];
    for (int i = 0; i < MOVE_VALUES; i++) {
        snprintf(texts[i], sizeof(texts[i]), "%" PRId64, numbers[i]);
        values[i] = texts[i];
    }
    return u->before.known ? postgres_query(p, update_sql, MOVE_VALUES, values)
                           : postgres_query(p, insert_sql, MOVE_VALUES - 1, values);
}

/* Nothing was moved: another writer did, unless the entry that we know is gone. To begin anew then
 * would write everything twice. */
static enum export_result judge_unmoved(struct postgres *p, struct batch_unit *u,
                                        struct errbuf *err)
{
    char source[24], partition[24];
    if (p->no_compare_and_set)
        return EXPORT_OK;
    snprintf(source, sizeof(source), "%" PRIu32, u->before.source);
    snprintf(partition, sizeof(partition), "%" PRId32, u->partition);
    PGresult *r = postgres_query(p, exists_sql, 2, (const char *const[]){source, partition});
    if (r == NULL)
        return postgres_failed(p, err, "read the progress of %s", u->topic);
    u->fenced = PQntuples(r) > 0;
    PQclear(r);
    if (u->fenced)
        return EXPORT_OK;
    return postgres_refuse(p, EXPORT_CONFIGURATION, err,
                           "has lost the offset of partition %d of %s while it was in use. Restore "
                           "it; or restart the worker, which writes again what Kafka still holds.",
                           u->partition, u->topic);
}

static enum export_result move_unit(struct postgres *p, struct batch_unit *u,
                                    const struct progress *after, struct errbuf *err)
{
    PGresult *done = move(p, u, after);
    if (done == NULL)
        return postgres_failed(p, err, "move the offset of %s", u->topic);
    bool moved = strcmp(PQcmdTuples(done), "1") == 0;
    PQclear(done);
    return moved ? EXPORT_OK : judge_unmoved(p, u, err);
}

enum export_result postgres_progress_move(struct postgres *p, struct batch *b,
                                          const struct progress *after, struct errbuf *err)
{
    const struct batch_unit *fenced = NULL;
    for (size_t i = 0; i < b->n_units; i++) {
        enum export_result result = move_unit(p, &b->units[i], &after[i], err);
        if (result != EXPORT_OK)
            return result;
        if (b->units[i].fenced)
            fenced = &b->units[i];
    }
    if (fenced == NULL)
        return EXPORT_OK;
    return postgres_refuse(p, EXPORT_FENCED, err,
                           "has moved on without us in partition %d of %s: another worker writes "
                           "it now. Its progress must be loaded again.",
                           fenced->partition, fenced->topic);
}
