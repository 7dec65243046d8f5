#include "cli/status_view.h"

#include "base/clock.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>

const char *status_state(const struct status_tenant *s)
{
    if (s->workers.first != NULL)
        return s->workers.first->alive ? s->workers.first->state : "dead";
    if (s->process != NULL && strcmp(s->process->state, "running") != 0)
        return s->process->state;
    return s->process != NULL ? "starting" : "not running";
}

static const char *worker_reason(const struct run_worker *w, double patience_s, char *out,
                                 size_t size)
{
    char ago[OPS_TEXT_SIZE];
    if (!w->alive)
        snprintf(out, size, "its process %d is gone; %s ago it was %s%s%s", w->pid,
                 ops_seconds(w->age_s, ago), w->state, w->reason[0] ? ": " : "", w->reason);
    else if (w->age_s > patience_s)
        snprintf(out, size, "%s%sit has told nothing for %s", w->reason, w->reason[0] ? " - " : "",
                 ops_seconds(w->age_s, ago));
    else
        snprintf(out, size, "%s", w->reason);
    return out;
}

const char *status_reason(const struct status_tenant *s, char *out, size_t size)
{
    out[0] = 0;
    if (s->workers.first != NULL)
        worker_reason(s->workers.first, s->patience_s, out, size);
    else if (s->process != NULL && s->process->last_end[0] != 0)
        snprintf(out, size, "it ended with %s", s->process->last_end);
    return out;
}

uint64_t status_written(const struct status_tenant *s)
{
    uint64_t sum = 0;
    for (int i = 0; i < SIGNAL_COUNT; i++)
        sum += s->written[i];
    return sum;
}

/* ---- text ---- */

/* "-" when it is not known. */
static void number_cell(struct listing *l, bool known, uint64_t n)
{
    char text[OPS_TEXT_SIZE];
    listing_cell(l, "%s", known ? ops_number(n, false, text) : "-");
}

static void seconds_cell(struct listing *l, bool known, double seconds)
{
    char text[OPS_TEXT_SIZE];
    listing_cell(l, "%s", known ? ops_seconds(seconds, text) : "-");
}

static void tenant_row(struct listing *l, const struct status_tenant *s)
{
    struct lag_unit lag = lag_sum(&s->lag, SIGNAL_COUNT);
    listing_cell(l, "%s", s->t->id);
    listing_cell(l, "%s", status_state(s));
    number_cell(l, s->routed, s->router.accepted_items);
    number_cell(l, s->routed, s->router.refused_requests);
    number_cell(l, s->measured, s->in_kafka);
    number_cell(l, s->read, status_written(s));
    number_cell(l, s->read, s->dlq_records);
    number_cell(l, s->measured, lag.records);
    seconds_cell(l, s->measured, lag.seconds);
    number_cell(l, s->process != NULL, s->process ? s->process->restarts : 0);
}

static void reasons(const char *id, const char *what, const struct router_refusal *rows, size_t n,
                    struct buf *out)
{
    char text[OPS_TEXT_SIZE];
    if (n == 0)
        return;
    buf_printf(out, "%s: %s:", id, what);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s %s %s", i ? "," : "", ops_number(rows[i].requests, false, text),
                   rows[i].reason);
    buf_append_str(out, "\n");
}

/* Several workers share the tenant's partitions. */
static void each_worker(const struct status_tenant *s, struct buf *out)
{
    char text[1024];
    for (size_t i = 0; s->workers.n > 1 && i < s->workers.n; i++) {
        const struct run_worker *w = &s->workers.at[i];
        worker_reason(w, s->patience_s, text, sizeof(text));
        buf_printf(out, "%s: worker %s: %s%s%s\n", s->t->id, w->instance,
                   w->alive ? w->state : "dead", text[0] ? ": " : "", text);
    }
}

