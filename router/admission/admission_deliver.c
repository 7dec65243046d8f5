/* From the checked payload to the answer. Kafka has the body, or the parts it was split into, by
 * reference: they stay until the last delivery report, also when the request was answered or its
 * client went away before. What the reports then say is counted, not told.
 *
 * A request of several records has succeeded when all are confirmed. When one is not, its sender is
 * told so, and repeats them all: those that Kafka has are counted as possible duplicates. */
#include "router/admission/admission_steps.h"

#include "base/clock.h"
#include "base/fault.h"
#include "router/metrics.h"

#include <stdio.h>
#include <xxhash.h>

/* A record that goes ahead finds out whether Kafka takes them again: that takes a moment. */
#define STALLED_RETRY_NS (3 * NS_PER_S)

struct delivery;

/* One record under way. */
struct parcel {
    struct loop_message message; /* first: a message is cast to its parcel */
    struct producer_record record;
    struct delivery *delivery;
    char key[24];
    rd_kafka_resp_err_t error;
    bool possibly_persisted;
};

/* In the request's arena; the request has a reference for it until the last report. */
struct delivery {
    struct request *req;
    uint64_t sent_ns;
    size_t waiting;            /* reports to come */
    uint64_t stored;           /* items that Kafka has or may have */
    rd_kafka_resp_err_t error; /* of the first record that failed for good, else of the first */
    size_t n;
    struct producer_record **records; /* of the parcels */
    struct parcel parcels[];
};

static struct request *request_of_timer(struct loop_timer *t)
{
    return H2O_STRUCT_FROM_MEMBER(struct request, timer, t);
}

/* --- deadline ------------------------------------------------------------------------------- */

static void on_deadline(struct loop_timer *t)
{
    struct request *req = request_of_timer(t);
    struct refusal why;
    refuse(&why, req->own_deadline ? OUTCOME_DEADLINE : OUTCOME_KAFKA_DOWN);
    answer_refused(req, &why);
}

void arm_deadline(struct request *req)
{
    if (req->deadline_ns == 0)
        return;
    req->timer.fire = on_deadline;
    loop_timer_set(req->loop, &req->timer, req->deadline_ns);
}

/* --- reports -------------------------------------------------------------------------------- */

static void answer_reports(struct request *req, const struct delivery *d)
{
    struct refusal why;
    if (d->error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        FAULT_POINT("after_produce_before_answer");
        answer_accepted(req);
        return;
    }
    refuse(&why, producer_outcome(d->error));
    answer_refused(req, &why);
}

/* All reports are in. The delivery may be gone afterwards. */
static void conclude(struct delivery *d)
{
    struct request *req = d->req;
    struct router_metrics *metrics = req->loop->router->metrics;
    struct tenant_runtime *rt = req->tenant->runtime;
    bool confirmed = d->error == RD_KAFKA_RESP_ERR_NO_ERROR;
    bool told_success = confirmed && !req->answered && !req->gone;
    req->produced = false;
    release_body(req);
    if (confirmed)
        router_observe_ack(metrics, rt, req->signal, req->loop->now_ns - d->sent_ns);
    if (d->stored > 0 && !told_success)
        router_count_possible_duplicates(metrics, rt, req->signal, d->stored);
    if (!req->answered && !req->gone)
        answer_reports(req, d);
    request_unref(req);
}

/* What will never pass is told before what may pass when it is tried again. */
static void note_error(struct delivery *d, rd_kafka_resp_err_t error)
{
    bool for_good =
        error != RD_KAFKA_RESP_ERR_NO_ERROR && !outcome_info[producer_outcome(error)].retryable;
    if (d->error == RD_KAFKA_RESP_ERR_NO_ERROR ||
        (for_good && outcome_info[producer_outcome(d->error)].retryable))
        d->error = error;
}

static void on_report(struct loop_message *m)
{
    struct parcel *p = (struct parcel *)m;
    struct delivery *d = p->delivery;
    struct request *req = d->req;
    note_error(d, p->error);
    if (p->error == RD_KAFKA_RESP_ERR_NO_ERROR || p->possibly_persisted) {
        d->stored += p->record.items;
        req->stored = true;
    }
    if (--d->waiting == 0)
        conclude(d);
    else
        FAULT_POINT("between_reports");
}

/* Thread: the producer's. */
static void on_done(void *arg, rd_kafka_resp_err_t error, bool possibly_persisted)
{
    struct parcel *p = arg;
    p->error = error;
    p->possibly_persisted = possibly_persisted;
    p->message.run = on_report;
    loop_post(p->delivery->req->loop, &p->message);
}

/* --- sending -------------------------------------------------------------------------------- */

