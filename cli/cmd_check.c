/* check: everything that a start would stumble over, one line each. */
#include "cli/commands.h"
#include "cli/ops.h"

#include "base/clock.h"
#include "base/json.h"
#include "certs/inspect.h"
#include "consumer/export/exporter.h"
#include "tenancy/topics/want.h"

#include <stdio.h>
#include <string.h>

#define RENEW_DAYS     14
#define SECONDS_OF_DAY 86400

struct report {
    const struct args *a;
    bool json, colour, problems;
    struct buf out;
};

/* One line. `what` is what was looked at: "certificate", "topic otlp.acme.logs". */
static void tell(struct report *r, bool ok, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void tell(struct report *r, bool ok, const char *what, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    r->problems = r->problems || !ok;
    if (!r->json) {
        const char *colour = ok ? "\x1b[32m" : "\x1b[31m";
        buf_printf(&r->out, "%s%s%s: %s: %s\n", r->colour ? colour : "", ok ? "ok" : "problem",
                   r->colour ? "\x1b[0m" : "", what, text);
        return;
    }
    buf_printf(&r->out, "%s{\"ok\":%s,\"what\":", r->out.len ? ",\n" : "", ok ? "true" : "false");
    json_string(&r->out, slice_str(what));
    buf_append_str(&r->out, ",\"detail\":");
    json_string(&r->out, slice_str(text));
    buf_append_byte(&r->out, '}');
}

/* ---- config ---- */

/* False when there is nothing to go on with. */
static bool check_config(struct report *r, struct cli_tenancy *c)
{
    struct errbuf err = ERRBUF_INIT;
    size_t n;
    c->t = tenancy_open(cli_config(r->a), NULL, &err);
    c->s = c->t ? tenancy_acquire(c->t) : NULL;
    if (c->s == NULL) {
        tell(r, false, "config", "%s", err.text);
        return false;
    }
    tell(r, true, "config", "%s, %zu tenant%s", cli_config(r->a), c->s->n_tenants,
         c->s->n_tenants == 1 ? "" : "s");
    const struct tenancy_notice *notices = tenancy_notices(c->t, &n);
    for (size_t i = 0; i < n; i++)
        tell(r, false, "config", "%s", notices[i].text);
    return true;
}

/* ---- certificate ---- */

static bool has_tls(const struct router_conf *conf)
{
    const struct listen_conf *listeners = conf->listen.at;
    for (size_t i = 0; i < conf->listen.n; i++)
        if (!listeners[i].insecure)
            return true;
    return false;
}

static void check_dates(struct report *r, const char *what, const struct cert_facts *f)
{
    char from[CLI_TIME_SIZE], to[CLI_TIME_SIZE];
    uint64_t now_s = clock_wall_ns() / NS_PER_S;
    cli_time(f->not_before_s, from);
    cli_time(f->not_after_s, to);
    if (now_s < f->not_before_s)
        tell(r, false, what, "it is not valid before %s: make another one, or set the clock", from);
    else if (now_s >= f->not_after_s)
        tell(r, false, what, "it has expired at %s: renew it", to);
    else if (f->not_after_s - now_s < (uint64_t)RENEW_DAYS * SECONDS_OF_DAY)
        tell(r, false, what, "it expires at %s, in %llu days: renew it", to,
             (unsigned long long)(f->not_after_s - now_s) / SECONDS_OF_DAY);
    else
        tell(r, true, what, "valid until %s", to);
}

static void check_pair(struct report *r, const char *certificate, const char *private_key)
{
    struct cert_facts f;
    struct errbuf err = ERRBUF_INIT;
    char what[512];
    snprintf(what, sizeof(what), "certificate %s", certificate);
    if (cert_inspect(certificate, private_key, &f, &err) < 0) {
        tell(r, false, "certificate",
             "%s: name the files by router.certificate and router.private_key, or make some to "
             "try out by `tenantry certs dev`",
             err.text);
        return;
    }
    check_dates(r, what, &f);
    tell(r, f.names[0] != 0, what, "%s",
         f.names[0] ? f.names
                    : "it has no subject alternative name, so every client refuses it: make "
                      "one with the names that senders use");
}

static void check_certificates(struct report *r, const struct router_conf *conf)
{
    const struct certificate_conf *more = conf->certificates.at;
    if (!has_tls(conf)) {
        tell(r, true, "certificate", "no listener uses TLS");
        return;
    }
    check_pair(r, conf->certificate, conf->private_key);
    for (size_t i = 0; i < conf->certificates.n; i++)
        check_pair(r, more[i].certificate, more[i].private_key);
}

/* ---- Kafka ---- */

static void check_brokers(struct report *r, struct kafka_log *log, const char *brokers)
{
    struct errbuf err = ERRBUF_INIT;
    int n = kafka_log_brokers(log, &err);
    if (n < 0)
        tell(r, false, "kafka", "%s", err.text);
    else
        tell(r, true, "kafka", "%s, cluster %s, %d broker%s", brokers, kafka_log_cluster(log), n,
             n == 1 ? "" : "s");
}

static void check_topic(struct report *r, struct kafka_log *log, const struct ops *o,
                        const struct tenant *t, int kind)
{
    const char *topic = topic_name(t, kind);
    struct errbuf err = ERRBUF_INIT;
    char what[320];
    int n = kafka_log_partitions(log, topic, &err);
    struct topic_facts facts = {o->conf, t, kind, 0, 0, n};
    int64_t wanted = topic_properties[TOPIC_PARTITIONS].number(&facts);
    snprintf(what, sizeof(what), "topic %s", topic);
    if (n < 0)
        tell(r, false, what, "%s", err.text);
    else if (n == 0)
        tell(r, false, what,
             "it does not exist: `tenantry apply` makes it, as `tenantry up` and `tenantry "
             "supervise` do when they run");
    else if (n != wanted)
        tell(r, false, what,
             "it has %d partition%s, topics.partitions of tenant %s is %lld: `tenantry plan` tells "
             "what can be done",
             n, n == 1 ? "" : "s", t->id, (long long)wanted);
    else
        tell(r, true, what, "%d partition%s", n, n == 1 ? "" : "s");
}

static bool check_kafka(struct report *r, const struct ops *o, const struct tenant *t, bool first)
{
    struct errbuf err = ERRBUF_INIT;
    struct kafka_log *log = ops_kafka(o, t, &err);
    if (log == NULL) {
        tell(r, false, "kafka", "%s", err.text);
        return false;
    }
    if (first)
        check_brokers(r, log, o->brokers);
    for (int kind = 0; kind < TOPIC_COUNT; kind++)
        check_topic(r, log, o, t, kind);
    kafka_log_close(log);
    return true;
}

static void check_topics(struct report *r, const struct ops *o)
{
    bool answers = true;
    if (o->brokers[0] == 0)
        tell(r, true, "kafka",
             "kafka.brokers is not set: `tenantry up` runs its own, which does not run now, so "
             "topics were not looked at");
    else
        for (size_t i = 0; answers && i < o->n; i++)
            answers = check_kafka(r, o, &o->tenants[i], i == 0);
}

/* ---- databases ---- */

static void check_database(struct report *r, const struct tenant *t)
{
    struct errbuf err = ERRBUF_INIT;
    char what[128];
    snprintf(what, sizeof(what), "database of tenant %s", t->id);
    struct exporter *x = exporter_for(t)->open(t, EXPORTER_READ, &err);
    enum export_result result = x ? x->ops->prepare(x, &err) : EXPORT_CONFIGURATION;
    if (result == EXPORT_OK)
        tell(r, true, what, "%s %s", x->ops->name, t->conf->database.target);
    else
        tell(r, result == EXPORT_MISSING, what, "%s", err.text);
    if (x != NULL)
        x->ops->close(x);
}

/* ---- all of it ---- */

static void check_all(struct report *r)
{
    struct ops o = {.a = r->a};
    if (check_config(r, &o.c)) {
        ops_choose(&o);
        check_certificates(r, &o.conf->router);
        check_topics(r, &o);
        for (size_t i = 0; i < o.n; i++)
            check_database(r, &o.tenants[i]);
    }
    ops_close(&o);
}

int cmd_check(struct args *a)
{
    static const struct arg_row rows[] = {ARG_ROW_CONFIG, ARG_ROW_JSON, ARG_ROW_BROKERS, {0}};
    static const struct args_spec spec = {
        "", 0, 0,
        "Looks at everything that a start would stumble over: the config and all files of tenants\n"
        "and keys, the certificate and its key, the brokers, each tenant's topics and database.\n"
        "Changes nothing. Exit code 1: there are problems.",
        rows};
    int code = args_parse(a, &spec);
    if (code != ARGS_GO_ON)
        return code;
    struct report r = {.a = a, .json = args_flag(a, "--json"), .colour = cli_colour()};
    check_all(&r);
    if (r.json)
        printf("[%s]\n", buf_cstr(&r.out));
    else
        fputs(buf_cstr(&r.out), stdout);
    buf_release(&r.out);
    return r.problems ? EXIT_FAILED : EXIT_DONE;
}
