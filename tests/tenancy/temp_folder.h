/* A folder for one test, removed with all that is in it. */
#ifndef TESTS_TEMP_FOLDER_H
#define TESTS_TEMP_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct temp_folder {
    char path[64];
};

static inline struct temp_folder temp_folder_make(void)
{
    struct temp_folder f = {"/tmp/tenantry-test-XXXXXX"};
    if (mkdtemp(f.path) == NULL)
        abort();
    return f;
}

static inline int temp_folder_remove_entry(const char *path, const struct stat *st, int type,
                                           struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void temp_folder_remove(const struct temp_folder *f)
{
    nftw(f->path, temp_folder_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* <folder>/<name> in a buffer of the caller. */
static inline const char *temp_path(const struct temp_folder *f, const char *name, char out[512])
{
    snprintf(out, 512, "%s/%s", f->path, name);
    return out;
}

/* Writes a file in place, as an editor would. */
static inline void temp_write(const struct temp_folder *f, const char *name, const char *text)
{
    char path[512];
    FILE *out = fopen(temp_path(f, name, path), "w");
    if (out == NULL || fputs(text, out) < 0 || fclose(out) != 0)
        abort();
}

#endif
