#include "tenancy/topics/admin.h"

#include "tenancy/topics.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define GRACE_MS 1000 /* the client gives up before we do */

/* What to do about an error of a broker. */
static const struct {
    rd_kafka_resp_err_t error;
    const char *advice;
} advices[] = {
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
     "allow the login of kafka.admin to describe, make, alter and delete this topic (`tenantry "
     "plan --acls`)"},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
     "allow the login of kafka.admin to describe and delete this group (`tenantry plan --acls`)"},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
     "allow the login of kafka.admin to make and alter topics (`tenantry plan --acls`)"},
    {RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR,
     "the cluster has too few brokers alive for so many copies: lower topics.replication or "
     "kafka.replication, or start brokers"},
    {RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, "change topics.partitions"},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
     "the cluster has a policy against it: change the option, or the policy"},
    {RD_KAFKA_RESP_ERR_INVALID_CONFIG, "the cluster does not take this value: change the option"},
    {RD_KAFKA_RESP_ERR_TOPIC_DELETION_DISABLED,
     "the brokers have delete.topic.enable=false: change that, or delete it there"},
    {RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP, "a consumer of the group is still connected: stop it"},
    {RD_KAFKA_RESP_ERR_NOT_CONTROLLER, "the controller has just moved: try again"},
    {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
     "the cluster is slow or has too few brokers alive: try again"},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, "the cluster is slow or cannot be reached: try again"},
};

void admin_reason(rd_kafka_resp_err_t e, const char *text, char *out, size_t size)
{
    const char *advice = NULL;
    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
        if (advices[i].error == e)
            advice = advices[i].advice;
    if (text == NULL || text[0] == 0)
        text = rd_kafka_err2str(e);
    size_t len = strlen(text);
    while (len > 0 && (text[len - 1] == '.' || text[len - 1] == '\n'))
        len--;
    snprintf(out, size, "%.*s%s%s", (int)len, text, advice ? ": " : "", advice ? advice : "");
}

rd_kafka_t *topic_admin_connect(const struct conf *conf, const char *brokers, int timeout_ms,
                                struct errbuf *err)
{
    const struct rd_kafka_metadata *metadata;
    char reason[256];
    rd_kafka_conf_t *kc =
        kafka_client_conf(&conf->kafka, brokers, KAFKA_ADMIN, "tenantry-admin", err);
    if (kc == NULL)
        return NULL;
    rd_kafka_conf_set(kc, "log_level", "0", NULL, 0);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, kc, reason, sizeof(reason));
    if (rk == NULL) {
        rd_kafka_conf_destroy(kc);
        errbuf_set(err, EINVAL, "the Kafka client cannot be made: %s", reason);
        return NULL;
    }
    rd_kafka_resp_err_t e = rd_kafka_metadata(rk, 0, NULL, &metadata, timeout_ms);
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(metadata);
        return rk;
    }
    errbuf_set(err, EAGAIN, "Kafka at %s does not answer: %s", brokers, rd_kafka_err2str(e));
    rd_kafka_destroy(rk);
    return NULL;
}

struct admin_call admin_begin(const struct topic_admin *a, rd_kafka_admin_op_t op)
{
    struct admin_call call = {rd_kafka_AdminOptions_new(a->rk, op), rd_kafka_queue_new(a->rk)};
    char why[256];
    /* The broker waits until it is done (leaders, say), and answers before we stop listening. Not
     * every operation knows the first. */
    rd_kafka_AdminOptions_set_operation_timeout(call.options, a->timeout_ms, why, sizeof(why));
    rd_kafka_AdminOptions_set_request_timeout(call.options, a->timeout_ms, why, sizeof(why));
    return call;
}

rd_kafka_event_t *admin_end(const struct topic_admin *a, struct admin_call *call, const char *what,
                            struct errbuf *err)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(call->queue, a->timeout_ms + GRACE_MS);
    rd_kafka_AdminOptions_destroy(call->options);
    rd_kafka_queue_destroy(call->queue);
    if (event == NULL) {
        errbuf_set(err, EAGAIN, "the Kafka brokers did not answer within %d ms", a->timeout_ms);
    } else if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        errbuf_set(err, EAGAIN, "the Kafka brokers %s: %s", what,
                   rd_kafka_event_error_string(event));
        rd_kafka_event_destroy(event);
        event = NULL;
    }
    return event;
}
