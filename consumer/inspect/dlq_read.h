/* Looking at a tenant's dead letters: why they died, how many, and what stands in them. A letter
 * that was sent twice counts and shows once. */
#ifndef CONSUMER_DLQ_READ_H
#define CONSUMER_DLQ_READ_H

#include "base/arena.h"
#include "base/buf.h"
#include "consumer/inspect/letters.h"

/* What the summary takes from a letter; slices are borrowed for the call. */
struct dlq_facts {
    bool has_origin; /* else it was not made by a worker: it counts for itself */
    struct letter origin;
    struct slice error_class, code, topic, text;
    uint64_t items;
    int64_t died_ms; /* tenantry.first_failed_at, else the record's timestamp */
};

struct dlq_group {
    const char *error_class, *code, *topic; /* "" = the letters do not tell */
    uint64_t letters, items;
    int64_t oldest_ms, newest_ms;
    const char *sample; /* the reason of one of them */
    struct dlq_group *next;
};

struct dlq_entry;
struct dlq_summary {
    struct arena arena; /* owns the groups */
    struct dlq_group *groups;
    uint64_t letters; /* each once */
    uint64_t copies;  /* those that were sent again */
    struct dlq_entry *entries;
    size_t n, capacity;
};

/* Pure: one letter more (0 or -ENOMEM); after the last one `settle` counts the groups. */
int dlq_summary_add(struct dlq_summary *s, const struct dlq_facts *f);
void dlq_summary_settle(struct dlq_summary *s);
void dlq_summary_release(struct dlq_summary *s);

/* Reads the whole DLQ. Fills `ret` (zeroed by the caller; free by dlq_summary_release, also on
 * failure). */
int dlq_summarize(struct kafka_log *log, const struct tenant *t, struct dlq_summary *ret,
                  struct errbuf *err);

struct dlq_show {
    uint64_t limit;    /* letters */
    uint64_t rows;     /* decoded rows of each */
    int32_t partition; /* -1 = all; else the letter at this place of the DLQ alone */
    int64_t offset;
    bool json;
};
/* Appends letters, oldest first in each partition. Returns how many, or a negative errno. */
int64_t dlq_show(struct kafka_log *log, const struct tenant *t, const struct dlq_show *how,
                 struct buf *out, struct errbuf *err);

/* Pure: what stands in a record. As text one JSON object per row, or the reason and a hex dump of
 * the first 256 bytes when it cannot be decoded; as members of a JSON object with `json`. */
void dlq_show_value(enum signal signal, struct slice value, uint64_t rows, bool json,
                    struct buf *out);

#endif
