#include "tenancy/keys/usage_file.h"

#include "base/file.h"
#include "temp_folder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HEAD  "router=edge.0 since=100 written=5000 every=10 running=1\n"
#define KEY_A "id=AAAAAAAA last=4000 traces=1 metrics=2 logs=3 refused=4 last_refused=5\n"
#define KEY_B "id=BBBBBBBB last=0 traces=0 metrics=0 logs=0 refused=1 last_refused=9\n"

static struct usage_report parse(const char *text, struct arena *a)
{
    struct usage_report r;
    struct errbuf err = ERRBUF_INIT;
    if (usage_parse(slice_str(text), "f", a, &r, &err) != 0)
        fail_msg("%s", err.text);
    return r;
}

static void test_reads_what_it_prints(void **state)
{
    (void)state;
    struct arena a = ARENA_INIT;
    struct usage_report r = parse(HEAD KEY_A KEY_B, &a);
    assert_string_equal(r.router, "edge.0");
    assert_true(r.since_s == 100 && r.written_s == 5000 && r.every_s == 10 && r.running);
    assert_int_equal(r.n, 2);
    assert_true(r.keys[0].last_s == 4000 && r.keys[0].uses[SIGNAL_METRICS] == 2);
    assert_true(r.keys[1].refused == 1 && r.keys[1].last_refused_s == 9);
    struct buf out = BUF_INIT;
    usage_print(&r, &out);
    assert_string_equal(buf_cstr(&out), HEAD KEY_A KEY_B);
    buf_release(&out);
    arena_release(&a);
}

static void test_refusals(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct {
        int line;
        const char *text, *sentence;
    } rows[] = {
        {__LINE__, "", "f: the file is empty"},
        {__LINE__, KEY_A, "f:1: this is not"},
        {__LINE__, HEAD "id=AAAAAAAA\n", "f:2:"},
        {__LINE__, HEAD KEY_A "\n", "f:3:"},
        {__LINE__, HEAD "id=AAAA last=4000 traces=1 metrics=2 logs=3 refused=4 last_refused=5\n", "f:2:"},
        {__LINE__, HEAD "id=AAAAAAAA last=x traces=1 metrics=2 logs=3 refused=4 last_refused=5\n", "f:2:"},
        {__LINE__, HEAD "id=AAAAAAAA last=9999999999999999999 traces=1 metrics=2 logs=3 refused=4 last_refused=5\n", "f:2:"},
        {__LINE__, HEAD "id=AAAAAAAA last=4000 traces=1 metrics=2 logs=3 refused=4 last_refused=5 x=1\n", "f:2:"},
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = ARENA_INIT;
        struct errbuf err = ERRBUF_INIT;
        struct usage_report r;
        if (usage_parse(slice_str(rows[i].text), "f", &a, &r, &err) != -EINVAL ||
            strstr(err.text, rows[i].sentence) == NULL)
            fail_msg("row at line %d: \"%s\"", rows[i].line, err.text);
        arena_release(&a);
    }
}

static void test_routers_add_up(void **state)
{
    (void)state;
    struct arena a = ARENA_INIT;
    struct usage u;
    const struct usage_report reports[] = {
        parse(HEAD KEY_B KEY_A, &a),
        parse("router=edge.1 since=50 written=5010 every=10 running=1\n"
              "id=AAAAAAAA last=4500 traces=10 metrics=0 logs=0 refused=0 last_refused=0\n",
              &a),
    };
    assert_int_equal(usage_add_up(reports, 2, 5020, &a, &u, NULL), 0);
    assert_true(u.any && u.since_s == 50 && u.complete_s == 5020 && u.silent == NULL);
    assert_int_equal(u.n, 2);
    const struct key_usage *k = usage_find(&u, "AAAAAAAA");
    assert_non_null(k);
    assert_true(k->last_s == 4500 && k->uses[SIGNAL_TRACES] == 11 && k->uses[SIGNAL_LOGS] == 3);
    assert_true(k->refused == 4 && k->last_refused_s == 5);
    assert_null(usage_find(&u, "CCCCCCCC"));
    arena_release(&a);
}

