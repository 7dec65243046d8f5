/* A unit as the poll thread sees it: one partition of one of the tenant's topics, from assignment
 * to revocation, and the question where to read on (DESIGN §5: a source is (cluster, topic,
 * generation)). */
#ifndef CONSUMER_UNIT_H
#define CONSUMER_UNIT_H

#include "consumer/batch.h"

/* id, name */
#define UNIT_STATES(ROW)                                                                           \
    /* the database is asked for the unit's progress; nothing is fetched */                        \
    ROW(LOADING, "loading")                                                                        \
    /* reading begins at next-1: is the last written record still the one in Kafka? */             \
    ROW(VERIFYING, "verifying")                                                                    \
    /* Kafka says that this offset does not exist: asked again before anything is concluded */     \
    ROW(DOUBTFUL, "doubtful")                                                                      \
    /* it is another log: the database makes a new generation, reading begins at the start */      \
    ROW(REGENERATING, "regenerating")                                                              \
    /* records go into batches */                                                                  \
    ROW(RUNNING, "running")                                                                        \
    /* not read: a record of a newer contract version stands here, or the breaker stopped it */    \
    ROW(PARKED, "parked")

enum unit_state {
#define ROW(id, name) UNIT_##id,
    UNIT_STATES(ROW)
#undef ROW
        UNIT_STATE_COUNT
};
extern const char *const unit_state_name[UNIT_STATE_COUNT];

#define UNIT_READ_ANY (-1) /* read_next: the first record that comes */

struct unit {
    char *topic;
    enum signal signal;
    int32_t partition;
    enum unit_state state;
    bool restart;             /* the fetch position must be set (again) by the session */
    struct progress progress; /* as the database had it after the last finished write */
    int64_t read_next;        /* the next offset expected from Kafka, or UNIT_READ_ANY */
    uint64_t lost;            /* offsets known to be gone, to be counted with the next record */
    uint64_t gaps;            /* offsets known to hold no record, the same */
    unsigned doubts;          /* times the doubt was confirmed */
    uint64_t doubt_due_ns;    /* when to ask for the log's bounds; 0 = not set */
    int64_t end;              /* of the log, when it was asked for last; 0 = never */
    uint64_t idle_since_ns;   /* all was written and nothing came since then; 0 = not so */
    int64_t idle_next;        /* progress.next at that time */
    int64_t gap_seen;         /* a gap in front of this offset was seen once; 0 = none */
    unsigned gaps_proven;     /* gaps that were the same when they were read again */
    int64_t written_before;   /* of a unit that is not known: where an earlier database got to */
    struct breaker breaker;
    bool stopped; /* by the breaker, until records of it are written again */
    uint64_t look_again_ns, look_pause_ns; /* when a stopped unit is read again */
    struct { /* records whose dead letters are in the DLQ already, though not yet passed by */
        int64_t *at;
        size_t n;
    } told;
    /* Kafka time (ms) of the oldest record being written, collected, or parked at; 0 = none */
    int64_t writing_since, open_since, parked_since;
};

enum unit_take {
    UNIT_TAKE,    /* into the batch */
    UNIT_SKIP,    /* not ours to write: verified, stale, or the unit is not running */
    UNIT_RESTART, /* drop it and set the fetch position again */
};

/* The progress has come from the database: where to read on. */
void unit_loaded(struct unit *u, const struct progress *p);
/* A new generation was made: from the start. */
void unit_regenerated(struct unit *u, const struct progress *p);
/* A record came. `low` is the log's first offset, or -1 when it is not known. `checksum` is called
 * for the record only when it is needed. Changes state; see enum unit_take. */
enum unit_take unit_record(struct unit *u, int64_t offset, int64_t timestamp, uint32_t checksum,
                           int64_t low);
/* What must be known before unit_record: the log's first offset, and (of a unit's first record,
 * when that is not 0) u->written_before. */
bool unit_wants_low(const struct unit *u, int64_t offset);
bool unit_wants_written_before(const struct unit *u, int64_t low);
/* Records may be missing from what is fetched: the next gap is read again, whatever was proven. */
void unit_distrust_gaps(struct unit *u);
/* Kafka says the fetch position is out of range. True when records of the unit may be in a batch:
 * the worker must finish what is being written, drop the open batch and load the progress again
 * first. */
bool unit_out_of_range(struct unit *u, uint64_t now_ns);
/* Whether the log's bounds are needed now: in doubt, or when the record to compare with does not
 * come (a log that ends just before it gives neither a record nor an error). */
bool unit_wants_watermarks(struct unit *u, uint64_t now_ns);
/* The log is [low, high). A doubt concludes after three equal answers, else asks again later. */
void unit_watermarks(struct unit *u, int64_t low, int64_t high, uint64_t now_ns);
/* They were asked for without an answer: later again. */
void unit_watermarks_unknown(struct unit *u, uint64_t now_ns);
/* Whether a running unit has had nothing to read for so long that its last written record is worth
 * another look: nobody may have told that the topic was made anew. `after_ns`: how long. */
bool unit_idle(struct unit *u, uint64_t after_ns, uint64_t now_ns);
/* The last written record is compared again before anything is taken. */
void unit_look_again(struct unit *u);
/* The breaker stopped it: it is parked, and read again from its progress after a pause, which grows
 * with each time. */
void unit_stop(struct unit *u, uint64_t now_ns);
/* Whether that pause is over. */
bool unit_looks_again(const struct unit *u, uint64_t now_ns);
/* Records of it stand in the database: it goes on, if it was stopped. True when it was. */
bool unit_written(struct unit *u);
/* A dead letter of this offset is confirmed, or is it? Of a stopped unit, so that each look at it
 * does not send its letters again. */
void unit_tell(struct unit *u, int64_t offset);
bool unit_told(const struct unit *u, int64_t offset);
/* The offset to fetch from: RD_KAFKA_OFFSET_BEGINNING or a number. */
int64_t unit_fetch_offset(const struct unit *u);

#endif
