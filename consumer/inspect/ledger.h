/* The books (promise 8), from durable facts only: Kafka's offsets, the item counts in record
 * headers, the totals that the database keeps together with its offsets, and the copy of those
 * totals that each Kafka commit carries as metadata. No process counter is asked, so it holds after
 * every process was killed.
 *
 * Per unit (source × partition):
 *   1. next == first + records + dlq_records + lost_records + gaps        (the database with
 *      itself)
 *   2. committed <= next <= end of the log; record next-1 is the one that was written last
 *      (the database with Kafka)
 *   3. totals(next) - totals(committed) == items in records [committed, next); without a commit,
 *      and when recounting, from the first record on as long as Kafka holds all of them
 *      (the totals with the commit's copy and the record headers)
 *   4. dead letters with this origin in the DLQ == dlq_records            (while the DLQ holds all)
 *   5. recount: rows of records [start of the log, next) == their items, without dead letters
 * Each that does not hold is a finding: a sentence. */
#ifndef CONSUMER_LEDGER_H
#define CONSUMER_LEDGER_H

#include "consumer/inspect/kafka_log.h"

struct ledger_unit {
    const char *topic;
    enum signal signal;
    int32_t partition;
    bool current; /* the generation that is being written; older ones hold totals only */
    bool in_log;  /* the facts of Kafka below were read */
    struct progress db;
    int64_t low, high;
    int64_t committed;    /* -1 = nothing, or of another generation */
    bool has_copy;        /* the commit carries totals of this source: */
    struct progress copy; /* (totals, first) */
    enum last_record last;
    uint64_t since_items;   /* items of the records [ledger_baseline, next) */
    uint64_t letters;       /* dead letters of records [first, next) in the DLQ */
    bool letters_complete;  /* nothing of the DLQ has expired */
    uint64_t living_items;  /* recount: items of the records since the log's start that have no */
    uint64_t rows;          /* dead letter, and rows of those records */
    uint64_t waiting_items; /* in Kafka, not in the database */
    uint64_t waiting_records;
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
    bool recounted;
    uint64_t recounted_rows;
    bool no_memory; /* a finding did not fit */
};

/* Items per signal: accepted == waiting + written + dropped + dlq (+ what is lost, in records). */
struct ledger_sums {
    uint64_t accepted, waiting, written, dropped, dlq, lost_records;
};

/* Fills `ret` (zeroed by the caller; free by ledger_release, also on failure). 0, or a negative
 * errno with a sentence when a fact cannot be had (Kafka or the database does not answer). A
 * database that was never made holds nothing. */
int ledger_make(const struct conf *conf, const char *brokers, const struct tenant *t, bool recount,
                struct ledger *ret, struct errbuf *err);
/* The checks 1-4 alone, at a cost that does not grow with what waits: for a look now and then. What
 * waits is not counted; -E2BIG when the DLQ holds more than LEDGER_QUICK_LETTERS. */
#define LEDGER_QUICK_LETTERS 20000
int ledger_make_quick(const struct conf *conf, const char *brokers, const struct tenant *t,
                      struct ledger *ret, struct errbuf *err);
struct ledger_sums ledger_sum(const struct ledger *l, enum signal signal);
void ledger_release(struct ledger *l);

/* The pure parts. Where counting for check 3 begins, or -1 when there is nothing to compare with:
 * the records have expired and no commit carries totals. */
int64_t ledger_baseline(const struct ledger_unit *u, bool recounting);
/* Adds what does not hold of this unit to the findings. */
void ledger_check(struct ledger *l, const struct ledger_unit *u);

#endif
