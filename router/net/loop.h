/* One event loop: a thread, a libh2o evloop, its own SO_REUSEPORT listeners, a deadline heap and a
 * message queue by which other threads reach it. Everything on a loop (connections, requests) is
 * touched by its thread only, so the request path takes no locks.
 *
 * A turn: wait for sockets and messages → their callbacks → due timers → deferred tasks. Answers
 * of one turn are collected and written by the tasks, one write per connection. */
#ifndef ROUTER_LOOP_H
#define ROUTER_LOOP_H

#include "base/clock.h"
#include "base/errbuf.h"
#include "router/coding/decompress.h"
#include "router/net/timer.h"

#include <h2o.h>
#include <stdbool.h>

struct router;
struct snapshot;
struct front;

/* A message to a loop: embed it; `run` is called on the loop thread. */
struct loop_message {
    h2o_multithread_message_t super;
    void (*run)(struct loop_message *m);
};

/* Work for the end of this turn: embed it, zeroed. */
struct loop_task {
    struct loop_task *next;
    bool queued;
    void (*run)(struct loop_task *t);
};

struct loop {
    struct router *router;
    h2o_evloop_t *evloop;
    unsigned index;
    uint64_t now_ns;                  /* monotonic, taken at the start of every callback */
    struct snapshot *snapshot;        /* a reference of this loop; swapped by a message on reload */
    struct decompressor decompressor; /* admission's; loop.c releases it */
    struct front *front;              /* listeners and connections: front.c */
    struct loop_private *p;           /* heap, queue, tasks, thread: loop.c */
};

/* Arms or moves a deadline / disarms it (fine when not armed). Thread: the loop's. */
void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t due_ns);
void loop_timer_clear(struct loop *l, struct loop_timer *t);
/* Hands `m` to the loop. Thread: any. `m` belongs to the loop until run() is called. */
void loop_post(struct loop *l, struct loop_message *m);
/* Runs `t` once at the end of this turn; asking again before that changes nothing. Thread: the
 * loop's. */
void loop_defer(struct loop *l, struct loop_task *t);
/* Every libh2o callback begins with it: poll and callbacks are one call there, so only they know
 * that time has passed. */
void loop_enter(struct loop *l);

/* What else lives on the loop; called on its thread. */
struct loop_hooks {
    void (*begin)(struct loop *l);
    bool (*idle)(struct loop *l); /* asked to end: is nothing left that needs turns? */
    void (*end)(struct loop *l);
};

/* Takes one reference of `s`. */
int loop_init(struct loop *l, struct router *r, unsigned index, struct snapshot *s,
              const struct loop_hooks *hooks, struct errbuf *err);
/* Starts the thread; `begin` has run when it returns. */
int loop_start(struct loop *l, struct errbuf *err);
/* Lets the thread end once it is idle, or when `due_ns` (monotonic) has passed; joins it. */
void loop_stop(struct loop *l, uint64_t due_ns);
void loop_release(struct loop *l); /* after loop_stop, or without a start; zeroed is fine */

#endif
