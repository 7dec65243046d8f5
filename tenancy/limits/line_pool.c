/* Who owns a line is told by both sides: limit_state.queue names the line, limit_queue.owner the
 * limit. The owner changes under the line's lock only, and a line is used only by who finds itself
 * its owner under that lock: a pointer read before may be old, never dangling.
 *
 * Taking a line away writes to the limit it is taken from; limit_state.queue is written last, and
 * line_release waits for the lock until it sees that: the limit may be freed then. */
#include "tenancy/limits/line_pool.h"

#include <pthread.h>
#include <stdlib.h>

/* Lines that are looked at for an idle one, by each refusal of a limit that has none. */
#define LOOKED_AT 16

struct limit_queue {
    pthread_mutex_t lock;
    struct limit_state *owner; /* NULL = free */
    struct limit_line line;
};

static struct {
    pthread_mutex_t lock; /* taken before a line's */
    struct limit_queue *at[LINE_POOL_SIZE];
    size_t n, hand; /* made; where to look next */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct limit_queue *queue_of(struct limit_line *line)
{
    return (struct limit_queue *)((char *)line - offsetof(struct limit_queue, line));
}

struct limit_line *line_open(struct limit_state *s, uint64_t now_ns)
{
    struct limit_queue *q = atomic_load_explicit(&s->queue, memory_order_acquire);
    if (q == NULL)
        return NULL;
    pthread_mutex_lock(&q->lock);
    if (q->owner != s) {
        pthread_mutex_unlock(&q->lock);
        return NULL;
    }
    limit_line_sweep(&q->line, now_ns);
    return &q->line;
}

void line_close(struct limit_state *s, struct limit_line *line)
{
    atomic_store_explicit(&s->promised_ns, line->promised_ns, memory_order_relaxed);
    pthread_mutex_unlock(&queue_of(line)->lock);
}

static struct limit_queue *new_queue(void)
{
    if (pool.n == LINE_POOL_SIZE)
        return NULL;
    struct limit_queue *q = calloc(1, sizeof(*q));
    if (q == NULL)
        return NULL;
    pthread_mutex_init(&q->lock, NULL);
    pthread_mutex_lock(&q->lock);
    pool.at[pool.n++] = q;
    return q;
}

/* With its lock, when nobody stands in it. */
static bool take_if_idle(struct limit_queue *q, uint64_t now_ns)
{
    if (pthread_mutex_trylock(&q->lock) != 0)
        return false;
    limit_line_sweep(&q->line, now_ns);
    if (q->line.promised_ns == 0)
        return true;
    pthread_mutex_unlock(&q->lock);
    return false;
}

static struct limit_queue *idle_queue(uint64_t now_ns)
{
    for (size_t i = 0; i < LOOKED_AT && i < pool.n; i++) {
        struct limit_queue *q = pool.at[pool.hand++ % pool.n];
        if (!take_if_idle(q, now_ns))
            continue;
        if (q->owner != NULL) {
            atomic_store_explicit(&q->owner->promised_ns, 0, memory_order_relaxed);
            atomic_store_explicit(&q->owner->queue, NULL, memory_order_release);
        }
        return q;
    }
    return NULL;
}

struct limit_line *line_make(struct limit_state *s, uint64_t now_ns)
{
    struct limit_line *line = line_open(s, now_ns);
    if (line != NULL)
        return line;
    pthread_mutex_lock(&pool.lock);
    line = line_open(s, now_ns); /* another thread may have been first */
    if (line == NULL) {
        struct limit_queue *q = idle_queue(now_ns);
        if (q == NULL)
            q = new_queue();
        if (q != NULL) {
            q->owner = s;
            q->line = (struct limit_line){0};
            atomic_store_explicit(&s->queue, q, memory_order_release);
            line = &q->line;
        }
    }
    pthread_mutex_unlock(&pool.lock);
    return line;
}

void line_release(struct limit_state *s)
{
    struct limit_queue *q = atomic_load_explicit(&s->queue, memory_order_acquire);
    if (q == NULL)
        return;
    pthread_mutex_lock(&q->lock);
    if (q->owner == s) {
        q->owner = NULL;
        q->line = (struct limit_line){0};
    }
    pthread_mutex_unlock(&q->lock);
    atomic_store(&s->queue, NULL);
}
