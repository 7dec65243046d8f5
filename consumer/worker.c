#include "consumer/worker.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "consumer/breaker.h"
#include "consumer/collect.h"
#include "consumer/worker_status.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define KAFKA_ANSWER_MS 1000
#define IDLE_POLL_MS                                                                               \
    50 /* a turn without records: group events and ages are looked at this often                   \
        */
#define BUSY_POLL_MS   20   /* while the writer works: it may finish */
#define REVOKE_WAIT_MS 5000 /* for the write under way before partitions are given away */
#define STOP_WAIT_MS   4000 /* for writing what is held before a stop leaves it to the next start */
#define CANCEL_WAIT_MS 100
#define BOUNDS_WAIT_MS 2000 /* for the broker to tell the bounds of a log */
#define LAG_WAIT_MS    300
#define BATCH_STRETCH  4 /* while the writer is busy a batch may grow to so many times its size */
#define IDLE_LOOK_NS   (20 * NS_PER_S) /* a topic without records: is it still the same? */
#define STALL_NS       (2 * NS_PER_S)  /* without taking records: fetching may have stood still */

struct worker {
    const struct conf *conf;
    const struct tenant *tenant;
    const char *brokers, *instance;
    struct exporter *exporter;
    struct dlq *dlq;
    struct writer *writer;
    struct session session;
    struct batch *open, *spare; /* spare: NULL while it is being written */
    bool open_closed;           /* nothing more goes into the open batch */
    rd_kafka_message_t *held;   /* the record that did not fit the open batch */
    bool reload;                /* drop what is open and load all units' progress again */
    bool recheck;               /* take nothing more, write what is held, then reload */
    enum worker_state state;
    uint64_t batches, status_due_ns;
    uint64_t writing_memory;   /* of the batch that the writer has */
    uint64_t stop_due_ns;      /* when a stop no longer waits; 0 = no stop was asked for yet */
    uint64_t stalled_since_ns; /* no record may be taken since then; 0 = they may */
    char problem[512];         /* what a unit is parked for, else "" */
};

static volatile sig_atomic_t stop_asked;

static void on_stop_signal(int signal_number)
{
    (void)signal_number;
    stop_asked = 1;
}

/* ---- the open batch ---- */

static void batch_drop(struct worker *w, struct batch *b)
{
    if (b->encoded != NULL)
        w->exporter->ops->rows_free(b->encoded);
    batch_reset(b);
}

static void drop_open(struct worker *w)
{
    batch_drop(w, w->open);
    w->open_closed = false;
    if (w->held != NULL)
        rd_kafka_message_destroy(w->held);
    w->held = NULL;
    for (size_t i = 0; i < w->session.n_units; i++)
        w->session.units[i].open_since = 0;
}

static uint64_t batch_memory(const struct batch *b)
{
    return b->bytes + b->arena.held;
}

static bool over(const struct worker *w, uint64_t times)
{
    const struct consumer_conf *c = &w->conf->consumer;
    const struct batch *b = w->open;
    return b->n_records > 0 &&
           (b->rows >= c->batch_rows * times ||
            b->bytes + b->arena.used >= c->batch_bytes * times || batch_memory(b) >= c->memory / 8);
}

static bool open_due(const struct worker *w)
{
    return w->open->n_records > 0 &&
           (w->open_closed || w->recheck || stop_asked || over(w, 1) ||
            clock_mono_ns() - w->open->opened_ns >= w->conf->consumer.batch_age);
}

/* ---- jobs ---- */

/* The compare-and-set of each unit starts from what the write before left behind. */
static void submit_batch(struct worker *w)
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
    w->writing_memory = batch_memory(w->open);
    w->open = w->spare;
    w->spare = NULL;
    w->open_closed = false;
    writer_submit(w->writer, job);
}

static void submit_units(struct worker *w, enum writer_job_kind kind, enum unit_state state)
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

