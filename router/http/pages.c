#include "router/http/pages.h"

#include "base/json.h"
#include "router/admission/admission_steps.h"
#include "tenancy/keys/key_runtime.h"

#include <time.h>

/* How often one tenant may ask about itself. */
static const struct limit page_limit = {.rate = 5, .burst = 20};

const char *router_not_ready(const struct router *r)
{
    if (atomic_load(&r->leaving))
        return "draining";
    return producers_ready(r->producers) ? NULL : "no Kafka broker is reachable";
}

static void answer_page(struct request *req, const struct answer_page *page)
{
    req->answered = true;
    req->transport->answer(req, &(struct answer){.page = page});
}

static void answer_text(struct request *req, int status, const char *text)
{
    answer_page(req,
                &(struct answer_page){status, "text/plain; charset=utf-8", NULL, slice_str(text)});
}

/* --- /readyz ------------------------------------------------------------------------------- */

/* Why not is the admin listener's to tell: here anybody may ask. */
static void show_readiness(struct request *req)
{
    bool ready = router_not_ready(req->loop->router) == NULL;
    answer_text(req, ready ? 200 : 503, ready ? "ready\n" : "not ready\n");
}

/* --- /api/tenant --------------------------------------------------------------------------- */

static const char *scope_name(int scope)
{
    return scope == SIGNAL_COUNT ? "all" : signal_info[scope].name;
}

static void put_number(struct buf *out, const char *name, bool known, uint64_t n)
{
    if (known)
        buf_printf(out, "\"%s\":%llu", name, (unsigned long long)n);
    else
        buf_printf(out, "\"%s\":null", name);
}

/* null: unlimited. */
static void put_limit(struct buf *out, const char *name, const struct limit *l,
                      const struct limit_state *s, uint64_t now_ns)
{
    buf_printf(out, "\"%s\":", name);
    if (l->rate == 0)
        buf_append_str(out, "null");
    else
        buf_printf(out, "{\"per_second\":%llu,\"burst\":%llu,\"left\":%llu}",
                   (unsigned long long)l->rate, (unsigned long long)l->burst,
                   (unsigned long long)limit_available(s, l, now_ns));
}

/* What this router lets a holder send, per scope. */
static void put_limits(struct buf *out, const struct tenant_limits *limits,
                       const struct tenant_limit_states *states, uint64_t now_ns)
{
    for (int i = 0; i < LIMIT_SCOPE_COUNT; i++) {
        const struct tenant_limits *l = &limits[i];
        buf_printf(out, "%s\"%s\":{", i ? "," : "", scope_name(i));
        put_limit(out, "bytes", &l->bytes, &states[i].bytes, now_ns);
        buf_append_byte(out, ',');
        put_limit(out, "items", &l->items, &states[i].items, now_ns);
        buf_append_byte(out, ',');
        put_limit(out, "requests", &l->requests, &states[i].requests, now_ns);
        buf_append_byte(out, ',');
        put_number(out, "daily_bytes", l->daily != 0, l->daily);
        buf_append_byte(out, '}');
    }
}

static void put_today(struct buf *out, const struct tenant_runtime *rt, uint64_t wall_ns)
{
    uint64_t day = day_of(wall_ns);
    buf_printf(out, "\"today\":{\"ends_in_seconds\":%llu,\"all\":{",
               (unsigned long long)(ns_until_next_day(wall_ns) / NS_PER_S));
    put_number(out, "bytes", true, day_count_read(&rt->limits[SIGNAL_COUNT].today, day));
    buf_append_byte(out, '}');
    for (int i = 0; i < SIGNAL_COUNT; i++)
        buf_printf(out, ",\"%s\":{\"bytes\":%llu,\"items\":%llu,\"requests\":%llu}",
                   signal_info[i].name,
                   (unsigned long long)day_count_read(&rt->limits[i].today, day),
                   (unsigned long long)day_count_read(&rt->items[i], day),
                   (unsigned long long)day_count_read(&rt->requests[i], day));
    buf_append_byte(out, '}');
}

static void put_rates(struct buf *out, const struct tenant_runtime *rt)
{
    buf_append_str(out, "\"rates\":{");
    for (int i = 0; i < SIGNAL_COUNT; i++)
        buf_printf(out,
                   "%s\"%s\":{\"bytes_per_second\":%.1f,\"items_per_second\":%.1f,"
                   "\"requests_per_second\":%.1f}",
                   i ? "," : "", signal_info[i].name, meter_per_second(&rt->rates[i].bytes),
                   meter_per_second(&rt->rates[i].items), meter_per_second(&rt->rates[i].requests));
    buf_append_byte(out, '}');
}

