#include "tenancy/runtime.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdlib.h>

#define BUCKETS 4096

struct node {
    struct tenant_runtime runtime;
    struct node *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct node *buckets[BUCKETS];

static struct node *node_new(const char *id)
{
    struct node *n = calloc(1, sizeof(*n));
    char *copy = strdup(id);
    if (n == NULL || copy == NULL) {
        free(n);
        free(copy);
        return NULL;
    }
    n->runtime.id = copy;
    pthread_mutex_init(&n->runtime.lock, NULL);
    return n;
}

struct tenant_runtime *tenant_runtime(const char *id)
{
    struct node **head = &buckets[hash_slice(HASH_START, slice_str(id)) % BUCKETS];
    pthread_mutex_lock(&lock);
    struct node *n = *head;
    while (n != NULL && strcmp(n->runtime.id, id) != 0)
        n = n->next;
    if (n == NULL && (n = node_new(id)) != NULL) {
        n->next = *head;
        *head = n;
    }
    pthread_mutex_unlock(&lock);
    return n ? &n->runtime : NULL;
}

void tenant_runtime_each(void (*see)(struct tenant_runtime *rt, void *arg), void *arg)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct node *n = buckets[i]; n != NULL; n = n->next)
            see(&n->runtime, arg);
    pthread_mutex_unlock(&lock);
}

void tenant_refused(struct tenant_runtime *rt, uint64_t wall_ns, const char *reason,
                    enum signal signal)
{
    pthread_mutex_lock(&rt->lock);
    refusals_add(&rt->refusals, wall_ns, reason, signal);
    pthread_mutex_unlock(&rt->lock);
}

void tenant_refusals(struct tenant_runtime *rt, struct refusals *ret)
{
    pthread_mutex_lock(&rt->lock);
    *ret = rt->refusals;
    pthread_mutex_unlock(&rt->lock);
}
