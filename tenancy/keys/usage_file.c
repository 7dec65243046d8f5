#include "tenancy/keys/usage_file.h"

#include "base/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define SUFFIX         ".usage"
#define LONGEST_NUMBER 18 /* digits: always below 2^63 */
#define MOST_SLOTS     100
/* A running router that wrote nothing for so many intervals may be gone: an unchanged file is
 * written again every sixth. */
#define SILENT_AFTER 8

/* --- one file ------------------------------------------------------------------------------- */

/* The value behind "name=" at the beginning of `*rest`, up to the next blank, which is passed over.
 */
static bool take(struct slice *rest, const char *name, struct slice *ret)
{
    size_t len = strlen(name);
    if (rest->len <= len || memcmp(rest->at, name, len) != 0 || rest->at[len] != '=')
        return false;
    struct slice value = slice_of(rest->at + len + 1, rest->len - len - 1);
    const uint8_t *blank = value.len ? memchr(value.at, ' ', value.len) : NULL;
    size_t n = blank ? (size_t)(blank - value.at) : value.len, past = n + (blank != NULL);
    *ret = slice_of(value.at, n);
    *rest = slice_of(value.at + past, value.len - past);
    return true;
}

static bool take_number(struct slice *rest, const char *name, uint64_t *ret)
{
    struct slice value;
    uint64_t n = 0;
    if (!take(rest, name, &value) || value.len == 0 || value.len > LONGEST_NUMBER)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (!isdigit(value.at[i]))
            return false;
        n = n * 10 + (uint64_t)(value.at[i] - '0');
    }
    *ret = n;
    return true;
}

static bool parse_head(struct slice line, struct arena *a, struct usage_report *r)
{
    struct slice router;
    uint64_t running;
    if (!take(&line, "router", &router) || !take_number(&line, "since", &r->since_s) ||
        !take_number(&line, "written", &r->written_s) ||
        !take_number(&line, "every", &r->every_s) || !take_number(&line, "running", &running) ||
        line.len > 0)
        return false;
    r->running = running != 0;
    r->router = arena_strdup(a, router);
    return r->router != NULL;
}

static bool parse_key(struct slice line, struct key_usage *k)
{
    struct slice id;
    bool ok = take(&line, "id", &id) && key_id_valid(id) && take_number(&line, "last", &k->last_s);
    for (int i = 0; i < SIGNAL_COUNT; i++)
        ok = ok && take_number(&line, signal_info[i].name, &k->uses[i]);
    ok = ok && take_number(&line, "refused", &k->refused) &&
         take_number(&line, "last_refused", &k->last_refused_s) && line.len == 0;
    if (ok)
        memcpy(k->id, id.at, KEY_ID_LENGTH);
    return ok;
}

static struct slice next_line(struct slice *text)
{
    const uint8_t *end = text->len ? memchr(text->at, '\n', text->len) : NULL;
    size_t n = end ? (size_t)(end - text->at) : text->len, past = n + (end != NULL);
    struct slice line = slice_of(text->at, n);
    *text = slice_of(text->at + past, text->len - past);
    return line;
}

static size_t count_lines(struct slice text)
{
    size_t n = 0;
    while (text.len > 0) {
        next_line(&text);
        n++;
    }
    return n;
}

int usage_parse(struct slice text, const char *name, struct arena *a, struct usage_report *ret,
                struct errbuf *err)
{
    struct usage_report r = {0};
    r.keys = arena_calloc(a, count_lines(text) + 1, sizeof(*r.keys));
    if (r.keys == NULL)
        return errbuf_set(err, ENOMEM, "%s: out of memory", name);
    for (int number = 1; text.len > 0; number++) {
        struct slice line = next_line(&text);
        bool ok = number == 1 ? parse_head(line, a, &r) : parse_key(line, &r.keys[r.n++]);
        if (!ok)
            return errbuf_set(err, EINVAL, "%s:%d: this is not what a router writes", name, number);
    }
    if (r.router == NULL)
        return errbuf_set(err, EINVAL, "%s: the file is empty", name);
    *ret = r;
    return 0;
}

void usage_print(const struct usage_report *r, struct buf *out)
{
    buf_printf(out, "router=%s since=%llu written=%llu every=%llu running=%d\n", r->router,
               (unsigned long long)r->since_s, (unsigned long long)r->written_s,
               (unsigned long long)r->every_s, r->running);
    for (const struct key_usage *k = r->keys; k < r->keys + r->n; k++) {
        buf_printf(out, "id=%s last=%llu", k->id, (unsigned long long)k->last_s);
        for (int i = 0; i < SIGNAL_COUNT; i++)
            buf_printf(out, " %s=%llu", signal_info[i].name, (unsigned long long)k->uses[i]);
        buf_printf(out, " refused=%llu last_refused=%llu\n", (unsigned long long)k->refused,
                   (unsigned long long)k->last_refused_s);
    }
}

