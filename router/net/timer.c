#include "router/net/timer.h"

#include <h2o.h>

static void put(struct timer_heap *h, size_t i, struct loop_timer *t)
{
    h->at[i] = t;
    t->slot = i + 1;
}

static void sift_up(struct timer_heap *h, size_t i, struct loop_timer *t)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (h->at[parent]->due_ns <= t->due_ns)
            break;
        put(h, i, h->at[parent]);
        i = parent;
    }
    put(h, i, t);
}

static void sift_down(struct timer_heap *h, size_t i, struct loop_timer *t)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->n)
            break;
        if (child + 1 < h->n && h->at[child + 1]->due_ns < h->at[child]->due_ns)
            child++;
        if (t->due_ns <= h->at[child]->due_ns)
            break;
        put(h, i, h->at[child]);
        i = child;
    }
    put(h, i, t);
}

void timer_heap_set(struct timer_heap *h, struct loop_timer *t, uint64_t due_ns)
{
    uint64_t before = t->due_ns;
    t->due_ns = due_ns;
    if (t->slot != 0) {
        if (due_ns < before)
            sift_up(h, t->slot - 1, t);
        else
            sift_down(h, t->slot - 1, t);
        return;
    }
    if (h->n == h->capacity) {
        h->capacity = h->capacity ? 2 * h->capacity : 64;
        h->at = h2o_mem_realloc(h->at, h->capacity * sizeof(h->at[0]));
    }
    sift_up(h, h->n++, t);
}

void timer_heap_clear(struct timer_heap *h, struct loop_timer *t)
{
    if (t->slot == 0)
        return;
    size_t i = t->slot - 1;
    t->slot = 0;
    struct loop_timer *last = h->at[--h->n];
    if (last == t)
        return;
    if (last->due_ns < t->due_ns)
        sift_up(h, i, last);
    else
        sift_down(h, i, last);
}

struct loop_timer *timer_heap_take_due(struct timer_heap *h, uint64_t now_ns)
{
    if (h->n == 0 || h->at[0]->due_ns > now_ns)
        return NULL;
    struct loop_timer *t = h->at[0];
    timer_heap_clear(h, t);
    return t;
}

uint64_t timer_heap_next(const struct timer_heap *h)
{
    return h->n ? h->at[0]->due_ns : UINT64_MAX;
}

void timer_heap_release(struct timer_heap *h)
{
    free(h->at);
    *h = (struct timer_heap){NULL, 0, 0};
}
