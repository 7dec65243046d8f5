/* ledger: the books of every tenant, from durable facts. */
#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/ops.h"

#include "base/json.h"
#include "consumer/inspect/ledger.h"

#include <inttypes.h>
#include <stdio.h>

/* name, title, field of struct ledger_sums */
#define SUMS(ROW)                                                                                  \
    ROW("accepted", "ACCEPTED", accepted)                                                          \
    ROW("in_kafka", "IN KAFKA", waiting)                                                           \
    ROW("written", "WRITTEN", written)                                                             \
    ROW("dropped", "DROPPED", dropped)                                                             \
    ROW("dead_lettered", "DEAD LETTERS", dlq)                                                      \
    ROW("lost_records", "LOST RECORDS", lost_records)

static void list_sums(struct listing *rows, const struct tenant *t, const struct ledger *l)
{
    char text[OPS_TEXT_SIZE];
    for (int s = 0; s < SIGNAL_COUNT; s++) {
        struct ledger_sums sums = ledger_sum(l, (enum signal)s);
        listing_cell(rows, "%s", t->id);
        listing_cell(rows, "%s", signal_info[s].name);
#define ROW(name, title, field) listing_cell(rows, "%s", ops_number(sums.field, false, text));
        SUMS(ROW)
#undef ROW
    }
}

static void verdict_text(struct buf *out, const struct tenant *t, const struct ledger *l)
{
    char text[OPS_TEXT_SIZE];
    uint64_t n = 0;
    for (const struct ledger_finding *f = l->findings; f != NULL; f = f->next)
        n++;
    if (n == 0)
        buf_printf(out, "%s: the books balance", t->id);
    else
        buf_printf(out, "%s: %" PRIu64 " finding%s", t->id, n, n == 1 ? "" : "s");
    if (l->recounted)
        buf_printf(out, ", %s rows counted", ops_number(l->recounted_rows, false, text));
    buf_append_str(out, "\n");
    for (const struct ledger_finding *f = l->findings; f != NULL; f = f->next)
        buf_printf(out, "  %s\n", f->text);
}

static void sums_json(struct buf *out, const struct ledger *l)
{
    for (int s = 0; s < SIGNAL_COUNT; s++) {
        struct ledger_sums sums = ledger_sum(l, (enum signal)s);
        const char *comma = "{";
        buf_printf(out, "%s\"%s\":", s ? "," : "", signal_info[s].name);
#define ROW(name, title, field)                                                                    \
    buf_printf(out, "%s\"" name "\":%" PRIu64, comma, sums.field);                                 \
    comma = ",";
        SUMS(ROW)
#undef ROW
        buf_append_byte(out, '}');
    }
}

static void verdict_json(struct buf *out, const struct tenant *t, const struct ledger *l)
{
    buf_append_str(out, "{\"tenant\":");
    json_string(out, slice_str(t->id));
    buf_printf(out, ",\"balanced\":%s,\"recounted_rows\":", l->findings ? "false" : "true");
    if (l->recounted)
        buf_printf(out, "%" PRIu64, l->recounted_rows);
    else
        buf_append_str(out, "null");
    buf_append_str(out, ",\"signals\":{");
    sums_json(out, l);
    buf_append_str(out, "},\"findings\":[");
    for (const struct ledger_finding *f = l->findings; f != NULL; f = f->next) {
        json_string(out, slice_str(f->text));
        buf_append_str(out, f->next ? "," : "");
    }
    buf_append_str(out, "]}");
}

struct telling {
    const struct ops *o;
    bool json, found, failed;
    struct listing rows;
    struct buf verdicts;
};

static void tell_failure(struct telling *b, const struct tenant *t, const char *sentence)
{
    b->failed = true;
    if (!b->json) {
        cli_fail(b->o->a, "tenant %s: %s", t->id, sentence);
        return;
    }
    buf_append_str(&b->verdicts, "{\"tenant\":");
    json_string(&b->verdicts, slice_str(t->id));
    buf_append_str(&b->verdicts, ",\"error\":");
    json_string(&b->verdicts, slice_str(sentence));
    buf_append_byte(&b->verdicts, '}');
}

static void tell_tenant(struct telling *b, const struct tenant *t)
{
    struct ledger l = {0};
    struct errbuf err = ERRBUF_INIT;
    bool recount = args_flag(b->o->a, "--recount");
    buf_append_str(&b->verdicts, b->json && b->verdicts.len > 0 ? ",\n" : "");
    if (b->o->brokers[0] == 0) {
        tell_failure(b, t, ops_no_brokers);
    } else if (ledger_make(b->o->conf, b->o->brokers, t, recount, &l, &err) < 0) {
        tell_failure(b, t, err.text);
    } else {
        b->found = b->found || l.findings != NULL;
        if (b->json)
            verdict_json(&b->verdicts, t, &l);
        else
            verdict_text(&b->verdicts, t, &l);
        list_sums(&b->rows, t, &l);
    }
    ledger_release(&l);
}

static int ledger(const struct args *a)
{
    static const struct listing_column columns[] = {
        {"TENANT", "tenant", LISTING_TEXT},
        {"SIGNAL", "signal", LISTING_TEXT},
#define ROW(name, title, field) {title, name, LISTING_NUMBER},
        SUMS(ROW)
#undef ROW
            {0},
    };
    struct ops o;
    struct telling b = {.o = &o, .json = args_flag(a, "--json"), .rows = LISTING_INIT(columns)};
    struct buf out = BUF_INIT;
    bool opened = ops_open(&o, a);
    for (size_t i = 0; opened && i < o.n; i++)
        tell_tenant(&b, &o.tenants[i]);
    if (opened && b.json)
        buf_printf(&out, "[%s]\n", buf_cstr(&b.verdicts));
    if (opened && !b.json && b.rows.cells.len > 0) {
        listing_print(&b.rows, false, cli_colour(), &out);
        buf_printf(&out, "\n%s", buf_cstr(&b.verdicts));
    }
    cli_print(&out);
    buf_release(&b.verdicts);
    listing_release(&b.rows);
    ops_close(&o);
    return b.found ? EXIT_FAILED : b.failed || !opened ? EXIT_USAGE : EXIT_DONE;
}

int cmd_ledger(struct args *a)
{
    static const struct arg_row rows[] = {
        ARG_ROW_CONFIG,
        ARG_ROW_JSON,
        ARG_ROW_BROKERS,
        {"--recount", ARG_FLAG, NULL, NULL,
         "count the rows of the records that Kafka still holds, too"},
        {0},
    };
    static const struct args_spec spec = {
        "[TENANT]", 0, 1,
        "Proves that nothing is missing and nothing double: accepted = in Kafka + written +\n"
        "dropped + dead letters, in items, per tenant and signal. All figures are durable facts\n"
        "(Kafka's offsets and record headers, totals in the database), so it holds whatever was\n"
        "killed. Exit code 1: the books do not balance, 2: a fact cannot be had.",
        rows};
    int code = args_parse(a, &spec);
    return code == ARGS_GO_ON ? ledger(a) : code;
}
