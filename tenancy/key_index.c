#include "tenancy/key_index.h"

struct slot {
    uint64_t id; /* the id's 8 bytes; 0 = free (no id has a NUL) */
    const struct tenant *tenant;
    const struct key *key;
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

static void add(struct key_index *x, const struct tenant *t, const struct key *k)
{
    uint64_t id = id_number(k->id);
    size_t i = hash(id) & x->mask;
    while (x->slots[i].id != 0)
        i = (i + 1) & x->mask;
    x->slots[i] = (struct slot){id, t, k};
}

const struct key_index *key_index_make(const struct tenant *tenants, size_t n, struct arena *a)
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
            add(x, &tenants[i], &tenants[i].keys[j]);
    return x;
}

const struct key *key_index_find(const struct key_index *x, const uint8_t *id,
                                 const struct tenant **ret_tenant)
{
    uint64_t number = id_number(id);
    size_t i = hash(number) & x->mask;
    while (x->slots[i].id != 0 && x->slots[i].id != number)
        i = (i + 1) & x->mask;
    *ret_tenant = x->slots[i].tenant;
    return x->slots[i].key;
}