/* --- all of them ---------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct key_usage *)a)->id, ((const struct key_usage *)b)->id,
                  KEY_ID_LENGTH);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void add(struct key_usage *to, const struct key_usage *k)
{
    to->last_s = later(to->last_s, k->last_s);
    for (int i = 0; i < SIGNAL_COUNT; i++)
        to->uses[i] += k->uses[i];
    to->refused += k->refused;
    to->last_refused_s = later(to->last_refused_s, k->last_refused_s);
}

static void note_report(struct usage *u, const struct usage_report *r, uint64_t now_s)
{
    if (!u->any || r->since_s < u->since_s)
        u->since_s = r->since_s;
    u->any = true;
    bool silent = r->running && now_s > r->written_s + SILENT_AFTER * r->every_s;
    if (!silent || r->written_s >= u->complete_s)
        return;
    u->complete_s = r->written_s;
    u->silent = r->router;
}

int usage_add_up(const struct usage_report *reports, size_t n, uint64_t now_s, struct arena *a,
                 struct usage *ret, struct errbuf *err)
{
    struct usage u = {.complete_s = now_s};
    size_t lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += reports[i].n;
    u.keys = arena_calloc(a, lines + 1, sizeof(*u.keys));
    if (u.keys == NULL)
        return errbuf_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        note_report(&u, &reports[i], now_s);
        for (size_t k = 0; k < reports[i].n; k++)
            u.keys[u.n++] = reports[i].keys[k];
    }
    qsort(u.keys, u.n, sizeof(*u.keys), by_id);
    size_t kept = 0;
    for (size_t i = 0; i < u.n; i++)
        if (kept > 0 && by_id(&u.keys[kept - 1], &u.keys[i]) == 0)
            add(&u.keys[kept - 1], &u.keys[i]);
        else
            u.keys[kept++] = u.keys[i];
    u.n = kept;
    *ret = u;
    return 0;
}

const struct key_usage *usage_find(const struct usage *u, const char *id)
{
    struct key_usage wanted = {0};
    memcpy(wanted.id, id, KEY_ID_LENGTH);
    return u->n ? bsearch(&wanted, u->keys, u->n, sizeof(*u->keys), by_id) : NULL;
}

/* A router of this machine that died without a word holds its lock no more. */
static bool lock_is_free(const char *folder, const char *router)
{
    char *path;
    if (asprintf(&path, "%s/%s.lock", folder, router) < 0)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool is_free = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0;
    if (fd >= 0)
        close(fd);
    free(path);
    return is_free;
}

static int read_one(const char *folder, const char *name, struct arena *a, struct usage_report *ret,
                    struct errbuf *err)
{
    char *path = NULL;
    struct buf text = BUF_INIT_CEILING(USAGE_CEILING);
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return errbuf_set(err, ENOMEM, "out of memory");
    int rc = file_read(path, &text, err);
    if (rc == 0)
        rc = usage_parse(buf_slice(&text), path, a, ret, err);
    if (rc == 0 && ret->running && lock_is_free(folder, ret->router))
        ret->running = false;
    free(path);
    buf_release(&text);
    return rc;
}

int usage_read(const char *state_folder, uint64_t now_s, struct arena *a, struct usage *ret,
               struct errbuf *err)
{
    char folder[4096], **names = NULL;
    snprintf(folder, sizeof(folder), "%s/" USAGE_FOLDER, state_folder);
    int n = file_list(folder, SUFFIX, &names, err), rc = 0;
    if (n < 0)
        return n;
    struct usage_report *reports = arena_calloc(a, (size_t)n + 1, sizeof(*reports));
    if (reports == NULL)
        rc = errbuf_set(err, ENOMEM, "out of memory");
    for (int i = 0; i < n && rc == 0; i++)
        rc = read_one(folder, names[i], a, &reports[i], err);
    if (rc == 0)
        rc = usage_add_up(reports, (size_t)n, now_s, a, ret, err);
    file_list_free(names, n);
    return rc;
}

/* --- a router's own ------------------------------------------------------------------------- */

/* What a file may be named after: the machine's name, or "router" when it has none. */
static void machine_name(char *out, size_t size)
{
    if (gethostname(out, size) != 0 || out[0] == 0)
        snprintf(out, size, "router");
    out[size - 1] = 0;
    for (char *c = out; *c != 0; c++)
        if (!isalnum((unsigned char)*c) && *c != '-')
            *c = '_';
}

/* The lock's descriptor, -EWOULDBLOCK, or another negative errno with a sentence. */
static int try_lock(const char *path, struct errbuf *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return errbuf_set(err, errno, "cannot open \"%s\": %m", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    int code = errno;
    close(fd);
    return code == EWOULDBLOCK
               ? -EWOULDBLOCK
               : errbuf_set(err, code, "cannot lock \"%s\": %s", path, strerror(code));
}

static int fill_slot(struct usage_slot *s, const char *folder, const char *router, int fd,
                     struct errbuf *err)
{
    *s = (struct usage_slot){.lock_fd = fd, .router = strdup(router)};
    if (asprintf(&s->path, "%s/%s" SUFFIX, folder, router) < 0)
        s->path = NULL;
    if (s->path != NULL && s->router != NULL)
        return 0;
    usage_slot_release(s);
    return errbuf_set(err, ENOMEM, "out of memory");
}

int usage_slot_take(const char *state_folder, struct usage_slot *ret, struct errbuf *err)
{
    char folder[2048], machine[65], router[80], path[4096];
    snprintf(folder, sizeof(folder), "%s/" USAGE_FOLDER, state_folder);
    machine_name(machine, sizeof(machine));
    int rc = file_make_folder(folder, 0750, err);
    for (int i = 0; i < MOST_SLOTS && rc >= 0; i++) {
        snprintf(router, sizeof(router), "%s.%d", machine, i);
        snprintf(path, sizeof(path), "%s/%s.lock", folder, router);
        int fd = try_lock(path, err);
        if (fd >= 0)
            return fill_slot(ret, folder, router, fd, err);
        rc = fd == -EWOULDBLOCK ? 0 : fd;
    }
    return rc < 0 ? rc
                  : errbuf_set(err, EBUSY, "\"%s\": more than %d routers of one machine", folder,
                               MOST_SLOTS);
}

void usage_slot_release(struct usage_slot *s)
{
    if (s->path != NULL || s->router != NULL)
        close(s->lock_fd);
    free(s->path);
    free(s->router);
    *s = (struct usage_slot){0};
}
