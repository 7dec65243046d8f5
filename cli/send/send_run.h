/* A run of `tenantry send`: when requests begin, when they are repeated, when it is over. A request
 * keeps its slot from its first attempt to its final answer, so at most `concurrency` requests are
 * unfinished, and none is kept in memory while it waits to be repeated. Thread: one. */
#ifndef CLI_SEND_RUN_H
#define CLI_SEND_RUN_H

#include "cli/send/send_build.h"
#include "cli/send/send_http.h"
#include "cli/send/send_journal.h"
#include "cli/send/send_report.h"

#include <signal.h>

struct send_plan {
    enum signal signals[SIGNAL_COUNT]; /* requests take turns */
    unsigned signal_count;
    uint64_t count;        /* items in all; 0 = no limit */
    uint32_t batch;        /* items per request */
    uint64_t rate;         /* items per second; 0 = as fast as answers come */
    uint64_t duration_ns;  /* no request begins later; 0 = no limit */
    uint64_t retry_for_ns; /* a request is given up after; 0 = never repeated */
    unsigned concurrency;
    bool progress; /* a line on stderr */
};

/* Runs it to its end, or until *stop is set: then nothing begins or is repeated, and what is in
 * flight is still waited for. 0, or a negative errno when it can't go on. */
int send_run(const struct send_plan *plan, const struct send_builder *sb, struct send_http *h,
             struct send_journal *j, struct send_report *r, const volatile sig_atomic_t *stop,
             struct errbuf *err);

#endif
