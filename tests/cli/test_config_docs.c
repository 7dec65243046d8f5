/* The reference of all options: every row stands in it, under the heading of its group. */
#include "base/option.h"
#include "tenancy/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The text from a group's heading to the next one. */
static struct slice section(struct slice text, const char *heading)
{
    struct buf line = BUF_INIT;
    buf_printf(&line, "## %s\n", heading);
    const char *from = strstr((const char *)text.at, buf_cstr(&line));
    if (from == NULL)
        fail_msg("no heading \"%s\"", heading);
    const char *to = strstr(from + line.len, "\n## ");
    buf_release(&line);
    return slice_of(from, to ? (size_t)(to - from) : strlen(from));
}

static void check_row(struct slice part, const char *path, const struct option *row)
{
    struct buf cell = BUF_INIT;
    buf_printf(&cell, "| `%s` |", row->name);
    if (memmem(part.at, part.len, cell.at, cell.len) == NULL)
        fail_msg("option %s.%s is not in the reference", path, row->name);
    if (memmem(part.at, part.len, row->doc, strcspn(row->doc, "|")) == NULL)
        fail_msg("option %s.%s stands without its text", path, row->name);
    buf_release(&cell);
}

static int check_group(const struct option_group *group, const char *path, struct slice text)
{
    struct slice part = section(text, *path ? path : group->name);
    int n = 0;
    for (const struct option *row = group->rows; row->name != NULL; row++) {
        if (row->kind != OPT_GROUP) {
            check_row(part, path, row);
            n++;
        }
        if (row->group == NULL)
            continue;
        char deeper[256];
        snprintf(deeper, sizeof(deeper), "%s%s%s%s", path, *path ? "." : "", row->name,
                 row->kind == OPT_LIST ? "[]" : "");
        n += check_group(row->group, deeper, text);
    }
    return n;
}

static void test_every_option(void **state)
{
    (void)state;
    static const struct option_group *const groups[] = {&conf_options, &tenant_options};
    int n = 0;
    for (size_t i = 0; i < 2; i++) {
        struct buf text = BUF_INIT;
        option_print_markdown(groups[i], &text);
        buf_cstr(&text);
        n += check_group(groups[i], "", buf_slice(&text));
        buf_release(&text);
    }
    assert_true(n > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_option)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
