#include "cli/commands.h"
#include "cli/common.h"
#include "consumer/supervise/run_files.h"
#include "consumer/supervise/supervisor.h"
#include "consumer/worker.h"

int cmd_up(struct args *a)
{
    static const struct arg_row rows[] = {ARG_ROW_CONFIG, {0}};
    static const struct args_spec spec = {
        "", 0, 0,
        "Runs the whole system on this machine: the router, one consumer process per tenant and,\n"
        "when kafka.brokers is not set, a real single-node Kafka whose data stays in the state\n"
        "folder. Makes missing topics. Tenant files that appear, change or vanish are followed.\n"
        "SIGTERM or Ctrl-C stops all in order; nothing that was acknowledged is lost.",
        rows};
    int code = args_parse(a, &spec);
    return code == ARGS_GO_ON ? supervisor_run(cli_config(a), true) : code;
}

int cmd_supervise(struct args *a)
{
    static const struct arg_row rows[] = {ARG_ROW_CONFIG, {0}};
    static const struct args_spec spec = {
        "", 0, 0,
        "Runs one consumer process per tenant, restarted with back-off when it ends by itself;\n"
        "makes missing topics. Needs kafka.brokers. `tenantry up` does this and the router's work.",
        rows};
    int code = args_parse(a, &spec);
    return code == ARGS_GO_ON ? supervisor_run(cli_config(a), false) : code;
}

int cmd_consumer(struct args *a)
{
    static const struct arg_row rows[] = {
        ARG_ROW_CONFIG,
        {"--brokers", ARG_TEXT, "HOST:PORT,...", NULL, "Kafka, instead of kafka.brokers"},
        {"--instance", ARG_TEXT, "NAME", "main",
         "tells several workers of one tenant apart, in their group, status and metrics; each "
         "needs "
         "its own"},
        {0},
    };
    static const struct args_spec spec = {
        "TENANT", 1, 1,
        "Runs one tenant's worker: reads its topics and writes to its database, exactly once.\n"
        "`tenantry up` and `tenantry supervise` run it for every tenant.",
        rows};
    int code = args_parse(a, &spec);
    if (code != ARGS_GO_ON)
        return code;
    struct errbuf err = ERRBUF_INIT;
    if (run_instance_check(args_text(a, "--instance"), &err) < 0) {
        cli_fail(a, "%s", err.text);
        return EXIT_USAGE;
    }
    return worker_run(cli_config(a), a->operands[0], args_text(a, "--brokers"),
                      args_text(a, "--instance"));
}
