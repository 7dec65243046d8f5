#include "cli/commands.h"
#include "cli/common.h"
#include "cli/listing.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "tenancy/keystore.h"

#include <stdio.h>

#define ALL_SIGNALS ((1u << SIGNAL_COUNT) - 1)

static void print_issued(const char *tenant, const struct key *k, const char *text, bool json)
{
    struct buf out = BUF_INIT, signals = BUF_INIT;
    key_signals_print(k->signals, &signals);
    if (json) {
        buf_append_str(&out, "{\"tenant\": ");
        json_string(&out, slice_str(tenant));
        buf_printf(&out, ", \"id\": \"%s\", \"key\": \"%s\", \"label\": ", k->id, text);
        json_string(&out, slice_str(k->label));
        buf_printf(&out,
                   ", \"signals\": \"%s\", \"created\": %llu, \"expires\": ", buf_cstr(&signals),
                   (unsigned long long)k->created_s);
        if (k->expires_s != 0)
            buf_printf(&out, "%llu}\n", (unsigned long long)k->expires_s);
        else
            buf_append_str(&out, "null}\n");
    } else {
        char when[CLI_TIME_SIZE];
        buf_printf(&out, "Key %s of tenant %s, for %s, valid %s%s.\n", k->id, tenant,
                   buf_cstr(&signals), k->expires_s ? "until " : "until it is revoked",
                   cli_time(k->expires_s, when));
        buf_printf(&out, "It is shown now and never again:\n\n  %s\n\n", text);
        buf_printf(&out,
                   "Senders pass it as a header:\n\n  "
                   "OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%%20%s'\n",
                   text);
    }
    buf_release(&signals);
    cli_print(&out);
}

/* Fills what the command line says of the new key. */
static int read_wishes(const struct args *a, struct key *k, struct errbuf *err)
{
    const char *signals = args_text(a, "--signals");
    uint64_t lifetime = args_number(a, "--expires") / NS_PER_S;
    k->label = args_text(a, "--label");
    k->signals = ALL_SIGNALS;
    if (args_given(a, "--expires"))
        k->expires_s = clock_wall_ns() / NS_PER_S + lifetime;
    int rc = key_label_check(slice_str(k->label), err);
    if (rc == 0 && signals != NULL)
        rc = key_signals_parse(slice_str(signals), &k->signals, err);
    return rc;
}

static int issue(const struct args *a)
{
    const char *tenant = a->operands[0];
    struct errbuf err = ERRBUF_INIT;
    struct key k = {0};
    struct cli_tenancy c;
    char text[KEY_TEXT_LENGTH + 1];
    int code = EXIT_FAILED;
    if (read_wishes(a, &k, &err) < 0)
        return cli_fail(a, "%s", err.text);
    if (!cli_open_snapshot(a, &c))
        return EXIT_FAILED;
    if (snapshot_tenant(c.s, slice_str(tenant)) == NULL) {
        cli_fail(a, "there is no tenant \"%s\"", tenant);
    } else if (keystore_issue(c.s->conf->keys, tenant, &k, text, &err) < 0) {
        cli_fail(a, "%s", err.text);
    } else {
        print_issued(tenant, &k, text, args_flag(a, "--json"));
        code = EXIT_DONE;
    }
    cli_close(&c);
    return code;
}

int cmd_key_issue(struct args *a)
{
    static const struct arg_row rows[] = {
        ARG_ROW_CONFIG,
        ARG_ROW_JSON,
        {"--label", ARG_TEXT, "TEXT", "", "what the key is for"},
        {"--expires", ARG_DURATION, "90d", NULL, "how long it is valid; else until it is revoked"},
        {"--signals", ARG_TEXT, "traces,logs", NULL, "what may be sent with it; else everything"},
        {0},
    };
    static const struct args_spec spec = {
        "TENANT", 1, 1,
        "Makes a key for a tenant and prints it. Only a hash of it is kept: it cannot be shown\n"
        "again. A running router takes it within a second.",
        rows};
    int code = args_parse(a, &spec);
    return code == ARGS_GO_ON ? issue(a) : code;
}

static const char *state_of(const struct key *k, uint64_t now_s)
{
    if (k->revoked)
        return "revoked";
    return k->expires_s != 0 && k->expires_s <= now_s ? "expired" : "active";
}

static void list_key(struct listing *l, const char *tenant, const struct key *k)
{
    struct buf signals = BUF_INIT;
    key_signals_print(k->signals, &signals);
    listing_cell(l, "%s", k->id);
    listing_cell(l, "%s", tenant);
    listing_cell(l, "%s", state_of(k, clock_wall_ns() / NS_PER_S));
    listing_cell(l, "%s", buf_cstr(&signals));
    listing_time(l, k->created_s);
    listing_time(l, k->expires_s);
    listing_cell(l, "%s", k->label);
    buf_release(&signals);
}

