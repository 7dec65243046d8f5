/* Commands as stories: each runs through the dispatcher in a folder of its own, and what it prints
 * is looked at. */
#include "cli/commands.h"
#include "cli/dispatch.h"

#include "base/file.h"
#include "tenancy/tenancy.h"
#include "tests/tenancy/temp_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

static const struct command commands[] = {
    {"tenant add", cmd_tenant_add, ""},
    {"tenant list", cmd_tenant_list, ""},
    {"tenant show", cmd_tenant_show, ""},
    {"tenant check", cmd_tenant_check, ""},
    {"tenant suspend", cmd_tenant_suspend, ""},
    {"tenant resume", cmd_tenant_resume, ""},
    {"key issue", cmd_key_issue, ""},
    {"key list", cmd_key_list, ""},
    {"key revoke", cmd_key_revoke, ""},
    {"key change", cmd_key_change, ""},
    {"key rotate", cmd_key_rotate, ""},
    {"certs dev", cmd_certs_dev, ""},
    {"config", cmd_config, ""},
    {0},
};

struct shell {
    struct temp_folder f;
    char config[512];
    struct buf out; /* stdout and stderr of the last command */
};

static int shell_open(void **state)
{
    struct shell *s = calloc(1, sizeof(*s));
    s->f = temp_folder_make();
    temp_path(&s->f, "tenantry.conf", s->config);
    temp_write(&s->f, "tenantry.conf", "");
    *state = s;
    return 0;
}

static int shell_close(void **state)
{
    struct shell *s = *state;
    buf_release(&s->out);
    temp_folder_remove(&s->f);
    free(s);
    return 0;
}

/* Runs a command, its words parted by blanks, and keeps what it prints. Returns the exit code. */
static int run(struct shell *s, const char *line)
{
    const char *argv[32] = {"--config", s->config};
    char words[512], path[512], *rest = words;
    int argc = 2, saved_out = dup(1), saved_err = dup(2);
    snprintf(words, sizeof(words), "%s", line);
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        argv[argc++] = word;
    fflush(stdout);
    FILE *to = fopen(temp_path(&s->f, "output", path), "w");
    dup2(fileno(to), 1);
    dup2(fileno(to), 2);
    int code = dispatch(commands, argc, argv);
    fflush(stdout);
    dup2(saved_out, 1);
    dup2(saved_err, 2);
    close(saved_out);
    close(saved_err);
    fclose(to);
    buf_clear(&s->out);
    assert_int_equal(file_read(path, &s->out, NULL), 0);
    return code;
}

struct step {
    int line;
    const char *command;
    int code;
    const char *prints; /* a part of it */
};

static void run_steps(struct shell *s, const struct step *steps, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int code = run(s, steps[i].command);
        if (code != steps[i].code || strstr(buf_cstr(&s->out), steps[i].prints) == NULL)
            fail_msg("row at line %d: code %d, \"%s\"", steps[i].line, code, buf_cstr(&s->out));
    }
}
#define RUN(s, steps) run_steps(s, steps, sizeof(steps) / sizeof(steps[0]))

