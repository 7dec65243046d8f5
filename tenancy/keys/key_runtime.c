#include "tenancy/keys/key_runtime.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdlib.h>

#define BUCKETS 16384

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct key_runtime *buckets[BUCKETS];

struct key_runtime *key_runtime(const char *id)
{
    struct key_runtime **head = &buckets[hash_slice(HASH_START, slice_str(id)) % BUCKETS];
    pthread_mutex_lock(&lock);
    struct key_runtime *rt = *head;
    while (rt != NULL && strcmp(rt->id, id) != 0)
        rt = rt->next;
    if (rt == NULL && (rt = calloc(1, sizeof(*rt))) != NULL) {
        memcpy(rt->id, id, KEY_ID_LENGTH);
        rt->next = *head;
        *head = rt;
    }
    pthread_mutex_unlock(&lock);
    return rt;
}

struct tenant_limit_states *key_limit_states(struct key_runtime *rt)
{
    struct tenant_limit_states *s = atomic_load(&rt->limits);
    if (s != NULL)
        return s;
    s = calloc(LIMIT_SCOPE_COUNT, sizeof(*s));
    atomic_store(&rt->limits, s);
    return s;
}

void key_runtime_each(void (*see)(struct key_runtime *rt, void *arg), void *arg)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct key_runtime *rt = buckets[i]; rt != NULL; rt = rt->next)
            see(rt, arg);
    pthread_mutex_unlock(&lock);
}

/* Once a second at most, so that loops do not take the line from each other for it. */
static void note_time(_Atomic uint64_t *last, uint64_t wall_s)
{
    if (atomic_load_explicit(last, memory_order_relaxed) < wall_s)
        atomic_store_explicit(last, wall_s, memory_order_relaxed);
}

void key_count_use(struct key_runtime *rt, enum signal signal, uint64_t wall_s)
{
    atomic_fetch_add_explicit(&rt->uses[signal], 1, memory_order_relaxed);
    note_time(&rt->last_used_s, wall_s);
}

void key_count_refused(struct key_runtime *rt, uint64_t wall_s)
{
    atomic_fetch_add_explicit(&rt->refused, 1, memory_order_relaxed);
    note_time(&rt->last_refused_s, wall_s);
}
