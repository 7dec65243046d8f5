/* librdkafka's mock cluster as a program, for errors that a real broker does not make when asked.
 * One broker. Prints its address, then does what the lines of its input say and answers each by
 * "ok", until the input ends:
 *
 *     topic NAME PARTITIONS
 *     leader NAME PARTITION BROKER    (-1: none)
 *     fail COUNT ERROR                the next produce requests */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>

#define API_PRODUCE 0
#define MOST_ERRORS 1000

static rd_kafka_resp_err_t fail_next(rd_kafka_mock_cluster_t *cluster, int count, int error)
{
    for (int i = 0; i < count && i < MOST_ERRORS; i++)
        rd_kafka_mock_push_request_errors(cluster, API_PRODUCE, 1, (rd_kafka_resp_err_t)error);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t run(rd_kafka_mock_cluster_t *cluster, const char *line)
{
    char name[256];
    int a, b;
    if (sscanf(line, "topic %255s %d", name, &a) == 2)
        return rd_kafka_mock_topic_create(cluster, name, a, 1);
    if (sscanf(line, "leader %255s %d %d", name, &a, &b) == 3)
        return rd_kafka_mock_partition_set_leader(cluster, name, a, b);
    if (sscanf(line, "fail %d %d", &a, &b) == 2)
        return fail_next(cluster, a, b);
    return RD_KAFKA_RESP_ERR__INVALID_ARG;
}

int main(void)
{
    char text[512], line[512];
    rd_kafka_t *owner = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof(text));
    rd_kafka_mock_cluster_t *cluster = owner ? rd_kafka_mock_cluster_new(owner, 1) : NULL;
    if (cluster == NULL)
        return 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
    while (fgets(line, sizeof(line), stdin) != NULL)
        puts(run(cluster, line) == RD_KAFKA_RESP_ERR_NO_ERROR ? "ok" : "failed");
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(owner);
    return 0;
}
