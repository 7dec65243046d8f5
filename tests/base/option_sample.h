/* A table with one row of every kind, for the tests of reading and printing. */
#ifndef TESTS_BASE_OPTION_SAMPLE_H
#define TESTS_BASE_OPTION_SAMPLE_H

#include "base/option.h"

struct limits_conf {
    uint64_t rate, items, burst, wait;
};

struct drop_conf {
    int signal;
    const char *attribute;
};

struct sample_conf {
    const char *id;
    bool enabled;
    uint64_t partitions;
    int kind;
    struct limits_conf limits;
    struct option_strings headers;
    struct option_map client;
    struct option_list drop;
    const char *password;
};

static const struct option sample_limits_rows[] = {
    OPTION_RATE(struct limits_conf, rate, "rate", "20MB/s", "1KB/s", "1GB/s",
                OPT_RELOAD | OPT_BYTES, "Bytes per second a tenant may send."),
    OPTION_RATE(struct limits_conf, items, "items", "0", 0, OPT_MAX, OPT_RELOAD,
                "Items per second. 0 = unlimited."),
    OPTION_SIZE(struct limits_conf, burst, "burst", "40MB", "1", OPT_MAX, OPT_RELOAD,
                "Bytes that may come at once."),
    OPTION_DURATION(struct limits_conf, wait, "wait", "500ms", 0, "5s", OPT_RELOAD,
                    "How long a request may wait for its rate."),
    OPTION_END,
};
static const struct option_group sample_limits = {"limits", "What a tenant may send.",
                                                  sample_limits_rows};

static const struct option_choice sample_signals[] = {
    {"traces", 0}, {"metrics", 1}, {"logs", 2}, {0}};
static const struct option_choice sample_kinds[] = {{"sqlite", 7}, {"postgres", 8}, {0}};

static const struct option sample_drop_rows[] = {
    OPTION_ENUM(struct drop_conf, signal, "signal", "traces", sample_signals, OPT_RELOAD,
                "The signal that the rule is for."),
    OPTION_STRING(struct drop_conf, attribute, "attribute", 0, OPT_RELOAD | OPT_REQUIRED,
                  "The attribute to look at."),
    OPTION_END,
};
static const struct option_group sample_drop = {"drop", "A rule that drops items.",
                                                sample_drop_rows};

static const struct option sample_rows[] = {
    OPTION_STRING(struct sample_conf, id, "id", "none", 0, "The tenant's name."),
    OPTION_BOOL(struct sample_conf, enabled, "enabled", "true", OPT_RELOAD,
                "Whether it takes data."),
    OPTION_UINT(struct sample_conf, partitions, "partitions", "6", "1", "1000", 0,
                "Partitions of a topic."),
    OPTION_ENUM(struct sample_conf, kind, "kind", "sqlite", sample_kinds, 0,
                "The database's kind."),
    OPTION_GROUP(struct sample_conf, limits, &sample_limits, OPT_RELOAD),
    OPTION_STRINGS(struct sample_conf, headers, "headers", "authorization, x-api-key", OPT_RELOAD,
                   "Headers that may hold a key."),
    OPTION_MAP(struct sample_conf, client, "client", 0, "Settings of the Kafka client."),
    OPTION_LIST(struct sample_conf, drop, "drop", struct drop_conf, &sample_drop, OPT_RELOAD,
                "Rules that drop items."),
    OPTION_STRING(struct sample_conf, password, "password", "", OPT_SECRET,
                  "The database's password."),
    OPTION_END,
};
static const struct option_group sample_options = {"tenant", "A tenant.", sample_rows};

#endif
