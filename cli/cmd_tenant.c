/* tenant list, show and check: what is there and what is wrong with it. */
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/listing.h"
#include "cli/options_view.h"

#include "base/json.h"

#include <stdio.h>

static void list_tenant(struct listing *l, const struct tenant *t)
{
    size_t active = 0;
    for (size_t i = 0; i < t->n_keys; i++)
        active += !t->keys[i].revoked;
    listing_cell(l, "%s", t->id);
    listing_cell(l, "%s", t->suspended ? "suspended" : "active");
    listing_cell(l, "%zu", active);
    listing_cell(l, "%s", t->conf->database.target);
    listing_cell(l, "%s", t->conf->label);
}

static int list(const struct args *a)
{
    static const struct listing_column columns[] = {
        {"TENANT", "id", LISTING_TEXT},   {"STATE", "state", LISTING_TEXT},
        {"KEYS", "keys", LISTING_NUMBER}, {"DATABASE", "database", LISTING_TEXT},
        {"LABEL", "label", LISTING_TEXT}, {0},
    };
    struct listing l = LISTING_INIT(columns);
    struct buf out = BUF_INIT;
    struct cli_tenancy c;
    if (!cli_open_snapshot(a, &c))
        return EXIT_FAILED;
    for (size_t i = 0; i < c.s->n_tenants; i++)
        list_tenant(&l, &c.s->tenants[i]);
    listing_print(&l, args_flag(a, "--json"), cli_colour(), &out);
    cli_print(&out);
    listing_release(&l);
    cli_close(&c);
    return EXIT_DONE;
}

int cmd_tenant_list(struct args *a)
{
    static const struct arg_row rows[] = {ARG_ROW_CONFIG, ARG_ROW_JSON, {0}};
    static const struct args_spec spec = {"", 0, 0, "Lists the tenants.", rows};
    int code = args_parse(a, &spec);
    return code == ARGS_GO_ON ? list(a) : code;
}

static void show_text(const struct tenant *t, struct buf *out)
{
    buf_printf(out, "Tenant %s is %s%s%s.\n", t->id, t->suspended ? "suspended" : "active",
               t->suspended && t->suspended_reason[0] ? ": " : "", t->suspended_reason);
    buf_append_str(out, "Topics:");
    for (int i = 0; i < SIGNAL_COUNT; i++)
        buf_printf(out, " %s", t->topic[i]);
    buf_printf(out, " %s\nConsumer group: %s\n\n", t->dlq_topic, t->group);
    options_view(&tenant_options, t->conf, t->origins, "tenant.", false, out);
}

static void show_json(const struct tenant *t, struct buf *out)
{
    buf_printf(out, "{\"id\": \"%s\", \"suspended\": %s, \"reason\": ", t->id,
               t->suspended ? "true" : "false");
    json_string(out, slice_str(t->suspended_reason));
    buf_append_str(out, ",\n \"topics\": {");
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        buf_printf(out, "\"%s\": ", signal_info[i].name);
        json_string(out, slice_str(t->topic[i]));
        buf_append_str(out, ", ");
    }
    buf_append_str(out, "\"dlq\": ");
    json_string(out, slice_str(t->dlq_topic));
    buf_printf(out, "}, \"group\": \"%s\",\n \"options\":\n", t->group);
    options_view(&tenant_options, t->conf, t->origins, "tenant.", true, out);
    buf_append_str(out, "}\n");
}

static int show(const struct args *a)
{
    struct buf out = BUF_INIT;
    struct cli_tenancy c;
    int code = EXIT_DONE;
    if (!cli_open_snapshot(a, &c))
        return EXIT_FAILED;
    const struct tenant *t = snapshot_tenant(c.s, slice_str(a->operands[0]));
    if (t == NULL)
        code = cli_fail(a, "there is no tenant \"%s\"", a->operands[0]);
    else if (args_flag(a, "--json"))
        show_json(t, &out);
    else
        show_text(t, &out);
    cli_print(&out);
    cli_close(&c);
    return code;
}

int cmd_tenant_show(struct args *a)
{
    static const struct arg_row rows[] = {ARG_ROW_CONFIG, ARG_ROW_JSON, {0}};
    static const struct args_spec spec = {"ID", 1, 1,
                                          "Shows every option of a tenant with its value and where "
                                          "it was set, and what follows from\n"
                                          "it.",
                                          rows};
    int code = args_parse(a, &spec);
    return code == ARGS_GO_ON ? show(a) : code;
}

/* A sentence begins with its file's path: true when that is one of this tenant's files. */
static bool is_about(const char *sentence, const char *id)
{
    char middle[128];
    snprintf(middle, sizeof(middle), "/%s.", id);
    const char *colon = strchr(sentence, ':'), *at = strstr(sentence, middle);
    return at != NULL && (colon == NULL || at < colon);
}

static const struct listing_column check_columns[] = {
    {"TENANT", "tenant", LISTING_TEXT},
    {"RESULT", "result", LISTING_TEXT},
    {0},
};

/* Refused files first, then the tenants that are right. Returns how many were refused. */
static size_t check_all(const struct cli_tenancy *c, const char *only, struct listing *l)
{
    size_t n, refused = 0;
    const struct tenancy_notice *notices = tenancy_notices(c->t, &n);
    for (size_t i = 0; i < n; i++) {
        if (only != NULL && !is_about(notices[i].text, only))
            continue;
        listing_cell(l, "%s", only ? only : "");
        listing_cell(l, "%s", notices[i].text);
        refused++;
    }
    for (size_t i = 0; i < c->s->n_tenants; i++) {
        if (only != NULL && strcmp(only, c->s->tenants[i].id) != 0)
            continue;
        listing_cell(l, "%s", c->s->tenants[i].id);
        listing_cell(l, "%s", c->s->tenants[i].suspended ? "ok, suspended" : "ok");
    }
    return refused;
}

static int check(const struct args *a)
{
    const char *only = a->n_operands ? a->operands[0] : NULL;
    struct errbuf err = ERRBUF_INIT;
    struct listing l = LISTING_INIT(check_columns);
    struct buf out = BUF_INIT;
    struct cli_tenancy c = {tenancy_open(cli_config(a), NULL, &err), NULL};
    if (c.t == NULL)
        return cli_fail(a, "%s", err.text);
    c.s = tenancy_acquire(c.t);
    int code = check_all(&c, only, &l) > 0 ? EXIT_FAILED : EXIT_DONE;
    if (l.cells.len == 0 && only != NULL)
        code = cli_fail(a, "there is no tenant \"%s\"", only);
    else
        listing_print(&l, args_flag(a, "--json"), cli_colour(), &out);
    cli_print(&out);
    listing_release(&l);
    cli_close(&c);
    return code;
}

int cmd_tenant_check(struct args *a)
{
    static const struct arg_row rows[] = {ARG_ROW_CONFIG, ARG_ROW_JSON, {0}};
    static const struct args_spec spec = {"[ID]", 0, 1,
                                          "Reads the config and the files of all tenants, or of "
                                          "one, and says what is wrong with each.\n"
                                          "Exits 1 when something is.",
                                          rows};
    int code = args_parse(a, &spec);
    return code == ARGS_GO_ON ? check(a) : code;
}