static void job_done(struct worker *w, struct writer_job *job)
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
        batch_drop(w, job->batch);
        w->spare = job->batch;
        w->writing_memory = 0;
    } else if (job->result == WRITER_DONE) {
        units_answered(w, job);
    }
    writer_job_free(job);
}

/* Waits for the job under way; after `patience_ms` it is told to give up. */
static void finish_job(struct worker *w, int patience_ms)
{
    while (!writer_idle(w->writer)) {
        struct writer_job *job = writer_take(w->writer, patience_ms);
        if (job != NULL)
            job_done(w, job);
        else
            writer_cancel(w->writer);
        patience_ms = CANCEL_WAIT_MS;
    }
}

/* ---- the group ---- */

static void on_revoked(void *arg)
{
    struct worker *w = arg;
    finish_job(w, REVOKE_WAIT_MS);
    drop_open(w);
    log_event(LOG_INFO, "partitions were taken back", log_str("tenant", w->tenant->id));
}

static void on_assigned(void *arg)
{
    struct worker *w = arg;
    drop_open(w);
    w->reload = w->recheck = false; /* the new units are LOADING already */
    log_event(LOG_INFO, "partitions are assigned", log_str("tenant", w->tenant->id),
              log_u64("partitions", w->session.n_units));
}

/* Everything that is not written is read again from what the database says. */
static void reload_units(struct worker *w)
{
    finish_job(w, REVOKE_WAIT_MS);
    drop_open(w);
    w->reload = w->recheck = false;
    for (size_t i = 0; i < w->session.n_units; i++)
        if (!(w->session.units[i].stopped && w->session.units[i].state == UNIT_PARKED))
            w->session.units[i].state = UNIT_LOADING;
    if (w->session.n_units > 0) /* else it would be taken for the answer to a rebalance */
        session_place(&w->session);
}

/* One unit at a time: the broker may be slow to answer. */
static void look_at_doubts(struct worker *w)
{
    for (size_t i = 0; i < w->session.n_units; i++) {
        struct unit *u = &w->session.units[i];
        int64_t low, high;
        if (!unit_wants_watermarks(u, clock_mono_ns()))
            continue;
        if (session_watermarks(&w->session, u, BOUNDS_WAIT_MS, &low, &high) == 0)
            unit_watermarks(u, low, high, clock_mono_ns());
        else
            unit_watermarks_unknown(u, clock_mono_ns());
        return;
    }
}

/* What is held was read before the doubt came up: it is written, then cluster and logs are looked
 * at. */
static void recheck_units(struct worker *w)
{
    if (w->open->n_records > 0 || w->held != NULL || !writer_idle(w->writer))
        return;
    int same = session_same_cluster(&w->session, KAFKA_ANSWER_MS);
    if (same == 0)
        w->session.brokers_gone = true;
    w->reload = same > 0;
}

static size_t units_in(const struct worker *w, enum unit_state state)
{
    size_t n = 0;
    for (size_t i = 0; i < w->session.n_units; i++)
        n += w->session.units[i].state == state;
    return n;
}

static void look_at_stopped(struct worker *w)
{
    for (size_t i = 0; i < w->session.n_units; i++)
        if (unit_looks_again(&w->session.units[i], clock_mono_ns()))
            w->session.units[i].state = UNIT_LOADING;
}

static bool some_parked(const struct worker *w)
{
    bool parked = false;
    for (size_t i = 0; i < w->session.n_units; i++)
        parked |= w->session.units[i].stopped || w->session.units[i].state == UNIT_PARKED;
    return parked;
}

/* A topic that was made anew with just as many records, and nobody told: fetching goes on at the
 * end as if nothing had happened. All idle units at once, since setting positions disturbs the
 * others. */
static void look_at_idle(struct worker *w)
{
    uint64_t now = clock_mono_ns();
    bool some = false;
    for (size_t i = 0; i < w->session.n_units; i++)
        some |= unit_idle(&w->session.units[i], IDLE_LOOK_NS, now);
    for (size_t i = 0; some && i < w->session.n_units; i++)
        if (unit_idle(&w->session.units[i], IDLE_LOOK_NS / 2, now))
            unit_look_again(&w->session.units[i]);
}

