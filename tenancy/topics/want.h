/* What a tenant's topics are to be like: a table with one row per property, which says the wanted
 * value, how it is compared with what is there, what a change means to people and whether it needs
 * their word. Making topics (topics_ensure), `tenantry plan` and `tenantry apply` all go by it.
 * Pure. */
#ifndef TENANCY_TOPICS_WANT_H
#define TENANCY_TOPICS_WANT_H

#include "tenancy/tenancy.h"

/* A tenant's topics: those of its signals, numbered as those, and the DLQ. */
enum { TOPIC_DLQ = SIGNAL_COUNT, TOPIC_COUNT };

enum topic_unit { TOPIC_NUMBER, TOPIC_BYTES, TOPIC_MS, TOPIC_WORD };

/* What making a change takes. */
enum topic_care {
    TOPIC_SAFE,
    TOPIC_ASKS,    /* data, or a promise about data, may be lost: a person says yes */
    TOPIC_BY_HAND, /* cannot be done by us */
    TOPIC_CARE_COUNT
};
extern const char *const topic_care_names[TOPIC_CARE_COUNT];

/* Where wanted values come from. */
struct topic_facts {
    const struct conf *conf;
    const struct tenant *tenant;
    int kind;       /* a signal or TOPIC_DLQ */
    int brokers;    /* of the cluster that are alive */
    int copies;     /* that the topic has; 0 = it is not there */
    int partitions; /* that the topic has */
};

/* `effect` may hold {was}, {will} and {times}, their quotient. */
struct topic_way {
    enum topic_care care;
    const char *effect;
};

struct topic_property {
    const char *name; /* as Kafka calls it */
    enum topic_unit unit;
    bool shape;    /* of the topic itself; the others are entries of its configuration */
    bool at_birth; /* told to Kafka when the topic is made; else only when it differs */
    int64_t (*number)(const struct topic_facts *f); /* wanted; -1 = unlimited */
    const char *word;                               /* wanted, of a TOPIC_WORD */
    /* From less to more, and from more to less; of words: the one that is there contains the wanted
     * one in a list, or not. */
    struct topic_way up, down;
};

enum { TOPIC_PARTITIONS, TOPIC_REPLICATION, TOPIC_FIRST_ENTRY, TOPIC_PROPERTY_COUNT = 9 };
extern const struct topic_property topic_properties[TOPIC_PROPERTY_COUNT];

#define TOPIC_VALUE_SIZE 32
/* The wanted value as Kafka takes it. */
const char *topic_wanted(const struct topic_property *p, const struct topic_facts *f,
                         char out[TOPIC_VALUE_SIZE]);
/* The topic's partition of a record follows from its trace id: another number of partitions would
 * tear traces apart. */
bool topic_is_keyed(const struct topic_facts *f);
/* How a value is to become `wanted`: NULL when it is the same, else `up` or `down`, or, of a keyed
 * topic's partitions, why not. */
const struct topic_way *topic_way(const struct topic_property *p, const struct topic_facts *f,
                                  const char *was, const char *wanted);
/* A value as people read it: "6h", "10MB", "unlimited". */
const char *topic_for_people(const struct topic_property *p, const char *value,
                             char out[TOPIC_VALUE_SIZE]);

const char *topic_name(const struct tenant *t, int kind);

#endif
