/* dlq list and show: why records died, and what stands in them. */
#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/ops.h"

#include "consumer/inspect/dlq_read.h"

#include <inttypes.h>
#include <stdio.h>

static void list_group(struct listing *l, const struct tenant *t, const struct dlq_group *g,
                       bool json)
{
    char text[OPS_TEXT_SIZE];
    listing_cell(l, "%s", t->id);
    listing_cell(l, "%s", g->error_class);
    listing_cell(l, "%s", g->code);
    listing_cell(l, "%s", g->topic);
    listing_cell(l, "%s", ops_number(g->letters, json, text));
    listing_cell(l, "%s", ops_number(g->items, json, text));
    listing_time(l, (uint64_t)g->oldest_ms / 1000);
    listing_time(l, (uint64_t)g->newest_ms / 1000);
    listing_cell(l, "%s", g->sample);
}

/* False after saying why. */
static bool list_tenant(const struct ops *o, const struct tenant *t, bool json, struct listing *l)
{
    struct errbuf err = ERRBUF_INIT;
    struct dlq_summary s = {0};
    struct kafka_log *log = ops_kafka(o, t, &err);
    bool ok = log != NULL && dlq_summarize(log, t, &s, &err) == 0;
    for (const struct dlq_group *g = s.groups; ok && g != NULL; g = g->next)
        list_group(l, t, g, json);
    if (!ok)
        cli_fail(o->a, "tenant %s: %s", t->id, err.text);
    kafka_log_close(log);
    dlq_summary_release(&s);
    return ok;
}

static int list(const struct args *a)
{
    static const struct listing_column columns[] = {
        {"TENANT", "tenant", LISTING_TEXT},      {"CLASS", "class", LISTING_TEXT},
        {"CODE", "code", LISTING_TEXT},          {"TOPIC", "topic", LISTING_TEXT},
        {"LETTERS", "letters", LISTING_NUMBER},  {"ITEMS", "items", LISTING_NUMBER},
        {"OLDEST", "oldest", LISTING_TIME},      {"NEWEST", "newest", LISTING_TIME},
        {"FOR EXAMPLE", "sample", LISTING_TEXT}, {0},
    };
    struct ops o;
    struct listing l = LISTING_INIT(columns);
    struct buf out = BUF_INIT;
    bool json = args_flag(a, "--json"), ok = ops_open(&o, a);
    for (size_t i = 0; i < o.n; i++)
        ok = list_tenant(&o, &o.tenants[i], json, &l) && ok;
    if (l.cells.len > 0 || json)
        listing_print(&l, json, cli_colour(), &out);
    else if (ok)
        buf_append_str(&out, "No dead letters.\n");
    cli_print(&out);
    listing_release(&l);
    ops_close(&o);
    return ok ? EXIT_DONE : EXIT_FAILED;
}

int cmd_dlq_list(struct args *a)
{
    static const struct arg_row rows[] = {ARG_ROW_CONFIG, ARG_ROW_JSON, ARG_ROW_BROKERS, {0}};
    static const struct args_spec spec = {
        "[TENANT]", 0, 1,
        "Counts the dead letters of one tenant, or of all, by why they died. A letter that was\n"
        "sent twice counts once.",
        rows};
    int code = args_parse(a, &spec);
    return code == ARGS_GO_ON ? list(a) : code;
}

static bool read_place(const char *text, struct dlq_show *how)
{
    int end = 0;
    how->partition = -1;
    return text == NULL ||
           (sscanf(text, "%" SCNd32 ":%" SCNd64 "%n", &how->partition, &how->offset, &end) == 2 &&
            text[end] == 0 && how->partition >= 0 && how->offset >= 0);
}

static bool show_letters(const struct ops *o, const struct dlq_show *how, struct buf *out)
{
    const struct tenant *t = &o->tenants[0];
    struct errbuf err = ERRBUF_INIT;
    struct kafka_log *log = ops_kafka(o, t, &err);
    int64_t n = log ? dlq_show(log, t, how, out, &err) : -1;
    kafka_log_close(log);
    if (n < 0)
        cli_fail(o->a, "tenant %s: %s", t->id, err.text);
    else if (n == 0 && !how->json)
        buf_append_str(out, "No dead letters.\n");
    return n >= 0;
}

static int show(const struct args *a)
{
    struct ops o;
    struct buf out = BUF_INIT;
    struct dlq_show how = {.limit = args_number(a, "--limit"),
                           .rows = args_number(a, "--rows"),
                           .json = args_flag(a, "--json")};
    if (!read_place(args_text(a, "--offset"), &how)) {
        cli_fail(a, "--offset is PARTITION:OFFSET, for example 0:17");
        return EXIT_USAGE;
    }
    buf_append_str(&out, how.json ? "[" : "");
    bool ok = ops_open(&o, a) && show_letters(&o, &how, &out);
    buf_append_str(&out, how.json ? "]\n" : "");
    if (ok)
        cli_print(&out);
    buf_release(&out);
    ops_close(&o);
    return ok ? EXIT_DONE : EXIT_FAILED;
}

int cmd_dlq_show(struct args *a)
{
    static const struct arg_row rows[] = {
        ARG_ROW_CONFIG,
        ARG_ROW_JSON,
        ARG_ROW_BROKERS,
        {"--limit", ARG_UINT, "N", "10", "most letters to show"},
        {"--rows", ARG_UINT, "N", "10", "most decoded items of each"},
        {"--offset", ARG_TEXT, "P:O", NULL, "the letter at this partition and offset alone"},
        {0},
    };
    static const struct args_spec spec = {
        "TENANT", 1, 1,
        "Shows a tenant's dead letters: the headers, which say why each died and where it stood,\n"
        "and its decoded items; of one that cannot be decoded the reason and its first bytes.",
        rows};
    int code = args_parse(a, &spec);
    return code == ARGS_GO_ON ? show(a) : code;
}
