/* Who the tenants are, what they may do and which keys are theirs.
 *
 * A *snapshot* is immutable and refcounted: the whole config and all tenants and keys at one
 * moment. A `struct tenancy` holds the current one and makes the next from its source (files now)
 * on reload; a source that is wrong is refused with file:line:reason and the running snapshot
 * stays. Readers acquire a snapshot, use it without locks, release it.
 *
 * What must survive a reload (limit states, bytes in flight, counters) is in `struct
 * tenant_runtime`: one per tenant id for the life of the process, shared by all snapshots. */
#ifndef TENANCY_TENANCY_H
#define TENANCY_TENANCY_H

#include "base/metrics.h"
#include "tenancy/conf.h"
#include "tenancy/keys/key.h"
#include "tenancy/limits/day_count.h"
#include "tenancy/limits/limit.h"
#include "tenancy/limits/meter.h"
#include "tenancy/limits/refusals.h"

#include <pthread.h>

/* Limits: [SIGNAL_COUNT] is the tenant's total. */
enum { LIMIT_SCOPE_COUNT = SIGNAL_COUNT + 1 };

struct tenant_limits {
    struct limit bytes, items, requests;
    uint64_t daily; /* bytes; 0 = unlimited */
};
struct tenant_limit_states {
    struct limit_state bytes, items, requests;
    struct day_count today; /* bytes that Kafka has, or may have, and those on their way there */
};

struct tenant_metrics;
struct tenant_runtime {
    char *id;
    struct tenant_limit_states limits[LIMIT_SCOPE_COUNT];
    struct day_count items[SIGNAL_COUNT], requests[SIGNAL_COUNT]; /* accepted today */
    struct {
        struct meter bytes, items, requests;
    } rates[SIGNAL_COUNT];                    /* of what is counted above */
    struct limit_state pages;                 /* a tenant asks about itself (router/http/pages.c) */
    pthread_mutex_t lock;                     /* of: */
    struct refusals refusals;                 /* tenant_refused, tenant_refusals */
    _Atomic uint64_t in_flight;               /* bytes from admission to delivery report */
    _Atomic(struct tenant_metrics *) metrics; /* router/metrics.c makes and frees it */
};

struct tenant {
    const struct tenant_conf *conf;
    const char *id;
    bool unreadable; /* its file is wrong and no earlier content is known: besides this there are
                        only id, suspension, runtime and keys */
    bool suspended;  /* tenants.d/<id>.suspended exists */
    const char *suspended_reason; /* "" when none was given */
    struct tenant_limits limits[LIMIT_SCOPE_COUNT];
    const char *topic[SIGNAL_COUNT]; /* "otlp.acme.logs"; from nowhere else */
    const char *dlq_topic;
    const char *group; /* consumer group "tenantry.acme"; "tenantry.<prefix>.acme" when it is not
                          "otlp" */
    struct tenant_runtime *runtime;
    const struct key *keys;
    size_t n_keys;
    const struct option_origins *origins; /* for `tenant show` */
};

/* topics.partition_by, for signals whose items belong to traces. */
static inline bool tenant_partitions_by_trace(const struct tenant *t, enum signal signal)
{
    return signal != SIGNAL_METRICS && t->conf != NULL &&
           t->conf->topics.partition_by == PARTITION_BY_TRACE_ID;
}

struct snapshot {
    _Atomic unsigned refs;
    uint64_t version; /* grows by 1 with every snapshot taken into use */
    const struct conf *conf;
    const struct option_origins *conf_origins; /* for `config` */
    const struct tenant *tenants;              /* sorted by id */
    size_t n_tenants;
    const struct tenant *unreadable; /* those whose file is wrong, sorted by id */
    size_t n_unreadable;
    const struct key_index *key_index; /* by key id */
    bool keys_unreadable;   /* a key file is wrong and no earlier content of it is known */
    struct entry **entries; /* what was read, shared with other snapshots: own the above */
    size_t n_entries;
    struct arena arena; /* owns the arrays */
};

/* One more refusal of the tenant's; `reason` is a literal. Thread: any. Locks: the runtime's. */
void tenant_refused(struct tenant_runtime *rt, uint64_t wall_ns, const char *reason,
                    enum signal signal);
