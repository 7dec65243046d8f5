#include "router/produce/producer.h"

/* What is not listed (timed out, no leader, not enough replicas, purged, fatal, ...) may pass when
 * it is tried again: KAFKA_DOWN. */
static const struct {
    rd_kafka_resp_err_t error;
    enum outcome outcome;
} rows[] = {
    {RD_KAFKA_RESP_ERR_NO_ERROR, OUTCOME_ACCEPTED},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, OUTCOME_QUEUE_FULL},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, OUTCOME_RECORD_TOO_LARGE},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, OUTCOME_RECORD_TOO_LARGE},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, OUTCOME_TOPIC_MISSING},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, OUTCOME_TOPIC_MISSING},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, OUTCOME_TOPIC_MISSING},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, OUTCOME_TOPIC_MISSING},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, OUTCOME_NOT_PERMITTED},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, OUTCOME_NOT_PERMITTED},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, OUTCOME_NOT_PERMITTED},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, OUTCOME_NOT_PERMITTED},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, OUTCOME_NOT_PERMITTED},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD, OUTCOME_NOT_PERMITTED},
};

enum outcome producer_outcome(rd_kafka_resp_err_t error)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].error == error)
            return rows[i].outcome;
    return OUTCOME_KAFKA_DOWN;
}
