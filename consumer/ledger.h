/* The books (promise 8), from durable facts only: Kafka's offsets, the item counts in record
 * headers, the totals that the database keeps together with its offsets, and the copy of those
 * totals that each Kafka commit carries as metadata. No process counter is asked, so it holds after
 * every process was killed.
 *
 * Per unit (source × partition):
 *   1. next == first + records + dlq_records + lost_records               (the database with
 * itself)
 *   2. committed <= next <= end of the log                                (the database with Kafka)
 *   3. totals(next) - totals(committed) == items in records [committed, next)
 *      (the totals with the commit's copy and the record headers between)
 *   4. dead letters with this origin in the DLQ == dlq_records            (while the DLQ holds all)
 *   5. recount: rows of records [start of the log, next) == their items, without dead letters
 * Each that does not hold is a finding: a sentence. */
#ifndef CONSUMER_LEDGER_H
#define CONSUMER_LEDGER_H

#include "base/arena.h"
#include "consumer/batch.h"
#include "tenancy/tenancy.h"

struct ledger_unit {
    const char *topic;
    enum signal signal;
    int32_t partition;
    bool current; /* the generation that is being written; older ones hold totals only */
    struct progress db;
    int64_t low, high, committed;
    uint64_t waiting_records, waiting_items; /* in Kafka, not in the database */
    struct ledger_unit *next;
};

struct ledger_finding {
    const char *text;
    struct ledger_finding *next;
};

struct ledger {
    struct arena arena; /* owns the lists */
    struct ledger_unit *units;
    struct ledger_finding *findings; /* none = the books balance */
    uint64_t recounted_rows;
};

/* Items per signal: accepted == waiting + written + dropped + dlq (+ what is lost, in records). */
struct ledger_sums {
    uint64_t accepted, waiting, written, dropped, dlq, lost_records;
};

/* Fills `ret` (zeroed by the caller; free by ledger_release, also on failure). 0, or a negative
 * errno with a sentence when a fact cannot be had (Kafka or the database does not answer). */
int ledger_make(const struct conf *conf, const char *brokers, const struct tenant *t, bool recount,
                struct ledger *ret, struct errbuf *err);
struct ledger_sums ledger_sum(const struct ledger *l, enum signal signal);
void ledger_release(struct ledger *l);

#endif
