/* Where a request becomes other records than its own bytes: items are left out, or there is more
 * than one record may hold. */
#include "router/admission/admission_steps.h"

/* Saturates: a request of more items cannot be sent anyway. */
static uint64_t times(uint64_t n, uint64_t factor)
{
    return n > UINT64_MAX / factor ? UINT64_MAX : n * factor;
}

struct scan_limits request_ceilings(const struct conf *conf)
{
    const struct record_conf *r = &conf->record;
    return (struct scan_limits){times(r->max_items, r->max_parts),
                                times(r->max_expanded, r->max_parts)};
}

void plan_split(struct request *req, const struct scan_result *found)
{
    const struct record_conf *r = &req->snapshot->conf->record;
    req->bad_items = found->bad_items > 0;
    req->needs_split = req->bad_items || req->body.len > r->max_bytes ||
                       found->items > r->max_items || found->expanded_bytes > r->max_expanded;
}

/* A fat resource stands in every part: what all may take together is bounded, too. */
static uint64_t most_bytes(const struct conf *conf)
{
    uint64_t twice = 2 * conf->router.max_decompressed;
    return twice < conf->kafka.queue_bytes ? twice : conf->kafka.queue_bytes;
}

static struct split_plan plan_of(const struct request *req)
{
    const struct conf *conf = req->snapshot->conf;
    return (struct split_plan){
        .limits = {conf->record.max_items, conf->record.max_expanded},
        .max_bytes = conf->record.max_bytes,
        .bad_items = req->bad_items,
        .max_parts = (unsigned)conf->record.max_parts,
        .max_total = most_bytes(conf),
    };
}

static bool refuse_parts(const struct request *req, struct refusal *why)
{
    const struct conf *conf = req->snapshot->conf;
    return refuse_text(
        why, OUTCOME_TOO_MANY_EXPANDED,
        "%s: at most %llu records of %llu bytes, and %llu bytes in all",
        outcome_info[OUTCOME_TOO_MANY_EXPANDED].text, (unsigned long long)conf->record.max_parts,
        (unsigned long long)conf->record.max_bytes, (unsigned long long)most_bytes(conf));
}

/* The body makes way for its parts. */
static bool take_parts(struct request *req, const struct split_result *result, struct refusal *why)
{
    uint64_t bytes = 0;
    release_body(req);
    *req->split = *result;
    for (size_t i = 0; i < result->n; i++)
        bytes += result->parts[i].bytes.len;
    req->items = result->kept;
    return reserve_bytes(req, bytes, why);
}

bool split_body(struct request *req, struct refusal *why)
{
    struct split_plan plan = plan_of(req);
    struct split_result result = {0};
    if (!req->needs_split || req->split != NULL)
        return true;
    struct split_result *kept = arena_calloc(&req->arena, 1, sizeof(*kept));
    if (kept == NULL)
        return refuse(why, OUTCOME_OVERLOADED);
    switch (split_request(req->signal, buf_slice(&req->body), &plan, &result)) {
    case SPLIT_OK:
        req->split = kept;
        return take_parts(req, &result, why);
    case SPLIT_TOO_MANY:
        return refuse_parts(req, why);
    default:
        return refuse(why, OUTCOME_OVERLOADED);
    }
}
