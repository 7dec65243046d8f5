/* plan and apply: tenants' topics as the config says. */
#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/ops.h"
#include "cli/plan_acls.h"
#include "cli/topics_view.h"

#include "tenancy/topics/apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ANSWER_MS 30000

enum { EXIT_DIFFERENT = 2 };

/* What both need. */
struct work {
    const struct args *a;
    struct ops o;
    struct tenant *tenants; /* those that are named, or all */
    size_t n;
    rd_kafka_t *rk;
    struct topic_admin admin;
    struct plan plan;
};

static bool make_plan(struct work *w)
{
    struct errbuf err = ERRBUF_INIT;
    if (w->o.brokers[0] == 0) {
        cli_fail(w->a, "%s", ops_no_brokers);
        return false;
    }
    w->rk = topic_admin_connect(w->o.conf, w->o.brokers, KAFKA_LOG_PATIENCE_MS, &err);
    w->admin = (struct topic_admin){w->rk, ANSWER_MS};
    if (w->rk != NULL && plan_make(&w->admin, w->o.conf, w->tenants, w->n, &w->plan, &err) == 0)
        return true;
    cli_fail(w->a, "%s", err.text);
    return false;
}

static bool work_open(struct work *w, const struct args *a)
{
    *w = (struct work){.a = a};
    return ops_open_all(&w->o, a) && ops_named(&w->o, &w->tenants, &w->n) && make_plan(w);
}

static void work_close(struct work *w)
{
    plan_release(&w->plan);
    if (w->rk != NULL)
        rd_kafka_destroy(w->rk);
    free(w->tenants);
    ops_close(&w->o);
}

/* ---- plan ---- */

static int plan(const struct args *a)
{
    struct work w;
    struct buf out = BUF_INIT;
    int code = EXIT_FAILED;
    if (work_open(&w, a)) {
        if (args_flag(a, "--json"))
            topics_view_json(&w.plan, w.o.conf, NULL, &out);
        else
            topics_view_text(&w.plan, w.o.conf, cli_colour(), &out);
        code = plan_is_empty(&w.plan) ? EXIT_DONE : EXIT_DIFFERENT;
    }
    cli_print(&out);
    work_close(&w);
    return code;
}

int cmd_plan(struct args *a)
{
    static const struct arg_row rows[] = {
        ARG_ROW_CONFIG,
        ARG_ROW_JSON,
        ARG_ROW_BROKERS,
        ARG_ROW_ACLS("print what the brokers have to allow each login, instead"),
        {0}};
    static const struct args_spec spec = {
        "[TENANT]...", 0, -1,
        "Compares the topics of these tenants, or of all, with what the config asks for, and says\n"
        "what each difference does. Changes nothing.\n"
        "  +  is made   ~  is changed   !  loses data, or may: apply asks first   x  by hand\n"
        "Exit code 0: nothing to do. 1: Kafka or the config cannot be read. 2: there are\n"
        "differences.",
        rows};
    int code = args_parse(a, &spec);
    if (code != ARGS_GO_ON)
        return code;
    return args_flag(a, "--acls") ? plan_acls(a) : plan(a);
}

/* ---- apply ---- */

static void show_progress(void *arg, size_t done, size_t of)
{
    (void)arg;
    fprintf(stderr, "\r%zu of %zu topics%s", done, of, done == of ? "\n" : "");
    fflush(stderr);
}

/* True when nothing asks, or a person said yes. */
static bool may_destroy(const struct work *w)
{
    size_t n = w->plan.care[TOPIC_ASKS];
    struct errbuf err = ERRBUF_INIT;
    if (n == 0 || args_flag(w->a, "--yes"))
        return true;
    if (cli_confirm(w->a, &err, "%zu change%s marked with ! may lose data. Make %s?", n,
                    n == 1 ? "" : "s", n == 1 ? "it, too" : "them, too"))
        return true;
    cli_fail(w->a,
             "%s: nothing was changed. --yes makes all of it, --safe what cannot lose anything",
             err.text);
    return false;
}

