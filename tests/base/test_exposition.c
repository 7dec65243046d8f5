/* The pages of several processes as one. */
#include "base/exposition.h"

#include "unit.h"

struct page {
    const char *text;
    bool own;
};
struct row {
    int line;
    struct page pages[3];
    const char *merged;
};

static const struct row rows[] = {
    {__LINE__,
     {{"# HELP a A.\n# TYPE a counter\na 1\n", true}},
     "# HELP a A.\n# TYPE a counter\na 1\n"},
    /* lines of one metric stand together, its head once */
    {__LINE__,
     {{"# TYPE a counter\na{t=\"1\"} 1\n# TYPE b gauge\nb{t=\"1\"} 2\n", true},
      {"# TYPE b gauge\nb{t=\"2\"} 3\n# TYPE a counter\na{t=\"2\"} 4\n", false}},
     "# TYPE a counter\na{t=\"1\"} 1\na{t=\"2\"} 4\n# TYPE b gauge\nb{t=\"1\"} 2\nb{t=\"2\"} 3\n"},
    /* a histogram's suffixes belong to it */
    {__LINE__,
     {{"# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum{t=\"1\"} 2\n", true},
      {"# TYPE h histogram\nh_bucket{t=\"2\"} 3\n", false}},
     "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum{t=\"1\"} 2\nh_bucket{t=\"2\"} 3\n"},
    /* what a worker says without labels is about itself */
    {__LINE__,
     {{"# TYPE a counter\na 1\n", true}, {"# TYPE a counter\na 2\n# TYPE c gauge\nc 3\n", false}},
     "# TYPE a counter\na 1\n"},
    /* damaged pages: a cut line, blank lines, comments */
    {__LINE__, {{"# TYPE \n\n# comment\na{x=\"1\"} 1", true}}, "a{x=\"1\"} 1\n"},
    {__LINE__, {{"", true}}, ""},
};

static void test_exposition(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct exposition e = EXPOSITION_INIT;
        struct buf out = BUF_INIT;
        for (int p = 0; p < 3 && rows[i].pages[p].text != NULL; p++)
            (rows[i].pages[p].own ? exposition_add_own
                                  : exposition_add_worker)(&e, slice_str(rows[i].pages[p].text));
        exposition_write(&e, &out);
        if (strcmp(buf_cstr(&out), rows[i].merged) != 0)
            fail_msg("row of line %d: %s", rows[i].line, buf_cstr(&out));
        exposition_release(&e);
        buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exposition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