static void place_if_wanted(struct worker *w)
{
    bool wanted = false;
    for (size_t i = 0; i < w->session.n_units; i++)
        wanted = wanted || w->session.units[i].restart;
    if (wanted)
        session_place(&w->session);
}

/* ---- records ---- */

static void record_error(struct worker *w, struct unit *u, const rd_kafka_message_t *m)
{
    if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
        m->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
        w->recheck = unit_out_of_range(u, clock_mono_ns()) || w->recheck;
    else
        log_repeated(LOG_WARN, "a partition cannot be read now", u->topic,
                     log_str("topic", u->topic), log_i64("partition", u->partition),
                     log_str("reason", rd_kafka_message_errstr(m)));
}

static enum unit_take judge(struct worker *w, struct unit *u, const rd_kafka_message_t *m)
{
    int64_t low = -1, high = -1;
    uint32_t checksum = 0;
    if (u->state == UNIT_VERIFYING && m->offset == u->progress.next - 1)
        checksum = record_checksum(slice_of(m->key, m->key_len), slice_of(m->payload, m->len));
    bool reads = u->state == UNIT_VERIFYING || u->state == UNIT_RUNNING;
    if (reads && m->offset > u->read_next &&
        session_watermarks(&w->session, u, BOUNDS_WAIT_MS, &low, &high) < 0)
        low = -1;
    return unit_record(u, m->offset, rd_kafka_message_timestamp(m, NULL), checksum, low);
}

static void park(struct worker *w, struct unit *u, const rd_kafka_message_t *m)
{
    u->state = UNIT_PARKED;
    u->parked_since = rd_kafka_message_timestamp(m, NULL);
    u->restart = true; /* so that it is no longer fetched */
    snprintf(w->problem, sizeof(w->problem),
             "a record of a newer contract version stands in a topic: upgrade this worker");
    log_event(LOG_ERROR,
              "a record of a newer contract version stands in the topic: this partition is parked; "
              "upgrade "
              "this worker",
              log_str("tenant", w->tenant->id), log_str("topic", u->topic),
              log_i64("partition", u->partition), log_i64("offset", m->offset));
}

static void taken(struct worker *w, struct unit *u)
{
    struct batch_record *r = &w->open->records[w->open->n_records - 1];
    r->dlq_confirmed = unit_told(u, r->offset);
    w->open->units[r->unit].lost += u->lost;
    u->lost = 0;
    if (u->open_since == 0)
        u->open_since = r->timestamp;
}

/* What consumer.memory is for: a quarter for what is fetched, an eighth for each of two batches,
 * and the rest besides for one of them that holds a single large record. conf_check.c sees to it
 * that a record of record.max_* fits there. */
static struct collect_room room_now(const struct worker *w)
{
    size_t batch = w->conf->consumer.memory / 8;
    bool last = w->writing_memory <= batch;
    return (struct collect_room){batch, last ? batch * CONF_ALONE_EIGHTHS : batch, last};
}

/* Nothing is in the open batch, and the held record needs the room of the one being written. */
static bool waits_for_room(const struct worker *w)
{
    return w->held != NULL && w->open->n_records == 0 && !room_now(w).last;
}

/* Into the batch; the message belongs to the batch or is held for the next one. */
static void take(struct worker *w, struct unit *u, rd_kafka_message_t *m)
{
    const struct collect_room room = room_now(w);
    switch (collect(w->open, w->exporter, w->tenant, &w->conf->record, u->signal, u->partition,
                    u->topic, &room, m)) {
    case COLLECT_TAKEN:
        taken(w, u);
        return;
    case COLLECT_FULL:
        w->open_closed = w->open->n_records > 0;
        if (!w->open_closed) /* what it has of the record's rows goes */
            batch_drop(w, w->open);
        w->held = m;
        return;
    case COLLECT_NEW_VERSION:
        park(w, u, m);
        rd_kafka_message_destroy(m);
        return;
    }
}

