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
    req->by_trace = tenant_partitions_by_trace(req->tenant, req->signal);
    req->needs_split = req->by_trace || req->bad_items || req->body.len > r->max_bytes ||
                       found->items > r->max_items || found->expanded_bytes > r->max_expanded;
}

/* A fat resource stands in every part: what all may take together is bounded, too. */
static uint64_t most_bytes(const struct conf *conf)
{
    uint64_t twice = 2 * conf->router.max_decompressed;
    return twice < conf->kafka.queue_bytes ? twice : conf->kafka.queue_bytes;
}

/* `p`: those of the topic when it is to be split by trace, else NULL. */
static struct split_plan plan_of(struct request *req, struct partitions *p)
{
    const struct conf *conf = req->snapshot->conf;
    return (struct split_plan){
        .partitions = req->n_partitions,
        .home = p ? partitions_next(p, req->n_partitions) : 0,
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

static bool split_into(struct request *req, const struct split_plan *plan, struct refusal *why)
{
    struct split_result result = {0};
    struct split_result *kept = arena_calloc(&req->arena, 1, sizeof(*kept));
    if (kept == NULL)
        return refuse(why, OUTCOME_OVERLOADED);
    switch (split_request(req->signal, buf_slice(&req->body), plan, &result)) {
    case SPLIT_OK:
        req->split = kept;
        return take_parts(req, &result, why);
    case SPLIT_TOO_MANY:
        return refuse_parts(req, why);
    default:
        return refuse(why, OUTCOME_OVERLOADED);
    }
}

/* --- by trace ------------------------------------------------------------------------------- */

static bool leaders_are_there(const struct request *req, const struct partitions *p)
{
    for (size_t i = 0; i < req->split->n; i++)
        if (!partitions_has_leader(p, req->split->parts[i].partition))
            return false;
    return true;
}

static enum split_step refuse_split(struct refusal *why, enum outcome outcome)
{
    refuse(why, outcome);
    return SPLIT_REFUSED;
}

/* The partitions must be known to split, and their leaders to be there to produce. */
static enum split_step split_by_trace(struct request *req, struct refusal *why)
{
    struct partitions *p =
        producer_partitions(req->loop->router->producers, req->tenant, req->signal);
    if (p == NULL)
        return refuse_split(why, OUTCOME_OVERLOADED);
    if (req->split == NULL) {
        req->n_partitions = atomic_load(&p->n);
        if (req->n_partitions == 0)
            return atomic_load(&p->missing) ? refuse_split(why, OUTCOME_TOPIC_MISSING)
                                            : SPLIT_LATER;
        struct split_plan plan = plan_of(req, p);
        if (!split_into(req, &plan, why))
            return SPLIT_REFUSED;
    }
    return leaders_are_there(req, p) ? SPLIT_DONE : SPLIT_LATER;
}

enum split_step split_body(struct request *req, struct refusal *why)
{
    if (req->by_trace && req->items > 0)
        return split_by_trace(req, why);
    if (!req->needs_split || req->items == 0 || req->split != NULL)
        return SPLIT_DONE;
    struct split_plan plan = plan_of(req, NULL);
    return split_into(req, &plan, why) ? SPLIT_DONE : SPLIT_REFUSED;
}
