/* One event loop: a thread, a libh2o evloop, its own SO_REUSEPORT listeners, a deadline heap and a
 * message queue by which other threads reach it. Everything on a loop (connections, requests) is
 * touched by its thread only, so the request path takes no locks. */
#ifndef ROUTER_LOOP_H
#define ROUTER_LOOP_H

#include "base/clock.h"

#include <h2o.h>

struct router;
struct snapshot;
struct inflater;

/* A deadline: embed it, zeroed; `fire` runs once on the loop thread when it is due. */
struct loop_timer {
    uint64_t due_ns; /* monotonic */
    size_t slot;     /* position in the heap + 1; 0 = not armed */
    void (*fire)(struct loop_timer *t);
};

/* A message to a loop: embed it; `run` is called on the loop thread. */
struct loop_message {
    h2o_multithread_message_t super;
    void (*run)(struct loop_message *m);
};

struct loop {
    struct router *router;
    h2o_evloop_t *evloop;
    unsigned index;
    uint64_t now_ns;           /* monotonic, taken once per turn */
    struct snapshot *snapshot; /* a reference of this loop; swapped by a message on reload, after
                                * FAULT_POINT("between_reload_and_use") */
    struct inflater *inflater; /* admission makes it when first needed; loop.c frees it */
    struct loop_private *p;    /* heap, queue, connections: loop.c */
};

/* Arms or moves a deadline / disarms it (fine when not armed). Thread: the loop's. */
void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t due_ns);
void loop_timer_clear(struct loop *l, struct loop_timer *t);
/* Hands `m` to the loop. Thread: any. `m` belongs to the loop until run() is called. */
void loop_post(struct loop *l, struct loop_message *m);

#endif
