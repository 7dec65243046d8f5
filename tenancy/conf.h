/* Every option of tenantry.conf and of a tenant's file, as structs; the rows (names, bounds,
 * defaults, docs) are in conf.c. Strings live in the arena of the snapshot that read them. */
#ifndef TENANCY_CONF_H
#define TENANCY_CONF_H

#include "base/option.h"
#include "otlp/signal.h"

/* One ingest listener. */
struct listen_conf {
    const char *address;           /* "0.0.0.0:4317", "[::]:4318" */
    bool insecure;                 /* plaintext; after conf_finish the opposite of `tls` */
    bool tls;                      /* written as false: plaintext on loopback alone */
    bool proxy_protocol;           /* balancers name the client by it */
    struct option_strings trusted; /* those balancers: addresses and ranges */
};

/* A place in a request where the key may stand: "x-api-key", "authorization: Bearer". */
struct key_carrier {
    struct slice header; /* lower case */
    struct slice scheme; /* what comes before the key in the value; empty = the value is the key */
};

/* A certificate beside the default one. */
struct certificate_conf {
    const char *certificate; /* PEM chain; relative to the config file */
    const char *private_key; /* PEM */
};

/* What pages of browsers may do. */
struct cors_conf {
    struct option_strings origins; /* none = off */
    struct option_strings headers; /* none = any */
    uint64_t max_age;              /* ns a browser may remember a preflight */
};

enum client_certificates {
    CLIENT_CERTIFICATES_OFF,
    CLIENT_CERTIFICATES_OPTIONAL,
    CLIENT_CERTIFICATES_REQUIRED
};

struct router_conf {
    struct option_list
        listen;       /* of struct listen_conf; default 0.0.0.0:4317 and 0.0.0.0:4318 with TLS */
    uint64_t threads; /* event loops; 0 = one per core */
    const char *certificate;           /* PEM chain; relative to the config file */
    const char *private_key;           /* PEM */
    const char *admin;                 /* admin listener address; "" = off */
    struct option_strings key_headers; /* who carries the key, as written */
    struct option_list key_carriers;   /* the same as struct key_carrier: conf_finish fills it */
    uint64_t guess_rate;       /* failed keys per second of an address that are answered at once */
    uint64_t guess_delay;      /* ns that others wait at most */
    uint64_t key_usage;        /* ns between writes of what keys were used for; 0 = none */
    uint64_t max_body;         /* bytes as received */
    uint64_t max_decompressed; /* bytes after decompression */
    uint64_t max_buffered;     /* bytes of all request bodies held at once */
    uint64_t max_connections;  /* in all */
    uint64_t max_streams;      /* per HTTP/2 connection */
    uint64_t max_header_bytes; /* decoded, per request */
    uint64_t handshake_timeout, header_timeout, body_timeout, idle_timeout; /* ns */
    uint64_t answer_timeout; /* ns: until we answer = message.timeout.ms of the producers */
    uint64_t drain_timeout;  /* ns: SIGTERM to exit */
    uint64_t drain_delay;    /* ns: readiness off before listeners close */
    uint64_t replicas;       /* routers that share the tenants' limits */

    uint64_t max_connections_per_address, new_connections_per_address; /* 0 = unlimited */
    uint64_t max_handshakes, max_handshakes_per_address;               /* at once */

    uint64_t metrics_keep;                                 /* ns: series of a removed tenant */
    uint64_t max_connection_age, max_connection_age_grace; /* ns; age 0 = unlimited */
    uint64_t http2_control_frames, http2_abandoned_requests, http2_ignored_bytes; /* per second */
    uint64_t keepalive_interval, keepalive_timeout; /* ns; interval 0 = off */

    struct cors_conf cors;

    int client_certificates; /* enum client_certificates */
    const char *client_ca;   /* PEM file; "" = none */

    struct option_list certificates; /* of struct certificate_conf: for other names */
    uint64_t session_lifetime;       /* ns a TLS session may be resumed; 0 = not at all */
    const char *ticket_secrets;      /* file; "" = keys of this process alone */
};

