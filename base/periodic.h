/* A thread that does one thing at an interval, until it is stopped. */
#ifndef BASE_PERIODIC_H
#define BASE_PERIODIC_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct periodic {
    void (*run)(void *arg); /* on the thread; the next interval begins when it returns */
    void *arg;
    uint64_t every_ns;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ending; /* under the lock */
};

/* Runs it after `every_ns`, and again and again. `name` is the thread's, at most 15 bytes. 0, or a
 * negative errno (then there is nothing to stop). `p` stays where it is until periodic_stop. */
int periodic_start(struct periodic *p, const char *name, uint64_t every_ns, void (*run)(void *arg),
                   void *arg);
/* Waits for the run under way; none begins after. */
void periodic_stop(struct periodic *p);

#endif
