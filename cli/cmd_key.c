#include "cli/commands.h"
#include "cli/common.h"
#include "cli/key_wishes.h"

#include "base/clock.h"
#include "base/json.h"
#include "tenancy/keys/key_limits.h"
#include "tenancy/keys/keystore.h"

#include <errno.h>
#include <stdio.h>

static void print_expiry(struct buf *out, uint64_t expires_s)
{
    if (expires_s != 0)
        buf_printf(out, "%llu", (unsigned long long)expires_s);
    else
        buf_append_str(out, "null");
}

static void print_limits_json(const struct key *k, struct buf *out)
{
    struct buf limits = BUF_INIT;
    key_limits_print(k->limits, true, &limits);
    if (limits.len > 0)
        json_string(out, slice_str(buf_cstr(&limits) + 1));
    else
        buf_append_str(out, "null");
    buf_release(&limits);
}

/* `old` (may be NULL) is the key that this one succeeds. */
static void print_issued_json(const char *tenant, const struct key *k, const char *text,
                              const struct key *old, struct buf *out)
{
    buf_append_str(out, "{\"tenant\": ");
    json_string(out, slice_str(tenant));
    buf_printf(out, ", \"id\": \"%s\", \"key\": \"%s\", \"label\": ", k->id, text);
    json_string(out, slice_str(k->label));
    buf_append_str(out, ", \"signals\": \"");
    key_signals_print(k->signals, out);
    buf_append_str(out, "\", \"limits\": ");
    print_limits_json(k, out);
    buf_printf(out, ", \"created\": %llu, \"expires\": ", (unsigned long long)k->created_s);
    print_expiry(out, k->expires_s);
    if (old != NULL) {
        buf_printf(out, ", \"rotated\": \"%s\", \"rotated_expires\": ", old->id);
        print_expiry(out, old->expires_s);
    }
    buf_append_str(out, "}\n");
}

static void print_issued_text(const char *tenant, const struct key *k, const char *text,
                              const struct key *old, struct buf *out)
{
    char when[CLI_TIME_SIZE];
    buf_printf(out, "Key %s of tenant %s, for ", k->id, tenant);
    key_signals_print(k->signals, out);
    buf_printf(out, ", valid %s%s.\n", k->expires_s ? "until " : "until it is revoked",
               cli_time(k->expires_s, when));
    if (k->limits != NULL) {
        buf_append_str(out, "Its limits, below the tenant's:");
        key_limits_print(k->limits, true, out);
        buf_append_str(out, "\n");
    }
    if (old != NULL)
        buf_printf(
            out,
            "It succeeds %s, which is valid until %s at the latest: move the senders, watch\n"
            "`tenantry key list %s`, and revoke %s once it is told safe to revoke.\n",
            old->id, cli_time(old->expires_s, when), tenant, old->id);
    buf_printf(out,
               "It is shown now and never again:\n\n  %s\n\n"
               "Senders pass it as a header:\n\n  "
               "OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%%20%s'\n",
               text, text);
}

static void print_issued(const struct args *a, const char *tenant, const struct key *k,
                         const char *text, const struct key *old)
{
    struct buf out = BUF_INIT;
    if (args_flag(a, "--json"))
        print_issued_json(tenant, k, text, old, &out);
    else
        print_issued_text(tenant, k, text, old, &out);
    cli_print(&out);
}

static int issue_for(const struct args *a, const struct conf *conf, struct key *k)
{
    const char *tenant = a->operands[0];
    struct errbuf err = ERRBUF_INIT;
    char text[KEY_TEXT_LENGTH + 1];
    if (key_limits_check(k->limits, conf, &err) < 0 ||
        keystore_issue(conf->keys, tenant, k, text, &err) < 0)
        return cli_fail(a, "%s", err.text);
    print_issued(a, tenant, k, text, NULL);
    return EXIT_DONE;
}

