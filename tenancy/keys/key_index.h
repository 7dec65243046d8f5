/* All keys of a snapshot by their id: an open hash table, made once, then read only. */
#ifndef TENANCY_KEY_INDEX_H
#define TENANCY_KEY_INDEX_H

#include "tenancy/tenancy.h"

/* The keys of these tenants, with their limits by `conf`. NULL when memory is spent. */
const struct key_index *key_index_make(const struct tenant *tenants, size_t n,
                                       const struct conf *conf, struct arena *a);
/* Limits that differ from those that the key has in `before` (may be NULL) start full. */
void key_index_reset_changed(const struct key_index *x, const struct key_index *before);
/* The key and its tenant, or NULL. `id` is KEY_ID_LENGTH bytes. Allocates nothing. */
const struct key *key_index_find(const struct key_index *x, const uint8_t *id,
                                 const struct tenant **ret_tenant);

/* The limits of a key of the index that has some, [LIMIT_SCOPE_COUNT]. */
const struct tenant_limits *key_index_limits(const struct key_index *x, const struct key *k);

#endif
