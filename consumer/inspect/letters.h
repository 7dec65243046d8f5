/* The dead letters in a tenant's DLQ by what they are letters of: a record of a source. One that
 * was sent twice (a crash between its acknowledgement and the commit) counts once. */
#ifndef CONSUMER_LETTERS_H
#define CONSUMER_LETTERS_H

#include "consumer/inspect/kafka_log.h"

struct letter {
    enum signal signal; /* of the topic it comes from; SIGNAL_COUNT = none of the tenant's */
    uint32_t source;
    int32_t partition;
    int64_t offset;
};

struct letters {
    struct letter *at; /* sorted after letters_settle */
    size_t n, capacity;
    bool complete; /* nothing of the DLQ has expired */
};

/* Reads tenantry.origin and the topic of a dead letter. False when it is not one of ours. */
bool letter_of(const rd_kafka_message_t *m, const struct tenant *t, struct letter *ret);
/* "source:partition:offset:item". Pure. */
bool letter_parse(struct slice origin, struct letter *ret);
int letter_cmp(const struct letter *a, const struct letter *b);

int letters_add(struct letters *l, const struct letter *letter); /* 0 or -ENOMEM */
/* Sorts them and drops repeats. */
void letters_settle(struct letters *l);
/* After letters_settle: those of a unit's records [from, to). */
uint64_t letters_count(const struct letters *l, enum signal signal, uint32_t source,
                       int32_t partition, int64_t from, int64_t to);
/* Reads the tenant's whole DLQ and settles. Free by letters_release, also on failure. */
int letters_read(struct kafka_log *log, const struct tenant *t, struct letters *ret,
                 struct errbuf *err);
void letters_release(struct letters *l);

#endif
