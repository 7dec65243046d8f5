#include "router/net/tls_tickets.h"

#include "base/clock.h"
#include "base/file.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SECRETS  8
#define SECRET_BYTES 32
#define NAME_BYTES   16
#define FILE_CEILING 4096
/* Before, now and next of each secret: clocks of replicas may differ. */
#define EPOCHS   3
#define MAX_KEYS (MAX_SECRETS * EPOCHS)

struct key {
    unsigned char name[NAME_BYTES], cipher[32], mac[32];
};

struct tls_tickets {
    pthread_rwlock_t lock;
    uint64_t lifetime_s; /* 0 = none are made or taken */
    uint64_t epoch;      /* that `keys` are for: wall-clock time by the lifetime */
    unsigned char secrets[MAX_SECRETS][SECRET_BYTES];
    size_t n_secrets; /* 0 = random keys */
    struct key keys[MAX_KEYS];
    size_t n_keys; /* the first makes tickets */
};

static int context_slot = -1;
static pthread_once_t slot_once = PTHREAD_ONCE_INIT;

static void make_slot(void)
{
    context_slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

struct tls_tickets *tls_tickets_new(void)
{
    struct tls_tickets *t = calloc(1, sizeof(*t));
    pthread_once(&slot_once, make_slot);
    if (t != NULL)
        pthread_rwlock_init(&t->lock, NULL);
    return t;
}

void tls_tickets_free(struct tls_tickets *t)
{
    if (t == NULL)
        return;
    pthread_rwlock_destroy(&t->lock);
    OPENSSL_cleanse(t, sizeof(*t));
    free(t);
}

/* -- keys -- */

/* HKDF of the secret for one epoch. False: OpenSSL failed. */
static bool derive(const unsigned char *secret, uint64_t epoch, struct key *ret)
{
    char info[] = "tenantry ticket 01234567";
    for (int i = 0; i < 8; i++)
        info[sizeof(info) - 2 - i] = (char)(epoch >> 8 * i);
    OSSL_PARAM p[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, SECRET_BYTES),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof(info) - 1),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    bool ok = ctx != NULL && EVP_KDF_derive(ctx, (unsigned char *)ret, sizeof(*ret), p) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

static bool random_key(struct key *ret)
{
    return RAND_bytes((unsigned char *)ret, sizeof(*ret)) == 1;
}

/* The keys of `epoch`; what it replaces is in t->keys. */
static bool make_keys(const struct tls_tickets *t, uint64_t epoch, struct key *keys, size_t *ret_n)
{
    static const int64_t steps[EPOCHS] = {0, -1, 1};
    size_t n = 0;
    if (t->n_secrets == 0) {
        bool next_to_it = t->n_keys > 0 && t->epoch + 1 == epoch;
        if (!random_key(&keys[n++]))
            return false;
        if (next_to_it)
            keys[n++] = t->keys[0];
        *ret_n = n;
        return true;
    }
    for (size_t e = 0; e < EPOCHS; e++)
        for (size_t s = 0; s < t->n_secrets; s++)
            if (!derive(t->secrets[s], epoch + (uint64_t)steps[e], &keys[n++]))
                return false;
    *ret_n = n;
    return true;
}

static void put_keys(struct tls_tickets *t, uint64_t epoch)
{
    struct key keys[MAX_KEYS];
    size_t n = 0;
    if (make_keys(t, epoch, keys, &n)) {
        OPENSSL_cleanse(t->keys, sizeof(t->keys));
        memcpy(t->keys, keys, n * sizeof(keys[0]));
        t->n_keys = n;
        t->epoch = epoch;
    }
    OPENSSL_cleanse(keys, sizeof(keys));
}

void tls_tickets_turn(struct tls_tickets *t, uint64_t now_s)
{
    /* The main thread alone changes them, so it may look without the lock. */
    if (t->lifetime_s == 0 || now_s / t->lifetime_s == t->epoch)
        return;
    pthread_rwlock_wrlock(&t->lock);
    put_keys(t, now_s / t->lifetime_s);
    pthread_rwlock_unlock(&t->lock);
}

/* -- secrets -- */

static int digit(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static bool parse_secret(struct slice line, unsigned char out[SECRET_BYTES])
{
    if (line.len != 2 * SECRET_BYTES)
        return false;
    for (size_t i = 0; i < line.len; i++)
        if (!isxdigit(line.at[i]))
            return false;
    for (size_t i = 0; i < SECRET_BYTES; i++)
        out[i] =
            (unsigned char)(digit((char)line.at[2 * i]) << 4 | digit((char)line.at[2 * i + 1]));
    return true;
}

static int parse_secrets(struct slice text, const char *file, struct tls_tickets *ret,
                         struct errbuf *err)
{
    for (int number = 1; text.len > 0; number++) {
        const uint8_t *end = memchr(text.at, '\n', text.len);
        size_t len = end ? (size_t)(end - text.at) : text.len;
        struct slice line = slice_trim(slice_of(text.at, len));
        len += end != NULL;
        text = slice_of(text.at + len, text.len - len);
        if (line.len == 0 || line.at[0] == '#')
            continue;
        if (ret->n_secrets == MAX_SECRETS)
            return errbuf_set(err, EINVAL, "%s:%d: more than %d secrets", file, number,
                              MAX_SECRETS);
        if (!parse_secret(line, ret->secrets[ret->n_secrets]))
            return errbuf_set(err, EINVAL,
                              "%s:%d: a ticket secret is a line of %d hex digits, as `openssl "
                              "rand -hex %d` makes it",
                              file, number, 2 * SECRET_BYTES, SECRET_BYTES);
        ret->n_secrets++;
    }
    return ret->n_secrets > 0
               ? 0
               : errbuf_set(err, EINVAL, "%s: no ticket secret is in the file", file);
}

static int read_secrets(const char *file, struct tls_tickets *ret, struct errbuf *err)
{
    struct buf text = BUF_INIT_CEILING(FILE_CEILING);
    int rc = file_read(file, &text, err);
    if (rc == 0)
        rc = parse_secrets(buf_slice(&text), file, ret, err);
    if (text.at != NULL)
        OPENSSL_cleanse(text.at, text.len);
    buf_release(&text);
    return rc;
}

int tls_tickets_use(struct tls_tickets *t, uint64_t lifetime_ns, const char *file, uint64_t now_s,
                    struct errbuf *err)
{
    struct tls_tickets fresh = {.lifetime_s = lifetime_ns / NS_PER_S};
    int rc = fresh.lifetime_s > 0 && file[0] != 0 ? read_secrets(file, &fresh, err) : 0;
    if (rc < 0)
        return rc;
    pthread_rwlock_wrlock(&t->lock);
    bool same = t->lifetime_s == fresh.lifetime_s && t->n_secrets == fresh.n_secrets &&
                CRYPTO_memcmp(t->secrets, fresh.secrets, sizeof(t->secrets)) == 0;
    if (!same) {
        t->lifetime_s = fresh.lifetime_s;
        t->n_secrets = fresh.n_secrets;
        memcpy(t->secrets, fresh.secrets, sizeof(t->secrets));
        OPENSSL_cleanse(t->keys, sizeof(t->keys));
        t->n_keys = 0;
        if (t->lifetime_s > 0)
            put_keys(t, now_s / t->lifetime_s);
    }
    pthread_rwlock_unlock(&t->lock);
    OPENSSL_cleanse(&fresh, sizeof(fresh));
    return 0;
}

/* -- in a handshake -- */

static bool start_mac(EVP_MAC_CTX *mac, const struct key *k)
{
    OSSL_PARAM p[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)k->mac, sizeof(k->mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, p) == 1;
}

/* 0: not this time, the handshake is a whole one. */
static int make_ticket(const struct tls_tickets *t, unsigned char *name, unsigned char *iv,
                       EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    if (t->n_keys == 0)
        return 0;
    const struct key *k = &t->keys[0];
    memcpy(name, k->name, NAME_BYTES);
    return RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
                   EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv) == 1 &&
                   start_mac(mac, k)
               ? 1
               : -1;
}

/* 2: read, but a new one is to be made. */
static int take_ticket(const struct tls_tickets *t, const unsigned char *name,
                       const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    for (size_t i = 0; i < t->n_keys; i++) {
        const struct key *k = &t->keys[i];
        if (CRYPTO_memcmp(name, k->name, NAME_BYTES) != 0)
            continue;
        if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv) != 1 ||
            !start_mac(mac, k))
            return -1;
        return i == 0 ? 1 : 2;
    }
    return 0;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int making)
{
    struct tls_tickets *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_slot);
    pthread_rwlock_rdlock(&t->lock);
    int rc = making ? make_ticket(t, name, iv, cipher, mac) : take_ticket(t, name, iv, cipher, mac);
    pthread_rwlock_unlock(&t->lock);
    return rc;
}

void tls_tickets_attach(struct tls_tickets *t, SSL_CTX *ctx)
{
    SSL_CTX_set_ex_data(ctx, context_slot, t);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
    if (t->lifetime_s > 0) {
        SSL_CTX_set_timeout(ctx, (long)t->lifetime_s);
        return;
    }
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(ctx, 0);
}
