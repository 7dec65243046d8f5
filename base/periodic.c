#include "base/periodic.h"

#include "base/clock.h"

#include <time.h>

/* True when it is time to end. */
static bool sleep_or_end(struct periodic *p)
{
    uint64_t due_ns = clock_mono_ns() + p->every_ns;
    const struct timespec due = {(time_t)(due_ns / NS_PER_S), (long)(due_ns % NS_PER_S)};
    int rc = 0;
    pthread_mutex_lock(&p->lock);
    while (!p->ending && rc == 0)
        rc = pthread_cond_timedwait(&p->wake, &p->lock, &due);
    bool ending = p->ending;
    pthread_mutex_unlock(&p->lock);
    return ending;
}

static void *periodic_main(void *arg)
{
    struct periodic *p = arg;
    while (!sleep_or_end(p))
        p->run(p->arg);
    return NULL;
}

static void destroy(struct periodic *p)
{
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
}

int periodic_start(struct periodic *p, const char *name, uint64_t every_ns, void (*run)(void *arg),
                   void *arg)
{
    pthread_condattr_t attr;
    *p = (struct periodic){.run = run, .arg = arg, .every_ns = every_ns};
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &attr);
    pthread_condattr_destroy(&attr);
    int rc = pthread_create(&p->thread, NULL, periodic_main, p);
    if (rc != 0)
        destroy(p);
    else
        pthread_setname_np(p->thread, name);
    return -rc;
}

void periodic_stop(struct periodic *p)
{
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    destroy(p);
}
