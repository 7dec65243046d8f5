/* One entry of a source, read and checked: immutable and refcounted, shared by all snapshots made
 * while its content stays the same. Thread: any, for references; the rest is read-only. */
#ifndef TENANCY_ENTRY_H
#define TENANCY_ENTRY_H

#include "tenancy/reload/source.h"
#include "tenancy/tenancy.h"

struct entry {
    _Atomic unsigned refs;
    enum source_kind kind;
    uint64_t version;
    const char *name, *origin;
    struct option_origins origins; /* of conf or tenant */
    struct conf *conf;             /* SOURCE_CONF */
    struct entry *boot;            /* SOURCE_CONF: the entry whose strings conf may borrow */
    struct tenant_conf *tenant;    /* SOURCE_TENANT; NULL when it could not be read */
    struct key *keys;              /* SOURCE_KEYS */
    size_t n_keys;
    const char *reason; /* SOURCE_SUSPENDED */
    bool unreadable;
    struct arena arena; /* owns all of the above but boot */
};

/* Reads what the source said. `state` is the state folder that a tenant's database path is relative
 * to. NULL with a sentence when it is wrong. */
struct entry *entry_parse(const struct source_entry *from, const char *state, struct errbuf *err);
/* An entry of a tenant or its keys whose file is there and wrong, with nothing known but its name.
 * NULL when memory is spent. */
struct entry *entry_unreadable(enum source_kind kind, const char *name, const char *origin);
struct entry *entry_ref(struct entry *e);
void entry_release(struct entry *e); /* NULL is fine */

#endif
