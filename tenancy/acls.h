/* What the brokers have to allow, and nothing more: as rows, made from the config. The supervisor
 * and commands (one login) may do everything with our topics and groups; the router writes each
 * tenant's signals; a tenant's worker reads its own topics and group and writes its own DLQ. */
#ifndef TENANCY_ACLS_H
#define TENANCY_ACLS_H

#include "base/buf.h"
#include "tenancy/tenancy.h"

#include <librdkafka/rdkafka.h>

struct acl {
    const char *role;      /* who: "admin", "router", "consumer acme" */
    const char *principal; /* "User:acme" */
    rd_kafka_ResourceType_t resource;
    const char *name;
    bool prefixed; /* every resource whose name begins so */
    rd_kafka_AclOperation_t operation;
    bool there; /* acls_compare found it on the brokers */
};

struct acls {
    struct acl *at; /* by role, then resource */
    size_t n;
};

/* Rows for these tenants; `admin`: also those of the admin login, which are the same for all
 * tenants. Two roles with one login have each row once. Everything lives in `a`. 0, or a negative
 * errno with a sentence: of a role that has no login. */
int acls_make(const struct kafka_conf *k, const struct tenant *tenants, size_t n, bool admin,
              struct arena *a, struct acls *ret, struct errbuf *err);

/* Asks the brokers which of them are there, by exact match: one that a wider one covers counts as
 * missing. Returns the number missing or a negative errno with a sentence. */
int acls_compare(rd_kafka_t *rk, struct acls *acls, int timeout_ms, struct errbuf *err);
/* Makes those that are not there. Returns their number, or a negative errno with a sentence naming
 * the first that was refused. */
int acls_apply(rd_kafka_t *rk, struct acls *acls, int timeout_ms, struct errbuf *err);

/* "Read", as Kafka's tools write it. */
const char *acl_operation_name(rd_kafka_AclOperation_t operation);
const char *acl_resource_name(rd_kafka_ResourceType_t resource); /* "topic" */
/* For people: commands of Kafka's own tool, one for the rows of one resource, comments between. */
void acls_print(const struct acls *acls, const char *brokers, struct buf *out);
void acls_print_json(const struct acls *acls, struct buf *out);

#endif
