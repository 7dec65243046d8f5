#include "tenancy/topics/want.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define COPIES          3               /* of each record, where there are brokers enough */
#define RECORD_ROOM     (64ul * 1024)   /* key, headers and batch framing */
#define DLQ_RECORD_ROOM (1024ul * 1024) /* and the reason headers of a dead letter */
#define ROUND_TO        (64ul * 1024)
#define UNLIMITED       (-1)
#define AGES_MS         10000000000000 /* 300 years: people mean "for ever" by it */

const char *const topic_care_names[TOPIC_CARE_COUNT] = {"safe", "asks", "by hand"};

/* ---- wanted values ---- */

static const struct topics_conf *topics_of(const struct topic_facts *f)
{
    return &f->tenant->conf->topics;
}

/* Those that the supervisor added are no difference. */
static int64_t partitions(const struct topic_facts *f)
{
    const struct topics_conf *topics = topics_of(f);
    int64_t told = (int64_t)topics->partitions;
    bool grown =
        f->kind != TOPIC_DLQ && f->partitions > told && f->partitions <= (int64_t)topics->grow.most;
    return grown ? f->partitions : told;
}

/* Without an option a cluster decides by its size. That a broker is down, or that copies were added
 * by hand, is no difference then. */
static int64_t replication(const struct topic_facts *f)
{
    int64_t told = (int64_t)topics_of(f)->replication;
    int64_t size = f->brokers < 1 ? 1 : f->brokers;
    if (told == 0)
        told = (int64_t)f->conf->kafka.replication;
    if (told != 0)
        return told;
    size = size < COPIES ? size : COPIES;
    return f->copies > size ? f->copies : size;
}

/* By the copies that are there: more than those would refuse every write. */
static int64_t min_insync(const struct topic_facts *f)
{
    int64_t copies = f->copies ? f->copies : replication(f);
    int64_t told = (int64_t)topics_of(f)->min_insync;
    if (told == 0)
        return copies >= COPIES ? COPIES - 1 : 1;
    return told < copies ? told : copies;
}

static int64_t retention_ms(const struct topic_facts *f)
{
    const struct topics_conf *topics = topics_of(f);
    return (int64_t)((f->kind == TOPIC_DLQ ? topics->dlq_retention : topics->retention) /
                     NS_PER_MS);
}

static int64_t max_message_bytes(const struct topic_facts *f)
{
    uint64_t record = f->conf->record.max_bytes + RECORD_ROOM;
    if (f->kind == TOPIC_DLQ) {
        uint64_t told = topics_of(f)->dlq_max_bytes;
        record = told ? told : f->conf->record.max_bytes + DLQ_RECORD_ROOM;
    }
    return (int64_t)((record + ROUND_TO - 1) / ROUND_TO * ROUND_TO);
}

static int64_t unlimited(const struct topic_facts *f)
{
    (void)f;
    return UNLIMITED;
}

/* ---- the table ---- */

const struct topic_property topic_properties[TOPIC_PROPERTY_COUNT] = {
    [TOPIC_PARTITIONS] =
        {"partitions",
         TOPIC_NUMBER,
         true,
         true,
         partitions,
         NULL,
         {TOPIC_SAFE, "routers and the worker use the new ones within seconds; records that are "
                      "there stay where they are"},
         {TOPIC_BY_HAND, "Kafka cannot take partitions away: set topics.partitions to {was}, or "
                         "remove the tenant and add it anew"}},
    [TOPIC_REPLICATION] =
        {"replication",
         TOPIC_NUMBER,
         true,
         true,
         replication,
         NULL,
         {TOPIC_BY_HAND, "there are fewer copies of each record than wanted: add them with Kafka's "
                         "kafka-reassign-partitions.sh, or set topics.replication to {was}"},
         {TOPIC_BY_HAND, "there are more copies of each record than wanted, at the cost of disk: "
                         "take them away with Kafka's kafka-reassign-partitions.sh, or set "
                         "topics.replication to {was}"}},
    [TOPIC_FIRST_ENTRY] =
        {"retention.ms",
         TOPIC_MS,
         false,
         true,
         retention_ms,
         NULL,
         {TOPIC_SAFE, "records stay longer; the disk in use may become {times} times what it is"},
         {TOPIC_ASKS, "Kafka deletes records older than {will} within minutes, whether anybody has "
                      "dealt with them or not (`tenantry status` tells what is not written yet)"}},
    {"retention.bytes",
     TOPIC_BYTES,
     false,
     true,
     unlimited,
     NULL,
     {TOPIC_SAFE, "Kafka no longer deletes records because there are many, before their time; "
                  "disk in use grows with what is sent"},
     {TOPIC_ASKS, "Kafka deletes records above {will} a partition"}},
    {"max.message.bytes",
     TOPIC_BYTES,
     false,
     true,
     max_message_bytes,
     NULL,
     {TOPIC_SAFE, "Kafka takes records of up to {will}, instead of refusing those above {was}"},
     {TOPIC_SAFE, "Kafka refuses records above {will} from now on; those that are there stay"}},
    {"cleanup.policy",
     TOPIC_WORD,
     false,
     true,
     NULL,
     "delete",
     {TOPIC_SAFE, "a record is no longer dropped because a newer one has its key"},
     {TOPIC_ASKS, "records are deleted when their retention is over; until now they stayed as long "
                  "as no newer one had their key"}},
    {"min.insync.replicas",
     TOPIC_NUMBER,
     false,
     true,
     min_insync,
     NULL,
     {TOPIC_SAFE, "a request is acknowledged when {will} brokers have it; with fewer alive, "
                  "senders get 503 and come back"},
     {TOPIC_ASKS, "a request is acknowledged when {will} of the brokers have it, no longer {was}: "
                  "who loses those loses acknowledged records"}},
    {"compression.type",
     TOPIC_WORD,
     false,
     true,
     NULL,
     "producer",
     {TOPIC_SAFE, "Kafka keeps batches as the routers compress them"},
     {TOPIC_SAFE, "Kafka keeps batches as the routers compress them, and has less work"}},
    {"unclean.leader.election.enable",
     TOPIC_WORD,
     false,
     false,
     NULL,
     "false",
     {TOPIC_SAFE, "a broker that lacks acknowledged records cannot become leader"},
     {TOPIC_SAFE, "a broker that lacks acknowledged records can no longer become leader: the "
                  "partition waits for one that has them"}},
};

