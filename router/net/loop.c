#include "router/net/loop.h"

#include "tenancy/tenancy.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#define LONGEST_WAIT_MS 1000
#define STOP_POLL_MS    10

/* libh2o never frees the queue of a destroyed loop nor what its threads keep for reuse. */
#ifdef __SANITIZE_ADDRESS__
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:h2o_multithread_create_queue\nleak:h2o_mem_alloc_recycle\n";
}
#endif

struct loop_private {
    struct timer_heap timers;
    struct loop_task *tasks, **tasks_end;
    h2o_multithread_queue_t *queue;
    h2o_multithread_receiver_t receiver;
    pthread_t thread;
    sem_t started;
    const struct loop_hooks *hooks;
    struct loop *loop;
    struct loop_message stop;
    uint64_t stop_due_ns; /* what the stop message carries */
    bool ending;
};

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t due_ns)
{
    timer_heap_set(&l->p->timers, t, due_ns);
}

void loop_timer_clear(struct loop *l, struct loop_timer *t)
{
    timer_heap_clear(&l->p->timers, t);
}

void loop_post(struct loop *l, struct loop_message *m)
{
    m->super = (h2o_multithread_message_t){{NULL, NULL}};
    h2o_multithread_send_message(&l->p->receiver, &m->super);
}

void loop_defer(struct loop *l, struct loop_task *t)
{
    if (t->queued)
        return;
    t->queued = true;
    t->next = NULL;
    *l->p->tasks_end = t;
    l->p->tasks_end = &t->next;
}

void loop_enter(struct loop *l)
{
    l->now_ns = clock_mono_ns();
}

static void on_messages(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    struct loop_private *p = H2O_STRUCT_FROM_MEMBER(struct loop_private, receiver, receiver);
    loop_enter(p->loop);
    while (!h2o_linklist_is_empty(messages)) {
        struct loop_message *m =
            H2O_STRUCT_FROM_MEMBER(struct loop_message, super.link, messages->next);
        h2o_linklist_unlink(&m->super.link);
        m->run(m);
    }
}

static void run_timers(struct loop *l)
{
    struct loop_timer *t;
    while ((t = timer_heap_take_due(&l->p->timers, l->now_ns)) != NULL)
        t->fire(t);
}

/* A task may defer further ones: they run in the same turn. */
static void run_tasks(struct loop *l)
{
    struct loop_task *t;
    while ((t = l->p->tasks) != NULL) {
        l->p->tasks = t->next;
        if (t->next == NULL)
            l->p->tasks_end = &l->p->tasks;
        t->queued = false;
        t->run(t);
    }
}

/* Rounded up, so that the loop does not spin through the last millisecond. */
static int32_t wait_ms(const struct loop *l)
{
    uint64_t next = timer_heap_next(&l->p->timers);
    if (next <= l->now_ns)
        return 0;
    uint64_t ms = (next - l->now_ns + NS_PER_MS - 1) / NS_PER_MS;
    return ms < LONGEST_WAIT_MS ? (int32_t)ms : LONGEST_WAIT_MS;
}

static bool loop_done(struct loop *l)
{
    return l->p->ending && (l->p->hooks->idle(l) || l->now_ns >= l->p->stop_due_ns);
}

/* libh2o's sockets take their buffers from a pool of the thread that made them: those of a loop are
 * made, used and closed on its thread. */
static void begin(struct loop *l)
{
    struct loop_private *p = l->p;
    char name[16];
    snprintf(name, sizeof(name), "loop-%u", l->index);
    pthread_setname_np(pthread_self(), name);
    l->evloop = h2o_evloop_create();
    p->queue = h2o_multithread_create_queue(l->evloop);
    h2o_multithread_register_receiver(p->queue, &p->receiver, on_messages);
    loop_enter(l);
    p->hooks->begin(l);
    sem_post(&p->started);
}

static void end(struct loop *l)
{
    l->p->hooks->end(l);
    h2o_multithread_unregister_receiver(l->p->queue, &l->p->receiver);
    h2o_multithread_destroy_queue(l->p->queue);
    h2o_evloop_destroy(l->evloop);
}

/* A write that ends at once calls back later, and libh2o wants those calls made before it waits
 * again, as it does itself behind its own timers. Otherwise it asks the kernel when that socket can
 * be written. With more sockets ready than it takes in one look it hears so after the callback, and
 * aborts. */
static void run_work(struct loop *l)
{
    run_timers(l);
    do {
        run_tasks(l);
        h2o_timeout__do_post_callback(l->evloop);
    } while (l->p->tasks != NULL);
}

static void *loop_main(void *arg)
{
    struct loop *l = arg;
    begin(l);
    do {
        h2o_evloop_run(l->evloop, l->p->ending ? STOP_POLL_MS : wait_ms(l));
        loop_enter(l);
        run_work(l);
    } while (!loop_done(l));
    end(l);
    return NULL;
}

int loop_init(struct loop *l, struct router *r, unsigned index, struct snapshot *s,
              const struct loop_hooks *hooks, struct errbuf *err)
{
    memset(l, 0, sizeof(*l));
    struct loop_private *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return errbuf_set(err, ENOMEM, "no memory for an event loop");
    sem_init(&p->started, 0, 0);
    p->loop = l;
    p->hooks = hooks;
    p->tasks_end = &p->tasks;
    l->p = p;
    l->router = r;
    l->index = index;
    l->snapshot = snapshot_ref(s);
    return 0;
}

int loop_start(struct loop *l, struct errbuf *err)
{
    int rc = pthread_create(&l->p->thread, NULL, loop_main, l);
    if (rc != 0)
        return errbuf_set(err, rc, "cannot start a thread: %s", strerror(rc));
    while (sem_wait(&l->p->started) < 0 && errno == EINTR)
        ;
    return 0;
}

static void on_stop(struct loop_message *m)
{
    H2O_STRUCT_FROM_MEMBER(struct loop_private, stop, m)->ending = true;
}

void loop_stop(struct loop *l, uint64_t due_ns)
{
    l->p->stop.run = on_stop;
    l->p->stop_due_ns = due_ns;
    loop_post(l, &l->p->stop);
    pthread_join(l->p->thread, NULL);
}

void loop_release(struct loop *l)
{
    if (l->p == NULL)
        return;
    sem_destroy(&l->p->started);
    timer_heap_release(&l->p->timers);
    decompressor_release(&l->decompressor);
    snapshot_release(l->snapshot);
    free(l->p);
    l->p = NULL;
}
