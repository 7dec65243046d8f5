/* What the commands that look at a running system share: which tenants, whose brokers, how numbers
 * and times are written for people. */
#ifndef CLI_OPS_H
#define CLI_OPS_H

#include "cli/common.h"
#include "consumer/inspect/kafka_log.h"
#include "consumer/supervise/run_files.h"

#define ARG_ROW_BROKERS                                                                            \
    {                                                                                              \
        "--brokers", ARG_TEXT, "HOST:PORT,...", NULL,                                              \
            "Kafka, instead of kafka.brokers or that of `tenantry up`"                             \
    }

struct ops {
    const struct args *a;
    struct cli_tenancy c;
    const struct conf *conf;
    struct arena arena;
    struct run_supervisor supervisor;
    const char *brokers;          /* "" = not known: ops_no_brokers tells what to do */
    const struct tenant *tenants; /* the one that the first operand names, or all */
    size_t n;
};

extern const char ops_no_brokers[];

/* Opens the config; the command's rows hold ARG_ROW_CONFIG and ARG_ROW_BROKERS. False after saying
 * why; ops_close either way. */
bool ops_open(struct ops *o, const struct args *a);
/* Fills it from the snapshot in `c` alone: ops_open without opening. */
bool ops_choose(struct ops *o);
/* The same with all tenants, whatever the operands are. */
bool ops_open_all(struct ops *o, const struct args *a);
void ops_close(struct ops *o);
/* The tenants that operands name, or all, as a list that the caller frees. False after saying why.
 */
bool ops_named(const struct ops *o, struct tenant **ret, size_t *ret_n);
/* Looks into Kafka for a tenant. NULL with a sentence when it does not answer. */
struct kafka_log *ops_kafka(const struct ops *o, const struct tenant *t, struct errbuf *err);

#define OPS_TEXT_SIZE 40
/* "1,234,567" for people, "1234567" as JSON. */
const char *ops_number(uint64_t n, bool json, char out[OPS_TEXT_SIZE]);
/* "0.4 s", "3 min 20 s", "2 h 5 min". */
const char *ops_seconds(double seconds, char out[OPS_TEXT_SIZE]);

#endif
