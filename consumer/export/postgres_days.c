/* Partitions by day of the row's own time. They are made when a batch has rows of a new day and
 * dropped whole when the day is past database.ttl, which costs no vacuum. Rows of days that get
 * none stand in the default partition; should such a day come into range, its rows move. */
#include "consumer/export/postgres.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define SECONDS_PER_DAY 86400
#define DAYS_AHEAD      2   /* further ahead nobody's clock is by mistake of a time zone */
#define DAYS_BACK       400 /* without a TTL; makes at most so many partitions of a table */
#define LOOK_EVERY_NS   (3600 * NS_PER_S)

static int32_t today(void)
{
    return (int32_t)(clock_wall_ns() / NS_PER_S / SECONDS_PER_DAY);
}

/* The first day that is kept. */
static int32_t oldest(const struct postgres *p)
{
    uint64_t days = p->conf->ttl / NS_PER_S / SECONDS_PER_DAY;
    return today() - (int32_t)(p->conf->ttl ? days : DAYS_BACK);
}

/* "20261123" */
static const char *day_text(int32_t day, char text[16])
{
    time_t seconds = (time_t)day * SECONDS_PER_DAY;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(text, 16, "%Y%m%d", &tm);
    return text;
}

static bool parse_day(const char *text, int32_t *ret)
{
    struct tm tm = {0};
    char rest;
    if (sscanf(text, "%4d%2d%2d%c", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &rest) != 3)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    *ret = (int32_t)(timegm(&tm) / SECONDS_PER_DAY);
    return true;
}

static bool has_day(const struct days *d, int32_t day)
{
    for (size_t i = d->n; i-- > 0;)
        if (d->at[i] == day)
            return true;
    return false;
}

static bool add_day(struct days *d, int32_t day)
{
    int32_t *at = realloc(d->at, (d->n + 1) * sizeof(*at));
    if (at == NULL)
        return false;
    d->at = at;
    at[d->n++] = day;
    return true;
}

static bool load_table(struct postgres *p, enum table table)
{
    static const char sql[] = "SELECT substr(c.relname, length(t.relname) + 2) FROM pg_inherits i"
                              " JOIN pg_class c ON c.oid = i.inhrelid"
                              " JOIN pg_class t ON t.oid = i.inhparent"
                              " WHERE t.oid = to_regclass(quote_ident($1)) ORDER BY 1";
    PGresult *answer = postgres_query(p, sql, 1, (const char *const[]){table_info[table].name});
    bool ok = answer != NULL;
    for (int i = 0; ok && i < PQntuples(answer); i++) {
        int32_t day;
        if (parse_day(PQgetvalue(answer, i, 0), &day))
            ok = add_day(&p->days[table], day);
    }
    PQclear(answer);
    return ok;
}

enum export_result postgres_days_load(struct postgres *p, struct errbuf *err)
{
    postgres_days_release(p);
    for (int t = 0; t < TABLE_COUNT; t++)
        if (!load_table(p, (enum table)t))
            return postgres_failed(p, err, "read the partitions of %s", table_info[t].name);
    return EXPORT_OK;
}

void postgres_days_release(struct postgres *p)
{
    for (int t = 0; t < TABLE_COUNT; t++) {
        free(p->days[t].at);
        p->days[t] = (struct days){0};
    }
}

/* What of the default partition belongs to the day moves to its new one, which is then attached:
 * PostgreSQL would refuse a partition whose rows stand in the default one. */
static bool make_day(struct postgres *p, enum table table, int32_t day)
{
    const char *name = table_info[table].name;
    const char *column = table_info[table].columns[postgres_time_column(table)].name;
    char from[16], to[16];
    day_text(day, from);
    day_text(day + 1, to);
    return postgres_runf(p,
                         "BEGIN; SET LOCAL lock_timeout = '5s';"
                         "LOCK TABLE \"%s\" IN SHARE UPDATE EXCLUSIVE MODE;"
                         "CREATE TABLE IF NOT EXISTS \"%s_%s\" (LIKE \"%s\");",
                         name, name, from, name) &&
           postgres_runf(
               p,
               "WITH moved AS (DELETE FROM \"%s_default\" WHERE \"%s\" >= '%s'"
               " AND \"%s\" < '%s' RETURNING *) INSERT INTO \"%s_%s\" SELECT * FROM moved",
               name, column, from, column, to, name, from) &&
           postgres_runf(p,
                         "ALTER TABLE \"%s\" ATTACH PARTITION \"%s_%s\""
                         " FOR VALUES FROM ('%s') TO ('%s'); COMMIT",
                         name, name, from, from, to);
}

