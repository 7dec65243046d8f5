/* The rows of every option; checks that a row alone cannot make are in conf_check.c. */
#include "tenancy/conf.h"

#include "base/log.h"

static const struct option_choice log_levels[] = {
    {"error", LOG_ERROR}, {"warn", LOG_WARN}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}, {0}};
static const struct option_choice log_formats[] = {{"logfmt", LOG_LOGFMT}, {"json", LOG_JSON}, {0}};
static const struct option_choice compressions[] = {
    {"none", COMPRESSION_NONE},     {"lz4", COMPRESSION_LZ4},   {"zstd", COMPRESSION_ZSTD},
    {"snappy", COMPRESSION_SNAPPY}, {"gzip", COMPRESSION_GZIP}, {0}};
static const struct option_choice partitions_by[] = {
    {"none", PARTITION_BY_NONE}, {"trace_id", PARTITION_BY_TRACE_ID}, {0}};
static const struct option_choice database_kinds[] = {
    {"sqlite", DATABASE_SQLITE}, {"postgres", DATABASE_POSTGRES}, {0}};
static const struct option_choice database_tls[] = {{"verify", DATABASE_TLS_VERIFY},
                                                    {"require", DATABASE_TLS_REQUIRE},
                                                    {"disable", DATABASE_TLS_DISABLE},
                                                    {0}};

static const struct option log_rows[] = {
    OPTION_ENUM(struct log_conf, level, "level", "info", log_levels, OPT_RELOAD,
                "The least important event that is written."),
    OPTION_ENUM(struct log_conf, format, "format", "logfmt", log_formats, OPT_RELOAD,
                "One line per event as logfmt (for people) or json (for log stores)."),
    OPTION_END,
};
static const struct option_group log_options = {"log", "What is written to standard error.",
                                                log_rows};

static const struct option listen_rows[] = {
    OPTION_STRING(struct listen_conf, address, "address", NULL, OPT_REQUIRED,
                  "Address and port, e.g. \"0.0.0.0:4317\" or \"[::]:4318\"."),
    OPTION_BOOL(struct listen_conf, tls, "tls", "true", 0,
                "Serve TLS with router.certificate. Without TLS a listener stays on loopback."),
    OPTION_BOOL(struct listen_conf, insecure, "insecure", "false", 0,
                "Serve plaintext, off loopback too: keys and telemetry then cross the network "
                "readable by anyone on it."),
    OPTION_BOOL(struct listen_conf, proxy_protocol, "proxy_protocol", "false", 0,
                "Connections from the addresses in trusted begin with a PROXY header (version 1 or "
                "2) that names the client. Others are clients themselves."),
    OPTION_STRINGS(struct listen_conf, trusted, "trusted", "", 0,
                   "Addresses of the balancers in front, e.g. [ \"10.0.0.0/8\", \"2001:db8::1\" ]; "
                   "with proxy_protocol."),
    OPTION_END,
};
static const struct option_group listen_options = {
    "listen", "One ingest listener; each serves OTLP/gRPC and OTLP/HTTP.", listen_rows};

static const struct option_choice client_certificates[] = {
    {"off", CLIENT_CERTIFICATES_OFF},
    {"optional", CLIENT_CERTIFICATES_OPTIONAL},
    {"required", CLIENT_CERTIFICATES_REQUIRED},
    {0}};

static const struct option cors_rows[] = {
    OPTION_STRINGS(struct cors_conf, origins, "origins", "", OPT_RELOAD,
                   "Origins whose pages may send, e.g. [ \"https://app.example\", "
                   "\"https://*.example\" ], or \"*\". Empty = browsers are not served."),
    OPTION_STRINGS(struct cors_conf, headers, "headers", "", OPT_RELOAD,
                   "Request headers that pages may send. Empty = any."),
    OPTION_DURATION(struct cors_conf, max_age, "max_age", "10m", "0s", "1d", OPT_RELOAD,
                    "How long a browser may remember what it was allowed."),
    OPTION_END,
};
static const struct option_group cors_options = {
    "cors", "Browsers: pages of other origins may send OTLP/HTTP.", cors_rows};

static const struct option certificate_rows[] = {
    OPTION_STRING(struct certificate_conf, certificate, "certificate", NULL, OPT_REQUIRED,
                  "PEM file with a certificate chain, leaf first; relative to this file's folder."),
    OPTION_STRING(struct certificate_conf, private_key, "private_key", NULL, OPT_REQUIRED,
                  "PEM file with its private key; relative to this file's folder."),
    OPTION_END,
};
static const struct option_group certificate_options = {
    "certificates", "A certificate for the names that stand in it.", certificate_rows};

