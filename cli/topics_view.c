#include "cli/topics_view.h"

#include "base/json.h"
#include "cli/ops.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- text ---- */

static const struct {
    char mark;
    const char *colour, *note;
} cares[TOPIC_CARE_COUNT] = {
    [TOPIC_SAFE] = {'~', "\x1b[33m", ""},
    [TOPIC_ASKS] = {'!', "\x1b[31m", " (asks first)"},
    [TOPIC_BY_HAND] = {'x', "\x1b[35m", " (by hand)"},
};

void topics_view_count(struct buf *out, size_t n, const char *thing)
{
    char text[OPS_TEXT_SIZE];
    buf_printf(out, "%s %s%s", ops_number(n, false, text), thing, n == 1 ? "" : "s");
}

static void line(struct buf *out, bool colour, const char *code, const char *text)
{
    buf_printf(out, "  %s%s%s\n", colour ? code : "", text, colour ? "\x1b[0m" : "");
}

static void wanted_for_people(const struct topic_plan *t, size_t i, char out[TOPIC_VALUE_SIZE])
{
    char value[TOPIC_VALUE_SIZE];
    topic_for_people(&topic_properties[i], topic_wanted(&topic_properties[i], &t->facts, value),
                     out);
}

static void show_missing(const struct topic_plan *t, bool colour, struct buf *out)
{
    struct buf text = BUF_INIT;
    char value[TOPIC_VALUE_SIZE];
    buf_append_str(&text, "+ it is made:");
    for (size_t i = 0; i < TOPIC_PROPERTY_COUNT; i++) {
        if (!topic_properties[i].at_birth)
            continue;
        wanted_for_people(t, i, value);
        buf_printf(&text, "%s %s %s", i ? "," : "", topic_properties[i].name, value);
    }
    line(out, colour, "\x1b[32m", buf_cstr(&text));
    buf_release(&text);
}

static void show_change(const struct topic_change *c, bool colour, struct buf *out)
{
    struct buf text = BUF_INIT;
    char was[TOPIC_VALUE_SIZE], will[TOPIC_VALUE_SIZE];
    buf_printf(&text, "%c %s %s -> %s: %s%s", cares[c->care].mark, c->property->name,
               topic_for_people(c->property, c->was, was),
               topic_for_people(c->property, c->wanted, will), c->effect, cares[c->care].note);
    line(out, colour, cares[c->care].colour, buf_cstr(&text));
    buf_release(&text);
}

static void show_topic(const struct topic_plan *t, bool colour, struct buf *out)
{
    if (!t->missing && t->n == 0 && t->problem == NULL)
        return;
    buf_printf(out, "%s\n", t->name);
    if (t->missing)
        show_missing(t, colour, out);
    for (size_t i = 0; i < t->n; i++)
        show_change(&t->changes[i], colour, out);
    if (t->problem != NULL) {
        struct buf text = BUF_INIT;
        buf_printf(&text, "x %s", t->problem);
        line(out, colour, "\x1b[31m", buf_cstr(&text));
        buf_release(&text);
    }
}

static void show_sums(const struct plan *p, struct buf *out)
{
    size_t tenants = p->n / TOPIC_COUNT;
    if (plan_is_empty(p)) {
        buf_append_str(out, "Nothing to do: ");
        topics_view_count(out, p->n, "topic");
        buf_append_str(out, " of ");
        topics_view_count(out, tenants, "tenant");
        buf_append_str(out, p->n == 1 ? " is" : " are");
        buf_append_str(out, " as the config says.\n");
        return;
    }
    topics_view_count(out, p->missing, "topic");
    buf_append_str(out, " to make, ");
    topics_view_count(out, p->care[TOPIC_SAFE] + p->care[TOPIC_ASKS], "change");
    buf_printf(out, " to make (%zu of them ask first), %zu by hand, ", p->care[TOPIC_ASKS],
               p->care[TOPIC_BY_HAND]);
    topics_view_count(out, p->problems, "problem");
    buf_append_str(out, "; ");
    topics_view_count(out, tenants, "tenant");
    buf_append_str(out, ".\n");
}

static uint64_t budget_of(const struct plan *p, const struct conf *conf)
{
    return conf->kafka.max_replicas * (uint64_t)(p->cluster.brokers > 0 ? p->cluster.brokers : 1);
}

static void show_replicas(const struct plan *p, const struct conf *conf, struct buf *out)
{
    char now[OPS_TEXT_SIZE], after[OPS_TEXT_SIZE], budget[OPS_TEXT_SIZE];
    uint64_t most = budget_of(p, conf);
    buf_printf(
        out, "Replicas in the cluster: %s now, %s then; %d broker%s should hold %s at most.\n",
        ops_number(p->cluster.replicas, false, now), ops_number(p->replicas_after, false, after),
        p->cluster.brokers, p->cluster.brokers == 1 ? "" : "s", ops_number(most, false, budget));
    if (p->replicas_after > most)
        buf_append_str(out, "Warning: that is more than kafka.max_replicas for each broker: with "
                            "too many, restarts and failovers take minutes. Add brokers, lower "
                            "topics.partitions, or raise kafka.max_replicas.\n");
}

void topics_view_text(const struct plan *p, const struct conf *conf, bool colour, struct buf *out)
{
    for (size_t i = 0; i < p->n; i++)
        show_topic(&p->topics[i], colour, out);
    show_sums(p, out);
    show_replicas(p, conf, out);
}

/* ---- JSON ---- */

static void member(struct buf *out, const char *before, const char *name, const char *value)
{
    buf_printf(out, "%s\"%s\": ", before, name);
    if (value == NULL)
        buf_append_str(out, "null");
    else
        json_string(out, slice_str(value));
}

static void json_change(const struct topic_change *c, bool first, struct buf *out)
{
    member(out, first ? "\n    {" : ",\n    {", "property", c->property->name);
    member(out, ", ", "now", c->was);
    member(out, ", ", "wanted", c->wanted);
    member(out, ", ", "care", topic_care_names[c->care]);
    member(out, ", ", "effect", c->effect);
    buf_append_byte(out, '}');
}

static void json_topic(const struct topic_plan *t, bool first, struct buf *out)
{
    member(out, first ? "\n  {" : ",\n  {", "topic", t->name);
    member(out, ", ", "tenant", t->facts.tenant->id);
    buf_printf(out, ", \"missing\": %s", t->missing ? "true" : "false");
    member(out, ", ", "problem", t->problem);
    buf_append_str(out, ", \"changes\": [");
    for (size_t i = 0; i < t->n; i++)
        json_change(&t->changes[i], i == 0, out);
    buf_append_str(out, "]}");
}

void topics_view_json(const struct plan *p, const struct conf *conf, const char *result,
                      struct buf *out)
{
    buf_append_str(out, "{\"topics\": [");
    for (size_t i = 0; i < p->n; i++)
        json_topic(&p->topics[i], i == 0, out);
    buf_printf(out,
               "],\n \"missing\": %zu, \"safe\": %zu, \"asks\": %zu, \"by_hand\": %zu, "
               "\"problems\": %zu,\n \"brokers\": %d, \"replicas\": %" PRIu64
               ", \"replicas_after\": %" PRIu64 ", \"most_replicas\": %" PRIu64 "%s}\n",
               p->missing, p->care[TOPIC_SAFE], p->care[TOPIC_ASKS], p->care[TOPIC_BY_HAND],
               p->problems, p->cluster.brokers, p->cluster.replicas, p->replicas_after,
               budget_of(p, conf), result ? result : "");
}
