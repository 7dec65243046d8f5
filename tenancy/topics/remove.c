#include "tenancy/topics/remove.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MOST_TOPICS = 16 };

static int refused(struct errbuf *err, const char *what, const char *name, rd_kafka_resp_err_t e,
                   const char *text)
{
    char reason[512];
    admin_reason(e, text, reason, sizeof(reason));
    return errbuf_set(err, EIO, "%s %s: %s", what, name, reason);
}

/* ---- groups ---- */

/* By the older call: the admin client's call for it ends the process by an assertion of librdkafka
 * when a broker answers late (seen with 2.0.2). */
int group_members(const struct topic_admin *a, const char *group, bool *ret_there, char *who,
                  size_t size, struct errbuf *err)
{
    const struct rd_kafka_group_list *list = NULL;
    rd_kafka_resp_err_t e = rd_kafka_list_groups(a->rk, group, &list, a->timeout_ms);
    int members = 0;
    *ret_there = false;
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (list != NULL)
            rd_kafka_group_list_destroy(list);
        return refused(err, "group", group, e, NULL);
    }
    for (int i = 0; i < list->group_cnt; i++) {
        const struct rd_kafka_group_info *g = &list->groups[i];
        if (strcmp(g->group, group) != 0 || strcmp(g->state, "Dead") == 0)
            continue;
        *ret_there = true;
        members = g->member_cnt;
        if (members > 0) {
            const char *host = g->members[0].client_host;
            snprintf(who, size, "%s at %s", g->members[0].client_id,
                     host[0] == '/' ? host + 1 : host);
        }
    }
    rd_kafka_group_list_destroy(list);
    return members;
}

int group_delete(const struct topic_admin *a, const char *group, struct errbuf *err)
{
    size_t n;
    rd_kafka_DeleteGroup_t *asked = rd_kafka_DeleteGroup_new(group);
    struct admin_call call = admin_begin(a, RD_KAFKA_ADMIN_OP_DELETEGROUPS);
    rd_kafka_DeleteGroups(a->rk, &asked, 1, call.options, call.queue);
    rd_kafka_event_t *event = admin_end(a, &call, "deleted no group", err);
    rd_kafka_DeleteGroup_destroy(asked);
    if (event == NULL)
        return -EAGAIN;
    const rd_kafka_group_result_t **results =
        rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event), &n);
    const rd_kafka_error_t *e = n == 1 ? rd_kafka_group_result_error(results[0]) : NULL;
    int rc = 1;
    if (e != NULL && rd_kafka_error_code(e) == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND)
        rc = 0;
    else if (e != NULL && rd_kafka_error_code(e) != RD_KAFKA_RESP_ERR_NO_ERROR)
        rc = refused(err, "group", group, rd_kafka_error_code(e), rd_kafka_error_string(e));
    rd_kafka_event_destroy(event);
    return rc;
}

/* ---- topics ---- */

static int count_deleted(rd_kafka_event_t *event, struct errbuf *err)
{
    size_t n;
    int deleted = 0, rc = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &n);
    for (size_t i = 0; i < n; i++) {
        rd_kafka_resp_err_t e = rd_kafka_topic_result_error(results[i]);
        deleted += e == RD_KAFKA_RESP_ERR_NO_ERROR;
        if (e != RD_KAFKA_RESP_ERR_NO_ERROR && e != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
            rc = refused(err, "topic", rd_kafka_topic_result_name(results[i]), e,
                         rd_kafka_topic_result_error_string(results[i]));
    }
    return rc < 0 ? rc : deleted;
}

int topics_delete(const struct topic_admin *a, const char *const *names, size_t n,
                  struct errbuf *err)
{
    rd_kafka_DeleteTopic_t *asked[MOST_TOPICS];
    if (n > MOST_TOPICS)
        return errbuf_set(err, EINVAL, "%zu topics are too many at once", n);
    for (size_t i = 0; i < n; i++)
        asked[i] = rd_kafka_DeleteTopic_new(names[i]);
    struct admin_call call = admin_begin(a, RD_KAFKA_ADMIN_OP_DELETETOPICS);
    rd_kafka_DeleteTopics(a->rk, asked, n, call.options, call.queue);
    rd_kafka_event_t *event = admin_end(a, &call, "deleted no topics", err);
    int rc = event ? count_deleted(event, err) : -EAGAIN;
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_DeleteTopic_destroy_array(asked, n);
    return rc;
}
