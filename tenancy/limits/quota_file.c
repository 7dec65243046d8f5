#include "tenancy/limits/quota_file.h"

#include "tenancy/keys/key_runtime.h"
#include "tenancy/runtime.h"

#include <ctype.h>
#include <errno.h>

#define HEAD     "tenantry-quota 1 "
#define KEY_MARK "+"
#define COUNTS   (LIMIT_SCOPE_COUNT + 2 * SIGNAL_COUNT)

/* The counts of a line: of its bytes for all signals, then for each; of a tenant the others as
 * well. */
struct counts {
    struct day_count *at[COUNTS];
    int n;
};

static void add_bytes(struct counts *c, struct tenant_limit_states *states)
{
    c->at[c->n++] = &states[SIGNAL_COUNT].today;
    for (int i = 0; i < SIGNAL_COUNT; i++)
        c->at[c->n++] = &states[i].today;
}

static struct counts counts_of_tenant(struct tenant_runtime *rt)
{
    struct counts c = {.n = 0};
    add_bytes(&c, rt->limits);
    for (int i = 0; i < SIGNAL_COUNT; i++)
        c.at[c.n++] = &rt->items[i];
    for (int i = 0; i < SIGNAL_COUNT; i++)
        c.at[c.n++] = &rt->requests[i];
    return c;
}

struct writing {
    struct buf *out;
    uint64_t day;
};

static void write_line(const struct writing *w, const char *mark, const char *id,
                       const struct counts *c)
{
    uint64_t n[COUNTS], any = 0;
    for (int i = 0; i < c->n; i++)
        any |= n[i] = day_count_read(c->at[i], w->day);
    if (any == 0)
        return;
    buf_append_str(w->out, mark);
    buf_append_str(w->out, id);
    for (int i = 0; i < c->n; i++) {
        buf_append_byte(w->out, ' ');
        buf_append_u64(w->out, n[i]);
    }
    buf_append_byte(w->out, '\n');
}

static void write_tenant(struct tenant_runtime *rt, void *arg)
{
    const struct counts c = counts_of_tenant(rt);
    write_line(arg, "", rt->id, &c);
}

static void write_key(struct key_runtime *rt, void *arg)
{
    struct tenant_limit_states *states = atomic_load(&rt->limits);
    struct counts c = {.n = 0};
    if (states == NULL)
        return;
    add_bytes(&c, states);
    write_line(arg, KEY_MARK, rt->id, &c);
}

void quota_file_write(struct buf *out, uint64_t day)
{
    struct writing w = {out, day};
    buf_printf(out, HEAD "%llu\n", (unsigned long long)day);
    tenant_runtime_each(write_tenant, &w);
    key_runtime_each(write_key, &w);
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

/* Whose counts these are; false: nobody's who could be. */
static bool find_counts(struct slice who, struct counts *ret)
{
    struct errbuf unused = ERRBUF_INIT;
    char id[64];
    bool key = slice_starts(who, SLICE_LIT(KEY_MARK));
    if (key)
        who = slice_of(who.at + 1, who.len - 1);
    if (key ? !key_id_valid(who) : tenant_id_check(who, &unused) < 0)
        return false;
    memcpy(id, who.at, who.len);
    id[who.len] = 0;
    *ret = (struct counts){.n = 0};
    if (!key) {
        struct tenant_runtime *rt = tenant_runtime(id);
        if (rt != NULL)
            *ret = counts_of_tenant(rt);
        return rt != NULL;
    }
    struct key_runtime *rt = key_runtime(id);
    struct tenant_limit_states *states = rt ? key_limit_states(rt) : NULL;
    if (states != NULL)
        add_bytes(ret, states);
    return states != NULL;
}

static bool read_line(struct slice line, uint64_t day)
{
    struct counts c;
    uint64_t n[COUNTS];
    if (!find_counts(take_until(&line, ' '), &c))
        return false;
    for (int i = 0; i < c.n; i++)
        if (!take_number(&line, &n[i]))
            return false;
    if (line.len != 0)
        return false;
    for (int i = 0; i < c.n; i++)
        day_count_restore(c.at[i], n[i], day);
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
        if (!read_line(take_until(&text, '\n'), of_day))
            return errbuf_set(err, EINVAL, "line %llu: not a tenant, or key, and its counts",
                              (unsigned long long)line);
    }
    return 0;
}
