/* From what the source lists to the entries of the next snapshot: unchanged ones are taken over,
 * changed ones are read, wrong ones leave the previous entry in place. */
#ifndef TENANCY_GATHER_H
#define TENANCY_GATHER_H

#include "tenancy/reload/snapshot.h"

/* One entry of the next snapshot. */
struct candidate {
    struct entry *use;      /* owned reference; NULL = left out */
    struct entry *previous; /* borrowed from the running snapshot; NULL = none */
};

struct gathering {
    struct candidate *at; /* sorted as entries are; the conf first */
    size_t n;
    struct tenancy_notice *notices; /* texts owned */
    size_t n_notices;
};

/* Adds a notice; `text` is copied. 0 or -ENOMEM. */
int gathering_note(struct gathering *g, bool refused, const char *text);
/* Fills `g` (zeroed by the caller, released on both outcomes): `conf` (a reference is added) and
 * what `list` holds. `running` may be NULL. 0 or -ENOMEM. */
int gathering_fill(struct gathering *g, struct entry *conf, const struct source_list *list,
                   const struct snapshot *running, struct errbuf *err);
/* What is used instead of a refused entry: the previous one; of a tenant that has none, an
 * unreadable one, so that its senders are not told that their keys are wrong. 0 or -ENOMEM. */
int candidate_fall_back(struct candidate *c, enum source_kind kind, const char *name,
                        const char *origin);
/* Sets back to its previous entry what claims something that another has: a database, or a key's
 * id. Each with a notice that names both. 0 or -ENOMEM. */
int gathering_settle(struct gathering *g, struct errbuf *err);
void gathering_release(struct gathering *g);

#endif
