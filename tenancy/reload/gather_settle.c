/* Things that only one entry may have: each entry's claims are collected and sorted, neighbours
 * that claim the same are settled, until nobody is set back any more. Each round sets back at least
 * one entry that is new, so rounds are at most as many as changed entries. */
#include "tenancy/reload/gather.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

struct claim {
    char *text; /* owned: a canonical path, or a key id */
    size_t candidate;
    const struct entry *of; /* who claims it: after a settlement, perhaps no more in use */
};
struct claims {
    struct claim *at;
    size_t n;
};

static size_t count_claims(const struct gathering *g)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++)
        if (g->at[i].use != NULL)
            n += g->at[i].use->tenant != NULL ? 1 : g->at[i].use->n_keys;
    return n;
}

/* The path without links and dots; of a file that is not there yet, that of its folder with the
 * name behind. NULL when memory is spent. */
static char *canonical_path(const char *path)
{
    char *whole = realpath(path, NULL), *joined = NULL;
    if (whole != NULL)
        return whole;
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    char *real = folder ? realpath(folder, NULL) : NULL;
    if (real == NULL)
        joined = strdup(path);
    else if (asprintf(&joined, "%s/%s", real, slash ? slash + 1 : path) < 0)
        joined = NULL;
    free(real);
    free(folder);
    return joined;
}

static char *canonical_target(const struct database_conf *d)
{
    return d->kind == DATABASE_SQLITE ? canonical_path(d->path) : strdup(d->target);
}

static int claim(struct claims *c, char *text, size_t candidate, const struct entry *of)
{
    if (text == NULL)
        return -ENOMEM;
    c->at[c->n++] = (struct claim){text, candidate, of};
    return 0;
}

static int collect(const struct gathering *g, struct claims *c)
{
    int rc = 0;
    c->at = calloc(count_claims(g) + 1, sizeof(*c->at));
    if (c->at == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < g->n && rc == 0; i++) {
        const struct entry *e = g->at[i].use;
        if (e == NULL)
            continue;
        if (e->tenant != NULL)
            rc = claim(c, canonical_target(&e->tenant->database), i, e);
        for (size_t k = 0; k < e->n_keys && rc == 0; k++)
            rc = claim(c, strdup(e->keys[k].id), i, e);
    }
    return rc;
}

static void claims_release(struct claims *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->at[i].text);
    free(c->at);
}

static int by_text(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    int c = strcmp(x->text, y->text);
    return c ? c : (x->candidate > y->candidate) - (x->candidate < y->candidate);
}

static int note_refusal(struct gathering *g, const struct entry *loser, const struct entry *other,
                        const char *text)
{
    struct errbuf why = ERRBUF_INIT;
    const char *option = loser->tenant && loser->tenant->database.kind != DATABASE_SQLITE
                             ? "tenant.database.url"
                             : "tenant.database.path";
    const struct option_origin *o = option_origin(&loser->origins, option);
    if (loser->kind == SOURCE_KEYS)
        errbuf_set(&why, EINVAL, "%s: key %s is in %s too", loser->origin, text, other->origin);
    else if (o != NULL)
        errbuf_set(&why, EINVAL, "%s:%d: %s: \"%s\" is the database of %s too", loser->origin,
                   o->line, option, text, other->origin);
    else
        errbuf_set(&why, EINVAL, "%s: %s: \"%s\" is the database of %s too", loser->origin, option,
                   text, other->origin);
    return gathering_note(g, true, why.text);
}

/* True when the entry that is in use so far has this claim too. */
static bool held_before(const struct candidate *c, const char *text)
{
    const struct entry *e = c->previous;
    bool held = false;
    if (e == NULL)
        return false;
    if (e->tenant != NULL) {
        char *path = canonical_target(&e->tenant->database);
        held = path != NULL && strcmp(path, text) == 0;
        free(path);
    }
    for (size_t i = 0; i < e->n_keys && !held; i++)
        held = strcmp(e->keys[i].id, text) == 0;
    return held;
}

/* Who did not have it before gives way; of two new ones, the later name. Returns 1 when one was set
 * back, 0, or -ENOMEM. */
static int settle_pair(struct gathering *g, const struct claim *a, const struct claim *b)
{
    struct candidate *x = &g->at[a->candidate], *y = &g->at[b->candidate];
    if (x->use != a->of || y->use != b->of || x->use->kind != y->use->kind)
        return 0;
    bool x_stays = !held_before(y, a->text) || held_before(x, a->text);
    struct candidate *loser = x_stays ? y : x, *other = x_stays ? x : y;
    if (loser->use == loser->previous)
        return 0; /* both were in use: links changed under them */
    if (note_refusal(g, loser->use, other->use, a->text) < 0)
        return -ENOMEM;
    struct entry *refused = loser->use;
    int rc = candidate_fall_back(loser, refused->kind, refused->name, refused->origin);
    entry_release(refused);
    return rc < 0 ? rc : 1;
}

static int settle_round(struct gathering *g)
{
    struct claims c = {0};
    int rc = collect(g, &c), settled = 0;
    qsort(c.at, c.n, sizeof(*c.at), by_text);
    for (size_t i = 1; i < c.n && rc >= 0; i++) {
        if (strcmp(c.at[i - 1].text, c.at[i].text) != 0)
            continue;
        rc = settle_pair(g, &c.at[i - 1], &c.at[i]);
        settled |= rc > 0;
    }
    claims_release(&c);
    return rc < 0 ? rc : settled;
}

int gathering_settle(struct gathering *g, struct errbuf *err)
{
    int rc;
    do
        rc = settle_round(g);
    while (rc > 0);
    if (rc < 0)
        return errbuf_set(err, ENOMEM, "out of memory while reading the tenants");
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++)
        if (g->at[i].use != NULL)
            g->at[n++] = g->at[i];
    g->n = n;
    return 0;
}