/* The last ones, copied. Thread: any. Locks: the runtime's. */
void tenant_refusals(struct tenant_runtime *rt, struct refusals *ret);

struct tenancy;

/* Reads `file` and the folders it names. `only` restricts it to one tenant's file and opens no
 * other's (the worker; it reads no keys either); NULL = all. The config's relative paths are
 * relative to the folder of `file`. NULL with a sentence when `file`, or the file of `only`, is
 * wrong; without `only` a wrong tenant file makes an unreadable tenant, a wrong key file is left
 * out; both are told by tenancy_notices. */
struct tenancy *tenancy_open(const char *file, const char *only, struct errbuf *err);
void tenancy_close(struct tenancy *t);
/* The current snapshot with a reference added. Thread: any. */
struct snapshot *tenancy_acquire(struct tenancy *t);
/* Its version, to acquire again only after a change. Thread: any. Locks: none. */
uint64_t tenancy_version(const struct tenancy *t);
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_release(struct snapshot *s); /* NULL is fine */
/* True when files changed since the last read (stat only). Thread: the one that reloads. */
bool tenancy_changed(struct tenancy *t);
/* Reads again. 1 = a new snapshot is in use, 0 = nothing changed, negative = refused, sentence in
 * err and the running snapshot stays. A broken tenant or key file keeps that file's previous entry
 * in use; the others reload, so that there can be notices beside a 1. Thread: one at a time. */
int tenancy_reload(struct tenancy *t, struct errbuf *err);

/* What the last open or reload has to say besides its result; the owner logs it. */
struct tenancy_notice {
    bool refused; /* a file's content is not in use; else it takes effect after a restart */
    const char *text;
};
/* All of them, valid until the next reload. A refusal that is the result of tenancy_reload is among
 * them. Thread: the one that reloads. */
const struct tenancy_notice *tenancy_notices(const struct tenancy *t, size_t *ret_n);

/* Whether some file is not in use because its content is wrong. Thread: the one that reloads. */
bool tenancy_refuses(const struct tenancy *t);

/* Writes them to the log. */
void tenancy_log_notices(const struct tenancy *t);

const struct tenant *snapshot_tenant(const struct snapshot *s, struct slice id);

enum auth_verdict {
    AUTH_OK,
    AUTH_MISSING,    /* no text at all */
    AUTH_NOT_A_KEY,  /* not of the form */
    AUTH_CHECKSUM,   /* a typo, or a guess by one who does not know the form */
    AUTH_UNKNOWN,    /* no such key id */
    AUTH_UNREADABLE, /* nor can there be told: a key file is wrong, and no earlier content known */
    AUTH_SECRET,     /* the id exists, the secret is wrong */
    AUTH_REVOKED,
    AUTH_EXPIRED,
    AUTH_SEVERAL,     /* the caller's: more than one key */
    AUTH_CERTIFICATE, /* the caller's: the client certificate does not name the key's tenant */
    AUTH_SIGNAL,      /* the caller's: the key may not send this signal */
    AUTH_VERDICT_COUNT
};
/* Finds the tenant and key of a key's text; also when it is revoked or expired. The tenant may be
 * an unreadable one. All refusals look the same to the caller of the service and cost the same
 * work: a look-up, a hash, a comparison. */
enum auth_verdict snapshot_authenticate(const struct snapshot *s, struct slice key_text,
                                        uint64_t wall_s, const struct tenant **ret_tenant,
                                        const struct key **ret_key);

/* The limits of a key of this snapshot as this router applies them, [LIMIT_SCOPE_COUNT], or NULL
 * when it has none of its own. Their states are the key's runtime's. */
const struct tenant_limits *snapshot_key_limits(const struct snapshot *s, const struct key *k);

/* Fills topics, DLQ and group from the tenant's id and kafka.prefix; snapshots hold them already.
 * False: the arena is spent. */
bool tenant_name(struct tenant *t, const char *prefix, struct arena *a);

/* A tenant id becomes a topic, group and file name: 1-63 of a-z, 0-9, '-', '_', beginning and
 * ending with a letter or digit. 0 or -EINVAL with a sentence. */
int tenant_id_check(struct slice id, struct errbuf *err);

#endif
