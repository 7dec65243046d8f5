/* What a database must do: one const struct of functions each (sqlite.c, postgres.c; ClickHouse
 * follows). Rows, offsets and totals move together or not at all.
 *
 * Errors are classed where the cause is known (DESIGN §6): transient is retried for ever,
 * configuration parks the tenant, data leads to the DLQ. Threads: rows_* on the decode thread;
 * everything else on the writer thread; a CLI opens its own, read-only. */
#ifndef CONSUMER_EXPORT_EXPORTER_H
#define CONSUMER_EXPORT_EXPORTER_H

#include "consumer/batch.h"
#include "tenancy/tenancy.h"

enum export_result {
    EXPORT_OK,
    EXPORT_TRANSIENT,     /* try again later: locked, full, unreachable */
    EXPORT_CONFIGURATION, /* park: wrong schema, not a database, no right */
    EXPORT_DATA,          /* records marked RECORD_REFUSED; nothing was written */
    EXPORT_FENCED,        /* units marked fenced; nothing was written */
    EXPORT_MISSING,       /* reading: there is no database yet, the worker makes it */
};

struct exporter_ops;
struct exporter { /* the first field of each exporter's own struct */
    const struct exporter_ops *ops;
};

enum exporter_mode { EXPORTER_WRITE, EXPORTER_READ };

struct exporter_ops {
    const char *name; /* "sqlite" */
    /* Makes the handle; does not need the database to be reachable. The tenant outlives it. NULL =
     * configuration error. */
    struct exporter *(*open)(const struct tenant *t, enum exporter_mode mode, struct errbuf *err);
    /* Connects and makes tables that are missing; fine when already connected. The functions below
     * begin with it, so that they work again after an outage. */
    enum export_result (*prepare)(struct exporter *x, struct errbuf *err);
    /* The progress of a unit: of the latest generation of (cluster, topic) that has an entry for
     * this partition, else the latest generation at all, else generation 1 which it makes (when
     * EXPORTER_READ it makes none: ret->source is 0). */
    enum export_result (*load)(struct exporter *x, const char *cluster, const char *topic,
                               int32_t partition, struct progress *ret, struct errbuf *err);
    /* The generation after `current`, made if no other unit of the topic has made it yet: the topic
     * was recreated. *ret is fresh (not known). */
    enum export_result (*next_generation)(struct exporter *x, const char *cluster,
                                          const char *topic, uint32_t current, struct progress *ret,
                                          struct errbuf *err);
    /* The exporter's form of a batch's rows: made empty; one row added (cells are borrowed: copy
     * them, not what they point to, which lives as long as the batch); freed. `record` indexes
     * batch->records. */
    void *(*rows_new)(struct exporter *x, struct arena *a);
    int (*rows_add)(void *rows, uint32_t record, enum table table, const struct cell *cells);
    void (*rows_free)(void *rows);
    /* Writes the rows of all records but the RECORD_DEAD ones and moves each unit from before.next
     * to next with its totals, in one transaction. Refused records are tried again and are
     * RECORD_GOOD when they get in. Rows of dead records, and of record numbers not below n_records
     * (one that was given up half decoded), are left out. After EXPORT_OK unit->before holds the
     * new progress. `err` names database, table and what to do. */
    enum export_result (*write)(struct exporter *x, struct batch *b, struct errbuf *err);
    /* For ledger and status: calls `each` for every unit of every source; for a source without any
     * (a generation that nothing was written to yet) once, with partition -1 and not known. */
    enum export_result (*each_progress)(struct exporter *x,
                                        void (*each)(void *arg, const char *cluster,
                                                     const char *topic, int32_t partition,
                                                     const struct progress *p),
                                        void *arg, struct errbuf *err);
    /* Rows that stand for records [from, to) of a unit, in all tables of the signal. */
    enum export_result (*count_rows)(struct exporter *x, enum signal signal, uint32_t source,
                                     int32_t partition, int64_t from, int64_t to, uint64_t *ret,
                                     struct errbuf *err);
    /* Deletes all that is the tenant's, rows and offsets, for good; fine when there is nothing. */
    enum export_result (*destroy)(struct exporter *x, struct errbuf *err);
    void (*close)(struct exporter *x); /* NULL is fine */
};

extern const struct exporter_ops sqlite_exporter, postgres_exporter;

/* By the tenant's database.kind. */
const struct exporter_ops *exporter_for(const struct tenant *t);

#endif