/* `part` NULL: the body. */
static void fill_record(struct producer_record *r, const struct request *req,
                        const struct split_part *part)
{
    *r = (struct producer_record){.value = buf_slice(part ? &part->bytes : &req->body),
                                  .tenant = req->tenant,
                                  .signal = req->signal,
                                  .key_id = slice_str(req->key->id),
                                  .received_ns = req->received_ns,
                                  .items = part ? part->items : req->items,
                                  .done = on_done};
    memcpy(r->request_hash, req->hash, sizeof(r->request_hash));
}

/* Of a request with a trace id somewhere each part goes to its partition. The key says which one of
 * how many, since the part may hold many traces; without a trace it has none. */
static void address(struct parcel *p, const struct request *req, const struct split_part *part)
{
    p->record.to_partition = true;
    p->record.partition = (int32_t)part->partition;
    if (!part->traced)
        return;
    snprintf(p->key, sizeof(p->key), "%u/%u", part->partition, req->n_partitions);
    p->record.key = slice_str(p->key);
}

static bool any_traced(const struct request *req)
{
    for (size_t i = 0; req->by_trace && i < req->split->n; i++)
        if (req->split->parts[i].traced)
            return true;
    return false;
}

static struct delivery *new_delivery(struct request *req)
{
    const bool traced = any_traced(req);
    size_t n = req->split ? req->split->n : 1;
    struct delivery *d = arena_calloc(&req->arena, 1, sizeof(*d) + n * sizeof(struct parcel));
    struct producer_record **records =
        arena_calloc(&req->arena, n, sizeof(struct producer_record *));
    if (d == NULL || records == NULL)
        return NULL;
    d->records = records;
    d->req = req;
    d->sent_ns = req->loop->now_ns;
    d->n = n;
    for (size_t i = 0; i < n; i++) {
        struct parcel *p = &d->parcels[i];
        fill_record(&p->record, req, req->split ? &req->split->parts[i] : NULL);
        if (traced)
            address(p, req, &req->split->parts[i]);
        p->record.part = (unsigned)i + 1;
        p->record.parts = (unsigned)n;
        p->record.arg = p;
        records[i] = &p->record;
        p->delivery = d;
    }
    return d;
}

/* Returns the error of what did not even start. Once a record is under way, its report answers. */
static rd_kafka_resp_err_t send_records(struct request *req)
{
    struct delivery *d = new_delivery(req);
    rd_kafka_resp_err_t error;
    if (d == NULL)
        return RD_KAFKA_RESP_ERR__QUEUE_FULL;
    request_ref(req);
    req->produced = true;
    d->waiting = producer_send_all(req->loop->router->producers, d->records, d->n, &error);
    if (d->waiting > 0) {
        note_error(d, error);
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    req->produced = false;
    request_unref(req);
    return error;
}

/* How often is looked for a leader. */
#define LEADER_LOOK_NS (20 * NS_PER_MS)

static void on_wait_over(struct loop_timer *t);

/* As long as librdkafka waits for one: until the deadline. */
static void wait_for_leaders(struct request *req)
{
    uint64_t next_ns = req->loop->now_ns + LEADER_LOOK_NS;
    if (req->loop->now_ns >= req->deadline_ns) {
        on_deadline(&req->timer);
        return;
    }
    req->timer.fire = on_wait_over;
    loop_timer_set(req->loop, &req->timer, next_ns < req->deadline_ns ? next_ns : req->deadline_ns);
}

static void send_split(struct request *req)
{
    struct refusal why;
    if (req->items == 0) { /* R93, R102: nothing to keep */
        answer_accepted(req);
        return;
    }
    rd_kafka_resp_err_t error = send_records(req);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        arm_deadline(req);
        return;
    }
    refuse(&why, producer_outcome(error));
    if (error == PRODUCER_STALLED)
        why.retry_delay_ns = STALLED_RETRY_NS;
    answer_refused(req, &why);
}

static void hash_body(struct request *req)
{
    XXH128_canonical_t hash;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(req->body.at, req->body.len));
    memcpy(req->hash, hash.digest, sizeof(req->hash));
}

static void send_now(struct request *req)
{
    struct refusal why;
    if (req->split == NULL)
        hash_body(req);
    switch (split_body(req, &why)) {
    case SPLIT_DONE:
        send_split(req);
        break;
    case SPLIT_LATER:
        wait_for_leaders(req);
        break;
    case SPLIT_REFUSED:
        answer_refused(req, &why);
        break;
    }
}

static void on_wait_over(struct loop_timer *t)
{
    send_now(request_of_timer(t));
}

void deliver(struct request *req)
{
    if (req->not_before_ns <= req->loop->now_ns) {
        send_now(req);
        return;
    }
    router_count_waited(req->loop->router->metrics, req->tenant->runtime, req->signal);
    req->timer.fire = on_wait_over;
    loop_timer_set(req->loop, &req->timer, req->not_before_ns);
}
