#include "tenancy/keys/keystore.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define SUFFIX ".keys"

static int file_path(const char *folder, const char *tenant, char *out, size_t size,
                     struct errbuf *err)
{
    int n = snprintf(out, size, "%s/%s" SUFFIX, folder, tenant);
    if (n < 0 || (size_t)n >= size)
        return errbuf_set(err, ENAMETOOLONG, "\"%s/%s" SUFFIX "\" is too long", folder, tenant);
    return 0;
}

/* Takes the store's lock; closing the descriptor gives it back. */
static int lock(const char *folder, struct errbuf *err)
{
    char path[4096];
    int rc = file_make_folder(folder, 0700, err);
    if (rc < 0)
        return rc;
    snprintf(path, sizeof(path), "%s/.lock", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return errbuf_set(err, errno, "cannot open \"%s\": %m", path);
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR) {
            rc = errbuf_set(err, errno, "cannot lock \"%s\": %m", path);
            close(fd);
            return rc;
        }
    return fd;
}

int keystore_list(const char *folder, const char *tenant, struct arena *a, struct key **ret_keys,
                  size_t *ret_n, struct errbuf *err)
{
    char path[4096];
    struct buf text = BUF_INIT_CEILING(KEYFILE_CEILING);
    int rc = file_path(folder, tenant, path, sizeof(path), err);
    if (rc == 0)
        rc = file_read(path, &text, err);
    if (rc == -ENOENT) {
        *ret_keys = NULL;
        *ret_n = 0;
        return 0;
    }
    if (rc == 0)
        rc = keyfile_parse(buf_slice(&text), path, a, ret_keys, ret_n, err);
    buf_release(&text);
    return rc;
}

static int store(const char *folder, const char *tenant, const struct key *keys, size_t n,
                 struct errbuf *err)
{
    char path[4096];
    struct buf text = BUF_INIT_CEILING(KEYFILE_CEILING);
    int rc = file_path(folder, tenant, path, sizeof(path), err);
    keyfile_print(keys, n, &text);
    if (rc == 0 && text.failed)
        rc = errbuf_set(err, EFBIG, "the keys of tenant %s fill their file", tenant);
    if (rc == 0)
        rc = file_replace(path, buf_slice(&text), 0600, err);
    buf_release(&text);
    return rc;
}

static struct key *find(struct key *keys, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(keys[i].id, id) == 0)
            return &keys[i];
    return NULL;
}

/* Stores these keys of the tenant and one more. */
static int store_with(const char *folder, const char *tenant, const struct key *keys, size_t n,
                      const struct key *k, struct errbuf *err)
{
    struct key *more = calloc(n + 1, sizeof(*more));
    if (more == NULL)
        return errbuf_set(err, ENOMEM, "out of memory");
    if (n > 0)
        memcpy(more, keys, n * sizeof(*more));
    more[n] = *k;
    int rc = store(folder, tenant, more, n + 1, err);
    free(more);
    return rc;
}

static int add(const char *folder, const char *tenant, const struct key *k, struct errbuf *err)
{
    struct arena a = ARENA_INIT;
    struct key *keys = NULL;
    size_t n = 0;
    int rc = keystore_list(folder, tenant, &a, &keys, &n, err);
    if (rc == 0)
        rc = store_with(folder, tenant, keys, n, k, err);
    arena_release(&a);
    return rc;
}

/* Calls `look` for the keys of each tenant until it returns other than 0. */
typedef int look_fn(const char *folder, const char *tenant, struct key *keys, size_t n,
                    const char *id, struct errbuf *err);

static int look_into(const char *folder, const char *name, look_fn *look, const char *id,
                     char *ret_tenant, size_t size, struct errbuf *err)
{
    struct arena a = ARENA_INIT;
    struct key *keys;
    size_t n;
    snprintf(ret_tenant, size, "%.*s", (int)(strlen(name) - strlen(SUFFIX)), name);
    int rc = keystore_list(folder, ret_tenant, &a, &keys, &n, err);
    if (rc == 0)
        rc = look(folder, ret_tenant, keys, n, id, err);
    arena_release(&a);
    return rc;
}

/* A file that cannot be read does not keep a key of another from being found: its failure is
 * returned when no file had an answer. */
static int look_everywhere(const char *folder, look_fn *look, const char *id, char *ret_tenant,
                           size_t size, struct errbuf *err)
{
    char **names;
    int n = file_list(folder, SUFFIX, &names, err), failure = 0, rc = 0;
    if (n < 0)
        return n;
    for (int i = 0; i < n && rc <= 0; i++) {
        rc = look_into(folder, names[i], look, id, ret_tenant, size, err);
        if (rc < 0)
            failure = rc;
    }
    file_list_free(names, n);
    return rc > 0 ? rc : failure;
}

static int look_for_id(const char *folder, const char *tenant, struct key *keys, size_t n,
                       const char *id, struct errbuf *err)
{
    (void)folder;
    (void)tenant;
    (void)err;
    return find(keys, n, id) != NULL;
}

