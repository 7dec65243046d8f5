#include "consumer/session.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "consumer/group_check.h"
#include "tenancy/topics.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define METADATA_FORMAT                                                                            \
    "tnt1 source=%" PRIu32 " generation=%" PRIu32 " first=%" PRId64 " records=%" PRIu64            \
    " items=%" PRIu64 " dropped=%" PRIu64 " dlq_records=%" PRIu64 " dlq_items=%" PRIu64            \
    " lost=%" PRIu64 " gaps=%" PRIu64
#define METADATA_SCAN                                                                              \
    "tnt1 source=%" SCNu32 " generation=%" SCNu32 " first=%" SCNd64 " records=%" SCNu64            \
    " items=%" SCNu64 " dropped=%" SCNu64 " dlq_records=%" SCNu64 " dlq_items=%" SCNu64            \
    " lost=%" SCNu64 " gaps=%" SCNu64

#define LEAVE_WAIT_MS  3000
#define DESTROY_WAIT_S 3
#define LEAVE_POLL_MS  50
#define GROUP_WAIT_MS  1000
#define GROUP_PAUSE_NS (500 * NS_PER_MS)
#define GROUP_LOOKS    20 /* then it is joined again, whatever it is */

void progress_to_metadata(const struct progress *p, char *out, size_t size)
{
    const struct totals *t = &p->totals;
    snprintf(out, size, METADATA_FORMAT, p->source, p->generation, p->first, t->records, t->items,
             t->dropped, t->dlq_records, t->dlq_items, t->lost_records, t->gaps);
}

bool progress_from_metadata(const char *text, struct progress *p)
{
    struct totals *t = &p->totals;
    t->gaps = 0; /* not told by older workers */
    return sscanf(text, METADATA_SCAN, &p->source, &p->generation, &p->first, &t->records,
                  &t->items, &t->dropped, &t->dlq_records, &t->dlq_items, &t->lost_records,
                  &t->gaps) >= 9;
}

static void units_free(struct session *s)
{
    for (size_t i = 0; i < s->n_units; i++) {
        free(s->units[i].topic);
        free(s->units[i].told.at);
    }
    free(s->units);
    s->units = NULL;
    s->n_units = 0;
}

static enum signal signal_of(const char *topic)
{
    const char *dot = strrchr(topic, '.');
    return signal_by_name(slice_str(dot ? dot + 1 : topic));
}

static void units_make(struct session *s, const rd_kafka_topic_partition_list_t *list)
{
    units_free(s);
    s->units = calloc((size_t)list->cnt + 1, sizeof(*s->units));
    if (s->units == NULL)
        return;
    for (int i = 0; i < list->cnt; i++) {
        struct unit *u = &s->units[s->n_units];
        u->topic = strdup(list->elems[i].topic);
        if (u->topic == NULL)
            return;
        u->signal = signal_of(u->topic);
        u->partition = list->elems[i].partition;
        u->state = UNIT_LOADING;
        s->n_units++;
    }
}

static bool fetches(const struct unit *u)
{
    return u->state == UNIT_VERIFYING || u->state == UNIT_RUNNING;
}

/* Moves every partition's records from the consumer queue to ours, so that group events are served
 * even while no record can be taken. librdkafka forgets it, at a time of its own, when fetching is
 * stopped and started again: session_serve says it again on every turn. */
static void forward_records(struct session *s)
{
    for (size_t i = 0; i < s->n_units; i++) {
        const struct unit *u = &s->units[i];
        rd_kafka_queue_t *q =
            fetches(u) ? rd_kafka_queue_get_partition(s->rk, u->topic, u->partition) : NULL;
        if (q == NULL)
            continue;
        rd_kafka_queue_forward(q, s->records);
        rd_kafka_queue_destroy(q);
    }
}

/* Only what is to be fetched is assigned. To assign the others at a logical offset and pause them
 * would be a trap: the broker's late answer for that offset moves the position that was set
 * meanwhile (librdkafka 2.0). */
