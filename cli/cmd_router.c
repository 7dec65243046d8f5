#include "cli/commands.h"
#include "cli/common.h"
#include "router/router.h"

#include <limits.h>

int cmd_router(struct args *a)
{
    static const struct arg_row rows[] = {
        ARG_ROW_CONFIG,
        {"--brokers", ARG_TEXT, "HOST:PORT,...", NULL, "Kafka, instead of kafka.brokers"},
        {"--ready-fd", ARG_UINT, "N", NULL,
         "write the line \"ready PORT...\" to this descriptor once all listeners listen"},
        {0},
    };
    static const struct args_spec spec = {
        "", 0, 0,
        "Runs the front end alone: takes OTLP requests and hands them to Kafka. SIGHUP and "
        "changed\n"
        "files reload the config; SIGTERM finishes what is under way and ends. Topics are made by\n"
        "`tenantry up` and `tenantry supervise`.",
        rows};
    int code = args_parse(a, &spec);
    if (code != ARGS_GO_ON)
        return code;
    uint64_t ready_fd = args_number(a, "--ready-fd");
    if (ready_fd > INT_MAX)
        return cli_fail(a, "--ready-fd is not a descriptor");
    return router_run(cli_config(a), args_text(a, "--brokers"),
                      args_given(a, "--ready-fd") ? (int)ready_fd : -1);
}
