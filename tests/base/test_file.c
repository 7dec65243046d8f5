#include "unit.h"

#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/tenantry-file-XXXXXX";

/* A path in the test's folder, in one of a few buffers. */
static const char *in_folder(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const char *text)
{
    struct errbuf err = ERRBUF_INIT;
    assert_int_equal(file_replace(in_folder(name), slice_str(text), 0600, &err), 0);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* fails when a test, or file_replace, left a file behind */
}

static void test_replace_and_read(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    struct errbuf err = ERRBUF_INIT;
    struct stat st;
    put("a", "old");
    assert_int_equal(chmod(in_folder("a"), 0400), 0);
    assert_int_equal(file_replace(in_folder("a"), SLICE_LIT("new\0text"), 0640, &err), 0);
    assert_int_equal(stat(in_folder("a"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    buf_append_str(&out, "kept ");
    assert_int_equal(file_read(in_folder("a"), &out, &err), 0);
    assert_true(slice_eq(buf_slice(&out), SLICE_LIT("kept new\0text")));
    assert_string_equal(err.text, "");
    buf_release(&out);
    unlink(in_folder("a"));
}

static void test_replace_here(void **state)
{
    (void)state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(file_replace("plain", SLICE_LIT("x"), 0600, NULL), 0);
    assert_int_equal(unlink("plain"), 0);
    assert_int_equal(chdir(before), 0);
}

static void test_large(void **state)
{
    (void)state;
    enum { SIZE = 300000 };
    struct buf in = BUF_INIT, out = BUF_INIT;
    memset(buf_reserve(&in, SIZE), 'x', SIZE);
    in.len = SIZE;
    assert_int_equal(file_replace(in_folder("large"), buf_slice(&in), 0600, NULL), 0);
    assert_int_equal(file_read(in_folder("large"), &out, NULL), 0);
    assert_true(slice_eq(buf_slice(&in), buf_slice(&out)));
    buf_release(&in);
    buf_release(&out);
    unlink(in_folder("large"));
}

static void test_read_ceiling(void **state)
{
    (void)state;
    static const struct {
        int line;
        size_t ceiling;
        int wanted;
    } rows[] = {
        {__LINE__, 3 + 9, -EFBIG},
        {__LINE__, 3, -EFBIG},
        {__LINE__, 3 + 10, 0},
        {__LINE__, 100, 0},
    };
    put("ten", "0123456789");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT_CEILING(rows[i].ceiling);
        struct errbuf err = ERRBUF_INIT;
        buf_append_str(&out, "abc");
        int rc = file_read(in_folder("ten"), &out, &err);
        check_row(rows[i].line, rc == rows[i].wanted, "%d %s", rc, err.text);
        check_row(rows[i].line, out.len == (rc == 0 ? 13 : 3) && !out.failed, "%zu", out.len);
        buf_release(&out);
    }
    unlink(in_folder("ten"));
}

static void test_failures(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    struct errbuf err = ERRBUF_INIT;
    assert_int_equal(file_read(in_folder("none"), &out, &err), -ENOENT);
    assert_non_null(strstr(err.text, "cannot open \""));
    assert_int_equal(file_read(folder, &out, &err), -EISDIR);
    assert_int_equal(file_replace(in_folder("none/a"), SLICE_LIT("x"), 0600, &err), -ENOENT);
    assert_int_equal(mkdir(in_folder("sub"), 0700), 0);
    assert_int_equal(file_replace(in_folder("sub"), SLICE_LIT("x"), 0600, &err), -EISDIR);
    rmdir(in_folder("sub"));
    buf_release(&out);
}

static void test_make_folder(void **state)
{
    (void)state;
    struct errbuf err = ERRBUF_INIT;
    assert_int_equal(file_make_folder(in_folder("a/b/c"), 0700, &err), 0);
    assert_int_equal(file_make_folder(in_folder("a/b/c/"), 0700, &err), 0);
    assert_int_equal(file_make_folder("/", 0700, &err), 0);
    assert_int_equal(file_make_folder("", 0700, &err), -ENOENT);
    put("a/file", "x");
    assert_int_equal(file_make_folder(in_folder("a/file"), 0700, &err), -ENOTDIR);
    assert_int_equal(file_make_folder(in_folder("a/file/b"), 0700, &err), -ENOTDIR);
    unlink(in_folder("a/file"));
    assert_int_equal(rmdir(in_folder("a/b/c")), 0);
    assert_int_equal(rmdir(in_folder("a/b")), 0);
    assert_int_equal(rmdir(in_folder("a")), 0);
}

static void test_list(void **state)
{
    (void)state;
    static const char *const files[] = {"b.conf", "a.conf", ".c.conf", "d.txt", ".conf", "z.conf"};
    char **names = NULL;
    struct errbuf err = ERRBUF_INIT;
    for (size_t i = 0; i < COUNT(files); i++)
        put(files[i], "x");
    assert_int_equal(mkdir(in_folder("e.conf"), 0700), 0);
    assert_int_equal(symlink("a.conf", in_folder("link.conf")), 0);
    assert_int_equal(symlink("nowhere", in_folder("dangling.conf")), 0);
    assert_int_equal(file_list(folder, ".conf", &names, &err), 4);
    assert_string_equal(names[0], "a.conf");
    assert_string_equal(names[1], "b.conf");
    assert_string_equal(names[2], "link.conf");
    assert_string_equal(names[3], "z.conf");
    file_list_free(names, 4);
    assert_int_equal(file_list(in_folder("none"), "", &names, &err), 0);
    assert_null(names);
    assert_int_equal(file_list(in_folder("d.txt"), "", &names, &err), -ENOTDIR);
    for (size_t i = 0; i < COUNT(files); i++)
        unlink(in_folder(files[i]));
    unlink(in_folder("link.conf"));
    unlink(in_folder("dangling.conf"));
    rmdir(in_folder("e.conf"));
}

static void test_stamps(void **state)
{
    (void)state;
    assert_int_equal(file_stamp(in_folder("a.conf")), 0);
    assert_int_equal(file_folder_stamp(in_folder("none"), ""), 0);
    uint64_t empty = file_folder_stamp(folder, ".conf");
    assert_int_not_equal(empty, 0);
    put("a.conf", "1");
    uint64_t stamp = file_stamp(in_folder("a.conf")), all = file_folder_stamp(folder, ".conf");
    assert_int_not_equal(stamp, 0);
    assert_int_not_equal(all, empty);
    assert_int_equal(file_stamp(in_folder("a.conf")), stamp);
    assert_int_equal(file_folder_stamp(folder, ".conf"), all);

    put("b.txt", "1"); /* not of the suffix */
    assert_int_equal(file_folder_stamp(folder, ".conf"), all);
    put("a.conf", "2");
    assert_int_not_equal(file_stamp(in_folder("a.conf")), stamp);
    assert_int_not_equal(file_folder_stamp(folder, ".conf"), all);

    all = file_folder_stamp(folder, ".conf");
    assert_int_equal(rename(in_folder("a.conf"), in_folder("c.conf")), 0);
    assert_int_not_equal(file_folder_stamp(folder, ".conf"), all);
    const struct timespec times[2] = {{1, 0}, {1, 1}};
    stamp = file_stamp(in_folder("c.conf"));
    assert_int_equal(utimensat(0, in_folder("c.conf"), times, 0), 0);
    assert_int_not_equal(file_stamp(in_folder("c.conf")), stamp);
    unlink(in_folder("c.conf"));
    unlink(in_folder("b.txt"));
    assert_int_equal(file_folder_stamp(folder, ".conf"), empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replace_and_read),
        cmocka_unit_test(test_replace_here),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_read_ceiling),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_make_folder),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_stamps),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
