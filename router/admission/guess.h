/* Who fails to show a key too often is answered later (docs/security.md): failures per address, an
 * IPv6 /64 counting as one, each a GCRA bucket in a table of fixed size. Only failures are looked
 * up: a good key behind the same address passes as ever. Thread: any. Locks: none; two loops that
 * take a place at the same moment may lose one of two counts. */
#ifndef ROUTER_GUESS_H
#define ROUTER_GUESS_H

#include "base/address.h"

#include <stdatomic.h>

#define GUESS_SETS 16384
#define GUESS_WAYS 4

struct guesses {
    uint64_t seed; /* nobody can choose addresses that share a set */
    struct guess_place {
        _Atomic uint64_t who; /* hash of the network; 0 = free */
        _Atomic uint64_t tat_ns;
    } places[GUESS_SETS][GUESS_WAYS];
    _Atomic unsigned held; /* answers that wait now */
};

/* 1 MiB, or NULL. */
struct guesses *guesses_new(void);
void guesses_free(struct guesses *g);
/* One more failure of `client`: how long its answer is to wait, at most `most_ns`. `rate` per
 * second are answered at once, two seconds of them in a burst; 0 = all. */
uint64_t guess_failed(struct guesses *g, const struct address *client, uint64_t rate,
                      uint64_t most_ns, uint64_t now_ns);

#endif
