/* From the queue of fetched records into the open batch. */
#include "consumer/worker_parts.h"

#include "base/clock.h"
#include "base/log.h"
#include "consumer/collect.h"

#include <inttypes.h>
#include <stdio.h>

#define IDLE_POLL_MS                                                                               \
    50 /* a turn without records: group events and ages are looked at this often                   \
        */
#define BUSY_POLL_MS   20             /* while the writer works: it may finish */
#define BOUNDS_WAIT_MS 2000           /* for the broker to tell the bounds of a log */
#define STALL_NS       (2 * NS_PER_S) /* without taking records: fetching may have stood still */

void worker_place_if_wanted(struct worker *w)
{
    bool wanted = false;
    for (size_t i = 0; i < w->session.n_units; i++)
        wanted = wanted || w->session.units[i].restart;
    if (wanted)
        session_place(&w->session);
}

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
    if (unit_wants_low(u, m->offset) &&
        session_watermarks(&w->session, u, BOUNDS_WAIT_MS, &low, &high) < 0)
        low = -1;
    if (unit_wants_written_before(u, low))
        u->written_before = session_committed(&w->session, u, BOUNDS_WAIT_MS);
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
    flow_read(&w->flow, u->signal, r->message->len);
    r->dlq_confirmed = unit_told(u, r->offset);
    w->open->units[r->unit].lost += u->lost;
    w->open->units[r->unit].gaps += u->gaps;
    u->lost = u->gaps = 0;
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
            worker_batch_drop(w, w->open);
        w->held = m;
        return;
    case COLLECT_NEW_VERSION:
        park(w, u, m);
        rd_kafka_message_destroy(m);
        return;
    }
}

void worker_notice_break(struct worker *w)
{
    w->recheck = session_broke(&w->session) || w->recheck;
}

static void record_came(struct worker *w, rd_kafka_message_t *m)
{
    struct unit *u = session_unit(&w->session, rd_kafka_topic_name(m->rkt), m->partition);
    worker_notice_break(w);
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
        worker_stop_asked = 1;
    }
}

static bool may_take(const struct worker *w)
{
    return !worker_stop_asked && !w->reload && !w->recheck && !w->open_closed && w->held == NULL &&
           !worker_open_over(w, w->spare == NULL ? WORKER_BATCH_STRETCH : 1);
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
void worker_take_records(struct worker *w)
{
    if (w->held != NULL && !w->open_closed && !waits_for_room(w))
        held_again(w);
    notice_stall(w);
    int timeout_ms =
        writer_idle(w->writer) && w->open->n_records == 0 ? IDLE_POLL_MS : BUSY_POLL_MS;
    if (!may_take(w)) {
        struct writer_job *job = writer_take(w->writer, timeout_ms);
        if (job != NULL)
            worker_job_done(w, job);
        return;
    }
    for (int n = 0; n < 1000 && may_take(w); n++) {
        rd_kafka_message_t *m = session_record(&w->session, n == 0 ? timeout_ms : 0);
        if (m == NULL)
            return;
        record_came(w, m);
        worker_place_if_wanted(w);
    }
}
