#include "cli/kafka_view.h"

#include "base/json.h"
#include "cli/common.h"
#include "cli/listing.h"
#include "cli/ops.h"

#include <inttypes.h>

/* What a partition's trouble does to its tenant, and what helps. */
static const char *partition_advice(const struct cluster_partition *p)
{
    return p->leader < 0 ? "nothing gets in or out: start a broker that holds it"
                         : "works with fewer copies: start the broker that is behind or away";
}

static const char *topic_advice(const struct cluster_topic *t)
{
    return t->missing ? "missing: its senders get 503; `up` and `supervise` make it"
                      : "it cannot be asked about: rights of our user?";
}

/* ---- text ---- */

static void brokers_text(const struct cluster_view *v, struct buf *out)
{
    static const struct listing_column columns[] = {
        {"BROKER", "", LISTING_NUMBER},
        {"ADDRESS", "", LISTING_TEXT},
        {"LEADS", "", LISTING_NUMBER},
        {0},
    };
    struct listing l = LISTING_INIT(columns);
    for (size_t i = 0; i < v->n_brokers; i++) {
        listing_cell(&l, "%" PRId32, v->brokers[i].id);
        listing_cell(&l, "%s:%d", v->brokers[i].host, v->brokers[i].port);
        listing_cell(&l, "%u", v->brokers[i].leads);
    }
    for (size_t i = 0; i < v->n_gone; i++) {
        listing_cell(&l, "%" PRId32, v->gone[i]);
        listing_cell(&l, "down");
        listing_cell(&l, "0");
    }
    listing_print(&l, false, cli_colour(), out);
    listing_release(&l);
}

static void counts_text(const char *whose, const struct cluster_counts *c, struct buf *out)
{
    buf_printf(out,
               "%s: %u topics with %u partitions, %u without a leader, %u with too few copies in "
               "step",
               whose, c->topics, c->partitions, c->leaderless, c->under_replicated);
}

static void trouble_text(const struct cluster_view *v, struct buf *out)
{
    static const struct listing_column columns[] = {
        {"TOPIC", "", LISTING_TEXT},      {"PARTITION", "", LISTING_NUMBER},
        {"LEADER", "", LISTING_NUMBER},   {"IN STEP", "", LISTING_NUMBER},
        {"WHAT TO DO", "", LISTING_TEXT}, {0},
    };
    struct listing l = LISTING_INIT(columns);
    for (size_t i = 0; i < v->n_trouble; i++) {
        const struct cluster_topic *t = &v->trouble[i];
        for (size_t p = 0; p < t->n; p++) {
            listing_cell(&l, "%s", t->name);
            listing_cell(&l, "%" PRId32, t->at[p].id);
            if (t->at[p].leader < 0)
                listing_cell(&l, "none");
            else
                listing_cell(&l, "%" PRId32, t->at[p].leader);
            listing_cell(&l, "%u of %u", t->at[p].in_sync, t->at[p].replicas);
            listing_cell(&l, "%s", partition_advice(&t->at[p]));
        }
        if (t->n > 0)
            continue;
        listing_cell(&l, "%s", t->name);
        for (int cell = 0; cell < 3; cell++)
            listing_cell(&l, "-");
        listing_cell(&l, "%s%s%s", t->error, t->error[0] ? ": " : "", topic_advice(t));
    }
    if (v->n_trouble > 0) {
        buf_append_byte(out, '\n');
        listing_print(&l, false, cli_colour(), out);
    }
    listing_release(&l);
}

void kafka_view_text(const struct cluster_view *v, const char *brokers, struct buf *out)
{
    buf_printf(out, "Kafka at %s: cluster %s, %zu broker%s", brokers, v->id, v->n_brokers,
               v->n_brokers == 1 ? "" : "s");
    if (v->controller >= 0)
        buf_printf(out, ", changes go to broker %" PRId32, v->controller);
    buf_append_str(out, "\n\n");
    brokers_text(v, out);
    buf_append_byte(out, '\n');
    counts_text("tenants", &v->ours, out);
    buf_printf(out, ", %u missing\n", v->missing);
    counts_text("others", &v->others, out);
    buf_append_byte(out, '\n');
    trouble_text(v, out);
}

/* ---- JSON ---- */

static void counts_json(struct buf *out, const char *name, const struct cluster_counts *c)
{
    buf_printf(out,
               ",\"%s\":{\"topics\":%u,\"partitions\":%u,\"leaderless\":%u,"
               "\"under_replicated\":%u}",
               name, c->topics, c->partitions, c->leaderless, c->under_replicated);
}

static void brokers_json(struct buf *out, const struct cluster_view *v)
{
    buf_append_str(out, ",\"brokers\":[");
    for (size_t i = 0; i < v->n_brokers; i++) {
        buf_printf(out, "%s{\"id\":%" PRId32 ",\"host\":", i ? "," : "", v->brokers[i].id);
        json_string(out, slice_str(v->brokers[i].host));
        buf_printf(out, ",\"port\":%d,\"leads\":%u}", v->brokers[i].port, v->brokers[i].leads);
    }
    buf_append_str(out, "],\"brokers_gone\":[");
    for (size_t i = 0; i < v->n_gone; i++)
        buf_printf(out, "%s%" PRId32, i ? "," : "", v->gone[i]);
    buf_append_str(out, "]");
}

static void topic_json(struct buf *out, const struct cluster_topic *t)
{
    buf_append_str(out, "{\"topic\":");
    json_string(out, slice_str(t->name));
    buf_append_str(out, ",\"tenant\":");
    json_string(out, slice_str(t->tenant));
    buf_printf(out, ",\"missing\":%s,\"error\":", t->missing ? "true" : "false");
    if (t->error[0] != 0)
        json_string(out, slice_str(t->error));
    else
        buf_append_str(out, "null");
    buf_append_str(out, ",\"partitions\":[");
    for (size_t p = 0; p < t->n; p++) {
        buf_printf(out, "%s{\"partition\":%" PRId32 ",\"leader\":", p ? "," : "", t->at[p].id);
        if (t->at[p].leader < 0)
            buf_append_str(out, "null");
        else
            buf_printf(out, "%" PRId32, t->at[p].leader);
        buf_printf(out, ",\"replicas\":%u,\"in_sync\":%u}", t->at[p].replicas, t->at[p].in_sync);
    }
    buf_append_str(out, "]}");
}

void kafka_view_json(const struct cluster_view *v, const char *brokers, const char *problem,
                     struct buf *out)
{
    buf_append_str(out, "{\"bootstrap\":");
    json_string(out, slice_str(brokers));
    buf_printf(out, ",\"reachable\":%s,\"problem\":", problem[0] ? "false" : "true");
    if (problem[0] != 0) {
        json_string(out, slice_str(problem));
        buf_append_str(out, "}\n");
        return;
    }
    buf_append_str(out, "null,\"cluster\":");
    json_string(out, slice_str(v->id));
    buf_printf(out, ",\"controller\":%" PRId32, v->controller);
    brokers_json(out, v);
    counts_json(out, "tenants", &v->ours);
    buf_printf(out, ",\"missing_topics\":%u", v->missing);
    counts_json(out, "others", &v->others);
    buf_append_str(out, ",\"trouble\":[");
    for (size_t i = 0; i < v->n_trouble; i++) {
        buf_append_str(out, i ? ",\n" : "");
        topic_json(out, &v->trouble[i]);
    }
    buf_append_str(out, "]}\n");
}
