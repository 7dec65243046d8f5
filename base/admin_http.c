/* One thread polls the listener, a wake-up descriptor and up to MOST_CONNECTIONS sockets. A
 * connection reads until the blank line, is answered once, and then lingers until the peer closes:
 * closing at once with unread bytes would reset the connection and could take the answer away.
 * Bodies are not read. Deadlines: a request must be in 5 s after the connection, its answer out 5 s
 * after that. */
#include "base/admin_http.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_CONNECTIONS 64
#define REQUEST_CEILING  8192
#define BODY_CEILING     (256u * 1024 * 1024)
#define STEP_NS          (5 * NS_PER_S)
#define ACCEPT_PAUSE_NS  (100 * NS_PER_MS)

enum state { FREE, READING, WRITING, LINGERING };

struct connection {
    enum state state;
    int fd;
    uint64_t deadline_ns;
    struct buf request;
    struct buf head, body;
    size_t sent; /* of head, then of body */
};

struct admin_http {
    int listener, wake, port;
    const struct admin_route *routes;
    void *arg;
    pthread_t thread;
    uint64_t accept_after_ns; /* not before: the last accept failed for want of descriptors */
    struct connection connections[MOST_CONNECTIONS];
};

/* --- one request --------------------------------------------------------------------------- */

struct request {
    bool is_head;
    struct slice path, query;
};

static const char *reason_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 503:
        return "Service Unavailable";
    default:
        return "Status";
    }
}

/* Takes what stands before the next blank off `line`. */
static struct slice take_word(struct slice *line)
{
    const uint8_t *blank = line->len ? memchr(line->at, ' ', line->len) : NULL;
    struct slice word = *line;
    if (blank == NULL) {
        *line = SLICE_NULL;
    } else {
        word.len = (size_t)(blank - line->at);
        *line = slice_of(blank + 1, line->len - word.len - 1);
    }
    return word;
}

static bool is_target(struct slice s)
{
    if (s.len == 0 || s.at[0] != '/')
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] >= 0x7F)
            return false;
    return true;
}

/* "GET /path?query HTTP/1.1"; 0 or the status to answer. */
static int parse_request(struct slice line, struct request *ret)
{
    struct slice method = take_word(&line), target = take_word(&line);
    if (!slice_eq(line, SLICE_LIT("HTTP/1.1")) && !slice_eq(line, SLICE_LIT("HTTP/1.0")))
        return 400;
    if (method.len == 0 || !is_target(target))
        return 400;
    ret->is_head = slice_eq(method, SLICE_LIT("HEAD"));
    if (!ret->is_head && !slice_eq(method, SLICE_LIT("GET")))
        return 405;
    const uint8_t *mark = memchr(target.at, '?', target.len);
    ret->path = mark ? slice_of(target.at, (size_t)(mark - target.at)) : target;
    ret->query = mark ? slice_of(mark + 1, target.len - ret->path.len - 1) : SLICE_NULL;
    return 0;
}

static void write_head(struct connection *c, int status, const char *type)
{
    buf_printf(&c->head,
               "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
               "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
               "Connection: close\r\n\r\n",
               status, reason_of(status), type, c->body.len,
               status == 405 ? "Allow: GET, HEAD\r\n" : "");
}

static void start_writing(struct connection *c)
{
    c->state = WRITING;
    c->deadline_ns = clock_mono_ns() + STEP_NS;
    c->sent = 0;
}

static void answer_status(struct connection *c, int status)
{
    buf_release(&c->body);
    buf_printf(&c->body, "%s\n", reason_of(status));
    write_head(c, status, "text/plain; charset=utf-8");
    start_writing(c);
}

static void answer_route(struct admin_http *h, struct connection *c, const struct request *r,
                         const struct admin_route *route)
{
    struct admin_answer answer = {200, "text/plain; charset=utf-8", BUF_INIT_CEILING(BODY_CEILING)};
    route->handle(h->arg, r->query, &answer);
    if (answer.body.failed) {
        buf_release(&answer.body);
        answer_status(c, 500);
        return;
    }
    c->body = answer.body;
    write_head(c, answer.status, answer.content_type);
    if (r->is_head)
        buf_release(&c->body);
    start_writing(c);
}

static void answer(struct admin_http *h, struct connection *c, struct slice line)
{
    struct request r;
    int status = parse_request(line, &r);
    if (status != 0) {
        answer_status(c, status);
        return;
    }
    for (const struct admin_route *route = h->routes; route->path != NULL; route++)
        if (slice_eq(slice_str(route->path), r.path)) {
            answer_route(h, c, &r, route);
            return;
        }
    answer_status(c, 404);
}

