#include "tenancy/kafka_login.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_MAX 4096

static bool is_set(const struct kafka_login *l)
{
    return l != NULL && l->user != NULL && (l->user[0] != 0 || l->certificate[0] != 0);
}

const struct kafka_login *kafka_login_of(const struct kafka_conf *k, const struct kafka_login *own)
{
    if (is_set(own))
        return own;
    return is_set(&k->login) ? &k->login : NULL;
}

/* ---- secrets ---- */

static void forget(struct buf *secret)
{
    if (secret->at != NULL)
        explicit_bzero(secret->at, secret->len);
    buf_release(secret);
}

/* Without the line end that editors leave. */
static int read_secret(const char *option, const char *name, const char *file, struct buf *out,
                       struct errbuf *err)
{
    struct errbuf why = ERRBUF_INIT;
    *out = (struct buf){.ceiling = SECRET_MAX};
    int rc = file_read(file, out, &why);
    if (rc < 0) {
        forget(out);
        return errbuf_set(err, -rc, "%s.%s: %s", option, name, why.text);
    }
    while (out->len > 0 && (out->at[out->len - 1] == '\n' || out->at[out->len - 1] == '\r'))
        out->len--;
    if (out->len > 0 && memchr(out->at, 0, out->len) == NULL)
        return 0;
    forget(out);
    return errbuf_set(err, EINVAL, "%s.%s: %s holds no password", option, name, file);
}

static int set(rd_kafka_conf_t *c, const char *option, const char *name, const char *value,
               struct errbuf *err)
{
    if (rd_kafka_conf_set(c, name, value, NULL, 0) == RD_KAFKA_CONF_OK)
        return 0;
    return errbuf_set(err, EINVAL, "%s: librdkafka does not take the value for %s", option, name);
}

static int set_secret(rd_kafka_conf_t *c, const char *option, const char *row, const char *file,
                      const char *name, struct errbuf *err)
{
    struct buf secret;
    int rc = read_secret(option, row, file, &secret, err);
    if (rc < 0)
        return rc;
    rc = set(c, option, name, buf_cstr(&secret), err);
    forget(&secret);
    return rc;
}

int kafka_login_apply(rd_kafka_conf_t *c, const struct kafka_login *l, struct errbuf *err)
{
    if (!is_set(l))
        return 0;
    int rc = 0;
    if (l->user[0] != 0) {
        rc = set(c, l->option, "sasl.username", l->user, err);
        if (rc == 0)
            rc = set_secret(c, l->option, "password_file", l->password_file, "sasl.password", err);
    }
    if (rc == 0 && l->certificate[0] != 0) {
        rc = set(c, l->option, "ssl.certificate.location", l->certificate, err);
        if (rc == 0)
            rc = set(c, l->option, "ssl.key.location", l->private_key, err);
    }
    if (rc == 0 && l->key_password_file[0] != 0)
        rc = set_secret(c, l->option, "key_password_file", l->key_password_file, "ssl.key.password",
                        err);
    return rc;
}

/* ---- the principal ---- */

/* As Java writes it (X500Principal.getName), the last part of the name first: "CN=acme,O=example".
 */
static char *subject_of(const char *certificate)
{
    FILE *f = fopen(certificate, "re");
    X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    BIO *text = x ? BIO_new(BIO_s_mem()) : NULL;
    char *found = NULL, *at;
    if (text != NULL && X509_NAME_print_ex(text, X509_get_subject_name(x), 0,
                                           XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        long len = BIO_get_mem_data(text, &at);
        found = len > 0 ? strndup(at, (size_t)len) : NULL;
    }
    BIO_free(text);
    X509_free(x);
    if (f != NULL)
        fclose(f);
    return found;
}

static const char *user_principal(const char *name, struct arena *a, struct errbuf *err)
{
    size_t size = strlen("User:") + strlen(name) + 1;
    char *text = arena_alloc(a, size);
    if (text != NULL)
        snprintf(text, size, "User:%s", name);
    else
        errbuf_set(err, ENOMEM, "out of memory");
    return text;
}

const char *kafka_login_principal(const struct kafka_login *l, struct arena *a, struct errbuf *err)
{
    if (!is_set(l)) {
        errbuf_set(err, ENOENT, "nothing says as whom it logs in");
        return NULL;
    }
    if (l->principal[0] != 0)
        return l->principal;
    if (l->user[0] != 0)
        return user_principal(l->user, a, err);
    char *subject = subject_of(l->certificate);
    if (subject == NULL)
        errbuf_set(err, EINVAL, "%s.certificate: %s has no certificate that can be read", l->option,
                   l->certificate);
    const char *principal = subject ? user_principal(subject, a, err) : NULL;
    free(subject);
    return principal;
}

/* ---- changed passwords ---- */

void kafka_login_watch(struct kafka_login_keeper *k, const struct kafka_login *l)
{
    *k = (struct kafka_login_keeper){0};
    if (!is_set(l) || l->password_file[0] == 0)
        return;
    k->user = strdup(l->user);
    k->file = strdup(l->password_file);
    k->due_ns = clock_mono_ns() + NS_PER_S;
}

static bool renew(const struct kafka_login_keeper *k, rd_kafka_t *rk)
{
    struct buf secret;
    struct errbuf err = ERRBUF_INIT;
    if (read_secret("kafka", "password_file", k->file, &secret, &err) < 0) {
        log_repeated(LOG_WARN, "a changed Kafka password cannot be read", k->file,
                     log_str("file", k->file), log_str("reason", err.text));
        return false;
    }
    rd_kafka_error_t *e = rd_kafka_sasl_set_credentials(rk, k->user, buf_cstr(&secret));
    bool taken = e == NULL;
    rd_kafka_error_destroy(e);
    forget(&secret);
    return taken;
}

void kafka_login_keep(struct kafka_login_keeper *k, rd_kafka_t *rk)
{
    uint64_t now = clock_mono_ns();
    if (k->user == NULL || k->file == NULL || now < k->due_ns)
        return;
    k->due_ns = now + NS_PER_S;
    uint64_t stamp = file_stamp(k->file);
    bool first = k->stamp == 0; /* it may have changed since the client was made */
    if (stamp == k->stamp || stamp == 0 || !renew(k, rk))
        return;
    k->stamp = stamp;
    if (first)
        return;
    log_event(LOG_INFO, "a changed Kafka password is in use", log_str("client", rd_kafka_name(rk)),
              log_str("user", k->user), log_str("file", k->file));
}

void kafka_login_unwatch(struct kafka_login_keeper *k)
{
    free(k->user);
    free(k->file);
    *k = (struct kafka_login_keeper){0};
}
