#include "tenancy/reload/source.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "tenancy/keys/keyfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TENANT_CEILING (1024ul * 1024)
#define LOOK_SHARE     20
#define CHEAP_LOOK_NS  (5 * NS_PER_MS) /* of CPU: some thousand files */

/* What stands in which folder under which suffix. */
static const struct file_kind {
    enum source_kind kind;
    const char *suffix;
    size_t ceiling;
} file_kinds[] = {
    {SOURCE_TENANT, ".conf", TENANT_CEILING},
    {SOURCE_SUSPENDED, ".suspended", TENANT_CEILING},
    {SOURCE_KEYS, ".keys", KEYFILE_CEILING},
};
#define KIND_COUNT (sizeof(file_kinds) / sizeof(file_kinds[0]))

struct source_files {
    struct source source;
    char *tenants, *keys;
    char *only;                   /* NULL = all */
    uint64_t stamps[KIND_COUNT];  /* of all files' contents */
    uint64_t folders[KIND_COUNT]; /* of the folders: names that came, went or were replaced */
    uint64_t look_again_ns;       /* monotonic; at the contents */
};

static const char *folder_of(const struct source_files *s, const struct file_kind *k)
{
    return k->kind == SOURCE_KEYS ? s->keys : s->tenants;
}

static bool is_read(const struct source_files *s, const struct file_kind *k)
{
    return s->only == NULL || k->kind != SOURCE_KEYS;
}

static char *join_path(const char *folder, const char *name, const char *suffix)
{
    char *path;
    return asprintf(&path, "%s/%s%s", folder, name, suffix) < 0 ? NULL : path;
}

static uint64_t stamp_of(const struct source_files *s, const struct file_kind *k)
{
    if (!is_read(s, k))
        return 0;
    if (s->only == NULL)
        return file_folder_stamp(folder_of(s, k), k->suffix);
    char *path = join_path(folder_of(s, k), s->only, k->suffix);
    uint64_t stamp = path ? file_stamp(path) : 0;
    free(path);
    return stamp;
}

static uint64_t folder_stamp(const struct source_files *s, const struct file_kind *k)
{
    return is_read(s, k) && s->only == NULL ? file_stamp(folder_of(s, k)) : 0;
}

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Looking at thousands of files costs tens of milliseconds. Files that come, go or are replaced by
 * rename, as all our commands and most editors do it, change their folder and are seen at once; for
 * what is written in place all files are looked at; when there are many, for one part in LOOK_SHARE
 * of the time. */
static bool files_changed(struct source *source)
{
    struct source_files *s = (struct source_files *)source;
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (folder_stamp(s, &file_kinds[i]) != s->folders[i])
            return true;
    uint64_t begin_ns = cpu_ns();
    if (clock_mono_ns() < s->look_again_ns)
        return false;
    bool changed = false;
    for (size_t i = 0; i < KIND_COUNT && !changed; i++)
        changed = stamp_of(s, &file_kinds[i]) != s->stamps[i];
    uint64_t cost_ns = cpu_ns() - begin_ns;
    s->look_again_ns = cost_ns < CHEAP_LOOK_NS ? 0 : clock_mono_ns() + LOOK_SHARE * cost_ns;
    return changed;
}

/* Reads one file into the next entry of `list`, which has room. A file that vanished since it was
 * listed is no entry. */
static int read_entry(const struct source_files *s, const struct file_kind *k, struct slice name,
                      struct source_list *list)
{
    struct source_entry *e = &list->at[list->n];
    struct buf text = BUF_INIT_CEILING(k->ceiling);
    struct errbuf err = ERRBUF_INIT;
    bool ok = true;
    e->kind = k->kind;
    e->name = arena_strdup(&list->arena, name);
    char *path = e->name ? join_path(folder_of(s, k), e->name, k->suffix) : NULL;
    int rc = path ? file_read(path, &text, &err) : -ENOMEM;
    if (rc == -ENOENT) {
        rc = 0;
        goto out;
    }
    if (path == NULL)
        goto out;
    e->origin = arena_strdup(&list->arena, slice_str(path));
    e->problem = rc < 0 ? arena_strdup(&list->arena, slice_str(err.text)) : NULL;
    e->content = arena_copy(&list->arena, buf_slice(&text), &ok);
    e->version = hash_slice(HASH_START, e->content);
    if (!ok || e->origin == NULL || (rc < 0 && e->problem == NULL)) {
        rc = -ENOMEM;
        goto out;
    }
    list->n++;
    rc = 0;
out:
    free(path);
    buf_release(&text);
    return rc;
}

/* The list's array, grown by `more` entries. */
static int make_room(struct source_list *list, size_t more)
{
    struct source_entry *at = arena_calloc(&list->arena, list->n + more, sizeof(*at));
    if (at == NULL)
        return -ENOMEM;
    if (list->n > 0)
        memcpy(at, list->at, list->n * sizeof(*at));
    list->at = at;
    return 0;
}

static int read_one(const struct source_files *s, const struct file_kind *k,
                    struct source_list *list)
{
    int rc = make_room(list, 1);
    return rc == 0 ? read_entry(s, k, slice_str(s->only), list) : rc;
}

static int read_folder(const struct source_files *s, const struct file_kind *k,
                       struct source_list *list, struct errbuf *err)
{
    char **names = NULL;
    int n = file_list(folder_of(s, k), k->suffix, &names, err);
    if (n < 0)
        return n;
    int rc = make_room(list, (size_t)n + 1);
    for (int i = 0; i < n && rc == 0; i++) {
        size_t len = strlen(names[i]) - strlen(k->suffix);
        rc = read_entry(s, k, slice_of(names[i], len), list);
    }
    file_list_free(names, n);
    return rc;
}

static int files_read(struct source *source, struct source_list *ret, struct errbuf *err)
{
    struct source_files *s = (struct source_files *)source;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        const struct file_kind *k = &file_kinds[i];
        if (!is_read(s, k))
            continue;
        s->folders[i] = folder_stamp(s, k);
        s->stamps[i] = stamp_of(s, k); /* before reading: what changes meanwhile is read again */
        int rc = s->only ? read_one(s, k, ret) : read_folder(s, k, ret, err);
        if (rc == -ENOMEM)
            errbuf_set(err, ENOMEM, "out of memory while reading \"%s\"", folder_of(s, k));
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void files_close(struct source *source)
{
    struct source_files *s = (struct source_files *)source;
    free(s->tenants);
    free(s->keys);
    free(s->only);
    free(s);
}

static const struct source_ops files_ops = {files_read, files_changed, files_close};

struct source *source_files_open(const char *tenants, const char *keys, const char *only,
                                 struct errbuf *err)
{
    struct source_files *s = calloc(1, sizeof(*s));
    if (s == NULL)
        goto fail;
    s->source.ops = &files_ops;
    s->tenants = strdup(tenants);
    s->keys = strdup(keys);
    s->only = only ? strdup(only) : NULL;
    if (s->tenants && s->keys && (s->only || !only))
        return &s->source;
    files_close(&s->source);
fail:
    errbuf_set(err, ENOMEM, "out of memory");
    return NULL;
}