void session_place(struct session *s)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)s->n_units);
    for (size_t i = 0; i < s->n_units; i++) {
        struct unit *u = &s->units[i];
        if (fetches(u))
            rd_kafka_topic_partition_list_add(list, u->topic, u->partition)->offset =
                unit_fetch_offset(u);
        u->restart = false;
    }
    forward_records(s);
    rd_kafka_assign(s->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct session *s = ((struct session_signs *)opaque)->session;
    if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        units_make(s, list);
        s->trouble[0] = 0;
        FAULT_POINT("inside_rebalance");
        session_place(s);
        s->joined = true;
        s->assigned(s->arg);
        return;
    }
    s->revoked(s->arg);
    FAULT_POINT("inside_rebalance");
    units_free(s);
    rd_kafka_assign(rk, NULL);
}

static void note_fatal(struct session *s)
{
    char text[200];
    rd_kafka_resp_err_t e = rd_kafka_fatal_error(s->rk, text, sizeof(text));
    snprintf(s->fatal, sizeof(s->fatal), "%s: %s", rd_kafka_err2name(e), text);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct session *s = ((struct session_signs *)opaque)->session;
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        note_fatal(s);
        return;
    }
    char text[KAFKA_TROUBLE_SIZE];
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        s->brokers_gone = true;
    if (kafka_trouble(rd_kafka_name(rk), reason, text, sizeof(text)))
        memcpy(s->trouble, text, sizeof(text));
    log_repeated(LOG_WARN, "Kafka client reports a problem", rd_kafka_err2name(code),
                 log_str("error", rd_kafka_err2name(code)), log_str("reason", text));
}

/* A connection ends: whoever answers at that address next may be another cluster. */
static int on_close_socket(int fd, void *opaque)
{
    struct session_signs *signs = opaque;
    atomic_store(&signs->broken, true);
    return close(fd);
}

/* librdkafka 2.0 does not tell the application that a partition could not be fetched, but its log
 * does; the line comes before any record that is fetched afterwards. (tests/consumer/test_session.c
 * holds it to that. A replaced cluster shows by its closed connections and its id, without it.) */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    if (strcmp(facility, "BROKERUA") == 0 && rk != NULL) {
        struct session_signs *signs = rd_kafka_opaque(rk);
        atomic_store(&signs->broken, true);
    }
    kafka_client_log(rk, level, facility, text);
}

static void on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t err,
                      rd_kafka_topic_partition_list_t *list, void *opaque)
{
    (void)rk, (void)list, (void)opaque;
    if (err && err != RD_KAFKA_RESP_ERR__NO_OFFSET)
        log_repeated(
            LOG_WARN,
            "offsets were not committed to Kafka; the database holds them, the next commit will "
            "carry them",
            rd_kafka_err2name(err), log_str("error", rd_kafka_err2str(err)));
}

static int set(rd_kafka_conf_t *kc, const char *name, const char *value, struct errbuf *err)
{
    char reason[256];
    if (rd_kafka_conf_set(kc, name, value, reason, sizeof(reason)) == RD_KAFKA_CONF_OK)
        return 0;
    return errbuf_set(err, EINVAL, "%s = \"%s\": %s", name, value, reason);
}

/* Workers that share a tenant's partitions take over from each other sooner than Kafka's defaults
 * have it; the config may say otherwise. */
static int set_sharing(rd_kafka_conf_t *kc, const struct kafka_conf *k, struct errbuf *err)
{
    static const char *const settings[][3] = {
        {"session.timeout.ms", "session_timeout_ms", "10000"},
        {"heartbeat.interval.ms", "heartbeat_interval_ms", "1000"},
    };
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        bool said = false;
        const struct option_map *const maps[] = {&k->client, &k->consumer};
        for (size_t m = 0; m < 2; m++)
            for (size_t p = 0; p < maps[m]->n; p++)
                said = said || strcmp(maps[m]->at[p].name, settings[i][0]) == 0 ||
                       strcmp(maps[m]->at[p].name, settings[i][1]) == 0;
        if (!said && set(kc, settings[i][0], settings[i][2], err) < 0)
            return -EINVAL;
    }
    return 0;
}

