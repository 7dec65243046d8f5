/* The writer thread: owns the database connection and does one job at a time for the poll thread.
 *
 *   load        progress of units (on assignment)
 *   generation  a new generation of a recreated topic
 *   write       a closed batch: dead letters are confirmed first, then rows, offsets and totals
 * move in one transaction. Transient and configuration errors are retried here, for ever, with
 * back-off, until the job succeeds, is fenced, or is cancelled.
 *
 * Everything below is called on the poll thread. */
#ifndef CONSUMER_WRITER_H
#define CONSUMER_WRITER_H

#include "consumer/dlq.h"
#include "consumer/export/exporter.h"

enum writer_job_kind { JOB_LOAD, JOB_GENERATION, JOB_WRITE };

enum writer_result {
    WRITER_DONE,
    WRITER_FENCED,    /* JOB_WRITE: units with .fenced belong to another writer now */
    WRITER_STOPPED,   /* JOB_WRITE: nothing was written, units with .stopped have too many dead
                         records; the first of them says why */
    WRITER_CANCELLED, /* nothing of the job was done, or it cannot be said: load again before going
                         on */
};

/* One unit of JOB_LOAD or JOB_GENERATION. */
struct writer_unit {
    char *topic; /* owned */
    int32_t partition;
    uint32_t current_generation; /* JOB_GENERATION */
    struct progress progress;    /* the answer */
};

struct writer_job {
    enum writer_job_kind kind;
    enum writer_result result;
    struct batch *batch;       /* JOB_WRITE: back with the caller when the job is taken */
    struct writer_unit *units; /* the others; owned by the job */
    size_t n_units;
    char *cluster; /* owned */
};

/* What the writer is at, for status. */
enum writer_phase { WRITER_IDLE, WRITER_BUSY, WRITER_RETRYING, WRITER_PARKED };
struct writer_view {
    enum writer_phase phase;
    char reason[ERRBUF_SIZE]; /* of RETRYING and PARKED: a sentence */
    uint64_t retries;         /* attempts that failed since start */
    uint64_t dead_letters;    /* confirmed since start */
};

struct writer;

/* Starts the thread. Borrows everything until writer_free. NULL with a sentence. */
struct writer *writer_new(const struct tenant *t, struct exporter *x, struct dlq *dlq,
                          struct errbuf *err);
bool writer_idle(struct writer *w); /* no job under way or waiting to be taken */
/* Hands over a job. Precondition: writer_idle(). Takes ownership; it comes back by writer_take. */
void writer_submit(struct writer *w, struct writer_job *job);
/* The finished job, or NULL. Waits at most `timeout_ms`. */
struct writer_job *writer_take(struct writer *w, int timeout_ms);
/* Makes the job under way end soon as WRITER_CANCELLED unless it succeeds first: no further retry.
 */
void writer_cancel(struct writer *w);
void writer_view(struct writer *w, struct writer_view *ret);
/* Cancels, waits for the thread. A job that was not taken is freed, but for its batch. NULL is
 * fine. */
void writer_free(struct writer *w);

struct writer_job *writer_job_new(enum writer_job_kind kind, const char *cluster);
/* Adds a unit to a load or generation job. -ENOMEM. */
int writer_job_add(struct writer_job *job, const char *topic, int32_t partition,
                   uint32_t generation);
void writer_job_free(struct writer_job *job); /* not the batch; NULL is fine */

#endif