static void test_a_tenant_from_add_to_resume(void **state)
{
    static const struct step steps[] = {
        {__LINE__, "tenant list --json", 0, "[]"},
        {__LINE__, "tenant add acme --rate 20MB/s --partitions 4 --label a\"b\\", 0, "acme.conf"},
        {__LINE__, "tenant add beta --json", 0, "{\"id\": \"beta\", \"file\": "},
        {__LINE__, "tenant add acme", 1, "tenant \"acme\" is there already"},
        {__LINE__, "tenant add Bad", 1, "a tenant id holds a-z"},
        {__LINE__, "tenant add ../bad", 1, "a tenant id holds a-z"},
        {__LINE__, "tenant add other --partitions 0", 1, "tenant.topics.partitions"},
        {__LINE__, "tenant add aaaa --database-path databases/beta.db", 1, "is the database of"},
        {__LINE__, "tenant list", 0, "beta    active     0"},
        {__LINE__, "tenant show acme", 0, "limits.rate              20MB/s"},
        {__LINE__, "tenant show acme --json", 0, "\"value\": \"20MB/s\""},
        {__LINE__, "tenant show acme --json", 0, "a\\\"b\\\\"},
        {__LINE__, "tenant show gone", 1, "there is no tenant \"gone\""},
        {__LINE__, "tenant suspend acme --reason unpaid", 0, "Tenant acme is suspended."},
        {__LINE__, "tenant show acme", 0, "Tenant acme is suspended: unpaid."},
        {__LINE__, "tenant check acme", 0, "ok, suspended"},
        {__LINE__, "tenant resume acme --json", 0, "{\"id\": \"acme\", \"suspended\": false}"},
        {__LINE__, "tenant resume acme", 0, "not suspended"},
        {__LINE__, "tenant suspend ../tenantry", 1, "there is no tenant"},
        {__LINE__, "tenant check", 0, "beta    ok"},
    };
    RUN(*state, steps);
    assert_int_equal(run(*state, "tenant list --json"), 0);
    assert_null(strstr(buf_cstr(&((struct shell *)*state)->out), "aaaa"));
}

static void test_check_tells_every_wrong_file(void **state)
{
    struct shell *s = *state;
    static const struct step steps[] = {
        {__LINE__, "tenant check", 1, "a.conf:1: "},
        {__LINE__, "tenant check", 1,
         "b.conf:1: unknown option \"tennant\": did you mean \"tenant\"?"},
        {__LINE__, "tenant check", 1, "c.keys:1: "},
        {__LINE__, "tenant check c", 1, "c.keys:1: "},
        {__LINE__, "tenant check d", 0, "ok"},
        {__LINE__, "tenant check e", 1, "there is no tenant \"e\""},
    };
    assert_int_equal(run(s, "tenant add c"), 0);
    assert_int_equal(run(s, "tenant add d"), 0);
    assert_int_equal(run(s, "key issue c"), 0);
    temp_write(&s->f, "tenants.d/a.conf", "tenant: {");
    temp_write(&s->f, "tenants.d/b.conf", "tennant: { };");
    temp_write(&s->f, "keys.d/c.keys", "?");
    RUN(s, steps);
}

static void test_a_key_from_issue_to_revocation(void **state)
{
    struct shell *s = *state;
    char key[KEY_TEXT_LENGTH + 1];
    static const struct step before[] = {
        {__LINE__, "key issue acme", 1, "there is no tenant \"acme\""},
        {__LINE__, "tenant add acme", 0, ""},
        {__LINE__, "key issue acme --signals log", 1, "\"log\" is not a signal"},
        {__LINE__, "key issue acme --expires soon", 2, "--expires"},
        {__LINE__, "key list", 0, "ID"},
        {__LINE__, "key issue acme --label web --expires 90d --signals traces,logs", 0, "  tnt_"},
    };
    RUN(s, before);
    const char *at = strstr(buf_cstr(&s->out), "tnt_");
    snprintf(key, sizeof(key), "%s", at);
    assert_int_equal(run(s, "key list --json"), 0);
    assert_non_null(
        strstr(buf_cstr(&s->out), "\"state\": \"active\", \"signals\": \"traces,logs\""));
    assert_null(strstr(buf_cstr(&s->out), key));
    static const struct {
        const char *command, *key_options, *text;
        int code;
    } with_key[] = {
        {"change", "", "nothing to change is named", 2},
        {"change", " --signals log", "\"log\" is not a signal", 1},
        {"change", " --burst 1KB", "smaller than the largest request", 1},
        {"change", " --no-expiry --rate 1MB/s --label shop",
         "valid until it is revoked; its limits", 0},
        {"change", " --json --expires 1h", "\"label\": \"shop\", \"signals\": \"traces,logs\"", 0},
        {"change", " --json --items 5/s", "\"limits\": \"rate=1MB/s items=5/s\"", 0},
        {"change", " --no-limits", "no limits of its own", 0},
        {"revoke", "", "is revoked", 0},
        {"change", " --label late", "is revoked, for ever", 1},
    };
    for (size_t i = 0; i < sizeof(with_key) / sizeof(with_key[0]); i++) {
        char line[256];
        snprintf(line, sizeof(line), "key %s %s%s", with_key[i].command, key,
                 with_key[i].key_options);
        assert_int_equal(run(s, line), with_key[i].code);
        if (strstr(buf_cstr(&s->out), with_key[i].text) == NULL)
            fail_msg("%s: %s", line, buf_cstr(&s->out));
    }
    static const struct step after[] = {
        {__LINE__, "key list acme", 0, "revoked"},
        {__LINE__, "key list other", 0, "LABEL"},
        {__LINE__, "key revoke 00000000", 1, "there is no key"},
        {__LINE__, "key revoke x", 1, "is not a key id"},
        {__LINE__, "key issue acme --json", 0, "\"expires\": null"},
        {__LINE__, "tenant list --json", 0, "\"keys\": 1"},
    };
    RUN(s, after);
}

