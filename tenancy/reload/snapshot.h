/* Making a snapshot from entries; reading one is in tenancy.h. */
#ifndef TENANCY_SNAPSHOT_H
#define TENANCY_SNAPSHOT_H

#include "tenancy/reload/entry.h"

/* Order of entries: by kind, then by name. */
int entry_order(enum source_kind kind_a, const char *name_a, enum source_kind kind_b,
                const char *name_b);
/* The entry of this kind and name in a sorted array, or NULL. */
struct entry *entry_find(struct entry *const *entries, size_t n, enum source_kind kind,
                         const char *name);

/* A snapshot with one reference. `entries` are sorted, the conf's first; each gets a reference of
 * its own. Limits that differ from those of `previous` (may be NULL) start with a full bucket. NULL
 * when memory is spent. */
struct snapshot *snapshot_make(struct entry *const *entries, size_t n,
                               const struct snapshot *previous, struct errbuf *err);

#endif
