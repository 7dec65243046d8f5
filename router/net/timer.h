/* The deadlines of one loop: a binary heap of embedded timers, the earliest on top. Setting,
 * moving and clearing cost O(log n); a body timer moves with every piece of a body. Thread: the
 * loop's. */
#ifndef ROUTER_TIMER_H
#define ROUTER_TIMER_H

#include <stddef.h>
#include <stdint.h>

/* A deadline: embed it, zeroed; `fire` runs once on the loop thread when it is due. */
struct loop_timer {
    uint64_t due_ns; /* monotonic */
    size_t slot;     /* position in the heap + 1; 0 = not armed */
    void (*fire)(struct loop_timer *t);
};

struct timer_heap {
    struct loop_timer **at;
    size_t n, capacity;
};

/* Arms or moves. Memory for a slot is 8 bytes; running out of it ends the process, as it does
 * everywhere in libh2o below us. */
void timer_heap_set(struct timer_heap *h, struct loop_timer *t, uint64_t due_ns);
void timer_heap_clear(struct timer_heap *h, struct loop_timer *t); /* fine when not armed */
/* Takes the earliest timer off the heap if it is due at `now_ns`, else NULL. */
struct loop_timer *timer_heap_take_due(struct timer_heap *h, uint64_t now_ns);
/* When the earliest is due; UINT64_MAX when there is none. */
uint64_t timer_heap_next(const struct timer_heap *h);
void timer_heap_release(struct timer_heap *h);

#endif
