#include "cli/ops.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const char ops_no_brokers[] =
    "kafka.brokers is not set and no `tenantry up` is running: start it, or name the brokers by "
    "--brokers";

static const char *find_brokers(const struct ops *o)
{
    const char *given = args_text(o->a, "--brokers");
    if (given != NULL)
        return given;
    if (o->conf->kafka.brokers[0] != 0)
        return o->conf->kafka.brokers;
    return o->supervisor.alive ? o->supervisor.brokers : "";
}

static void choose_brokers(struct ops *o)
{
    struct errbuf err = ERRBUF_INIT;
    o->conf = o->c.s->conf;
    if (run_supervisor_read(o->conf->state, &o->arena, &o->supervisor, &err) < 0)
        cli_fail(o->a, "%s", err.text); /* the rest can be told without it */
    o->brokers = find_brokers(o);
    o->tenants = o->c.s->tenants;
    o->n = o->c.s->n_tenants;
}

bool ops_choose(struct ops *o)
{
    const char *id = o->a->n_operands > 0 ? o->a->operands[0] : NULL;
    choose_brokers(o);
    o->tenants = id ? snapshot_tenant(o->c.s, slice_str(id)) : o->c.s->tenants;
    o->n = id ? o->tenants != NULL : o->c.s->n_tenants;
    if (id != NULL && o->n == 0)
        cli_fail(o->a, "there is no tenant \"%s\": `tenantry tenant list` shows them", id);
    return id == NULL || o->n > 0;
}

bool ops_open(struct ops *o, const struct args *a)
{
    *o = (struct ops){.a = a};
    return cli_open_snapshot(a, &o->c) && ops_choose(o);
}

bool ops_open_all(struct ops *o, const struct args *a)
{
    *o = (struct ops){.a = a};
    if (!cli_open_snapshot(a, &o->c))
        return false;
    choose_brokers(o);
    return true;
}

bool ops_named(const struct ops *o, struct tenant **ret, size_t *ret_n)
{
    const struct snapshot *s = o->c.s;
    size_t n = o->a->n_operands ? (size_t)o->a->n_operands : s->n_tenants;
    *ret = calloc(n + 1, sizeof(**ret));
    *ret_n = 0;
    if (*ret == NULL)
        return cli_fail(o->a, "out of memory") == EXIT_DONE;
    for (size_t i = 0; i < n; i++) {
        const struct tenant *t = &s->tenants[i];
        if (o->a->n_operands > 0)
            t = snapshot_tenant(s, slice_str(o->a->operands[i]));
        if (t == NULL || t->unreadable) {
            cli_fail(o->a, "there is no tenant \"%s\": `tenantry tenant list` shows them",
                     o->a->operands[i]);
            return false;
        }
        (*ret)[(*ret_n)++] = *t;
    }
    return true;
}

void ops_close(struct ops *o)
{
    arena_release(&o->arena);
    cli_close(&o->c);
}

struct kafka_log *ops_kafka(const struct ops *o, const struct tenant *t, struct errbuf *err)
{
    if (o->brokers[0] != 0)
        return kafka_log_open(o->conf, o->brokers, t, KAFKA_LOG_PATIENCE_MS, err);
    errbuf_set(err, ENOENT, "%s", ops_no_brokers);
    return NULL;
}

const char *ops_number(uint64_t n, bool json, char out[OPS_TEXT_SIZE])
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, n), at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0 && !json)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
    return out;
}

const char *ops_seconds(double seconds, char out[OPS_TEXT_SIZE])
{
    uint64_t whole = (uint64_t)seconds;
    if (whole < 60)
        snprintf(out, OPS_TEXT_SIZE, "%.1f s", seconds);
    else if (whole < 3600)
        snprintf(out, OPS_TEXT_SIZE, "%" PRIu64 " min %" PRIu64 " s", whole / 60, whole % 60);
    else
        snprintf(out, OPS_TEXT_SIZE, "%" PRIu64 " h %" PRIu64 " min", whole / 3600,
                 whole / 60 % 60);
    return out;
}
