#include "tenancy/keys/key_limits.h"
#include "tenancy/keys/keystore.h"

#include "base/file.h"
#include "temp_folder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#define HASH  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define KEY_A "id=AAAAAAAA sha256=" HASH " created=1 expires=2 revoked=3 signals=logs label=a b\n"
#define KEY_B                                                                                      \
    "id=BBBBBBBB sha256=" HASH " created=4 expires=0 revoked=0 signals=traces,metrics,logs "       \
    "label=\n"

#define KEY_C                                                                                      \
    "id=CCCCCCCC sha256=" HASH " created=4 expires=9 revoked=0 signals=logs rotated=5 "            \
    "successor=AAAAAAAA rate=5000000 burst=9 items=1 traces.requests=7 logs.rate=3 label=x\n"

static void test_reads_and_prints(void **state)
{
    (void)state;
    struct arena a = ARENA_INIT;
    struct errbuf err = ERRBUF_INIT;
    struct key *keys;
    size_t n;
    int rc =
        keyfile_parse(SLICE_LIT("# a comment\n\n" KEY_A KEY_B KEY_C), "f", &a, &keys, &n, &err);
    assert_int_equal(rc, 0);
    assert_int_equal(n, 3);
    assert_string_equal(keys[2].successor, "AAAAAAAA");
    assert_true(keys[2].limits[SIGNAL_COUNT].rate == 5000000 && keys[1].limits == NULL);
    assert_true(keys[2].limits[SIGNAL_TRACES].requests == 7);
    struct buf limits = BUF_INIT;
    key_limits_print(keys[2].limits, true, &limits);
    assert_string_equal(buf_cstr(&limits),
                        " rate=5MB/s burst=9B items=1/s traces.requests=7/s logs.rate=3B/s");
    buf_release(&limits);
    assert_true(keys[2].rotated_s == 5 && keys[1].successor[0] == 0);
    assert_string_equal(keys[0].id, "AAAAAAAA");
    assert_string_equal(keys[0].label, "a b");
    assert_true(keys[0].revoked && keys[0].revoked_s == 3 && keys[0].expires_s == 2);
    assert_int_equal(keys[0].signals, 1u << SIGNAL_LOGS);
    assert_int_equal(keys[0].hash[0], 0xba);
    assert_string_equal(keys[1].label, "");
    assert_false(keys[1].revoked);
    struct buf out = BUF_INIT;
    keyfile_print(keys, n, &out);
    assert_non_null(strstr(buf_cstr(&out), KEY_A KEY_B KEY_C));
    buf_release(&out);
    arena_release(&a);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *text, *sentence;
    } rows[] = {
        {__LINE__, "x\n", "f:1: a name=value"},
        {__LINE__, "# c\nid=AAAAAAAA\n", "f:2: sha256 is missing"},
        {__LINE__, "id=AAAAAAA sha256=", "f:1: id: this is not a key id"},
        {__LINE__, "id=AAAAAAAA id=AAAAAAAA", "id stands twice"},
        {__LINE__, "id=AAAAAAAA  sha256=" HASH, "a name=value"},
        {__LINE__, "id=AAAAAAAA sha256=12", "sha256: this is not 64"},
        {__LINE__,
         "id=AAAAAAAA sha256=BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
         "sha256: this is not 64"},
        {__LINE__, "created=", "created: this is not a time"},
        {__LINE__, "expires=-1", "expires: this is not a time"},
        {__LINE__, "revoked=9999999999999999999", "revoked: this is not a time"},
        {__LINE__, "signals=logs,logs", "signals: logs stands twice"},
        {__LINE__, "signals=log", "signals: \"log\" is not a signal"},
        {__LINE__, "signals=", "signals: \"\" is not a signal"},
        {__LINE__, "label=\x01", "label: a label holds no control"},
        {__LINE__, "label=a ", "label: a label does not begin or end"},
        {__LINE__, "successor=A", "successor: this is not a key id"},
        {__LINE__, "id=AAAAAAAA sha256=" HASH " created=1 expires=2 revoked=3 signals=logs",
         "f:1: label is missing"},
        {__LINE__, "rate=5MB", "rate: this is not a time in seconds or a number"},
        {__LINE__, "rate=5 rate=5", "rate stands twice"},
        {__LINE__, "log.rate=5", "a name=value"},
        {__LINE__, "logs.rates=5", "a name=value"},
        {__LINE__, "logs.=5", "a name=value"},
        {__LINE__, "colour=red", "a name=value"},
        {__LINE__, KEY_A KEY_A, "f: key AAAAAAAA stands twice"},
        {__LINE__,
         "id=AAAAAAAA sha256=" HASH " created=1 expires=2 revoked=3 signals=logs label=a\r\n",
         "control"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = ARENA_INIT;
        struct errbuf err = ERRBUF_INIT;
        struct key *keys;
        size_t n;
        if (keyfile_parse(slice_str(rows[i].text), "f", &a, &keys, &n, &err) != -EINVAL ||
            strstr(err.text, rows[i].sentence) == NULL)
            fail_msg("row at line %d: \"%s\"", rows[i].line, err.text);
        arena_release(&a);
    }
}

