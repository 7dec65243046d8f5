/* `plan --acls` and `apply --acls`: what the brokers have to allow, printed or set. */
#ifndef CLI_PLAN_ACLS_H
#define CLI_PLAN_ACLS_H

#include "cli/args.h"

#define ARG_ROW_ACLS(help)                                                                         \
    {                                                                                              \
        "--acls", ARG_FLAG, NULL, NULL, help                                                       \
    }

/* Prints them as commands of Kafka's tool, or as JSON; asks no broker. An exit code. */
int plan_acls(const struct args *a);
/* Sets those that are missing. An exit code. */
int apply_acls(const struct args *a);

#endif
