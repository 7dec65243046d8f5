/* Inside of the worker: what its parts share. worker.c has the process, its loop, the group and the
 * status; worker_jobs.c the open batch and the writer's jobs; worker_records.c the taking of
 * records. Thread: the poll thread. */
#ifndef CONSUMER_WORKER_PARTS_H
#define CONSUMER_WORKER_PARTS_H

#include "consumer/session.h"
#include "consumer/worker_status.h"
#include "consumer/writer.h"

#include <signal.h>

#define WORKER_BATCH_STRETCH                                                                       \
    4 /* while the writer is busy a batch may grow to so many times its size */

struct worker {
    const struct conf *conf;
    const struct tenant *tenant;
    const char *brokers, *instance;
    struct exporter *exporter;
    struct dlq *dlq;
    struct writer *writer;
    struct flow flow;
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

extern volatile sig_atomic_t worker_stop_asked; /* by a signal */

/* ---- the open batch ---- */

/* Frees what the batch holds. */
void worker_batch_drop(struct worker *w, struct batch *b);
/* Everything that was taken and not handed to the writer is forgotten; it is to be read again. */
void worker_drop_open(struct worker *w);
uint64_t worker_batch_memory(const struct batch *b);
/* Whether the open batch has `times` its size, or the memory of one. */
bool worker_open_over(const struct worker *w, uint64_t times);
/* Whether it is to be written now. */
bool worker_open_due(const struct worker *w);

/* ---- the writer's jobs: one at a time, precondition of submitting is writer_idle() ---- */

void worker_submit_batch(struct worker *w);
/* A load or generation job for all units in this state. */
void worker_submit_units(struct worker *w, enum writer_job_kind kind, enum unit_state state);
/* What a finished job means for units and batches; frees it. */
void worker_job_done(struct worker *w, struct writer_job *job);
/* Waits for the job under way; after `patience_ms` it is told to give up. */
void worker_finish_job(struct worker *w, int patience_ms);

/* ---- records ---- */

/* Whether the session saw a sign that another log may answer; asked before each record is taken. */
void worker_notice_break(struct worker *w);
/* Takes records for one turn: until none is there, or the batch is due. */
void worker_take_records(struct worker *w);
/* Sets fetch positions where a unit asks for it. */
void worker_place_if_wanted(struct worker *w);

#endif
