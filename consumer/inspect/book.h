/* What a tenant's database tells of all its units, read once: for status, lag and ledger. */
#ifndef CONSUMER_BOOK_H
#define CONSUMER_BOOK_H

#include "consumer/export/exporter.h"

struct book_entry {
    const char *cluster, *topic;
    int32_t partition; /* -1: a source that nothing was written to yet */
    struct progress p;
    struct book_entry *next;
};

struct book {
    struct arena arena; /* owns the entries */
    struct book_entry *entries;
    enum export_result result; /* EXPORT_OK: they are all here; EXPORT_MISSING: there are none */
    struct errbuf problem;     /* the sentence of any other result */
    bool no_memory;
};

/* Fills `ret` (zeroed by the caller; free by book_release). */
void book_read(struct exporter *x, struct book *ret);
/* Of several generations the highest is the one that is written. NULL = none. */
const struct book_entry *book_latest(const struct book *b, const char *cluster, const char *topic,
                                     int32_t partition);
/* The highest generation of a topic, of whatever partition; 0 = none. */
uint32_t book_generation(const struct book *b, const char *cluster, const char *topic);
void book_release(struct book *b);

#endif
