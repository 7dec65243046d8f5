#include "cli/common.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LOCAL_CONFIG  "tenantry.conf"
#define SYSTEM_CONFIG "/etc/tenantry/tenantry.conf"

const char *cli_config(const struct args *a)
{
    const char *given = args_text(a, "--config");
    if (given != NULL)
        return given;
    if (a->config != NULL)
        return a->config;
    bool system = access(LOCAL_CONFIG, F_OK) != 0 && access(SYSTEM_CONFIG, F_OK) == 0;
    return system ? SYSTEM_CONFIG : LOCAL_CONFIG;
}

int cli_fail(const struct args *a, const char *format, ...)
{
    char sentence[2 * ERRBUF_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    fflush(stdout);
    fprintf(stderr, "tenantry %s: %s\n", a->command, sentence);
    return EXIT_FAILED;
}

struct tenancy *cli_open(const struct args *a)
{
    struct errbuf err = ERRBUF_INIT;
    struct tenancy *t = tenancy_open(cli_config(a), NULL, &err);
    if (t == NULL) {
        cli_fail(a, "%s", err.text);
        return NULL;
    }
    size_t n;
    const struct tenancy_notice *notices = tenancy_notices(t, &n);
    for (size_t i = 0; i < n; i++)
        cli_fail(a, "%s", notices[i].text);
    return t;
}

bool cli_open_snapshot(const struct args *a, struct cli_tenancy *ret)
{
    ret->t = cli_open(a);
    ret->s = ret->t ? tenancy_acquire(ret->t) : NULL;
    return ret->s != NULL;
}

void cli_close(struct cli_tenancy *c)
{
    snapshot_release(c->s);
    tenancy_close(c->t);
}

void cli_print(struct buf *out)
{
    fputs(buf_cstr(out), stdout);
    buf_release(out);
}

const char *cli_time(uint64_t wall_s, char out[CLI_TIME_SIZE])
{
    time_t t = (time_t)wall_s;
    struct tm tm;
    out[0] = 0;
    if (wall_s != 0 && gmtime_r(&t, &tm) != NULL)
        strftime(out, CLI_TIME_SIZE, "%Y-%m-%d %H:%M:%SZ", &tm);
    return out;
}

bool cli_colour(void)
{
    const char *off = getenv("NO_COLOR"), *term = getenv("TERM");
    return (off == NULL || off[0] == 0) && term != NULL && strcmp(term, "dumb") != 0 &&
           isatty(STDOUT_FILENO);
}
