#include "cli/router_api.h"

#include "base/buf.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>

#define ANSWER_MS      2000L
#define ANSWER_CEILING (64 << 20)

static size_t on_body(char *at, size_t size, size_t n, void *arg)
{
    return buf_append(arg, at, size * n) < 0 ? 0 : size * n;
}

/* 0, or a negative errno with a sentence. */
static int get(const char *url, struct buf *body, struct errbuf *err)
{
    char why[CURL_ERROR_SIZE] = "";
    long status = 0;
    CURL *c = curl_easy_init();
    if (c == NULL)
        return errbuf_set(err, ENOMEM, "out of memory");
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, ANSWER_MS);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, body);
    CURLcode rc = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(c);
    if (rc != CURLE_OK)
        return errbuf_set(err, EAGAIN, "router not reachable at %s: %s", url,
                          why[0] ? why : curl_easy_strerror(rc));
    if (status != 200)
        return errbuf_set(err, EAGAIN, "router at %s answers with status %ld", url, status);
    return 0;
}

yajl_val router_api_status(const struct conf *conf, struct errbuf *err)
{
    char url[512];
    struct buf body = BUF_INIT_CEILING(ANSWER_CEILING);
    if (conf->router.admin[0] == 0) {
        errbuf_set(err, ENOENT,
                   "router not asked: router.admin is off, so it has no place to be asked at");
        return NULL;
    }
    snprintf(url, sizeof(url), "http://%s/api/status", conf->router.admin);
    yajl_val tree = get(url, &body, err) == 0 ? json_tree_parse(buf_slice(&body), url, err) : NULL;
    buf_release(&body);
    return tree;
}

yajl_val router_api_tenant(yajl_val status, const char *tenant)
{
    yajl_val tenants = json_tree_member(status, "tenants");
    for (size_t i = 0; i < json_tree_length(tenants); i++)
        if (strcmp(json_tree_text(json_tree_at(tenants, i), "id"), tenant) == 0)
            return json_tree_at(tenants, i);
    return NULL;
}

static uint64_t number(yajl_val object, const char *name)
{
    int64_t n = json_tree_number(object, name, 0);
    return n > 0 ? (uint64_t)n : 0;
}

/* The row of this reason; NULL when there are too many: the sums have it. */
static struct router_refusal *row_of(struct router_refusal *rows, size_t *n, const char *reason)
{
    size_t i = 0;
    while (i < *n && strcmp(rows[i].reason, reason) != 0)
        i++;
    if (i == ROUTER_MOST_REASONS)
        return NULL;
    if (i == *n)
        rows[(*n)++] = (struct router_refusal){.reason = reason};
    return &rows[i];
}

static void add_refusal(struct router_counts *c, const char *reason, yajl_val counts)
{
    struct router_refusal *row = row_of(c->refusals, &c->n, reason);
    if (row == NULL)
        return;
    row->requests += number(counts, "requests");
    row->items += number(counts, "items");
}

static void add_dry_run(struct router_counts *c, yajl_val counts)
{
    for (size_t i = 0; YAJL_IS_OBJECT(counts) && i < counts->u.object.len; i++) {
        const char *reason = counts->u.object.keys[i];
        struct router_refusal *row = row_of(c->dry_run, &c->n_dry_run, reason);
        if (row != NULL)
            row->requests += number(counts, reason);
    }
}

static void add_signal(struct router_counts *c, yajl_val signal)
{
    yajl_val accepted = json_tree_member(signal, "accepted");
    yajl_val refused = json_tree_member(signal, "refused");
    c->accepted_requests += number(accepted, "requests");
    c->accepted_items += number(accepted, "items");
    for (size_t i = 0; YAJL_IS_OBJECT(refused) && i < refused->u.object.len; i++) {
        yajl_val counts = refused->u.object.values[i];
        c->refused_requests += number(counts, "requests");
        c->refused_items += number(counts, "items");
        add_refusal(c, refused->u.object.keys[i], counts);
    }
    add_dry_run(c, json_tree_member(signal, "dry_run"));
}

void router_api_counts(yajl_val tenant, struct router_counts *ret)
{
    yajl_val signals = json_tree_member(tenant, "signals");
    *ret = (struct router_counts){.stalled_s = (double)number(tenant, "stalled_s")};
    for (size_t i = 0; YAJL_IS_OBJECT(signals) && i < signals->u.object.len; i++)
        add_signal(ret, signals->u.object.values[i]);
}