static const struct option router_rows[] = {
    OPTION_LIST(
        struct router_conf, listen, "listen", struct listen_conf, &listen_options, 0,
        "Ingest listeners. When the list is empty: 0.0.0.0:4317 and 0.0.0.0:4318 with TLS."),
    OPTION_UINT(struct router_conf, threads, "threads", "0", "0", "256", 0,
                "Event loops. 0 = one per core."),
    OPTION_STRING(struct router_conf, certificate, "certificate", "certs/server.pem", OPT_RELOAD,
                  "PEM file with the server's certificate chain, leaf first; relative to this "
                  "file's folder. `tenantry certs dev` makes one to try out."),
    OPTION_STRING(struct router_conf, private_key, "private_key", "certs/server.key", OPT_RELOAD,
                  "PEM file with the certificate's private key; relative to this file's folder."),
    OPTION_LIST(
        struct router_conf, certificates, "certificates", struct certificate_conf,
        &certificate_options, OPT_RELOAD,
        "Certificates for other names than those of router.certificate, which is for "
        "clients that ask for no name or an unknown one. Several for one name may differ in "
        "their kind of key."),
    OPTION_GROUP(struct router_conf, cors, &cors_options, 0),
    OPTION_ENUM(
        struct router_conf, client_certificates, "client_certificates", "off", client_certificates,
        OPT_RELOAD,
        "Whether TLS clients show a certificate besides their key (mutual TLS). One that is "
        "shown has to be of client_ca and to name the key's tenant."),
    OPTION_STRING(
        struct router_conf, client_ca, "client_ca", "", OPT_RELOAD,
        "PEM file with the CAs of clients, and CRLs if there are; relative to this file's "
        "folder."),
    OPTION_DURATION(struct router_conf, session_lifetime, "session_lifetime", "12h", "0s", "7d",
                    OPT_RELOAD,
                    "How long a client may resume its TLS session by a ticket; the tickets' keys "
                    "are replaced as often. 0s = no tickets."),
    OPTION_STRING(struct router_conf, ticket_secrets, "ticket_secrets", "", OPT_RELOAD,
                  "File with secrets that the keys of tickets come from, one a line, 64 hex digits "
                  "each, the first for new tickets; the same on all routers behind one address. "
                  "\"\" = each router has keys of its own."),
    OPTION_STRING(
        struct router_conf, admin, "admin", "127.0.0.1:9464", 0,
        "Address of the admin listener (/metrics, /healthz, /readyz, /api/status). \"\" = "
        "off. It has no authentication of its own: keep it off public networks."),
    OPTION_STRINGS(
        struct router_conf, key_headers, "key_headers",
        "authorization: Bearer, authorization: Basic, x-api-key, signoz-ingestion-key", OPT_RELOAD,
        "Request headers that may carry the key, \"name\" or \"name: scheme\"; a request with two "
        "different keys is refused. With the scheme Basic the key is the password or the user."),
    OPTION_RATE(struct router_conf, guess_rate, "guess_rate", "100/s", NULL, "1000000/s",
                OPT_RELOAD,
                "Requests without a good key that one address (of IPv6 a /64) is answered at once, "
                "two seconds of them in a burst; further ones wait. Requests with a good key never "
                "do. 0 = no limit."),
    OPTION_DURATION(struct router_conf, guess_delay, "guess_delay", "1s", "0s", "10s", OPT_RELOAD,
                    "Longest time that the answer to such a request waits."),
    OPTION_DURATION(struct router_conf, key_usage, "key_usage", "10s", "0s", "1d", 0,
                    "How often the use of keys is written to the state folder, for `tenantry key "
                    "list`; a crash loses the counts of one such time. 0s = never."),
    OPTION_SIZE(struct router_conf, max_body, "max_body", "64MiB", "1KiB", "2GiB", OPT_RELOAD,
                "Largest request body as received."),
    OPTION_SIZE(struct router_conf, max_decompressed, "max_decompressed", "64MiB", "1KiB", "2GiB",
                OPT_RELOAD, "Largest request body after decompression."),
    OPTION_SIZE(struct router_conf, max_buffered, "max_buffered", "1GiB", "1MiB", OPT_MAX,
                OPT_RELOAD,
                "Bytes of all request bodies held at once; beyond, senders are told to come back."),
    OPTION_UINT(struct router_conf, max_connections, "max_connections", "10000", "1", "1000000",
                OPT_RELOAD, "Connections in all; further ones are closed at once."),
    OPTION_UINT(struct router_conf, max_connections_per_address, "max_connections_per_address",
                "5000", "0", "1000000", OPT_RELOAD,
                "Connections of one client address (IPv6: one /64) at once; further ones are "
                "closed. 0 = unlimited. Behind a balancer, see listen.proxy_protocol: without it "
                "all clients have the balancer's address."),
    OPTION_RATE(struct router_conf, new_connections_per_address, "new_connections_per_address",
                "1k/s", NULL, "1M/s", OPT_RELOAD,
                "New connections per second of one client address, two seconds of them at once. 0 "
                "= unlimited."),
    OPTION_UINT(struct router_conf, max_handshakes, "max_handshakes", "3000", "1", "1000000",
                OPT_RELOAD,
                "TLS handshakes under way at once; further connections are closed until some are "
                "done."),
    OPTION_UINT(struct router_conf, max_handshakes_per_address, "max_handshakes_per_address",
                "1500", "0", "1000000", OPT_RELOAD,
                "Of them, those of one client address. 0 = unlimited."),
    OPTION_UINT(struct router_conf, max_streams, "max_streams", "100", "1", "10000", 0,
                "Requests at once on one HTTP/2 connection."),
    OPTION_SIZE(struct router_conf, max_header_bytes, "max_header_bytes", "16KiB", "1KiB", "1MiB",
                0, "Header bytes of one request, decoded."),
    OPTION_DURATION(struct router_conf, handshake_timeout, "handshake_timeout", "10s", "100ms",
                    "5m", 0, "Longest TLS handshake."),
    OPTION_DURATION(struct router_conf, header_timeout, "header_timeout", "10s", "100ms", "5m", 0,
                    "Longest time from the first byte of a request to the end of its headers."),
    OPTION_DURATION(struct router_conf, body_timeout, "body_timeout", "15s", "100ms", "10m", 0,
                    "Longest time from the end of a request's headers to the end of its body."),
    OPTION_DURATION(struct router_conf, idle_timeout, "idle_timeout", "5m", "1s", "1d", 0,
                    "A connection without a request is closed after this time."),
    OPTION_RATE(struct router_conf, http2_control_frames, "http2_control_frames", "100/s", "10/s",
                "1M/s", OPT_RELOAD,
                "Frames per second of one HTTP/2 connection that carry nothing (PING, SETTINGS, "
                "RST_STREAM, empty DATA and the like), ten seconds of them at once; each request "
                "makes up for four. Further ones end the connection."),
    OPTION_RATE(
        struct router_conf, http2_abandoned_requests, "http2_abandoned_requests", "50/s", "5/s",
        "1M/s", OPT_RELOAD,
        "Requests per second of one HTTP/2 connection that are given up before their answer, "
        "20 seconds of them at once."),
    OPTION_RATE(struct router_conf, http2_ignored_bytes, "http2_ignored_bytes", "4MiB/s", "64KiB/s",
                "1GiB/s", OPT_RELOAD | OPT_BYTES,
                "Bytes per second of one HTTP/2 connection that lead to nothing (unknown frames, "
                "streams that are closed), 16 seconds of them at once; each request makes up for "
                "1 MiB."),
    OPTION_DURATION(struct router_conf, max_connection_age, "max_connection_age", "0s", "0s",
                    "365d", OPT_RELOAD,
                    "Age at which a connection takes no further requests (GOAWAY, Connection: "
                    "close), give or take a tenth, so that clients spread over new routers. 0s = "
                    "never."),
    OPTION_DURATION(struct router_conf, metrics_keep, "metrics_keep", "15m", "1s", "7d", OPT_RELOAD,
                    "How long the metrics of a tenant that was removed are still shown; they begin "
                    "at 0 if it comes back later."),
    OPTION_DURATION(struct router_conf, max_connection_age_grace, "max_connection_age_grace", "30s",
                    "1ms", "1d", OPT_RELOAD,
                    "What such a connection has left to finish its requests before it is closed."),
    OPTION_DURATION(struct router_conf, keepalive_interval, "keepalive_interval", "1m", "0s", "1d",
                    OPT_RELOAD,
                    "An HTTP/2 client that was silent for so long is asked by PING whether it is "
                    "still there. 0s = not."),
    OPTION_DURATION(struct router_conf, keepalive_timeout, "keepalive_timeout", "20s", "1ms", "1h",
                    OPT_RELOAD, "A client that says nothing to that for so long is gone."),
    OPTION_DURATION(struct router_conf, answer_timeout, "answer_timeout", "4500ms", "100ms", "5m",
                    0,
                    "Longest time until a request is answered, when the sender told no deadline "
                    "of its own. Records that Kafka did not confirm by then are given up."),
    OPTION_DURATION(struct router_conf, drain_timeout, "drain_timeout", "20s", "0s", "1h",
                    OPT_RELOAD, "Longest time from SIGTERM to exit."),
    OPTION_DURATION(struct router_conf, drain_delay, "drain_delay", "0s", "0s", "10m", OPT_RELOAD,
                    "How long /readyz says no before the listeners close, so that balancers "
                    "notice first."),
    OPTION_UINT(struct router_conf, replicas, "replicas", "1", "1", "1000", OPT_RELOAD,
                "Routers behind the balancer. Each lets this part of every rate and burst through, "
                "though a burst never less than the largest request that is one record."),
    OPTION_END,
};
static const struct option_group router_options = {"router", "The front end.", router_rows};

