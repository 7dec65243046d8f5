/* The thread sanitizer knows pthreads only. librdkafka uses the C11 threads of glibc, whose calls
 * do not pass through its interceptors: a thread started by thrd_create crashes in the first
 * malloc, and locks are not seen. In the tsan preset these functions stand before glibc's; they are
 * what glibc's are, the same calls on the same types. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "as in glibc");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "as in glibc");
_Static_assert(sizeof(thrd_t) == sizeof(pthread_t), "as in glibc");
_Static_assert(sizeof(once_flag) == sizeof(pthread_once_t), "as in glibc");

static int result(int rc)
{
    switch (rc) {
    case 0:
        return thrd_success;
    case ENOMEM:
        return thrd_nomem;
    case ETIMEDOUT:
        return thrd_timedout;
    case EBUSY:
        return thrd_busy;
    default:
        return thrd_error;
    }
}

struct start {
    thrd_start_t run;
    void *arg;
};

static void *run_thread(void *arg)
{
    struct start s = *(struct start *)arg;
    free(arg);
    return (void *)(intptr_t)s.run(s.arg);
}

int thrd_create(thrd_t *thread, thrd_start_t run, void *arg)
{
    struct start *s = malloc(sizeof(*s));
    if (s == NULL)
        return thrd_nomem;
    *s = (struct start){run, arg};
    int rc = pthread_create(thread, NULL, run_thread, s);
    if (rc != 0)
        free(s);
    return result(rc);
}

int thrd_join(thrd_t thread, int *ret)
{
    void *value = NULL;
    int rc = pthread_join(thread, &value);
    if (ret != NULL)
        *ret = (int)(intptr_t)value;
    return result(rc);
}

int thrd_detach(thrd_t thread)
{
    return result(pthread_detach(thread));
}

void thrd_exit(int value)
{
    pthread_exit((void *)(intptr_t)value);
}

int mtx_init(mtx_t *m, int type)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, type & mtx_recursive ? PTHREAD_MUTEX_RECURSIVE
                                                          : PTHREAD_MUTEX_NORMAL);
    int rc = pthread_mutex_init((pthread_mutex_t *)m, &attr);
    pthread_mutexattr_destroy(&attr);
    return result(rc);
}

int mtx_lock(mtx_t *m)
{
    return result(pthread_mutex_lock((pthread_mutex_t *)m));
}

int mtx_trylock(mtx_t *m)
{
    return result(pthread_mutex_trylock((pthread_mutex_t *)m));
}

int mtx_timedlock(mtx_t *m, const struct timespec *due)
{
    return result(pthread_mutex_timedlock((pthread_mutex_t *)m, due));
}

int mtx_unlock(mtx_t *m)
{
    return result(pthread_mutex_unlock((pthread_mutex_t *)m));
}

void mtx_destroy(mtx_t *m)
{
    pthread_mutex_destroy((pthread_mutex_t *)m);
}

int cnd_init(cnd_t *c)
{
    return result(pthread_cond_init((pthread_cond_t *)c, NULL));
}

int cnd_signal(cnd_t *c)
{
    return result(pthread_cond_signal((pthread_cond_t *)c));
}

int cnd_broadcast(cnd_t *c)
{
    return result(pthread_cond_broadcast((pthread_cond_t *)c));
}

int cnd_wait(cnd_t *c, mtx_t *m)
{
    return result(pthread_cond_wait((pthread_cond_t *)c, (pthread_mutex_t *)m));
}

int cnd_timedwait(cnd_t *c, mtx_t *m, const struct timespec *due)
{
    return result(pthread_cond_timedwait((pthread_cond_t *)c, (pthread_mutex_t *)m, due));
}

void cnd_destroy(cnd_t *c)
{
    pthread_cond_destroy((pthread_cond_t *)c);
}

void call_once(once_flag *flag, void (*run)(void))
{
    pthread_once((pthread_once_t *)flag, run);
}

/* Nor does it know this join: the thread's end would not be seen, and its stack and id would go to
 * the next thread as if it still ran. The same wait, by the clock of the join that it knows. */
int pthread_clockjoin_np(pthread_t thread, void **value, clockid_t clock,
                         const struct timespec *due)
{
    struct timespec now, real;
    clock_gettime(clock, &now);
    clock_gettime(CLOCK_REALTIME, &real);
    int64_t ns = real.tv_nsec + due->tv_nsec - now.tv_nsec;
    int64_t carry = ns < 0 ? -1 : ns / 1000000000;
    real.tv_sec += due->tv_sec - now.tv_sec + carry;
    real.tv_nsec = ns - carry * 1000000000;
    return pthread_timedjoin_np(thread, value, &real);
}
