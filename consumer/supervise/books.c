#include "consumer/supervise/books.h"

#include "base/clock.h"
#include "base/log.h"
#include "consumer/inspect/ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TURN_NS  (3 * NS_PER_S) /* a turn begins no further check after that */
#define AGAIN_NS (10 * NS_PER_S)

bool book_note(struct book_check *c, uint64_t findings, uint64_t now_ms)
{
    if (findings > 0 && !c->doubted) {
        c->doubted = true;
        return false;
    }
    bool changed = findings != c->findings;
    c->doubted = findings > 0;
    c->findings = findings;
    c->checked_ms = now_ms;
    return changed;
}

static struct book_check *find_check(struct books *b, const char *tenant)
{
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->at[i].tenant, tenant) == 0)
            return &b->at[i];
    return NULL;
}

/* New tenants are spread over the interval, so that thousands are not due at once. */
static void add_check(struct books *b, const char *tenant, uint64_t interval, size_t n_tenants)
{
    struct book_check *more = realloc(b->at, (b->n + 1) * sizeof(*more));
    if (more == NULL)
        return; /* the next turn tries again */
    b->at = more;
    uint64_t step = interval / (n_tenants + 1);
    more[b->n] = (struct book_check){.due_ns = clock_mono_ns() + step * b->n};
    snprintf(more[b->n++].tenant, sizeof(more->tenant), "%s", tenant);
}

static void match_tenants(struct books *b, const struct snapshot *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->n; i++)
        if (snapshot_tenant(s, slice_str(b->at[i].tenant)) != NULL)
            b->at[kept++] = b->at[i];
    b->n = kept;
    if (b->n == s->n_tenants)
        return;
    for (size_t i = 0; i < s->n_tenants; i++)
        if (find_check(b, s->tenants[i].id) == NULL)
            add_check(b, s->tenants[i].id, s->conf->supervisor.ledger_interval, s->n_tenants);
}

static uint64_t count_findings(const struct ledger *l)
{
    uint64_t n = 0;
    for (const struct ledger_finding *f = l->findings; f != NULL; f = f->next)
        n++;
    return n;
}

static void check(struct book_check *c, const struct conf *conf, const char *brokers,
                  const struct tenant *t)
{
    struct ledger l = {0};
    struct errbuf err = ERRBUF_INIT;
    c->due_ns = clock_mono_ns() + conf->supervisor.ledger_interval;
    if (ledger_make_quick(conf, brokers, t, &l, &err) < 0) {
        log_repeated(LOG_WARN, "the books of a tenant cannot be checked now", t->id,
                     log_str("tenant", t->id), log_str("reason", err.text));
        ledger_release(&l);
        return;
    }
    bool changed = book_note(c, count_findings(&l), clock_wall_ns() / NS_PER_MS);
    if (c->doubted && c->findings == 0 && conf->supervisor.ledger_interval > AGAIN_NS)
        c->due_ns = clock_mono_ns() + AGAIN_NS;
    if (changed && c->findings > 0)
        log_event(LOG_ERROR, "the books of a tenant do not balance", log_str("tenant", t->id),
                  log_u64("findings", c->findings), log_str("reason", l.findings->text));
    else if (changed)
        log_event(LOG_INFO, "the books of a tenant balance again", log_str("tenant", t->id));
    ledger_release(&l);
}

void books_turn(struct books *b, const struct snapshot *s, const char *brokers,
                const _Atomic bool *ending)
{
    uint64_t since = clock_mono_ns();
    match_tenants(b, s);
    for (size_t i = 0; i < b->n && !atomic_load(ending); i++) {
        const struct tenant *t = snapshot_tenant(s, slice_str(b->at[i].tenant));
        if (t != NULL && clock_mono_ns() >= b->at[i].due_ns)
            check(&b->at[i], s->conf, brokers, t);
        if (clock_mono_ns() - since > TURN_NS)
            return;
    }
}

void books_page(const struct books *b, struct buf *out)
{
    buf_append_str(out, "# HELP tenantry_ledger_findings What the last check of a tenant's books "
                        "found wrong.\n# TYPE tenantry_ledger_findings gauge\n");
    for (size_t i = 0; i < b->n; i++)
        if (b->at[i].checked_ms > 0)
            buf_printf(out, "tenantry_ledger_findings{tenant=\"%s\"} %" PRIu64 "\n",
                       b->at[i].tenant, b->at[i].findings);
    buf_append_str(out, "# HELP tenantry_ledger_checked_at_seconds Unix time of that check.\n"
                        "# TYPE tenantry_ledger_checked_at_seconds gauge\n");
    for (size_t i = 0; i < b->n; i++)
        if (b->at[i].checked_ms > 0)
            buf_printf(out, "tenantry_ledger_checked_at_seconds{tenant=\"%s\"} %.3f\n",
                       b->at[i].tenant, (double)b->at[i].checked_ms / 1000);
}

void books_release(struct books *b)
{
    free(b->at);
    *b = (struct books){0};
}