static rd_kafka_conf_t *client_conf(struct session *s, const struct conf *conf, const char *brokers,
                                    const struct tenant *t, const char *instance,
                                    struct errbuf *err)
{
    char client_id[128], queued_kb[32], debug[256] = "";
    size_t debug_size = sizeof(debug) - sizeof(",topic");
    snprintf(client_id, sizeof(client_id), "tenantry-consumer-%s", t->id);
    snprintf(queued_kb, sizeof(queued_kb), "%" PRIu64, conf->consumer.memory / 4 / 1024);
    rd_kafka_conf_t *kc = kafka_client_conf_as(&conf->kafka, brokers, KAFKA_CONSUMER,
                                               &t->conf->kafka, client_id, err);
    if (kc == NULL)
        return NULL;
    rd_kafka_conf_get(kc, "debug", debug, &debug_size); /* what the config asks for, and: */
    strcat(debug, debug[0] ? ",topic" : "topic");
    const char *const settings[][2] = {
        {"group.id", t->group},
        {"group.instance.id", instance},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"},
        {"isolation.level", "read_committed"},
        {"partition.assignment.strategy", "range"}, /* cooperative loses assignments before 2.10 */
        {"allow.auto.create.topics", "false"},
        {"topic.metadata.refresh.interval.ms", "3000"},
        {"queued.max.messages.kbytes", queued_kb},
        {"check.crcs", "true"},
        {"fetch.wait.max.ms", "100"},
        {"fetch.error.backoff.ms", "100"},
        {"debug", debug}, /* for on_log */
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(settings) / sizeof(settings[0]); i++)
        rc = set(kc, settings[i][0], settings[i][1], err);
    if (rc == 0 && t->conf->consumer.processes > 1)
        rc = set_sharing(kc, &conf->kafka, err);
    if (rc < 0) {
        rd_kafka_conf_destroy(kc);
        return NULL;
    }
    rd_kafka_conf_set_rebalance_cb(kc, on_rebalance);
    rd_kafka_conf_set_error_cb(kc, on_error);
    rd_kafka_conf_set_offset_commit_cb(kc, on_commit);
    rd_kafka_conf_set_log_cb(kc, on_log);
    rd_kafka_conf_set_closesocket_cb(kc, on_close_socket);
    rd_kafka_conf_set_opaque(kc, s->signs);
    return kc;
}

