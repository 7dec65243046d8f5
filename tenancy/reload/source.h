/* Where tenants, suspensions and keys come from. A source hands out versioned entries and knows
 * nothing of what stands in them; nothing else knows what the source is (files now; a compacted
 * Kafka topic that a fleet of routers follows is planned). Thread: the one that reloads. */
#ifndef TENANCY_SOURCE_H
#define TENANCY_SOURCE_H

#include "base/arena.h"
#include "base/errbuf.h"

enum source_kind {
    SOURCE_CONF,      /* tenantry.conf; read by tenancy.c itself, it says where the source is */
    SOURCE_TENANT,    /* a tenant's options */
    SOURCE_SUSPENDED, /* the tenant is suspended; the content is the reason */
    SOURCE_KEYS,      /* a tenant's keys */
};

struct source_entry {
    enum source_kind kind;
    const char *name;   /* the tenant's id, as the source says */
    const char *origin; /* what sentences call it: the file's path */
    uint64_t version;   /* other content, other version */
    struct slice content;
    const char *problem; /* NULL, or why the entry is there but cannot be read */
};

struct source_list {
    struct source_entry *at;
    size_t n;
    struct arena arena; /* owns all of it */
};

struct source;
struct source_ops {
    /* Fills `ret` (zeroed by the caller, who releases its arena on both outcomes) with all entries
     * there are. Fails only when the source as a whole cannot be read. */
    int (*read)(struct source *s, struct source_list *ret, struct errbuf *err);
    /* True when something changed since the last read; cheap. */
    bool (*changed)(struct source *s);
    void (*close)(struct source *s);
};
struct source {
    const struct source_ops *ops;
};

/* Files: <tenants>/<id>.conf, <tenants>/<id>.suspended and <keys>/<id>.keys. `only` restricts it to
 * one tenant's conf and suspension. Strings are copied. NULL with a sentence on failure. */
struct source *source_files_open(const char *tenants, const char *keys, const char *only,
                                 struct errbuf *err);
#endif
