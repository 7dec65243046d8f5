#include "router/admission/admission_steps.h"

#include "router/http/cors.h"
#include "router/http/health.h"
#include "router/http/pages.h"
#include "router/metrics.h"

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

/* Counts `n` more bytes; the tenant's total. False: the router holds as much as it may. */
static bool count_bytes(struct request *req, uint64_t n, uint64_t *ret_total)
{
    struct router *r = req->loop->router;
    uint64_t buffered = atomic_fetch_add(&r->buffered, n) + n;
    *ret_total = atomic_fetch_add(&req->tenant->runtime->in_flight, n) + n;
    req->held += n;
    return buffered <= req->snapshot->conf->router.max_buffered;
}

/* "too many bytes of this tenant are under way: 64100000 of 64MB; come back in 1 s" */
static bool refuse_in_flight(const struct request *req, uint64_t total, struct refusal *why)
{
    char cap[64];
    option_format_number(OPT_SIZE, req->tenant->conf->limits.in_flight, cap, sizeof(cap));
    return refuse_text(why, OUTCOME_OVER_IN_FLIGHT, "%s: %llu, and its limit is %s",
                       outcome_info[OUTCOME_OVER_IN_FLIGHT].text, (unsigned long long)total, cap);
}

bool reserve_bytes(struct request *req, uint64_t n, struct refusal *why)
{
    uint64_t total;
    if (!count_bytes(req, n, &total))
        return refuse(why, OUTCOME_OVERLOADED);
    return !over_cap(req, total) || refuse_in_flight(req, total, why);
}

/* --- slowed by flow control ------------------------------------------------------------------
 * A body that would take its tenant above the cap is paused: its client may not send on until bytes
 * of others are gone, for as long as a request may wait. What was on its way already is taken, up
 * to a tenth of the cap more. */

#define PAUSE_LOOK_NS (20 * NS_PER_MS)

static void on_pause(struct loop_timer *t);

static void pause_until_look(struct request *req)
{
    uint64_t next_ns = req->loop->now_ns + PAUSE_LOOK_NS;
    req->timer.fire = on_pause;
    loop_timer_set(req->loop, &req->timer,
                   next_ns < req->pause_until_ns ? next_ns : req->pause_until_ns);
}

static bool may_pause(const struct request *req, uint64_t total)
{
    uint64_t cap = req->tenant->conf->limits.in_flight;
    return total - cap <= cap / 10 && (req->paused || longest_wait(req) > 0);
}

static void begin_pause(struct request *req)
{
    if (req->paused)
        return;
    req->paused = true;
    req->pause_until_ns = req->loop->now_ns + longest_wait(req);
    router_count_waited(req->loop->router->metrics, req->tenant->runtime, req->signal);
    pause_until_look(req);
}

static void end_pause(struct request *req)
{
    req->paused = false;
    loop_timer_clear(req->loop, &req->timer);
    arm_deadline(req);
    if (req->transport->resume != NULL)
        req->transport->resume(req);
    if (req->whole)
        admission_body(req);
}

static void on_pause(struct loop_timer *t)
{
    struct request *req = H2O_STRUCT_FROM_MEMBER(struct request, timer, t);
    uint64_t total = atomic_load(&req->tenant->runtime->in_flight);
    struct refusal why;
    request_ref(req);
    if (!over_cap(req, total))
        end_pause(req);
    else if (req->loop->now_ns < req->pause_until_ns)
        pause_until_look(req);
    else if (req->own_deadline && req->loop->now_ns >= req->deadline_ns)
        answer_refused(req, (refuse(&why, OUTCOME_DEADLINE), &why));
    else
        answer_refused(req, (refuse_in_flight(req, total, &why), &why));
    request_unref(req);
}

static bool take_bytes(struct request *req, uint64_t n, struct refusal *why)
{
    uint64_t total;
    if (!count_bytes(req, n, &total))
        return refuse(why, OUTCOME_OVERLOADED);
    if (!over_cap(req, total))
        return true;
    if (!may_pause(req, total))
        return refuse_in_flight(req, total, why);
    begin_pause(req);
    return true;
}

void release_body(struct request *req)
{
    buf_release(&req->body);
    if (req->split != NULL)
        split_release(req->split);
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
    end_hold(req);
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
    req->paused = false;
    loop_timer_clear(req->loop, &req->timer);
    end_hold(req);
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
    const struct split_result *split = req->split;
    char text[160];
    struct answer a = {.outcome = OUTCOME_ACCEPTED};
    const uint64_t today = day_of(req->received_ns);
    day_count_take(&req->tenant->runtime->items[req->signal], req->items, 0, today);
    day_count_take(&req->tenant->runtime->requests[req->signal], 1, 0, today);
    if (split != NULL && split->rejected > 0) {
        split_describe(req->signal, split, text, sizeof(text));
        a.rejected = split->rejected;
        a.message = text;
        router_count_rejected(req->loop->router->metrics, req->tenant->runtime, req->signal,
                              split->by_defect);
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
        return req->holding ? ADMISSION_CONTINUE : ADMISSION_ANSWERED;
    req->health = health_is_check(req);
    if (req->health)
        return ADMISSION_CONTINUE;
    if (cors_is_preflight(req) && is_signal_path(req->path)) {
        answer_other(req, &(struct answer){.kind = ANSWER_PREFLIGHT});
        return ADMISSION_ANSWERED;
    }
    if (!check_headers(req, &why)) {
        if (hold_refusal(req, &why))
            return ADMISSION_CONTINUE;
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
    if (req->holding) { /* what came before this piece */
        buf_release(&req->body);
        return ADMISSION_CONTINUE;
    }
    if (fits ? take_bytes(req, n, &why) : refuse(&why, OUTCOME_TOO_LARGE))
        return ADMISSION_CONTINUE;
    answer_refused(req, &why);
    return ADMISSION_ANSWERED;
}

void admission_body(struct request *req)
{
    struct refusal why;
    if (req->holding)
        return;
    if (req->health) {
        struct answer a = {0};
        health_check(req, &a);
        if (a.outcome == OUTCOME_ACCEPTED)
            answer_other(req, &a);
        else
            answer(req, &a);
        return;
    }
    req->whole = true;
    if (req->paused)
        return;
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
    end_hold(req);
    count(req, why);
    if (!req->produced)
        release_body(req);
}