static void test_issue_list_revoke(void **state)
{
    (void)state;
    struct temp_folder f = temp_folder_make();
    struct arena a = ARENA_INIT;
    struct errbuf err = ERRBUF_INIT;
    struct key k = {.label = "web", .signals = 7}, *keys;
    char keys_d[512], path[512], text[KEY_TEXT_LENGTH + 1];
    struct key_changed was;
    size_t n;
    temp_path(&f, "keys.d", keys_d);
    assert_int_equal(keystore_list(keys_d, "acme", &a, &keys, &n, &err), 0);
    assert_int_equal(n, 0);
    assert_int_equal(keystore_issue(keys_d, "acme", &k, text, &err), 0);
    assert_int_equal(keystore_issue(keys_d, "beta", &k, text, &err), 0);
    assert_int_equal(keystore_issue(keys_d, "acme", &k, text, &err), 0);
    assert_int_equal(keystore_list(keys_d, "acme", &a, &keys, &n, &err), 0);
    assert_int_equal(n, 2);
    assert_string_equal(keys[1].id, k.id);
    struct stat st;
    assert_int_equal(stat(temp_path(&f, "keys.d/acme.keys", path), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    temp_write(&f, "keys.d/aaaa.keys", "broken"); /* stands in nobody else's way */
    assert_int_equal(keystore_revoke(keys_d, k.id, &a, &was, &err), 0);
    assert_string_equal(was.tenant, "acme");
    assert_int_equal(keystore_revoke(keys_d, k.id, &a, &was, &err), 1);
    assert_int_equal(keystore_list(keys_d, "acme", &a, &keys, &n, &err), 0);
    assert_true(!keys[0].revoked && keys[1].revoked && keys[1].revoked_s > 0);
    assert_int_equal(keystore_issue(keys_d, "beta", &k, text, &err), 0);
    assert_int_equal(unlink(temp_path(&f, "keys.d/aaaa.keys", path)), 0);
    assert_int_equal(keystore_revoke(keys_d, "00000000", &a, &was, &err), -ENOENT);
    arena_release(&a);
    temp_folder_remove(&f);
}

static void test_rotate(void **state)
{
    (void)state;
    struct temp_folder f = temp_folder_make();
    struct arena a = ARENA_INIT;
    struct errbuf err = ERRBUF_INIT;
    struct rate_conf limits[LIMIT_SCOPE_COUNT] = {[SIGNAL_LOGS] = {.rate = 77}};
    struct key web = {.label = "web", .signals = 2, .limits = limits}, *keys;
    struct key_rotation r = {0}, other = {0};
    char text[KEY_TEXT_LENGTH + 1];
    size_t n;
    const uint64_t week = 7 * 86400;
    assert_int_equal(keystore_issue(f.path, "acme", &web, text, &err), 0);
    assert_int_equal(keystore_rotate(f.path, web.id, week, &a, &r, &err), 0);
    assert_string_equal(r.tenant, "acme");
    assert_int_equal(keystore_list(f.path, "acme", &a, &keys, &n, &err), 0);
    assert_int_equal(n, 2);
    /* the old one: valid for the overlap, and it names its successor */
    assert_string_equal(keys[0].id, web.id);
    assert_string_equal(keys[0].successor, r.fresh.id);
    assert_true(keys[0].expires_s == keys[0].rotated_s + week && !keys[0].revoked);
    /* the new one: the same restrictions, no expiry since the old one had none */
    assert_string_equal(keys[1].id, r.fresh.id);
    assert_string_equal(keys[1].label, "web");
    assert_true(keys[1].limits != NULL && keys[1].limits[SIGNAL_LOGS].rate == 77);
    assert_true(keys[1].signals == 2 && keys[1].expires_s == 0 && keys[1].successor[0] == 0);
    struct key_parts parts;
    assert_int_equal(key_parse(slice_str(r.text), &parts), KEY_FORM_OK);
    assert_true(key_secret_matches(&keys[1], parts.secret));

    assert_int_equal(keystore_rotate(f.path, web.id, week, &a, &other, &err), -EINVAL);
    assert_non_null(strstr(err.text, "was rotated before"));
    assert_int_equal(keystore_rotate(f.path, "00000000", week, &a, &other, &err), -ENOENT);

    /* a lifetime is inherited; an expiry before the end of the overlap stays */
    struct key soon = {.label = "", .signals = 7};
    assert_int_equal(keystore_issue(f.path, "beta", &soon, text, &err), 0);
    soon.expires_s = soon.created_s + 1000;
    struct buf file = BUF_INIT;
    keyfile_print(&soon, 1, &file);
    temp_write(&f, "beta.keys", buf_cstr(&file));
    buf_release(&file);
    other = (struct key_rotation){0};
    assert_int_equal(keystore_rotate(f.path, soon.id, week, &a, &other, &err), 0);
    assert_true(other.old.expires_s == soon.expires_s);
    assert_true(other.fresh.expires_s == other.fresh.created_s + 1000);

    struct key_changed was;
    assert_int_equal(keystore_revoke(f.path, r.fresh.id, &a, &was, &err), 0);
    assert_int_equal(keystore_rotate(f.path, r.fresh.id, week, &a, &other, &err), -EINVAL);
    assert_non_null(strstr(err.text, "is revoked"));
    arena_release(&a);
    temp_folder_remove(&f);
}

static void issue_many(const char *folder, int count)
{
    struct key k = {.label = "", .signals = 1};
    char text[KEY_TEXT_LENGTH + 1];
    struct errbuf err = ERRBUF_INIT;
    while (count-- > 0)
        if (keystore_issue(folder, "acme", &k, text, &err) < 0)
            _exit(1);
    _exit(0);
}

static void test_commands_at_once_lose_nothing(void **state)
{
    (void)state;
    enum { PROCESSES = 4, EACH = 10 };
    struct temp_folder f = temp_folder_make();
    struct arena a = ARENA_INIT;
    struct key *keys;
    size_t n;
    for (int i = 0; i < PROCESSES; i++)
        if (fork() == 0)
            issue_many(f.path, EACH);
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        wait(&status);
        assert_int_equal(status, 0);
    }
    assert_int_equal(keystore_list(f.path, "acme", &a, &keys, &n, NULL), 0);
    assert_int_equal(n, PROCESSES * EACH);
    arena_release(&a);
    temp_folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_and_prints),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_issue_list_revoke),
        cmocka_unit_test(test_rotate),
        cmocka_unit_test(test_commands_at_once_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
