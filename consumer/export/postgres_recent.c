/* A record that Kafka holds twice is written once: as in sqlite_recent.c, by the names of what was
 * written recently (docs/decisions/0030-a-record-that-kafka-holds-twice.md). All of a batch go in
 * one statement, which answers with those that were there already, or twice in the batch. */
#include "consumer/export/cell_json.h"
#include "consumer/export/postgres.h"
#include "consumer/export/progress.h"

#include <inttypes.h>
#include <stdlib.h>

static const char note_sql[] =
    "WITH given AS (SELECT * FROM unnest($1::integer[], $2::integer[], $3::bigint[], $4::text[])"
    "  WITH ORDINALITY AS g (s, p, r, n, i)),"
    " firsts AS (SELECT DISTINCT ON (s, p, r, n) * FROM given ORDER BY s, p, r, n, i),"
    " noted AS (INSERT INTO tenantry_recent SELECT s, p, r, n FROM firsts"
    "  ON CONFLICT DO NOTHING RETURNING source, kafka_partition, received_ns, record)"
    " SELECT i FROM given WHERE i NOT IN (SELECT i FROM firsts JOIN noted"
    "  ON s = source AND p = kafka_partition AND r = received_ns AND n = record)";

static const char forget_sql[] = "DELETE FROM tenantry_recent WHERE source = $1::integer"
                                 " AND kafka_partition = $2::integer AND received_ns < $3::bigint";

enum { ARRAYS = 4 };

/* The names in hex: they are bytes of who wrote the record. */
static void append_record(struct buf arrays[ARRAYS], const struct batch *b,
                          const struct batch_record *r)
{
    const struct batch_unit *u = &b->units[r->unit];
    const char *comma = arrays[0].len > 1 ? "," : "";
    buf_printf(&arrays[0], "%s%" PRIu32, comma, u->before.source);
    buf_printf(&arrays[1], "%s%" PRId32, comma, u->partition);
    buf_printf(&arrays[2], "%s%" PRId64, comma, (int64_t)r->received_ns);
    buf_append_str(&arrays[3], comma);
    cell_hex(&arrays[3], r->name);
}

/* The repeated ones by their place among those with a name. */
static void mark_repeated(struct batch *b, const PGresult *repeated)
{
    int next = 0, n = PQntuples(repeated);
    long place = 0;
    for (size_t i = 0; i < b->n_records && next < n; i++) {
        if (!record_has_name(&b->records[i]))
            continue;
        if (++place == atol(PQgetvalue(repeated, next, 0))) {
            b->records[i].repeated = true;
            next++;
        }
    }
}

static bool note(struct postgres *p, struct batch *b)
{
    struct buf arrays[ARRAYS] = {BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT};
    const char *values[ARRAYS];
    bool any = false, ok = true;
    for (int a = 0; a < ARRAYS; a++)
        buf_append_byte(&arrays[a], '{');
    for (size_t i = 0; i < b->n_records; i++) {
        b->records[i].repeated = false;
        if (record_has_name(&b->records[i])) {
            append_record(arrays, b, &b->records[i]);
            any = true;
        }
    }
    for (int a = 0; a < ARRAYS; a++) {
        buf_append_byte(&arrays[a], '}');
        values[a] = buf_cstr(&arrays[a]);
        ok &= !arrays[a].failed;
    }
    if (!ok)
        postgres_no_memory(p);
    PGresult *repeated = any && ok ? postgres_query(p, note_sql, ARRAYS, values) : NULL;
    if (repeated != NULL)
        mark_repeated(b, repeated);
    ok = ok && (!any || repeated != NULL);
    PQclear(repeated);
    for (int a = 0; a < ARRAYS; a++)
        buf_release(&arrays[a]);
    return ok;
}

static bool forget(struct postgres *p, const struct batch *b, uint32_t unit)
{
    uint64_t oldest = batch_oldest_named(b, unit);
    char texts[3][24];
    if (oldest == UINT64_MAX || oldest < RECENT_KEPT_NS)
        return true;
    snprintf(texts[0], sizeof(texts[0]), "%" PRIu32, b->units[unit].before.source);
    snprintf(texts[1], sizeof(texts[1]), "%" PRId32, b->units[unit].partition);
    snprintf(texts[2], sizeof(texts[2]), "%" PRId64, (int64_t)(oldest - RECENT_KEPT_NS));
    PGresult *done =
        postgres_query(p, forget_sql, 3, (const char *const[]){texts[0], texts[1], texts[2]});
    PQclear(done);
    return done != NULL;
}

enum export_result postgres_recent_note(struct postgres *p, struct batch *b, struct errbuf *err)
{
    bool ok = note(p, b);
    for (uint32_t u = 0; ok && u < b->n_units; u++)
        ok = forget(p, b, u);
    return ok ? EXPORT_OK : postgres_failed(p, err, "note the records written");
}