static void test_certificates(void **state)
{
    static const struct step steps[] = {
        {__LINE__, "certs dev --name otlp.example --name 10.0.0.1", 0, "/certs/ca.pem"},
        {__LINE__, "certs dev", 1, "--force overwrites it"},
        {__LINE__, "certs dev --force --json", 0, "\"private_key\": "},
        {__LINE__, "certs dev --force --name a/b", 1, "neither a DNS name"},
    };
    RUN(*state, steps);
}

static void test_dispatch(void **state)
{
    static const struct step steps[] = {
        {__LINE__, "tenant", 2, "tenant suspend"},
        {__LINE__, "tenant --help", 0, "tenant suspend"},
        {__LINE__, "tenant ad", 2, "did you mean \"tenant add\"?"},
        {__LINE__, "tennant", 2, "unknown command \"tennant\""},
        {__LINE__, "--help", 0, "certs dev"},
        {__LINE__, "--version", 0, "tenantry "},
        {__LINE__, "--nonsense", 2, "unknown option"},
        {__LINE__, "tenant list --jsn", 2, "did you mean --json?"},
        {__LINE__, "tenant list --config /nowhere/tenantry.conf", 1, "/nowhere/tenantry.conf"},
    };
    RUN(*state, steps);
}

/* Everything that is printed to be used as a config is one. */
static void test_samples_are_config(void **state)
{
    struct shell *s = *state;
    static const struct step steps[] = {
        {__LINE__, "config", 0, "router.listen[1].address"},
        {__LINE__, "config --json", 0, "{\"option\": \"kafka.prefix\", \"value\": \"otlp\", "},
        {__LINE__, "config --docs", 0, "| `max_decompressed` | `64MiB` |"},
        {__LINE__, "config --docs", 0, "| `busy_timeout` |"},
        {__LINE__, "config --tenant-sample", 0, "#dlq_retention = \"7d\";"},
        {__LINE__, "config --sample", 0, "#drain_timeout = \"20s\";"},
    };
    RUN(s, steps);
    temp_write(&s->f, "tenantry.conf", buf_cstr(&s->out));
    assert_int_equal(run(s, "config"), 0);
}

int main(void)
{
#define IN_SHELL(test) cmocka_unit_test_setup_teardown(test, shell_open, shell_close)
    const struct CMUnitTest tests[] = {
        IN_SHELL(test_a_tenant_from_add_to_resume),
        IN_SHELL(test_check_tells_every_wrong_file),
        IN_SHELL(test_a_key_from_issue_to_revocation),
        IN_SHELL(test_certificates),
        IN_SHELL(test_dispatch),
        IN_SHELL(test_samples_are_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
