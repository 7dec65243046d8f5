#include "cli/send/send_journal.h"

#include "base/clock.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int send_journal_open(struct send_journal *j, const char *path, const char *run, struct errbuf *err)
{
    *j = (struct send_journal){.fd = -1, .run = run};
    if (path == NULL)
        return 0;
    j->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (j->fd < 0)
        return errbuf_set(err, errno, "%s can't be written: %s.", path, strerror(errno));
    return 0;
}

void send_journal_close(struct send_journal *j)
{
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
    buf_release(&j->line);
}

static void begin(struct send_journal *j, const char *event, const struct send_attempt *at)
{
    buf_clear(&j->line);
    buf_printf(&j->line, "{\"event\":\"%s\",\"run\":", event);
    json_string(&j->line, slice_str(j->run));
    buf_printf(&j->line, ",\"attempt\":%llu,\"signal\":\"%s\",\"first_seq\":%llu,\"items\":%u",
               (unsigned long long)at->number, signal_info[at->req.signal].name,
               (unsigned long long)at->req.first_seq, at->req.items);
}

static int end(struct send_journal *j, struct errbuf *err)
{
    buf_append_str(&j->line, "}\n");
    if (j->line.failed)
        return errbuf_set(err, ENOMEM, "There is no memory for a line of the attempts file.");
    for (size_t written = 0; written < j->line.len;) {
        ssize_t n = write(j->fd, j->line.at + written, j->line.len - written);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errbuf_set(err, errno, "The attempts file can't be written: %s.",
                              strerror(errno));
        written += (size_t)n;
    }
    return 0;
}

int send_journal_sent(struct send_journal *j, const struct send_attempt *at, struct errbuf *err)
{
    if (j->fd < 0)
        return 0;
    begin(j, "sent", at);
    return end(j, err);
}

int send_journal_done(struct send_journal *j, const struct send_attempt *at,
                      const struct send_answer *a, uint64_t now_ns, struct errbuf *err)
{
    if (j->fd < 0)
        return 0;
    begin(j, "done", at);
    buf_printf(&j->line, ",\"outcome\":\"%s\"", send_outcome_name(send_answer_outcome(a)));
    if (a->http_status != 0)
        buf_printf(&j->line, ",\"status\":%d", a->http_status);
    if (a->grpc_status != SEND_NO_GRPC_STATUS)
        buf_printf(&j->line, ",\"grpc_status\":%d", a->grpc_status);
    buf_printf(&j->line, ",\"rejected\":%llu,\"ms\":%.3f", (unsigned long long)a->rejected,
               (double)(now_ns - at->sent_ns) / NS_PER_MS);
    if (a->message[0] != 0) {
        buf_append_str(&j->line, ",\"message\":");
        json_string(&j->line, slice_str(a->message));
    }
    return end(j, err);
}
