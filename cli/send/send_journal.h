/* The attempts of a run as JSON lines, for a checker that holds them against a database. A line
 * {"event":"sent", ...} is in the file before a byte of the attempt is on the wire, and a line
 * {"event":"done", ...} follows its end; both are handed to the kernel at once, so a killed sender
 * leaves only its attempts in flight without the second line (their outcome is unknown). */
#ifndef CLI_SEND_JOURNAL_H
#define CLI_SEND_JOURNAL_H

#include "base/errbuf.h"
#include "cli/send/send_answer.h"
#include "cli/send/send_build.h"

struct send_attempt {
    struct send_request req;
    uint64_t number;  /* tenantry.attempt */
    uint64_t sent_ns; /* monotonic */
};

struct send_journal {
    int fd;          /* -1: nothing is written */
    const char *run; /* borrowed */
    struct buf line;
};

/* Appends to `path`; NULL writes nothing. */
int send_journal_open(struct send_journal *j, const char *path, const char *run,
                      struct errbuf *err);
int send_journal_sent(struct send_journal *j, const struct send_attempt *at, struct errbuf *err);
int send_journal_done(struct send_journal *j, const struct send_attempt *at,
                      const struct send_answer *a, uint64_t now_ns, struct errbuf *err);
void send_journal_close(struct send_journal *j);

#endif