static const struct topic_way keyed_up = {
    TOPIC_BY_HAND,
    "a record's partition follows from its trace id (topics.partition_by), and with another number "
    "of partitions a trace under way is torn apart: set topics.partitions to {was}; or, when that "
    "may happen once, set topics.partition_by to none, apply, and set it back"};

bool topic_is_keyed(const struct topic_facts *f)
{
    return f->kind != TOPIC_DLQ && tenant_partitions_by_trace(f->tenant, (enum signal)f->kind);
}

/* ---- values ---- */

const char *topic_wanted(const struct topic_property *p, const struct topic_facts *f,
                         char out[TOPIC_VALUE_SIZE])
{
    if (p->unit == TOPIC_WORD)
        snprintf(out, TOPIC_VALUE_SIZE, "%s", p->word);
    else
        snprintf(out, TOPIC_VALUE_SIZE, "%" PRId64, p->number(f));
    return out;
}

/* A number for comparing: what is unlimited is the largest. */
static int64_t measure(const struct topic_property *p, const char *value)
{
    int64_t n = strtoll(value, NULL, 10);
    bool endless = p->unit == TOPIC_MS || p->unit == TOPIC_BYTES;
    return endless && (n < 0 || (p->unit == TOPIC_MS && n > AGES_MS)) ? INT64_MAX : n;
}

static bool holds_word(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += len)
        if ((at == list || at[-1] == ',') && (at[len] == 0 || at[len] == ','))
            return true;
    return false;
}

const struct topic_way *topic_way(const struct topic_property *p, const struct topic_facts *f,
                                  const char *was, const char *wanted)
{
    if (strcmp(was, wanted) == 0)
        return NULL;
    if (p->unit == TOPIC_WORD)
        return holds_word(was, wanted) ? &p->up : &p->down;
    int64_t from = measure(p, was), to = measure(p, wanted);
    if (from == to)
        return NULL;
    if (from < to && p == &topic_properties[TOPIC_PARTITIONS] && topic_is_keyed(f))
        return &keyed_up;
    return from < to ? &p->up : &p->down;
}

const char *topic_for_people(const struct topic_property *p, const char *value,
                             char out[TOPIC_VALUE_SIZE])
{
    int64_t n = p->unit == TOPIC_WORD ? 0 : measure(p, value);
    if (p->unit == TOPIC_WORD || p->unit == TOPIC_NUMBER)
        snprintf(out, TOPIC_VALUE_SIZE, "%s", value);
    else if (n == INT64_MAX)
        snprintf(out, TOPIC_VALUE_SIZE, "unlimited");
    else if (p->unit == TOPIC_MS)
        option_format_number(OPT_DURATION, (uint64_t)n * NS_PER_MS, out, TOPIC_VALUE_SIZE);
    else
        option_format_number(OPT_SIZE, (uint64_t)n, out, TOPIC_VALUE_SIZE);
    return out;
}

const char *topic_name(const struct tenant *t, int kind)
{
    return kind == TOPIC_DLQ ? t->dlq_topic : t->topic[kind];
}
