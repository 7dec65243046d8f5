/* Inside of admission: the steps of DESIGN §4 as functions, each of which lets a request go on or
 * refuses it. admission.c runs them; their files are named after the stage they belong to. */
#ifndef ROUTER_ADMISSION_STEPS_H
#define ROUTER_ADMISSION_STEPS_H

#include "router/admission/admission.h"
#include "router/router.h"

/* Why a request is refused: an answer in the making. */
struct refusal {
    enum outcome outcome;
    uint64_t retry_delay_ns; /* 0 = the transport's default */
    const char *bad_field;   /* a literal */
    char text[320];          /* "" = the outcome's own text */
};

/* Fill the refusal and return false, so that a step ends with `return refuse(...)`. */
bool refuse(struct refusal *why, enum outcome outcome);
bool refuse_text(struct refusal *why, enum outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A step: true = go on, false = refused and `why` is filled. */
typedef bool step_fn(struct request *req, struct refusal *why);

/* --- admission.c --- */

/* Counts and answers. What the request holds is given back first, unless Kafka has it. Without a
 * reference of its own the caller must not touch the request afterwards. */
void answer_refused(struct request *req, const struct refusal *why);
void answer_accepted(struct request *req);
/* Counts `n` more bytes into the global budget and the tenant's cap. */
bool reserve_bytes(struct request *req, uint64_t n, struct refusal *why);
/* Frees the body and what it was split into, and gives back all bytes counted for them. */
void release_body(struct request *req);
/* Puts another body, which it takes, in its place. */
bool replace_body(struct request *req, struct buf body, struct refusal *why);

/* --- admission_hold.c --- */

/* A failed key of an address that failed too often: true, and the answer comes later by itself;
 * until then bodies are dropped. False: answer now. */
bool hold_refusal(struct request *req, const struct refusal *why);
void end_hold(struct request *req); /* of one that does not wait is fine */

/* --- admission_headers.c --- */

step_fn check_headers;
step_fn authenticate; /* sets tenant and key */
/* One of the paths of OTLP/HTTP. */
bool is_signal_path(struct slice path);
step_fn refuse_coding; /* with the codings that are supported */
/* A grpc-timeout in ns, saturating; false when it is malformed (R144). */
bool grpc_timeout(struct slice text, uint64_t *ret_ns);

/* --- admission_limits.c --- */

step_fn limit_requests; /* one more against the requests per second */
step_fn limit_payload;  /* bytes and items per second, bytes of the day */
/* How long this request may be held back: limits.wait, but not past its deadline. */
uint64_t longest_wait(const struct request *req);
/* The daily quotas get back what did not become a record. */
void return_quota(struct request *req);

/* --- admission_body.c --- */

step_fn check_body;

/* --- admission_split.c --- */

/* Of what was scanned: whether it may be one record as it is. */
void plan_split(struct request *req, const struct scan_result *found);
/* What one request may become in all; above, scan_request stops. */
struct scan_limits request_ceilings(const struct conf *conf);
enum split_step {
    SPLIT_DONE,    /* the records may go */
    SPLIT_REFUSED, /* `why` is filled */
    SPLIT_LATER,   /* a partition that is needed has no leader now, or none is known: ask again */
};
/* Puts the records that the body becomes in its place, when it cannot be one as it is. */
enum split_step split_body(struct request *req, struct refusal *why);

/* --- admission_deliver.c --- */

/* Answers when deadline_ns comes, if one is set. */
void arm_deadline(struct request *req);
/* Hands a checked request to Kafka, after the wait that its limits ask for, and answers from the
 * delivery report. */
void deliver(struct request *req);

#endif
