/* Settings of `tenantry send`: what options leave open comes from the environment variables of
 * OpenTelemetry's exporters, then from defaults. */
#ifndef CLI_SEND_CONF_H
#define CLI_SEND_CONF_H

#include "base/arena.h"
#include "cli/send/send_http.h"
#include "cli/send/send_run.h"

/* As given on the command line; NULL = not given. */
struct send_options {
    const char *endpoint, *protocol, *http, *key, *key_file, *ca;
    const char *signal, *run, *service, *attempts;
    const char *const *attributes; /* "name=value", NULL-ended */
    uint64_t count, batch, rate, concurrency, connections;
    uint64_t made_up; /* --attributes */
    uint64_t duration_ns, retry_for_ns, timeout_ns;
    bool insecure, gzip, no_retry, json;
};

struct send_conf {
    struct send_http_conf http;
    struct send_plan plan;
    struct send_content content;
    const char *attempts; /* path, NULL = none */
    bool json;
};

/* Fills *ret; strings are borrowed from `o`, the environment and `a`. -EINVAL and the like with a
 * sentence; a key is never in it. */
int send_conf_resolve(const struct send_options *o, struct arena *a, struct send_conf *ret,
                      struct errbuf *err);

#endif