static void notice_break(struct worker *w)
{
    w->recheck = session_broke(&w->session) || w->recheck;
}

/* What librdkafka has learned by itself since: costs no request. */
static void notice_cluster(struct worker *w)
{
    w->recheck = session_cluster_changed(&w->session) || w->recheck;
}

static void record_came(struct worker *w, rd_kafka_message_t *m)
{
    struct unit *u = session_unit(&w->session, rd_kafka_topic_name(m->rkt), m->partition);
    notice_break(w);
    if (u == NULL || m->err || w->recheck) {
        if (u != NULL && m->err)
            record_error(w, u, m);
        rd_kafka_message_destroy(m);
        return;
    }
    if (judge(w, u, m) == UNIT_TAKE)
        take(w, u, m);
    else
        rd_kafka_message_destroy(m);
}

static void held_again(struct worker *w)
{
    rd_kafka_message_t *m = w->held;
    w->held = NULL;
    take(w, session_unit(&w->session, rd_kafka_topic_name(m->rkt), m->partition), m);
    if (w->held != NULL && w->open->n_records == 0 && room_now(w).last) {
        log_event(LOG_ERROR,
                  "out of memory with an empty batch: stopping, the supervisor starts again",
                  log_str("tenant", w->tenant->id));
        stop_asked = 1;
    }
}

static bool may_take(const struct worker *w)
{
    return !stop_asked && !w->reload && !w->recheck && !w->open_closed && w->held == NULL &&
           !over(w, w->spare == NULL ? BATCH_STRETCH : 1);
}

/* While nothing is taken, librdkafka's queue fills and fetching stops. Nobody would then notice a
 * topic that is made anew meanwhile and holds the same offset again. */
static void notice_stall(struct worker *w)
{
    uint64_t now = clock_mono_ns();
    if (!may_take(w))
        w->stalled_since_ns = w->stalled_since_ns ? w->stalled_since_ns : now;
    else if (w->stalled_since_ns != 0) {
        w->recheck = now - w->stalled_since_ns >= STALL_NS;
        w->stalled_since_ns = 0;
    }
}

/* Takes records for one turn: until none is there, or the batch is due. */
static void take_records(struct worker *w)
{
    if (w->held != NULL && !w->open_closed && !waits_for_room(w))
        held_again(w);
    notice_stall(w);
    int timeout_ms =
        writer_idle(w->writer) && w->open->n_records == 0 ? IDLE_POLL_MS : BUSY_POLL_MS;
    if (!may_take(w)) {
        struct writer_job *job = writer_take(w->writer, timeout_ms);
        if (job != NULL)
            job_done(w, job);
        return;
    }
    for (int n = 0; n < 1000 && may_take(w); n++) {
        rd_kafka_message_t *m = session_record(&w->session, n == 0 ? timeout_ms : 0);
        if (m == NULL)
            return;
        record_came(w, m);
        place_if_wanted(w);
    }
}

/* ---- status ---- */

/* Ends of logs come with what is fetched; while nothing is, they are asked for. */
static void look_at_ends(struct worker *w, enum worker_state state)
{
    int64_t low, high;
    if (state != WORKER_RETRYING && state != WORKER_PARKED)
        return;
    for (size_t i = 0; i < w->session.n_units; i++)
        if (session_watermarks(&w->session, &w->session.units[i], LAG_WAIT_MS, &low, &high) < 0)
            return;
}

static enum worker_state state_now(const struct worker *w, const struct writer_view *view)
{
    if (stop_asked)
        return WORKER_STOPPING;
    if (view->phase == WRITER_PARKED || some_parked(w))
        return WORKER_PARKED;
    if (view->phase == WRITER_RETRYING)
        return WORKER_RETRYING;
    if (w->session.cluster == NULL)
        return w->state;
    if (w->recheck)
        return WORKER_WAITING_FOR_KAFKA;
    return w->session.n_units == 0 ? WORKER_WAITING_FOR_PARTITIONS : WORKER_RUNNING;
}

