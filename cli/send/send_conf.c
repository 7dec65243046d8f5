#include "cli/send/send_conf.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RUN_BYTES       6 /* of a random run name */
#define KEY_FILE_MAX    4096
#define MOST_HEADERS    64
#define DEFAULT_COUNT   1000
#define HEADERS_OF_OURS 2 /* the key, and the end of the list */

static const char *given(const char *option, const char *variable)
{
    if (option != NULL)
        return option;
    const char *value = getenv(variable);
    return value ? value : "";
}

static char *join(struct arena *a, const char *first, const char *second)
{
    size_t size = strlen(first) + strlen(second) + 1;
    char *text = arena_alloc(a, size);
    if (text != NULL)
        snprintf(text, size, "%s%s", first, second);
    return text;
}

static int no_memory(struct errbuf *err)
{
    return errbuf_set(err, ENOMEM, "There is no memory for the settings.");
}

static int resolve_version(const char *text, struct send_http_conf *c, struct errbuf *err)
{
    c->version = SEND_HTTP_AUTO;
    if (text == NULL)
        return 0;
    c->version = strcmp(text, "1.1") == 0 ? SEND_HTTP_1 : SEND_HTTP_2;
    if (c->version == SEND_HTTP_2 && strcmp(text, "2") != 0)
        return errbuf_set(err, EINVAL, "--http is \"%s\"; it can be 1.1 or 2.", text);
    if (c->version == SEND_HTTP_1 && c->protocol == SEND_GRPC)
        return errbuf_set(err, EINVAL, "gRPC needs HTTP/2: --http 1.1 goes with http/protobuf.");
    return 0;
}

static int resolve_protocol(const struct send_options *o, struct send_conf *c, struct errbuf *err)
{
    const char *text = given(o->protocol, "OTEL_EXPORTER_OTLP_PROTOCOL");
    const char *compression = given(NULL, "OTEL_EXPORTER_OTLP_COMPRESSION");
    c->http.protocol = strcmp(text, "http/protobuf") == 0 ? SEND_HTTP : SEND_GRPC;
    if (text[0] != 0 && strcmp(text, "grpc") != 0 && c->http.protocol != SEND_HTTP)
        return errbuf_set(err, EINVAL, "The protocol is \"%s\"; it can be grpc or http/protobuf.",
                          text);
    c->http.gzip = o->gzip || strcmp(compression, "gzip") == 0;
    return resolve_version(o->http, &c->http, err);
}

