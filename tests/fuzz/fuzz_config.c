/* A config file is either read, with every number inside its row's bounds, or refused with a
 * sentence that names the file.
 *
 * Files: base/option.c base/option_scan.c base/option_number.c base/option_row.c */
#include "tests/base/option_sample.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 loses the string it is collecting when a file ends in a syntax error. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so";
}

static void check_conf(const struct sample_conf *conf, const struct option_origins *where)
{
    assert(conf->partitions >= 1 && conf->partitions <= 1000);
    assert(conf->limits.rate >= 1000 && conf->limits.rate <= 1000000000);
    assert(conf->limits.wait <= 5000000000);
    assert(conf->id != NULL && conf->password != NULL);
    struct buf out = BUF_INIT;
    option_print(&sample_options, conf, where, &out);
    assert(out.len > 0 && !out.failed);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sample_conf conf = {0};
    struct arena a = ARENA_INIT;
    struct option_origins where = {&a, NULL};
    struct errbuf err = ERRBUF_INIT;
    char *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = 0;
    if (option_read_text(&sample_options, "fuzz.conf", text, &conf, &a, &where, &err) == 0)
        check_conf(&conf, &where);
    else
        assert(strncmp(err.text, "fuzz.conf:", 10) == 0);
    free(text);
    arena_release(&a);
    return 0;
}
