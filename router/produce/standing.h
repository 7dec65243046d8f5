/* How Kafka treats the records of one tenant, and how much it may have under way therefore. Pure:
 * the caller serialises and says what time it is.
 *
 * A tenant begins in the fast lane, a producer that it shares with others. There it may have as
 * many bytes under way as fit into half of the producer's queue; when the queue is half full, an
 * equal share. When Kafka takes its records no longer, although Kafka itself answers, it moves to
 * the slow lane, a producer for such tenants alone: what waits there delays nobody else. In the
 * slow lane it may have little under way, so that Kafka is tried but few senders wait in vain; each
 * success doubles that. It returns when records succeeded for a while without any trouble; whoever
 * comes back soon stays longer. */
#ifndef ROUTER_STANDING_H
#define ROUTER_STANDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lane { LANE_FAST, LANE_SLOW, LANE_COUNT };

/* The producer of a lane now. */
struct lane_load {
    uint64_t ceiling, bytes; /* of its queue */
    uint64_t tenants;        /* that have records in it */
};

/* Since when, without a pause, and until when Kafka answered questions that have nothing to do with
 * any tenant. 0 = never. */
struct kafka_alive {
    uint64_t since_ns, last_ns;
};

struct standing {
    enum lane lane;
    uint64_t bytes[LANE_COUNT], records[LANE_COUNT]; /* under way */
    uint64_t
        waiting_ns;  /* of the lane in use: since then records are under way and none succeeded */
    uint64_t window; /* bytes it may have in the slow lane */
    uint64_t trouble_ns; /* the last one */
    uint64_t moved_ns;   /* when the lane was changed last */
    uint64_t quiet_ns;   /* time without trouble that leads back to the fast lane */
};

enum standing_answer { STANDING_SEND, STANDING_OVER_SHARE, STANDING_STALLED };
/* May `records` of `bytes` together go? Then they are counted, and belong to s->lane of now.
 * `stall_ns`: how long Kafka may take for a record. May change the lane. */
enum standing_answer standing_admit(struct standing *s, uint64_t records, uint64_t bytes,
                                    const struct lane_load loads[LANE_COUNT], uint64_t stall_ns,
                                    struct kafka_alive alive, uint64_t now_ns);

/* What became of a record. */
enum standing_report {
    STANDING_STORED,
    STANDING_UNTAKEN, /* by the broker's own word Kafka cannot take it for this partition */
    STANDING_LATE,    /* no word in time: the partition's fault only if Kafka answers otherwise */
    STANDING_OTHER,   /* says nothing about the partition */
};
/* A record that was admitted at `sent_ns` into `lane` is gone. May change the lane. */
void standing_done(struct standing *s, enum lane lane, uint64_t bytes, uint64_t sent_ns,
                   enum standing_report report, uint64_t stall_ns, struct kafka_alive alive,
                   uint64_t now_ns);

#endif