/* Another worker of the tenant may have made it meanwhile. */
static enum export_result ensure_day(struct postgres *p, enum table table, int32_t day,
                                     struct errbuf *err)
{
    char text[16];
    if (!make_day(p, table, day)) {
        enum export_result result = postgres_failed(p, err, "make the partition %s_%s",
                                                    table_info[table].name, day_text(day, text));
        if (p->stale || !postgres_run(p, "ROLLBACK"))
            return result;
        struct days *d = &p->days[table];
        d->n = 0;
        return load_table(p, table) && has_day(d, day) ? EXPORT_OK : result;
    }
    return add_day(&p->days[table], day)
               ? EXPORT_OK
               : postgres_refuse(p, EXPORT_TRANSIENT, err, "cannot be written: out of memory.");
}

enum export_result postgres_days_ensure(struct postgres *p, const struct batch *b,
                                        struct errbuf *err)
{
    int32_t first = oldest(p), last = today() + DAYS_AHEAD;
    for (int t = 0; t < TABLE_COUNT; t++) {
        int32_t done = INT32_MIN;
        const struct postgres_row *row = postgres_rows_first(b->encoded, (enum table)t);
        for (; row != NULL; row = row->next) {
            if (row->day == done || row->day < first || row->day > last)
                continue;
            enum export_result result = has_day(&p->days[t], row->day)
                                            ? EXPORT_OK
                                            : ensure_day(p, (enum table)t, row->day, err);
            if (result != EXPORT_OK)
                return result;
            done = row->day;
        }
    }
    return EXPORT_OK;
}

/* --- the TTL ------------------------------------------------------------------------------- */

static bool drop_day(struct postgres *p, enum table table, int32_t day)
{
    char text[16];
    return postgres_runf(p,
                         "BEGIN; SET LOCAL lock_timeout = '5s';"
                         "DROP TABLE IF EXISTS \"%s_%s\"; COMMIT",
                         table_info[table].name, day_text(day, text));
}

static bool expire_default(struct postgres *p, enum table table, int32_t first)
{
    char text[16];
    return postgres_runf(
        p, "DELETE FROM \"%s_default\" WHERE \"%s\" < '%s'", table_info[table].name,
        table_info[table].columns[postgres_time_column(table)].name, day_text(first, text));
}

static bool expire_table(struct postgres *p, enum table table, int32_t first)
{
    struct days *d = &p->days[table];
    size_t kept = 0;
    bool ok = true;
    for (size_t i = 0; i < d->n; i++) {
        ok = ok && (d->at[i] >= first || drop_day(p, table, d->at[i]));
        if (!ok || d->at[i] >= first)
            d->at[kept++] = d->at[i];
    }
    d->n = kept;
    return ok && expire_default(p, table, first);
}

void postgres_days_expire(struct postgres *p)
{
    if (p->conf->ttl == 0 || clock_mono_ns() < p->days_due_ns)
        return;
    p->days_due_ns = clock_mono_ns() + LOOK_EVERY_NS;
    for (int t = 0; t < TABLE_COUNT; t++) {
        struct errbuf err = ERRBUF_INIT;
        if (expire_table(p, (enum table)t, oldest(p)))
            continue;
        postgres_failed(p, &err, "drop what is past database.ttl from %s", table_info[t].name);
        log_repeated(LOG_WARN, "old rows stay for another hour", p->tenant,
                     log_str("tenant", p->tenant), log_str("reason", err.text));
        if (p->stale || !postgres_run(p, "ROLLBACK"))
            return;
    }
}
