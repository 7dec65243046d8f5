/* Requests hold many topics each, so that hundreds are quick. AlterConfigs of librdkafka resets
 * what it does not name (the incremental one came with 2.2): the configuration is read again right
 * before, and every entry that was set for the topic is sent back with it
 * (docs/decisions/0027-topics-by-a-table.md). */
#include "tenancy/topics/apply.h"

#include "base/clock.h"
#include "base/fault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SETTLE_NS (30 * NS_PER_S) /* until brokers other than the controller know it, too */
#define LOOK_NS   (200 * NS_PER_MS)

static void set_problem(struct topic_plan *t, struct arena *arena, const char *text)
{
    t->problem = arena_strdup(arena, slice_str(text));
    if (t->problem == NULL)
        t->problem = "out of memory";
}

static void set_reason(struct topic_plan *t, struct arena *arena, const char *what,
                       rd_kafka_resp_err_t e, const char *text)
{
    char reason[600], sentence[768];
    admin_reason(e, text, reason, sizeof(reason));
    snprintf(sentence, sizeof(sentence), "%s: %s", what, reason);
    set_problem(t, arena, sentence);
}

static struct topic_plan *by_name(struct topic_plan *const *topics, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(topics[i]->name, name) == 0)
            return topics[i];
    return NULL;
}