/* What is known ends where a router fell silent, unless it ended in order. */
static void test_a_silent_router_bounds_what_is_known(void **state)
{
    (void)state;
    struct arena a = ARENA_INIT;
    struct usage u;
    struct usage_report reports[] = {
        parse(HEAD, &a),
        parse("router=edge.1 since=50 written=60 every=10 running=0\n", &a),
    };
    assert_int_equal(usage_add_up(reports, 2, 5080, &a, &u, NULL), 0);
    assert_true(u.complete_s == 5080 && u.silent == NULL);
    assert_int_equal(usage_add_up(reports, 2, 5081, &a, &u, NULL), 0);
    assert_true(u.complete_s == 5000);
    assert_string_equal(u.silent, "edge.0");
    reports[0].running = false;
    assert_int_equal(usage_add_up(reports, 2, 9000, &a, &u, NULL), 0);
    assert_true(u.complete_s == 9000 && u.silent == NULL);
    assert_int_equal(usage_add_up(reports, 0, 9000, &a, &u, NULL), 0);
    assert_false(u.any);
    assert_null(usage_find(&u, "AAAAAAAA"));
    arena_release(&a);
}

static void test_routers_of_one_machine_have_names_of_their_own(void **state)
{
    (void)state;
    struct temp_folder f = temp_folder_make();
    struct usage_slot first = {0}, second = {0}, again = {0};
    struct errbuf err = ERRBUF_INIT;
    char path[512];
    assert_int_equal(usage_slot_take(temp_path(&f, "state", path), &first, &err), 0);
    assert_int_equal(usage_slot_take(path, &second, &err), 0);
    assert_string_not_equal(first.router, second.router);
    char *name = strdup(first.router);
    usage_slot_release(&first);
    assert_int_equal(usage_slot_take(path, &again, &err), 0);
    assert_string_equal(again.router, name);
    free(name);
    usage_slot_release(&again);
    usage_slot_release(&second);
    usage_slot_release(&second);
    temp_write(&f, "file", "");
    assert_true(usage_slot_take(temp_path(&f, "file", path), &first, &err) < 0);
    temp_folder_remove(&f);
}

/* A router that was killed says "running" for ever, but holds its lock no more. */
static void test_a_dead_router_of_this_machine_is_not_silent(void **state)
{
    (void)state;
    struct temp_folder f = temp_folder_make();
    struct arena a = ARENA_INIT;
    struct usage_slot slot = {0};
    struct usage u;
    struct errbuf err = ERRBUF_INIT;
    struct buf text = BUF_INIT;
    assert_int_equal(usage_slot_take(f.path, &slot, &err), 0);
    const struct usage_report r = {
        .router = slot.router, .since_s = 1, .written_s = 2, .every_s = 10, .running = true};
    usage_print(&r, &text);
    assert_int_equal(file_replace(slot.path, buf_slice(&text), 0640, &err), 0);
    assert_int_equal(usage_read(f.path, 5000, &a, &u, &err), 0);
    assert_true(u.any && u.complete_s == 2 && u.silent != NULL);
    usage_slot_release(&slot);
    assert_int_equal(usage_read(f.path, 5000, &a, &u, &err), 0);
    assert_true(u.complete_s == 5000 && u.silent == NULL);
    temp_write(&f, "key-usage/other.0.usage", "x");
    assert_int_equal(usage_read(f.path, 5000, &a, &u, &err), -EINVAL);
    buf_release(&text);
    arena_release(&a);
    temp_folder_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_it_prints),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_routers_add_up),
        cmocka_unit_test(test_a_silent_router_bounds_what_is_known),
        cmocka_unit_test(test_routers_of_one_machine_have_names_of_their_own),
        cmocka_unit_test(test_a_dead_router_of_this_machine_is_not_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
