/* Rate limits. Whoever has limits is a holder: the tenant, and a key below it. Of each holder the
 * limits for all signals and for the request's own count; a request takes from all of them or from
 * none. */
#include "router/admission/admission_steps.h"

#include "base/clock.h"
#include "router/metrics.h"
#include "tenancy/keys/key_runtime.h"

#include <xxhash.h>

#define MAX_HOLDERS 2
/* Bytes and items, for all signals and for one. */
#define CLAIMS_PER_HOLDER 4

struct holder {
    const char *name;                   /* "tenant", "key" */
    const struct tenant_limits *limits; /* [LIMIT_SCOPE_COUNT] */
    struct tenant_limit_states *states;
};

/* `n` units wanted of one limit. */
struct claim {
    struct limit_state *state;
    const struct limit *limit;
    uint64_t n;
    enum outcome outcome; /* when it is refused */
    const char *holder, *scope;
};
struct claims {
    struct claim at[MAX_HOLDERS * CLAIMS_PER_HOLDER];
    int n;
    struct limit_caller who;
};

static int holders_of(const struct request *req, struct holder ret[MAX_HOLDERS])
{
    ret[0] = (struct holder){"tenant", req->tenant->limits, req->tenant->runtime->limits};
    const struct tenant_limits *own = snapshot_key_limits(req->snapshot, req->key);
    if (own == NULL)
        return 1;
    ret[1] = (struct holder){"key", own, atomic_load(&req->key->runtime->limits)};
    return 2;
}

/* --- what is wanted ------------------------------------------------------------------------ */

static const char *scope_name(int scope)
{
    return scope == SIGNAL_COUNT ? "all signals" : signal_info[scope].name;
}

static const char *unit_of(enum outcome outcome)
{
    return outcome == OUTCOME_OVER_BYTES   ? "bytes"
           : outcome == OUTCOME_OVER_ITEMS ? "items"
                                           : "requests";
}

static void claim(struct claims *c, const struct holder *h, int scope, enum outcome outcome,
                  uint64_t n)
{
    const struct tenant_limits *l = &h->limits[scope];
    struct tenant_limit_states *s = &h->states[scope];
    struct claim *to = &c->at[c->n++];
    *to = (struct claim){.n = n, .outcome = outcome, .holder = h->name};
    to->scope = scope_name(scope);
    to->limit = outcome == OUTCOME_OVER_BYTES   ? &l->bytes
                : outcome == OUTCOME_OVER_ITEMS ? &l->items
                                                : &l->requests;
    to->state = outcome == OUTCOME_OVER_BYTES   ? &s->bytes
                : outcome == OUTCOME_OVER_ITEMS ? &s->items
                                                : &s->requests;
}

/* Of every holder the total and the signal's own, in this order. */
static void claim_all(struct claims *c, const struct request *req, enum outcome outcome, uint64_t n)
{
    struct holder holders[MAX_HOLDERS];
    int n_holders = holders_of(req, holders);
    for (int i = 0; i < n_holders; i++) {
        claim(c, &holders[i], SIGNAL_COUNT, outcome, n);
        claim(c, &holders[i], (int)req->signal, outcome, n);
    }
}

/* --- refusing ------------------------------------------------------------------------------ */

/* "the tenant's limit of bytes per second is reached (50KB/s for all signals): 1200 bytes of the
 * burst of 100KB are left and the request needs 60000; come back in 1.2 s" */
static bool refuse_claim(const struct claim *c, uint64_t now_ns, uint64_t delay_ns,
                         struct refusal *why)
{
    char rate[64], burst[64];
    bool bytes = c->outcome == OUTCOME_OVER_BYTES;
    option_format_number(bytes ? OPT_SIZE : OPT_RATE, c->limit->rate, rate, sizeof(rate));
    option_format_number(bytes ? OPT_SIZE : OPT_UINT, c->limit->burst, burst, sizeof(burst));
    refuse_text(why, c->outcome,
                "the %s's limit of %s per second is reached (%s%s for %s): %llu %s of the burst of "
                "%s are left and the request needs %llu%s; come back in %.1f s",
                c->holder, unit_of(c->outcome), rate, bytes ? "/s" : "", c->scope,
                (unsigned long long)limit_available(c->state, c->limit, now_ns),
                unit_of(c->outcome), burst, (unsigned long long)c->n,
                c->n > c->limit->burst ? ", more than the burst, so all of it" : "",
                (double)delay_ns / NS_PER_S);
    why->retry_delay_ns = delay_ns;
    return false;
}