/* Problems of the topics that failed. How many are done anew. */
static int take_results(const rd_kafka_topic_result_t **results, size_t n_results,
                        struct topic_plan *const *topics, size_t n, const char *what,
                        struct arena *arena)
{
    int done = 0;
    for (size_t i = 0; i < n_results; i++) {
        rd_kafka_resp_err_t e = rd_kafka_topic_result_error(results[i]);
        struct topic_plan *t = by_name(topics, n, rd_kafka_topic_result_name(results[i]));
        if (e == RD_KAFKA_RESP_ERR_NO_ERROR)
            done++;
        else if (t != NULL && e != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
            set_reason(t, arena, what, e, rd_kafka_topic_result_error_string(results[i]));
    }
    return done;
}

/* ---- making ---- */

static rd_kafka_NewTopic_t *new_topic(struct topic_plan *t, struct arena *arena)
{
    char why[512], value[TOPIC_VALUE_SIZE];
    const struct topic_property *p = topic_properties;
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(t->name, (int)p[TOPIC_PARTITIONS].number(&t->facts),
                              (int)p[TOPIC_REPLICATION].number(&t->facts), why, sizeof(why));
    if (topic == NULL) {
        set_problem(t, arena, why);
        return NULL;
    }
    for (size_t i = TOPIC_FIRST_ENTRY; i < TOPIC_PROPERTY_COUNT; i++)
        if (p[i].at_birth)
            rd_kafka_NewTopic_set_config(topic, p[i].name, topic_wanted(&p[i], &t->facts, value));
    return topic;
}

int topics_make(const struct topic_admin *a, struct topic_plan *const *topics, size_t n,
                struct arena *arena, struct errbuf *err)
{
    rd_kafka_NewTopic_t *made[TOPICS_AT_ONCE];
    size_t n_made = 0, n_results;
    for (size_t i = 0; i < n; i++)
        if ((made[n_made] = new_topic(topics[i], arena)) != NULL)
            n_made++;
    if (n_made == 0)
        return 0;
    struct admin_call call = admin_begin(a, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_CreateTopics(a->rk, made, n_made, call.options, call.queue);
    rd_kafka_event_t *event = admin_end(a, &call, "made no topics", err);
    int rc = -EAGAIN;
    if (event != NULL) {
        const rd_kafka_topic_result_t **results = rd_kafka_CreateTopics_result_topics(
            rd_kafka_event_CreateTopics_result(event), &n_results);
        rc = take_results(results, n_results, topics, n, "it could not be made", arena);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_NewTopic_destroy_array(made, n_made);
    return rc;
}

/* ---- one step for all topics that need it ---- */

struct step {
    const struct topic_admin *a;
    struct plan *p;
    struct apply *how;
    size_t done, of; /* for progress */
    struct errbuf *err;
};

static bool is_made(const struct step *s, const struct topic_change *c)
{
    return c->care == TOPIC_SAFE || (c->care == TOPIC_ASKS && s->how->destroy);
}

/* How many changes of the topic belong to this step. */
static size_t changes_of(const struct step *s, const struct topic_plan *t, bool shape)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        n += t->changes[i].property->shape == shape && is_made(s, &t->changes[i]);
    return n;
}

static bool needs_making(const struct step *s, const struct topic_plan *t)
{
    (void)s;
    return t->missing;
}

static bool needs_partitions(const struct step *s, const struct topic_plan *t)
{
    return changes_of(s, t, true) > 0;
}

static bool needs_altering(const struct step *s, const struct topic_plan *t)
{
    return changes_of(s, t, false) > 0;
}

static int make_some(struct step *s, struct topic_plan **topics, size_t n)
{
    int made = topics_make(s->a, topics, n, &s->p->arena, s->err);
    if (made > 0)
        s->how->made += (size_t)made;
    FAULT_POINT("topics-made");
    return made < 0 ? made : 0;
}

/* Sends it and takes the results. How many were raised, or -EAGAIN. */
static int create_partitions(const struct topic_admin *a, rd_kafka_NewPartitions_t **raised,
                             size_t n_raised, struct topic_plan *const *topics, size_t n,
                             struct arena *arena, struct errbuf *err)
{
    size_t n_results;
    struct admin_call call = admin_begin(a, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS);
    rd_kafka_CreatePartitions(a->rk, raised, n_raised, call.options, call.queue);
    rd_kafka_event_t *event = admin_end(a, &call, "raised no partitions", err);
    if (event == NULL)
        return -EAGAIN;
    const rd_kafka_topic_result_t **results = rd_kafka_CreatePartitions_result_topics(
        rd_kafka_event_CreatePartitions_result(event), &n_results);
    int done =
        take_results(results, n_results, topics, n, "its partitions could not be raised", arena);
    rd_kafka_event_destroy(event);
    return done;
}

static int raise_some(struct step *s, struct topic_plan **topics, size_t n)
{
    rd_kafka_NewPartitions_t *raised[TOPICS_AT_ONCE];
    size_t n_raised = 0;
    char why[512];
    for (size_t i = 0; i < n; i++) {
        int64_t wanted = topic_properties[TOPIC_PARTITIONS].number(&topics[i]->facts);
        raised[n_raised] =
            rd_kafka_NewPartitions_new(topics[i]->name, (size_t)wanted, why, sizeof(why));
        if (raised[n_raised] != NULL)
            n_raised++;
        else
            set_problem(topics[i], &s->p->arena, why);
    }
    int done =
        n_raised ? create_partitions(s->a, raised, n_raised, topics, n, &s->p->arena, s->err) : 0;
    rd_kafka_NewPartitions_destroy_array(raised, n_raised);
    s->how->changed += done > 0 ? (size_t)done : 0;
    FAULT_POINT("topics-raised");
    return done < 0 ? done : 0;
}

int topic_raise(const struct topic_admin *a, const char *name, int partitions, struct errbuf *err)
{
    char why[512];
    struct arena arena = ARENA_INIT;
    struct topic_plan topic = {.name = name}, *list = &topic;
    rd_kafka_NewPartitions_t *raised =
        rd_kafka_NewPartitions_new(name, (size_t)partitions, why, sizeof(why));
    if (raised == NULL)
        return errbuf_set(err, EINVAL, "topic %s: %s", name, why);
    int rc = create_partitions(a, &raised, 1, &list, 1, &arena, err);
    if (rc >= 0)
        rc = topic.problem ? errbuf_set(err, EIO, "topic %s: %s", name, topic.problem) : 0;
    rd_kafka_NewPartitions_destroy(raised);
    arena_release(&arena);
    return rc;
}

/* ---- configurations ---- */

static const struct topic_change *change_of(const struct step *s, const struct topic_plan *t,
                                            const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (is_made(s, &t->changes[i]) && strcmp(t->changes[i].property->name, name) == 0)
            return &t->changes[i];
    return NULL;
}

/* What is set for the topic now, with our changes. NULL with its problem when that is not known as
 * a whole: it would be lost. */
static rd_kafka_ConfigResource_t *new_config(const struct step *s, struct topic_plan *t)
{
    const struct topic_seen *seen = t->seen;
    if (seen->problem != NULL || seen->partitions == 0) {
        set_problem(t, &s->p->arena, seen->problem ? seen->problem : "it was deleted meanwhile");
        return NULL;
    }
    rd_kafka_ConfigResource_t *r = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, t->name);
    for (size_t i = 0; i < seen->n_entries; i++) {
        const struct topic_entry *e = &seen->entries[i];
        if (!e->own || change_of(s, t, e->name) != NULL)
            continue;
        if (e->value == NULL) {
            char text[256];
            snprintf(text, sizeof(text),
                     "Kafka keeps the value of %s secret, so that it would be lost: change the "
                     "rest by kafka-configs.sh",
                     e->name);
            set_problem(t, &s->p->arena, text);
            rd_kafka_ConfigResource_destroy(r);
            return NULL;
        }
        rd_kafka_ConfigResource_set_config(r, e->name, e->value);
    }
    for (size_t i = 0; i < t->n; i++)
        if (!t->changes[i].property->shape && is_made(s, &t->changes[i]))
            rd_kafka_ConfigResource_set_config(r, t->changes[i].property->name,
                                               t->changes[i].wanted);
    return r;
}

static int send_configs(struct step *s, rd_kafka_ConfigResource_t **configs, size_t n_configs,
                        struct topic_plan **topics, size_t n)
{
    size_t n_results;
    struct admin_call call = admin_begin(s->a, RD_KAFKA_ADMIN_OP_ALTERCONFIGS);
    rd_kafka_AlterConfigs(s->a->rk, configs, n_configs, call.options, call.queue);
    rd_kafka_event_t *event = admin_end(s->a, &call, "altered no topics", s->err);
    if (event == NULL)
        return -EAGAIN;
    const rd_kafka_ConfigResource_t **results = rd_kafka_AlterConfigs_result_resources(
        rd_kafka_event_AlterConfigs_result(event), &n_results);
    for (size_t i = 0; i < n_results; i++) {
        struct topic_plan *t = by_name(topics, n, rd_kafka_ConfigResource_name(results[i]));
        rd_kafka_resp_err_t e = rd_kafka_ConfigResource_error(results[i]);
        if (t != NULL && e != RD_KAFKA_RESP_ERR_NO_ERROR)
            set_reason(t, &s->p->arena, "it could not be altered", e,
                       rd_kafka_ConfigResource_error_string(results[i]));
        else if (t != NULL)
            s->how->changed += changes_of(s, t, false);
    }
    rd_kafka_event_destroy(event);
    return 0;
}

static int alter_some(struct step *s, struct topic_plan **topics, size_t n)
{
    rd_kafka_ConfigResource_t *configs[TOPICS_AT_ONCE];
    struct topic_seen *seen[TOPICS_AT_ONCE] = {0};
    size_t n_configs = 0;
    for (size_t i = 0; i < n; i++)
        seen[i] = topics[i]->seen;
    int rc = topics_describe(s->a, seen, n, &s->p->arena, s->err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if ((configs[n_configs] = new_config(s, topics[i])) != NULL)
            n_configs++;
    if (n_configs > 0)
        rc = send_configs(s, configs, n_configs, topics, n);
    rd_kafka_ConfigResource_destroy_array(configs, n_configs);
    FAULT_POINT("topics-altered");
    return rc;
}

/* ---- all of it ---- */

static const struct kind {
    bool (*needs)(const struct step *s, const struct topic_plan *t);
    int (*some)(struct step *s, struct topic_plan **topics, size_t n);
} kinds[] = {
    {needs_making, make_some},
    {needs_partitions, raise_some},
    {needs_altering, alter_some},
};
enum { KIND_COUNT = sizeof(kinds) / sizeof(kinds[0]) };

static int run_kind(struct step *s, const struct kind *k)
{
    struct topic_plan *some[TOPICS_AT_ONCE];
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->p->n; i++) {
        struct topic_plan *t = &s->p->topics[i];
        if (t->problem == NULL && k->needs(s, t))
            some[n++] = t;
        if (n == 0 || (n < TOPICS_AT_ONCE && i + 1 < s->p->n))
            continue;
        rc = k->some(s, some, n);
        s->done += n;
        n = 0;
        if (s->how->progress != NULL)
            s->how->progress(s->how->arg, s->done, s->of);
    }
    return rc;
}

/* Topics that should be right by now and are not, as the brokers tell it. With `tell` they get a
 * problem. -1 = not known. */
static int not_settled(struct step *s, bool tell)
{
    struct plan now;
    const struct topic_facts *facts = &s->p->topics[0].facts;
    int n = plan_make(s->a, facts->conf, facts->tenant, s->p->n / TOPIC_COUNT, &now, s->err);
    for (size_t i = 0; n >= 0 && i < now.n; i++) {
        struct topic_plan *t = &s->p->topics[i], *later = &now.topics[i];
        bool differs = later->missing || changes_of(s, later, true) + changes_of(s, later, false);
        if (!differs || t->problem != NULL)
            continue;
        n++;
        if (tell)
            set_problem(t, &s->p->arena,
                        "Kafka said that it is done, but does not show it yet, or "
                        "somebody else changes it: look again in a minute");
    }
    plan_release(&now);
    return n < 0 ? -1 : n;
}

static int settle(struct step *s)
{
    uint64_t since = clock_mono_ns();
    int n;
    while ((n = not_settled(s, false)) > 0 && clock_mono_ns() - since < SETTLE_NS)
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    if (n > 0)
        not_settled(s, true);
    return n < 0 ? -EAGAIN : 0;
}

int plan_apply(const struct topic_admin *a, struct plan *p, struct apply *how, struct errbuf *err)
{
    struct step s = {.a = a, .p = p, .how = how, .err = err};
    int rc = 0;
    for (size_t i = 0; i < p->n; i++)
        for (int k = 0; k < KIND_COUNT; k++)
            s.of += p->topics[i].problem == NULL && kinds[k].needs(&s, &p->topics[i]);
    for (int k = 0; rc == 0 && k < KIND_COUNT; k++)
        rc = run_kind(&s, &kinds[k]);
    if (rc == 0 && s.of > 0)
        rc = settle(&s);
    for (size_t i = 0; i < p->n; i++)
        how->left += p->topics[i].problem != NULL;
    return rc;
}
