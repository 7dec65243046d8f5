/* All keys of a snapshot by their id: an open hash table, made once, then read only. */
#ifndef TENANCY_KEY_INDEX_H
#define TENANCY_KEY_INDEX_H

#include "tenancy/tenancy.h"

/* The keys of these tenants. NULL when the arena is spent. */
const struct key_index *key_index_make(const struct tenant *tenants, size_t n, struct arena *a);
/* The key and its tenant, or NULL. `id` is KEY_ID_LENGTH bytes. Allocates nothing. */
const struct key *key_index_find(const struct key_index *x, const uint8_t *id,
                                 const struct tenant **ret_tenant);

#endif
