#include "router/admission/key_usage.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/periodic.h"
#include "tenancy/keys/key_runtime.h"
#include "tenancy/keys/usage_file.h"
#include "tenancy/reload/entry.h"

#include <errno.h>
#include <stdlib.h>

/* Unchanged counts are written nevertheless, so that readers see a living router. */
#define HEARTBEAT 6

struct key_usage_log {
    struct tenancy *tenancy;
    struct usage_slot slot;
    uint64_t since_s, every_ns;
    struct periodic telling;
    /* Of who tells: the thread, before it starts and after it ended the others. */
    uint64_t told; /* hash of the lines written last */
    unsigned unchanged;
};

static uint64_t read_relaxed(const _Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

static void add_key(struct usage_report *r, const struct key_runtime *rt)
{
    struct key_usage *k = &r->keys[r->n];
    uint64_t all = k->refused = read_relaxed(&rt->refused);
    for (int i = 0; i < SIGNAL_COUNT; i++)
        all += k->uses[i] = read_relaxed(&rt->uses[i]);
    k->last_s = read_relaxed(&rt->last_used_s);
    k->last_refused_s = read_relaxed(&rt->last_refused_s);
    memcpy(k->id, rt->id, sizeof(k->id));
    r->n += all > 0;
}

/* Of the keys of all key files, those too whose tenant is not there now. */
static int collect(const struct snapshot *s, struct arena *a, struct usage_report *r)
{
    size_t most = 0;
    for (size_t i = 0; i < s->n_entries; i++)
        most += s->entries[i]->n_keys;
    r->keys = arena_calloc(a, most + 1, sizeof(*r->keys));
    for (size_t i = 0; i < s->n_entries && r->keys != NULL; i++)
        for (size_t k = 0; k < s->entries[i]->n_keys; k++)
            add_key(r, s->entries[i]->keys[k].runtime);
    return r->keys ? 0 : -1;
}

static uint64_t hash_keys(const struct usage_report *r)
{
    return hash_slice(HASH_START, slice_of(r->keys, r->n * sizeof(*r->keys)));
}

static void write_report(struct key_usage_log *u, const struct usage_report *r)
{
    struct errbuf err = ERRBUF_INIT;
    struct buf text = BUF_INIT_CEILING(USAGE_CEILING);
    usage_print(r, &text);
    int rc = text.failed ? errbuf_set(&err, ENOMEM, "too many keys, or no memory")
                         : file_replace(u->slot.path, buf_slice(&text), 0640, &err);
    if (rc < 0)
        log_repeated(LOG_WARN, "the use of keys cannot be written", "",
                     log_str("reason", err.text));
    else
        u->told = hash_keys(r);
    buf_release(&text);
}

static void tell(struct key_usage_log *u, bool running)
{
    struct arena a = ARENA_INIT;
    struct snapshot *s = tenancy_acquire(u->tenancy);
    struct usage_report r = {.router = u->slot.router,
                             .since_s = u->since_s,
                             .written_s = clock_wall_ns() / NS_PER_S,
                             .every_s = u->every_ns / NS_PER_S,
                             .running = running};
    if (collect(s, &a, &r) == 0 &&
        (!running || hash_keys(&r) != u->told || ++u->unchanged >= HEARTBEAT)) {
        u->unchanged = 0;
        write_report(u, &r);
    }
    snapshot_release(s);
    arena_release(&a);
}

static void tell_again(void *arg)
{
    tell(arg, true);
}

/* Counts go on where the file of before ends; the loops do not run yet. */
static void resume(struct key_usage_log *u)
{
    struct arena a = ARENA_INIT;
    struct buf text = BUF_INIT_CEILING(USAGE_CEILING);
    struct usage_report before = {0};
    struct errbuf err = ERRBUF_INIT;
    u->since_s = clock_wall_ns() / NS_PER_S;
    int rc = file_read(u->slot.path, &text, &err);
    if (rc == 0)
        rc = usage_parse(buf_slice(&text), u->slot.path, &a, &before, &err);
    if (rc == 0)
        u->since_s = before.since_s;
    else if (rc != -ENOENT)
        log_event(LOG_WARN, "the use of keys is counted anew", log_str("reason", err.text));
    for (const struct key_usage *k = before.keys; k < before.keys + before.n; k++) {
        struct key_runtime *rt = key_runtime(k->id);
        for (int i = 0; i < SIGNAL_COUNT && rt != NULL; i++)
            atomic_fetch_add(&rt->uses[i], k->uses[i]);
        if (rt == NULL)
            continue;
        atomic_fetch_add(&rt->refused, k->refused);
        atomic_store(&rt->last_used_s, k->last_s);
        atomic_store(&rt->last_refused_s, k->last_refused_s);
    }
    buf_release(&text);
    arena_release(&a);
}

static void key_usage_free(struct key_usage_log *u)
{
    usage_slot_release(&u->slot);
    free(u);
}

static struct key_usage_log *start(struct tenancy *t, const struct conf *conf)
{
    struct errbuf err = ERRBUF_INIT;
    struct key_usage_log *u = calloc(1, sizeof(*u));
    if (u == NULL)
        return NULL;
    u->tenancy = t;
    u->every_ns = conf->router.key_usage;
    if (usage_slot_take(conf->state, &u->slot, &err) < 0) {
        log_event(LOG_WARN, "the use of keys is not told", log_str("reason", err.text));
        free(u);
        return NULL;
    }
    resume(u);
    tell(u, true);
    if (periodic_start(&u->telling, "key_usage", u->every_ns, tell_again, u) == 0)
        return u;
    key_usage_free(u);
    return NULL;
}

struct key_usage_log *key_usage_start(struct tenancy *t)
{
    struct snapshot *s = tenancy_acquire(t);
    struct key_usage_log *u = s->conf->router.key_usage ? start(t, s->conf) : NULL;
    snapshot_release(s);
    return u;
}

void key_usage_stop(struct key_usage_log *u)
{
    if (u == NULL)
        return;
    periodic_stop(&u->telling);
    tell(u, false);
    key_usage_free(u);
}
