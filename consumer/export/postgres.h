/* Inside of the PostgreSQL exporter. One schema per tenant; rows, offsets and totals in one
 * transaction, rows by binary COPY.
 *
 *   postgres.c            connection: connects, notices that it broke, waits in bounded time
 *   postgres_schema.c     tables, indexes and version, made from table_info
 *   postgres_days.c       a partition for each day: made when rows need it, dropped after the TTL
 *   postgres_encode.c     cells to PostgreSQL's binary values, on the decode thread
 *   postgres_progress.c   sources, offsets, totals, compare-and-set
 *   postgres_recent.c     what was written recently: a record that Kafka holds twice is not again
 *   postgres_write.c      the transaction; finds the records that are refused for their data
 *   postgres_error.c      which error is of which class, and what to do about it
 *
 * Thread: the exporter's rows belong to whoever holds the batch; everything else to one thread at a
 * time. */
#ifndef CONSUMER_EXPORT_POSTGRES_H
#define CONSUMER_EXPORT_POSTGRES_H

#include "consumer/export/exporter.h"

#include <libpq-fe.h>

struct days { /* since 1970, that have a partition */
    int32_t *at;
    size_t n;
};

struct postgres {
    struct exporter base;
    enum exporter_mode mode;
    const struct database_conf *conf; /* of the tenant, which outlives this */
    const char *tenant;
    PGconn *conn;            /* NULL = not connected */
    bool stale;              /* the connection failed: make a new one before the next use */
    bool timed_out;          /* and why: the server did not answer within database.timeout */
    bool holds_progress;     /* offsets of ours stand in it: it must not begin anew */
    bool no_compare_and_set; /* fault builds only */
    char sqlstate[6];        /* of the last failure; "" = none was told */
    char message[512];       /* of the last failure: the server's or the client's sentence */
    struct days days[TABLE_COUNT];
    uint64_t days_due_ns; /* monotonic: when to look for days past their TTL */
};

/* Connects unless connected, and makes what is missing. */
enum export_result postgres_connect(struct postgres *p, struct errbuf *err);

/* Runs statements without parameters; their results are thrown away. False = failed. */
bool postgres_run(struct postgres *p, const char *sql);
/* The same of a text made from a format. */
bool postgres_runf(struct postgres *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* One statement with parameters as text. The caller clears the result; NULL = failed. */
PGresult *postgres_query(struct postgres *p, const char *sql, int n, const char *const *values);
/* Between BEGIN of a COPY and its end: sends, waiting for the server as long as database.timeout.
 */
bool postgres_copy_data(struct postgres *p, struct slice data);
bool postgres_copy_end(struct postgres *p);
/* The last failure is ours: no earlier one decides what becomes of the records. False. */
bool postgres_no_memory(struct postgres *p);

/* What the last failure means. `format` completes "cannot ...". A data error here is one of our own
 * tables and so of the configuration; only rows have data errors (postgres_row_failed). */
enum export_result postgres_failed(struct postgres *p, struct errbuf *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for rows of `table`: EXPORT_DATA is possible. */
enum export_result postgres_row_failed(struct postgres *p, enum table table, struct errbuf *err);
/* Starts the sentence of any error: database and tenant. Returns the class. */
enum export_result postgres_refuse(const struct postgres *p, enum export_result result,
                                   struct errbuf *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Version, tables, indexes; in a new schema all of it. */
enum export_result postgres_schema_prepare(struct postgres *p, struct errbuf *err);
/* The column whose day decides on the partition: its place among the table's, and its name. */
size_t postgres_time_column(enum table table);
/* "(\"Timestamp\", ..., _ks, _kp, _ko)" in the order in which rows are encoded. */
void postgres_append_columns(struct buf *sql, enum table table, bool with_types);

/* Reads which days have partitions. */
enum export_result postgres_days_load(struct postgres *p, struct errbuf *err);
void postgres_days_release(struct postgres *p);
/* Makes the partitions that the batch's rows need. Rows of days that get none (past the TTL, or
 * further ahead than tomorrow's tomorrow) go to the table's default partition. */
enum export_result postgres_days_ensure(struct postgres *p, const struct batch *b,
                                        struct errbuf *err);
/* Drops days past the TTL when it is time to look; what fails is told in the log and tried later.
 */
void postgres_days_expire(struct postgres *p);

/* SQL type of a column. */
const char *postgres_column_type(enum column_type type);
void *postgres_rows_new(struct exporter *x, struct arena *a);
int postgres_rows_add(void *rows, uint32_t record, enum table table, const struct cell *cells);
void postgres_rows_free(void *rows);

struct postgres_value {
    int32_t len; /* -1 = NULL */
    union {
        uint8_t few[8]; /* up to 8 bytes */
        const uint8_t *at;
    };
};
struct postgres_row {
    struct postgres_row *next; /* of the same table; rows of one record stand together */
    uint32_t record;
    int32_t day; /* since 1970 */
    uint16_t n;  /* values */
    struct postgres_value values[];
};
const struct postgres_row *postgres_rows_first(const void *rows, enum table table);

enum export_result postgres_load(struct exporter *x, const char *cluster, const char *topic,
                                 int32_t partition, struct progress *ret, struct errbuf *err);
enum export_result postgres_next_generation(struct exporter *x, const char *cluster,
                                            const char *topic, uint32_t current,
                                            struct progress *ret, struct errbuf *err);
enum export_result postgres_each_progress(struct exporter *x,
                                          void (*each)(void *arg, const char *cluster,
                                                       const char *topic, int32_t partition,
                                                       const struct progress *p),
                                          void *arg, struct errbuf *err);
/* Inside a transaction: moves every unit to `after`, by compare-and-set on before.next.
 * EXPORT_FENCED marks all units that another writer has moved. */
enum export_result postgres_progress_move(struct postgres *p, struct batch *b,
                                          const struct progress *after, struct errbuf *err);

/* Inside a transaction: notes the batch's records by name and says which are `repeated`. */
enum export_result postgres_recent_note(struct postgres *p, struct batch *b, struct errbuf *err);

enum export_result postgres_write(struct exporter *x, struct batch *b, struct errbuf *err);

#endif
