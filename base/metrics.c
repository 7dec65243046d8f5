/* Two ideas carry this file.
 *
 * Cells. Updates of one series by several threads must not meet in one cache line, and padding each
 * cell to a line of its own would cost 512 bytes a counter. So cells come from blocks laid out as
 * [shard][cell]: a series owns the same few cells in every shard, and neighbours in memory belong
 * to the same shard, hence mostly to the same thread.
 *
 * Reading without locks. Series and families are only ever appended, by one thread at a time (the
 * registry's lock), and published by a release store into the list; they are never freed. A reader
 * follows the lists with acquire loads. */
#include "base/metrics.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

#define BLOCK_CELLS   1024 /* of one shard */
#define VALUE_CEILING 256

static const double bucket_bounds[] = {METRICS_BUCKETS};
#define BUCKETS (sizeof(bucket_bounds) / sizeof(bucket_bounds[0]))
#define HISTOGRAM_CELLS                                                                            \
    (BUCKETS + 2) /* one a bucket, one for what is above, one for the sum in ns */
#define SUM_CELL (BUCKETS + 1)

typedef _Atomic uint64_t cell;

struct block {
    alignas(64) cell cells[METRICS_SHARDS][BLOCK_CELLS];
};

struct metric_series {
    enum metric_kind kind;
    cell *cells; /* of shard 0; the next shard's stand BLOCK_CELLS further */
    const struct metric *m;
    char *values[METRICS_MAX_LABELS];
    char *labels; /* `tenant="acme",signal="logs"` */
    uint64_t hash;
    struct metric_series *next_in_bucket;
    _Atomic(struct metric_series *) next; /* of the family */
    _Atomic bool forgotten;
};

/* All series of one name. */
struct family {
    const struct metric *m;
    _Atomic(struct metric_series *) first;
    struct metric_series *last;
    _Atomic(struct family *) next;
};

/* Shared by all sets past the ceiling; never written. */
static struct block first_block;
static struct metric_series hidden[] = {
    [METRIC_COUNTER] = {.kind = METRIC_COUNTER, .cells = first_block.cells[0]},
    [METRIC_GAUGE] = {.kind = METRIC_GAUGE, .cells = first_block.cells[0] + 1},
    [METRIC_HISTOGRAM] = {.kind = METRIC_HISTOGRAM, .cells = first_block.cells[0] + 2},
};

static struct {
    pthread_mutex_t lock; /* all but what is _Atomic */
    struct metric_series **buckets;
    size_t bucket_count, series_count;
    size_t forgotten; /* of series_count: not written, and not against the ceiling */
    struct block *block;
    size_t block_used;
    _Atomic(struct family *) first;
    struct family *last;
    _Atomic uint64_t refused;
} registry = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .block = &first_block,
    .block_used = 2 + HISTOGRAM_CELLS,
};

/* --- updates ------------------------------------------------------------------------------- */

static cell *cells_of_shard(struct metric_series *s, unsigned shard)
{
    return s->cells + (size_t)shard * BLOCK_CELLS;
}

/* The calling thread's cells. */
static cell *own_cells(struct metric_series *s)
{
    static _Atomic unsigned threads;
    static _Thread_local unsigned own = METRICS_SHARDS;
    if (own == METRICS_SHARDS)
        own = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % METRICS_SHARDS;
    return cells_of_shard(s, own);
}

