/* The part of a key that outlives snapshots: what was sent with it. Made once per key id, never
 * freed: bounded by the keys that were ever configured while the process lives. Counting is a few
 * relaxed atomics; usage_file.h tells how it gets to `tenantry key list`. */
#ifndef TENANCY_KEY_RUNTIME_H
#define TENANCY_KEY_RUNTIME_H

#include "tenancy/tenancy.h"

#include <stdatomic.h>

struct key_runtime {
    _Atomic uint64_t uses[SIGNAL_COUNT]; /* requests that were authenticated with it */
    _Atomic uint64_t last_used_s;        /* wall clock; 0 = never */
    _Atomic uint64_t refused;            /* requests with it since it was revoked or expired */
    _Atomic uint64_t last_refused_s;
    _Atomic(struct tenant_limit_states *) limits; /* NULL until the key has limits */
    char id[KEY_ID_LENGTH + 1];
    struct key_runtime *next; /* the registry's */
};

/* Finds or makes it. NULL when memory is spent. Thread: any. Locks: the registry's. */
struct key_runtime *key_runtime(const char *id);
/* All of them, in no order. Thread: any. Locks: the registry's, while `see` runs. */
void key_runtime_each(void (*see)(struct key_runtime *rt, void *arg), void *arg);
/* The states of its limits, [LIMIT_SCOPE_COUNT], made when they are not there. NULL when memory is
 * spent. Thread: the one that reloads. */
struct tenant_limit_states *key_limit_states(struct key_runtime *rt);
/* One request came with the key. Thread: any. Locks: none. */
void key_count_use(struct key_runtime *rt, enum signal signal, uint64_t wall_s);
void key_count_refused(struct key_runtime *rt, uint64_t wall_s);

#endif
