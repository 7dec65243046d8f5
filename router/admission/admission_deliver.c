/* From the checked payload to the answer. Kafka has the body by reference: it stays until the
 * delivery report, also when the request was answered or its client went away before. What the
 * report then says is counted, not told. */
#include "router/admission/admission_steps.h"

#include "base/clock.h"
#include "base/fault.h"
#include "router/metrics.h"

#include <xxhash.h>

/* A record that goes ahead finds out whether Kafka takes them again: that takes a moment. */
#define STALLED_RETRY_NS (3 * NS_PER_S)

/* In the request's arena; the request has a reference for it. */
struct delivery {
    struct loop_message message; /* first: a message is cast to its delivery */
    struct producer_record record;
    struct request *req;
    uint64_t sent_ns;
    rd_kafka_resp_err_t error;
    bool possibly_persisted;
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

/* --- report --------------------------------------------------------------------------------- */

static void answer_report(struct request *req, const struct delivery *d)
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

static void on_report(struct loop_message *m)
{
    struct delivery *d = (struct delivery *)m;
    struct request *req = d->req;
    struct router_metrics *metrics = req->loop->router->metrics;
    struct tenant_runtime *rt = req->tenant->runtime;
    bool confirmed = d->error == RD_KAFKA_RESP_ERR_NO_ERROR;
    bool told_success = confirmed && !req->answered && !req->gone;
    req->stored = confirmed || d->possibly_persisted;
    req->produced = false;
    release_body(req);
    if (confirmed)
        router_observe_ack(metrics, rt, req->signal, req->loop->now_ns - d->sent_ns);
    if ((confirmed || d->possibly_persisted) && !told_success)
        router_count_possible_duplicates(metrics, rt, req->signal, req->items);
    if (!req->answered && !req->gone)
        answer_report(req, d);
    request_unref(req);
}

/* Thread: the producer's. */
static void on_done(void *arg, rd_kafka_resp_err_t error, bool possibly_persisted)
{
    struct delivery *d = arg;
    d->error = error;
    d->possibly_persisted = possibly_persisted;
    d->message.run = on_report;
    loop_post(d->req->loop, &d->message);
}

/* --- sending -------------------------------------------------------------------------------- */

static struct delivery *new_delivery(struct request *req)
{
    struct delivery *d = arena_calloc(&req->arena, 1, sizeof(*d));
    if (d == NULL)
        return NULL;
    d->req = req;
    d->sent_ns = req->loop->now_ns;
    d->record = (struct producer_record){.value = buf_slice(&req->body),
                                         .tenant = req->tenant,
                                         .signal = req->signal,
                                         .key_id = slice_str(req->key->id),
                                         .received_ns = req->received_ns,
                                         .items = req->items,
                                         .done = on_done,
                                         .arg = d};
    XXH128_canonical_t hash;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(req->body.at, req->body.len));
    memcpy(d->record.request_hash, hash.digest, sizeof(hash.digest));
    return d;
}

/* Returns the error of what did not even start. */
static rd_kafka_resp_err_t send_record(struct request *req)
{
    struct delivery *d = new_delivery(req);
    if (d == NULL)
        return RD_KAFKA_RESP_ERR__QUEUE_FULL;
    request_ref(req);
    req->produced = true;
    rd_kafka_resp_err_t error = producer_send(req->loop->router->producers, &d->record);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        req->produced = false;
        request_unref(req);
    }
    return error;
}

static void send_now(struct request *req)
{
    struct refusal why;
    if (req->items == 0) { /* R93, R102: nothing to keep */
        answer_accepted(req);
        return;
    }
    rd_kafka_resp_err_t error = send_record(req);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        arm_deadline(req);
        return;
    }
    refuse(&why, producer_outcome(error));
    if (error == PRODUCER_STALLED)
        why.retry_delay_ns = STALLED_RETRY_NS;
    answer_refused(req, &why);
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
