/* The part of a tenant that outlives snapshots. Made once per id, never freed: bounded by the
 * tenants that were ever configured while the process lives. */
#ifndef TENANCY_RUNTIME_H
#define TENANCY_RUNTIME_H

#include "tenancy/tenancy.h"

/* Finds or makes it. NULL when memory is spent. Thread: any. Locks: the registry's. */
struct tenant_runtime *tenant_runtime(const char *id);
/* All of them, in no order. Thread: any. Locks: the registry's, while `see` runs. */
void tenant_runtime_each(void (*see)(struct tenant_runtime *rt, void *arg), void *arg);

#endif
