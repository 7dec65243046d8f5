#include "router/admission/guess.h"

#include "base/clock.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <xxhash.h>

#define BURST_NS (2 * NS_PER_S)

struct guesses *guesses_new(void)
{
    struct guesses *g = calloc(1, sizeof(*g));
    if (g != NULL && RAND_bytes((unsigned char *)&g->seed, sizeof(g->seed)) != 1)
        g->seed = clock_wall_ns();
    return g;
}

void guesses_free(struct guesses *g)
{
    free(g);
}

static uint64_t read_relaxed(const _Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

/* The network's place, or the one of its set that owes least, which it takes over. */
static struct guess_place *place_of(struct guesses *g, const struct address *client)
{
    struct address network = address_network(client);
    uint64_t who = XXH3_64bits_withSeed(network.at, sizeof(network.at), g->seed);
    who += who == 0;
    struct guess_place *set = g->places[who % GUESS_SETS], *least = &set[0];
    for (int i = 0; i < GUESS_WAYS; i++) {
        if (read_relaxed(&set[i].who) == who)
            return &set[i];
        if (read_relaxed(&set[i].tat_ns) < read_relaxed(&least->tat_ns))
            least = &set[i];
    }
    atomic_store_explicit(&least->who, who, memory_order_relaxed);
    atomic_store_explicit(&least->tat_ns, 0, memory_order_relaxed);
    return least;
}

uint64_t guess_failed(struct guesses *g, const struct address *client, uint64_t rate,
                      uint64_t most_ns, uint64_t now_ns)
{
    if (rate == 0)
        return 0;
    struct guess_place *p = place_of(g, client);
    uint64_t cost = NS_PER_S / rate, tat = read_relaxed(&p->tat_ns), next, ready;
    cost += cost == 0;
    do {
        next = (tat > now_ns ? tat : now_ns) + cost;
        ready = next > now_ns + BURST_NS ? next - now_ns - BURST_NS : 0;
        if (ready > most_ns) /* it owes no more than that: whoever stops is free again soon */
            return most_ns;
    } while (!atomic_compare_exchange_weak_explicit(&p->tat_ns, &tat, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return ready;
}
