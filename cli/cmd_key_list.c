#include "cli/commands.h"
#include "cli/common.h"
#include "cli/key_note.h"
#include "cli/listing.h"

#include "base/clock.h"
#include "base/file.h"
#include "tenancy/keys/key_limits.h"
#include "tenancy/keys/keystore.h"

#include <stdio.h>

/* One run of the command. */
struct run {
    const struct args *a;
    const char *folder; /* keys.d */
    const char *only;   /* the one tenant asked for; NULL = all */
    uint64_t now_s;
    struct usage usage;
    struct listing out;
};

static const struct listing_column columns[] = {
    {"ID", "id", LISTING_TEXT},
    {"TENANT", "tenant", LISTING_TEXT},
    {"STATE", "state", LISTING_TEXT},
    {"SIGNALS", "signals", LISTING_TEXT},
    {"CREATED", "created", LISTING_TIME},
    {"EXPIRES", "expires", LISTING_TIME},
    {"LAST USED", "last_used", LISTING_TIME},
    {"TRACES", "uses_traces", LISTING_NUMBER},
    {"METRICS", "uses_metrics", LISTING_NUMBER},
    {"LOGS", "uses_logs", LISTING_NUMBER},
    {"REFUSED", "refused", LISTING_NUMBER},
    {"SUCCESSOR", "successor", LISTING_TEXT},
    {"LIMITS", "limits", LISTING_TEXT},
    {"NOTE", "note", LISTING_TEXT},
    {"LABEL", "label", LISTING_TEXT},
    {0},
};

/* Without a word from any router the use is not known; else a key without a line was not used. */
static void list_usage(struct run *r, const struct key *k)
{
    static const struct key_usage unused;
    const struct key_usage *u = usage_find(&r->usage, k->id);
    u = u ? u : &unused;
    listing_time(&r->out, u->last_s);
    for (int i = 0; i < SIGNAL_COUNT; i++)
        if (r->usage.any)
            listing_cell(&r->out, "%llu", (unsigned long long)u->uses[i]);
        else
            listing_cell(&r->out, "%s", "");
    if (r->usage.any)
        listing_cell(&r->out, "%llu", (unsigned long long)u->refused);
    else
        listing_cell(&r->out, "%s", "");
}

static void list_key(struct run *r, const char *tenant, const struct key *k)
{
    struct buf signals = BUF_INIT, note = BUF_INIT, limits = BUF_INIT;
    key_limits_print(k->limits, true, &limits);
    key_signals_print(k->signals, &signals);
    key_note(k, &r->usage, r->now_s, &note);
    listing_cell(&r->out, "%s", k->id);
    listing_cell(&r->out, "%s", tenant);
    listing_cell(&r->out, "%s", key_state(k, r->now_s));
    listing_cell(&r->out, "%s", buf_cstr(&signals));
    listing_time(&r->out, k->created_s);
    listing_time(&r->out, k->expires_s);
    list_usage(r, k);
    listing_cell(&r->out, "%s", k->successor);
    listing_cell(&r->out, "%s", buf_cstr(&limits) + (limits.len > 0));
    listing_cell(&r->out, "%s", buf_cstr(&note));
    listing_cell(&r->out, "%s", k->label);
    buf_release(&limits);
    buf_release(&note);
    buf_release(&signals);
}

/* Adds the keys of a file, <tenant>.keys. */
static int list_file(struct run *r, const char *name)
{
    struct arena arena = ARENA_INIT;
    struct errbuf err = ERRBUF_INIT;
    struct key *keys;
    size_t n = 0;
    char tenant[256];
    snprintf(tenant, sizeof(tenant), "%.*s", (int)(strlen(name) - strlen(".keys")), name);
    if (r->only != NULL && strcmp(r->only, tenant) != 0)
        return EXIT_DONE;
    int code = keystore_list(r->folder, tenant, &arena, &keys, &n, &err) < 0
                   ? cli_fail(r->a, "%s", err.text)
                   : EXIT_DONE;
    for (size_t i = 0; i < n && code == EXIT_DONE; i++)
        list_key(r, tenant, &keys[i]);
    arena_release(&arena);
    return code;
}

static int list_files(struct run *r)
{
    struct errbuf err = ERRBUF_INIT;
    char **names = NULL;
    int n = file_list(r->folder, ".keys", &names, &err), code = EXIT_DONE;
    if (n < 0)
        return cli_fail(r->a, "%s", err.text);
    for (int i = 0; i < n; i++)
        if (list_file(r, names[i]) != EXIT_DONE)
            code = EXIT_FAILED;
    file_list_free(names, n);
    return code;
}

static int list(const struct args *a)
{
    struct run r = {.a = a,
                    .only = a->n_operands ? a->operands[0] : NULL,
                    .now_s = clock_wall_ns() / NS_PER_S,
                    .out = LISTING_INIT(columns)};
    struct arena arena = ARENA_INIT;
    struct errbuf err = ERRBUF_INIT;
    struct buf out = BUF_INIT;
    struct cli_tenancy c;
    if (!cli_open_snapshot(a, &c))
        return EXIT_FAILED;
    r.folder = c.s->conf->keys;
    int code = EXIT_DONE;
    if (usage_read(c.s->conf->state, r.now_s, &arena, &r.usage, &err) < 0)
        code = cli_fail(a, "the use of keys is not known: %s", err.text);
    int listed = list_files(&r);
    code = code == EXIT_DONE ? listed : code;
    listing_print(&r.out, args_flag(a, "--json"), cli_colour(), &out);
    cli_print(&out);
    listing_release(&r.out);
    arena_release(&arena);
    cli_close(&c);
    return code;
}

int cmd_key_list(struct args *a)
{
    static const struct arg_row rows[] = {ARG_ROW_CONFIG, ARG_ROW_JSON, {0}};
    static const struct args_spec spec = {
        "[TENANT]", 0, 1,
        "Lists the keys of all tenants or of one, without their secrets: what they are for, when\n"
        "they were used last, how many requests of each signal came with them, and how many were\n"
        "refused since they are revoked or expired. Routers tell it every router.key_usage.",
        rows};
    int code = args_parse(a, &spec);
    return code == ARGS_GO_ON ? list(a) : code;
}