enum kafka_compression {
    COMPRESSION_NONE,
    COMPRESSION_LZ4,
    COMPRESSION_ZSTD,
    COMPRESSION_SNAPPY,
    COMPRESSION_GZIP
};
/* As librdkafka's compression.codec writes it. */
const char *kafka_compression_name(int compression);

/* As whom a client logs in to the brokers: see tenancy/kafka_login.h. "" = not set. */
struct kafka_login {
    const char *user, *password_file;      /* SASL */
    const char *certificate, *private_key; /* TLS client certificate: PEM files */
    const char *key_password_file;
    const char *principal; /* how the brokers call it in ACLs, "User:acme" */
    const char *option; /* the group that it was read from, "kafka.router"; conf_finish fills it */
};

struct kafka_conf {
    const char *brokers; /* "" = `up` runs its own */
    const char *home; /* folder with libs/ (the jars) for the own broker; "" = the download cache */
    uint64_t port;    /* of the own broker; 0 = a free one, kept in the state folder */
    const char *prefix;         /* topics <prefix>.<tenant>.<signal> */
    uint64_t replication;       /* 0 = 3, or 1 with a warning on a cluster of one broker */
    uint64_t max_replicas;      /* of all topics on one broker, above which `plan` warns */
    int compression;            /* enum kafka_compression */
    uint64_t compression_level; /* 0 = the codec's own */
    uint64_t producers;         /* handles of the fast pool */
    uint64_t linger;            /* ns */
    uint64_t queue_bytes;       /* of each producer handle */
    struct option_map client;   /* librdkafka settings for every client */
    struct option_map producer; /* librdkafka settings of producers */
    struct option_map consumer; /* librdkafka settings of consumers */
    struct kafka_login login;   /* of every client that has none of its own */
    struct kafka_login router;  /* of the router */
    struct kafka_login admin;   /* of supervisor and commands */
};

struct record_conf {
    uint64_t max_items;    /* items one record may hold */
    uint64_t max_expanded; /* bytes its rows may become */
    uint64_t max_bytes;    /* of a record's value; the topic's max.message.bytes is this + room */
    uint64_t max_parts;    /* records one request may become */
};

/* A record that is alone in its batch may take so many eighths of consumer.memory. */
#define CONF_ALONE_EIGHTHS 5

struct consumer_conf {
    uint64_t memory; /* bytes: fetch queues + batches of one worker */
    uint64_t batch_rows, batch_bytes;
    uint64_t batch_age;       /* ns a row waits at most before its batch is closed */
    uint64_t status_interval; /* ns between writes of the worker's status file */
};

struct supervisor_conf {
    uint64_t backoff_max;     /* ns between restarts of a failing worker */
    uint64_t stop_timeout;    /* ns a worker gets to finish after SIGTERM before SIGKILL */
    uint64_t scan_interval;   /* ns between looks at tenants.d */
    uint64_t lag_interval;    /* ns between looks at how far all tenants are behind */
    uint64_t ledger_interval; /* ns between checks of a tenant's books */
    const char
        *admin; /* admin listener of `supervise`; "" = off (in `up` the router's shows all) */
};

struct log_conf {
    int level;  /* enum log_level */
    int format; /* enum log_format */
};

struct conf {
    const char *state;   /* folder for what we write: run/, kafka/, own broker's id */
    const char *tenants; /* folder of tenant files */
    const char *keys;    /* folder of key files */
    struct log_conf log;
    struct router_conf router;
    struct kafka_conf kafka;
    struct record_conf record;
    struct consumer_conf consumer;
    struct supervisor_conf supervisor;
};
extern const struct option_group conf_options;

/* Limits for one signal, or for all together. 0 = unlimited. */
struct rate_conf {
    uint64_t rate;     /* bytes/s after decompression */
    uint64_t burst;    /* bytes; 0 = 2 s of the rate, at least conf_least_burst */
    uint64_t items;    /* items/s; burst 2 s */
    uint64_t requests; /* requests/s; burst 2 s */
    uint64_t daily;    /* bytes from 00:00 to 24:00 UTC */
};
struct limits_conf {
    struct rate_conf all;
    struct rate_conf signal[SIGNAL_COUNT]; /* groups traces, metrics, logs */
    uint64_t in_flight;                    /* bytes outstanding towards Kafka */
    uint64_t wait; /* ns a request may wait for its bucket before it is refused */
    bool dry_run;  /* count what rates and quota would refuse, refuse nothing */
};

