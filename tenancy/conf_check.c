#include "tenancy/conf_check.h"
#include "tenancy/limits/limits.h"

#include "base/address.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define LONGEST_PREFIX 100 /* with the longest tenant id and signal a topic stays below 249 */

int conf_fail(const struct conf_check *c, const char *option, const char *format, ...)
{
    char sentence[ERRBUF_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    const struct option_origin *o = c->where ? option_origin(c->where, option) : NULL;
    if (o != NULL)
        return errbuf_set(c->err, EINVAL, "%s:%d: %s: %s", c->file, o->line, option, sentence);
    return errbuf_set(c->err, EINVAL, "%s: %s: %s", c->file, option, sentence);
}

const char *conf_folder(const char *file, struct arena *a)
{
    const char *slash = strrchr(file, '/');
    if (slash == NULL)
        return ".";
    return arena_strdup(a, slice_of(file, slash == file ? 1 : (size_t)(slash - file)));
}

const char *conf_path(const char *folder, const char *path, struct arena *a)
{
    if (path[0] == '/' || strcmp(folder, ".") == 0)
        return arena_strdup(a, slice_str(path));
    size_t size = strlen(folder) + strlen(path) + 2;
    char *joined = arena_alloc(a, size);
    if (joined != NULL)
        snprintf(joined, size, "%s%s%s", folder, strcmp(folder, "/") == 0 ? "" : "/", path);
    return joined;
}

/* host:port or [v6]:port, a host there and a port in range. Returns the host. */
static int split_address(const struct conf_check *c, const char *option, const char *address,
                         struct slice *ret_host)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address)
        return conf_fail(c, option, "\"%.100s\" is not an address and port, like \"0.0.0.0:4317\"",
                         address);
    struct slice host = slice_of(address, (size_t)(colon - address));
    bool bracketed = host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']';
    if (bracketed)
        host = slice_of(host.at + 1, host.len - 2);
    else if (memchr(host.at, ':', host.len) != NULL)
        return conf_fail(c, option,
                         "\"%.100s\": an IPv6 address stands in brackets, like \"[::]:4317\"",
                         address);
    size_t digits = strspn(colon + 1, "0123456789");
    if (digits == 0 || digits > 5 || colon[1 + digits] != 0 || atoi(colon + 1) > 65535)
        return conf_fail(c, option, "\"%.100s\": the port is a number up to 65535", address);
    *ret_host = host;
    return 0;
}

static bool is_loopback(struct slice host)
{
    return slice_starts(host, SLICE_LIT("127.")) || slice_eq(host, SLICE_LIT("::1")) ||
           slice_ieq(host, SLICE_LIT("localhost"));
}

static int default_listeners(const struct conf_check *c, struct router_conf *r)
{
    struct listen_conf *listen = arena_calloc(c->a, 2, sizeof(*listen));
    if (listen == NULL)
        return errbuf_set(c->err, ENOMEM, "%s: out of memory", c->file);
    listen[0] = (struct listen_conf){.address = "0.0.0.0:4317", .tls = true};
    listen[1] = (struct listen_conf){.address = "0.0.0.0:4318", .tls = true};
    r->listen = (struct option_list){listen, 2};
    return 0;
}

static int check_trusted(const struct conf_check *c, const char *option,
                         const struct listen_conf *l)
{
    struct errbuf why = ERRBUF_INIT;
    struct address_range range;
    if (l->proxy_protocol && l->trusted.n == 0)
        return conf_fail(
            c, option,
            "with proxy_protocol = true the addresses of the balancers stand in trusted: "
            "nobody else may say who a client is");
    if (!l->proxy_protocol && l->trusted.n > 0)
        return conf_fail(c, option, "trusted is for proxy_protocol = true");
    for (size_t i = 0; i < l->trusted.n; i++)
        if (address_parse_range(l->trusted.at[i], &range, &why) < 0)
            return conf_fail(c, option, "trusted: %s", why.text);
    return 0;
}

static int check_listeners(const struct conf_check *c, struct router_conf *r)
{
    if (r->listen.n == 0)
        return default_listeners(c, r);
    for (size_t i = 0; i < r->listen.n; i++) {
        struct listen_conf *l = (struct listen_conf *)r->listen.at + i;
        struct slice host = SLICE_NULL;
        char option[48];
        snprintf(option, sizeof(option), "router.listen[%zu].address", i);
        int rc = split_address(c, option, l->address, &host);
        if (rc == 0)
            rc = check_trusted(c, option, l);
        if (rc < 0)
            return rc;
        if (!l->tls && !l->insecure && !is_loopback(host))
            return conf_fail(
                c, option,
                "\"%.100s\" is not on loopback, and without TLS keys and telemetry would "
                "cross the network readable by anyone: use TLS, or set insecure = true",
                l->address);
        l->insecure |= !l->tls;
        l->tls = !l->insecure;
    }
    return 0;
}

