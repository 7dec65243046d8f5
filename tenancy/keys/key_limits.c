#include "tenancy/keys/key_limits.h"

#include "tenancy/limits/limits.h"

#include <errno.h>
#include <stdio.h>

static const struct row {
    const char *name;
    enum option_kind kind;
    bool bytes;
    size_t offset;
} rows[] = {
    {"rate", OPT_RATE, true, offsetof(struct rate_conf, rate)},
    {"burst", OPT_SIZE, true, offsetof(struct rate_conf, burst)},
    {"items", OPT_RATE, false, offsetof(struct rate_conf, items)},
    {"requests", OPT_RATE, false, offsetof(struct rate_conf, requests)},
    {"daily", OPT_SIZE, true, offsetof(struct rate_conf, daily)},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static uint64_t *field(struct rate_conf *r, const struct row *row)
{
    return (uint64_t *)((char *)r + row->offset);
}

/* "logs.rate" is the signal's; what is left is the limit's name. */
static int cut_scope(struct slice *name)
{
    const uint8_t *dot = name->len ? memchr(name->at, '.', name->len) : NULL;
    if (dot == NULL)
        return SIGNAL_COUNT;
    enum signal signal = signal_by_name(slice_of(name->at, (size_t)(dot - name->at)));
    *name = slice_of(dot + 1, name->len - (size_t)(dot - name->at) - 1);
    return signal == SIGNAL_COUNT ? -1 : (int)signal;
}

uint64_t *key_limit_by_name(struct rate_conf *limits, struct slice name, enum option_kind *ret_kind,
                            unsigned *ret_number)
{
    int scope = cut_scope(&name);
    for (size_t i = 0; i < ROW_COUNT && scope >= 0; i++)
        if (slice_eq(name, slice_str(rows[i].name))) {
            *ret_kind = rows[i].kind;
            *ret_number = (unsigned)scope * ROW_COUNT + (unsigned)i;
            return field(&limits[scope], &rows[i]);
        }
    return NULL;
}

static void print_limit(const struct row *row, int scope, uint64_t n, bool for_people,
                        struct buf *out)
{
    char text[64];
    bool all = scope == SIGNAL_COUNT;
    if (n == 0)
        return;
    if (!for_people)
        snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
    else
        option_format_number(row->bytes ? OPT_SIZE : row->kind, n, text, sizeof(text));
    bool per_second = for_people && row->bytes && row->kind == OPT_RATE;
    buf_printf(out, " %s%s%s=%s%s", all ? "" : signal_info[scope].name, all ? "" : ".", row->name,
               text, per_second ? "/s" : "");
}

void key_limits_print(const struct rate_conf *limits, bool for_people, struct buf *out)
{
    for (int order = 0; limits != NULL && order < LIMIT_SCOPE_COUNT; order++) {
        int scope = order == 0 ? SIGNAL_COUNT : order - 1; /* the total first */
        for (size_t i = 0; i < ROW_COUNT; i++)
            print_limit(&rows[i], scope, *field((struct rate_conf *)&limits[scope], &rows[i]),
                        for_people, out);
    }
}

int key_limits_check(const struct rate_conf *limits, const struct conf *c, struct errbuf *err)
{
    uint64_t least_burst = conf_least_burst(c);
    char told[32], least[32];
    for (int i = 0; limits != NULL && i < LIMIT_SCOPE_COUNT; i++) {
        if (limits[i].burst == 0 || limits[i].burst >= least_burst)
            continue;
        option_format_number(OPT_SIZE, limits[i].burst, told, sizeof(told));
        option_format_number(OPT_SIZE, least_burst, least, sizeof(least));
        return errbuf_set(err, EINVAL,
                          "a burst of %s is smaller than the largest request that is one record "
                          "(%s), which could then hardly ever pass",
                          told, least);
    }
    return 0;
}
