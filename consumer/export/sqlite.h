/* Inside of the SQLite exporter. One file per tenant; rows, offsets and totals in one transaction.
 *
 *   sqlite.c           connection: opens, notices that the file was replaced, opens again
 *   sqlite_schema.c    tables, indexes and version, made from table_info
 *   sqlite_encode.c    cells to SQLite values, on the decode thread
 *   sqlite_progress.c  sources, offsets, totals, compare-and-set
 *   sqlite_recent.c    what was written recently, so that a record that Kafka holds twice is not
 *   sqlite_write.c     the transaction; finds the records that are refused for their data
 *   sqlite_error.c     which error is of which class, and what to do about it
 *
 * Thread: the exporter's rows belong to whoever holds the batch; everything else to one thread at a
 * time. */
#ifndef CONSUMER_EXPORT_SQLITE_H
#define CONSUMER_EXPORT_SQLITE_H

#include "consumer/export/exporter.h"

#include <sqlite3.h>
#include <sys/types.h>

/* Columns behind those of table_info: source, Kafka partition, offset. */
enum { SQLITE_KAFKA_COLUMNS = 3 };

struct sqlite {
    struct exporter base;
    enum exporter_mode mode;
    char *path, *tenant; /* owned */
    int busy_timeout_ms;
    sqlite3 *db;             /* NULL = not connected */
    bool stale;              /* the connection failed: open a new one before the next use */
    dev_t device;            /* of the file that `db` has open */
    ino_t inode;             /* so that a removed or replaced file is noticed */
    bool holds_progress;     /* offsets of ours stand in the file: it must not begin anew */
    bool no_compare_and_set; /* fault builds only */
    sqlite3_stmt *insert[TABLE_COUNT];
};

/* Connects unless connected to the file that is there now, and makes what is missing. */
enum export_result sqlite_connect(struct sqlite *s, struct errbuf *err);

/* What a failure on s->db means. `format` completes "cannot ...". A data error here is one of our
 * own tables and so of the configuration; only rows have data errors (sqlite_row_failed). The next
 * sqlite_connect opens a new connection unless the file was merely locked. */
enum export_result sqlite_failed(struct sqlite *s, struct errbuf *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a row of `table`: EXPORT_DATA is possible. */
enum export_result sqlite_row_failed(struct sqlite *s, enum table table, struct errbuf *err);
/* "SQLITE_CONSTRAINT" of the last failure; a literal. */
const char *sqlite_error_name(const struct sqlite *s);
/* Starts the sentence of any error: database and tenant. Returns the class. */
enum export_result sqlite_refuse(const struct sqlite *s, enum export_result result,
                                 struct errbuf *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Runs statements without parameters or results. SQLite's code. */
int sqlite_run(struct sqlite *s, const char *sql);
/* A statement for one use; NULL after a failure. The caller finalizes it. */
sqlite3_stmt *sqlite_statement(struct sqlite *s, const char *sql);

/* Version, tables, indexes, insert statements. */
enum export_result sqlite_schema_prepare(struct sqlite *s, struct errbuf *err);

/* SQL type of a column; "" = none, the value keeps its own. */
const char *sqlite_column_type(enum column_type type);
void *sqlite_rows_new(struct exporter *x, struct arena *a);
int sqlite_rows_add(void *rows, uint32_t record, enum table table, const struct cell *cells);
void sqlite_rows_free(void *rows);

struct sqlite_value {
    enum { VALUE_NULL, VALUE_I64, VALUE_F64, VALUE_TEXT } kind;
    union {
        int64_t i64;
        double f64;
        struct slice text;
    };
};
struct sqlite_row {
    struct sqlite_row *next; /* rows of one record stand together */
    uint32_t record;
    enum table table;
    struct sqlite_value values[]; /* table_info[table].n */
};
const struct sqlite_row *sqlite_rows_first(const void *rows); /* NULL = none */
/* Borrows the value's text until the next bind. SQLite's code. */
int sqlite_bind(sqlite3_stmt *statement, int index, const struct sqlite_value *v);

enum export_result sqlite_load(struct exporter *x, const char *cluster, const char *topic,
                               int32_t partition, struct progress *ret, struct errbuf *err);
enum export_result sqlite_next_generation(struct exporter *x, const char *cluster,
                                          const char *topic, uint32_t current, struct progress *ret,
                                          struct errbuf *err);
enum export_result sqlite_each_progress(struct exporter *x,
                                        void (*each)(void *arg, const char *cluster,
                                                     const char *topic, int32_t partition,
                                                     const struct progress *p),
                                        void *arg, struct errbuf *err);
/* Inside a transaction: moves every unit to `after`, by compare-and-set on before.next.
 * EXPORT_FENCED marks all units that another writer has moved. */
enum export_result sqlite_progress_move(struct sqlite *s, struct batch *b,
                                        const struct progress *after, struct errbuf *err);

/* The table of names; SQLite's code. */
int sqlite_recent_make(struct sqlite *s);
/* Inside a transaction: notes the batch's records by name and says which are `repeated`. */
enum export_result sqlite_recent_note(struct sqlite *s, struct batch *b, struct errbuf *err);

enum export_result sqlite_write(struct exporter *x, struct batch *b, struct errbuf *err);

#endif
