#include "router/admin.h"

#include "base/admin_http.h"
#include "base/clock.h"
#include "base/exposition.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_tree.h"
#include "router/http/pages.h"
#include "router/metrics.h"
#include "router/router.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define RUN_FILE_CEILING (64 << 20)
#define RUN_FILE_STALE_S 60

struct router_admin {
    struct router *r;
    struct admin_http *http;
};

/* --- /metrics -------------------------------------------------------------------------------- */

static void show_metrics(void *arg, struct slice query, struct admin_answer *answer)
{
    (void)query;
    struct router *r = ((struct router_admin *)arg)->r;
    struct snapshot *s = tenancy_acquire(r->tenancy);
    char folder[4096];
    struct exposition e = EXPOSITION_INIT;
    struct buf own = BUF_INIT;
    router_metrics_sample(r, s);
    metrics_write(&own);
    exposition_add_own(&e, buf_slice(&own));
    snprintf(folder, sizeof(folder), "%s/run", s->conf->state);
    exposition_add_folder(&e, folder);
    exposition_write(&e, &answer->body);
    answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
    if (e.failed || own.failed)
        answer->status = 503;
    exposition_release(&e);
    buf_release(&own);
    snapshot_release(s);
}

/* --- /healthz, /readyz -------------------------------------------------------------------------
 */

static void show_health(void *arg, struct slice query, struct admin_answer *answer)
{
    (void)arg;
    (void)query;
    buf_append_str(&answer->body, "ok\n");
}

static void show_readiness(void *arg, struct slice query, struct admin_answer *answer)
{
    (void)query;
    const char *why = router_not_ready(((struct router_admin *)arg)->r);
    answer->status = why ? 503 : 200;
    buf_printf(&answer->body, "%s\n", why ? why : "ready");
}

/* --- /api/status -------------------------------------------------------------------------------
 */

static void write_tenant(struct router *r, const struct tenant *t, struct buf *out)
{
    buf_append_str(out, "{\"id\":");
    json_string(out, slice_str(t->id));
    struct producer_standing standing = producer_standing(r->producers, t->id);
    if (standing.slow)
        buf_printf(out, ",\"stalled_s\":%llu",
                   1 + (unsigned long long)((clock_mono_ns() - standing.since_ns) / NS_PER_S));
    buf_printf(out, ",\"suspended\":%s,\"in_flight_bytes\":%llu,\"signals\":",
               t->suspended ? "true" : "false",
               (unsigned long long)atomic_load(&t->runtime->in_flight));
    router_metrics_json(r->metrics, t->runtime, out);
    buf_append_byte(out, '}');
}

/* What another process wrote is taken as it is, when it is JSON and not of one that is gone. */
static bool write_file(const char *folder, const char *name, const char *before, struct buf *out)
{
    char path[4352];
    struct errbuf err;
    struct stat st;
    struct buf text = BUF_INIT_CEILING(RUN_FILE_CEILING);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    bool fresh = stat(path, &st) == 0 &&
                 (uint64_t)st.st_mtime + RUN_FILE_STALE_S >= clock_wall_ns() / NS_PER_S;
    yajl_val tree = fresh && file_read(path, &text, &err) == 0
                        ? json_tree_parse(buf_slice(&text), name, &err)
                        : NULL;
    if (tree != NULL) {
        buf_append_str(out, before);
        buf_append_slice(out, buf_slice(&text));
    }
    yajl_tree_free(tree);
    buf_release(&text);
    return tree != NULL;
}

/* Of the supervisor and the workers on this machine. */
static void write_run_files(const char *state, struct buf *out)
{
    char folder[4096], **names;
    struct errbuf err;
    const char *comma = "";
    snprintf(folder, sizeof(folder), "%s/run", state);
    if (!write_file(folder, "lag.json", ",\"kafka\":", out))
        buf_append_str(out, ",\"kafka\":null");
    buf_append_str(out, ",\"workers\":[");
    int n = file_list(folder, ".json", &names, &err);
    for (int i = 0; i < n; i++)
        if (strncmp(names[i], "consumer-", 9) == 0 && write_file(folder, names[i], comma, out))
            comma = ",";
    if (n >= 0)
        file_list_free(names, n);
    buf_append_byte(out, ']');
}

static void show_status(void *arg, struct slice query, struct admin_answer *answer)
{
    (void)query;
    struct router *r = ((struct router_admin *)arg)->r;
    struct snapshot *s = tenancy_acquire(r->tenancy);
    struct buf *out = &answer->body;
    const char *why = router_not_ready(r);
    buf_printf(out, "{\"version\":\"%s\",\"ready\":%s,\"not_ready_because\":", TENANTRY_VERSION,
               why ? "false" : "true");
    if (why != NULL)
        json_string(out, slice_str(why));
    else
        buf_append_str(out, "null");
    buf_printf(out,
               ",\"config_version\":%llu,\"connections\":%llu,\"buffered_bytes\":%llu,"
               "\"producer_queued_bytes\":%llu,\"tenants\":[",
               (unsigned long long)s->version, (unsigned long long)atomic_load(&r->connections),
               (unsigned long long)atomic_load(&r->buffered),
               (unsigned long long)producers_queued_bytes(r->producers));
    for (size_t i = 0; i < s->n_tenants; i++) {
        buf_append_str(out, i ? "," : "");
        write_tenant(r, &s->tenants[i], out);
    }
    buf_append_str(out, "],\"without_tenant\":");
    router_metrics_json(r->metrics, NULL, out);
    write_run_files(s->conf->state, out);
    buf_append_str(out, "}\n");
    answer->content_type = "application/json";
    snapshot_release(s);
}

/* --- the server ----------------------------------------------------------------------------------
 */

struct router_admin *router_admin_start(struct router *r, struct errbuf *err)
{
    static const struct admin_route routes[] = {
        {"/metrics", show_metrics},
        {"/healthz", show_health},
        {"/readyz", show_readiness},
        {"/api/status", show_status},
        {NULL, NULL},
    };
    struct router_admin *a = calloc(1, sizeof(*a));
    if (a == NULL) {
        errbuf_set(err, ENOMEM, "Out of memory for the admin listener.");
        return NULL;
    }
    a->r = r;
    struct snapshot *s = tenancy_acquire(r->tenancy);
    a->http = admin_http_new(s->conf->router.admin, routes, a, err);
    snapshot_release(s);
    if (a->http != NULL)
        return a;
    free(a);
    return NULL;
}

int router_admin_port(const struct router_admin *a)
{
    return admin_http_port(a->http);
}

void router_admin_stop(struct router_admin *a)
{
    if (a == NULL)
        return;
    admin_http_free(a->http);
    free(a);
}
