#include "tenancy/keys/key_index.h"

#include "tenancy/keys/key_runtime.h"
#include "tenancy/limits/limits.h"

struct slot {
    uint64_t id; /* the id's 8 bytes; 0 = free (no id has a NUL) */
    const struct tenant *tenant;
    const struct key *key;
    const struct tenant_limits *limits; /* NULL = none */
};
struct key_index {
    size_t mask;
    struct slot slots[]; /* at most half of them in use */
};

_Static_assert(KEY_ID_LENGTH == sizeof(uint64_t), "an id is kept as one number");

static uint64_t id_number(const void *id)
{
    uint64_t n;
    memcpy(&n, id, sizeof(n));
    return n;
}

static size_t hash(uint64_t id)
{
    return (size_t)((id * 0x9E3779B97F4A7C15ull) >> 20);
}

static const struct slot *find(const struct key_index *x, uint64_t id)
{
    size_t i = hash(id) & x->mask;
    while (x->slots[i].id != 0 && x->slots[i].id != id)
        i = (i + 1) & x->mask;
    return &x->slots[i];
}

static struct slot *add(struct key_index *x, const struct tenant *t, const struct key *k)
{
    uint64_t id = id_number(k->id);
    size_t i = hash(id) & x->mask;
    while (x->slots[i].id != 0)
        i = (i + 1) & x->mask;
    x->slots[i] = (struct slot){id, t, k, NULL};
    return &x->slots[i];
}

static bool add_limits(struct slot *s, const struct conf *conf, struct arena *a)
{
    const struct rate_conf *asked = s->key->limits;
    if (asked == NULL)
        return true;
    struct tenant_limits *limits = arena_calloc(a, LIMIT_SCOPE_COUNT, sizeof(*limits));
    for (int i = 0; limits != NULL && i < LIMIT_SCOPE_COUNT; i++)
        limits[i] = limits_of(&asked[i], conf);
    s->limits = limits;
    return limits != NULL && key_limit_states(s->key->runtime) != NULL;
}

const struct key_index *key_index_make(const struct tenant *tenants, size_t n,
                                       const struct conf *conf, struct arena *a)
{
    size_t keys = 0, size = 16;
    for (size_t i = 0; i < n; i++)
        keys += tenants[i].n_keys;
    while (size < 2 * keys)
        size *= 2;
    struct key_index *x = arena_calloc(a, 1, sizeof(*x) + size * sizeof(x->slots[0]));
    if (x == NULL)
        return NULL;
    x->mask = size - 1;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < tenants[i].n_keys; j++)
            if (!add_limits(add(x, &tenants[i], &tenants[i].keys[j]), conf, a))
                return NULL;
    return x;
}

const struct key *key_index_find(const struct key_index *x, const uint8_t *id,
                                 const struct tenant **ret_tenant)
{
    const struct slot *s = find(x, id_number(id));
    *ret_tenant = s->tenant;
    return s->key;
}

const struct tenant_limits *key_index_limits(const struct key_index *x, const struct key *k)
{
    return find(x, id_number(k->id))->limits;
}

void key_index_reset_changed(const struct key_index *x, const struct key_index *before)
{
    static const struct tenant_limits none[LIMIT_SCOPE_COUNT];
    for (size_t i = 0; i <= x->mask; i++) {
        const struct slot *s = &x->slots[i];
        if (s->limits == NULL)
            continue;
        struct tenant_limit_states *states = key_limit_states(s->key->runtime);
        const struct tenant_limits *old = before ? find(before, s->id)->limits : NULL;
        for (int k = 0; k < LIMIT_SCOPE_COUNT; k++)
            limits_reset_changed(&states[k], &s->limits[k], old ? &old[k] : &none[k]);
    }
}
