#include "unit.h"

#include "base/option.h"

#include <errno.h>
#include <string.h>

#define REFUSED UINT64_MAX

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        int line;
        enum option_kind kind;
        const char *text;
        uint64_t wanted;
    } rows[] = {
        {__LINE__, OPT_UINT, "0", 0},
        {__LINE__, OPT_UINT, "18446744073709551614", 18446744073709551614ull},
        {__LINE__, OPT_UINT, "18446744073709551616", REFUSED},
        {__LINE__, OPT_UINT, "200k", 200000},
        {__LINE__, OPT_UINT, "1.5k", 1500},
        {__LINE__, OPT_UINT, "1.5", REFUSED},
        {__LINE__, OPT_UINT, "-1", REFUSED},
        {__LINE__, OPT_UINT, "", REFUSED},
        {__LINE__, OPT_UINT, "5MB", REFUSED},
        {__LINE__, OPT_SIZE, "4096", 4096},
        {__LINE__, OPT_SIZE, "10MB", 10000000},
        {__LINE__, OPT_SIZE, "10 MB", 10000000},
        {__LINE__, OPT_SIZE, "64KiB", 65536},
        {__LINE__, OPT_SIZE, "1.5GiB", 1610612736},
        {__LINE__, OPT_SIZE, "2kB", 2000},
        {__LINE__, OPT_SIZE, "10Mb", REFUSED},
        {__LINE__, OPT_SIZE, "10m", REFUSED},
        {__LINE__, OPT_SIZE, "MB", REFUSED},
        {__LINE__, OPT_SIZE, "1.MB", REFUSED},
        {__LINE__, OPT_SIZE, ".5MB", REFUSED},
        {__LINE__, OPT_SIZE, "1.2.3MB", REFUSED},
        {__LINE__, OPT_SIZE, "0.5B", REFUSED},
        {__LINE__, OPT_SIZE, "99999999TB", REFUSED},
        {__LINE__, OPT_SIZE, "1e3", REFUSED},
        {__LINE__, OPT_RATE, "20MB/s", 20000000},
        {__LINE__, OPT_RATE, "200k/s", 200000},
        {__LINE__, OPT_RATE, "200 k/s", 200000},
        {__LINE__, OPT_RATE, "7/s", 7},
        {__LINE__, OPT_RATE, "7", 7},
        {__LINE__, OPT_RATE, "20MB", REFUSED},
        {__LINE__, OPT_RATE, "20MB/m", REFUSED},
        {__LINE__, OPT_RATE, "/s", REFUSED},
        {__LINE__, OPT_DURATION, "500ms", 500000000},
        {__LINE__, OPT_DURATION, "30s", 30000000000},
        {__LINE__, OPT_DURATION, "0.5s", 500000000},
        {__LINE__, OPT_DURATION, "5m", 300000000000},
        {__LINE__, OPT_DURATION, "5min", 300000000000},
        {__LINE__, OPT_DURATION, "6h", 21600000000000},
        {__LINE__, OPT_DURATION, "7d", 604800000000000},
        {__LINE__, OPT_DURATION, "0", 0},
        {__LINE__, OPT_DURATION, "30", REFUSED},
        {__LINE__, OPT_DURATION, "30k", REFUSED},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct errbuf err = ERRBUF_INIT;
        uint64_t got = REFUSED;
        int rc = option_parse_number(rows[i].kind, rows[i].text, &got, &err);
        check_row(rows[i].line, got == rows[i].wanted, "%s: %lu", rows[i].text, got);
        check_row(rows[i].line, (rc == -EINVAL) == (got == REFUSED), "%d", rc);
        check_row(rows[i].line, (err.text[0] != 0) == (rc < 0), "%s", err.text);
    }
}

static void test_format(void **state)
{
    (void)state;
    static const struct {
        int line;
        enum option_kind kind;
        uint64_t n;
        const char *wanted;
    } rows[] = {
        {__LINE__, OPT_UINT, 200000, "200000"},
        {__LINE__, OPT_SIZE, 0, "0"},
        {__LINE__, OPT_SIZE, 20000000, "20MB"},
        {__LINE__, OPT_SIZE, 65536, "64KiB"},
        {__LINE__, OPT_SIZE, 65537, "65537B"},
        {__LINE__, OPT_RATE, 200000, "200k/s"},
        {__LINE__, OPT_RATE, 1024, "1024/s"},
        {__LINE__, OPT_DURATION, 500000000, "500ms"},
        {__LINE__, OPT_DURATION, 90000000000, "90s"},
        {__LINE__, OPT_DURATION, 86400000000000, "1d"},
        {__LINE__, OPT_DURATION, 1, "1ns"},
        {__LINE__, OPT_RATE, 0, "0"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[40];
        uint64_t back = 0;
        option_format_number(rows[i].kind, rows[i].n, text, sizeof(text));
        check_row(rows[i].line, strcmp(text, rows[i].wanted) == 0, "%s", text);
        option_parse_number(rows[i].kind, text, &back, NULL);
        check_row(rows[i].line, back == rows[i].n, "%lu", back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
