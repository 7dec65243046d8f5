/* "Did you mean": how far apart two short names are. */
#ifndef BASE_NEAR_H
#define BASE_NEAR_H

#include <stddef.h>

/* Levenshtein's distance; a name longer than 64 is far from every other. */
size_t near_distance(const char *a, const char *b);
/* Distances below this are near: one typo in three letters, two in six. */
size_t near_limit(const char *name);

#endif