/* `s` and `f`: where the struct kafka_login is; `f` ends with a dot, or is empty. */
#define LOGIN_ROWS(s, f)                                                                           \
    OPTION_STRING(s, f user, "user", "", 0,                                                        \
                  "User name for SASL. Protocol and mechanism stand in kafka.client."),            \
        OPTION_STRING(s, f password_file, "password_file", "", 0,                                  \
                      "File that holds the user's password and nothing else, relative to the "     \
                      "file that names it. A changed password is used without a restart."),        \
        OPTION_STRING(s, f certificate, "certificate", "", 0,                                      \
                      "PEM file of a client certificate for the brokers, relative to the file "    \
                      "that names it."),                                                           \
        OPTION_STRING(s, f private_key, "private_key", "", 0,                                      \
                      "PEM file of the certificate's key."),                                       \
        OPTION_STRING(s, f key_password_file, "key_password_file", "", 0,                          \
                      "File that holds the password of the key. \"\" = it has none."),             \
        OPTION_STRING(s, f principal, "principal", "", 0,                                          \
                      "How ACLs call it. \"\" = \"User:\" and the user, or the subject of the "    \
                      "certificate.")

static const struct option login_rows[] = {LOGIN_ROWS(struct kafka_login, ), OPTION_END};
static const struct option_group router_login_options = {
    "router", "As whom the router logs in to the brokers. Nothing set = as kafka.user.",
    login_rows};