static void cell_add(cell *c, uint64_t n)
{
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static uint64_t sum_cells(struct metric_series *s, size_t index)
{
    uint64_t sum = 0;
    for (unsigned shard = 0; shard < METRICS_SHARDS; shard++)
        sum += atomic_load_explicit(&cells_of_shard(s, shard)[index], memory_order_relaxed);
    return sum;
}

void metric_add(struct metric_series *s, uint64_t n)
{
    assert(s->kind == METRIC_COUNTER);
    cell_add(own_cells(s), n);
}

void metric_set(struct metric_series *s, double value)
{
    assert(s->kind == METRIC_GAUGE);
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    atomic_store_explicit(s->cells, bits, memory_order_relaxed);
}

static double gauge_value(struct metric_series *s)
{
    uint64_t bits = atomic_load_explicit(s->cells, memory_order_relaxed);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

void metric_observe(struct metric_series *s, double seconds)
{
    assert(s->kind == METRIC_HISTOGRAM);
    if (!(seconds > 0)) /* NaN, or a clock that went back */
        seconds = 0;
    if (seconds > 1e9)
        seconds = 1e9;
    size_t i = 0;
    while (i < BUCKETS && seconds > bucket_bounds[i])
        i++;
    cell *cells = own_cells(s);
    cell_add(&cells[i], 1);
    cell_add(&cells[SUM_CELL], (uint64_t)(seconds * 1e9));
}

uint64_t metric_read(struct metric_series *s)
{
    uint64_t count = 0;
    switch (s->kind) {
    case METRIC_COUNTER:
        return sum_cells(s, 0);
    case METRIC_GAUGE:
        return (uint64_t)fmin(fmax(gauge_value(s), 0), 0x1p63);
    case METRIC_HISTOGRAM:
        for (size_t i = 0; i <= BUCKETS; i++)
            count += sum_cells(s, i);
    }
    return count;
}

double metric_quantile(struct metric_series *s, double part)
{
    assert(s->kind == METRIC_HISTOGRAM);
    uint64_t all = metric_read(s), seen = 0;
    for (size_t i = 0; all > 0 && i < BUCKETS; i++) {
        seen += sum_cells(s, i);
        if ((double)seen >= part * (double)all)
            return bucket_bounds[i];
    }
    return -1;
}

/* --- making series ------------------------------------------------------------------------- */

static size_t label_count(const struct metric *m)
{
    size_t n = 0;
    while (n < METRICS_MAX_LABELS && m->labels[n] != NULL)
        n++;
    return n;
}

/* A label value as exposition text: an ill-formed byte would make Prometheus refuse the whole page.
 */
static void append_value(struct buf *out, const char *value)
{
    struct slice s = slice_of(value, strnlen(value, VALUE_CEILING));
    while (s.len > 0) {
        size_t n = utf8_length(s);
        if (n == 0)
            buf_append_str(out, "\xEF\xBF\xBD");
        else if (s.at[0] == '\n')
            buf_append_str(out, "\\n");
        else
            buf_printf(out, "%s%.*s", strchr("\"\\", s.at[0]) ? "\\" : "", (int)n,
                       (const char *)s.at);
        n = n ? n : 1;
        s = slice_of(s.at + n, s.len - n);
    }
}

static uint64_t hash_key(const struct metric *m, const char *const *values)
{
    uint64_t h = hash_slice(HASH_START, slice_str(m->name));
    for (size_t i = 0; i < label_count(m); i++)
        h = hash_slice(h, slice_str(values[i]));
    return h;
}

/* Locks: held. */
static struct metric_series *find(const struct metric *m, const char *const *values, uint64_t hash)
{
    if (registry.bucket_count == 0)
        return NULL;
    struct metric_series *s = registry.buckets[hash & (registry.bucket_count - 1)];
    for (; s != NULL; s = s->next_in_bucket) {
        if (s->hash != hash || strcmp(s->m->name, m->name) != 0)
            continue;
        size_t i = 0;
        while (i < label_count(m) && strcmp(s->values[i], values[i]) == 0)
            i++;
        if (i == label_count(m))
            return s;
    }
    return NULL;
}

/* Locks: held. False when there is no memory and no table at all. */
static bool make_buckets(void)
{
    if (registry.series_count < registry.bucket_count)
        return true;
    size_t n = registry.bucket_count ? registry.bucket_count * 2 : 256;
    struct metric_series **buckets = calloc(n, sizeof(*buckets));
    if (buckets == NULL)
        return registry.bucket_count > 0; /* longer chains, that is all */
    for (size_t i = 0; i < registry.bucket_count; i++) {
        struct metric_series *s = registry.buckets[i], *next;
        for (; s != NULL; s = next) {
            next = s->next_in_bucket;
            s->next_in_bucket = buckets[s->hash & (n - 1)];
            buckets[s->hash & (n - 1)] = s;
        }
    }
    free(registry.buckets);
    registry.buckets = buckets;
    registry.bucket_count = n;
    return true;
}

/* Locks: held. */
static cell *take_cells(size_t n)
{
    if (registry.block_used + n > BLOCK_CELLS) {
        struct block *b = aligned_alloc(64, sizeof(*b));
        if (b == NULL)
            return NULL;
        memset(b, 0, sizeof(*b));
        registry.block = b;
        registry.block_used = 0;
    }
    cell *c = registry.block->cells[0] + registry.block_used;
    registry.block_used += n;
    return c;
}

/* Locks: held. */
static struct family *family_of(const struct metric *m)
{
    for (struct family *f = atomic_load(&registry.first); f != NULL; f = atomic_load(&f->next))
        if (f->m == m || strcmp(f->m->name, m->name) == 0)
            return f;
    struct family *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return NULL;
    f->m = m;
    atomic_store(registry.last ? &registry.last->next : &registry.first, f);
    registry.last = f;
    return f;
}

static void free_series(struct metric_series *s)
{
    for (size_t i = 0; s != NULL && i < METRICS_MAX_LABELS; i++)
        free(s->values[i]);
    if (s != NULL)
        free(s->labels);
    free(s);
}

/* Without cells and not yet in any list; NULL when out of memory. */
static struct metric_series *new_series(const struct metric *m, const char *const *values,
                                        uint64_t hash)
{
    struct metric_series *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    struct buf labels = BUF_INIT;
    bool ok = true;
    for (size_t i = 0; i < label_count(m); i++) {
        s->values[i] = strdup(values[i]);
        ok = ok && s->values[i] != NULL;
        buf_printf(&labels, "%s%s=\"", i ? "," : "", m->labels[i]);
        append_value(&labels, values[i]);
        buf_append_byte(&labels, '"');
    }
    s->labels = strdup(buf_cstr(&labels));
    ok = ok && s->labels != NULL && !labels.failed;
    buf_release(&labels);
    if (!ok) {
        free_series(s);
        return NULL;
    }
    s->kind = m->kind;
    s->m = m;
    s->hash = hash;
    return s;
}

/* Locks: held. */
static bool is_full(void)
{
    return registry.series_count - registry.forgotten >= METRICS_MAX_SERIES;
}

/* Locks: held. NULL when the ceiling or memory is spent. */
static struct metric_series *make(const struct metric *m, const char *const *values, uint64_t hash)
{
    if (is_full() || !make_buckets())
        return NULL;
    struct family *f = family_of(m);
    struct metric_series *s = f ? new_series(m, values, hash) : NULL;
    if (s == NULL)
        return NULL;
    s->cells = take_cells(m->kind == METRIC_HISTOGRAM ? HISTOGRAM_CELLS : 1);
    if (s->cells == NULL) {
        free_series(s);
        return NULL;
    }
    struct metric_series **bucket = &registry.buckets[hash & (registry.bucket_count - 1)];
    s->next_in_bucket = *bucket;
    *bucket = s;
    atomic_store(f->last ? &f->last->next : &f->first, s);
    f->last = s;
    registry.series_count++;
    return s;
}

/* Locks: held. NULL when the ceiling is reached. */
static struct metric_series *begin_again(struct metric_series *s)
{
    if (is_full())
        return NULL;
    size_t n = s->kind == METRIC_HISTOGRAM ? HISTOGRAM_CELLS : 1;
    for (unsigned shard = 0; shard < METRICS_SHARDS; shard++)
        for (size_t i = 0; i < n; i++)
            atomic_store_explicit(&cells_of_shard(s, shard)[i], 0, memory_order_relaxed);
    atomic_store(&s->forgotten, false);
    registry.forgotten--;
    return s;
}

struct metric_series *metric_series(const struct metric *m, const char *const *values)
{
    uint64_t hash = hash_key(m, values);
    pthread_mutex_lock(&registry.lock);
    struct metric_series *s = find(m, values, hash);
    if (s == NULL)
        s = make(m, values, hash);
    else if (atomic_load(&s->forgotten))
        s = begin_again(s);
    pthread_mutex_unlock(&registry.lock);
    if (s == NULL) {
        atomic_fetch_add(&registry.refused, 1);
        s = &hidden[m->kind];
    }
    return s;
}

/* --- reading ------------------------------------------------------------------------------- */

static void write_name(struct buf *out, const char *name, const char *suffix, const char *labels)
{
    buf_printf(out, "%s%s", name, suffix);
    if (labels[0] != 0)
        buf_printf(out, "{%s}", labels);
    buf_append_byte(out, ' ');
}

static void write_value(struct buf *out, double value)
{
    if (isfinite(value))
        json_double(out, value);
    else
        buf_append_str(out, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
    buf_append_byte(out, '\n');
}

static void write_histogram(struct buf *out, const char *name, struct metric_series *s)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= BUCKETS; i++) {
        count += sum_cells(s, i);
        buf_printf(out, "%s_bucket{%s%sle=\"", name, s->labels, s->labels[0] ? "," : "");
        if (i < BUCKETS)
            json_double(out, bucket_bounds[i]);
        else
            buf_append_str(out, "+Inf");
        buf_append_str(out, "\"} ");
        buf_append_u64(out, count);
        buf_append_byte(out, '\n');
    }
    write_name(out, name, "_sum", s->labels);
    write_value(out, (double)sum_cells(s, SUM_CELL) / 1e9);
    write_name(out, name, "_count", s->labels);
    buf_append_u64(out, count);
    buf_append_byte(out, '\n');
}

static void write_series(struct buf *out, struct metric_series *s)
{
    const char *name = s->m->name;
    switch (s->kind) {
    case METRIC_COUNTER:
        write_name(out, name, "", s->labels);
        buf_append_u64(out, sum_cells(s, 0));
        buf_append_byte(out, '\n');
        break;
    case METRIC_GAUGE:
        write_name(out, name, "", s->labels);
        write_value(out, gauge_value(s));
        break;
    case METRIC_HISTOGRAM:
        write_histogram(out, name, s);
        break;
    }
}

static void write_head(struct buf *out, const char *name, enum metric_kind kind, const char *help)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kinds[kind]);
}

