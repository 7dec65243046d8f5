/* How far a tenant's database is behind Kafka, asked of the two themselves: right also while the
 * worker, or the database, is down. Per partition: `next` is the offset where writing goes on,
 * records = end of the log - next, seconds = the age of the record at next. */
#ifndef CONSUMER_LAG_H
#define CONSUMER_LAG_H

#include "consumer/inspect/book.h"
#include "consumer/inspect/kafka_log.h"

/* Who said where writing goes on: id, name */
#define LAG_SOURCES(ROW)                                                                           \
    ROW(DATABASE, "database")                                                                      \
    ROW(COMMIT, "commit") /* the database cannot be read: the group's last commit */               \
    ROW(START, "start")   /* nothing was written or committed, or another log: its start */

enum lag_source {
#define ROW(id, ...) LAG_##id,
    LAG_SOURCES(ROW)
#undef ROW
        LAG_SOURCE_COUNT
};
extern const char *const lag_source_name[LAG_SOURCE_COUNT];

struct lag_unit {
    enum signal signal;
    int32_t partition;
    enum lag_source source;
    int64_t low, high, next;
    uint64_t records;
    double seconds;
};

struct lag {
    struct lag_unit *units;
    size_t n;
    struct book book; /* totals; its result tells whether the database could be read */
};

/* Where reading goes on in the log [low, high). `p`: NULL = the database cannot be read; a unit it
 * does not know is not `known`. `committed`: -1 = nothing. Pure. */
enum lag_source lag_next(const struct progress *p, int64_t committed, int64_t low, int64_t high,
                         int64_t *ret_next);

/* Measures all partitions of the tenant's topics. Fills `ret` (zeroed by the caller; free by
 * lag_release, also on failure). 0, or a negative errno with a sentence when Kafka does not answer;
 * a database that cannot be read is no failure. */
int lag_measure(struct kafka_log *log, const struct tenant *t, struct lag *ret, struct errbuf *err);
/* Sum of the records, worst of the seconds; of one signal, or of all with SIGNAL_COUNT. */
struct lag_unit lag_sum(const struct lag *l, enum signal signal);
void lag_release(struct lag *l);

#endif