static void tell_status(struct worker *w, bool now)
{
    uint64_t at = clock_mono_ns();
    if (!now && at < w->status_due_ns)
        return;
    w->status_due_ns = at + w->conf->consumer.status_interval;
    struct writer_view view;
    struct errbuf err = ERRBUF_INIT;
    writer_view(w->writer, &view);
    enum worker_state state = state_now(w, &view);
    if (state == WORKER_RUNNING && w->state == WORKER_RETRYING)
        log_event(LOG_INFO, "the database takes writes again", log_str("tenant", w->tenant->id));
    w->state = state;
    look_at_ends(w, state);
    struct worker_report r = {
        .tenant = w->tenant->id,
        .instance = w->instance,
        .state = state,
        .reason = view.reason[0]   ? view.reason
                  : some_parked(w) ? w->problem
                                   : "",
        .batches = w->batches,
        .memory = batch_memory(w->open) + w->writing_memory,
        .session = &w->session,
        .writer = &view,
    };
    if (worker_status_write(w->conf->state, &r, &err) < 0)
        log_repeated(LOG_WARN, "the status file cannot be written", w->tenant->id,
                     log_str("reason", err.text));
}

/* ---- the loop ---- */

static void turn(struct worker *w)
{
    session_serve(&w->session, 0);
    struct writer_job *job = writer_take(w->writer, 0);
    if (job != NULL)
        job_done(w, job);
    notice_break(w);
    notice_cluster(w);
    if (w->recheck)
        recheck_units(w);
    if (w->reload)
        reload_units(w);
    if (w->session.brokers_gone)
        return;
    if (writer_idle(w->writer)) {
        if (units_in(w, UNIT_LOADING) > 0)
            submit_units(w, JOB_LOAD, UNIT_LOADING);
        else if (units_in(w, UNIT_REGENERATING) > 0)
            submit_units(w, JOB_GENERATION, UNIT_REGENERATING);
        else if (open_due(w))
            submit_batch(w);
    }
    look_at_doubts(w);
    look_at_stopped(w);
    look_at_idle(w);
    place_if_wanted(w);
    take_records(w);
    tell_status(w, false);
}

/* A stop waits for what is held to be written; not for ever, as a database that is away could take
 * that long, and Kafka still has it all. */
static bool stopped(struct worker *w)
{
    uint64_t now = clock_mono_ns();
    if (!stop_asked)
        return false;
    if (w->stop_due_ns == 0)
        w->stop_due_ns = now + STOP_WAIT_MS * NS_PER_MS;
    return now >= w->stop_due_ns || (w->open->n_records == 0 && writer_idle(w->writer));
}

/* Reads until the session has to end: stop, brokers gone, or a fatal error of the client. */
static void read_session(struct worker *w)
{
    while (!w->session.brokers_gone && w->session.fatal[0] == 0 && !stopped(w))
        turn(w);
    finish_job(w, stop_asked ? CANCEL_WAIT_MS : REVOKE_WAIT_MS);
    drop_open(w);
}

static bool open_session(struct worker *w, struct errbuf *err)
{
    w->session = (struct session){.revoked = on_revoked, .assigned = on_assigned, .arg = w};
    int rc;
    while ((rc = session_open(&w->session, w->conf, w->brokers, w->tenant, w->instance,
                              KAFKA_ANSWER_MS, err)) == -EAGAIN) {
        log_repeated(LOG_WARN, "waiting for Kafka", w->tenant->id, log_str("reason", err->text));
        w->state = WORKER_WAITING_FOR_KAFKA;
        tell_status(w, false);
        if (stop_asked) {
            session_close(&w->session, false);
            return false;
        }
    }
    return rc == 0;
}

