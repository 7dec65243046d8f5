#include "cli/commands.h"
#include "cli/common.h"
#include "cli/key_wishes.h"

#include "base/json.h"
#include "tenancy/keys/key_limits.h"
#include "tenancy/keys/keystore.h"

#include <errno.h>
#include <stdio.h>

struct wishes {
    const struct args *a;
    const struct conf *conf;
    struct arena *arena;
};

static int edit(struct key *k, void *arg, struct errbuf *err)
{
    struct wishes *w = arg;
    if (k->revoked)
        return errbuf_set(err, EINVAL, "key %s is revoked, for ever: issue a new one", k->id);
    if (args_flag(w->a, "--no-limits"))
        k->limits = NULL;
    if (args_flag(w->a, "--no-expiry"))
        k->expires_s = 0;
    int rc = key_wishes_read(w->a, k, w->arena, err);
    return rc == 0 ? key_limits_check(k->limits, w->conf, err) : rc;
}

static void print_changed(const struct args *a, const struct key_changed *c)
{
    struct buf out = BUF_INIT, limits = BUF_INIT;
    char when[CLI_TIME_SIZE];
    key_limits_print(c->key.limits, true, &limits);
    if (args_flag(a, "--json")) {
        buf_printf(&out, "{\"id\": \"%s\", \"tenant\": \"%s\", \"label\": ", c->key.id, c->tenant);
        json_string(&out, slice_str(c->key.label));
        buf_append_str(&out, ", \"signals\": \"");
        key_signals_print(c->key.signals, &out);
        buf_printf(&out,
                   "\", \"expires\": %llu, \"limits\": ", (unsigned long long)c->key.expires_s);
        json_string(&out, slice_str(limits.len ? buf_cstr(&limits) + 1 : ""));
        buf_append_str(&out, "}\n");
    } else {
        buf_printf(&out, "Key %s of tenant %s, for ", c->key.id, c->tenant);
        key_signals_print(c->key.signals, &out);
        buf_printf(&out, ", valid %s%s%s%s.\nRunning routers take this within a second.\n",
                   c->key.expires_s ? "until " : "until it is revoked",
                   cli_time(c->key.expires_s, when),
                   limits.len ? "; its limits, below the tenant's:" : "; no limits of its own",
                   buf_cstr(&limits));
    }
    buf_release(&limits);
    cli_print(&out);
}

static int change(const struct args *a)
{
    struct arena arena = ARENA_INIT;
    struct errbuf err = ERRBUF_INIT;
    struct key_changed changed;
    struct cli_tenancy c;
    char id[KEY_ID_LENGTH + 1];
    if (!key_id_of(a->operands[0], id))
        return cli_fail(a, "\"%s\" is not a key id", a->operands[0]);
    if (!cli_open_snapshot(a, &c))
        return EXIT_FAILED;
    struct wishes w = {a, c.s->conf, &arena};
    int rc = keystore_change(c.s->conf->keys, id, edit, &w, &arena, &changed, &err);
    if (rc < 0)
        cli_fail(a, "%s", err.text);
    else
        print_changed(a, &changed);
    arena_release(&arena);
    cli_close(&c);
    return rc < 0 ? EXIT_FAILED : EXIT_DONE;
}

int cmd_key_change(struct args *a)
{
    static const struct arg_row rows[] = {
        ARG_ROW_CONFIG,
        ARG_ROW_JSON,
        {"--label", ARG_TEXT, "TEXT", NULL, "what the key is for"},
        {"--expires", ARG_DURATION, "90d", NULL, "how long it is valid from now on"},
        {"--no-expiry", ARG_FLAG, NULL, NULL, "it is valid until it is revoked"},
        {"--signals", ARG_TEXT, "traces,logs", NULL, "what may be sent with it"},
        KEY_LIMIT_ARG_ROWS,
        {"--no-limits", ARG_FLAG, NULL, NULL, "drops its limits, before those given here are set"},
        {0},
    };
    static const struct args_spec spec = {
        "KEY_ID", 1, 1,
        "Changes what a key may do; what is not named stays, and so does the secret. A limit of 0\n"
        "is none. A whole key is taken for its id.",
        rows};
    int code = args_parse(a, &spec);
    if (code != ARGS_GO_ON)
        return code;
    if (a->n_given > args_given(a, "--config") + args_flag(a, "--json"))
        return change(a);
    cli_fail(a, "nothing to change is named; `tenantry key change --help` tells what can be");
    return EXIT_USAGE;
}
