/* A count that begins anew at 00:00 UTC: one atomic number, the day above, the count below, so that
 * adding needs neither lock nor clock of its own. Thread: any. */
#ifndef TENANCY_DAY_COUNT_H
#define TENANCY_DAY_COUNT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Zeroed: nothing yet. */
struct day_count {
    _Atomic uint64_t packed;
};

#define DAY_COUNT_MAX ((UINT64_C(1) << 48) - 1) /* 281 TB; it stays there */

/* Days since 1970. */
uint64_t day_of(uint64_t wall_ns);
uint64_t ns_until_next_day(uint64_t wall_ns);

/* Of this day; 0 when nothing was counted on it. A clock that was set back to yesterday does not
 * begin yesterday again: it goes on with the day that was known. */
uint64_t day_count_read(const struct day_count *c, uint64_t day);
/* Adds `n`. False, and nothing is added, when that would be more than `most`; 0 = no limit. */
bool day_count_take(struct day_count *c, uint64_t n, uint64_t most, uint64_t day);
/* Takes back what was added on that day. */
void day_count_give_back(struct day_count *c, uint64_t n, uint64_t day);
/* What a file says was counted on that day, before anything is counted here. */
void day_count_restore(struct day_count *c, uint64_t n, uint64_t day);

#endif
