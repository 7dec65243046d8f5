#include "consumer/writer.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "consumer/breaker.h"
#include "consumer/supervise/backoff.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FIRST_RETRY_NS  (250 * NS_PER_MS)
#define PARKED_RETRY_NS (5 * NS_PER_S) /* a person has to act: look again now and then */

struct writer {
    const struct tenant *tenant;
    struct exporter *x;
    const struct exporter_ops *ops;
    struct dlq *dlq;
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t wake, finished;
    struct writer_job *job, *done;
    bool stop, cancel;
    struct writer_view view;
};

/* The phase stays until the job ends, so that a slow attempt in between does not look like health.
 */
static void tell_failure(struct writer *w, enum writer_phase phase, const char *reason)
{
    pthread_mutex_lock(&w->lock);
    w->view.phase = phase;
    snprintf(w->view.reason, sizeof(w->view.reason), "%s", reason);
    w->view.retries++;
    pthread_mutex_unlock(&w->lock);
}

static bool is_cancelled(void *arg)
{
    struct writer *w = arg;
    pthread_mutex_lock(&w->lock);
    bool cancelled = w->cancel || w->stop;
    pthread_mutex_unlock(&w->lock);
    return cancelled;
}

/* Sleeps unless the job is cancelled; false = cancelled. */
static bool pause_ns(struct writer *w, uint64_t ns)
{
    struct timespec until;
    uint64_t due = clock_mono_ns() + ns;
    until.tv_sec = (time_t)(due / NS_PER_S);
    until.tv_nsec = (long)(due % NS_PER_S);
    pthread_mutex_lock(&w->lock);
    while (!w->cancel && !w->stop &&
           pthread_cond_timedwait(&w->wake, &w->lock, &until) != ETIMEDOUT)
        ;
    bool go_on = !w->cancel && !w->stop;
    pthread_mutex_unlock(&w->lock);
    return go_on;
}

/* Tells of a failed attempt and waits for the next. False = cancelled. */
static bool wait_to_retry(struct writer *w, enum export_result result, struct backoff *backoff,
                          const struct errbuf *err)
{
    bool parked = result == EXPORT_CONFIGURATION;
    uint64_t ns = parked ? PARKED_RETRY_NS : backoff_next(backoff);
    tell_failure(w, parked ? WRITER_PARKED : WRITER_RETRYING, err->text);
    log_repeated(
        parked ? LOG_ERROR : LOG_WARN,
        parked ? "tenant is parked: nothing is written until this is fixed, its data stays in Kafka"
               : "write failed, trying again",
        w->tenant->id, log_str("tenant", w->tenant->id), log_str("reason", err->text));
    return pause_ns(w, ns);
}

static enum export_result load_units(struct writer *w, struct writer_job *job, struct errbuf *err)
{
    enum export_result rc = w->ops->prepare(w->x, err);
    for (size_t i = 0; rc == EXPORT_OK && i < job->n_units; i++) {
        struct writer_unit *u = &job->units[i];
        rc = job->kind == JOB_LOAD
                 ? w->ops->load(w->x, job->cluster, u->topic, u->partition, &u->progress, err)
                 : w->ops->next_generation(w->x, job->cluster, u->topic, u->current_generation,
                                           &u->progress, err);
    }
    return rc;
}

/* After EXPORT_DATA: counts the try of each refused record; those that had enough become dead
 * letters. */
static bool some_became_dead(struct writer *w, struct batch *b)
{
    bool dead = false;
    for (size_t i = 0; i < b->n_records; i++) {
        struct batch_record *r = &b->records[i];
        if (r->fate != RECORD_REFUSED)
            continue;
        r->fate = RECORD_GOOD;
        if (++r->attempts >= w->tenant->conf->retry.attempts) {
            r->fate = RECORD_DEAD;
            r->error_class = "data";
            dead = true;
        }
    }
    return dead;
}

static uint64_t dead_unconfirmed(const struct batch *b)
{
    uint64_t n = 0;
    for (size_t i = 0; i < b->n_records; i++)
        n += b->records[i].fate == RECORD_DEAD && !b->records[i].dlq_confirmed;
    return n;
}

/* One attempt: dead letters first (DESIGN §6: acked by Kafka before any later offset of the unit is
 * written), then the transaction. */
static enum export_result write_once(struct writer *w, struct batch *b, struct errbuf *err)
{
    uint64_t dead = dead_unconfirmed(b);
    if (dead > 0) {
        if (dlq_send(w->dlq, b, is_cancelled, w, err) < 0)
            return EXPORT_TRANSIENT;
        pthread_mutex_lock(&w->lock);
        w->view.dead_letters += dead;
        pthread_mutex_unlock(&w->lock);
        FAULT_POINT("after_dlq_ack");
    }
    FAULT_POINT("before_write");
    enum export_result rc = w->ops->prepare(w->x, err);
    return rc == EXPORT_OK ? w->ops->write(w->x, b, err) : rc;
}

