/* A small HTTP/1.1 server for operators on a thread of its own: GET and HEAD only, one
 * answer per connection, bounded sizes, times (5 s to ask, 5 s to take the answer) and connections.
 * It keeps answering when the program's own loops are busy. Listens on loopback unless configured
 * otherwise. */
#ifndef BASE_ADMIN_HTTP_H
#define BASE_ADMIN_HTTP_H

#include "base/buf.h"
#include "base/errbuf.h"

struct admin_http;

struct admin_answer {
    int status;               /* 200 by default */
    const char *content_type; /* "text/plain; charset=utf-8" by default; a literal */
    struct buf body;
};

/* One path. `handle` runs on the admin thread and fills `answer`. A table ends with a NULL path. */
struct admin_route {
    const char *path; /* "/metrics" */
    void (*handle)(void *arg, struct slice query, struct admin_answer *answer);
};

/* `address` is "127.0.0.1:9464" or "[::1]:0"; routes are borrowed until admin_http_free. */
struct admin_http *admin_http_new(const char *address, const struct admin_route *routes, void *arg,
                                  struct errbuf *err);
int admin_http_port(const struct admin_http *h);
void admin_http_free(struct admin_http *h); /* stops and joins the thread; NULL is fine */

#endif
