/* keys.d/<tenant>.keys: the keys of one tenant as text, one line each:
 *
 *     id=Ab12Cd34 sha256=<64 hex digits> created=1767222000 expires=0 revoked=0
 *         signals=traces,metrics,logs label=the web frontend
 *
 * (on one line). Fields are parted by one blank and stand in any order, each once; the label is
 * last and takes the rest of the line. Times are seconds since 1970; expires 0 = never, revoked 0 =
 * not. A key that was rotated has rotated=<when> and successor=<id> too, one with limits
 * rate=, items=, logs.rate= and so on in units per second, burst= in bytes (key_limits.h). Empty
 * lines and lines that begin with '#' are passed over. Thread: any. */
#ifndef TENANCY_KEYFILE_H
#define TENANCY_KEYFILE_H

#include "base/arena.h"
#include "base/buf.h"
#include "tenancy/keys/key.h"

#define KEYFILE_CEILING   (16ul * 1024 * 1024)
#define KEY_LABEL_LONGEST 200

/* Reads a file's text; strings go to `a`. `name` stands for the file in sentences, which say
 * file:line. 0, -EINVAL or -ENOMEM. */
int keyfile_parse(struct slice text, const char *name, struct arena *a, struct key **ret_keys,
                  size_t *ret_n, struct errbuf *err);
/* The text of these keys. Labels hold no control bytes (key_label_check). */
void keyfile_print(const struct key *keys, size_t n, struct buf *out);
/* A label is at most KEY_LABEL_LONGEST bytes without control bytes and does not begin or end with a
 * blank. 0 or -EINVAL. */
int key_label_check(struct slice label, struct errbuf *err);
/* "traces,logs" to a bit per signal; "" and repeated or unknown names are refused. */
int key_signals_parse(struct slice text, unsigned *ret, struct errbuf *err);
void key_signals_print(unsigned signals, struct buf *out);

#endif
