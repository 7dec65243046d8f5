/* A hash table with open addressing. It only grows, and its entries stay where they are, so that
 * whoever found one may keep it. */
#include "router/produce/senders.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct senders {
    pthread_rwlock_t lock; /* of: */
    struct sender **slots;
    size_t capacity, count; /* capacity: a power of two */
};

#define FIRST_CAPACITY 64

struct senders *senders_new(void)
{
    struct senders *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->capacity = FIRST_CAPACITY;
    s->slots = calloc(s->capacity, sizeof(*s->slots));
    if (s->slots == NULL) {
        free(s);
        return NULL;
    }
    pthread_rwlock_init(&s->lock, NULL);
    return s;
}

static void sender_free(struct sender *m)
{
    if (m == NULL)
        return;
    pthread_mutex_destroy(&m->lock);
    free(m->id);
    free(m);
}

void senders_free(struct senders *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->capacity; i++)
        sender_free(s->slots[i]);
    free(s->slots);
    pthread_rwlock_destroy(&s->lock);
    free(s);
}

static struct sender **find_slot(struct sender **slots, size_t capacity, const char *id,
                                 uint64_t hash)
{
    for (size_t i = hash;; i++) {
        struct sender **slot = &slots[i & (capacity - 1)];
        if (*slot == NULL || ((*slot)->hash == hash && strcmp((*slot)->id, id) == 0))
            return slot;
    }
}

static bool grow(struct senders *s)
{
    size_t capacity = s->capacity * 2;
    struct sender **slots = calloc(capacity, sizeof(struct sender *));
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < s->capacity; i++)
        if (s->slots[i] != NULL)
            *find_slot(slots, capacity, s->slots[i]->id, s->slots[i]->hash) = s->slots[i];
    free(s->slots);
    s->slots = slots;
    s->capacity = capacity;
    return true;
}

/* Locks: held for writing. */
static struct sender *add(struct senders *s, const char *id, uint64_t hash)
{
    if (s->count * 2 >= s->capacity && !grow(s))
        return NULL;
    struct sender **slot = find_slot(s->slots, s->capacity, id, hash);
    if (*slot != NULL)
        return *slot;
    struct sender *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return NULL;
    m->hash = hash;
    m->id = strdup(id);
    pthread_mutex_init(&m->lock, NULL);
    if (m->id == NULL) {
        sender_free(m);
        return NULL;
    }
    s->count++;
    return *slot = m;
}

static struct sender *find(struct senders *s, const char *id, uint64_t hash)
{
    pthread_rwlock_rdlock(&s->lock);
    struct sender *m = *find_slot(s->slots, s->capacity, id, hash);
    pthread_rwlock_unlock(&s->lock);
    return m;
}

struct sender *senders_find(struct senders *s, const char *tenant)
{
    return find(s, tenant, XXH3_64bits(tenant, strlen(tenant)));
}

struct sender *senders_get(struct senders *s, const char *tenant)
{
    uint64_t hash = XXH3_64bits(tenant, strlen(tenant));
    struct sender *m = find(s, tenant, hash);
    if (m != NULL)
        return m;
    pthread_rwlock_wrlock(&s->lock);
    m = add(s, tenant, hash);
    pthread_rwlock_unlock(&s->lock);
    return m;
}