static const struct option_group admin_login_options = {
    "admin",
    "As whom the supervisor and commands that look at Kafka log in. Nothing set = as kafka.user.",
    login_rows};
static const struct option_group tenant_login_options = {
    "kafka",
    "As whom the tenant's worker logs in to the brokers, which can then refuse it the topics of "
    "others. Nothing set = as kafka.user of tenantry.conf.",
    login_rows};

static const struct option kafka_rows[] = {
    OPTION_STRING(struct kafka_conf, brokers, "brokers", "", 0,
                  "Bootstrap brokers, \"host:port,host:port\". \"\" = `tenantry up` runs a "
                  "single-node Kafka of its own."),
    OPTION_STRING(struct kafka_conf, home, "home", "", 0,
                  "Folder with the Kafka distribution (libs/*.jar) for the own broker. \"\" = the "
                  "download cache of tools/quickstart."),
    OPTION_UINT(struct kafka_conf, port, "port", "0", "0", "65535", 0,
                "Port of the own broker on 127.0.0.1. 0 = a free one, kept in the state folder."),
    OPTION_STRING(struct kafka_conf, prefix, "prefix", "otlp", 0,
                  "Topics are named <prefix>.<tenant>.<signal>."),
    OPTION_UINT(struct kafka_conf, replication, "replication", "0", "0", "15", OPT_RELOAD,
                "Replicas of topics that are made. 0 = 3, fewer with a warning on a cluster of "
                "fewer brokers. A tenant may have its own (topics.replication)."),
    OPTION_UINT(struct kafka_conf, max_replicas, "max_replicas", "4000", "1", "10000000",
                OPT_RELOAD,
                "Replicas of partitions, of everybody's topics, that one broker should hold at "
                "most: `tenantry plan` warns above."),
    OPTION_ENUM(struct kafka_conf, compression, "compression", "lz4", compressions, 0,
                "How producers compress batches. What that saves and costs is measured in "
                "docs/performance.md."),
    OPTION_UINT(struct kafka_conf, compression_level, "compression_level", "0", "0", "12", 0,
                "How hard they try: gzip takes 1 to 9, lz4 and zstd 1 to 12; snappy has no levels. "
                "0 = as the codec does by itself (zstd: 3)."),
    OPTION_UINT(struct kafka_conf, producers, "producers", "2", "1", "64", 0,
                "Producer handles. Each compresses on a thread of its own; a tenant always uses "
                "the same one."),
    OPTION_DURATION(struct kafka_conf, linger, "linger", "5ms", "0ms", "1s", 0,
                    "How long a producer waits for more records to fill a batch."),
    OPTION_SIZE(struct kafka_conf, queue_bytes, "queue_bytes", "256MiB", "1MiB", "2047MiB", 0,
                "Bytes that may wait in one producer handle."),
    OPTION_MAP(struct kafka_conf, client, "client", 0,
               "librdkafka settings for every client, e.g. [ \"security.protocol=sasl_ssl\" ] or "
               "{ security_protocol = \"sasl_ssl\"; }."),
    OPTION_MAP(struct kafka_conf, producer, "producer", 0, "librdkafka settings for producers."),
    OPTION_MAP(struct kafka_conf, consumer, "consumer", 0, "librdkafka settings for consumers."),
    LOGIN_ROWS(struct kafka_conf, login.),
    OPTION_GROUP(struct kafka_conf, router, &router_login_options, 0),
    OPTION_GROUP(struct kafka_conf, admin, &admin_login_options, 0),
    OPTION_END,
};
static const struct option_group kafka_options = {"kafka", "The message bus.", kafka_rows};

