#include "tenancy/acls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char advice[] = ": the login in kafka.admin has to be a super user of the brokers, or "
                             "be allowed Alter and Describe on the cluster; or give the printed "
                             "commands of `tenantry plan --acls` to who is";

/* Waits for the answer; NULL with a sentence when there is none. */
static rd_kafka_event_t *wait_for(rd_kafka_queue_t *queue, int timeout_ms, const char *what,
                                  struct errbuf *err)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    if (event == NULL) {
        errbuf_set(err, EAGAIN, "the Kafka brokers did not answer within %d ms", timeout_ms);
        return NULL;
    }
    rd_kafka_resp_err_t e = rd_kafka_event_error(event);
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR)
        return event;
    errbuf_set(err, EIO, "the Kafka brokers %s: %s%s", what, rd_kafka_event_error_string(event),
               e == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ? advice : "");
    rd_kafka_event_destroy(event);
    return NULL;
}

static rd_kafka_AdminOptions_t *options_new(rd_kafka_t *rk, rd_kafka_admin_op_t op, int timeout_ms)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, op);
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, NULL, 0);
    return options;
}

/* ---- what is there ---- */

static bool matches(const struct acl *row, const rd_kafka_AclBinding_t *b)
{
    rd_kafka_ResourcePatternType_t pattern =
        row->prefixed ? RD_KAFKA_RESOURCE_PATTERN_PREFIXED : RD_KAFKA_RESOURCE_PATTERN_LITERAL;
    return rd_kafka_AclBinding_restype(b) == row->resource &&
           rd_kafka_AclBinding_resource_pattern_type(b) == pattern &&
           rd_kafka_AclBinding_operation(b) == row->operation &&
           rd_kafka_AclBinding_permission_type(b) == RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW &&
           strcmp(rd_kafka_AclBinding_name(b), row->name) == 0 &&
           strcmp(rd_kafka_AclBinding_principal(b), row->principal) == 0 &&
           strcmp(rd_kafka_AclBinding_host(b), "*") == 0;
}

static void mark(struct acls *acls, const rd_kafka_AclBinding_t *b)
{
    for (size_t i = 0; i < acls->n; i++)
        acls->at[i].there |= matches(&acls->at[i], b);
}

static int count_missing(const struct acls *acls)
{
    int missing = 0;
    for (size_t i = 0; i < acls->n; i++)
        missing += !acls->at[i].there;
    return missing;
}

int acls_compare(rd_kafka_t *rk, struct acls *acls, int timeout_ms, struct errbuf *err)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *options = options_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBEACLS, timeout_ms);
    rd_kafka_AclBindingFilter_t *all = rd_kafka_AclBindingFilter_new(
        RD_KAFKA_RESOURCE_ANY, NULL, RD_KAFKA_RESOURCE_PATTERN_ANY, NULL, NULL,
        RD_KAFKA_ACL_OPERATION_ANY, RD_KAFKA_ACL_PERMISSION_TYPE_ANY, NULL, 0);
    rd_kafka_DescribeAcls(rk, all, options, queue);
    rd_kafka_AclBinding_destroy(all);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_event_t *event = wait_for(queue, timeout_ms, "do not tell their ACLs", err);
    rd_kafka_queue_destroy(queue);
    if (event == NULL)
        return -EIO;
    size_t n;
    const rd_kafka_AclBinding_t **found =
        rd_kafka_DescribeAcls_result_acls(rd_kafka_event_DescribeAcls_result(event), &n);
    for (size_t i = 0; i < n; i++)
        mark(acls, found[i]);
    rd_kafka_event_destroy(event);
    return count_missing(acls);
}

/* ---- making them ---- */

/* Bindings for what is missing; *ret_n of them, which the caller destroys. */
static rd_kafka_AclBinding_t **bindings_new(const struct acls *acls, size_t *ret_n,
                                            struct errbuf *err)
{
    char why[256];
    rd_kafka_AclBinding_t **made = calloc(acls->n + 1, sizeof(rd_kafka_AclBinding_t *));
    *ret_n = 0;
    for (size_t i = 0; made != NULL && i < acls->n; i++) {
        const struct acl *r = &acls->at[i];
        if (r->there)
            continue;
        made[*ret_n] = rd_kafka_AclBinding_new(
            r->resource, r->name,
            r->prefixed ? RD_KAFKA_RESOURCE_PATTERN_PREFIXED : RD_KAFKA_RESOURCE_PATTERN_LITERAL,
            r->principal, "*", r->operation, RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, why, sizeof(why));
        if (made[*ret_n] == NULL) {
            errbuf_set(err, EINVAL, "the ACL of %s for %s: %s", r->role, r->name, why);
            rd_kafka_AclBinding_destroy_array(made, *ret_n);
            free(made);
            return NULL;
        }
        ++*ret_n;
    }
    if (made == NULL)
        errbuf_set(err, ENOMEM, "out of memory");
    return made;
}

/* Answers come in the order of what was asked. */
static int count_made(rd_kafka_event_t *event, struct acls *acls, struct errbuf *err)
{
    size_t n, at = 0;
    int made = 0;
    const rd_kafka_acl_result_t **results =
        rd_kafka_CreateAcls_result_acls(rd_kafka_event_CreateAcls_result(event), &n);
    for (size_t i = 0; i < acls->n && at < n; i++) {
        struct acl *r = &acls->at[i];
        if (r->there)
            continue;
        const rd_kafka_error_t *e = rd_kafka_acl_result_error(results[at++]);
        if (e != NULL) {
            bool refused = rd_kafka_error_code(e) == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
            return errbuf_set(err, EIO, "the ACL of %s for %s %s is refused: %s%s", r->role,
                              acl_resource_name(r->resource), r->name, rd_kafka_error_string(e),
                              refused ? advice : "");
        }
        r->there = true;
        made++;
    }
    return made;
}

int acls_apply(rd_kafka_t *rk, struct acls *acls, int timeout_ms, struct errbuf *err)
{
    size_t n;
    rd_kafka_AclBinding_t **missing = bindings_new(acls, &n, err);
    if (missing == NULL)
        return -EINVAL;
    int rc = 0;
    if (n > 0) {
        rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
        rd_kafka_AdminOptions_t *options =
            options_new(rk, RD_KAFKA_ADMIN_OP_CREATEACLS, timeout_ms);
        rd_kafka_CreateAcls(rk, missing, n, options, queue);
        rd_kafka_AdminOptions_destroy(options);
        rd_kafka_event_t *event = wait_for(queue, timeout_ms, "made no ACLs", err);
        rd_kafka_queue_destroy(queue);
        rc = event ? count_made(event, acls, err) : -EIO;
        if (event != NULL)
            rd_kafka_event_destroy(event);
    }
    rd_kafka_AclBinding_destroy_array(missing, n);
    free(missing);
    return rc;
}