void metrics_write(struct buf *out)
{
    for (struct family *f = atomic_load(&registry.first); f != NULL; f = atomic_load(&f->next)) {
        bool headed = false;
        struct metric_series *s = atomic_load(&f->first);
        for (; s != NULL; s = atomic_load(&s->next)) {
            if (atomic_load(&s->forgotten))
                continue;
            if (!headed)
                write_head(out, f->m->name, f->m->kind, f->m->help);
            headed = true;
            write_series(out, s);
        }
    }
    static const char refused[] = "tenantry_metric_series_refused_total";
    write_head(out, refused, METRIC_COUNTER,
               "Label sets refused because of the ceiling on series.");
    buf_printf(out, "%s %llu\n", refused, (unsigned long long)atomic_load(&registry.refused));
}

void metrics_forget(const char *label, const char *value)
{
    pthread_mutex_lock(&registry.lock);
    for (struct family *f = atomic_load(&registry.first); f != NULL; f = atomic_load(&f->next)) {
        size_t i = 0, n = label_count(f->m);
        while (i < n && strcmp(f->m->labels[i], label) != 0)
            i++;
        if (i == n)
            continue;
        struct metric_series *s = atomic_load(&f->first);
        for (; s != NULL; s = atomic_load(&s->next))
            if (strcmp(s->values[i], value) == 0 && !atomic_exchange(&s->forgotten, true))
                registry.forgotten++;
    }
    pthread_mutex_unlock(&registry.lock);
}