uint64_t longest_wait(const struct request *req)
{
    uint64_t wait_ns = req->tenant->conf->limits.wait;
    if (req->deadline_ns == 0)
        return wait_ns;
    uint64_t left_ns =
        req->deadline_ns > req->loop->now_ns ? req->deadline_ns - req->loop->now_ns : 0;
    return wait_ns < left_ns ? wait_ns : left_ns;
}

/* The claim that has to wait longest decides when the request fits; in its line the request gets a
 * place. Nothing is taken any more. */
static bool refuse_claims(const struct claims *claims, uint64_t now_ns, struct refusal *why)
{
    const struct claim *longest = NULL;
    uint64_t longest_ns = 0;
    for (int i = 0; i < claims->n; i++) {
        const struct claim *c = &claims->at[i];
        uint64_t wait_ns = limit_wait(c->state, c->limit, c->n, claims->who, now_ns);
        if (c->limit->rate != 0 && (longest == NULL || wait_ns > longest_ns)) {
            longest = c;
            longest_ns = wait_ns;
        }
    }
    return refuse_claim(
        longest, now_ns,
        limit_queue_up(longest->state, longest->limit, longest->n, claims->who, now_ns), why);
}

/* Takes all claims or none. */
static bool take(struct request *req, const struct claims *claims, struct refusal *why)
{
    uint64_t now_ns = req->loop->now_ns, longest_ns = longest_wait(req), wait_ns = 0;
    for (int i = 0; i < claims->n; i++) {
        const struct claim *c = &claims->at[i];
        uint64_t this_ns = 0;
        enum limit_verdict verdict =
            limit_take(c->state, c->limit, c->n, claims->who, now_ns, longest_ns, &this_ns);
        if (verdict == LIMIT_REFUSED) {
            while (i-- > 0)
                limit_return(claims->at[i].state, claims->at[i].limit, claims->at[i].n);
            return refuse_claims(claims, now_ns, why);
        }
        if (verdict == LIMIT_WAIT && this_ns > wait_ns)
            wait_ns = this_ns;
    }
    for (int i = 0; i < claims->n; i++)
        limit_leave(claims->at[i].state, claims->who, now_ns);
    if (now_ns + wait_ns > req->not_before_ns)
        req->not_before_ns = now_ns + wait_ns;
    return true;
}

/* Before the body there is nothing to know a request by but its connection: those on it cannot be
 * told apart. */
static struct limit_caller caller_by_connection(const struct request *req)
{
    uint64_t id = XXH3_64bits_withSeed(&req->client, sizeof(req->client), (uint64_t)req->signal);
    return (struct limit_caller){id ? id : 1, true};
}

/* A sender that repeats a request sends the same bytes. */
static struct limit_caller caller_by_body(const struct request *req)
{
    uint64_t id = XXH3_64bits_withSeed(req->body.at, req->body.len, (uint64_t)req->signal);
    return (struct limit_caller){id ? id : 1, false};
}

static bool has_limits(const struct claims *claims)
{
    for (int i = 0; i < claims->n; i++)
        if (claims->at[i].limit->rate != 0)
            return true;
    return false;
}

/* --- the day's quota ----------------------------------------------------------------------- */

/* "the tenant's daily quota is spent (500GB for all signals): 499999999000 bytes were used since
 * 00:00 UTC and the request needs 60000; come back at 00:00 UTC, in 5025 s" */
static bool refuse_quota(const struct request *req, const struct holder *h, int scope, uint64_t n,
                         struct refusal *why)
{
    char quota[64];
    uint64_t wait_ns = ns_until_next_day(req->received_ns);
    option_format_number(OPT_SIZE, h->limits[scope].daily, quota, sizeof(quota));
    refuse_text(
        why, OUTCOME_OVER_QUOTA,
        "the %s's daily quota is spent (%s for %s): %llu bytes were used since 00:00 UTC "
        "and the request needs %llu; come back at 00:00 UTC, in %llu s",
        h->name, quota, scope_name(scope),
        (unsigned long long)day_count_read(&h->states[scope].today, day_of(req->received_ns)),
        (unsigned long long)n, (unsigned long long)((wait_ns + NS_PER_S - 1) / NS_PER_S));
    why->retry_delay_ns = wait_ns;
    return false;
}

