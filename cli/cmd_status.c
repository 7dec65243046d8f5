/* status: gathers what router, Kafka, databases and run files tell of each tenant. */
#include "cli/commands.h"
#include "cli/kafka_view.h"
#include "cli/status_view.h"

#include "base/clock.h"

#include <stdlib.h>

static void add_totals(struct status_tenant *s)
{
    for (const struct book_entry *e = s->lag.book.entries; e != NULL; e = e->next) {
        enum signal signal = tenant_signal_of(s->t, slice_str(e->topic));
        if (signal < SIGNAL_COUNT)
            s->written[signal] += e->p.totals.items;
        s->dlq_records += e->p.totals.dlq_records;
        s->lost_records += e->p.totals.lost_records;
    }
}

/* A Kafka that does not answer is asked once: with each tenant's wait thousands would take hours.
 */
static void measure(const struct ops *o, struct status_tenant *s, struct errbuf *kafka_problem)
{
    struct kafka_log *log = NULL;
    if (kafka_problem->text[0] == 0 && (log = ops_kafka(o, s->t, &s->kafka_problem)) == NULL)
        *kafka_problem = s->kafka_problem;
    else if (log == NULL)
        s->kafka_problem = *kafka_problem;
    s->measured = log != NULL && lag_measure(log, s->t, &s->lag, &s->kafka_problem) == 0;
    for (size_t i = 0; i < s->lag.n; i++)
        s->in_kafka += (uint64_t)(s->lag.units[i].high - s->lag.units[i].low);
    kafka_log_close(log);
}

/* The totals do not need Kafka. */
static void read_database(struct status_tenant *s)
{
    struct errbuf err;
    struct exporter *x = exporter_for(s->t)->open(s->t, EXPORTER_READ, &err);
    if (x == NULL)
        return;
    book_release(&s->lag.book);
    s->lag.book = (struct book){0};
    book_read(x, &s->lag.book);
    x->ops->close(x);
}

static void gather(struct ops *o, struct status_tenant *s, yajl_val router,
                   struct errbuf *kafka_problem)
{
    struct errbuf err = ERRBUF_INIT;
    yajl_val routed = router_api_tenant(router, s->t->id);
    s->routed = routed != NULL;
    router_api_counts(routed, &s->router);
    measure(o, s, kafka_problem);
    if (!s->measured)
        read_database(s);
    s->read = s->lag.book.result == EXPORT_OK || s->lag.book.result == EXPORT_MISSING;
    add_totals(s);
    s->patience_s = 5 + 2 * (double)o->conf->consumer.status_interval / NS_PER_S;
    if (run_workers_read(o->conf->state, s->t->id, &o->arena, &s->workers, &err) < 0)
        cli_fail(o->a, "%s", err.text);
    if (o->supervisor.alive)
        s->process = run_supervisor_consumer(&o->supervisor, s->t->id, &o->arena);
}

static int tell(struct ops *o)
{
    struct status s = {.o = o, .n = o->n, .tenants = calloc(o->n + 1, sizeof(*s.tenants))};
    struct buf out = BUF_INIT;
    int code = EXIT_DONE;
    if (s.tenants == NULL)
        return cli_fail(o->a, "out of memory");
    yajl_val router = router_api_status(o->conf, &s.router_problem);
    for (size_t i = 0; i < o->n; i++) {
        s.tenants[i].t = &o->tenants[i];
        gather(o, &s.tenants[i], router, &s.kafka_problem);
        if (!s.tenants[i].measured)
            code = EXIT_FAILED;
    }
    if (args_flag(o->a, "--json"))
        status_view_json(&s, &out);
    else
        status_view_text(&s, o->a->n_operands > 0, &out);
    cli_print(&out);
    for (size_t i = 0; i < o->n; i++)
        lag_release(&s.tenants[i].lag);
    yajl_tree_free(router);
    free(s.tenants);
    return code;
}

static int tell_kafka(struct ops *o)
{
    struct errbuf err = ERRBUF_INIT;
    struct cluster_view v = {.id = "", .controller = -1};
    struct buf out = BUF_INIT;
    struct kafka_log *log = ops_kafka(o, NULL, &err);
    bool told = log != NULL && kafka_log_view(log, o->tenants, o->n, &v, &err) == 0;
    kafka_log_close(log);
    if (args_flag(o->a, "--json"))
        kafka_view_json(&v, o->brokers, told ? "" : err.text, &out);
    else if (told)
        kafka_view_text(&v, o->brokers, &out);
    else
        cli_fail(o->a, "%s", err.text);
    cli_print(&out);
    cluster_view_release(&v);
    return told ? EXIT_DONE : EXIT_FAILED;
}

int cmd_status(struct args *a)
{
    static const struct arg_row rows[] = {
        ARG_ROW_CONFIG,
        ARG_ROW_JSON,
        ARG_ROW_BROKERS,
        {"--kafka", ARG_FLAG, NULL, NULL,
         "the cluster instead: brokers, and which topics have no leader or too few copies"},
        {0}};
    static const struct args_spec spec = {
        "[TENANT]", 0, 1,
        "Shows per tenant what the router accepted and refused since it started, what stands in\n"
        "Kafka, what is written and dead-lettered, how far the database is behind (in records,\n"
        "and in time by the age of the first record that is not written) and what the consumer\n"
        "does. The lag is computed from Kafka and the database themselves, so it is right while\n"
        "the worker, or the database, is down. With --kafka: the cluster's brokers and what is "
        "wrong\n"
        "with tenants' topics. Exit code 1: Kafka does not answer.",
        rows};
    struct ops o;
    int code = args_parse(a, &spec);
    if (code != ARGS_GO_ON)
        return code;
    if (!ops_open(&o, a))
        code = EXIT_FAILED;
    else
        code = args_flag(a, "--kafka") ? tell_kafka(&o) : tell(&o);
    ops_close(&o);
    return code;
}
