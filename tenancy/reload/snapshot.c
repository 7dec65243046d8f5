#include "tenancy/reload/snapshot.h"

#include "tenancy/keys/key_index.h"
#include "tenancy/limits/limits.h"
#include "tenancy/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_PREFIX "otlp" /* of topics: kafka.prefix */

int entry_order(enum source_kind kind_a, const char *name_a, enum source_kind kind_b,
                const char *name_b)
{
    return kind_a != kind_b ? (int)kind_a - (int)kind_b : strcmp(name_a, name_b);
}

struct entry *entry_find(struct entry *const *entries, size_t n, enum source_kind kind,
                         const char *name)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int c = entry_order(entries[middle]->kind, entries[middle]->name, kind, name);
        if (c == 0)
            return entries[middle];
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void reset_changed_limits(const struct tenant *t, const struct tenant *before)
{
    for (int i = 0; i < LIMIT_SCOPE_COUNT; i++)
        limits_reset_changed(&t->runtime->limits[i], &t->limits[i], &before->limits[i]);
}

static const char *join(struct arena *a, const char *prefix, const char *id, const char *suffix)
{
    size_t size = strlen(prefix) + strlen(id) + strlen(suffix) + 3;
    char *out = arena_alloc(a, size);
    if (out != NULL)
        snprintf(out, size, "%s.%s%s%s", prefix, id, suffix[0] ? "." : "", suffix);
    return out;
}

/* Installations that share a cluster differ in their prefix, and in their groups. */
static const char *name_group(struct arena *a, const char *prefix, const char *id)
{
    return strcmp(prefix, DEFAULT_PREFIX) == 0 ? join(a, "tenantry", id, "")
                                               : join(a, "tenantry", prefix, id);
}

bool tenant_name(struct tenant *t, const char *prefix, struct arena *a)
{
    bool ok = true;
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        t->topic[i] = join(a, prefix, t->id, signal_info[i].name);
        ok &= t->topic[i] != NULL;
    }
    t->dlq_topic = join(a, prefix, t->id, "dlq");
    t->group = name_group(a, prefix, t->id);
    return ok && t->dlq_topic != NULL && t->group != NULL;
}

/* All that does not come from the tenant's own file. */
static bool fill_identity(const struct snapshot *s, struct tenant *t, const struct entry *e)
{
    struct entry *keys = entry_find(s->entries, s->n_entries, SOURCE_KEYS, e->name);
    struct entry *suspended = entry_find(s->entries, s->n_entries, SOURCE_SUSPENDED, e->name);
    t->id = e->name;
    t->suspended = suspended != NULL;
    t->suspended_reason = suspended ? suspended->reason : "";
    t->keys = keys ? keys->keys : NULL;
    t->n_keys = keys ? keys->n_keys : 0;
    t->runtime = tenant_runtime(t->id);
    return t->runtime != NULL;
}

static bool fill_tenant(struct snapshot *s, struct tenant *t, struct entry *e)
{
    const struct limits_conf *l = &e->tenant->limits;
    t->conf = e->tenant;
    t->origins = &e->origins;
    for (int i = 0; i < SIGNAL_COUNT; i++)
        t->limits[i] = limits_of(&l->signal[i], s->conf);
    t->limits[SIGNAL_COUNT] = limits_of(&l->all, s->conf);
    return fill_identity(s, t, e) && tenant_name(t, s->conf->kafka.prefix, &s->arena);
}