/* --- connections --------------------------------------------------------------------------- */

static void close_connection(struct connection *c)
{
    close(c->fd);
    buf_release(&c->request);
    buf_release(&c->head);
    buf_release(&c->body);
    c->state = FREE;
}

/* One recv into `to`; 1, 0 when there is nothing now, -1 at the end or on failure. */
static int receive(int fd, uint8_t *to, size_t size, size_t *ret_len)
{
    ssize_t n = recv(fd, to, size, 0);
    if (n > 0) {
        *ret_len = (size_t)n;
        return 1;
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static void on_readable(struct admin_http *h, struct connection *c)
{
    size_t room = REQUEST_CEILING - c->request.len, len;
    uint8_t *to = buf_reserve(&c->request, room);
    int rc = to ? receive(c->fd, to, room, &len) : -1;
    if (rc < 0)
        close_connection(c);
    if (rc <= 0)
        return;
    c->request.len += len;
    const uint8_t *end = memmem(c->request.at, c->request.len, "\r\n\r\n", 4);
    if (end != NULL) {
        const uint8_t *line_end = memmem(c->request.at, c->request.len, "\r\n", 2);
        answer(h, c, slice_of(c->request.at, (size_t)(line_end - c->request.at)));
    } else if (c->request.len == REQUEST_CEILING) {
        answer_status(c, 431);
    }
}

static void on_writable(struct connection *c)
{
    bool in_head = c->sent < c->head.len;
    const struct buf *b = in_head ? &c->head : &c->body;
    size_t from = in_head ? c->sent : c->sent - c->head.len;
    ssize_t n = send(c->fd, b->at + from, b->len - from, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        close_connection(c);
        return;
    }
    if (n > 0)
        c->sent += (size_t)n;
    if (c->sent == c->head.len + c->body.len) {
        shutdown(c->fd, SHUT_WR);
        c->state = LINGERING;
    }
}

static void on_lingering(struct connection *c)
{
    uint8_t dropped[4096];
    size_t len;
    if (receive(c->fd, dropped, sizeof(dropped), &len) < 0)
        close_connection(c);
}

static void on_event(struct admin_http *h, struct connection *c)
{
    switch (c->state) {
    case FREE:
        break;
    case READING:
        on_readable(h, c);
        break;
    case WRITING:
        on_writable(c);
        break;
    case LINGERING:
        on_lingering(c);
        break;
    }
}

static struct connection *free_connection(struct admin_http *h)
{
    for (size_t i = 0; i < MOST_CONNECTIONS; i++)
        if (h->connections[i].state == FREE)
            return &h->connections[i];
    return NULL;
}

static void refuse_connection(int fd)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                               "Connection: close\r\n\r\n";
    ssize_t ignored = send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)ignored;
    close(fd);
}

static void on_listener(struct admin_http *h, uint64_t now_ns)
{
    int fd = accept4(h->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            h->accept_after_ns = now_ns + ACCEPT_PAUSE_NS;
        return;
    }
    struct connection *c = free_connection(h);
    if (c == NULL) {
        refuse_connection(fd);
        return;
    }
    *c = (struct connection){.state = READING,
                             .fd = fd,
                             .deadline_ns = now_ns + STEP_NS,
                             .request = BUF_INIT_CEILING(REQUEST_CEILING)};
}

/* --- the thread ---------------------------------------------------------------------------- */

/* Milliseconds until the next deadline, rounded up; -1 = none. */
static int poll_timeout(const struct admin_http *h, uint64_t now_ns)
{
    uint64_t next = h->accept_after_ns > now_ns ? h->accept_after_ns : UINT64_MAX;
    for (size_t i = 0; i < MOST_CONNECTIONS; i++)
        if (h->connections[i].state != FREE && h->connections[i].deadline_ns < next)
            next = h->connections[i].deadline_ns;
    if (next == UINT64_MAX)
        return -1;
    return next <= now_ns ? 0 : (int)((next - now_ns) / NS_PER_MS) + 1;
}

static void close_late(struct admin_http *h, uint64_t now_ns)
{
    for (size_t i = 0; i < MOST_CONNECTIONS; i++)
        if (h->connections[i].state != FREE && h->connections[i].deadline_ns <= now_ns)
            close_connection(&h->connections[i]);
}

