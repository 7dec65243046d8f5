#include "tenancy/tenancy.h"

#include "base/clock.h"
#include "temp_folder.h"
#include "tenancy/keys/keystore.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

/* An installation in a temporary folder with its tenancy. */
struct home {
    struct temp_folder f;
    char conf[512];
    struct tenancy *t;
    struct errbuf err;
};

static void put_tenant(struct home *h, const char *id, const char *more)
{
    char name[128], text[512];
    snprintf(name, sizeof(name), "tenants.d/%s.conf", id);
    snprintf(text, sizeof(text), "tenant: {\n id = \"%s\";\n %s };\n", id, more);
    temp_write(&h->f, name, text);
}

static int home_open(void **state)
{
    struct home *h = calloc(1, sizeof(*h));
    char path[512];
    h->f = temp_folder_make();
    mkdir(temp_path(&h->f, "tenants.d", path), 0700);
    mkdir(temp_path(&h->f, "keys.d", path), 0700);
    temp_path(&h->f, "tenantry.conf", h->conf);
    temp_write(&h->f, "tenantry.conf", "kafka: { prefix = \"otlp\"; };\n");
    put_tenant(h, "beta", "limits = { rate = \"40MB/s\"; logs = { items = \"5/s\"; }; };");
    put_tenant(h, "acme", "");
    h->t = tenancy_open(h->conf, NULL, &h->err);
    *state = h;
    return h->t == NULL;
}

static int home_close(void **state)
{
    struct home *h = *state;
    tenancy_close(h->t);
    temp_folder_remove(&h->f);
    free(h);
    return 0;
}

static char *issue(struct home *h, const char *tenant, uint64_t expires_s, struct key *ret)
{
    static char text[KEY_TEXT_LENGTH + 1];
    char folder[512];
    *ret = (struct key){.label = "test", .signals = 7, .expires_s = expires_s};
    assert_int_equal(keystore_issue(temp_path(&h->f, "keys.d", folder), tenant, ret, text, &h->err),
                     0);
    return text;
}

static enum auth_verdict authenticate(struct home *h, const char *text, const char *want_tenant)
{
    const struct tenant *t = NULL;
    const struct key *k = NULL;
    struct snapshot *s = tenancy_acquire(h->t);
    enum auth_verdict v = snapshot_authenticate(s, slice_str(text), 1000, &t, &k);
    if (v == AUTH_OK)
        assert_string_equal(t->id, want_tenant);
    snapshot_release(s);
    return v;
}

/* True when a tenant of this id is in use and its label is this. */
static bool has(struct home *h, const char *id, const char *label)
{
    struct snapshot *s = tenancy_acquire(h->t);
    const struct tenant *t = snapshot_tenant(s, slice_str(id));
    bool yes = t != NULL && strcmp(t->conf->label, label) == 0;
    snapshot_release(s);
    return yes;
}

static void test_first_read(void **state)
{
    struct home *h = *state;
    struct snapshot *s = tenancy_acquire(h->t);
    assert_int_equal(s->n_tenants, 2);
    const struct tenant *t = snapshot_tenant(s, SLICE_LIT("beta"));
    assert_string_equal(s->tenants[0].id, "acme");
    assert_ptr_equal(t, &s->tenants[1]);
    assert_string_equal(t->topic[SIGNAL_LOGS], "otlp.beta.logs");
    assert_string_equal(t->dlq_topic, "otlp.beta.dlq");
    assert_string_equal(t->group, "tenantry.beta");
    assert_true(t->limits[SIGNAL_COUNT].bytes.rate == 40000000);
    assert_true(t->limits[SIGNAL_COUNT].bytes.burst == 80000000);
    assert_true(t->limits[SIGNAL_LOGS].items.rate == 5 && t->limits[SIGNAL_LOGS].items.burst == 10);
    assert_true(s->tenants[0].limits[SIGNAL_COUNT].bytes.rate == 0);
    assert_string_equal(t->runtime->id, "beta");
    assert_null(snapshot_tenant(s, SLICE_LIT("bet")));
    assert_false(tenancy_changed(h->t));
    assert_int_equal(tenancy_reload(h->t, &h->err), 0);
    assert_int_equal(tenancy_version(h->t), 1);
    snapshot_release(s);
}

