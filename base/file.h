/* Small files: read whole, replace atomically, notice changes. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"
#include "base/errbuf.h"

#include <sys/types.h>

/* Appends the whole file to `out` (its ceiling applies). */
int file_read(const char *path, struct buf *out, struct errbuf *err);
/* Writes `path` through a temporary file in the same folder, fsync, rename, fsync of the folder:
 * readers see the old or the new content, also after a crash. */
int file_replace(const char *path, struct slice content, mode_t mode, struct errbuf *err);
/* mkdir -p with this mode for what is missing. */
int file_make_folder(const char *path, mode_t mode, struct errbuf *err);
/* Names (not paths) of regular files in `folder` that end in `suffix`, sorted; a missing folder is
 * empty. Hidden files are left out. Fills *ret_names (free by file_list_free) and returns their
 * number, or a negative errno. */
int file_list(const char *folder, const char *suffix, char ***ret_names, struct errbuf *err);
void file_list_free(char **names, int n);
/* A number that changes when a file's or folder's direct content changes (names, sizes, inode,
 * mtime in ns); 0 = missing. For polling reload: cheap, no inotify limits, works on network file
 * systems. */
uint64_t file_stamp(const char *path);
uint64_t file_folder_stamp(const char *folder, const char *suffix);

#endif