/* Adds the keys of a file, <tenant>.keys; `only` (may be NULL) is the one tenant asked for. */
static int list_file(const struct args *a, const char *folder, const char *name, const char *only,
                     struct listing *l)
{
    struct arena arena = ARENA_INIT;
    struct errbuf err = ERRBUF_INIT;
    struct key *keys;
    size_t n = 0;
    char tenant[256];
    snprintf(tenant, sizeof(tenant), "%.*s", (int)(strlen(name) - strlen(".keys")), name);
    if (only != NULL && strcmp(only, tenant) != 0)
        return EXIT_DONE;
    int code = keystore_list(folder, tenant, &arena, &keys, &n, &err) < 0
                   ? cli_fail(a, "%s", err.text)
                   : EXIT_DONE;
    for (size_t i = 0; i < n && code == EXIT_DONE; i++)
        list_key(l, tenant, &keys[i]);
    arena_release(&arena);
    return code;
}

static int list(const struct args *a)
{
    static const struct listing_column columns[] = {
        {"ID", "id", LISTING_TEXT},           {"TENANT", "tenant", LISTING_TEXT},
        {"STATE", "state", LISTING_TEXT},     {"SIGNALS", "signals", LISTING_TEXT},
        {"CREATED", "created", LISTING_TIME}, {"EXPIRES", "expires", LISTING_TIME},
        {"LABEL", "label", LISTING_TEXT},     {0},
    };
    struct listing l = LISTING_INIT(columns);
    struct errbuf err = ERRBUF_INIT;
    struct buf out = BUF_INIT;
    struct cli_tenancy c;
    char **names = NULL;
    int code = EXIT_DONE;
    if (!cli_open_snapshot(a, &c))
        return EXIT_FAILED;
    int n = file_list(c.s->conf->keys, ".keys", &names, &err);
    if (n < 0)
        code = cli_fail(a, "%s", err.text);
    for (int i = 0; i < n; i++) {
        int one =
            list_file(a, c.s->conf->keys, names[i], a->n_operands ? a->operands[0] : NULL, &l);
        code = code == EXIT_DONE ? one : code;
    }
    listing_print(&l, args_flag(a, "--json"), cli_colour(), &out);
    cli_print(&out);
    file_list_free(names, n > 0 ? n : 0);
    listing_release(&l);
    cli_close(&c);
    return code;
}

int cmd_key_list(struct args *a)
{
    static const struct arg_row rows[] = {ARG_ROW_CONFIG, ARG_ROW_JSON, {0}};
    static const struct args_spec spec = {
        "[TENANT]", 0, 1, "Lists the keys of all tenants or of one, without their secrets.", rows};
    int code = args_parse(a, &spec);
    return code == ARGS_GO_ON ? list(a) : code;
}

/* The id that was typed, or the one of a whole key, pasted from where it leaked. */
static bool key_id_of(const char *typed, char id[KEY_ID_LENGTH + 1])
{
    struct key_parts parts = {.id = slice_str(typed)};
    key_parse(slice_str(typed), &parts);
    if (!key_id_valid(parts.id))
        return false;
    snprintf(id, KEY_ID_LENGTH + 1, "%.*s", SLICE_ARG(parts.id));
    return true;
}

static int revoke(const struct args *a)
{
    struct errbuf err = ERRBUF_INIT;
    struct cli_tenancy c;
    char id[KEY_ID_LENGTH + 1], tenant[256];
    if (!key_id_of(a->operands[0], id))
        return cli_fail(a, "\"%s\" is not a key id", a->operands[0]);
    if (!cli_open_snapshot(a, &c))
        return EXIT_FAILED;
    int rc = keystore_revoke(c.s->conf->keys, id, tenant, sizeof(tenant), &err);
    if (rc < 0)
        cli_fail(a, "%s", err.text);
    else if (args_flag(a, "--json"))
        printf("{\"id\": \"%s\", \"tenant\": \"%s\", \"revoked\": true}\n", id, tenant);
    else
        printf("Key %s of tenant %s %s.\n", id, tenant, rc ? "was revoked before" : "is revoked");
    cli_close(&c);
    return rc < 0 ? EXIT_FAILED : EXIT_DONE;
}

int cmd_key_revoke(struct args *a)
{
    static const struct arg_row rows[] = {ARG_ROW_CONFIG, ARG_ROW_JSON, {0}};
    static const struct args_spec spec = {"KEY_ID", 1, 1,
                                          "Makes a key worthless, for ever. A running router "
                                          "refuses it within a second. A whole key\n"
                                          "is taken for its id.",
                                          rows};
    int code = args_parse(a, &spec);
    return code == ARGS_GO_ON ? revoke(a) : code;
}
