#include "router/admission_steps.h"

#include "base/clock.h"

#define RETRY_MIN_NS NS_PER_S /* R211 */
#define RETRY_MAX_NS (5 * NS_PER_S)

/* `n` units wanted of one limit. */
struct claim {
    struct limit_state *state;
    const struct limit *limit;
    uint64_t n;
    enum outcome outcome; /* when it is refused */
    const char *scope;
};

static bool refuse_limit(const struct claim *c, uint64_t wait_ns, struct refusal *why)
{
    char rate[64];
    uint64_t delay_ns = wait_ns < RETRY_MIN_NS ? RETRY_MIN_NS : wait_ns;
    delay_ns = delay_ns > RETRY_MAX_NS ? RETRY_MAX_NS : delay_ns;
    bool bytes = c->outcome == OUTCOME_OVER_BYTES;
    option_format_number(bytes ? OPT_SIZE : OPT_RATE, c->limit->rate, rate, sizeof(rate));
    refuse_text(why, c->outcome, "%s (%s%s for %s); come back in %.1f s",
                outcome_info[c->outcome].text, rate, bytes ? "/s" : "", c->scope,
                (double)delay_ns / NS_PER_S);
    why->retry_delay_ns = delay_ns;
    return false;
}

/* How long this request may be held back: not past its deadline. */
static uint64_t longest_wait(const struct request *req)
{
    uint64_t wait_ns = req->tenant->conf->limits.wait;
    if (req->deadline_ns == 0)
        return wait_ns;
    uint64_t left_ns =
        req->deadline_ns > req->loop->now_ns ? req->deadline_ns - req->loop->now_ns : 0;
    return wait_ns < left_ns ? wait_ns : left_ns;
}

/* Takes all claims or none. */
static bool take(struct request *req, const struct claim *claims, int n, struct refusal *why)
{
    uint64_t now_ns = req->loop->now_ns, longest_ns = longest_wait(req), wait_ns = 0;
    for (int i = 0; i < n; i++) {
        const struct claim *c = &claims[i];
        uint64_t this_ns = 0;
        enum limit_verdict verdict =
            limit_take(c->state, c->limit, c->n, now_ns, longest_ns, &this_ns);
        if (verdict == LIMIT_REFUSED) {
            while (i-- > 0)
                limit_return(claims[i].state, claims[i].limit, claims[i].n);
            return refuse_limit(c, this_ns, why);
        }
        if (verdict == LIMIT_WAIT && this_ns > wait_ns)
            wait_ns = this_ns;
    }
    if (now_ns + wait_ns > req->not_before_ns)
        req->not_before_ns = now_ns + wait_ns;
    return true;
}

/* The tenant's total and the signal's own, in this order. */
#define CLAIMS(what, units, outcome)                                                               \
    {&states[SIGNAL_COUNT].what, &limits[SIGNAL_COUNT].what, units, outcome, "all signals"},       \
    {                                                                                              \
        &states[s].what, &limits[s].what, units, outcome, signal_info[s].name                      \
    }

bool limit_requests(struct request *req, struct refusal *why)
{
    struct tenant_limit_states *states = req->tenant->runtime->limits;
    const struct tenant_limits *limits = req->tenant->limits;
    enum signal s = req->signal;
    const struct claim claims[] = {CLAIMS(requests, 1, OUTCOME_OVER_REQUESTS)};
    return take(req, claims, 2, why);
}

bool limit_payload(struct request *req, struct refusal *why)
{
    struct tenant_limit_states *states = req->tenant->runtime->limits;
    const struct tenant_limits *limits = req->tenant->limits;
    enum signal s = req->signal;
    const struct claim claims[] = {CLAIMS(bytes, req->body.len, OUTCOME_OVER_BYTES),
                                   CLAIMS(items, req->items, OUTCOME_OVER_ITEMS)};
    return take(req, claims, 4, why);
}
