/* A rate limit as one atomic 64-bit state (GCRA: the theoretical arrival time in monotonic ns),
 * shared by all loops without a lock. Thread: any. */
#ifndef TENANCY_LIMIT_H
#define TENANCY_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct limit_state {
    _Atomic uint64_t tat_ns;
};
struct limit {
    uint64_t rate;  /* units per second; 0 = unlimited */
    uint64_t burst; /* units that may come at once */
};

enum limit_verdict {
    LIMIT_OK,      /* taken; go on at once */
    LIMIT_WAIT,    /* taken; go on after *wait_ns */
    LIMIT_REFUSED, /* nothing taken; it would fit after *wait_ns */
};

/* Takes `n` units. What fits within `max_wait_ns` is reserved and told to wait. A single `n` above
 * the burst is let through when the bucket is full (it could never pass otherwise) and pays for all
 * of it. */
enum limit_verdict limit_take(struct limit_state *s, const struct limit *l, uint64_t n,
                              uint64_t now_ns, uint64_t max_wait_ns, uint64_t *wait_ns);
/* How long until `n` units fit; takes nothing. */
uint64_t limit_wait(const struct limit_state *s, const struct limit *l, uint64_t n,
                    uint64_t now_ns);
/* Gives `n` units back (a later limit refused the same request). */
void limit_return(struct limit_state *s, const struct limit *l, uint64_t n);
/* Fills the bucket. For a limit whose rate or burst was changed: what was owed at a rate that was
 * set too low by mistake would otherwise be owed for years. */
void limit_reset(struct limit_state *s);
/* Units available now, for status; UINT64_MAX = unlimited. */
uint64_t limit_available(const struct limit_state *s, const struct limit *l, uint64_t now_ns);

#endif
