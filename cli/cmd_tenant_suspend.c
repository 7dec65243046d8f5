#include "cli/commands.h"
#include "cli/common.h"

#include "base/file.h"
#include "tenancy/keys/keyfile.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void suspended_path(const struct snapshot *s, const char *id, char *out, size_t size)
{
    snprintf(out, size, "%s/%s.suspended", s->conf->tenants, id);
}

static int say(const struct args *a, const char *id, bool suspended)
{
    if (args_flag(a, "--json"))
        printf("{\"id\": \"%s\", \"suspended\": %s}\n", id, suspended ? "true" : "false");
    else
        printf("Tenant %s is %s.\n", id, suspended ? "suspended" : "not suspended");
    return EXIT_DONE;
}

/* Opens the config and finds the tenant's file, right or wrong: a running router may still have
 * its previous content in use. False after saying why. */
static bool open_tenant(const struct args *a, struct cli_tenancy *ret)
{
    const char *id = a->operands[0];
    struct errbuf err = ERRBUF_INIT;
    char path[4096];
    if (!cli_open_snapshot(a, ret))
        return false;
    snprintf(path, sizeof(path), "%s/%s.conf", ret->s->conf->tenants, id);
    if (tenant_id_check(slice_str(id), &err) == 0 && access(path, F_OK) == 0)
        return true;
    cli_fail(a, "there is no tenant \"%s\"", id);
    cli_close(ret);
    return false;
}

static int suspend(const struct args *a)
{
    const char *id = a->operands[0];
    struct errbuf err = ERRBUF_INIT;
    struct slice reason = slice_str(args_text(a, "--reason"));
    struct buf text = BUF_INIT;
    struct cli_tenancy c;
    char path[4096];
    if (key_label_check(reason, &err) < 0)
        return cli_fail(a, "--reason: %s", err.text);
    if (!open_tenant(a, &c))
        return EXIT_FAILED;
    suspended_path(c.s, id, path, sizeof(path));
    buf_append_slice(&text, reason);
    buf_append_byte(&text, '\n');
    int code = file_replace(path, buf_slice(&text), 0644, &err) < 0 ? cli_fail(a, "%s", err.text)
                                                                    : say(a, id, true);
    buf_release(&text);
    cli_close(&c);
    return code;
}

int cmd_tenant_suspend(struct args *a)
{
    static const struct arg_row rows[] = {
        ARG_ROW_CONFIG,
        ARG_ROW_JSON,
        {"--reason", ARG_TEXT, "TEXT", "", "why, for other operators"},
        {0},
    };
    static const struct args_spec spec = {
        "ID", 1, 1,
        "Suspends a tenant: a running router refuses what it sends within a second. What is in\n"
        "Kafka already is still written to its database.",
        rows};
    int code = args_parse(a, &spec);
    return code == ARGS_GO_ON ? suspend(a) : code;
}

static int resume(const struct args *a)
{
    struct cli_tenancy c;
    char path[4096];
    if (!open_tenant(a, &c))
        return EXIT_FAILED;
    suspended_path(c.s, a->operands[0], path, sizeof(path));
    int code = unlink(path) < 0 && errno != ENOENT ? cli_fail(a, "cannot remove \"%s\": %m", path)
                                                   : say(a, a->operands[0], false);
    cli_close(&c);
    return code;
}

int cmd_tenant_resume(struct args *a)
{
    static const struct arg_row rows[] = {ARG_ROW_CONFIG, ARG_ROW_JSON, {0}};
    static const struct args_spec spec = {
        "ID", 1, 1, "Ends the suspension of a tenant. A running router follows within a second.",
        rows};
    int code = args_parse(a, &spec);
    return code == ARGS_GO_ON ? resume(a) : code;
}
