#include "consumer/worker_parts.h"

#include "base/clock.h"
#include "base/log.h"
#include "consumer/breaker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CANCEL_WAIT_MS 100

/* ---- the open batch ---- */

void worker_batch_drop(struct worker *w, struct batch *b)
{
    if (b->encoded != NULL)
        w->exporter->ops->rows_free(b->encoded);
    batch_reset(b);
}

void worker_drop_open(struct worker *w)
{
    worker_batch_drop(w, w->open);
    w->open_closed = false;
    if (w->held != NULL)
        rd_kafka_message_destroy(w->held);
    w->held = NULL;
    for (size_t i = 0; i < w->session.n_units; i++)
        w->session.units[i].open_since = 0;
}

uint64_t worker_batch_memory(const struct batch *b)
{
    return b->bytes + b->arena.held;
}

bool worker_open_over(const struct worker *w, uint64_t times)
{
    const struct consumer_conf *c = &w->conf->consumer;
    const struct batch *b = w->open;
    return b->n_records > 0 && (b->rows >= c->batch_rows * times ||
                                b->bytes + b->arena.used >= c->batch_bytes * times ||
                                worker_batch_memory(b) >= c->memory / 8);
}

bool worker_open_due(const struct worker *w)
{
    return w->open->n_records > 0 &&
           (w->open_closed || w->recheck || worker_stop_asked || worker_open_over(w, 1) ||
            clock_mono_ns() - w->open->opened_ns >= w->conf->consumer.batch_age);
}

/* ---- jobs ---- */

/* The compare-and-set of each unit starts from what the write before left behind. */
void worker_submit_batch(struct worker *w)
{
    struct writer_job *job = writer_job_new(JOB_WRITE, NULL);
    if (job == NULL)
        return; /* no memory now: the next turn tries again */
    for (size_t i = 0; i < w->open->n_units; i++) {
        struct batch_unit *bu = &w->open->units[i];
        struct unit *u = session_unit(&w->session, bu->topic, bu->partition);
        bu->before = u->progress;
        bu->breaker = u->breaker;
        u->writing_since = u->open_since;
        u->open_since = 0;
    }
    job->batch = w->open;
    w->writing_memory = worker_batch_memory(w->open);
    w->open = w->spare;
    w->spare = NULL;
    w->open_closed = false;
    writer_submit(w->writer, job);
}

void worker_submit_units(struct worker *w, enum writer_job_kind kind, enum unit_state state)
{
    struct writer_job *job = writer_job_new(kind, w->session.cluster);
    if (job == NULL)
        return;
    for (size_t i = 0; i < w->session.n_units; i++) {
        struct unit *u = &w->session.units[i];
        if (u->state == state &&
            writer_job_add(job, u->topic, u->partition, u->progress.generation) < 0)
            break;
    }
    if (job->n_units > 0)
        writer_submit(w->writer, job);
    else
        writer_job_free(job);
}

static void unit_went_on(struct worker *w, struct unit *u, const struct batch_unit *bu)
{
    breaker_count(&u->breaker, bu->seen, bu->dead);
    if (unit_written(u))
        log_event(LOG_INFO, "the partition goes on", log_str("tenant", w->tenant->id),
                  log_str("topic", u->topic), log_i64("partition", u->partition));
}

static void stop_unit(struct worker *w, struct unit *u, const struct batch *b, uint32_t unit)
{
    const struct batch_unit *bu = &b->units[unit];
    const struct batch_record *first = breaker_first_dead(b, unit);
    for (size_t i = 0; i < b->n_records; i++)
        if (b->records[i].unit == unit && b->records[i].dlq_confirmed)
            unit_tell(u, b->records[i].offset);
    unit_stop(u, clock_mono_ns());
    snprintf(w->problem, sizeof(w->problem),
             "%s, partition %" PRId32 ": %" PRIu64 " of %" PRIu64 " records would become dead "
             "letters, the first at offset %" PRId64 " (%s: %.200s); mend that, or raise "
             "retry.max_dead to let them go to the DLQ",
             u->topic, u->partition, bu->breaker.dead + bu->dead, bu->breaker.seen + bu->seen,
             first->offset, first->error_code, first->error_text);
    log_repeated(LOG_ERROR,
                 "a partition is parked: too many of its records would become dead letters; its "
                 "data stays in Kafka, it is tried again within a minute",
                 u->topic, log_str("tenant", w->tenant->id), log_str("topic", u->topic),
                 log_i64("partition", u->partition), log_str("reason", w->problem));
}

static void stopped_by_breaker(struct worker *w, const struct batch *b)
{
    for (uint32_t i = 0; i < b->n_units; i++) {
        struct unit *u = session_unit(&w->session, b->units[i].topic, b->units[i].partition);
        if (u != NULL && b->units[i].stopped && u->state != UNIT_LOADING)
            stop_unit(w, u, b, i);
    }
}

static void written(struct worker *w, struct writer_job *job)
{
    struct batch *b = job->batch;
    flow_written(&w->flow, b, clock_wall_ns());
    const struct unit *moved[64];
    size_t n = 0;
    for (size_t i = 0; i < b->n_units; i++) {
        struct unit *u = session_unit(&w->session, b->units[i].topic, b->units[i].partition);
        if (u == NULL || u->state == UNIT_LOADING)
            continue;
        u->progress = b->units[i].before;
        u->writing_since = 0;
        unit_went_on(w, u, &b->units[i]);
        moved[n++] = u;
        if (n == sizeof(moved) / sizeof(moved[0]) || i + 1 == b->n_units) {
            session_commit(&w->session, moved, n);
            n = 0;
        }
    }
    if (n > 0)
        session_commit(&w->session, moved, n);
    w->batches++;
}

static void units_answered(struct worker *w, struct writer_job *job)
{
    for (size_t i = 0; i < job->n_units; i++) {
        struct writer_unit *wu = &job->units[i];
        struct unit *u = session_unit(&w->session, wu->topic, wu->partition);
        if (u != NULL && u->state == UNIT_LOADING && job->kind == JOB_LOAD) {
            const struct unit *loaded = u;
            unit_loaded(u, &wu->progress);
            session_commit(&w->session, &loaded, 1); /* a crash may have left Kafka's copy behind */
        } else if (u != NULL && u->state == UNIT_REGENERATING && job->kind == JOB_GENERATION) {
            unit_regenerated(u, &wu->progress);
        }
    }
}

void worker_job_done(struct worker *w, struct writer_job *job)
{
    if (job->kind == JOB_WRITE) {
        if (job->result == WRITER_DONE) {
            written(w, job);
        } else {
            w->reload = true;
            if (job->result == WRITER_STOPPED)
                stopped_by_breaker(w, job->batch);
            if (job->result == WRITER_FENCED)
                log_event(
                    LOG_WARN,
                    "another worker wrote these offsets: nothing was written twice, reading on "
                    "from what the database holds",
                    log_str("tenant", w->tenant->id));
        }
        worker_batch_drop(w, job->batch);
        w->spare = job->batch;
        w->writing_memory = 0;
    } else if (job->result == WRITER_DONE) {
        units_answered(w, job);
    }
    writer_job_free(job);
}

/* Waits for the job under way; after `patience_ms` it is told to give up. */
void worker_finish_job(struct worker *w, int patience_ms)
{
    while (!writer_idle(w->writer)) {
        struct writer_job *job = writer_take(w->writer, patience_ms);
        if (job != NULL)
            worker_job_done(w, job);
        else
            writer_cancel(w->writer);
        patience_ms = CANCEL_WAIT_MS;
    }
}