static void test_tenants_come_change_and_go(void **state)
{
    struct home *h = *state;
    struct snapshot *before = tenancy_acquire(h->t);
    put_tenant(h, "acme", "label = \"A\";");
    put_tenant(h, "new", "");
    assert_true(tenancy_changed(h->t));
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    assert_false(tenancy_changed(h->t));
    assert_true(has(h, "acme", "A") && has(h, "new", "") && has(h, "beta", ""));
    char path[512];
    unlink(temp_path(&h->f, "tenants.d/beta.conf", path));
    assert_true(tenancy_changed(h->t));
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    assert_false(has(h, "beta", ""));
    assert_int_equal(tenancy_version(h->t), 3);
    /* An old snapshot stays whole while someone holds it, and shares what outlives it. */
    struct snapshot *now = tenancy_acquire(h->t);
    assert_string_equal(snapshot_tenant(before, SLICE_LIT("beta"))->id, "beta");
    assert_string_equal(snapshot_tenant(before, SLICE_LIT("acme"))->conf->label, "");
    assert_ptr_equal(snapshot_tenant(before, SLICE_LIT("acme"))->runtime,
                     snapshot_tenant(now, SLICE_LIT("acme"))->runtime);
    snapshot_release(now);
    snapshot_release(before);
}

static void test_suspension(void **state)
{
    struct home *h = *state;
    char path[512];
    temp_write(&h->f, "tenants.d/acme.suspended", "bill not paid\nsecond line");
    assert_true(tenancy_changed(h->t));
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    struct snapshot *s = tenancy_acquire(h->t);
    assert_true(s->tenants[0].suspended);
    assert_string_equal(s->tenants[0].suspended_reason, "bill not paid");
    assert_false(s->tenants[1].suspended);
    snapshot_release(s);
    unlink(temp_path(&h->f, "tenants.d/acme.suspended", path));
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    s = tenancy_acquire(h->t);
    assert_false(s->tenants[0].suspended);
    snapshot_release(s);
}

static void test_authentication(void **state)
{
    struct home *h = *state;
    struct key k, expired, of_nobody;
    char acme[64], late[64], nobody[64], folder[512], wrong[64];
    struct key_changed was;
    struct arena arena = ARENA_INIT;
    strcpy(acme, issue(h, "acme", 0, &k));
    strcpy(late, issue(h, "beta", 1000, &expired));
    strcpy(nobody, issue(h, "nobody", 0, &of_nobody));
    assert_int_equal(authenticate(h, acme, "acme"), AUTH_UNKNOWN);
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    assert_int_equal(authenticate(h, acme, "acme"), AUTH_OK);
    assert_int_equal(authenticate(h, late, "beta"), AUTH_EXPIRED);
    assert_int_equal(authenticate(h, nobody, ""), AUTH_UNKNOWN);
    assert_int_equal(authenticate(h, "x", ""), AUTH_NOT_A_KEY);
    strcpy(wrong, acme);
    wrong[20] = wrong[20] == 'x' ? 'y' : 'x';
    assert_int_equal(authenticate(h, wrong, ""), AUTH_CHECKSUM);
    assert_int_equal(
        keystore_revoke(temp_path(&h->f, "keys.d", folder), k.id, &arena, &was, &h->err), 0);
    assert_true(tenancy_changed(h->t));
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    assert_int_equal(authenticate(h, acme, ""), AUTH_REVOKED);
    arena_release(&arena);
}

static void test_a_wrong_secret_is_not_the_key(void **state)
{
    struct home *h = *state;
    struct key a, b;
    char first[64], text[512];
    strcpy(first, issue(h, "acme", 0, &a));
    issue(h, "acme", 0, &b);
    /* b's secret under a's id: a right checksum, a known id, another secret. */
    snprintf(text, sizeof(text),
             "id=%s sha256=%064d created=1 expires=0 revoked=0 signals=logs label=\n", a.id, 0);
    temp_write(&h->f, "keys.d/acme.keys", text);
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    assert_int_equal(authenticate(h, first, ""), AUTH_SECRET);
}

