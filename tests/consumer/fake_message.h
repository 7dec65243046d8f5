/* Kafka messages without Kafka: what collect and batch ask librdkafka about a message is answered
 * here, because definitions in the program come before those of the shared library. */
#ifndef TESTS_CONSUMER_FAKE_MESSAGE_H
#define TESTS_CONSUMER_FAKE_MESSAGE_H

#include <librdkafka/rdkafka.h>

#include <stdlib.h>
#include <string.h>

struct fake_header {
    const char *name, *value;
};

struct fake_message {
    rd_kafka_message_t base; /* first */
    int64_t timestamp;
    const struct fake_header *headers; /* NULL-ended; NULL = none */
};

static int fake_messages_alive;

static inline rd_kafka_message_t *fake_message(int64_t offset, const void *value, size_t len,
                                               const struct fake_header *headers)
{
    struct fake_message *m = calloc(1, sizeof(*m));
    m->base = (rd_kafka_message_t){.offset = offset, .payload = malloc(len + 1), .len = len};
    memcpy(m->base.payload, value, len);
    m->timestamp = 1000 + offset;
    m->headers = headers;
    fake_messages_alive++;
    return &m->base;
}

void rd_kafka_message_destroy(rd_kafka_message_t *m)
{
    free(m->payload);
    free(m);
    fake_messages_alive--;
}

int64_t rd_kafka_message_timestamp(const rd_kafka_message_t *m, rd_kafka_timestamp_type_t *type)
{
    if (type != NULL)
        *type = RD_KAFKA_TIMESTAMP_CREATE_TIME;
    return ((const struct fake_message *)m)->timestamp;
}

rd_kafka_resp_err_t rd_kafka_message_headers(const rd_kafka_message_t *m, rd_kafka_headers_t **ret)
{
    *ret = (rd_kafka_headers_t *)((const struct fake_message *)m)->headers;
    return *ret ? RD_KAFKA_RESP_ERR_NO_ERROR : RD_KAFKA_RESP_ERR__NOENT;
}

rd_kafka_resp_err_t rd_kafka_header_get_all(const rd_kafka_headers_t *headers, size_t i,
                                            const char **name, const void **value, size_t *size)
{
    const struct fake_header *h = (const struct fake_header *)headers + i;
    if (h->name == NULL)
        return RD_KAFKA_RESP_ERR__NOENT;
    *name = h->name;
    *value = h->value;
    *size = strlen(h->value);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

#endif