static const struct option record_rows[] = {
    OPTION_UINT(struct record_conf, max_items, "max_items", "100000", "1", "10000000", OPT_RELOAD,
                "Most items (spans, data points, log records) of one record."),
    OPTION_SIZE(struct record_conf, max_expanded, "max_expanded", "64MB", "64KiB", "4GiB",
                OPT_RELOAD,
                "Most bytes one record may become as rows: each row repeats its resource and "
                "scope."),
    OPTION_SIZE(struct record_conf, max_bytes, "max_bytes", "10MB", "64KiB", "512MiB", OPT_RELOAD,
                "Most bytes of one record. Topics are made with room for this."),
    OPTION_UINT(struct record_conf, max_parts, "max_parts", "64", "1", "10000", OPT_RELOAD,
                "Most records one request may become, which bounds the rows it may become. They "
                "take at most twice router.max_decompressed and kafka.queue_bytes together."),
    OPTION_END,
};
static const struct option_group record_options = {
    "record", "What one Kafka record may hold; a request above that becomes several.", record_rows};

static const struct option consumer_rows[] = {
    OPTION_SIZE(struct consumer_conf, memory, "memory", "320MiB", "64MiB", "64GiB", 0,
                "Memory of one worker: fetch queues and batches together. One record of "
                "record.max_items and record.max_bytes must fit as rows."),
    OPTION_UINT(struct consumer_conf, batch_rows, "batch_rows", "20000", "1", "10000000", 0,
                "Rows that close a batch."),
    OPTION_SIZE(struct consumer_conf, batch_bytes, "batch_bytes", "16MiB", "64KiB", "1GiB", 0,
                "Bytes of rows that close a batch."),
    OPTION_DURATION(struct consumer_conf, batch_age, "batch_age", "1s", "1ms", "5m", 0,
                    "Longest time a row waits for its batch to close."),
    OPTION_DURATION(struct consumer_conf, status_interval, "status_interval", "1s", "100ms", "1m",
                    0, "Time between two writes of a worker's status file."),
    OPTION_END,
};
static const struct option_group consumer_options = {"consumer", "The worker of a tenant.",
                                                     consumer_rows};

static const struct option supervisor_rows[] = {
    OPTION_DURATION(struct supervisor_conf, backoff_max, "backoff_max", "30s", "100ms", "1h",
                    OPT_RELOAD, "Longest pause before a failing worker is started again."),
    OPTION_DURATION(struct supervisor_conf, stop_timeout, "stop_timeout", "20s", "100ms", "1h",
                    OPT_RELOAD,
                    "How long a worker may finish its work after SIGTERM before it is killed."),
    OPTION_DURATION(struct supervisor_conf, scan_interval, "scan_interval", "500ms", "50ms", "1m",
                    OPT_RELOAD, "Time between two looks for changed config, tenants and keys."),
    OPTION_DURATION(struct supervisor_conf, lag_interval, "lag_interval", "15s", "100ms", "30s", 0,
                    "Time between two looks at how far all tenants are behind, and at the cluster, "
                    "for the metrics."),
    OPTION_DURATION(struct supervisor_conf, ledger_interval, "ledger_interval", "1h", "1s", "7d", 0,
                    "Time between two checks of a tenant's books, for the metrics; `tenantry "
                    "ledger` checks at once."),
    OPTION_STRING(struct supervisor_conf, admin, "admin", "", 0,
                  "Address of the admin listener of `tenantry supervise`. \"\" = off; in "
                  "`tenantry up` the router's shows everything."),
    OPTION_END,
};
static const struct option_group supervisor_options = {
    "supervisor", "Starts and watches one worker per tenant.", supervisor_rows};

