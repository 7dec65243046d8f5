/* EVP of OpenSSL 3 allocates for every digest; the functions it deprecates do not. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "tenancy/keys/key.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <zlib.h>

#define PREFIX          "tnt_"
#define PREFIX_LENGTH   4
#define SECRET_AT       (PREFIX_LENGTH + KEY_ID_LENGTH + 1)
#define CHECKSUM_AT     (SECRET_AT + KEY_SECRET_LENGTH)
#define CHECKSUM_LENGTH 6

static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static bool all_base62(const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t c = at[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')))
            return false;
    }
    return true;
}

/* CRC-32 of everything before it, most significant digit first. */
static void write_checksum(const uint8_t *text, char out[CHECKSUM_LENGTH])
{
    uint32_t crc = (uint32_t)crc32(0, text, CHECKSUM_AT);
    for (int i = CHECKSUM_LENGTH - 1; i >= 0; i--, crc /= 62)
        out[i] = base62[crc % 62];
}

bool key_id_valid(struct slice id)
{
    return id.len == KEY_ID_LENGTH && all_base62(id.at, id.len);
}

enum key_form key_parse(struct slice text, struct key_parts *ret)
{
    if (text.len != KEY_TEXT_LENGTH || memcmp(text.at, PREFIX, PREFIX_LENGTH) != 0 ||
        text.at[SECRET_AT - 1] != '_' || !all_base62(text.at + PREFIX_LENGTH, KEY_ID_LENGTH) ||
        !all_base62(text.at + SECRET_AT, KEY_SECRET_LENGTH + CHECKSUM_LENGTH))
        return KEY_FORM_NOT_A_KEY;
    char checksum[CHECKSUM_LENGTH];
    write_checksum(text.at, checksum);
    if (memcmp(checksum, text.at + CHECKSUM_AT, CHECKSUM_LENGTH) != 0)
        return KEY_FORM_CHECKSUM;
    ret->id = slice_of(text.at + PREFIX_LENGTH, KEY_ID_LENGTH);
    ret->secret = slice_of(text.at + SECRET_AT, KEY_SECRET_LENGTH);
    return KEY_FORM_OK;
}

static void hash_secret(struct slice secret, uint8_t out[KEY_HASH_SIZE])
{
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, secret.at, secret.len);
    SHA256_Final(out, &context);
}

bool key_secret_matches(const struct key *k, struct slice secret)
{
    uint8_t hash[KEY_HASH_SIZE];
    hash_secret(secret, hash);
    return CRYPTO_memcmp(hash, k->hash, KEY_HASH_SIZE) == 0;
}

/* `n` random base-62 digits; bytes of 248 and more are thrown away, so that all digits are equally
 * likely. */
static int random_digits(char *out, size_t n)
{
    uint8_t bytes[64];
    for (size_t done = 0; done < n;) {
        if (RAND_bytes(bytes, sizeof(bytes)) != 1)
            return -EIO;
        for (size_t i = 0; i < sizeof(bytes) && done < n; i++)
            if (bytes[i] < 4 * 62)
                out[done++] = base62[bytes[i] % 62];
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return 0;
}

int key_generate(struct key *k, char text[KEY_TEXT_LENGTH + 1], struct errbuf *err)
{
    memcpy(text, PREFIX, PREFIX_LENGTH);
    text[SECRET_AT - 1] = '_';
    if (random_digits(text + PREFIX_LENGTH, KEY_ID_LENGTH) < 0 ||
        random_digits(text + SECRET_AT, KEY_SECRET_LENGTH) < 0)
        return errbuf_set(err, EIO, "cannot make a key: no random bytes from OpenSSL");
    write_checksum((const uint8_t *)text, text + CHECKSUM_AT);
    text[KEY_TEXT_LENGTH] = 0;
    hash_secret(slice_of(text + SECRET_AT, KEY_SECRET_LENGTH), k->hash);
    memcpy(k->id, text + PREFIX_LENGTH, KEY_ID_LENGTH);
    k->id[KEY_ID_LENGTH] = 0;
    return 0;
}