/* What waits in Kafka and comes near its end there. */
static void retention_note(const struct status_tenant *s, struct buf *out)
{
    char age[OPS_TEXT_SIZE], kept[OPS_TEXT_SIZE];
    double retention = (double)s->t->conf->topics.retention / NS_PER_S;
    double seconds = lag_sum(&s->lag, SIGNAL_COUNT).seconds;
    if (s->measured && retention > 0 && seconds > retention / 2)
        buf_printf(out,
                   "%s: records that are not written are %s old, and Kafka keeps them for %s: mend "
                   "the database, or raise topics.retention in the tenant's file and run `tenantry "
                   "apply`\n",
                   s->t->id, ops_seconds(seconds, age), ops_seconds(retention, kept));
}

static void what_to_do(const struct status_tenant *s, struct buf *out)
{
    char text[OPS_TEXT_SIZE];
    if (s->workers.first == NULL && s->process == NULL)
        buf_printf(out,
                   "%s: no consumer runs on this machine: start `tenantry up` or `tenantry "
                   "supervise`, unless one runs elsewhere\n",
                   s->t->id);
    retention_note(s, out);
    if (s->dlq_records > 0)
        buf_printf(out, "%s: %s dead letter%s so far: `tenantry dlq list %s` tells why\n", s->t->id,
                   ops_number(s->dlq_records, false, text), s->dlq_records == 1 ? "" : "s",
                   s->t->id);
    if (s->lost_records > 0)
        buf_printf(out,
                   "%s: %s records expired in Kafka before they were written: nothing brings them "
                   "back; raise topics.retention\n",
                   s->t->id, ops_number(s->lost_records, false, text));
}

static void notes(const struct status_tenant *s, bool kafka_answers, struct buf *out)
{
    char text[1024] = "";
    if (s->t->suspended)
        buf_printf(out, "%s: suspended%s%s\n", s->t->id, s->t->suspended_reason[0] ? ": " : "",
                   s->t->suspended_reason);
    each_worker(s, out);
    if (s->workers.n <= 1 && status_reason(s, text, sizeof(text))[0] != 0)
        buf_printf(out, "%s: consumer %s: %s\n", s->t->id, status_state(s), text);
    if (s->router.stalled_s > 0)
        buf_printf(out, "%s: Kafka has not taken its records for %s: see the router's log\n",
                   s->t->id, ops_seconds(s->router.stalled_s, text));
    reasons(s->t->id, "refused requests", s->router.refusals, s->router.n, out);
    reasons(s->t->id, "requests that its limits would have refused (dry_run)", s->router.dry_run,
            s->router.n_dry_run, out);
    if (!s->measured && kafka_answers)
        buf_printf(out, "%s: the lag is not known: %s\n", s->t->id, s->kafka_problem.text);
    if (!s->read && s->measured && strcmp(s->lag.book.problem.text, text) == 0)
        buf_printf(out, "%s: so the lag is that of the last commit\n", s->t->id);
    else if (!s->read)
        buf_printf(out, "%s: the database cannot be read%s: %s\n", s->t->id,
                   s->measured ? ", the lag is that of the last commit" : "",
                   s->lag.book.problem.text);
    what_to_do(s, out);
}

static void details(const struct status_tenant *s, bool colour, struct buf *out)
{
    static const struct listing_column columns[] = {
        {"SIGNAL", "", LISTING_TEXT},
        {"PARTITION", "", LISTING_NUMBER},
        {"START", "", LISTING_NUMBER},
        {"NEXT", "", LISTING_NUMBER},
        {"END", "", LISTING_NUMBER},
        {"LAG", "", LISTING_NUMBER},
        {"BEHIND", "", LISTING_NUMBER},
        {"NEXT SAID BY", "", LISTING_TEXT},
        {0},
    };
    struct listing l = LISTING_INIT(columns);
    for (size_t i = 0; i < s->lag.n; i++) {
        const struct lag_unit *u = &s->lag.units[i];
        listing_cell(&l, "%s", signal_info[u->signal].name);
        listing_cell(&l, "%" PRId32, u->partition);
        number_cell(&l, true, (uint64_t)u->low);
        number_cell(&l, true, (uint64_t)u->next);
        number_cell(&l, true, (uint64_t)u->high);
        number_cell(&l, true, u->records);
        seconds_cell(&l, true, u->seconds);
        listing_cell(&l, "%s", lag_source_name[u->source]);
    }
    if (s->lag.n > 0) {
        buf_append_str(out, "\n");
        listing_print(&l, false, colour, out);
    }
    listing_release(&l);
}

