#include "router/net/address_table.h"

#include "base/clock.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SHARDS         16 /* one lock each */
#define BUCKETS        1024
#define IDLE           (ADDRESS_TABLE_IDLE / SHARDS)
#define BURST_NS       (2 * NS_PER_S)
#define FORGOTTEN_A_GO 4 /* idle entries looked at when one is added */

struct address_entry {
    struct address_entry *next;          /* of its bucket */
    struct address_entry *newer, *older; /* of those without connections */
    uint64_t connections, handshakes;
    uint64_t full_at_ns; /* a new connection pushes it away by 1 s / rate; far ahead: too often */
    uint8_t network[16];
    unsigned shard, bucket;
};

struct shard {
    pthread_mutex_t lock;
    struct address_entry *buckets[BUCKETS];
    struct address_entry *newest, *oldest; /* without connections */
    size_t n, n_idle;
};

struct address_table {
    uint64_t seed; /* so that nobody can choose addresses that meet */
    struct shard shards[SHARDS];
};

struct address_table *address_table_new(void)
{
    struct address_table *t = calloc(1, sizeof(*t));
    if (t == NULL || RAND_bytes((unsigned char *)&t->seed, sizeof(t->seed)) != 1) {
        free(t);
        return NULL;
    }
    for (int i = 0; i < SHARDS; i++)
        pthread_mutex_init(&t->shards[i].lock, NULL);
    return t;
}

void address_table_free(struct address_table *t)
{
    for (int i = 0; t != NULL && i < SHARDS; i++) {
        for (int b = 0; b < BUCKETS; b++)
            for (struct address_entry *e = t->shards[i].buckets[b], *next; e != NULL; e = next) {
                next = e->next;
                free(e);
            }
        pthread_mutex_destroy(&t->shards[i].lock);
    }
    free(t);
}

/* -- entries without connections, in the order in which they became so -- */

static void idle_add(struct shard *s, struct address_entry *e)
{
    e->newer = NULL;
    e->older = s->newest;
    if (s->newest != NULL)
        s->newest->newer = e;
    else
        s->oldest = e;
    s->newest = e;
    s->n_idle++;
}

static void idle_remove(struct shard *s, struct address_entry *e)
{
    *(e->newer ? &e->newer->older : &s->newest) = e->older;
    *(e->older ? &e->older->newer : &s->oldest) = e->newer;
    s->n_idle--;
}

static void forget(struct shard *s, struct address_entry *e)
{
    struct address_entry **at = &s->buckets[e->bucket];
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    s->n--;
    free(e);
}

/* Those whose pace is no matter any more, and the oldest when there are too many. */
static void forget_some(struct shard *s, uint64_t now_ns)
{
    for (int i = 0; i < FORGOTTEN_A_GO && s->oldest != NULL; i++) {
        struct address_entry *e = s->oldest;
        if (e->full_at_ns > now_ns && s->n_idle <= IDLE)
            return;
        idle_remove(s, e);
        forget(s, e);
    }
}

/* -- the table -- */

static struct address_entry *find(struct address_table *t, const struct address *network,
                                  unsigned shard, unsigned bucket)
{
    struct address_entry *e = t->shards[shard].buckets[bucket];
    while (e != NULL && memcmp(e->network, network->at, sizeof(e->network)) != 0)
        e = e->next;
    return e;
}

static struct address_entry *add(struct shard *s, const struct address *network, unsigned shard,
                                 unsigned bucket)
{
    struct address_entry *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return NULL;
    memcpy(e->network, network->at, sizeof(e->network));
    e->shard = shard;
    e->bucket = bucket;
    e->next = s->buckets[bucket];
    s->buckets[bucket] = e;
    s->n++;
    idle_add(s, e);
    return e;
}

/* Refused connections do not count against the pace: who stops being too fast is let in again. */
static enum address_verdict judge(struct address_entry *e, const struct address_limits *limits,
                                  bool handshake, uint64_t now_ns)
{
    if (limits->connections != 0 && e->connections >= limits->connections)
        return ADDRESS_CONNECTIONS;
    if (handshake && limits->handshakes != 0 && e->handshakes >= limits->handshakes)
        return ADDRESS_HANDSHAKES;
    if (limits->rate == 0)
        return ADDRESS_WELCOME;
    uint64_t from = e->full_at_ns > now_ns ? e->full_at_ns : now_ns;
    uint64_t to = from + NS_PER_S / limits->rate;
    if (to > now_ns + BURST_NS)
        return ADDRESS_RATE;
    e->full_at_ns = to;
    return ADDRESS_WELCOME;
}

enum address_verdict address_enter(struct address_table *t, const struct address *client,
                                   const struct address_limits *limits, bool handshake,
                                   uint64_t now_ns, struct address_entry **ret)
{
    struct address network = address_network(client);
    uint64_t hash = XXH3_64bits_withSeed(network.at, sizeof(network.at), t->seed);
    unsigned shard = (unsigned)(hash % SHARDS), bucket = (unsigned)(hash / SHARDS % BUCKETS);
    struct shard *s = &t->shards[shard];
    enum address_verdict verdict = ADDRESS_WELCOME;
    pthread_mutex_lock(&s->lock);
    struct address_entry *e = find(t, &network, shard, bucket);
    if (e == NULL)
        e = add(s, &network, shard, bucket);
    if (e != NULL)
        verdict = judge(e, limits, handshake, now_ns);
    if (e != NULL && verdict == ADDRESS_WELCOME) {
        if (e->connections++ == 0)
            idle_remove(s, e);
        e->handshakes += handshake;
    }
    forget_some(s, now_ns);
    pthread_mutex_unlock(&s->lock);
    *ret = verdict == ADDRESS_WELCOME ? e : NULL;
    return verdict;
}

void address_handshake_done(struct address_table *t, struct address_entry *e)
{
    if (e == NULL)
        return;
    struct shard *s = &t->shards[e->shard];
    pthread_mutex_lock(&s->lock);
    e->handshakes--;
    pthread_mutex_unlock(&s->lock);
}

void address_leave(struct address_table *t, struct address_entry *e, uint64_t now_ns)
{
    if (e == NULL)
        return;
    struct shard *s = &t->shards[e->shard];
    pthread_mutex_lock(&s->lock);
    if (--e->connections == 0)
        idle_add(s, e);
    forget_some(s, now_ns);
    pthread_mutex_unlock(&s->lock);
}

size_t address_table_size(struct address_table *t)
{
    size_t n = 0;
    for (int i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&t->shards[i].lock);
        n += t->shards[i].n;
        pthread_mutex_unlock(&t->shards[i].lock);
    }
    return n;
}
