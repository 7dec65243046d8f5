/* The router as it is, with producers that confirm everything at once and keep nothing: what the
 * front end costs without Kafka. Its functions stand in for router/produce/producer.c at link time.
 *
 *   router_discard CONFIG */
#include "router/produce/producer.h"
#include "router/router.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_WAITING 65536

struct producers {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct producer_record *waiting[MOST_WAITING];
    size_t n;
    bool stop;
};

static void *confirm_all(void *arg)
{
    static struct producer_record *taken[MOST_WAITING];
    struct producers *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->stop || p->n > 0) {
        if (p->n == 0) {
            pthread_cond_wait(&p->wake, &p->lock);
            continue;
        }
        size_t n = p->n;
        memcpy(taken, p->waiting, n * sizeof(taken[0]));
        p->n = 0;
        pthread_mutex_unlock(&p->lock);
        for (size_t i = 0; i < n; i++)
            taken[i]->done(taken[i]->arg, RD_KAFKA_RESP_ERR_NO_ERROR, false);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct producers *producers_new(const struct conf *conf, const char *brokers, struct errbuf *err)
{
    (void)conf, (void)brokers, (void)err;
    struct producers *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_create(&p->thread, NULL, confirm_all, p);
    return p;
}

size_t producer_send_all(struct producers *p, struct producer_record *const *records, size_t n,
                         rd_kafka_resp_err_t *ret_error)
{
    size_t sent = 0;
    pthread_mutex_lock(&p->lock);
    while (sent < n && p->n < MOST_WAITING)
        p->waiting[p->n++] = records[sent++];
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    *ret_error = sent < n ? RD_KAFKA_RESP_ERR__QUEUE_FULL : RD_KAFKA_RESP_ERR_NO_ERROR;
    return sent;
}

void producers_warm(struct producers *p, const struct tenant *t)
{
    (void)p, (void)t;
}

struct partitions *producer_partitions(struct producers *p, const struct tenant *t,
                                       enum signal signal)
{
    (void)p, (void)t, (void)signal;
    return NULL;
}

bool producers_ready(struct producers *p)
{
    (void)p;
    return true;
}

struct producer_standing producer_standing(struct producers *p, const char *tenant)
{
    (void)p, (void)tenant;
    return (struct producer_standing){0};
}

uint64_t producers_queued_bytes(struct producers *p)
{
    (void)p;
    return 0;
}

int producers_flush(struct producers *p, int timeout_ms)
{
    (void)p, (void)timeout_ms;
    return 0;
}

void producers_free(struct producers *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    free(p);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: router_discard CONFIG\n");
        return 2;
    }
    return router_run(argv[1], "none:1", -1);
}