/* An id is unique in the whole store: it stands in record headers. */
static int generate(const char *folder, struct key *k, char text[KEY_TEXT_LENGTH + 1],
                    struct errbuf *err)
{
    char holder[256];
    int rc;
    do
        rc = key_generate(k, text, err);
    while (rc == 0 &&
           look_everywhere(folder, look_for_id, k->id, holder, sizeof(holder), NULL) > 0);
    k->created_s = clock_wall_ns() / NS_PER_S;
    k->revoked = false;
    k->revoked_s = 0;
    return rc;
}

int keystore_issue(const char *folder, const char *tenant, struct key *k,
                   char text[KEY_TEXT_LENGTH + 1], struct errbuf *err)
{
    int fd = lock(folder, err);
    if (fd < 0)
        return fd;
    int rc = generate(folder, k, text, err);
    if (rc == 0)
        rc = add(folder, tenant, k, err);
    close(fd);
    return rc;
}

/* Only a key that is in force has a successor, and only one. */
static int check_rotatable(const struct key *k, uint64_t now_s, struct errbuf *err)
{
    if (k->revoked)
        return errbuf_set(err, EINVAL, "key %s is revoked: issue a new one instead", k->id);
    if (k->expires_s != 0 && k->expires_s <= now_s)
        return errbuf_set(err, EINVAL, "key %s has expired: issue a new one instead", k->id);
    if (k->successor[0] != 0)
        return errbuf_set(err, EINVAL, "key %s was rotated before: %s is its successor", k->id,
                          k->successor);
    return 0;
}

static void inherit(struct key *fresh, const struct key *old, uint64_t now_s)
{
    uint64_t expires_s = fresh->expires_s;
    if (expires_s == 0 && old->expires_s > old->created_s)
        expires_s = now_s + (old->expires_s - old->created_s);
    *fresh = (struct key){.label = old->label,
                          .signals = old->signals,
                          .limits = old->limits,
                          .expires_s = expires_s};
}

static int rotate(const char *folder, const char *id, uint64_t overlap_s, struct arena *a,
                  struct key_rotation *r, struct errbuf *err)
{
    struct key *keys;
    size_t n;
    uint64_t now_s = clock_wall_ns() / NS_PER_S;
    int rc = look_everywhere(folder, look_for_id, id, r->tenant, sizeof(r->tenant), err);
    if (rc == 0)
        return errbuf_set(err, ENOENT, "there is no key with the id \"%.64s\"", id);
    rc = rc < 0 ? rc : keystore_list(folder, r->tenant, a, &keys, &n, err);
    struct key *old = rc == 0 ? find(keys, n, id) : NULL;
    if (old == NULL)
        return rc < 0 ? rc : -ENOENT;
    rc = check_rotatable(old, now_s, err);
    if (rc < 0)
        return rc;
    inherit(&r->fresh, old, now_s);
    rc = generate(folder, &r->fresh, r->text, err);
    if (rc < 0)
        return rc;
    if (old->expires_s == 0 || old->expires_s > now_s + overlap_s)
        old->expires_s = now_s + overlap_s;
    old->rotated_s = now_s;
    memcpy(old->successor, r->fresh.id, sizeof(old->successor));
    r->old = *old;
    return store_with(folder, r->tenant, keys, n, &r->fresh, err);
}

int keystore_rotate(const char *folder, const char *id, uint64_t overlap_s, struct arena *a,
                    struct key_rotation *r, struct errbuf *err)
{
    int fd = lock(folder, err);
    if (fd < 0)
        return fd;
    int rc = rotate(folder, id, overlap_s, a, r, err);
    close(fd);
    return rc;
}

static int change(const char *folder, const char *id, key_change_fn *edit, void *arg,
                  struct arena *a, struct key_changed *ret, struct errbuf *err)
{
    struct key *keys;
    size_t n;
    int rc = look_everywhere(folder, look_for_id, id, ret->tenant, sizeof(ret->tenant), err);
    if (rc == 0)
        return errbuf_set(err, ENOENT, "there is no key with the id \"%.64s\"", id);
    rc = rc < 0 ? rc : keystore_list(folder, ret->tenant, a, &keys, &n, err);
    struct key *k = rc == 0 ? find(keys, n, id) : NULL;
    if (k == NULL)
        return rc < 0 ? rc : -ENOENT;
    rc = edit(k, arg, err);
    if (rc == 0)
        rc = store(folder, ret->tenant, keys, n, err);
    ret->key = *k;
    return rc;
}

int keystore_change(const char *folder, const char *id, key_change_fn *edit, void *arg,
                    struct arena *a, struct key_changed *ret, struct errbuf *err)
{
    int fd = lock(folder, err);
    if (fd < 0)
        return fd;
    int rc = change(folder, id, edit, arg, a, ret, err);
    close(fd);
    return rc;
}

static int mark_revoked(struct key *k, void *arg, struct errbuf *err)
{
    (void)arg;
    (void)err;
    if (k->revoked)
        return 1;
    k->revoked = true;
    k->revoked_s = clock_wall_ns() / NS_PER_S;
    return 0;
}

int keystore_revoke(const char *folder, const char *id, struct arena *a, struct key_changed *ret,
                    struct errbuf *err)
{
    return keystore_change(folder, id, mark_revoked, NULL, a, ret, err);
}
