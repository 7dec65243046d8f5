#include "unit.h"

#include "base/errbuf.h"

#include <errno.h>
#include <string.h>

static void test_sentences(void **state)
{
    (void)state;
    struct errbuf err = ERRBUF_INIT;
    assert_int_equal(errbuf_set(&err, EINVAL, "cannot open \"%s\"", "x"), -EINVAL);
    assert_string_equal(err.text, "cannot open \"x\"");
    errbuf_prefix(&err, "a.conf:%d", 3);
    assert_string_equal(err.text, "a.conf:3: cannot open \"x\"");
    assert_int_equal(errbuf_set(NULL, ENOMEM, "%d", 1), -ENOMEM);
    errbuf_prefix(NULL, "x");
}

static void test_cut_to_fit(void **state)
{
    (void)state;
    struct errbuf err = ERRBUF_INIT;
    char text[3 * ERRBUF_SIZE];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = 0;
    errbuf_set(&err, EINVAL, "%s", text);
    assert_int_equal(strlen(err.text), ERRBUF_SIZE - 1);
    errbuf_prefix(&err, "%s", "why");
    assert_int_equal(strlen(err.text), ERRBUF_SIZE - 1);
    assert_memory_equal(err.text, "why: aaa", 8);
    errbuf_set(&err, EINVAL, "short");
    errbuf_prefix(&err, "%s", text);
    assert_int_equal(strlen(err.text), ERRBUF_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_cut_to_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