static int issue(const struct args *a)
{
    struct arena arena = ARENA_INIT;
    struct errbuf err = ERRBUF_INIT;
    struct key k = {.label = "", .signals = KEY_ALL_SIGNALS};
    struct cli_tenancy c;
    int code = EXIT_FAILED;
    if (key_wishes_read(a, &k, &arena, &err) < 0) {
        cli_fail(a, "%s", err.text);
    } else if (cli_open_snapshot(a, &c)) {
        code = snapshot_tenant(c.s, slice_str(a->operands[0])) != NULL
                   ? issue_for(a, c.s->conf, &k)
                   : cli_fail(a, "there is no tenant \"%s\"", a->operands[0]);
        cli_close(&c);
    }
    arena_release(&arena);
    return code;
}

int cmd_key_issue(struct args *a)
{
    static const struct arg_row rows[] = {
        ARG_ROW_CONFIG,
        ARG_ROW_JSON,
        {"--label", ARG_TEXT, "TEXT", NULL, "what the key is for"},
        {"--expires", ARG_DURATION, "90d", NULL, "how long it is valid; else until it is revoked"},
        {"--signals", ARG_TEXT, "traces,logs", NULL, "what may be sent with it; else everything"},
        KEY_LIMIT_ARG_ROWS,
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

static int rotate(const struct args *a)
{
    struct arena arena = ARENA_INIT;
    struct errbuf err = ERRBUF_INIT;
    struct key_rotation r = {0};
    struct cli_tenancy c;
    char id[KEY_ID_LENGTH + 1];
    if (!key_id_of(a->operands[0], id))
        return cli_fail(a, "\"%s\" is not a key id", a->operands[0]);
    if (!cli_open_snapshot(a, &c))
        return EXIT_FAILED;
    if (args_given(a, "--expires"))
        r.fresh.expires_s = clock_wall_ns() / NS_PER_S + args_number(a, "--expires") / NS_PER_S;
    int rc = keystore_rotate(c.s->conf->keys, id, args_number(a, "--overlap") / NS_PER_S, &arena,
                             &r, &err);
    if (rc < 0)
        cli_fail(a, "%s", err.text);
    else
        print_issued(a, r.tenant, &r.fresh, r.text, &r.old);
    arena_release(&arena);
    cli_close(&c);
    return rc < 0 ? EXIT_FAILED : EXIT_DONE;
}

int cmd_key_rotate(struct args *a)
{
    static const struct arg_row rows[] = {
        ARG_ROW_CONFIG,
        ARG_ROW_JSON,
        {"--overlap", ARG_DURATION, "7d", "7d", "how long the old key stays valid"},
        {"--expires", ARG_DURATION, "90d", NULL,
         "how long the new one is valid; else as long as the old one was to be"},
        {0},
    };
    static const struct args_spec spec = {
        "KEY_ID", 1, 1,
        "Makes a successor of a key, with the same signals, limits and label, and prints it. Both\n"
        "are valid until the overlap is over; `key list` tells when nobody uses the old one any\n"
        "more. A whole key is taken for its id.",
        rows};
    int code = args_parse(a, &spec);
    return code == ARGS_GO_ON ? rotate(a) : code;
}

static int revoke(const struct args *a)
{
    struct arena arena = ARENA_INIT;
    struct errbuf err = ERRBUF_INIT;
    struct key_changed was;
    struct cli_tenancy c;
    char id[KEY_ID_LENGTH + 1];
    if (!key_id_of(a->operands[0], id))
        return cli_fail(a, "\"%s\" is not a key id", a->operands[0]);
    if (!cli_open_snapshot(a, &c))
        return EXIT_FAILED;
    int rc = keystore_revoke(c.s->conf->keys, id, &arena, &was, &err);
    if (rc < 0)
        cli_fail(a, "%s", err.text);
    else if (args_flag(a, "--json"))
        printf("{\"id\": \"%s\", \"tenant\": \"%s\", \"revoked\": true}\n", id, was.tenant);
    else
        printf("Key %s of tenant %s %s.\n", id, was.tenant,
               rc ? "was revoked before" : "is revoked");
    arena_release(&arena);
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