/* False: this process cannot go on. */
static bool end_session(struct worker *w)
{
    bool fatal = w->session.fatal[0] != 0, leave = !fatal && !w->session.brokers_gone;
    if (fatal)
        log_event(LOG_ERROR,
                  "the Kafka client cannot go on; if another worker of this tenant has the same "
                  "instance name, give each its own by --instance",
                  log_str("tenant", w->tenant->id), log_str("reason", w->session.fatal));
    else if (!leave)
        log_event(LOG_WARN,
                  "the brokers are gone, or others answer: connecting anew and checking where to "
                  "read on",
                  log_str("tenant", w->tenant->id));
    bool closed = session_close(&w->session, leave);
    if (!closed && !stop_asked)
        log_event(LOG_WARN, "the Kafka client does not end: a new process takes over",
                  log_str("tenant", w->tenant->id));
    return closed && !fatal;
}

static int run_sessions(struct worker *w)
{
    struct errbuf err = ERRBUF_INIT;
    while (!stop_asked) {
        if (!open_session(w, &err)) {
            if (stop_asked)
                break;
            log_event(LOG_ERROR, "the worker cannot run", log_str("tenant", w->tenant->id),
                      log_str("reason", err.text));
            return 1;
        }
        read_session(w);
        if (!end_session(w))
            return stop_asked ? 0 : 1;
    }
    return 0;
}

static int start(struct worker *w, struct errbuf *err)
{
    char folder[4096];
    snprintf(folder, sizeof(folder), "%s/run", w->conf->state);
    if (file_make_folder(folder, 0755, err) < 0)
        return -1;
    const struct exporter_ops *ops = exporter_for(w->tenant);
    w->exporter = ops->open(w->tenant, EXPORTER_WRITE, err);
    w->dlq = w->exporter ? dlq_new(w->conf, w->brokers, w->tenant, err) : NULL;
    w->writer = w->dlq ? writer_new(w->tenant, w->exporter, w->dlq, err) : NULL;
    w->open = batch_new();
    w->spare = batch_new();
    if (w->writer != NULL && (w->open == NULL || w->spare == NULL))
        return errbuf_set(err, ENOMEM, "out of memory");
    return w->writer ? 0 : -1;
}

static void release(struct worker *w)
{
    writer_free(w->writer);
    batch_free(w->open);
    batch_free(w->spare);
    dlq_free(w->dlq);
    if (w->exporter != NULL)
        w->exporter->ops->close(w->exporter);
}

static void handle_signals(void)
{
    struct sigaction stop = {.sa_handler = on_stop_signal};
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* the supervisor restarts a worker whose config changed */
}

int worker_run(const char *config_file, const char *tenant, const char *brokers,
               const char *instance)
{
    struct errbuf err = ERRBUF_INIT;
    struct worker w = {.instance = instance};
    handle_signals();
    struct tenancy *tenancy = tenancy_open(config_file, tenant, &err);
    if (tenancy == NULL) {
        log_event(LOG_ERROR, "cannot start", log_str("tenant", tenant),
                  log_str("reason", err.text));
        return 2;
    }
    struct snapshot *snapshot = tenancy_acquire(tenancy);
    w.conf = snapshot->conf;
    w.tenant = snapshot_tenant(snapshot, slice_str(tenant));
    w.brokers = brokers ? brokers : w.conf->kafka.brokers;
    log_setup("consumer", (enum log_level)w.conf->log.level, (enum log_format)w.conf->log.format);
    int rc = 1;
    if (w.tenant == NULL)
        log_event(LOG_ERROR, "cannot start: there is no such tenant", log_str("tenant", tenant));
    else if (start(&w, &err) < 0)
        log_event(LOG_ERROR, "cannot start", log_str("tenant", tenant),
                  log_str("reason", err.text));
    else
        rc = run_sessions(&w);
    if (rc == 0)
        worker_status_remove(w.conf->state, tenant, instance);
    release(&w);
    snapshot_release(snapshot);
    tenancy_close(tenancy);
    return rc;
}
