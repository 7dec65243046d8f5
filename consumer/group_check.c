#include "consumer/group_check.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Big-endian numbers from bytes of others; `ok` turns false at the end. */
struct reader {
    const uint8_t *at, *end;
    bool ok;
};

static int64_t read_number(struct reader *r, size_t size)
{
    int64_t n = 0;
    r->ok = r->ok && (size_t)(r->end - r->at) >= size;
    for (size_t i = 0; r->ok && i < size; i++)
        n = n * 256 + *r->at++;
    return n;
}

static bool skip(struct reader *r, uint64_t size)
{
    r->ok = r->ok && size <= (uint64_t)(r->end - r->at);
    r->at += r->ok ? size : 0;
    return r->ok;
}

int group_check_assigned(const void *assignment, size_t size, const char *topic)
{
    struct reader r = {assignment, (const uint8_t *)assignment + size, size > 0};
    uint64_t partitions = 0;
    read_number(&r, 2); /* version: later ones only add behind */
    for (int64_t topics = read_number(&r, 4); r.ok && topics > 0; topics--) {
        uint64_t length = (uint64_t)read_number(&r, 2);
        const uint8_t *name = r.at;
        skip(&r, length);
        uint64_t n = (uint64_t)read_number(&r, 4);
        if (skip(&r, n * 4) && length == strlen(topic) && memcmp(name, topic, length) == 0)
            partitions += n;
    }
    return r.ok ? (int)partitions : -1;
}

/* Partitions that the topic has, 0 without one; -1 when nobody answers in time. One topic at a
 * time: a question about several would be about those alone of which this member has partitions. */
static int partitions_of(rd_kafka_t *rk, const char *topic, int timeout_ms)
{
    const struct rd_kafka_metadata *m;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, topic, NULL);
    int n = -1;
    if (handle == NULL)
        return n;
    if (rd_kafka_metadata(rk, 0, handle, &m, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        n = m->topic_cnt == 1 ? m->topics[0].partition_cnt : 0;
        rd_kafka_metadata_destroy(m);
    }
    rd_kafka_topic_destroy(handle);
    return n;
}

static enum group_verdict compare_topic(rd_kafka_t *rk, const struct rd_kafka_group_info *group,
                                        const char *topic, int timeout_ms)
{
    int sum = 0, has = partitions_of(rk, topic, timeout_ms);
    if (has < 0)
        return GROUP_UNKNOWN;
    for (int i = 0; i < group->member_cnt; i++) {
        const struct rd_kafka_group_member_info *m = &group->members[i];
        int n = m->member_assignment_size > 0
                    ? group_check_assigned(m->member_assignment, (size_t)m->member_assignment_size,
                                           topic)
                    : 0;
        if (n < 0)
            return GROUP_LACKS;
        sum += n;
    }
    return sum == has ? GROUP_WHOLE : GROUP_LACKS;
}

static enum group_verdict compare(rd_kafka_t *rk, const struct rd_kafka_group_info *group,
                                  int timeout_ms)
{
    rd_kafka_topic_partition_list_t *topics;
    enum group_verdict verdict = GROUP_WHOLE;
    if (group->err || strcmp(group->state, "Stable") != 0 ||
        rd_kafka_subscription(rk, &topics) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return GROUP_UNKNOWN;
    for (int i = 0; verdict == GROUP_WHOLE && i < topics->cnt; i++)
        verdict = compare_topic(rk, group, topics->elems[i].topic, timeout_ms);
    rd_kafka_topic_partition_list_destroy(topics);
    return verdict;
}

enum group_verdict group_check(rd_kafka_t *rk, const char *group, int timeout_ms)
{
    const struct rd_kafka_group_list *list = NULL;
    enum group_verdict verdict = GROUP_UNKNOWN;
    if (rd_kafka_list_groups(rk, group, &list, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        list->group_cnt == 1)
        verdict = compare(rk, &list->groups[0], timeout_ms);
    if (list != NULL)
        rd_kafka_group_list_destroy(list);
    return verdict;
}