/* Before the body: when nothing is left, nothing needs to be read. */
static bool quota_left(struct request *req, struct refusal *why)
{
    struct holder holders[MAX_HOLDERS];
    const int n_holders = holders_of(req, holders), scopes[] = {SIGNAL_COUNT, (int)req->signal};
    for (int i = 0; i < n_holders; i++) {
        for (int k = 0; k < 2; k++) {
            const struct holder *h = &holders[i];
            uint64_t most = h->limits[scopes[k]].daily;
            uint64_t day = day_of(req->received_ns);
            if (most != 0 && day_count_read(&h->states[scopes[k]].today, day) >= most)
                return refuse_quota(req, h, scopes[k], 1, why);
        }
    }
    return true;
}

/* Counts the request's bytes for the day, at all holders or at none. `enforce`: only if they fit.
 */
static bool take_quota(struct request *req, bool enforce, struct refusal *why)
{
    struct holder holders[MAX_HOLDERS];
    const int n_holders = holders_of(req, holders), scopes[] = {SIGNAL_COUNT, (int)req->signal};
    const uint64_t n = req->body.len, day = day_of(req->received_ns);
    for (int i = 0; i < 2 * n_holders; i++) {
        const struct holder *h = &holders[i / 2];
        int scope = scopes[i % 2];
        if (day_count_take(&h->states[scope].today, n, enforce ? h->limits[scope].daily : 0, day))
            continue;
        for (int k = 0; k < i; k++)
            day_count_give_back(&holders[k / 2].states[scopes[k % 2]].today, n, day);
        return refuse_quota(req, h, scope, n, why);
    }
    req->quota_bytes = n;
    req->quota_day = day;
    return true;
}

void return_quota(struct request *req)
{
    struct holder holders[MAX_HOLDERS];
    if (req->quota_bytes == 0)
        return;
    const int n_holders = holders_of(req, holders), scopes[] = {SIGNAL_COUNT, (int)req->signal};
    for (int i = 0; i < 2 * n_holders; i++)
        day_count_give_back(&holders[i / 2].states[scopes[i % 2]].today, req->quota_bytes,
                            req->quota_day);
    req->quota_bytes = 0;
}

/* --- the steps ----------------------------------------------------------------------------- */

/* A refusal, unless it is to be counted only. One request is counted once. */
static bool refuse_or_count(struct request *req, const struct refusal *why)
{
    if (!req->tenant->conf->limits.dry_run)
        return false;
    req->would_be_refused = true;
    req->not_before_ns = 0;
    router_count_dry_run(req->loop->router->metrics, req->tenant->runtime, req->signal,
                         why->outcome);
    return true;
}

static bool take_rates(struct request *req, struct claims *claims, struct refusal *why)
{
    const bool dry_run = req->tenant->conf->limits.dry_run;
    const struct limit_caller nobody = {0, false};
    if (dry_run)
        claims->who = nobody; /* is told nothing, so does not stand in line */
    if (!take(req, claims, why))
        return refuse_or_count(req, why);
    if (dry_run)
        req->not_before_ns = 0;
    return true;
}

bool limit_requests(struct request *req, struct refusal *why)
{
    struct claims claims = {.n = 0};
    if (!quota_left(req, why))
        return refuse_or_count(req, why);
    claim_all(&claims, req, OUTCOME_OVER_REQUESTS, 1);
    if (!has_limits(&claims))
        return true;
    claims.who = caller_by_connection(req);
    return take_rates(req, &claims, why);
}

bool limit_payload(struct request *req, struct refusal *why)
{
    struct claims claims = {.n = 0};
    struct refusal unused;
    if (req->would_be_refused)
        return take_quota(req, false, &unused);
    if (!take_quota(req, true, why))
        return refuse_or_count(req, why) && take_quota(req, false, &unused);
    claim_all(&claims, req, OUTCOME_OVER_BYTES, req->body.len);
    claim_all(&claims, req, OUTCOME_OVER_ITEMS, req->items);
    if (!has_limits(&claims))
        return true;
    claims.who = caller_by_body(req);
    return take_rates(req, &claims, why);
}