/* When topics get more partitions by themselves. */
struct grow_conf {
    uint64_t most;  /* partitions; 0 = never */
    uint64_t rate;  /* bytes/s of one partition; 0 = not by rate */
    uint64_t lag;   /* ns; 0 = not by lag */
    uint64_t after; /* ns it must hold on */
    uint64_t pause; /* ns between two raises of a topic */
};
enum partition_by { PARTITION_BY_NONE, PARTITION_BY_TRACE_ID };
struct topics_conf {
    uint64_t partitions;
    uint64_t retention; /* ns */
    uint64_t dlq_retention;
    uint64_t dlq_max_bytes; /* of a dead letter; 0 = by record.max_bytes */
    uint64_t replication;   /* 0 = kafka.replication */
    uint64_t min_insync;    /* 0 = by the copies */
    struct grow_conf grow;
    int partition_by; /* enum partition_by */
};

enum database_kind { DATABASE_SQLITE, DATABASE_POSTGRES };
enum database_tls { DATABASE_TLS_VERIFY, DATABASE_TLS_REQUIRE, DATABASE_TLS_DISABLE };
struct database_conf {
    int kind;
    const char *path; /* sqlite: file; relative to the state folder */
    uint64_t busy_timeout;
    /* postgres; "" = not given */
    const char *url, *name, *user, *password_file, *schema;
    int tls;
    const char *ca_file, *cert_file, *key_file;
    uint64_t timeout, ttl; /* ns; ttl 0 = for ever */
    const char *target; /* which database it is, for people and to tell two apart; made of these */
};

struct retry_conf {
    uint64_t attempts;    /* of a record refused for its data, before it is dead-lettered */
    uint64_t max_dead;    /* recent dead letters of a partition beyond which it stops */
    uint64_t backoff_max; /* ns */
};

/* The tenant's workers; tenantry.conf has what holds for each (struct consumer_conf). */
struct tenant_consumer_conf {
    uint64_t processes; /* that `supervise` and `up` run */
};

struct tenant_conf {
    const char *id;
    const char *label;
    struct option_strings client_names; /* of client certificates, "URI:...", "CN:..." */
    struct limits_conf limits;
    struct topics_conf topics;
    struct kafka_login kafka; /* of the tenant's worker */
    struct database_conf database;
    struct retry_conf retry;
    struct tenant_consumer_conf consumer;
};
/* The file holds one group `tenant`. */
struct tenant_file {
    struct tenant_conf tenant;
};
extern const struct option_group tenant_options;

/* What a row alone cannot say, after reading `file`: fills the default listeners, resolves relative
 * paths, checks addresses, the topic prefix and what must fit into what. `where` (may be NULL)
 * gives the lines of sentences; new strings go to `a`. Returns 0 or -EINVAL. */
int conf_finish(struct conf *c, const char *file, const struct option_origins *where,
                struct arena *a, struct errbuf *err);
/* The same for a tenant: `id` is what the file's name says, `state` the state folder. */
int tenant_conf_finish(struct tenant_conf *t, const char *file, const char *id, const char *state,
                       const struct option_origins *where, struct arena *a, struct errbuf *err);
/* What a tenant's file must keep to because of `c`: a burst is at least conf_least_burst. Returns 0
 * or -EINVAL. */
int tenant_conf_fits(const struct tenant_conf *t, const struct conf *c, const char *file,
                     const struct option_origins *where, struct errbuf *err);
/* `path` relative to `folder` unless it is absolute; NULL when the arena is spent. */
const char *conf_path(const char *folder, const char *path, struct arena *a);
/* The folder part of a file's path: "." when there is none. */
const char *conf_folder(const char *file, struct arena *a);

#endif