static bool is_loopback(const char *host)
{
    static const char *const names[] = {"localhost", "127.", "[::1]"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncasecmp(host, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* "host:port" is https, or http with --insecure. A key goes in clear text over loopback only, but
 * for --insecure. */
static int resolve_endpoint(const struct send_options *o, struct arena *a, struct send_conf *c,
                            struct errbuf *err)
{
    const char *text = given(o->endpoint, "OTEL_EXPORTER_OTLP_ENDPOINT");
    if (text[0] == 0)
        text = c->http.protocol == SEND_GRPC ? "localhost:4317" : "localhost:4318";
    char *url = strstr(text, "://") ? join(a, text, "")
                                    : join(a, o->insecure ? "http://" : "https://", text);
    if (url == NULL)
        return no_memory(err);
    char *host = strstr(url, "://") + 3;
    bool tls = strncasecmp(url, "https:", 6) == 0;
    if (!tls && strncasecmp(url, "http:", 5) != 0)
        return errbuf_set(err, EINVAL, "The endpoint %s begins neither with https:// nor http://.",
                          text);
    if (!tls && !o->insecure && !is_loopback(host))
        return errbuf_set(err, EINVAL,
                          "The endpoint %s has no TLS: the key would be readable on the way. "
                          "Say --insecure to do it anyway.",
                          text);
    if (c->http.protocol == SEND_GRPC) /* a path means nothing there */
        host[strcspn(host, "/")] = 0;
    for (size_t len = strlen(url); len > 0 && url[len - 1] == '/'; len--)
        url[len - 1] = 0;
    c->http.endpoint = url;
    const char *ca = given(o->ca, "OTEL_EXPORTER_OTLP_CERTIFICATE");
    c->http.ca_file = ca[0] != 0 ? ca : NULL;
    if (ca[0] != 0 && access(ca, R_OK) != 0)
        return errbuf_set(err, errno, "The CA file %s can't be read: %s.", ca, strerror(errno));
    return 0;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c | 0x20) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* %20 and the like, in place. */
static void decode_percent(char *text)
{
    char *to = text;
    for (const char *from = text; *from != 0; from++) {
        int high = *from == '%' ? hex_digit(from[1]) : -1;
        int low = high >= 0 ? hex_digit(from[2]) : -1;
        if (low >= 0)
            from += 2;
        *to++ = low >= 0 ? (char)(high << 4 | low) : *from;
    }
    *to = 0;
}

/* "name=value,name=value", values percent-encoded (W3C baggage), to "name: value". */
static int add_environment_headers(struct arena *a, const char **headers, size_t *n,
                                   struct errbuf *err)
{
    const char *variable = getenv("OTEL_EXPORTER_OTLP_HEADERS");
    char *list = join(a, variable ? variable : "", "");
    if (list == NULL)
        return no_memory(err);
    char *rest = NULL;
    for (char *pair = strtok_r(list, ",", &rest); pair; pair = strtok_r(NULL, ",", &rest)) {
        char *equals = strchr(pair, '=');
        if (equals == NULL || *n == MOST_HEADERS)
            return errbuf_set(err, EINVAL,
                              "OTEL_EXPORTER_OTLP_HEADERS isn't a list of at most %d name=value.",
                              MOST_HEADERS);
        *equals = 0;
        decode_percent(equals + 1);
        char *name = join(a, pair + strspn(pair, " "), ": ");
        char *line = name ? join(a, name, equals + 1) : NULL;
        if (line == NULL)
            return no_memory(err);
        headers[(*n)++] = line;
    }
    return 0;
}

static int read_key_file(const char *path, struct arena *a, const char **ret, struct errbuf *err)
{
    struct buf text = BUF_INIT_CEILING(KEY_FILE_MAX);
    int rc = file_read(path, &text, err);
    if (rc == 0) {
        struct slice key = slice_trim(slice_str(buf_cstr(&text)));
        key.len = strcspn((const char *)key.at, "\r\n \t");
        *ret = arena_strdup(a, key);
        if (*ret == NULL)
            rc = no_memory(err);
        else if (key.len == 0)
            rc = errbuf_set(err, EINVAL, "The key file %s is empty.", path);
    }
    buf_release(&text);
    return rc;
}

static int resolve_headers(const struct send_options *o, struct arena *a, struct send_conf *c,
                           struct errbuf *err)
{
    const char **headers = arena_calloc(a, MOST_HEADERS + HEADERS_OF_OURS, sizeof(*headers));
    const char *key = o->key;
    size_t n = 0;
    if (headers == NULL)
        return no_memory(err);
    c->http.headers = headers;
    int rc = add_environment_headers(a, headers, &n, err);
    if (rc == 0 && o->key_file != NULL)
        rc = read_key_file(o->key_file, a, &key, err);
    if (rc < 0 || key == NULL)
        return rc;
    headers[n] = join(a, "authorization: Bearer ", key);
    return headers[n] ? 0 : no_memory(err);
}

static int resolve_signals(const char *text, struct send_plan *plan, struct errbuf *err)
{
    static const enum signal all[] = {SIGNAL_LOGS, SIGNAL_TRACES, SIGNAL_METRICS};
    if (strcmp(text, "all") == 0) {
        memcpy(plan->signals, all, sizeof(all));
        plan->signal_count = SIGNAL_COUNT;
        return 0;
    }
    plan->signals[0] = signal_by_name(slice_str(text));
    plan->signal_count = 1;
    if (plan->signals[0] == SIGNAL_COUNT)
        return errbuf_set(err, EINVAL,
                          "The signal is \"%s\"; it can be logs, traces, metrics or "
                          "all.",
                          text);
    return 0;
}

static int resolve_plan(const struct send_options *o, struct send_plan *plan, struct errbuf *err)
{
    plan->count = o->count != 0 || o->duration_ns != 0 ? o->count : DEFAULT_COUNT;
    plan->batch = (uint32_t)o->batch;
    plan->rate = o->rate;
    plan->duration_ns = o->duration_ns;
    plan->retry_for_ns = o->no_retry ? 0 : o->retry_for_ns;
    plan->concurrency = (unsigned)o->concurrency;
    plan->progress = isatty(STDERR_FILENO);
    return resolve_signals(o->signal, plan, err);
}

static int random_run(struct arena *a, const char **ret, struct errbuf *err)
{
    uint8_t bytes[RUN_BYTES];
    char *name = arena_alloc(a, 2 * RUN_BYTES + 1);
    if (name == NULL || RAND_bytes(bytes, sizeof(bytes)) != 1)
        return no_memory(err);
    for (size_t i = 0; i < RUN_BYTES; i++)
        snprintf(name + 2 * i, 3, "%02x", bytes[i]);
    *ret = name;
    return 0;
}

static int add_attribute(struct send_content *c, const char *pair, struct arena *a,
                         struct errbuf *err)
{
    const char *equals = strchr(pair, '=');
    if (equals == NULL || equals == pair)
        return errbuf_set(err, EINVAL, "The attribute \"%s\" isn't name=value.", pair);
    struct option_pair *to = &c->fixed[c->fixed_count++];
    to->name = arena_strdup(a, slice_of(pair, (size_t)(equals - pair)));
    to->value = equals + 1;
    return to->name ? 0 : no_memory(err);
}

static int resolve_content(const struct send_options *o, struct arena *a, struct send_content *c,
                           struct errbuf *err)
{
    size_t n = 0;
    while (o->attributes[n] != NULL)
        n++;
    c->service = o->service;
    c->attributes = (unsigned)o->made_up;
    c->run = o->run;
    c->fixed = arena_calloc(a, n + 1, sizeof(*c->fixed));
    if (c->fixed == NULL)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        int rc = add_attribute(c, o->attributes[i], a, err);
        if (rc < 0)
            return rc;
    }
    return c->run != NULL ? 0 : random_run(a, &c->run, err);
}

/* Bounds of the numbers. */
static int check_numbers(const struct send_options *o, struct errbuf *err)
{
    const struct {
        const char *name;
        uint64_t value, least, most;
    } rows[] = {
        {"--batch", o->batch, 1, 1000000},
        {"--concurrency", o->concurrency, 1, 10000},
        {"--connections", o->connections, 1, 1000},
        {"--attributes", o->made_up, 0, 1000},
        {"--timeout in ms", o->timeout_ns / NS_PER_MS, 1, 99999999}, /* grpc-timeout: 8 digits */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].value < rows[i].least || rows[i].value > rows[i].most)
            return errbuf_set(err, EINVAL,
                              "%s is %" PRIu64 "; it can be %" PRIu64 " to %" PRIu64 ".",
                              rows[i].name, rows[i].value, rows[i].least, rows[i].most);
    return 0;
}

int send_conf_resolve(const struct send_options *o, struct arena *a, struct send_conf *ret,
                      struct errbuf *err)
{
    *ret = (struct send_conf){
        .attempts = o->attempts,
        .json = o->json,
    };
    ret->http.timeout_ns = o->timeout_ns;
    ret->http.slots = (unsigned)o->concurrency;
    ret->http.connections = (unsigned)o->connections;
    int rc = check_numbers(o, err);
    if (rc == 0)
        rc = resolve_protocol(o, ret, err);
    if (rc == 0)
        rc = resolve_endpoint(o, a, ret, err);
    if (rc == 0)
        rc = resolve_headers(o, a, ret, err);
    if (rc == 0)
        rc = resolve_plan(o, &ret->plan, err);
    return rc < 0 ? rc : resolve_content(o, a, &ret->content, err);
}