static void put_time(struct buf *out, const char *name, uint64_t wall_ns)
{
    struct tm tm;
    char text[32];
    time_t t = (time_t)(wall_ns / NS_PER_S);
    gmtime_r(&t, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(out, "\"%s\":\"%s.%03lluZ\"", name, text,
               (unsigned long long)(wall_ns % NS_PER_S / NS_PER_MS));
}

static void put_refusals(struct buf *out, struct tenant_runtime *rt)
{
    struct refusals last;
    tenant_refusals(rt, &last);
    buf_append_str(out, "\"refusals\":[");
    for (size_t i = 0; i < last.n; i++) {
        const struct refusal_entry *e = &last.at[i];
        buf_append_str(out, i ? ",{" : "{");
        put_time(out, "last", e->last_ns);
        buf_append_byte(out, ',');
        put_time(out, "first", e->first_ns);
        buf_printf(out,
                   ",\"count\":%llu,\"reason\":\"%s\",\"signal\":", (unsigned long long)e->count,
                   e->reason);
        if (e->signal < SIGNAL_COUNT)
            buf_printf(out, "\"%s\"}", signal_info[e->signal].name);
        else
            buf_append_str(out, "null}");
    }
    buf_append_byte(out, ']');
}

static void put_key(struct buf *out, const struct request *req)
{
    const struct tenant_limits *own = snapshot_key_limits(req->snapshot, req->key);
    buf_printf(out, "\"key\":{\"id\":\"%s\",\"limits\":", req->key->id);
    if (own != NULL) {
        buf_append_byte(out, '{');
        put_limits(out, own, atomic_load(&req->key->runtime->limits), req->loop->now_ns);
        buf_append_byte(out, '}');
    } else {
        buf_append_str(out, "null");
    }
    buf_append_byte(out, '}');
}

static void put_tenant(struct buf *out, const struct request *req)
{
    const struct tenant *t = req->tenant;
    const struct limits_conf *conf = &t->conf->limits;
    buf_append_str(out, "{\"tenant\":");
    json_string(out, slice_str(t->id));
    buf_printf(out, ",\"suspended\":%s,\"dry_run\":%s,\"limits\":{\"wait_seconds\":%.3f,",
               t->suspended ? "true" : "false", conf->dry_run ? "true" : "false",
               (double)conf->wait / NS_PER_S);
    put_number(out, "in_flight_bytes", conf->in_flight != 0, conf->in_flight);
    buf_append_byte(out, ',');
    put_limits(out, t->limits, t->runtime->limits, req->loop->now_ns);
    buf_append_str(out, "},");
    put_number(out, "in_flight_bytes", true, atomic_load(&t->runtime->in_flight));
    buf_append_byte(out, ',');
    put_today(out, t->runtime, req->received_ns);
    buf_append_byte(out, ',');
    put_rates(out, t->runtime);
    buf_append_byte(out, ',');
    put_key(out, req);
    buf_append_byte(out, ',');
    put_refusals(out, t->runtime);
    buf_append_str(out, "}\n");
}

static void show_tenant(struct request *req)
{
    struct buf out = BUF_INIT;
    struct refusal why;
    uint64_t wait_ns;
    if (!authenticate(req, &why)) {
        if (!hold_refusal(req, &why))
            answer_refused(req, &why);
        return;
    }
    if (req->tenant->unreadable) {
        refuse(&why, OUTCOME_TENANT_UNREADABLE);
        answer_refused(req, &why);
        return;
    }
    if (limit_take(&req->tenant->runtime->pages, &page_limit, 1, (struct limit_caller){0, false},
                   req->loop->now_ns, 0, &wait_ns) == LIMIT_REFUSED) {
        answer_text(req, 429, "this page may be asked for five times a second\n");
        return;
    }
    put_tenant(&out, req);
    if (out.failed)
        answer_text(req, 503, "out of memory\n");
    else
        answer_page(req, &(struct answer_page){200, "application/json", NULL, buf_slice(&out)});
    buf_release(&out);
}

/* --- which ----------------------------------------------------------------------------------- */

bool page_answer(struct request *req)
{
    static const struct {
        const char *path;
        void (*show)(struct request *req);
    } pages[] = {{"/readyz", show_readiness}, {"/api/tenant", show_tenant}};
    size_t i = 0, n = sizeof(pages) / sizeof(pages[0]);
    while (i < n && !slice_eq(req->path, slice_str(pages[i].path)))
        i++;
    if (i == n || req->kind != REQUEST_HTTP)
        return false;
    if (slice_eq(req->method, SLICE_LIT("GET")) || slice_eq(req->method, SLICE_LIT("HEAD")))
        pages[i].show(req);
    else
        answer_page(req, &(struct answer_page){405, "text/plain; charset=utf-8", "GET, HEAD",
                                               SLICE_LIT("only GET is allowed here\n")});
    return true;
}
