#include "base/exposition.h"

#include "base/clock.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PAGE_CEILING (256 << 20) /* thousands of tenants on one page */
#define STALE_S      60          /* a page this old is of a process that is gone */

struct exposition_family {
    struct buf name;
    struct buf head;    /* HELP and TYPE */
    struct buf samples; /* with their newlines */
    bool headed;        /* a page before this one told HELP and TYPE */
};

static struct exposition_family *find(struct exposition *e, struct slice name)
{
    for (size_t i = 0; i < e->n; i++)
        if (slice_eq(buf_slice(&e->families[i].name), name))
            return &e->families[i];
    return NULL;
}

/* NULL when out of memory. */
static struct exposition_family *find_or_add(struct exposition *e, struct slice name)
{
    struct exposition_family *f = find(e, name);
    if (f != NULL)
        return f;
    if (e->n == e->capacity) {
        size_t capacity = e->capacity ? e->capacity * 2 : 64;
        struct exposition_family *more = realloc(e->families, capacity * sizeof(*more));
        if (more == NULL) {
            e->failed = true;
            return NULL;
        }
        e->families = more;
        e->capacity = capacity;
    }
    f = &e->families[e->n++];
    *f = (struct exposition_family){BUF_INIT, BUF_INIT, BUF_INIT, false};
    buf_append_slice(&f->name, name);
    return f;
}

/* Takes the first line off `page`, without its newline. */
static struct slice take_line(struct slice *page)
{
    const uint8_t *newline = memchr(page->at, '\n', page->len);
    size_t n = newline ? (size_t)(newline - page->at) : page->len;
    struct slice line = slice_of(page->at, n);
    n += newline != NULL;
    *page = slice_of(page->at + n, page->len - n);
    return line;
}

/* Up to the first of `stops`. */
static struct slice word(struct slice s, const char *stops)
{
    size_t n = 0;
    while (n < s.len && strchr(stops, s.at[n]) == NULL)
        n++;
    return slice_of(s.at, n);
}

static void append_line(struct buf *out, struct slice line)
{
    buf_append_slice(out, line);
    buf_append_byte(out, '\n');
}

/* A line "# HELP name ..." or "# TYPE name ..."; returns whose lines follow. */
static struct exposition_family *add_head(struct exposition *e, struct slice line)
{
    enum { PREFIX = sizeof("# HELP ") - 1 };
    struct slice name = word(slice_of(line.at + PREFIX, line.len - PREFIX), " ");
    struct exposition_family *f = name.len ? find_or_add(e, name) : NULL;
    if (f != NULL && !f->headed)
        append_line(&f->head, line);
    return f;
}

static void add_page(struct exposition *e, struct slice page, bool worker)
{
    struct exposition_family *current = NULL;
    for (size_t i = 0; i < e->n; i++)
        e->families[i].headed = true;
    while (page.len > 0) {
        struct slice line = take_line(&page);
        if (slice_starts(line, SLICE_LIT("# HELP ")) || slice_starts(line, SLICE_LIT("# TYPE "))) {
            current = add_head(e, line);
            continue;
        }
        struct slice name = word(line, "{ ");
        if (name.len == 0 || line.at[0] == '#' ||
            (worker && name.len < line.len && line.at[name.len] != '{'))
            continue;
        /* A histogram's lines have its name and a suffix. */
        if (current == NULL || !slice_starts(name, buf_slice(&current->name)))
            current = find_or_add(e, name);
        if (current != NULL)
            append_line(&current->samples, line);
    }
}

void exposition_add_own(struct exposition *e, struct slice page)
{
    add_page(e, page, false);
}

void exposition_add_worker(struct exposition *e, struct slice page)
{
    add_page(e, page, true);
}

static bool is_stale(const char *path)
{
    struct stat st;
    return stat(path, &st) < 0 || (uint64_t)st.st_mtime + STALE_S < clock_wall_ns() / NS_PER_S;
}

void exposition_add_folder(struct exposition *e, const char *folder)
{
    char path[4352], **names;
    struct errbuf err;
    int n = file_list(folder, ".prom", &names, &err);
    for (int i = 0; i < n; i++) {
        struct buf page = BUF_INIT_CEILING(PAGE_CEILING);
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        if (!is_stale(path) && file_read(path, &page, &err) == 0)
            exposition_add_worker(e, buf_slice(&page));
        buf_release(&page);
    }
    if (n >= 0)
        file_list_free(names, n);
}

void exposition_write(const struct exposition *e, struct buf *out)
{
    for (size_t i = 0; i < e->n; i++) {
        const struct exposition_family *f = &e->families[i];
        if (f->samples.len == 0)
            continue;
        buf_append_slice(out, buf_slice(&f->head));
        buf_append_slice(out, buf_slice(&f->samples));
    }
}

void exposition_release(struct exposition *e)
{
    for (size_t i = 0; i < e->n; i++) {
        buf_release(&e->families[i].name);
        buf_release(&e->families[i].head);
        buf_release(&e->families[i].samples);
    }
    free(e->families);
    *e = (struct exposition)EXPOSITION_INIT;
}