static const struct option conf_rows[] = {
    OPTION_STRING(struct conf, state, "state", "state", 0,
                  "Folder for what Tenantry writes; relative to this file's folder."),
    OPTION_STRING(struct conf, tenants, "tenants", "tenants.d", 0,
                  "Folder of tenant files, <id>.conf; relative to this file's folder."),
    OPTION_STRING(struct conf, keys, "keys", "keys.d", 0,
                  "Folder of key files, written by `tenantry key`; relative to this file's "
                  "folder."),
    OPTION_GROUP(struct conf, log, &log_options, 0),
    OPTION_GROUP(struct conf, router, &router_options, 0),
    OPTION_GROUP(struct conf, kafka, &kafka_options, 0),
    OPTION_GROUP(struct conf, record, &record_options, 0),
    OPTION_GROUP(struct conf, consumer, &consumer_options, 0),
    OPTION_GROUP(struct conf, supervisor, &supervisor_options, 0),
    OPTION_END,
};
const struct option_group conf_options = {"tenantry.conf", "The file of the whole installation.",
                                          conf_rows};

/* The four rows of a rate_conf that lies at `at` of struct s, for all signals or for one. */
#define RATE_ROWS(s, at)                                                                           \
    OPTION_RATE(s, at rate, "rate", "0", NULL, OPT_MAX, OPT_RELOAD | OPT_BYTES,                    \
                "Bytes per second after decompression. 0 = unlimited."),                           \
        OPTION_SIZE(s, at burst, "burst", "0", NULL, OPT_MAX, OPT_RELOAD,                          \
                    "Bytes that may come at once: at least the largest request that is one "       \
                    "record, the smaller of record.max_bytes and router.max_decompressed. A "      \
                    "larger one passes a full bucket and is owed for. 0 = two seconds of the "     \
                    "rate, or that least if it is more."),                                         \
        OPTION_RATE(s, at items, "items", "0", NULL, OPT_MAX, OPT_RELOAD,                          \
                    "Spans, data points and log records per second, two seconds of them at "       \
                    "once. 0 = unlimited."),                                                       \
        OPTION_RATE(s, at requests, "requests", "0", NULL, OPT_MAX, OPT_RELOAD,                    \
                    "Requests per second, two seconds of them at once. 0 = unlimited."),           \
        OPTION_SIZE(s, at daily, "daily", "0", NULL, "281TB", OPT_RELOAD,                          \
                    "Bytes after decompression from 00:00 to 24:00 UTC; then the rest of the day " \
                    "is refused. 0 = unlimited.")