void status_view_text(const struct status *s, bool detailed, struct buf *out)
{
    static const struct listing_column columns[] = {
        {"TENANT", "", LISTING_TEXT},
        {"CONSUMER", "", LISTING_TEXT},
        {"ACCEPTED", "", LISTING_NUMBER},
        {"REFUSED", "", LISTING_NUMBER},
        {"IN KAFKA", "", LISTING_NUMBER},
        {"WRITTEN", "", LISTING_NUMBER},
        {"DLQ", "", LISTING_NUMBER},
        {"LAG", "", LISTING_NUMBER},
        {"BEHIND", "", LISTING_NUMBER},
        {"RESTARTS", "", LISTING_NUMBER},
        {0},
    };
    struct listing l = LISTING_INIT(columns);
    for (size_t i = 0; i < s->n; i++)
        tenant_row(&l, &s->tenants[i]);
    listing_print(&l, false, cli_colour(), out);
    if (detailed)
        for (size_t i = 0; i < s->n; i++)
            details(&s->tenants[i], cli_colour(), out);
    size_t before = out->len;
    buf_append_str(out, "\n");
    for (size_t i = 0; i < s->n; i++)
        notes(&s->tenants[i], s->kafka_problem.text[0] == 0, out);
    if (s->kafka_problem.text[0] != 0)
        buf_printf(out,
                   "%s; so no lag is known. Nothing acknowledged is lost, senders get 503 until it "
                   "is back: `tenantry status --kafka`\n",
                   s->kafka_problem.text);
    if (s->router_problem.text[0] != 0)
        buf_printf(out, "%s\n", s->router_problem.text);
    if (out->len == before + 1)
        out->len = before;
    listing_release(&l);
}

/* ---- JSON ---- */

static void json_member(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    if (text[0] != 0)
        json_string(out, slice_str(text));
    else
        buf_append_str(out, "null");
}

static void json_count(struct buf *out, const char *name, bool known, uint64_t n)
{
    if (known)
        buf_printf(out, ",\"%s\":%" PRIu64, name, n);
    else
        buf_printf(out, ",\"%s\":null", name);
}

static void json_router(struct buf *out, const struct status_tenant *s)
{
    json_count(out, "accepted_items", s->routed, s->router.accepted_items);
    json_count(out, "accepted_requests", s->routed, s->router.accepted_requests);
    json_count(out, "refused_items", s->routed, s->router.refused_items);
    json_count(out, "refused_requests", s->routed, s->router.refused_requests);
    json_count(out, "stalled_s", s->routed, (uint64_t)s->router.stalled_s);
    buf_append_str(out, ",\"refused\":{");
    for (size_t i = 0; i < s->router.n; i++) {
        buf_append_str(out, i ? "," : "");
        json_string(out, slice_str(s->router.refusals[i].reason));
        buf_printf(out, ":{\"requests\":%" PRIu64 ",\"items\":%" PRIu64 "}",
                   s->router.refusals[i].requests, s->router.refusals[i].items);
    }
    buf_append_str(out, "},\"dry_run\":{");
    for (size_t i = 0; i < s->router.n_dry_run; i++)
        buf_printf(out, "%s\"%s\":%" PRIu64, i ? "," : "", s->router.dry_run[i].reason,
                   s->router.dry_run[i].requests);
    buf_append_str(out, "}");
}

