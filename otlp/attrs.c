#include "otlp/attrs.h"

enum { KEY_VALUE_KEY = 1, KEY_VALUE_VALUE = 2 };

/* Up to here insertion sort is the fastest; above it heap sort bounds the cost. */
#define SMALL 32

struct slice attr_key(struct slice key_value)
{
    struct slice key = slice_of(key_value.at, 0), found;
    struct wire w = wire_of(key_value);
    while (repeated_next(&w, KEY_VALUE_KEY, &found))
        key = found;
    return key;
}

static bool attr_read(struct arena *a, struct slice key_value, struct attr *ret)
{
    struct repeated value = {0};
    struct wire w = wire_of(key_value);
    struct wire_field f = {0};
    ret->key = slice_of(key_value.at, 0);
    for (const uint8_t *start = w.at; wire_next(&w, &f); start = w.at) {
        switch (WIRE_KEY(f.number, f.type)) {
        case KEY_BYTES(KEY_VALUE_KEY):
            ret->key = f.bytes;
            break;
        case KEY_BYTES(KEY_VALUE_VALUE):
            repeated_add(&value, start, w.at, f.bytes);
            break;
        default:
            break;
        }
    }
    return repeated_merge(a, &value, KEY_VALUE_VALUE, &ret->any);
}

/* Order by key, equal keys by their place on the wire: no two are equal. */
static inline bool attr_before(const struct attr *x, const struct attr *y)
{
    int c = slice_cmp(x->key, y->key);
    return c != 0 ? c < 0 : x->key.at < y->key.at;
}

static void insertion_sort(struct attr *at, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct attr moving = at[i];
        size_t to = i;
        for (; to > 0 && attr_before(&moving, &at[to - 1]); to--)
            at[to] = at[to - 1];
        at[to] = moving;
    }
}

/* Lets `moving` sink from the root of the heap of n to its place. */
static void heap_sink(struct attr *at, size_t root, size_t n, struct attr moving)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && attr_before(&at[child], &at[child + 1]))
            child++;
        if (!attr_before(&moving, &at[child]))
            break;
        at[root] = at[child];
    }
    at[root] = moving;
}

static void heap_sort(struct attr *at, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        heap_sink(at, i, n, at[i]);
    for (size_t left = n - 1; left > 0; left--) {
        struct attr moving = at[left];
        at[left] = at[0];
        heap_sink(at, 0, left, moving);
    }
}

size_t attrs_sort(struct attr *at, size_t n)
{
    if (n <= SMALL)
        insertion_sort(at, n);
    else
        heap_sort(at, n);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (i + 1 == n || !slice_eq(at[i].key, at[i + 1].key))
            at[kept++] = at[i];
    return kept;
}

const struct attrs *attrs_read(struct arena *a, const struct repeated *r, uint32_t number)
{
    static const struct attrs none;
    if (r->n == 0)
        return &none;
    struct attrs *attrs = arena_alloc(a, sizeof(*attrs) + r->n * sizeof(struct attr));
    if (attrs == NULL)
        return NULL;
    struct attr *at = (struct attr *)(attrs + 1);
    struct wire w = repeated_walk(r);
    struct slice key_value;
    size_t n = 0;
    bool sorted = true;
    while (n < r->n && repeated_next(&w, number, &key_value)) {
        if (!attr_read(a, key_value, &at[n]))
            return NULL;
        sorted = sorted && (n == 0 || slice_cmp(at[n - 1].key, at[n].key) < 0);
        n++;
    }
    attrs->n = sorted ? n : attrs_sort(at, n);
    attrs->at = at;
    return attrs;
}

const struct attr *attrs_find(const struct attrs *attrs, struct slice key)
{
    size_t low = 0, high = attrs->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int c = slice_cmp(attrs->at[middle].key, key);
        if (c == 0)
            return &attrs->at[middle];
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
