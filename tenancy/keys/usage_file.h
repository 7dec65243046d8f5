/* What routers tell of the use of keys: <state>/key-usage/<router>.usage, one file per router,
 * written now and then as a whole, read by `tenantry key list`, which adds them up. Files of other
 * machines' routers may be copied beside them. Text, one line per key that was ever used:
 *
 *     router=edge-1.0 since=1767222000 written=1767229200 every=10 running=1
 *     id=Ab12Cd34 last=1767222000 traces=5 metrics=0 logs=7 refused=0 last_refused=0
 *
 * A router is named after its machine and a number; it holds <router>.lock while it lives, so that
 * two on one machine have files of their own and a new one goes on with the counts of the one
 * before. Thread: any. */
#ifndef TENANCY_USAGE_FILE_H
#define TENANCY_USAGE_FILE_H

#include "base/arena.h"
#include "base/buf.h"
#include "tenancy/keys/key.h"

#define USAGE_FOLDER  "key-usage"
#define USAGE_CEILING (64ul * 1024 * 1024)

struct key_usage {
    char id[KEY_ID_LENGTH + 1];
    uint64_t last_s, uses[SIGNAL_COUNT];
    uint64_t refused, last_refused_s; /* when it was presented revoked or expired */
};

struct usage_report {
    const char *router;
    uint64_t since_s;   /* counting began; survives restarts */
    uint64_t written_s; /* all times: wall clock */
    uint64_t every_s;   /* it is written again after so long */
    bool running;       /* false: it ended in order, nothing came after written_s */
    struct key_usage *keys;
    size_t n;
};

/* Reads a file's text; strings and arrays go to `a`. `name` stands for it in sentences. 0, -EINVAL
 * or -ENOMEM. */
int usage_parse(struct slice text, const char *name, struct arena *a, struct usage_report *ret,
                struct errbuf *err);
void usage_print(const struct usage_report *r, struct buf *out);

/* All files added up. */
struct usage {
    struct key_usage *keys; /* sorted by id */
    size_t n;
    bool any;            /* there is a file at all */
    uint64_t since_s;    /* the earliest that any router counts from */
    uint64_t complete_s; /* until then all uses are in it: now, unless a router fell silent */
    const char *silent;  /* that router, or NULL */
};

/* Adds up `n` reports, as of `now_s`. 0 or -ENOMEM. */
int usage_add_up(const struct usage_report *reports, size_t n, uint64_t now_s, struct arena *a,
                 struct usage *ret, struct errbuf *err);
/* Reads all files of the state folder; one that cannot be read fails. No files are fine. */
int usage_read(const char *state_folder, uint64_t now_s, struct arena *a, struct usage *ret,
               struct errbuf *err);
/* The key's line, or NULL when it was never used. */
const struct key_usage *usage_find(const struct usage *u, const char *id);

/* --- a router's own file --- */

struct usage_slot {
    int lock_fd;
    char *path;   /* of the file */
    char *router; /* its name */
};

/* Takes the first name that no living router of this machine has. */
int usage_slot_take(const char *state_folder, struct usage_slot *ret, struct errbuf *err);
void usage_slot_release(struct usage_slot *s); /* zeroed is fine */

#endif