/* One turn; false when the thread is to end. A negative descriptor is one that poll skips. */
static bool turn(struct admin_http *h)
{
    uint64_t now_ns = clock_mono_ns();
    struct pollfd fds[2 + MOST_CONNECTIONS] = {{h->wake, POLLIN, 0}, {h->listener, POLLIN, 0}};
    if (h->accept_after_ns > now_ns)
        fds[1].fd = -1;
    for (size_t i = 0; i < MOST_CONNECTIONS; i++) {
        const struct connection *c = &h->connections[i];
        fds[2 + i].fd = c->state == FREE ? -1 : c->fd;
        fds[2 + i].events = c->state == WRITING ? POLLOUT : POLLIN;
    }
    if (poll(fds, 2 + MOST_CONNECTIONS, poll_timeout(h, now_ns)) < 0)
        return true; /* EINTR, or ENOMEM that passes */
    if (fds[0].revents != 0)
        return false;
    for (size_t i = 0; i < MOST_CONNECTIONS; i++)
        if (fds[2 + i].revents != 0)
            on_event(h, &h->connections[i]);
    now_ns = clock_mono_ns();
    close_late(h, now_ns);
    if (fds[1].revents != 0)
        on_listener(h, now_ns);
    return true;
}

static void *run(void *arg)
{
    struct admin_http *h = arg;
    pthread_setname_np(pthread_self(), "admin");
    while (turn(h))
        continue;
    return NULL;
}

/* --- opening and closing ------------------------------------------------------------------- */

/* "127.0.0.1:9464" or "[::1]:9464" into its parts. */
static int split_address(const char *address, char *host, size_t size, const char **ret_port)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address || colon[1] == 0)
        return -1;
    const char *end = colon;
    if (address[0] == '[' && end[-1] == ']') {
        address++;
        end--;
    } else if (memchr(address, ':', (size_t)(end - address)) != NULL) {
        return -1;
    }
    if ((size_t)(end - address) >= size)
        return -1;
    memcpy(host, address, (size_t)(end - address));
    host[end - address] = 0;
    *ret_port = colon + 1;
    return 0;
}

static int open_listener(const struct addrinfo *ai)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, MOST_CONNECTIONS) < 0) {
        int code = errno;
        close(fd);
        errno = code;
        return -1;
    }
    return fd;
}

static int listen_on(const char *address, struct errbuf *err)
{
    char host[256];
    const char *port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found;
    if (split_address(address, host, sizeof(host), &port) < 0)
        return errbuf_set(
            err, EINVAL,
            "the admin address \"%s\" is not like \"127.0.0.1:9464\" or \"[::1]:9464\"", address);
    int rc = getaddrinfo(host, port, &hints, &found);
    if (rc != 0)
        return errbuf_set(err, EINVAL, "the admin address \"%s\" cannot be used: %s", address,
                          gai_strerror(rc));
    int fd = open_listener(found), code = errno;
    freeaddrinfo(found);
    if (fd < 0)
        return errbuf_set(err, code, "cannot listen on the admin address %s: %s", address,
                          strerror(code));
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof(at);
    if (getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        return 0;
    return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
                                          : ((struct sockaddr_in *)&at)->sin_port);
}

/* The thread takes no signals: they are the main thread's. */
static int start_thread(struct admin_http *h)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&h->thread, NULL, run, h);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

struct admin_http *admin_http_new(const char *address, const struct admin_route *routes, void *arg,
                                  struct errbuf *err)
{
    int listener = listen_on(address, err);
    if (listener < 0)
        return NULL;
    struct admin_http *h = calloc(1, sizeof(*h));
    int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), code = errno;
    if (h != NULL && wake >= 0) {
        h->listener = listener;
        h->wake = wake;
        h->port = port_of(listener);
        h->routes = routes;
        h->arg = arg;
        code = start_thread(h);
        if (code == 0)
            return h;
    }
    errbuf_set(err, code, "cannot start the admin server: %s", strerror(code));
    close(listener);
    if (wake >= 0)
        close(wake);
    free(h);
    return NULL;
}

int admin_http_port(const struct admin_http *h)
{
    return h->port;
}

void admin_http_free(struct admin_http *h)
{
    if (h == NULL)
        return;
    eventfd_write(h->wake, 1);
    pthread_join(h->thread, NULL);
    for (size_t i = 0; i < MOST_CONNECTIONS; i++)
        if (h->connections[i].state != FREE)
            close_connection(&h->connections[i]);
    close(h->listener);
    close(h->wake);
    free(h);
}
