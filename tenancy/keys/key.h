/* Ingestion keys: `tnt_<id>_<secret><checksum>` (DESIGN §7).
 *   id        8 base-62 characters, public: indexes the store and stands in record headers
 *   secret    28 base-62 characters (166 random bits); only its SHA-256 is kept
 *   checksum  CRC-32 of "tnt_<id>_<secret>" in 6 base-62 digits: a typo is told from a guess
 *             without a lookup
 * Keys of a tenant are kept in keys.d/<tenant>.keys (keyfile.h). Thread: any. */
#ifndef TENANCY_KEY_H
#define TENANCY_KEY_H

#include "base/errbuf.h"
#include "otlp/signal.h"

#define KEY_ID_LENGTH     8
#define KEY_SECRET_LENGTH 28
#define KEY_TEXT_LENGTH   (4 + KEY_ID_LENGTH + 1 + KEY_SECRET_LENGTH + 6)
#define KEY_HASH_SIZE     32

struct rate_conf;

struct key {
    /* What a request needs stands together. */
    uint8_t hash[KEY_HASH_SIZE]; /* SHA-256 of the secret part */
    uint64_t expires_s;          /* all times: wall clock; 0 = never */
    struct key_runtime *runtime; /* of a key of a snapshot */
    struct rate_conf *limits;    /* [LIMIT_SCOPE_COUNT] as asked for; NULL = none */
    unsigned signals;            /* bit per enum signal */
    bool revoked;
    char id[KEY_ID_LENGTH + 1];
    const char *label;
    uint64_t created_s, revoked_s;
    uint64_t rotated_s;                /* when the successor was issued; 0 = never */
    char successor[KEY_ID_LENGTH + 1]; /* "" = none */
};

struct key_parts {
    struct slice id, secret;
};

/* Has the form of a key's id. */
bool key_id_valid(struct slice id);

enum key_form { KEY_FORM_OK, KEY_FORM_NOT_A_KEY, KEY_FORM_CHECKSUM };
/* Takes a key's text apart and checks its checksum. */
enum key_form key_parse(struct slice text, struct key_parts *ret);
/* Makes a new key: fills id and hash of `k`, writes the whole text (NUL-terminated) to `text`. */
int key_generate(struct key *k, char text[KEY_TEXT_LENGTH + 1], struct errbuf *err);
/* Hashes the secret and compares in constant time. */
bool key_secret_matches(const struct key *k, struct slice secret);

#endif