static int check_admin(const struct conf_check *c, const char *option, const char *address)
{
    struct slice host = SLICE_NULL;
    return address[0] == 0 ? 0 : split_address(c, option, address, &host);
}

static bool is_token(struct slice s)
{
    static const char special[] = "!#$%&'*+-.^_`|~"; /* RFC 9110 §5.6.2 */
    for (size_t i = 0; i < s.len; i++)
        if (!isalnum(s.at[i]) && memchr(special, s.at[i], sizeof(special) - 1) == NULL)
            return false;
    return s.len > 0;
}

/* "name" or "name: scheme". Authorization has always a scheme, Bearer when none is named. */
static int read_carrier(const struct conf_check *c, const char *text, struct key_carrier *ret)
{
    const char *colon = strchr(text, ':');
    struct slice name = slice_trim(slice_of(text, colon ? (size_t)(colon - text) : strlen(text)));
    struct slice scheme = colon ? slice_trim(slice_str(colon + 1)) : SLICE_NULL;
    if (!is_token(name) || (colon != NULL && !is_token(scheme)))
        return conf_fail(c, "router.key_headers",
                         "\"%.100s\" is not of the form \"name\" or \"name: scheme\"", text);
    char *lower = arena_strdup(c->a, name);
    if (lower == NULL)
        return errbuf_set(c->err, ENOMEM, "%s: out of memory", c->file);
    for (char *at = lower; *at != 0; at++)
        *at = (char)tolower((unsigned char)*at);
    if (colon == NULL && strcmp(lower, "authorization") == 0)
        scheme = SLICE_LIT("Bearer");
    *ret = (struct key_carrier){slice_str(lower), scheme};
    return 0;
}

static int check_carriers(const struct conf_check *c, struct router_conf *r)
{
    size_t n = r->key_headers.n;
    if (n == 0)
        return conf_fail(c, "router.key_headers",
                         "at least one header must be able to carry the key");
    struct key_carrier *carriers = arena_calloc(c->a, n, sizeof(*carriers));
    if (carriers == NULL)
        return errbuf_set(c->err, ENOMEM, "%s: out of memory", c->file);
    r->key_carriers = (struct option_list){carriers, n};
    for (size_t i = 0; i < n; i++) {
        int rc = read_carrier(c, r->key_headers.at[i], &carriers[i]);
        if (rc < 0)
            return rc;
        for (size_t j = 0; j < i; j++)
            if (slice_eq(carriers[j].header, carriers[i].header) &&
                slice_ieq(carriers[j].scheme, carriers[i].scheme))
                return conf_fail(c, "router.key_headers", "\"%.100s\" stands twice",
                                 r->key_headers.at[i]);
    }
    return 0;
}

static int check_router(const struct conf_check *c, struct router_conf *r)
{
    int rc = check_listeners(c, r);
    if (rc == 0)
        rc = check_admin(c, "router.admin", r->admin);
    if (rc < 0)
        return rc;
    rc = check_carriers(c, r);
    if (rc < 0)
        return rc;
    if (r->drain_delay != 0 && r->drain_delay >= r->drain_timeout)
        return conf_fail(c, "router.drain_delay",
                         "it is part of router.drain_timeout and must be shorter than that");
    if ((r->client_certificates != CLIENT_CERTIFICATES_OFF) != (r->client_ca[0] != 0))
        return conf_fail(c, "router.client_ca",
                         "client_ca and client_certificates (optional or required) go together");
    if (r->max_buffered < r->max_body)
        return conf_fail(c, "router.max_buffered", "one body of router.max_body must fit into it");
    return 0;
}

/* Topics hold letters, digits, '.', '_' and '-'; '_' and '.' collide in Kafka's metric names, so
 * that two prefixes that differ in them alone cannot share a cluster. */
