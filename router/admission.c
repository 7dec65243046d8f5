#include "router/admission_steps.h"

#include "router/cors.h"
#include "router/health.h"
#include "router/metrics.h"
#include "router/pages.h"

#include <stdarg.h>
#include <stdio.h>

bool refuse(struct refusal *why, enum outcome outcome)
{
    why->outcome = outcome;
    why->retry_delay_ns = 0;
    why->bad_field = NULL;
    why->text[0] = 0;
    return false;
}

bool refuse_text(struct refusal *why, enum outcome outcome, const char *format, ...)
{
    refuse(why, outcome);
    va_list args;
    va_start(args, format);
    vsnprintf(why->text, sizeof(why->text), format, args);
    va_end(args);
    return false;
}

/* --- what a request holds ------------------------------------------------------------------ */

/* A request that is alone is not measured against its tenant's cap: if it were too large for it, it
 * would be told to come back for ever. The body's own ceilings bound it. */
static bool over_cap(const struct request *req, uint64_t total)
{
    uint64_t cap = req->tenant->conf->limits.in_flight;
    return cap != 0 && total > cap && total > req->held;
}

bool reserve_bytes(struct request *req, uint64_t n, struct refusal *why)
{
    struct router *r = req->loop->router;
    uint64_t buffered = atomic_fetch_add(&r->buffered, n) + n;
    uint64_t in_flight = atomic_fetch_add(&req->tenant->runtime->in_flight, n) + n;
    req->held += n;
    if (buffered > req->snapshot->conf->router.max_buffered)
        return refuse(why, OUTCOME_OVERLOADED);
    if (over_cap(req, in_flight))
        return refuse(why, OUTCOME_OVER_IN_FLIGHT);
    return true;
}

void release_body(struct request *req)
{
    buf_release(&req->body);
    if (req->held == 0)
        return;
    atomic_fetch_sub(&req->loop->router->buffered, req->held);
    atomic_fetch_sub(&req->tenant->runtime->in_flight, req->held);
    req->held = 0;
}

bool replace_body(struct request *req, struct buf body, struct refusal *why)
{
    release_body(req);
    req->body = body;
    return reserve_bytes(req, body.len, why);
}

void admission_release(struct request *req)
{
    loop_timer_clear(req->loop, &req->timer);
    release_body(req);
    if (!req->stored)
        return_quota(req);
    snapshot_release(req->snapshot);
    req->snapshot = NULL;
    req->tenant = NULL;
    req->key = NULL;
}

/* --- how it ends ---------------------------------------------------------------------------- */

static void count(struct request *req, enum outcome outcome)
{
    struct request_counts counts = {outcome, req->items, req->bytes};
    router_count_request(req->loop->router->metrics, req->tenant ? req->tenant->runtime : NULL,
                         req->routed ? req->signal : SIGNAL_COUNT, &counts);
}

static void answer(struct request *req, const struct answer *a)
{
    req->answered = true;
    loop_timer_clear(req->loop, &req->timer);
    count(req, a->outcome);
    if (req->tenant != NULL && a->outcome != OUTCOME_ACCEPTED)
        tenant_refused(req->tenant->runtime, clock_wall_ns(), outcome_info[a->outcome].reason,
                       req->routed ? req->signal : SIGNAL_COUNT);
    if (!req->produced)
        release_body(req);
    req->transport->answer(req, a);
}

void answer_refused(struct request *req, const struct refusal *why)
{
    answer(req, &(struct answer){.outcome = why->outcome,
                                 .message = why->text[0] ? why->text : NULL,
                                 .retry_delay_ns = why->retry_delay_ns,
                                 .bad_field = why->bad_field});
}

void answer_accepted(struct request *req)
{
    const struct rejection *lost = req->rejection;
    struct answer a = {.outcome = OUTCOME_ACCEPTED};
    const uint64_t today = day_of(req->received_ns);
    day_count_take(&req->tenant->runtime->items[req->signal], req->items, 0, today);
    day_count_take(&req->tenant->runtime->requests[req->signal], 1, 0, today);
    if (lost != NULL) {
        a.rejected = lost->items.rejected;
        a.message = lost->text;
        router_count_rejected(req->loop->router->metrics, req->tenant->runtime, req->signal,
                              lost->items.by_defect);
    }
    answer(req, &a);
}

/* --- what the transport calls ---------------------------------------------------------------- */

/* What is no export is not counted as one. */
static void answer_other(struct request *req, const struct answer *a)
{
    req->answered = true;
    release_body(req);
    req->transport->answer(req, a);
}

enum admission_step admission_headers(struct request *req)
{
    struct refusal why;
    req->snapshot = snapshot_ref(req->loop->snapshot);
    if (page_answer(req))
        return ADMISSION_ANSWERED;
    req->health = health_is_check(req);
    if (req->health)
        return ADMISSION_CONTINUE;
    if (cors_is_preflight(req) && is_signal_path(req->path)) {
        answer_other(req, &(struct answer){.kind = ANSWER_PREFLIGHT});
        return ADMISSION_ANSWERED;
    }
    if (!check_headers(req, &why)) {
        answer_refused(req, &why);
        return ADMISSION_ANSWERED;
    }
    arm_deadline(req);
    return ADMISSION_CONTINUE;
}

enum admission_step admission_data(struct request *req, size_t n)
{
    struct refusal why;
    bool fits = req->body.len + n <= req->snapshot->conf->router.max_body;
    if (req->health) {
        if (req->body.len + n <= HEALTH_MAX_BODY)
            return ADMISSION_CONTINUE;
        admission_refuse(req, OUTCOME_TOO_LARGE, NULL);
        return ADMISSION_ANSWERED;
    }
    req->bytes += n;
    if (fits ? reserve_bytes(req, n, &why) : refuse(&why, OUTCOME_TOO_LARGE))
        return ADMISSION_CONTINUE;
    answer_refused(req, &why);
    return ADMISSION_ANSWERED;
}

void admission_body(struct request *req)
{
    struct refusal why;
    if (req->health) {
        struct answer a = {0};
        health_check(req, &a);
        if (a.outcome == OUTCOME_ACCEPTED)
            answer_other(req, &a);
        else
            answer(req, &a);
        return;
    }
    if (check_body(req, &why))
        deliver(req);
    else
        answer_refused(req, &why);
}

void admission_refuse(struct request *req, enum outcome outcome, const char *message)
{
    answer(req, &(struct answer){.outcome = outcome, .message = message});
}

void admission_gone(struct request *req, enum outcome why)
{
    req->gone = true;
    loop_timer_clear(req->loop, &req->timer);
    count(req, why);
    if (!req->produced)
        release_body(req);
}
