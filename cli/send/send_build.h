/* The payloads of `tenantry send`: export requests of made-up items, the same for the same numbers,
 * so that a repeated request needs no copy kept while it waits. Every item carries three stamps as
 * attributes (of the log record, span or data point), by which a test finds it again:
 *
 *     tenantry.run      string, the run of the sender
 *     tenantry.attempt  int, unique per attempt: a repeated request is a new attempt
 *     tenantry.seq      int, unique per item in the run, the same in every attempt
 */
#ifndef CLI_SEND_BUILD_H
#define CLI_SEND_BUILD_H

#include "base/buf.h"
#include "base/errbuf.h"
#include "base/option.h"
#include "otlp/signal.h"

struct send_content {
    const char *run, *service;
    unsigned attributes;       /* made-up ones per item, besides the stamps and the fixed ones */
    struct option_pair *fixed; /* --attribute k=v, as strings */
    size_t fixed_count;
};

struct send_request {
    enum signal signal;
    uint64_t first_seq; /* items are first_seq ... first_seq + items - 1 */
    uint32_t items;
    uint64_t time_ns; /* of the first item */
};

struct send_builder; /* attributes and resource, encoded once */

/* `content` is borrowed until send_builder_free. NULL when memory is short. */
struct send_builder *send_builder_new(const struct send_content *content);
void send_builder_free(struct send_builder *sb);

/* Appends Export<Signal>ServiceRequest; 0, or -ENOBUFS. Thread: any. */
int send_build(const struct send_builder *sb, const struct send_request *req, uint64_t attempt,
               struct buf *out);

#endif
