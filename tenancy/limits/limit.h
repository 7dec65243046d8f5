/* A rate limit: a bucket as one atomic 64-bit state (GCRA: the theoretical arrival time in
 * monotonic ns), shared by all loops without a lock, and behind it, once it had to refuse, a line
 * (limit_line.h) under a lock of its own. Thread: any. */
#ifndef TENANCY_LIMIT_H
#define TENANCY_LIMIT_H

#include "tenancy/limits/limit_line.h"

#include <stdatomic.h>

struct limit_queue;

/* Zeroed: a full bucket. */
struct limit_state {
    _Atomic uint64_t tat_ns;
    _Atomic uint64_t promised_ns; /* the line's; 0 = nobody waits, the line is not looked at */
    _Atomic(struct limit_queue *) queue; /* line_pool.h */
};
struct limit {
    uint64_t rate;  /* units per second; 0 = unlimited */
    uint64_t burst; /* units that may come at once */
};

/* What is told to who is refused (R211). */
#define LIMIT_DELAY_MIN_NS UINT64_C(1000000000)
#define LIMIT_DELAY_MAX_NS UINT64_C(5000000000)

enum limit_verdict {
    LIMIT_OK,      /* taken; go on at once */
    LIMIT_WAIT,    /* taken; go on after *wait_ns */
    LIMIT_REFUSED, /* nothing taken */
};

/* Takes `n` units. What fits within `max_wait_ns` is reserved and told to wait. A single `n` above
 * the burst is let through when the bucket is full (it could never pass otherwise) and pays for all
 * of it. Who stands in line, or is new, gets in when its turn comes within `max_wait_ns`, or at
 * once when the bucket holds more than what the next are promised; of that at most three quarters
 * of the bucket are kept: places that nobody claims cost no throughput. */
enum limit_verdict limit_take(struct limit_state *s, const struct limit *l, uint64_t n,
                              struct limit_caller who, uint64_t now_ns, uint64_t max_wait_ns,
                              uint64_t *wait_ns);
/* Gives `n` units back (a later limit refused the same request). */
void limit_return(struct limit_state *s, const struct limit *l, uint64_t n);
/* How long until `n` units fit behind all who stand in line, or until the caller's turn; takes
 * nothing. */
uint64_t limit_wait(struct limit_state *s, const struct limit *l, uint64_t n,
                    struct limit_caller who, uint64_t now_ns);
/* For who was refused: gives a place at the end of the line, or keeps the one there is, and returns
 * the delay to tell. A turn that is further off than LIMIT_DELAY_MAX_NS is kept, but asked for
 * again on the way. */
uint64_t limit_queue_up(struct limit_state *s, const struct limit *l, uint64_t n,
                        struct limit_caller who, uint64_t now_ns);
/* The caller got what it came for. */
void limit_leave(struct limit_state *s, struct limit_caller who, uint64_t now_ns);
/* Fills the bucket and sends the line away. For a limit whose rate or burst was changed: what was
 * owed at a rate that was set too low by mistake would otherwise be owed for years. */
void limit_reset(struct limit_state *s);
/* Frees the line; the state is zeroed. Nobody else uses it any more. */
void limit_release(struct limit_state *s);
/* Units available now, for status; UINT64_MAX = unlimited. */
uint64_t limit_available(const struct limit_state *s, const struct limit *l, uint64_t now_ns);

#endif
