#include "tenancy/quota_file.h"

#include "tenancy/runtime.h"

#include <ctype.h>
#include <errno.h>

#define HEAD   "tenantry-quota 1 "
#define COUNTS (LIMIT_SCOPE_COUNT + 2 * SIGNAL_COUNT)

/* The counts of a tenant in the order of the file: all signals, then each. */
static void counts_of(struct tenant_runtime *rt, struct day_count *ret[COUNTS])
{
    int n = 0;
    ret[n++] = &rt->limits[SIGNAL_COUNT].today;
    for (int i = 0; i < SIGNAL_COUNT; i++)
        ret[n++] = &rt->limits[i].today;
    for (int i = 0; i < SIGNAL_COUNT; i++)
        ret[n++] = &rt->items[i];
    for (int i = 0; i < SIGNAL_COUNT; i++)
        ret[n++] = &rt->requests[i];
}

struct writing {
    struct buf *out;
    uint64_t day;
};

static void write_tenant(struct tenant_runtime *rt, void *arg)
{
    const struct writing *w = arg;
    struct day_count *counts[COUNTS];
    uint64_t n[COUNTS], any = 0;
    counts_of(rt, counts);
    for (int i = 0; i < COUNTS; i++)
        any |= n[i] = day_count_read(counts[i], w->day);
    if (any == 0)
        return;
    buf_append_str(w->out, rt->id);
    for (int i = 0; i < COUNTS; i++)
        buf_printf(w->out, " %llu", (unsigned long long)n[i]);
    buf_append_byte(w->out, '\n');
}

void quota_file_write(struct buf *out, uint64_t day)
{
    struct writing w = {out, day};
    buf_printf(out, HEAD "%llu\n", (unsigned long long)day);
    tenant_runtime_each(write_tenant, &w);
}

/* --- reading ------------------------------------------------------------------------------- */

static struct slice take_until(struct slice *in, uint8_t end)
{
    const uint8_t *at = in->len ? memchr(in->at, end, in->len) : NULL;
    size_t n = at ? (size_t)(at - in->at) : in->len;
    struct slice taken = slice_of(in->at, n);
    n += at != NULL;
    *in = slice_of(in->at + n, in->len - n);
    return taken;
}

static bool take_number(struct slice *in, uint64_t *ret)
{
    struct slice text = take_until(in, ' ');
    uint64_t n = 0;
    if (text.len == 0 || text.len > 18)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!isdigit(text.at[i]))
            return false;
        n = n * 10 + (uint64_t)(text.at[i] - '0');
    }
    *ret = n;
    return true;
}

static bool read_tenant(struct slice line, uint64_t day)
{
    struct errbuf unused = ERRBUF_INIT;
    struct slice id = take_until(&line, ' ');
    char name[64];
    uint64_t n[COUNTS];
    if (tenant_id_check(id, &unused) < 0)
        return false;
    for (int i = 0; i < COUNTS; i++)
        if (!take_number(&line, &n[i]))
            return false;
    memcpy(name, id.at, id.len);
    name[id.len] = 0;
    struct tenant_runtime *rt = tenant_runtime(name);
    struct day_count *counts[COUNTS];
    if (rt == NULL || line.len != 0)
        return false;
    counts_of(rt, counts);
    for (int i = 0; i < COUNTS; i++)
        day_count_restore(counts[i], n[i], day);
    return true;
}

int quota_file_read(struct slice text, uint64_t day, struct errbuf *err)
{
    struct slice head = take_until(&text, '\n');
    uint64_t of_day, line = 1;
    if (!slice_starts(head, SLICE_LIT(HEAD)))
        return errbuf_set(err, EINVAL, "line 1: this is no file of quotas");
    head = slice_of(head.at + sizeof(HEAD) - 1, head.len - sizeof(HEAD) + 1);
    if (!take_number(&head, &of_day) || head.len != 0 || of_day > UINT16_MAX)
        return errbuf_set(err, EINVAL, "line 1: the day is not a number");
    if (of_day < day)
        return 0;
    while (text.len > 0) {
        line++;
        if (!read_tenant(take_until(&text, '\n'), of_day))
            return errbuf_set(err, EINVAL, "line %llu: not a tenant and %d numbers",
                              (unsigned long long)line, COUNTS);
    }
    return 0;
}
