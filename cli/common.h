/* What commands share: where the config is, opening it, saying why something failed. */
#ifndef CLI_COMMON_H
#define CLI_COMMON_H

#include "base/buf.h"
#include "cli/args.h"
#include "tenancy/tenancy.h"

/* The config's path: --config, else ./tenantry.conf, else /etc/tenantry/tenantry.conf. The
 * command's rows hold ARG_ROW_CONFIG. */
const char *cli_config(const struct args *a);
/* Says "tenantry <command>: <sentence>" on stderr and returns EXIT_FAILED. */
int cli_fail(const struct args *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Opens it and tells refused files on stderr. NULL after saying why. */
struct tenancy *cli_open(const struct args *a);
/* The same with its snapshot; both are given back by cli_close. */
struct cli_tenancy {
    struct tenancy *t;
    struct snapshot *s;
};
bool cli_open_snapshot(const struct args *a, struct cli_tenancy *ret);
void cli_close(struct cli_tenancy *c);

/* Prints it on stdout and frees it. */
void cli_print(struct buf *out);
/* "2026-01-31 23:59:59Z" of seconds since 1970, "" for 0. */
#define CLI_TIME_SIZE 32
const char *cli_time(uint64_t wall_s, char out[CLI_TIME_SIZE]);
/* True when stdout is a terminal that likes colours (NO_COLOR is respected). */
bool cli_colour(void);

#endif