static void json_units(struct buf *out, const struct lag *l)
{
    buf_append_str(out, ",\"partitions\":[");
    for (size_t i = 0; i < l->n; i++) {
        const struct lag_unit *u = &l->units[i];
        buf_printf(out,
                   "%s{\"signal\":\"%s\",\"partition\":%" PRId32 ",\"start\":%" PRId64
                   ",\"next\":%" PRId64 ",\"end\":%" PRId64 ",\"lag_records\":%" PRIu64
                   ",\"lag_seconds\":%.3f,\"next_said_by\":\"%s\"}",
                   i ? "," : "", signal_info[u->signal].name, u->partition, u->low, u->next,
                   u->high, u->records, u->seconds, lag_source_name[u->source]);
    }
    buf_append_str(out, "]");
}

static void json_workers(struct buf *out, const struct status_tenant *s)
{
    char text[1024];
    buf_append_str(out, ",\"workers\":[");
    for (size_t i = 0; i < s->workers.n; i++) {
        const struct run_worker *w = &s->workers.at[i];
        buf_printf(out, "%s{\"instance\":", i ? "," : "");
        json_string(out, slice_str(w->instance));
        json_member(out, "state", w->alive ? w->state : "dead");
        json_member(out, "reason", worker_reason(w, s->patience_s, text, sizeof(text)));
        json_count(out, "pid", w->alive, (uint64_t)w->pid);
        json_count(out, "retries", true, w->retries);
        json_count(out, "memory_bytes", true, w->memory_bytes);
        buf_printf(out, ",\"status_age_seconds\":%.3f}", w->age_s);
    }
    buf_append_str(out, "]");
}

static void json_consumer(struct buf *out, const struct status_tenant *s)
{
    char text[1024];
    const struct run_worker *first = s->workers.first;
    buf_printf(out, ",\"consumer\":{\"state\":\"%s\"", status_state(s));
    json_member(out, "reason", status_reason(s, text, sizeof(text)));
    json_count(out, "pid", first != NULL && first->alive, first ? (uint64_t)first->pid : 0);
    json_count(out, "restarts", s->process != NULL, s->process ? s->process->restarts : 0);
    if (first != NULL)
        buf_printf(out, ",\"status_age_seconds\":%.3f", first->age_s);
    json_workers(out, s);
    buf_append_str(out, "}");
}

static void json_tenant(struct buf *out, const struct status_tenant *s)
{
    struct lag_unit lag = lag_sum(&s->lag, SIGNAL_COUNT);
    buf_append_str(out, "{\"tenant\":");
    json_string(out, slice_str(s->t->id));
    buf_printf(out, ",\"suspended\":%s", s->t->suspended ? "true" : "false");
    json_router(out, s);
    json_count(out, "kafka_records", s->measured, s->in_kafka);
    json_count(out, "written_items", s->read, status_written(s));
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        char name[64];
        snprintf(name, sizeof(name), "written_%s", signal_info[i].name);
        json_count(out, name, s->read, s->written[i]);
    }
    json_count(out, "dlq_records", s->read, s->dlq_records);
    json_count(out, "lost_records", s->read, s->lost_records);
    json_count(out, "lag_records", s->measured, lag.records);
    if (s->measured)
        buf_printf(out, ",\"lag_seconds\":%.3f", lag.seconds);
    else
        buf_append_str(out, ",\"lag_seconds\":null");
    json_member(out, "kafka_problem", s->measured ? "" : s->kafka_problem.text);
    json_member(out, "database_problem", s->read ? "" : s->lag.book.problem.text);
    json_consumer(out, s);
    json_units(out, &s->lag);
    buf_append_str(out, "}");
}

void status_view_json(const struct status *s, struct buf *out)
{
    buf_printf(out, "{\"router_reachable\":%s", s->router_problem.text[0] ? "false" : "true");
    json_member(out, "router_problem", s->router_problem.text);
    buf_append_str(out, ",\"tenants\":[");
    for (size_t i = 0; i < s->n; i++) {
        buf_append_str(out, i ? ",\n" : "");
        json_tenant(out, &s->tenants[i]);
    }
    buf_append_str(out, "]}\n");
}
