#include "cli/commands.h"
#include "cli/common.h"
#include "cli/options_view.h"

#include <stdio.h>

static int print_in_effect(const struct args *a, bool json)
{
    struct cli_tenancy c;
    struct buf out = BUF_INIT;
    if (!cli_open_snapshot(a, &c))
        return EXIT_FAILED;
    options_view(&conf_options, c.s->conf, c.s->conf_origins, "", json, &out);
    cli_print(&out);
    cli_close(&c);
    return EXIT_DONE;
}

int cmd_config(struct args *a)
{
    static const struct arg_row rows[] = {
        ARG_ROW_CONFIG,
        ARG_ROW_JSON,
        {"--sample", ARG_FLAG, NULL, NULL, "print a commented tenantry.conf"},
        {"--tenant-sample", ARG_FLAG, NULL, NULL, "print a commented file of a tenant"},
        {"--docs", ARG_FLAG, NULL, NULL, "print the reference of all options as Markdown"},
        {0},
    };
    static const struct args_spec spec = {
        "", 0, 0,
        "Shows every option of tenantry.conf with its value and where it was set, or what can be\n"
        "set.",
        rows};
    int code = args_parse(a, &spec);
    if (code != ARGS_GO_ON)
        return code;
    struct buf out = BUF_INIT;
    if (args_flag(a, "--docs")) {
        buf_append_str(&out, "# Configuration\n\n");
        option_print_markdown(&conf_options, &out);
        option_print_markdown(&tenant_options, &out);
    } else if (args_flag(a, "--sample")) {
        option_print_sample(&conf_options, &out);
    } else if (args_flag(a, "--tenant-sample")) {
        option_print_sample(&tenant_options, &out);
    } else {
        return print_in_effect(a, args_flag(a, "--json"));
    }
    cli_print(&out);
    return EXIT_DONE;
}
