#include "router/produce/producer.h"

#define E(name) RD_KAFKA_RESP_ERR_##name

#define TOO_LARGE "raise max.message.bytes of the topic, or lower record.max_bytes"
#define NO_TOPIC  "`tenantry up` and `tenantry supervise` make missing topics: see why they did not"
#define NO_LOGIN  "check user and password (or certificate) in kafka.client"
#define NO_RIGHT  "let the router's Kafka user write to this topic (an ACL for WRITE and DESCRIBE)"
#define REFUSED   "see the broker's log: its version, a policy or a setting of the topic refuses it"
#define REPLICAS  "bring the brokers of its replicas back, or lower min.insync.replicas of the topic"
#define NO_LEADER "bring the brokers of the partition's replicas back"
#define SLOW      "look at the brokers of the topic's partitions: disk, network, replicas that lag"
#define DISK      "look at the broker's log: its disk fails"

/* What each error means: to the sender, to the tenant's standing with Kafka, to the operator (NULL:
 * no line, it is told otherwise). What is not listed (purged, connection lost, ...) may pass when
 * it is tried again: KAFKA_DOWN. */
static const struct row {
    rd_kafka_resp_err_t error;
    enum outcome outcome;
    enum standing_report report;
    const char *advice;
} rows[] = {
    {E(NO_ERROR), OUTCOME_ACCEPTED, STANDING_STORED, NULL},
    {E(_QUEUE_FULL), OUTCOME_QUEUE_FULL, STANDING_OTHER,
     "raise kafka.queue_bytes or kafka.producers"},
    {PRODUCER_OVER_SHARE, OUTCOME_OVER_SHARE, STANDING_OTHER, NULL},
    {PRODUCER_STALLED, OUTCOME_STALLED, STANDING_OTHER, NULL},
    {E(MSG_SIZE_TOO_LARGE), OUTCOME_RECORD_TOO_LARGE, STANDING_OTHER, TOO_LARGE},
    {E(RECORD_LIST_TOO_LARGE), OUTCOME_RECORD_TOO_LARGE, STANDING_OTHER, TOO_LARGE},
    {E(_UNKNOWN_TOPIC), OUTCOME_TOPIC_MISSING, STANDING_OTHER, NO_TOPIC},
    {E(_UNKNOWN_PARTITION), OUTCOME_TOPIC_MISSING, STANDING_OTHER, NO_TOPIC},
    {E(UNKNOWN_TOPIC_OR_PART), OUTCOME_TOPIC_MISSING, STANDING_OTHER, NO_TOPIC},
    {E(TOPIC_EXCEPTION), OUTCOME_TOPIC_MISSING, STANDING_OTHER, NO_TOPIC},
    {E(_AUTHENTICATION), OUTCOME_NOT_PERMITTED, STANDING_OTHER, NO_LOGIN},
    {E(SASL_AUTHENTICATION_FAILED), OUTCOME_NOT_PERMITTED, STANDING_OTHER, NO_LOGIN},
    {E(TOPIC_AUTHORIZATION_FAILED), OUTCOME_NOT_PERMITTED, STANDING_OTHER, NO_RIGHT},
    {E(CLUSTER_AUTHORIZATION_FAILED), OUTCOME_NOT_PERMITTED, STANDING_OTHER, NO_RIGHT},
    {E(POLICY_VIOLATION), OUTCOME_NOT_PERMITTED, STANDING_OTHER, REFUSED},
    {E(INVALID_RECORD), OUTCOME_NOT_PERMITTED, STANDING_OTHER, REFUSED},
    {E(INVALID_TIMESTAMP), OUTCOME_NOT_PERMITTED, STANDING_OTHER, REFUSED},
    {E(INVALID_REQUIRED_ACKS), OUTCOME_NOT_PERMITTED, STANDING_OTHER, REFUSED},
    {E(UNSUPPORTED_FOR_MESSAGE_FORMAT), OUTCOME_NOT_PERMITTED, STANDING_OTHER, REFUSED},
    {E(UNSUPPORTED_COMPRESSION_TYPE), OUTCOME_NOT_PERMITTED, STANDING_OTHER, REFUSED},
    {E(NOT_ENOUGH_REPLICAS), OUTCOME_TOO_FEW_REPLICAS, STANDING_UNTAKEN, REPLICAS},
    {E(NOT_ENOUGH_REPLICAS_AFTER_APPEND), OUTCOME_TOO_FEW_REPLICAS, STANDING_UNTAKEN, REPLICAS},
    {E(LEADER_NOT_AVAILABLE), OUTCOME_KAFKA_DOWN, STANDING_UNTAKEN, NO_LEADER},
    {E(NOT_LEADER_FOR_PARTITION), OUTCOME_KAFKA_DOWN, STANDING_LATE, NO_LEADER},
    {E(BROKER_NOT_AVAILABLE), OUTCOME_KAFKA_DOWN, STANDING_UNTAKEN, NO_LEADER},
    {E(REPLICA_NOT_AVAILABLE), OUTCOME_KAFKA_DOWN, STANDING_UNTAKEN, NO_LEADER},
    {E(KAFKA_STORAGE_ERROR), OUTCOME_KAFKA_DOWN, STANDING_UNTAKEN, DISK},
    {E(REQUEST_TIMED_OUT), OUTCOME_KAFKA_DOWN, STANDING_UNTAKEN, SLOW},
    {E(_MSG_TIMED_OUT), OUTCOME_KAFKA_DOWN, STANDING_LATE, SLOW},
    {E(_TIMED_OUT), OUTCOME_KAFKA_DOWN, STANDING_LATE, SLOW},
    {E(_TIMED_OUT_QUEUE), OUTCOME_KAFKA_DOWN, STANDING_LATE, SLOW},
};

static const struct row *row_of(rd_kafka_resp_err_t error)
{
    static const struct row other = {0, OUTCOME_KAFKA_DOWN, STANDING_OTHER, NULL};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].error == error)
            return &rows[i];
    return &other;
}

enum outcome producer_outcome(rd_kafka_resp_err_t error)
{
    return row_of(error)->outcome;
}

enum standing_report producer_report(rd_kafka_resp_err_t error)
{
    return row_of(error)->report;
}

const char *producer_advice(rd_kafka_resp_err_t error)
{
    return row_of(error)->advice;
}