/* Broken files: the sentence names the place, the entry before stays, the others go on. */
static void test_refused_files(void **state)
{
    static const struct {
        int line;
        const char *file, *content, *sentence;
    } rows[] = {
        {__LINE__, "tenants.d/acme.conf", "", "acme.conf: option \"tenant.id\" is missing"},
        {__LINE__, "tenants.d/acme.conf", "tenant: {\n id = \"acme\";\n lable = \"x\"; };",
         "acme.conf:3: unknown option \"lable\" in tenant: did you mean \"label\"?"},
        {__LINE__, "tenants.d/acme.conf", "tenant: {\n id = \"ac", "acme.conf:2: "},
        {__LINE__, "tenants.d/acme.conf", "tenant: { id = \"other\"; };", "other.conf"},
        {__LINE__, "tenants.d/acme.conf",
         "tenant: { id = \"acme\";\n database = { path = \"databases/beta.db\"; }; };",
         "tenants.d/beta.conf too"},
        {__LINE__, "tenants.d/Bad.conf", "tenant: { id = \"Bad\"; };", "Bad.conf:1: tenant.id: "},
        {__LINE__, "keys.d/acme.keys", "what", "acme.keys:1: "},
        {__LINE__, "tenantry.conf", "kafka: {\n prefix = \"a b\"; };",
         "tenantry.conf:2: kafka.prefix: "},
        {__LINE__, "tenantry.conf", "kafka: {", "tenantry.conf:1: "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        home_open(state);
        struct home *h = *state;
        struct key k;
        put_tenant(h, "acme", "label = \"before\";");
        char *text = issue(h, "acme", 0, &k);
        assert_int_equal(tenancy_reload(h->t, &h->err), 1);
        temp_write(&h->f, rows[i].file, rows[i].content);
        assert_true(tenancy_changed(h->t));
        if (tenancy_reload(h->t, &h->err) != -EINVAL || !strstr(h->err.text, rows[i].sentence))
            fail_msg("row at line %d: \"%s\"", rows[i].line, h->err.text);
        assert_false(tenancy_changed(h->t));
        assert_true(has(h, "acme", "before") && !has(h, "Bad", ""));
        assert_int_equal(authenticate(h, text, "acme"), AUTH_OK);
        if (strcmp(rows[i].file, "tenantry.conf") != 0) {
            size_t n;
            put_tenant(h, "beta", "label = \"after\";");
            assert_int_equal(tenancy_reload(h->t, &h->err), 1);
            assert_true(has(h, "acme", "before") && has(h, "beta", "after"));
            assert_true(tenancy_notices(h->t, &n)[0].refused && n == 1);
        }
        home_close(state);
    }
}

/* libconfig would stop at it, and take what stands before for the whole. */
static void test_a_file_with_a_nul_byte_is_refused(void **state)
{
    static const char text[] = "tenant: { id = \"acme\"; };\0 and more";
    struct home *h = *state;
    char path[512];
    FILE *file = fopen(temp_path(&h->f, "tenants.d/acme.conf", path), "w");
    assert_int_equal(fwrite(text, 1, sizeof(text) - 1, file), sizeof(text) - 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(tenancy_reload(h->t, &h->err), -EINVAL);
    assert_non_null(strstr(h->err.text, "acme.conf: this is not a text file"));
}

/* Whether the key's tenant is known by name only. */
static bool is_unreadable(struct home *h, const char *text)
{
    const struct tenant *t = NULL;
    const struct key *k = NULL;
    struct snapshot *s = tenancy_acquire(h->t);
    assert_int_equal(snapshot_authenticate(s, slice_str(text), 1000, &t, &k), AUTH_OK);
    bool unreadable = t->unreadable;
    assert_string_equal(t->runtime->id, t->id);
    assert_true(unreadable != (snapshot_tenant(s, slice_str(t->id)) == t));
    snapshot_release(s);
    return unreadable;
}

/* Keys of a tenant whose file is wrong from the start are known, and prove who it is. */
static void test_an_unreadable_tenant_has_its_keys(void **state)
{
    struct home *h = *state;
    struct key k;
    char acme[KEY_TEXT_LENGTH + 1], path[512];
    snprintf(acme, sizeof(acme), "%s", issue(h, "acme", 0, &k));
    temp_write(&h->f, "tenants.d/acme.conf", "tenant: {");
    temp_write(&h->f, "tenants.d/Bad.conf", "tenant: {"); /* no tenant can have this name */
    tenancy_close(h->t);
    h->t = tenancy_open(h->conf, NULL, &h->err);
    assert_non_null(h->t);
    assert_true(is_unreadable(h, acme));
    acme[KEY_TEXT_LENGTH - 10] ^= 1;
    assert_int_not_equal(authenticate(h, acme, ""), AUTH_OK);
    acme[KEY_TEXT_LENGTH - 10] ^= 1;
    temp_write(&h->f, "tenants.d/acme.conf", "tenant: { id = ");
    assert_int_equal(tenancy_reload(h->t, &h->err), -EINVAL); /* still wrong: nothing changes */
    assert_non_null(strstr(h->err.text, ".conf:1: "));
    temp_write(&h->f, "tenants.d/acme.suspended", "unpaid\n");
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    assert_true(is_unreadable(h, acme));
    put_tenant(h, "acme", "label = \"mended\";");
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    assert_false(is_unreadable(h, acme));
    assert_true(has(h, "acme", "mended"));
    temp_write(&h->f, "tenants.d/acme.conf", "tenant: {");
    assert_int_equal(tenancy_reload(h->t, &h->err), -EINVAL); /* the previous content stays */
    assert_false(is_unreadable(h, acme));
    unlink(temp_path(&h->f, "tenants.d/acme.conf", path));
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    assert_int_equal(authenticate(h, acme, ""), AUTH_UNKNOWN);
    /* So is the second who claims a database. */
    put_tenant(h, "acme", "database = { path = \"databases/beta.db\"; };");
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    assert_true(is_unreadable(h, acme));
}

/* A key that is in no file may be in the one that is wrong. */
static void test_unreadable_keys(void **state)
{
    struct home *h = *state;
    struct key k, other;
    char acme[KEY_TEXT_LENGTH + 1], beta[KEY_TEXT_LENGTH + 1], path[512];
    snprintf(acme, sizeof(acme), "%s", issue(h, "acme", 0, &k));
    snprintf(beta, sizeof(beta), "%s", issue(h, "beta", 0, &other));
    struct buf file = BUF_INIT;
    keyfile_print(&k, 1, &file);
    temp_write(&h->f, "keys.d/acme.keys", "id=");
    tenancy_close(h->t);
    h->t = tenancy_open(h->conf, NULL, &h->err);
    assert_non_null(h->t);
    assert_int_equal(authenticate(h, acme, ""), AUTH_UNREADABLE);
    assert_int_equal(authenticate(h, beta, "beta"), AUTH_OK);
    beta[20] = beta[20] == 'x' ? 'y' : 'x';
    assert_int_equal(authenticate(h, beta, ""), AUTH_CHECKSUM);
    temp_write(&h->f, "keys.d/acme.keys", buf_cstr(&file));
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    assert_int_equal(authenticate(h, acme, "acme"), AUTH_OK);
    temp_write(&h->f, "keys.d/acme.keys", "id="); /* the previous content stays */
    assert_int_equal(tenancy_reload(h->t, &h->err), -EINVAL);
    assert_int_equal(authenticate(h, acme, "acme"), AUTH_OK);
    unlink(temp_path(&h->f, "keys.d/acme.keys", path));
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    assert_int_equal(authenticate(h, acme, ""), AUTH_UNKNOWN);
    buf_release(&file);
}

static void test_a_wrong_file_at_the_start_is_left_out(void **state)
{
    struct home *h = *state;
    size_t n;
    temp_write(&h->f, "tenants.d/acme.conf", "tenant: {");
    tenancy_close(h->t);
    h->t = tenancy_open(h->conf, NULL, &h->err);
    assert_non_null(h->t);
    assert_true(has(h, "beta", "") && !has(h, "acme", ""));
    assert_non_null(strstr(tenancy_notices(h->t, &n)->text, "acme.conf:1: "));
    assert_int_equal(n, 1);
    tenancy_close(h->t);
    temp_write(&h->f, "tenantry.conf", "nonsense");
    h->t = tenancy_open(h->conf, NULL, &h->err);
    assert_null(h->t);
    assert_non_null(strstr(h->err.text, "tenantry.conf:1: "));
}

/* Of two new claims on one database the later name is refused, through links and dots too. */
static void test_one_database_belongs_to_one_tenant(void **state)
{
    struct home *h = *state;
    char path[512], link[512], more[1200];
    size_t n;
    temp_path(&h->f, "dbs", path);
    mkdir(path, 0700);
    assert_int_equal(symlink(path, temp_path(&h->f, "link", link)), 0);
    snprintf(more, sizeof(more), "database = { path = \"%s/./x.db\"; };", path);
    put_tenant(h, "new1", more);
    snprintf(more, sizeof(more), "database = { path = \"%s/x.db\"; };", link);
    put_tenant(h, "new2", more);
    put_tenant(h, "new3", more);
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    assert_true(has(h, "new1", "") && !has(h, "new2", "") && !has(h, "new3", ""));
    assert_non_null(strstr(tenancy_notices(h->t, &n)->text, "new2.conf:3: tenant.database.path: "));
    assert_int_equal(n, 2);
    unlink(temp_path(&h->f, "tenants.d/new1.conf", path));
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    assert_true(!has(h, "new1", "") && has(h, "new2", "") && !has(h, "new3", ""));
}

static void test_what_needs_a_restart_stays(void **state)
{
    struct home *h = *state;
    size_t n;
    temp_write(&h->f, "tenantry.conf",
               "kafka: { prefix = \"other\"; }; record: { max_items = 7; };\n"
               "router: { listen = ( { address = \"127.0.0.1:1\"; } ); };");
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    const struct tenancy_notice *notice = tenancy_notices(h->t, &n);
    assert_int_equal(n, 1);
    assert_false(notice->refused);
    assert_non_null(strstr(notice->text, "after a restart: router.listen, kafka.prefix"));
    temp_write(&h->f, "tenantry.conf", "record: { max_items = 8; };\n");
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    struct snapshot *s = tenancy_acquire(h->t);
    assert_string_equal(s->conf->kafka.prefix, "otlp");
    assert_string_equal(s->tenants[0].topic[SIGNAL_LOGS], "otlp.acme.logs");
    assert_string_equal(((struct listen_conf *)s->conf->router.listen.at)->address, "0.0.0.0:4317");
    assert_true(s->conf->record.max_items == 8);
    snapshot_release(s);
}

/* Installations that share a cluster share neither topics nor groups. */
static void test_the_prefix_is_in_topics_and_group(void **state)
{
    struct home *h = *state;
    temp_write(&h->f, "tenantry.conf", "kafka: { prefix = \"stage.eu\"; };\n");
    struct tenancy *t = tenancy_open(h->conf, NULL, &h->err);
    assert_non_null(t);
    struct snapshot *s = tenancy_acquire(t);
    assert_string_equal(s->tenants[0].topic[SIGNAL_LOGS], "stage.eu.acme.logs");
    assert_string_equal(s->tenants[0].group, "tenantry.stage.eu.acme");
    snapshot_release(s);
    tenancy_close(t);
}

static void test_a_changed_limit_starts_full(void **state)
{
    struct home *h = *state;
    const struct limit_caller nobody = {0, false};
    uint64_t wait, now = clock_mono_ns();
    put_tenant(h, "acme", "limits = { rate = \"1/s\"; logs = { items = 10; }; };");
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    struct snapshot *s = tenancy_acquire(h->t);
    const struct tenant *t = &s->tenants[0];
    struct tenant_limit_states *states = t->runtime->limits;
    limit_take(&states[SIGNAL_COUNT].bytes, &t->limits[SIGNAL_COUNT].bytes, 1ull << 40, nobody, now,
               0, &wait);
    limit_take(&states[SIGNAL_LOGS].items, &t->limits[SIGNAL_LOGS].items, 15, nobody, now, 0,
               &wait);
    snapshot_release(s);
    put_tenant(h, "acme", "limits = { rate = \"40MB/s\"; logs = { items = 10; }; };");
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    s = tenancy_acquire(h->t);
    t = &s->tenants[0];
    assert_true(limit_available(&states[SIGNAL_COUNT].bytes, &t->limits[SIGNAL_COUNT].bytes, now) ==
                80000000);
    assert_true(limit_available(&states[SIGNAL_LOGS].items, &t->limits[SIGNAL_LOGS].items, now) ==
                5);
    snapshot_release(s);
}

static void test_a_worker_reads_its_own_tenant_alone(void **state)
{
    struct home *h = *state;
    char path[512];
    tenancy_close(h->t);
    temp_write(&h->f, "tenants.d/beta.conf", "broken {");
    temp_write(&h->f, "keys.d/acme.keys", "broken");
    h->t = tenancy_open(h->conf, "acme", &h->err);
    assert_non_null(h->t);
    struct snapshot *s = tenancy_acquire(h->t);
    assert_int_equal(s->n_tenants, 1);
    snapshot_release(s);
    put_tenant(h, "gamma", "");
    assert_false(tenancy_changed(h->t));
    put_tenant(h, "acme", "label = \"A\";");
    assert_true(tenancy_changed(h->t));
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    assert_true(has(h, "acme", "A"));
    unlink(temp_path(&h->f, "tenants.d/acme.conf", path));
    assert_int_equal(tenancy_reload(h->t, &h->err), 1);
    assert_false(has(h, "acme", "A"));
    assert_null(tenancy_open(h->conf, "acme", &h->err));
    assert_non_null(strstr(h->err.text, "there is no tenant \"acme\""));
    assert_null(tenancy_open(h->conf, "beta", &h->err));
    assert_non_null(strstr(h->err.text, "beta.conf:1: "));
    assert_null(tenancy_open(h->conf, "../x", &h->err));
}

struct reading {
    struct tenancy *t;
    _Atomic bool stop;
    _Atomic uint64_t snapshots;
};

static void *read_on(void *arg)
{
    struct reading *r = arg;
    while (!r->stop) {
        struct snapshot *s = tenancy_acquire(r->t);
        if (snapshot_tenant(s, SLICE_LIT("beta")) != NULL)
            r->snapshots++;
        snapshot_release(s);
    }
    return NULL;
}

static void test_readers_beside_a_reload(void **state)
{
    struct home *h = *state;
    struct reading r[2] = {{.t = h->t}, {.t = h->t}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &r[i]), 0);
    for (int i = 0; i < 2; i++)
        while (r[i].snapshots == 0)
            sched_yield();
    for (int i = 0; i < 50; i++) {
        put_tenant(h, "acme", i % 2 ? "label = \"odd\";" : "");
        temp_write(&h->f, "keys.d/acme.keys", i % 3 ? "" : "#\n");
        tenancy_reload(h->t, &h->err);
    }
    for (int i = 0; i < 2; i++) {
        r[i].stop = true;
        pthread_join(threads[i], NULL);
    }
    assert_true(has(h, "acme", "odd"));
}

int main(void)
{
#define IN_HOME(test) cmocka_unit_test_setup_teardown(test, home_open, home_close)
    const struct CMUnitTest tests[] = {
        IN_HOME(test_first_read),
        IN_HOME(test_tenants_come_change_and_go),
        IN_HOME(test_suspension),
        IN_HOME(test_authentication),
        IN_HOME(test_a_wrong_secret_is_not_the_key),
        cmocka_unit_test(test_refused_files),
        IN_HOME(test_a_file_with_a_nul_byte_is_refused),
        IN_HOME(test_a_wrong_file_at_the_start_is_left_out),
        IN_HOME(test_an_unreadable_tenant_has_its_keys),
        IN_HOME(test_unreadable_keys),
        IN_HOME(test_one_database_belongs_to_one_tenant),
        IN_HOME(test_what_needs_a_restart_stays),
        IN_HOME(test_the_prefix_is_in_topics_and_group),
        IN_HOME(test_a_changed_limit_starts_full),
        IN_HOME(test_a_worker_reads_its_own_tenant_alone),
        IN_HOME(test_readers_beside_a_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