static const struct option rate_rows[] = {RATE_ROWS(struct rate_conf, ), OPTION_END};
static const struct option_group signal_limit_options[SIGNAL_COUNT] = {
#define ROW(id, name, ...)                                                                         \
    [SIGNAL_##id] = {name, "Limits for " name " alone, besides those for all signals.", rate_rows},
    SIGNALS(ROW)
#undef ROW
};

static const struct option limits_rows[] = {
    RATE_ROWS(struct limits_conf, all.),
    OPTION_SIZE(struct limits_conf, in_flight, "in_flight", "64MB", "64KiB", OPT_MAX, OPT_RELOAD,
                "Bytes on their way to Kafka at once; beyond, senders are told to come back."),
    OPTION_DURATION(struct limits_conf, wait, "wait", "500ms", "0s", "1m", OPT_RELOAD,
                    "How long a request over a limit may wait before it is refused."),
    OPTION_BOOL(struct limits_conf, dry_run, "dry_run", "false", OPT_RELOAD,
                "Refuse and slow nothing because of rates and quotas, but count what would have "
                "been refused. in_flight, which protects the router, holds all the same."),
#define ROW(id, name, ...)                                                                         \
    {name,                                                                                         \
     OPT_GROUP,                                                                                    \
     offsetof(struct limits_conf, signal[SIGNAL_##id]),                                            \
     NULL,                                                                                         \
     NULL,                                                                                         \
     NULL,                                                                                         \
     0,                                                                                            \
     NULL,                                                                                         \
     NULL,                                                                                         \
     &signal_limit_options[SIGNAL_##id],                                                           \
     0},
    SIGNALS(ROW)
#undef ROW
        OPTION_END,
};
static const struct option_group limits_options = {
    "limits", "What the tenant may send; for all signals together unless a signal is named.",
    limits_rows};

static const struct option grow_rows[] = {
    OPTION_UINT(struct grow_conf, most, "most", "0", "0", "1000", 0,
                "The supervisor raises the partitions of a signal's topic up to so many. 0 = it "
                "raises none."),
    OPTION_RATE(struct grow_conf, rate, "rate", "5MB/s", "0", OPT_MAX, OPT_BYTES,
                "Bytes per second, as they are in Kafka before compression, that one partition "
                "should take: so many partitions as the topic's rate needs. 0 = not by rate."),
    OPTION_DURATION(struct grow_conf, lag, "lag", "0s", "0s", "365d", 0,
                    "When the oldest record that is not written is older, partitions are doubled. "
                    "That helps where several workers share the tenant. 0s = not by lag."),
    OPTION_DURATION(struct grow_conf, after, "after", "1m", "1s", "1d", 0,
                    "How long rate or lag must stay above."),
    OPTION_DURATION(struct grow_conf, pause, "pause", "10m", "1s", "30d", 0,
                    "Shortest time between two raises of a topic."),
    OPTION_END,
};
static const struct option_group grow_options = {
    "grow", "More partitions by themselves, never fewer.", grow_rows};

static const struct option topics_rows[] = {
    OPTION_UINT(struct topics_conf, partitions, "partitions", "2", "1", "1000", 0,
                "Partitions of each of the tenant's topics. Topics are made with it; `tenantry "
                "apply` raises it later. Kafka cannot lower it."),
    OPTION_DURATION(struct topics_conf, retention, "retention", "6h", "1m", "365d", 0,
                    "How long Kafka keeps records: the longest outage of the database that loses "
                    "nothing."),
    OPTION_DURATION(struct topics_conf, dlq_retention, "dlq_retention", "7d", "1m", "3650d", 0,
                    "How long Kafka keeps dead letters."),
    OPTION_SIZE(struct topics_conf, dlq_max_bytes, "dlq_max_bytes", "0", "0", "1GiB", 0,
                "Largest dead letter. 0 = record.max_bytes with 1 MiB of room for the reason; more "
                "is for larger records of foreign producers."),
    OPTION_UINT(struct topics_conf, replication, "replication", "0", "0", "15", 0,
                "Copies that Kafka keeps of each record. 0 = kafka.replication."),
    OPTION_UINT(struct topics_conf, min_insync, "min_insync", "0", "0", "15", 0,
                "Brokers that must have a record before it is acknowledged (min.insync.replicas). "
                "0 = 2 of three or more copies, else 1."),
    OPTION_GROUP(struct topics_conf, grow, &grow_options, 0),
    OPTION_ENUM(struct topics_conf, partition_by, "partition_by", "none", partitions_by, OPT_RELOAD,
                "trace_id: all spans of a trace, and log records with a trace id, go to the same "
                "partition, so that whoever reads it sees whole traces."),
    OPTION_END,
};
static const struct option_group topics_options = {"topics", "The tenant's Kafka topics.",
                                                   topics_rows};

static const struct option database_rows[] = {
    OPTION_ENUM(struct database_conf, kind, "kind", "sqlite", database_kinds, 0,
                "Kind of the tenant's database."),
    OPTION_STRING(struct database_conf, path, "path", "", 0,
                  "SQLite: the database file, relative to the state folder. \"\" = "
                  "databases/<id>.db."),
    OPTION_DURATION(struct database_conf, busy_timeout, "busy_timeout", "5s", "0s", "10m", 0,
                    "SQLite: how long a write waits for another process's lock."),
    OPTION_STRING(struct database_conf, url, "url", "", 0,
                  "PostgreSQL: where it is, \"postgresql://host:port\"; several, by commas, are "
                  "tried until one takes writes."),
    OPTION_STRING(struct database_conf, name, "name", "", 0,
                  "PostgreSQL: name of the database. \"\" = the tenant's id."),
    OPTION_STRING(struct database_conf, user, "user", "", 0,
                  "PostgreSQL: the worker's user. \"\" = the tenant's id."),
    OPTION_STRING(struct database_conf, password_file, "password_file", "", 0,
                  "PostgreSQL: file with the user's password, read at each connection; relative to "
                  "the state folder. \"\" = none."),
    OPTION_STRING(struct database_conf, schema, "schema", "public", 0,
                  "PostgreSQL: schema of the tables; made when it is missing. Each tenant has one "
                  "of its own, or a database."),
    OPTION_ENUM(struct database_conf, tls, "tls", "verify", database_tls, 0,
                "PostgreSQL: \"verify\" the server's certificate and name, \"require\" encryption "
                "of whoever it is, or \"disable\" TLS."),
    OPTION_STRING(struct database_conf, ca_file, "ca_file", "", 0,
                  "PostgreSQL: certificates that may have signed the server's. \"\" = the "
                  "system's."),
    OPTION_STRING(struct database_conf, cert_file, "cert_file", "", 0,
                  "PostgreSQL: client certificate. \"\" = none."),
    OPTION_STRING(struct database_conf, key_file, "key_file", "", 0,
                  "PostgreSQL: key of the client certificate."),
    OPTION_DURATION(struct database_conf, timeout, "timeout", "30s", "1s", "1h", 0,
                    "PostgreSQL: how long the server may be silent in a statement before the "
                    "connection is given up."),
    OPTION_DURATION(struct database_conf, ttl, "ttl", "0s", "0s", "3650d", 0,
                    "PostgreSQL: rows of days that are older are dropped, by whole days. 0s = they "
                    "stay."),
    OPTION_END,
};
static const struct option_group database_options = {"database", "Where the tenant's rows go.",
                                                     database_rows};

static const struct option retry_rows[] = {
    OPTION_UINT(struct retry_conf, attempts, "attempts", "5", "1", "1000", 0,
                "Attempts at a record that is refused for its data, before it becomes a dead "
                "letter. Outages are retried for ever."),
    OPTION_UINT(
        struct retry_conf, max_dead, "max_dead", "100", "0", "1000000000000", 0,
        "Records of a partition that may become dead letters because the database refuses "
        "them or a ceiling is too low: so many of the last 10,000 or more, or 1 % of them if "
        "that is more. Beyond, the partition stops and its data stays in Kafka."),
    OPTION_DURATION(struct retry_conf, backoff_max, "backoff_max", "30s", "10ms", "1h", 0,
                    "Longest pause between two attempts."),
    OPTION_END,
};
static const struct option_group retry_options = {"retry", "What is done after a failed write.",
                                                  retry_rows};

static const struct option tenant_consumer_rows[] = {
    OPTION_UINT(struct tenant_consumer_conf, processes, "processes", "1", "1", "32", OPT_RELOAD,
                "Worker processes that `up` and `supervise` run for the tenant. They share the "
                "partitions of its topics, so more than there are have nothing to do; each may "
                "take consumer.memory. With SQLite they write in turn: it is no faster."),
    OPTION_END,
};
static const struct option_group tenant_consumer_options = {"consumer", "The tenant's workers.",
                                                            tenant_consumer_rows};

static const struct option tenant_rows[] = {
    OPTION_STRING(struct tenant_conf, id, "id", NULL, OPT_REQUIRED,
                  "Name of the tenant in topics, groups and files: 1-63 of a-z, 0-9, '-', '_'. The "
                  "file is named <id>.conf."),
    OPTION_STRING(struct tenant_conf, label, "label", "", OPT_RELOAD, "A name for people."),
    OPTION_STRINGS(struct tenant_conf, client_names, "client_names", "", OPT_RELOAD,
                   "Names in client certificates that speak for the tenant: \"URI:...\", "
                   "\"DNS:...\", \"EMAIL:...\" or \"CN:...\". With any, keys of the tenant work "
                   "with such a certificate alone. \"URI:urn:tenantry:tenant:<id>\" always speaks "
                   "for it."),
    OPTION_GROUP(struct tenant_conf, limits, &limits_options, 0),
    OPTION_GROUP(struct tenant_conf, topics, &topics_options, 0),
    OPTION_GROUP(struct tenant_conf, kafka, &tenant_login_options, 0),
    OPTION_GROUP(struct tenant_conf, database, &database_options, 0),
    OPTION_GROUP(struct tenant_conf, retry, &retry_options, 0),
    OPTION_GROUP(struct tenant_conf, consumer, &tenant_consumer_options, 0),
    OPTION_END,
};
static const struct option_group tenant_group = {"tenant", "One tenant.", tenant_rows};

static const struct option tenant_file_rows[] = {
    OPTION_GROUP(struct tenant_file, tenant, &tenant_group, 0),
    OPTION_END,
};
const struct option_group tenant_options = {"tenants.d/<id>.conf", "The file of one tenant.",
                                            tenant_file_rows};

const char *kafka_compression_name(int compression)
{
    for (const struct option_choice *c = compressions; c->text != NULL; c++)
        if (c->value == compression)
            return c->text;
    return "none";
}
