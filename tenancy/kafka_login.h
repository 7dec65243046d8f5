/* As whom a Kafka client logs in. Each role has a login of its own (kafka.router, kafka.admin, each
 * tenant's kafka), else the common one (kafka.user ...). Secrets are files: a process reads those
 * of its own login alone, when a client is made and when the file has changed; they are in no
 * command line, log line or printed config. Thread: any. */
#ifndef TENANCY_KAFKA_LOGIN_H
#define TENANCY_KAFKA_LOGIN_H

#include "base/errbuf.h"
#include "tenancy/conf.h"

#include <librdkafka/rdkafka.h>

/* `own` where it names a user or certificate, else the common one; NULL = none is set. */
const struct kafka_login *kafka_login_of(const struct kafka_conf *k, const struct kafka_login *own);

/* Puts it into a client's configuration, over what kafka.client says; NULL does nothing. A negative
 * errno with a sentence that names option and file, never what is in them. */
int kafka_login_apply(rd_kafka_conf_t *c, const struct kafka_login *l, struct errbuf *err);

/* "User:acme": what brokers call it in ACLs, unless ssl.principal.mapping.rules say otherwise. Goes
 * to `a`. NULL with a sentence. */
const char *kafka_login_principal(const struct kafka_login *l, struct arena *a, struct errbuf *err);

/* A client that lives long and notices that its password file has changed. */
struct kafka_login_keeper {
    char *user, *file;      /* NULL = nothing to watch */
    uint64_t stamp, due_ns; /* stamp: 0 = not looked yet */
};
/* `l` may be NULL, and need not outlive the call. */
void kafka_login_watch(struct kafka_login_keeper *k, const struct kafka_login *l);
/* Gives a changed password to the client, which uses it from its next attempt to connect. Call it
 * often: it looks once a second. */
void kafka_login_keep(struct kafka_login_keeper *k, rd_kafka_t *rk);
void kafka_login_unwatch(struct kafka_login_keeper *k);

#endif
