/* Runs a fuzz target over files and folders given as arguments: the seed corpus in CTest, or one
 * crashing input under a debugger. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        perror(path);
        return -1;
    }
    uint8_t *data = NULL;
    size_t size = 0, capacity = 0, got;
    do {
        capacity = capacity ? capacity * 2 : 65536;
        data = realloc(data, capacity);
        if (data == NULL)
            abort();
        got = fread(data + size, 1, capacity - size, f);
        size += got;
    } while (size == capacity);
    fclose(f);
    /* An exact-size copy, so that a sanitizer sees a read past the end. */
    uint8_t *exact = malloc(size ? size : 1);
    if (exact == NULL)
        abort();
    memcpy(exact, data, size);
    free(data);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 1;
}

static int replay(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        perror(path);
        return -1;
    }
    if (!S_ISDIR(st.st_mode))
        return replay_file(path);
    DIR *d = opendir(path);
    if (d == NULL)
        return -1;
    int n = 0;
    struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        char child[4096];
        if (e->d_name[0] == '.')
            continue;
        snprintf(child, sizeof(child), "%s/%s", path, e->d_name);
        int got = replay(child);
        if (got < 0) {
            closedir(d);
            return -1;
        }
        n += got;
    }
    closedir(d);
    return n;
}

int main(int argc, char **argv)
{
    int n = 0;
    for (int i = 1; i < argc; i++) {
        int got = replay(argv[i]);
        if (got < 0)
            return 1;
        n += got;
    }
    printf("%d inputs replayed\n", n);
    return n > 0 ? 0 : 1; /* an empty corpus proves nothing */
}