/* What became of it, after the plan that was shown. */
static void show_result(const struct work *w, const struct apply *how, struct buf *out)
{
    size_t by_hand = w->plan.care[TOPIC_BY_HAND],
           asks = how->destroy ? 0 : w->plan.care[TOPIC_ASKS];
    for (size_t i = 0; i < w->plan.n; i++)
        if (w->plan.topics[i].problem != NULL)
            buf_printf(out, "%s: %s.\n", w->plan.topics[i].name, w->plan.topics[i].problem);
    topics_view_count(out, how->made, "topic");
    buf_append_str(out, " made, ");
    topics_view_count(out, how->changed, "change");
    buf_append_str(out, " made.");
    if (how->left > 0) {
        buf_append_byte(out, ' ');
        topics_view_count(out, how->left, "topic");
        buf_append_str(out, how->left == 1 ? " is" : " are");
        buf_append_str(out, " left: the reasons stand above; apply again goes on from here.");
    }
    if (by_hand > 0)
        buf_printf(out, " %zu by hand: see above.", by_hand);
    if (asks > 0)
        buf_printf(out, " %zu left out by --safe.", asks);
    buf_append_byte(out, '\n');
}

static void tell(const struct work *w, const struct apply *how)
{
    struct buf out = BUF_INIT;
    char members[128];
    if (args_flag(w->a, "--json")) {
        snprintf(members, sizeof(members), ",\n \"made\": %zu, \"changed\": %zu, \"left\": %zu",
                 how->made, how->changed, how->left);
        topics_view_json(&w->plan, w->o.conf, members, &out);
    } else {
        show_result(w, how, &out);
    }
    cli_print(&out);
}

static int make_it_so(struct work *w)
{
    struct errbuf err = ERRBUF_INIT;
    struct apply how = {.destroy = !args_flag(w->a, "--safe"),
                        .progress = isatty(STDERR_FILENO) ? show_progress : NULL};
    int rc = plan_apply(&w->admin, &w->plan, &how, &err);
    tell(w, &how);
    if (rc < 0)
        return cli_fail(w->a, "%s: what is made stays, and apply again goes on from here",
                        err.text);
    return how.left + w->plan.care[TOPIC_BY_HAND] > 0 ||
                   (!how.destroy && w->plan.care[TOPIC_ASKS] > 0)
               ? EXIT_FAILED
               : EXIT_DONE;
}

static int apply(const struct args *a)
{
    struct work w;
    struct buf out = BUF_INIT;
    int code = EXIT_FAILED;
    if (work_open(&w, a)) {
        if (!args_flag(a, "--json"))
            topics_view_text(&w.plan, w.o.conf, cli_colour(), &out);
        cli_print(&out);
        fflush(stdout);
        if (plan_is_empty(&w.plan)) {
            if (args_flag(a, "--json"))
                tell(&w, &(struct apply){0});
            code = EXIT_DONE;
        } else if (args_flag(a, "--safe") || may_destroy(&w)) {
            code = make_it_so(&w);
        }
    }
    work_close(&w);
    return code;
}

int cmd_apply(struct args *a)
{
    static const struct arg_row rows[] = {
        ARG_ROW_CONFIG,
        ARG_ROW_JSON,
        ARG_ROW_BROKERS,
        {"--yes", ARG_FLAG, NULL, NULL, "make also what may lose data, without asking"},
        {"--safe", ARG_FLAG, NULL, NULL, "leave out what may lose data"},
        ARG_ROW_ACLS("set what the brokers have to allow each login, instead"),
        {0},
    };
    static const struct args_spec spec = {
        "[TENANT]...", 0, -1,
        "Makes what `tenantry plan` shows: missing topics, more partitions, other settings.\n"
        "Settings of a topic that Tenantry knows nothing of stay. Asks first when data may be\n"
        "lost; without a terminal it then does nothing, unless --yes or --safe is given. It can\n"
        "be interrupted and run again. Exit code 1: something is left; the reasons are told.",
        rows};
    int code = args_parse(a, &spec);
    if (code != ARGS_GO_ON)
        return code;
    return args_flag(a, "--acls") ? apply_acls(a) : apply(a);
}
