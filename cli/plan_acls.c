#include "cli/plan_acls.h"

#include "cli/ops.h"
#include "tenancy/acls.h"
#include "tenancy/topics/admin.h"

#include <stdio.h>
#include <stdlib.h>

#define ANSWER_MS 30000

struct work {
    const struct args *a;
    struct ops o;
    struct arena arena;
    struct acls acls;
};

/* Named tenants: their rows alone, without those that serve all. */
static bool work_open(struct work *w, const struct args *a)
{
    struct errbuf err = ERRBUF_INIT;
    struct tenant *tenants = NULL;
    size_t n;
    *w = (struct work){.a = a};
    if (!ops_open_all(&w->o, a) || !ops_named(&w->o, &tenants, &n)) {
        free(tenants);
        return false;
    }
    int rc =
        acls_make(&w->o.conf->kafka, tenants, n, a->n_operands == 0, &w->arena, &w->acls, &err);
    free(tenants);
    return rc == 0 || cli_fail(a, "%s", err.text) == EXIT_DONE;
}

static void work_close(struct work *w)
{
    arena_release(&w->arena);
    ops_close(&w->o);
}

int plan_acls(const struct args *a)
{
    struct work w;
    struct buf out = BUF_INIT;
    bool ok = work_open(&w, a);
    if (ok && args_flag(a, "--json"))
        acls_print_json(&w.acls, &out);
    else if (ok)
        acls_print(&w.acls, w.o.brokers, &out);
    cli_print(&out);
    work_close(&w);
    return ok ? EXIT_DONE : EXIT_FAILED;
}

static bool set(struct work *w, int *ret_missing, int *ret_made)
{
    struct errbuf err = ERRBUF_INIT;
    if (w->o.brokers[0] == 0)
        return cli_fail(w->a, "%s", ops_no_brokers) == EXIT_DONE;
    rd_kafka_t *rk = topic_admin_connect(w->o.conf, w->o.brokers, KAFKA_LOG_PATIENCE_MS, &err);
    if (rk == NULL)
        return cli_fail(w->a, "%s", err.text) == EXIT_DONE;
    *ret_missing = acls_compare(rk, &w->acls, ANSWER_MS, &err);
    *ret_made = *ret_missing < 0 ? -1 : acls_apply(rk, &w->acls, ANSWER_MS, &err);
    rd_kafka_destroy(rk);
    return *ret_made >= 0 || cli_fail(w->a, "%s", err.text) == EXIT_DONE;
}

int apply_acls(const struct args *a)
{
    struct work w;
    int missing = 0, made = 0;
    bool ok = work_open(&w, a) && set(&w, &missing, &made);
    if (ok && args_flag(a, "--json"))
        printf("{\"made\": %d, \"there\": %zu}\n", made, w.acls.n - (size_t)missing);
    else if (ok)
        printf("%d ACL%s set, %zu %s there.\n", made, made == 1 ? "" : "s",
               w.acls.n - (size_t)missing, w.acls.n - (size_t)missing == 1 ? "was" : "were");
    work_close(&w);
    return ok ? EXIT_DONE : EXIT_FAILED;
}