static int subscribe(struct session *s, const struct tenant *t, struct errbuf *err)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(SIGNAL_COUNT);
    for (int i = 0; i < SIGNAL_COUNT; i++)
        rd_kafka_topic_partition_list_add(topics, t->topic[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t e = rd_kafka_subscribe(s->rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    return e ? errbuf_set(err, EINVAL, "tenant %s: cannot subscribe to its topics: %s", t->id,
                          rd_kafka_err2str(e))
             : 0;
}

static int make_client(struct session *s, const struct conf *conf, const char *brokers,
                       const struct tenant *t, const char *instance, struct errbuf *err)
{
    char reason[256];
    if (s->signs == NULL && (s->signs = calloc(1, sizeof(*s->signs))) == NULL)
        return errbuf_set(err, ENOMEM, "out of memory");
    s->signs->session = s;
    s->group = t->group;
    rd_kafka_conf_t *kc = client_conf(s, conf, brokers, t, instance, err);
    if (kc == NULL)
        return -EINVAL;
    s->rk = rd_kafka_new(RD_KAFKA_CONSUMER, kc, reason, sizeof(reason));
    if (s->rk == NULL) {
        rd_kafka_conf_destroy(kc);
        return errbuf_set(err, EINVAL, "the Kafka consumer cannot be made: %s", reason);
    }
    kafka_login_watch(&s->login, kafka_login_of(&conf->kafka, &t->conf->kafka));
    rd_kafka_poll_set_consumer(s->rk);
    s->records = rd_kafka_queue_new(s->rk);
    return 0;
}

/* The metadata request makes the client connect at once; asking for the id alone waits for its next
 * round. */
static char *ask_cluster_id(struct session *s, int timeout_ms)
{
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(s->rk, 0, NULL, &metadata, timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return NULL;
    rd_kafka_metadata_destroy(metadata);
    char *id = rd_kafka_clusterid(s->rk, timeout_ms), *copy = id ? strdup(id) : NULL;
    if (id != NULL)
        rd_kafka_mem_free(s->rk, id);
    return copy;
}

int session_same_cluster(struct session *s, int timeout_ms)
{
    char *id = ask_cluster_id(s, timeout_ms);
    int same = id == NULL ? -EAGAIN : strcmp(id, s->cluster) == 0;
    free(id);
    return same;
}

bool session_cluster_changed(struct session *s)
{
    char *id = rd_kafka_clusterid(s->rk, 0);
    bool changed = id != NULL && strcmp(id, s->cluster) != 0;
    if (id != NULL)
        rd_kafka_mem_free(s->rk, id);
    return changed;
}

int session_open(struct session *s, const struct conf *conf, const char *brokers,
                 const struct tenant *t, const char *instance, int timeout_ms, struct errbuf *err)
{
    int rc = s->rk ? 0 : make_client(s, conf, brokers, t, instance, err);
    if (rc < 0)
        return rc;
    s->cluster = ask_cluster_id(s, timeout_ms);
    session_serve(s, 0); /* what the client tells meanwhile must not pile up */
    if (s->cluster == NULL)
        return errbuf_set(err, EAGAIN, "Kafka at %s does not answer%s%s", brokers,
                          s->trouble[0] ? ": " : "", s->trouble);
    s->trouble[0] = 0;
    rc = subscribe(s, t, err);
    if (rc < 0)
        session_close(s, false);
    s->brokers_gone = false; /* what was said before the first connection was made */
    return rc;
}

/* Joining again makes the broker deal anew, if this member leads. */
static void join_again(struct session *s)
{
    rd_kafka_topic_partition_list_t *topics;
    if (rd_kafka_subscription(s->rk, &topics))
        return;
    rd_kafka_subscribe(s->rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
}

/* Once per session. When it cannot be said, joining again is the safe side. */
static void look_at_group(struct session *s)
{
    uint64_t now = clock_mono_ns();
    if (!s->joined || s->group_looks == GROUP_LOOKS || now < s->group_due_ns)
        return;
    enum group_verdict verdict = group_check(s->rk, s->group, GROUP_WAIT_MS);
    s->group_due_ns = now + GROUP_PAUSE_NS;
    s->group_looks = verdict == GROUP_UNKNOWN ? s->group_looks + 1 : GROUP_LOOKS;
    if (verdict == GROUP_LACKS || (verdict == GROUP_UNKNOWN && s->group_looks == GROUP_LOOKS))
        join_again(s);
}

static void note_problem(struct session *s, const rd_kafka_message_t *m)
{
    if (m->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
        m->err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
        snprintf(s->trouble, sizeof(s->trouble),
                 "the brokers do not let it read: %s: `tenantry plan --acls` prints what its login "
                 "has to be allowed",
                 rd_kafka_message_errstr(m));
    log_repeated(LOG_WARN, "Kafka client reports a problem", rd_kafka_err2name(m->err),
                 log_str("error", rd_kafka_err2name(m->err)),
                 log_str("reason", s->trouble[0] ? s->trouble : rd_kafka_message_errstr(m)));
}

void session_serve(struct session *s, int timeout_ms)
{
    kafka_login_keep(&s->login, s->rk);
    look_at_group(s);
    forward_records(s);
    rd_kafka_message_t *m = rd_kafka_consumer_poll(s->rk, timeout_ms);
    if (m == NULL)
        return;
    if (m->err == RD_KAFKA_RESP_ERR__FATAL) /* a consumer's comes as a message */
        note_fatal(s);
    else if (m->err)
        note_problem(s, m);
    else /* a record that came by before its queue was forwarded: read it again from its place */
        for (size_t i = 0; i < s->n_units; i++) {
            s->units[i].restart = true;
            unit_distrust_gaps(&s->units[i]);
        }
    rd_kafka_message_destroy(m);
}

rd_kafka_message_t *session_record(struct session *s, int timeout_ms)
{
    return rd_kafka_consume_queue(s->records, timeout_ms);
}

struct unit *session_unit(struct session *s, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < s->n_units; i++)
        if (s->units[i].partition == partition && strcmp(s->units[i].topic, topic) == 0)
            return &s->units[i];
    return NULL;
}

void session_commit(struct session *s, const struct unit *const *units, size_t n)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    for (size_t i = 0; i < n; i++) {
        if (!units[i]->progress.known)
            continue;
        char text[320];
        progress_to_metadata(&units[i]->progress, text, sizeof(text));
        rd_kafka_topic_partition_t *p =
            rd_kafka_topic_partition_list_add(list, units[i]->topic, units[i]->partition);
        p->offset = units[i]->progress.next;
        p->metadata = strdup(text); /* freed with the list */
        p->metadata_size = p->metadata ? strlen(text) : 0;
    }
    if (list->cnt > 0)
        rd_kafka_commit(s->rk, list, 1); /* on_commit tells how it went */
    rd_kafka_topic_partition_list_destroy(list);
}

int session_watermarks(struct session *s, struct unit *u, int timeout_ms, int64_t *low,
                       int64_t *high)
{
    if (rd_kafka_query_watermark_offsets(s->rk, u->topic, u->partition, low, high, timeout_ms))
        return -EAGAIN;
    u->end = *high;
    return 0;
}

int64_t session_committed(struct session *s, const struct unit *u, int timeout_ms)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, u->topic, u->partition);
    int64_t offset = -1;
    if (rd_kafka_committed(s->rk, list, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        list->elems[0].offset >= 0)
        offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return offset;
}

/* A broker that does not answer is not waited for: its coordinator notices by itself. */
static void leave_group(struct session *s)
{
    uint64_t due = clock_mono_ns() + LEAVE_WAIT_MS * NS_PER_MS;
    rd_kafka_queue_t *q = rd_kafka_queue_new(s->rk);
    rd_kafka_error_t *e = rd_kafka_consumer_close_queue(s->rk, q);
    while (e == NULL && !rd_kafka_consumer_closed(s->rk) && clock_mono_ns() < due)
        rd_kafka_queue_poll_callback(q, LEAVE_POLL_MS);
    rd_kafka_error_destroy(e);
    rd_kafka_queue_destroy(q);
}

static void *destroy_main(void *rk)
{
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return NULL;
}

/* On a thread of its own, because it may wait for ever. False when it does. */
static bool destroy_client(struct session *s)
{
    pthread_t thread;
    struct timespec until;
    if (pthread_create(&thread, NULL, destroy_main, s->rk) != 0)
        return false;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += DESTROY_WAIT_S;
    if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0)
        return true;
    pthread_detach(thread);
    return false;
}

static void drop_records(struct session *s)
{
    rd_kafka_message_t *m;
    while ((m = rd_kafka_consume_queue(s->records, 0)) != NULL)
        rd_kafka_message_destroy(m);
    rd_kafka_queue_destroy(s->records);
}

bool session_broke(struct session *s)
{
    return s->signs != NULL && atomic_exchange(&s->signs->broken, false);
}

bool session_close(struct session *s, bool leave)
{
    bool closed = true;
    if (s->rk != NULL && leave)
        leave_group(s);
    if (s->records != NULL)
        drop_records(s);
    if (s->rk != NULL)
        closed = destroy_client(s);
    if (closed)
        free(s->signs);
    units_free(s);
    free(s->cluster);
    kafka_login_unwatch(&s->login);
    *s = (struct session){0};
    return closed;
}
