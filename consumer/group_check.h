/* Is every partition of the subscribed topics some member's? A static member that comes back gets
 * the assignment it had, and is not told that it leads the group (librdkafka before KIP-814), so
 * nobody would notice topics and partitions that were made while it was away. The group is looked
 * at once per session and compared with the topics; only when it lacks something is it worth a
 * rebalance.
 *
 * Not by the admin calls about groups: those end the process by an assertion when a broker answers
 * late (seen with librdkafka 2.0.2). Thread: the poll thread. */
#ifndef CONSUMER_GROUP_CHECK_H
#define CONSUMER_GROUP_CHECK_H

#include <librdkafka/rdkafka.h>

enum group_verdict {
    GROUP_UNKNOWN, /* it is in a rebalance, or nobody answers: ask again */
    GROUP_WHOLE,
    GROUP_LACKS,
};

/* Waits for at most `timeout_ms` per question: one for the group, one for each topic. */
enum group_verdict group_check(rd_kafka_t *rk, const char *group, int timeout_ms);

/* Pure: partitions of `topic` in a member's assignment as Kafka's protocol has it (version, topics
 * with partitions, data of the assignor). -1 when it is cut or of another form. */
int group_check_assigned(const void *assignment, size_t size, const char *topic);

#endif