static int check_prefix(const struct conf_check *c, const char *prefix)
{
    size_t len = strlen(prefix);
    if (len == 0 || len > LONGEST_PREFIX || prefix[0] == '.' ||
        strspn(prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != len)
        return conf_fail(
            c, "kafka.prefix",
            "a topic prefix is 1-%d letters, digits, '.', '_' and '-' and does not begin "
            "with '.'",
            LONGEST_PREFIX);
    return 0;
}

/* What a record needs as rows, measured: a row of the widest table (exponential histograms) takes
 * up to 800 bytes besides what comes from the wire, and a packed list of small numbers ten times
 * its bytes (docs/decisions/0024-memory-for-the-largest-record.md). */
#define ROW_BYTES      800
#define BYTES_PER_BYTE 10

static int check_memory(const struct conf_check *c, const struct conf *conf)
{
    const uint64_t mib = 1024 * 1024;
    double rows = (double)conf->record.max_items * ROW_BYTES +
                  (double)conf->record.max_bytes * BYTES_PER_BYTE;
    double least = rows * 8 / CONF_ALONE_EIGHTHS;
    if ((double)conf->consumer.memory >= least)
        return 0;
    return conf_fail(
        c, "consumer.memory",
        "a record of record.max_items and record.max_bytes may need %llu MiB as rows: at "
        "least %llu MiB, or lower those two",
        (unsigned long long)rows / mib + 1, (unsigned long long)least / mib + 1);
}

static int check_sizes(const struct conf_check *c, const struct conf *conf)
{
    if (conf->kafka.queue_bytes < 2 * conf->record.max_bytes)
        return conf_fail(c, "kafka.queue_bytes",
                         "two records of record.max_bytes must fit into it");
    if (conf->consumer.batch_bytes > conf->consumer.memory / 2)
        return conf_fail(c, "consumer.batch_bytes",
                         "two batches, one being filled and one being written, must fit into "
                         "consumer.memory");
    return check_memory(c, conf);
}

static int resolve(const struct conf_check *c, const char *option, const char *folder,
                   const char **path)
{
    if (**path == 0)
        return conf_fail(c, option, "the path is empty");
    *path = conf_path(folder, *path, c->a);
    return *path ? 0 : errbuf_set(c->err, ENOMEM, "%s: out of memory", c->file);
}

static int resolve_certificates(const struct conf_check *c, const char *folder,
                                struct option_list *list)
{
    int rc = 0;
    for (size_t i = 0; i < list->n && rc == 0; i++) {
        struct certificate_conf *more = (struct certificate_conf *)list->at + i;
        char option[64];
        snprintf(option, sizeof(option), "router.certificates[%zu].certificate", i);
        rc = resolve(c, option, folder, &more->certificate);
        snprintf(option, sizeof(option), "router.certificates[%zu].private_key", i);
        if (rc == 0)
            rc = resolve(c, option, folder, &more->private_key);
    }
    return rc;
}

static int resolve_paths(const struct conf_check *c, struct conf *conf)
{
    const struct {
        const char *option, **path;
        bool may_be_empty;
    } rows[] = {
        {"state", &conf->state, false},
        {"tenants", &conf->tenants, false},
        {"keys", &conf->keys, false},
        {"router.certificate", &conf->router.certificate, false},
        {"router.private_key", &conf->router.private_key, false},
        {"router.ticket_secrets", &conf->router.ticket_secrets, true},
        {"router.client_ca", &conf->router.client_ca, true},
    };
    const char *folder = conf_folder(c->file, c->a);
    if (folder == NULL)
        return errbuf_set(c->err, ENOMEM, "%s: out of memory", c->file);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(rows) / sizeof(rows[0]); i++)
        if (!rows[i].may_be_empty || **rows[i].path != 0)
            rc = resolve(c, rows[i].option, folder, rows[i].path);
    return rc ? rc : resolve_certificates(c, folder, &conf->router.certificates);
}

/* ---- logins ---- */

static int resolve_login(const struct conf_check *c, const char *folder, struct kafka_login *l)
{
    const char **const paths[] = {&l->password_file, &l->certificate, &l->private_key,
                                  &l->key_password_file};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (**paths[i] != 0 && (*paths[i] = conf_path(folder, *paths[i], c->a)) == NULL)
            return errbuf_set(c->err, ENOMEM, "%s: out of memory", c->file);
    return 0;
}

/* What belongs together is there together. */
static int finish_login(const struct conf_check *c, const char *option, struct kafka_login *l)
{
    char name[64];
    const char *folder = conf_folder(c->file, c->a);
    const struct {
        const char *have, *name, *need, *needed;
    } rows[] = {
        {l->user, "user", l->password_file, "password_file"},
        {l->password_file, "password_file", l->user, "user"},
        {l->certificate, "certificate", l->private_key, "private_key"},
        {l->private_key, "private_key", l->certificate, "certificate"},
        {l->key_password_file, "key_password_file", l->private_key, "private_key"},
    };
    l->option = option;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(name, sizeof(name), "%s.%s", option, rows[i].name);
        if (rows[i].have[0] != 0 && rows[i].need[0] == 0)
            return conf_fail(c, name, "it needs %s.%s beside it", option, rows[i].needed);
    }
    if (folder == NULL)
        return errbuf_set(c->err, ENOMEM, "%s: out of memory", c->file);
    return resolve_login(c, folder, l);
}

