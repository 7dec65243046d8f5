/* A hash table with open addressing, which only grows. */
#include "router/produce/partitions.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define FIRST_CAPACITY 64

struct partitions_table {
    pthread_rwlock_t lock; /* of: */
    struct partitions **slots;
    size_t capacity, count; /* capacity: a power of two */
};

struct partitions_table *partitions_new(void)
{
    struct partitions_table *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->capacity = FIRST_CAPACITY;
    t->slots = calloc(t->capacity, sizeof(struct partitions *));
    if (t->slots == NULL) {
        free(t);
        return NULL;
    }
    pthread_rwlock_init(&t->lock, NULL);
    return t;
}

static struct partitions **find_slot(struct partitions **slots, size_t capacity, const char *topic)
{
    for (size_t i = XXH3_64bits(topic, strlen(topic));; i++) {
        struct partitions **slot = &slots[i & (capacity - 1)];
        if (*slot == NULL || strcmp(rd_kafka_topic_name((*slot)->rkt), topic) == 0)
            return slot;
    }
}

static struct partitions *find(struct partitions_table *t, const char *topic)
{
    pthread_rwlock_rdlock(&t->lock);
    struct partitions *p = *find_slot(t->slots, t->capacity, topic);
    pthread_rwlock_unlock(&t->lock);
    return p;
}

static bool make_room(struct partitions_table *t)
{
    if (t->count * 2 < t->capacity)
        return true;
    size_t capacity = t->capacity * 2;
    struct partitions **slots = calloc(capacity, sizeof(struct partitions *));
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < t->capacity; i++)
        if (t->slots[i] != NULL)
            *find_slot(slots, capacity, rd_kafka_topic_name(t->slots[i]->rkt)) = t->slots[i];
    free(t->slots);
    t->slots = slots;
    t->capacity = capacity;
    return true;
}

/* The table is locked. */
static struct partitions *add(struct partitions_table *t, rd_kafka_t *rk, const char *topic)
{
    struct partitions *p = make_room(t) ? calloc(1, sizeof(*p)) : NULL;
    if (p == NULL || (p->rkt = rd_kafka_topic_new(rk, topic, NULL)) == NULL) {
        free(p);
        return NULL;
    }
    t->count++;
    return *find_slot(t->slots, t->capacity, topic) = p;
}

struct partitions *partitions_get(struct partitions_table *t, rd_kafka_t *rk, const char *topic)
{
    struct partitions *p = find(t, topic);
    if (p != NULL)
        return p;
    pthread_rwlock_wrlock(&t->lock);
    p = *find_slot(t->slots, t->capacity, topic);
    if (p == NULL)
        p = add(t, rk, topic);
    pthread_rwlock_unlock(&t->lock);
    return p;
}

/* The leaders first: who sees the number sees them, too. */
static void note(struct partitions *p, const struct rd_kafka_metadata_topic *m)
{
    bool missing = m->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    uint64_t leaderless[PARTITIONS_MOST / 64] = {0};
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR && !missing)
        return; /* what was known may still be true */
    for (int i = 0; i < m->partition_cnt; i++)
        if (m->partitions[i].id >= 0 && m->partitions[i].id < PARTITIONS_MOST &&
            m->partitions[i].leader < 0)
            leaderless[m->partitions[i].id / 64] |= UINT64_C(1) << m->partitions[i].id % 64;
    for (size_t i = 0; i < PARTITIONS_MOST / 64; i++)
        atomic_store(&p->leaderless[i], leaderless[i]);
    atomic_store(&p->missing, missing);
    atomic_store(&p->n, missing ? 0 : (unsigned)m->partition_cnt);
}

void partitions_note(struct partitions_table *t, const struct rd_kafka_metadata *m)
{
    for (int i = 0; i < m->topic_cnt; i++) {
        struct partitions *p = find(t, m->topics[i].topic);
        if (p != NULL)
            note(p, &m->topics[i]);
    }
}

bool partitions_has_leader(const struct partitions *p, unsigned partition)
{
    return partition >= PARTITIONS_MOST ||
           !(atomic_load(&p->leaderless[partition / 64]) >> partition % 64 & 1);
}

unsigned partitions_next(struct partitions *p, unsigned n)
{
    unsigned chosen = atomic_fetch_add(&p->chosen, 1);
    for (unsigned i = 0; i < n; i++)
        if (partitions_has_leader(p, (chosen + i) % n))
            return (chosen + i) % n;
    return chosen % n;
}

void partitions_release(struct partitions_table *t)
{
    for (size_t i = 0; i < t->capacity; i++)
        if (t->slots[i] != NULL)
            rd_kafka_topic_destroy(t->slots[i]->rkt);
}

void partitions_free(struct partitions_table *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->capacity; i++)
        free(t->slots[i]);
    free(t->slots);
    pthread_rwlock_destroy(&t->lock);
    free(t);
}
