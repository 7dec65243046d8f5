#include "tenancy/reload/gather.h"

#include <errno.h>
#include <stdlib.h>

int gathering_note(struct gathering *g, bool refused, const char *text)
{
    struct tenancy_notice *more = realloc(g->notices, (g->n_notices + 1) * sizeof(*more));
    char *copy = strdup(text);
    if (more != NULL)
        g->notices = more;
    if (more == NULL || copy == NULL) {
        free(copy);
        return -ENOMEM;
    }
    g->notices[g->n_notices++] = (struct tenancy_notice){refused, copy};
    return 0;
}

/* Reads one entry and holds it to the config. */
static struct entry *read_entry(const struct source_entry *from, const struct conf *conf,
                                struct errbuf *why)
{
    struct entry *e = entry_parse(from, conf->state, why);
    if (e == NULL || e->tenant == NULL ||
        tenant_conf_fits(e->tenant, conf, e->origin, &e->origins, why) == 0)
        return e;
    entry_release(e);
    return NULL;
}

int candidate_fall_back(struct candidate *c, enum source_kind kind, const char *name,
                        const char *origin)
{
    struct errbuf none = ERRBUF_INIT;
    c->use = NULL;
    if (c->previous != NULL)
        c->use = entry_ref(c->previous);
    else if ((kind == SOURCE_TENANT || kind == SOURCE_KEYS) &&
             tenant_id_check(slice_str(name), &none) == 0)
        c->use = entry_unreadable(kind, name, origin);
    else
        return 0;
    return c->use ? 0 : -ENOMEM;
}

/* Takes over or reads one entry. */
static int add(struct gathering *g, const struct source_entry *from, const struct conf *conf,
               const struct snapshot *running)
{
    struct candidate *c = &g->at[g->n];
    struct errbuf why = ERRBUF_INIT;
    c->previous =
        running ? entry_find(running->entries, running->n_entries, from->kind, from->name) : NULL;
    bool same = c->previous && c->previous->version == from->version && from->problem == NULL &&
                !c->previous->unreadable; /* which is told again */
    c->use = same ? entry_ref(c->previous) : read_entry(from, conf, &why);
    if (c->use == NULL && gathering_note(g, true, why.text) < 0)
        return -ENOMEM;
    if (c->use == NULL && candidate_fall_back(c, from->kind, from->name, from->origin) < 0)
        return -ENOMEM;
    if (c->use != NULL)
        g->n++;
    return 0;
}

static int by_order(const void *a, const void *b)
{
    const struct entry *x = ((const struct candidate *)a)->use;
    const struct entry *y = ((const struct candidate *)b)->use;
    return entry_order(x->kind, x->name, y->kind, y->name);
}

int gathering_fill(struct gathering *g, struct entry *conf, const struct source_list *list,
                   const struct snapshot *running, struct errbuf *err)
{
    g->at = calloc(list->n + 1, sizeof(*g->at));
    if (g->at == NULL)
        return errbuf_set(err, ENOMEM, "out of memory while reading the tenants");
    g->at[g->n++] = (struct candidate){entry_ref(conf), running ? running->entries[0] : NULL};
    for (size_t i = 0; i < list->n; i++)
        if (add(g, &list->at[i], conf->conf, running) < 0)
            return errbuf_set(err, ENOMEM, "out of memory while reading the tenants");
    qsort(g->at, g->n, sizeof(*g->at), by_order);
    return 0;
}

void gathering_release(struct gathering *g)
{
    for (size_t i = 0; i < g->n; i++)
        entry_release(g->at[i].use);
    for (size_t i = 0; i < g->n_notices; i++)
        free((char *)g->notices[i].text);
    free(g->at);
    free(g->notices);
    *g = (struct gathering){0};
}