static int finish_logins(const struct conf_check *c, struct kafka_conf *k)
{
    int rc = finish_login(c, "kafka", &k->login);
    if (rc == 0)
        rc = finish_login(c, "kafka.router", &k->router);
    return rc == 0 ? finish_login(c, "kafka.admin", &k->admin) : rc;
}

int conf_finish(struct conf *c, const char *file, const struct option_origins *where,
                struct arena *a, struct errbuf *err)
{
    struct conf_check check = {file, where, a, err};
    int rc = resolve_paths(&check, c);
    if (rc == 0)
        rc = check_router(&check, &c->router);
    if (rc == 0)
        rc = check_admin(&check, "supervisor.admin", c->supervisor.admin);
    if (rc == 0)
        rc = check_prefix(&check, c->kafka.prefix);
    if (rc == 0)
        rc = finish_logins(&check, &c->kafka);
    return rc == 0 ? check_sizes(&check, c) : rc;
}

static int check_burst(const struct conf_check *c, const char *option, const struct rate_conf *r,
                       uint64_t least_burst)
{
    char told[32], least[32];
    if (r->burst == 0 || r->burst >= least_burst)
        return 0;
    option_format_number(OPT_SIZE, r->burst, told, sizeof(told));
    option_format_number(OPT_SIZE, least_burst, least, sizeof(least));
    return conf_fail(
        c, option,
        "a burst of %s is smaller than the largest request that is one record, %s (the smaller of "
        "record.max_bytes and router.max_decompressed), which could then hardly ever pass",
        told, least);
}

static int check_topics(const struct conf_check *c, const struct topics_conf *topics,
                        const struct conf *conf)
{
    char least[32];
    uint64_t copies = topics->replication ? topics->replication : conf->kafka.replication;
    if (copies != 0 && topics->min_insync > copies)
        return conf_fail(c, "tenant.topics.min_insync",
                         "%llu of %llu copies is more than there are (topics.replication, else "
                         "kafka.replication): no write would succeed",
                         (unsigned long long)topics->min_insync, (unsigned long long)copies);
    if (topics->dlq_max_bytes == 0 || topics->dlq_max_bytes > conf->record.max_bytes)
        return 0;
    option_format_number(OPT_SIZE, conf->record.max_bytes, least, sizeof(least));
    return conf_fail(
        c, "tenant.topics.dlq_max_bytes",
        "a dead letter is larger than its record, which may have %s (record.max_bytes)", least);
}

int tenant_conf_fits(const struct tenant_conf *t, const struct conf *conf, const char *file,
                     const struct option_origins *where, struct errbuf *err)
{
    struct conf_check check = {file, where, NULL, err};
    uint64_t least_burst = conf_least_burst(conf);
    int rc = check_burst(&check, "tenant.limits.burst", &t->limits.all, least_burst);
    for (int i = 0; rc == 0 && i < SIGNAL_COUNT; i++) {
        char option[64];
        snprintf(option, sizeof(option), "tenant.limits.%s.burst", signal_info[i].name);
        rc = check_burst(&check, option, &t->limits.signal[i], least_burst);
    }
    return rc == 0 ? check_topics(&check, &t->topics, conf) : rc;
}

static int check_client_names(const struct conf_check *c, const struct option_strings *names)
{
    static const char *const kinds[] = {"URI:", "DNS:", "EMAIL:", "CN:"};
    for (size_t i = 0; i < names->n; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
            known |= strncmp(names->at[i], kinds[k], strlen(kinds[k])) == 0;
        if (!known)
            return conf_fail(
                c, "tenant.client_names",
                "\"%.100s\" does not begin with URI:, DNS:, EMAIL: or CN:", names->at[i]);
    }
    return 0;
}

int tenant_conf_finish(struct tenant_conf *t, const char *file, const char *id, const char *state,
                       const struct option_origins *where, struct arena *a, struct errbuf *err)
{
    struct conf_check check = {file, where, a, err};
    struct errbuf why = ERRBUF_INIT;
    if (tenant_id_check(slice_str(t->id), &why) < 0)
        return conf_fail(&check, "tenant.id", "%s", why.text);
    if (strcmp(t->id, id) != 0)
        return conf_fail(&check, "tenant.id", "the file of tenant \"%s\" is to be named %s.conf",
                         t->id, t->id);
    if (check_client_names(&check, &t->client_names) < 0)
        return -EINVAL;
    int rc = finish_login(&check, "tenant.kafka", &t->kafka);
    return rc < 0 ? rc : database_conf_finish(&check, &t->database, t->id, state);
}
