/* The circuit breaker of a partition (DESIGN §6): dead letters whose cause can be mended on our
 * side (the database refuses the rows, a ceiling of ours is too low) may be the exception only.
 * Beyond that the partition stops, so that a changed schema does not drain a topic into the DLQ.
 *
 * A record that cannot be decoded, or names another tenant, does not count: no change of database
 * or options makes it good, and holding it back would help nobody.
 * docs/decisions/0016-when-a-partition-stops.md */
#ifndef CONSUMER_BREAKER_H
#define CONSUMER_BREAKER_H

#include "consumer/batch.h"

/* Adds what was written and dead-lettered. What is long ago fades: of the last 10,000 to 20,000
 * records of the partition. */
void breaker_count(struct breaker *b, uint64_t seen, uint64_t dead);
/* Whether so many records with so many dead ones may go on: in all at most 1 % of the recent
 * records, or `max_dead` if that is more. */
bool breaker_allows(const struct breaker *b, uint64_t seen, uint64_t dead, uint64_t max_dead);

/* Judges a batch by its records that are dead or were just refused: counts them in each unit and
 * sets `stopped` of those that are beyond. True when there is one. */
bool breaker_judge(struct batch *b, uint64_t max_dead);
/* The first record of the unit that counts as dead, or NULL. */
const struct batch_record *breaker_first_dead(const struct batch *b, uint32_t unit);

#endif
