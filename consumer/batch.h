/* A batch: what the worker read from Kafka and will write in one go, for several units at once. A
 * *unit* is one source's partition: (cluster, topic, generation) × partition; its records are whole
 * and in offset order. The decode thread fills a batch, then the writer thread owns it until it is
 * written. */
#ifndef CONSUMER_BATCH_H
#define CONSUMER_BATCH_H

#include "base/arena.h"
#include "otlp/record.h"
#include "otlp/table.h"

#include <librdkafka/rdkafka.h>

/* What the database keeps per unit, moved in the same transaction as the rows (promises 2, 3 and
 * 8). Invariant: next == first + records + dlq_records + lost_records + gaps. */
struct totals {
    uint64_t records;      /* written (all items of it, or dropped) */
    uint64_t items;        /* rows written */
    uint64_t dropped;      /* items dropped by the tenant's own rules, or that Kafka holds twice */
    uint64_t dlq_records;  /* confirmed in the DLQ */
    uint64_t dlq_items;    /* items of those, by tenantry.items; 0 for records that say nothing */
    uint64_t lost_records; /* offsets that retention ate before they were written */
    uint64_t gaps; /* offsets that hold no record: a transaction's marks, aborted, compacted */
};

struct progress {
    uint32_t source; /* number of (cluster, topic, generation) in this database */
    uint32_t generation;
    bool known;    /* the unit has an entry; else next and first are 0 and all totals too */
    int64_t first; /* offset that writing began with: of a unit not known yet, write() finds it by
                      the invariant */
    int64_t next;  /* the next offset to write */
    int64_t last_timestamp; /* Kafka timestamp (ms) of record next-1 */
    uint32_t last_checksum; /* record_checksum of it */
    struct totals totals;
};

/* How much of what a partition held recently was dead-lettered (consumer/breaker.h). */
struct breaker {
    uint64_t seen, dead; /* records */
};

enum record_fate {
    RECORD_GOOD,
    RECORD_REFUSED, /* the database refused it for its data in the last write: will be tried again
                     */
    RECORD_DEAD,    /* goes to the DLQ, its rows are not written */
};

struct batch_record {
    uint32_t unit; /* index into batch->units */
    int64_t offset, timestamp;
    uint32_t checksum;
    uint64_t items;   /* rows it became; for a dead one: the items its header tells */
    uint64_t dropped; /* further items, which the tenant's own rules dropped */
    enum record_fate fate;
    const char *error_class, *error_code,
        *error_text;                   /* of a refused or dead one; in the batch's arena */
    uint64_t attempts;                 /* counted by the worker */
    struct slice name;                 /* of its header; in the message; empty = none */
    uint64_t received_ns;              /* of its header */
    bool repeated;                     /* its first copy is written: this one is not */
    bool dlq_confirmed;                /* its dead letter is acknowledged by Kafka */
    bool dlq_too_large;                /* the DLQ's topic does not take it whole */
    const rd_kafka_message_t *message; /* owned by the batch; values are borrowed by cells */
};

struct batch_unit {
    const char *topic;
    enum signal signal;
    int32_t partition;
    struct progress before; /* as the database has it: compare-and-set on before.next */
    int64_t next;           /* after this batch */
    uint64_t lost, gaps;    /* offsets before records of this batch: gone, or never a record's */
    bool fenced;            /* write() found another writer: nothing of this unit was written */
    struct breaker breaker; /* before this batch */
    uint64_t seen, dead;    /* in this batch, as breaker_judge counted them */
    bool stopped;           /* too many of them are dead: the unit is to stop */
};

struct batch {
    struct arena arena;
    struct batch_record *records;
    size_t n_records, records_capacity;
    struct batch_unit *units;
    size_t n_units;
    struct { /* for batch_take_back: as it was before the last batch_add */
        size_t n_units;
        int64_t next;
    } undo;
    uint64_t rows, bytes; /* bytes: payloads + arena, against consumer.memory */
    uint64_t opened_ns;   /* monotonic, of the first record */
    void *encoded;        /* the exporter's own form of the rows (ops->rows_*) */
};

/* CRC-32C of key and value: tells whether a record is still the one that was written. */
uint32_t record_checksum(struct slice key, struct slice value);

/* An empty batch, or NULL without memory. Free by batch_free. */
struct batch *batch_new(void);
/* Takes the message into the batch (it is destroyed with the batch's content), as the next record
 * of its unit, whose entry is made when missing (`topic` is borrowed for the batch's life). NULL
 * without memory: the message stays the caller's. */
struct batch_record *batch_add(struct batch *b, const char *topic, enum signal signal,
                               int32_t partition, rd_kafka_message_t *message);
/* Undoes the last batch_add: the message is the caller's again. Rows that were made of it have a
 * record number that is not below n_records any more, and write() leaves them out. */
void batch_take_back(struct batch *b);
/* Empties it, destroys the messages, keeps some memory. `encoded` must have been freed. */
void batch_reset(struct batch *b);
void batch_free(struct batch *b); /* NULL is fine */

#endif
