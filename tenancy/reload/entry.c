#include "tenancy/reload/entry.h"

#include "tenancy/keys/key_runtime.h"
#include "tenancy/keys/keyfile.h"

#include <errno.h>
#include <stdlib.h>

#define LONGEST_REASON 200

static int parse_conf(struct entry *e, const char *text, struct errbuf *err)
{
    e->conf = arena_calloc(&e->arena, 1, sizeof(*e->conf));
    if (e->conf == NULL)
        return errbuf_set(err, ENOMEM, "%s: out of memory", e->origin);
    int rc = option_read_text(&conf_options, e->origin, text, e->conf, &e->arena, &e->origins, err);
    return rc < 0 ? rc : conf_finish(e->conf, e->origin, &e->origins, &e->arena, err);
}

static int parse_tenant(struct entry *e, const char *text, const char *state, struct errbuf *err)
{
    struct tenant_file *file = arena_calloc(&e->arena, 1, sizeof(*file));
    if (file == NULL)
        return errbuf_set(err, ENOMEM, "%s: out of memory", e->origin);
    int rc = option_read_text(&tenant_options, e->origin, text, file, &e->arena, &e->origins, err);
    e->tenant = &file->tenant;
    return rc < 0 ? rc
                  : tenant_conf_finish(e->tenant, e->origin, e->name, state, &e->origins, &e->arena,
                                       err);
}

static int parse_keys(struct entry *e, struct slice text, struct errbuf *err)
{
    int rc = keyfile_parse(text, e->origin, &e->arena, &e->keys, &e->n_keys, err);
    for (size_t i = 0; i < e->n_keys && rc == 0; i++) {
        e->keys[i].runtime = key_runtime(e->keys[i].id);
        if (e->keys[i].runtime == NULL)
            rc = errbuf_set(err, ENOMEM, "%s: out of memory", e->origin);
    }
    return rc;
}

/* The first line, as far as it is printable. */
static int parse_reason(struct entry *e, struct slice text)
{
    size_t len = 0;
    while (len < text.len && len < LONGEST_REASON && text.at[len] >= ' ')
        len++;
    e->reason = arena_strdup(&e->arena, slice_of(text.at, len));
    return e->reason ? 0 : -ENOMEM;
}

static int parse_options(struct entry *e, struct slice content, const char *state,
                         struct errbuf *err)
{
    if (content.len > 0 && memchr(content.at, 0, content.len) != NULL)
        return errbuf_set(err, EINVAL, "%s: this is not a text file: it holds a NUL byte",
                          e->origin);
    const char *text = arena_strdup(&e->arena, content);
    if (text == NULL)
        return errbuf_set(err, ENOMEM, "%s: out of memory", e->origin);
    return e->kind == SOURCE_CONF ? parse_conf(e, text, err) : parse_tenant(e, text, state, err);
}

static int parse(struct entry *e, const struct source_entry *from, const char *state,
                 struct errbuf *err)
{
    /* A suspension that cannot be read is one nevertheless. */
    if (from->problem != NULL && e->kind != SOURCE_SUSPENDED)
        return errbuf_set(err, EIO, "%s", from->problem);
    switch (e->kind) {
    case SOURCE_KEYS:
        return parse_keys(e, from->content, err);
    case SOURCE_SUSPENDED:
        return parse_reason(e, from->content);
    default:
        return parse_options(e, from->content, state, err);
    }
}

static struct entry *entry_new(enum source_kind kind, const char *name, const char *origin,
                               uint64_t version)
{
    struct entry *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return NULL;
    e->refs = 1;
    e->kind = kind;
    e->version = version;
    e->origins.a = &e->arena;
    e->name = arena_strdup(&e->arena, slice_str(name));
    e->origin = arena_strdup(&e->arena, slice_str(origin));
    if (e->name != NULL && e->origin != NULL)
        return e;
    entry_release(e);
    return NULL;
}

struct entry *entry_parse(const struct source_entry *from, const char *state, struct errbuf *err)
{
    struct entry *e = entry_new(from->kind, from->name, from->origin, from->version);
    if (e == NULL)
        errbuf_set(err, ENOMEM, "%s: out of memory", from->origin);
    else if (parse(e, from, state, err) == 0)
        return e;
    entry_release(e);
    return NULL;
}

struct entry *entry_unreadable(enum source_kind kind, const char *name, const char *origin)
{
    struct entry *e = entry_new(kind, name, origin, 0);
    if (e != NULL)
        e->unreadable = true;
    return e;
}

struct entry *entry_ref(struct entry *e)
{
    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    return e;
}

void entry_release(struct entry *e)
{
    if (e == NULL || atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) != 1)
        return;
    entry_release(e->boot);
    arena_release(&e->arena);
    free(e);
}
