/* Answers to failed keys that wait (guess.h). Meanwhile the request holds its headers and nothing
 * else: its body is dropped as it comes. */
#include "router/admission/admission_steps.h"

#include "base/metrics.h"
#include "router/admission/guess.h"

#define MOST_HELD 4096 /* in all: tens of megabytes */

static const struct metric slowed_metric = {"tenantry_auth_slowed_total",
                                            METRIC_COUNTER,
                                            "Answers to failed keys that waited because their "
                                            "address failed too often, and those that were "
                                            "not made to wait because too many did.",
                                            {"how", NULL}};

static void count_slowed(bool waits)
{
    metric_add(
        metric_series(&slowed_metric, (const char *const[]){waits ? "delayed" : "too_many_wait"}),
        1);
}

static void on_due(struct loop_timer *t)
{
    struct request *req = H2O_STRUCT_FROM_MEMBER(struct request, timer, t);
    struct refusal why;
    refuse(&why, req->held_outcome);
    answer_refused(req, &why);
}

void end_hold(struct request *req)
{
    if (!req->holding)
        return;
    req->holding = false;
    atomic_fetch_sub(&req->loop->router->guesses->held, 1);
}

/* Takes a place among those that wait. */
static bool may_wait(struct guesses *g)
{
    if (atomic_fetch_add(&g->held, 1) < MOST_HELD)
        return true;
    atomic_fetch_sub(&g->held, 1);
    return false;
}

bool hold_refusal(struct request *req, const struct refusal *why)
{
    struct guesses *g = req->loop->router->guesses;
    const struct router_conf *conf = &req->snapshot->conf->router;
    if (g == NULL || (why->outcome != OUTCOME_NO_KEY && why->outcome != OUTCOME_BAD_KEY))
        return false;
    uint64_t now_ns = req->loop->now_ns;
    uint64_t wait_ns = guess_failed(g, &req->client, conf->guess_rate, conf->guess_delay, now_ns);
    if (wait_ns == 0)
        return false;
    req->holding = may_wait(g);
    count_slowed(req->holding);
    if (!req->holding)
        return false;
    req->held_outcome = why->outcome;
    req->timer.fire = on_due;
    loop_timer_set(req->loop, &req->timer, now_ns + wait_ns);
    return true;
}
