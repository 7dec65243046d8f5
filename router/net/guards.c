#include "router/net/guards.h"

#include "base/log.h"
#include "base/metrics.h"

static const struct metric refused_metric = {
    "tenantry_router_connections_refused_total",
    METRIC_COUNTER,
    "Connections closed before they spoke HTTP, by reason.",
    {"reason", NULL}};
static const struct metric handshake_metric = {
    "tenantry_router_handshakes_failed_total",
    METRIC_COUNTER,
    "TLS handshakes that failed or took longer than router.handshake_timeout.",
    {NULL}};
static const struct metric cut_metric = {
    "tenantry_router_http2_cut_total",
    METRIC_COUNTER,
    "HTTP/2 connections ended with GOAWAY for what the client did, by reason.",
    {"reason", NULL}};

static const struct metric closed_metric = {
    "tenantry_router_connections_closed_total",
    METRIC_COUNTER,
    "Connections closed while they spoke HTTP, without being asked to, by reason.",
    {"reason", NULL}};

enum { REFUSED, HANDSHAKE, CUT, CLOSED };

static const struct {
    int metric;
    const char *reason;
} rows[GUARD_COUNT] = {
#define ROW(id, metric, reason, option, seen) {metric, reason},
    GUARDS(ROW)
#undef ROW
};

void guard_count(enum guard g)
{
    static const struct metric *const metrics[] = {&refused_metric, &handshake_metric, &cut_metric,
                                                   &closed_metric};
    const struct metric *m = metrics[rows[g].metric];
    metric_add(metric_series(m, m->labels[0] ? &rows[g].reason : NULL), 1);
}

void guard_refused(enum guard g, const struct address *client)
{
    char text[ADDRESS_TEXT];
    address_print(client, text);
    guard_count(g);
    log_repeated(LOG_WARN, "connection refused", rows[g].reason, log_str("reason", rows[g].reason),
                 log_str("client", text));
}
