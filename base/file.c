#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP 65536

/* Writes the sentence `cannot <verb> "<path>": <reason>` and returns -errno. */
static int fail(struct errbuf *err, const char *verb, const char *path)
{
    int code = errno;
    return errbuf_set(err, code, "cannot %s \"%s\": %s", verb, path, strerror(code));
}

/* One read; 1, 0 at the end, or a negative errno. The step shrinks to what the ceiling allows, plus
 * one byte into `probe` to tell a file that just fits from one that does not. */
static int read_step(int fd, const char *path, struct buf *out, struct errbuf *err)
{
    size_t room = out->ceiling ? out->ceiling - out->len : READ_STEP;
    size_t step = room < READ_STEP ? room : READ_STEP;
    uint8_t probe, *to = step == 0 ? &probe : buf_reserve(out, step);
    if (to == NULL)
        return errbuf_set(err, ENOMEM, "cannot read \"%s\": out of memory", path);
    ssize_t n = read(fd, to, step ? step : 1);
    if (n < 0)
        return errno == EINTR ? 1 : fail(err, "read", path);
    if (n > 0 && step == 0)
        return errbuf_set(err, EFBIG, "\"%s\" is larger than the %zu bytes allowed", path,
                          out->ceiling);
    out->len += (size_t)n;
    return n > 0;
}

int file_read(const char *path, struct buf *out, struct errbuf *err)
{
    size_t before = out->len;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(err, "open", path);
    int rc;
    do {
        rc = read_step(fd, path, out, err);
    } while (rc > 0);
    close(fd);
    if (rc < 0)
        out->len = before;
    return rc;
}

static int write_all(int fd, struct slice content)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.at, content.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        content = slice_of(content.at + n, content.len - (size_t)n);
    }
    return 0;
}

/* The folder part of `path` and a hidden template in it, for mkostemp. */
static int split_path(const char *path, char *folder, char *temporary, size_t size)
{
    const char *slash = strrchr(path, '/');
    int folder_len = slash == NULL ? 0 : (int)(slash - path) + 1;
    const char *name = path + folder_len;
    int a = snprintf(folder, size, "%.*s", folder_len ? folder_len : 1, folder_len ? path : ".");
    int b = snprintf(temporary, size, "%.*s.%s.XXXXXX", folder_len, path, name);
    if (a < 0 || b < 0 || (size_t)a >= size || (size_t)b >= size) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return 0;
}

static int sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int rc = fsync(fd), code = errno;
    close(fd);
    errno = code;
    return rc;
}

static int fill_temporary(int fd, struct slice content, mode_t mode)
{
    int rc = write_all(fd, content);
    if (rc == 0)
        rc = fchmod(fd, mode);
    if (rc == 0)
        rc = fsync(fd);
    int code = errno;
    if (close(fd) < 0 && rc == 0)
        return -1;
    errno = code;
    return rc;
}

int file_replace(const char *path, struct slice content, mode_t mode, struct errbuf *err)
{
    char folder[4096], temporary[4096];
    if (split_path(path, folder, temporary, sizeof(folder)) < 0)
        return fail(err, "write", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return fail(err, "make a temporary file beside", path);
    if (fill_temporary(fd, content, mode) < 0 || rename(temporary, path) < 0) {
        int rc = fail(err, "write", path);
        unlink(temporary);
        return rc;
    }
    if (sync_folder(folder) < 0)
        return fail(err, "sync the folder of", path);
    return 0;
}

int file_make_folder(const char *path, mode_t mode, struct errbuf *err)
{
    char partial[4096];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(partial)) {
        errno = len == 0 ? ENOENT : ENAMETOOLONG;
        return fail(err, "make the folder", path);
    }
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        memcpy(partial, path, i);
        partial[i] = 0;
        if (mkdir(partial, mode) < 0 && errno != EEXIST)
            return fail(err, "make the folder", partial);
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return fail(err, "make the folder", path);
    if (!S_ISDIR(st.st_mode))
        return errbuf_set(err, ENOTDIR, "cannot make the folder \"%s\": a file has this name",
                          path);
    return 0;
}

static bool is_listed(int folder_fd, const char *name, const char *suffix, struct stat *st)
{
    size_t len = strlen(name), tail = strlen(suffix);
    return name[0] != '.' && len >= tail && strcmp(name + len - tail, suffix) == 0 &&
           fstatat(folder_fd, name, st, 0) == 0 && S_ISREG(st->st_mode);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(char ***names, int n, const char *name)
{
    if ((n & (n - 1)) == 0) { /* doubles at every power of two */
        char **more = realloc(*names, (size_t)(n ? n * 2 : 1) * sizeof(*more));
        if (more == NULL)
            return -ENOMEM;
        *names = more;
    }
    (*names)[n] = strdup(name);
    return (*names)[n] == NULL ? -ENOMEM : 0;
}

int file_list(const char *folder, const char *suffix, char ***ret_names, struct errbuf *err)
{
    *ret_names = NULL;
    DIR *d = opendir(folder);
    if (d == NULL)
        return errno == ENOENT ? 0 : fail(err, "list the folder", folder);
    char **names = NULL;
    int n = 0;
    struct dirent *e;
    struct stat st;
    while ((errno = 0, e = readdir(d)) != NULL) {
        if (!is_listed(dirfd(d), e->d_name, suffix, &st))
            continue;
        if (add_name(&names, n, e->d_name) < 0) {
            errno = ENOMEM;
            break;
        }
        n++;
    }
    int code = errno;
    closedir(d);
    if (code != 0) {
        file_list_free(names, n);
        errno = code;
        return fail(err, "list the folder", folder);
    }
    if (n > 0)
        qsort(names, (size_t)n, sizeof(*names), compare_names);
    *ret_names = names;
    return n;
}

void file_list_free(char **names, int n)
{
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

/* splitmix64's finisher: every input bit reaches every output bit. */
static uint64_t mix(uint64_t h, uint64_t value)
{
    h += value + 0x9E3779B97F4A7C15ull;
    h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9ull;
    h = (h ^ (h >> 27)) * 0x94D049BB133111EBull;
    return h ^ (h >> 31);
}

/* With ctime, so that a chmod that makes a file readable is also a change. */
static uint64_t stat_stamp(const struct stat *st)
{
    uint64_t h = mix(st->st_dev, st->st_ino);
    h = mix(h, (uint64_t)st->st_size);
    h = mix(mix(h, (uint64_t)st->st_mtim.tv_sec), (uint64_t)st->st_mtim.tv_nsec);
    h = mix(mix(h, (uint64_t)st->st_ctim.tv_sec), (uint64_t)st->st_ctim.tv_nsec);
    return h ? h : 1;
}

uint64_t file_stamp(const char *path)
{
    struct stat st;
    return stat(path, &st) < 0 ? 0 : stat_stamp(&st);
}

uint64_t file_folder_stamp(const char *folder, const char *suffix)
{
    DIR *d = opendir(folder);
    if (d == NULL)
        return 0;
    uint64_t sum = 1; /* a sum, because the order of readdir is not fixed */
    struct dirent *e;
    struct stat st;
    while ((e = readdir(d)) != NULL) {
        if (!is_listed(dirfd(d), e->d_name, suffix, &st))
            continue;
        uint64_t h = stat_stamp(&st);
        for (const char *c = e->d_name; *c != 0; c++)
            h = mix(h, (uint8_t)*c);
        sum += h;
    }
    closedir(d);
    return sum ? sum : 1;
}