static bool take_entries(struct snapshot *s, struct entry *const *entries, size_t n)
{
    s->entries = arena_calloc(&s->arena, n, sizeof(struct entry *));
    if (s->entries == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        s->entries[i] = entry_ref(entries[i]);
    s->n_entries = n;
    s->conf = entries[0]->conf;
    s->conf_origins = &entries[0]->origins;
    return true;
}

static bool fill_tenants(struct snapshot *s)
{
    struct tenant *all = arena_calloc(&s->arena, s->n_entries, sizeof(*all));
    if (all == NULL)
        return false;
    s->tenants = all;
    for (size_t i = 0; i < s->n_entries; i++)
        if (s->entries[i]->tenant != NULL && !fill_tenant(s, &all[s->n_tenants++], s->entries[i]))
            return false;
    struct tenant *unreadable = all + s->n_tenants;
    s->unreadable = unreadable;
    for (size_t i = 0; i < s->n_entries; i++) {
        if (!s->entries[i]->unreadable)
            continue;
        if (s->entries[i]->kind == SOURCE_KEYS) {
            s->keys_unreadable = true;
            continue;
        }
        struct tenant *t = &unreadable[s->n_unreadable++];
        t->unreadable = true;
        if (!fill_identity(s, t, s->entries[i]))
            return false;
    }
    s->key_index = key_index_make(all, s->n_tenants + s->n_unreadable, s->conf, &s->arena);
    return s->key_index != NULL;
}

struct snapshot *snapshot_make(struct entry *const *entries, size_t n,
                               const struct snapshot *previous, struct errbuf *err)
{
    struct snapshot *s = calloc(1, sizeof(*s));
    if (s != NULL)
        s->refs = 1;
    if (s == NULL || !take_entries(s, entries, n) || !fill_tenants(s)) {
        snapshot_release(s);
        errbuf_set(err, ENOMEM, "out of memory while reading the tenants");
        return NULL;
    }
    s->version = previous ? previous->version + 1 : 1;
    for (size_t i = 0; previous != NULL && i < s->n_tenants; i++) {
        const struct tenant *t = &s->tenants[i];
        const struct tenant *before = snapshot_tenant(previous, slice_str(t->id));
        if (before != NULL)
            reset_changed_limits(t, before);
    }
    key_index_reset_changed(s->key_index, previous ? previous->key_index : NULL);
    return s;
}

const struct tenant_limits *snapshot_key_limits(const struct snapshot *s, const struct key *k)
{
    return k->limits ? key_index_limits(s->key_index, k) : NULL;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void snapshot_release(struct snapshot *s)
{
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < s->n_entries; i++)
        entry_release(s->entries[i]);
    arena_release(&s->arena);
    free(s);
}

const struct tenant *snapshot_tenant(const struct snapshot *s, struct slice id)
{
    size_t low = 0, high = s->n_tenants;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int c = slice_cmp(slice_str(s->tenants[middle].id), id);
        if (c == 0)
            return &s->tenants[middle];
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

enum auth_verdict snapshot_authenticate(const struct snapshot *s, struct slice key_text,
                                        uint64_t wall_s, const struct tenant **ret_tenant,
                                        const struct key **ret_key)
{
    static const struct key nobody;
    static const char dummy[] = "tnt_00000000_0000000000000000000000000000000000";
    struct key_parts parts;
    const struct tenant *t;
    enum key_form form = key_parse(key_text, &parts);
    if (form == KEY_FORM_NOT_A_KEY) /* does the work of one that is */
        key_parse(slice_str(dummy), &parts);
    if (form != KEY_FORM_OK)
        parts = (struct key_parts){slice_of(dummy + 4, KEY_ID_LENGTH),
                                   slice_of(dummy + 13, KEY_SECRET_LENGTH)};
    const struct key *k = key_index_find(s->key_index, parts.id.at, &t);
    bool matches = key_secret_matches(k ? k : &nobody, parts.secret);
    if (form != KEY_FORM_OK)
        return key_text.len == 0           ? AUTH_MISSING
               : form == KEY_FORM_CHECKSUM ? AUTH_CHECKSUM
                                           : AUTH_NOT_A_KEY;
    if (k == NULL)
        return s->keys_unreadable ? AUTH_UNREADABLE : AUTH_UNKNOWN;
    if (!matches)
        return AUTH_SECRET;
    *ret_tenant = t;
    *ret_key = k;
    if (k->revoked)
        return AUTH_REVOKED;
    return k->expires_s != 0 && wall_s >= k->expires_s ? AUTH_EXPIRED : AUTH_OK;
}