static enum export_result attempt(struct writer *w, struct writer_job *job, struct errbuf *err)
{
    return job->kind == JOB_WRITE ? write_once(w, job->batch, err) : load_units(w, job, err);
}

/* Before anything of it goes to the DLQ. */
static bool must_stop(const struct writer *w, struct writer_job *job)
{
    return job->kind == JOB_WRITE && breaker_judge(job->batch, w->tenant->conf->retry.max_dead);
}

static enum writer_result run_job(struct writer *w, struct writer_job *job)
{
    struct backoff backoff = {FIRST_RETRY_NS, w->tenant->conf->retry.backoff_max, 0};
    for (;;) {
        struct errbuf err = ERRBUF_INIT;
        if (must_stop(w, job))
            return WRITER_STOPPED;
        enum export_result rc = attempt(w, job, &err);
        if (rc == EXPORT_OK)
            return WRITER_DONE;
        if (rc == EXPORT_FENCED)
            return WRITER_FENCED;
        if (rc == EXPORT_DATA && must_stop(w, job))
            return WRITER_STOPPED;
        if (rc == EXPORT_DATA && some_became_dead(w, job->batch))
            continue;
        if (!wait_to_retry(w, rc, &backoff, &err))
            return WRITER_CANCELLED;
    }
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        if (w->job == NULL || w->done != NULL) {
            pthread_cond_wait(&w->wake, &w->lock);
            continue;
        }
        struct writer_job *job = w->job;
        w->view.phase = WRITER_BUSY;
        pthread_mutex_unlock(&w->lock);
        job->result = run_job(w, job);
        pthread_mutex_lock(&w->lock);
        w->view.phase = WRITER_IDLE;
        w->view.reason[0] = 0;
        w->job = NULL;
        w->done = job;
        w->cancel = false;
        pthread_cond_signal(&w->finished);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct writer *writer_new(const struct tenant *t, struct exporter *x, struct dlq *dlq,
                          struct errbuf *err)
{
    struct writer *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        errbuf_set(err, ENOMEM, "out of memory");
        return NULL;
    }
    w->tenant = t;
    w->x = x;
    w->ops = x->ops;
    w->dlq = dlq;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, &monotonic);
    pthread_cond_init(&w->finished, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int rc = pthread_create(&w->thread, NULL, writer_main, w);
    if (rc != 0) {
        errbuf_set(err, rc, "cannot start the writer thread: %s", strerror(rc));
        free(w);
        return NULL;
    }
    return w;
}

bool writer_idle(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    bool idle = w->job == NULL && w->done == NULL;
    pthread_mutex_unlock(&w->lock);
    return idle;
}

void writer_submit(struct writer *w, struct writer_job *job)
{
    pthread_mutex_lock(&w->lock);
    w->cancel = false;
    w->job = job;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

struct writer_job *writer_take(struct writer *w, int timeout_ms)
{
    struct timespec until;
    uint64_t due = clock_mono_ns() + (uint64_t)timeout_ms * NS_PER_MS;
    until.tv_sec = (time_t)(due / NS_PER_S);
    until.tv_nsec = (long)(due % NS_PER_S);
    pthread_mutex_lock(&w->lock);
    while (w->done == NULL && w->job != NULL && timeout_ms > 0 &&
           pthread_cond_timedwait(&w->finished, &w->lock, &until) != ETIMEDOUT)
        ;
    struct writer_job *job = w->done;
    w->done = NULL;
    pthread_mutex_unlock(&w->lock);
    return job;
}

void writer_cancel(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->cancel = w->job != NULL;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

void writer_view(struct writer *w, struct writer_view *ret)
{
    pthread_mutex_lock(&w->lock);
    *ret = w->view;
    pthread_mutex_unlock(&w->lock);
}

void writer_free(struct writer *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = w->cancel = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    writer_job_free(w->job);
    writer_job_free(w->done);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    pthread_cond_destroy(&w->finished);
    free(w);
}

struct writer_job *writer_job_new(enum writer_job_kind kind, const char *cluster)
{
    struct writer_job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        return NULL;
    job->kind = kind;
    if (cluster != NULL && (job->cluster = strdup(cluster)) == NULL) {
        free(job);
        return NULL;
    }
    return job;
}

int writer_job_add(struct writer_job *job, const char *topic, int32_t partition,
                   uint32_t generation)
{
    struct writer_unit *units = realloc(job->units, (job->n_units + 1) * sizeof(*units));
    char *name = strdup(topic);
    if (units != NULL)
        job->units = units;
    if (units == NULL || name == NULL) {
        free(name);
        return -ENOMEM;
    }
    units[job->n_units++] = (struct writer_unit){
        .topic = name, .partition = partition, .current_generation = generation};
    return 0;
}

void writer_job_free(struct writer_job *job)
{
    if (job == NULL)
        return;
    for (size_t i = 0; i < job->n_units; i++)
        free(job->units[i].topic);
    free(job->units);
    free(job->cluster);
    free(job);
}
