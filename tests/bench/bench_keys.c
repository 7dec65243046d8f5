/* What it costs to have many tenants, with three keys each: authentication per request against the
 * same with ten tenants, reading everything at the start, a reload, looking for changes, memory.
 * Not a test: run it by hand, or with few tenants to see that it works.
 *
 *     bench_keys [TENANTS]            default 10,000
 *     bench_keys TENANTS FOLDER       makes the files there and prints the key of the last tenant
 */
#include "base/clock.h"
#include "base/file.h"
#include "tenancy/keys/keystore.h"
#include "tenancy/tenancy.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { KEYS = 3, LOOKUPS = 100000, ROUNDS = 5 };

struct bench {
    char folder[256];
    unsigned tenants;
    char (*keys)[KEY_TEXT_LENGTH + 1]; /* tenants * KEYS */
};

static void die(const char *what)
{
    fprintf(stderr, "bench_keys: %s\n", what);
    exit(1);
}

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static double rss_mib(void)
{
    long pages = 0, skipped;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%ld %ld", &skipped, &pages) != 2)
        die("no /proc/self/statm");
    fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1024 * 1024);
}

/* --- files ---------------------------------------------------------------------------------- */

static void put(const struct bench *b, const char *name, struct slice text)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", b->folder, name);
    FILE *f = fopen(path, "w");
    if (f == NULL || fwrite(text.at, 1, text.len, f) != text.len || fclose(f) != 0)
        die("cannot write the files");
}

static void put_keys(const struct bench *b, unsigned tenant)
{
    struct key keys[KEYS] = {0};
    struct buf text = BUF_INIT;
    char name[64];
    for (int i = 0; i < KEYS; i++) {
        if (key_generate(&keys[i], b->keys[tenant * KEYS + (unsigned)i], NULL) < 0)
            die("no key");
        keys[i].label = "bench";
        keys[i].signals = 7;
        keys[i].created_s = 1700000000;
    }
    keyfile_print(keys, KEYS, &text);
    snprintf(name, sizeof(name), "keys.d/tenant-%05u.keys", tenant);
    put(b, name, buf_slice(&text));
    buf_release(&text);
}

/* As `tenantry key` does it: another file of that name. */
static void replace_keys(const struct bench *b, unsigned tenant)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/keys.d/tenant-%05u.keys", b->folder, tenant);
    unlink(path);
    put_keys(b, tenant);
}

static void put_tenant(const struct bench *b, unsigned tenant, unsigned rate)
{
    char name[64], text[256];
    snprintf(name, sizeof(name), "tenants.d/tenant-%05u.conf", tenant);
    snprintf(text, sizeof(text),
             "tenant: {\n  id = \"tenant-%05u\";\n  limits = { rate = \"%uMB/s\"; items = "
             "\"200k/s\"; };\n};\n",
             tenant, rate);
    put(b, name, slice_str(text));
}

static void make_files(struct bench *b)
{
    static const char *const folders[] = {"", "tenants.d", "keys.d"};
    char path[512];
    b->keys = calloc((size_t)b->tenants * KEYS, sizeof(*b->keys));
    if (b->keys == NULL)
        die("no memory");
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", b->folder, folders[i]);
        mkdir(path, 0700);
    }
    put(b, "tenantry.conf", SLICE_LIT("router: { key_usage = \"0s\"; };\n"));
    for (unsigned i = 0; i < b->tenants; i++) {
        put_tenant(b, i, 20);
        put_keys(b, i);
    }
}

static void remove_files(const struct bench *b)
{
    char command[300];
    snprintf(command, sizeof(command), "rm -r '%s'", b->folder);
    if (system(command) != 0)
        die("cannot remove the files");
}

/* --- authentication -------------------------------------------------------------------------- */

/* What a request may come with; made before the clock runs. */
enum kind { GOOD, WRONG_SECRET, UNKNOWN_ID, TYPO, NOT_A_KEY, NO_KEY, KIND_COUNT };
static const char *const kind_names[KIND_COUNT] = {"good key",     "wrong secret",    "unknown id",
                                                   "bad checksum", "not of the form", "no key"};
static const enum auth_verdict verdicts[KIND_COUNT] = {AUTH_OK,       AUTH_SECRET,    AUTH_UNKNOWN,
                                                       AUTH_CHECKSUM, AUTH_NOT_A_KEY, AUTH_MISSING};
enum { SAMPLES = 4096 };

/* The id of a real key with the secret of another, and a checksum that fits. */
static void mix_keys(const char *id, const char *secret, char out[KEY_TEXT_LENGTH + 1])
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    struct key_parts parts;
    memcpy(out, id, 13);
    memcpy(out + 13, secret + 13, KEY_TEXT_LENGTH + 1 - 13);
    /* crc32 by its definition, beside the product's */
    uint32_t crc = 0xFFFFFFFFu;
    for (int i = 0; i < KEY_TEXT_LENGTH - 6; i++) {
        crc ^= (uint8_t)out[i];
        for (int k = 0; k < 8; k++)
            crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
    }
    crc = ~crc;
    for (int i = KEY_TEXT_LENGTH - 1; i >= KEY_TEXT_LENGTH - 6; i--, crc /= 62)
        out[i] = digits[crc % 62];
    if (key_parse(slice_str(out), &parts) != KEY_FORM_OK)
        die("the checksum is wrong");
}

static void make_sample(const struct bench *b, enum kind kind, unsigned seed,
                        char out[KEY_TEXT_LENGTH + 1])
{
    const char *good = b->keys[seed * 2654435761u % (b->tenants * KEYS)];
    struct key k = {0};
    strcpy(out, good);
    if (kind == UNKNOWN_ID && key_generate(&k, out, NULL) < 0)
        die("no key");
    if (kind == WRONG_SECRET)
        mix_keys(good, b->keys[(seed * 2654435761u + 1) % (b->tenants * KEYS)], out);
    if (kind == TYPO)
        out[KEY_TEXT_LENGTH - 1] = out[KEY_TEXT_LENGTH - 1] == '0' ? '1' : '0';
    if (kind == NOT_A_KEY)
        out[3] = '-';
    if (kind == NO_KEY)
        out[0] = 0;
}

static double measure_kind(const struct bench *b, const struct snapshot *s, enum kind kind)
{
    static char samples[SAMPLES][KEY_TEXT_LENGTH + 1];
    const struct tenant *t;
    const struct key *k;
    double best = 0;
    for (unsigned i = 0; i < SAMPLES; i++)
        make_sample(b, kind, i, samples[i]);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin = cpu_ns();
        for (unsigned i = 0; i < LOOKUPS; i++)
            if (snapshot_authenticate(s, slice_str(samples[i % SAMPLES]), 1800000000, &t, &k) !=
                verdicts[kind])
                die("not the verdict that was expected");
        double ns = (double)(cpu_ns() - begin) / LOOKUPS;
        best = round == 0 || ns < best ? ns : best;
    }
    return best;
}

/* --- reload ----------------------------------------------------------------------------------- */

static void measure_reload(struct tenancy *t, const char *what, int expected)
{
    uint64_t begin = clock_mono_ns(), begin_cpu = cpu_ns();
    struct errbuf err = ERRBUF_INIT;
    int rc = tenancy_reload(t, &err);
    printf("  %-38s %8.1f ms wall %8.1f ms CPU\n", what, (double)(clock_mono_ns() - begin) / 1e6,
           (double)(cpu_ns() - begin_cpu) / 1e6);
    if (rc != expected)
        die(rc < 0 ? err.text : "the reload did not see what it should");
}

static void measure_reloads(struct bench *b, struct tenancy *t)
{
    uint64_t begin = cpu_ns(), begin_wall = clock_mono_ns();
    while (clock_mono_ns() - begin_wall < NS_PER_S) { /* as the router does */
        if (tenancy_changed(t))
            die("a change where there is none");
        usleep(250000);
    }
    printf("  %-38s %8.1f ms CPU per second\n", "looking for changes, none",
           (double)(cpu_ns() - begin) / (double)(clock_mono_ns() - begin_wall) * 1e3);
    measure_reload(t, "reload, nothing changed", 0);
    replace_keys(b, b->tenants / 2);
    if (!tenancy_changed(t))
        die("a changed key file is not seen");
    measure_reload(t, "reload, one key file changed", 1);
    put_tenant(b, b->tenants / 3, 21);
    measure_reload(t, "reload, one tenant changed", 1);
    for (unsigned i = 0; i < b->tenants; i++)
        put_tenant(b, i, 22);
    measure_reload(t, "reload, all tenants changed", 1);
}

static void measure(struct bench *b)
{
    char conf[512];
    struct errbuf err = ERRBUF_INIT;
    snprintf(conf, sizeof(conf), "%s/tenantry.conf", b->folder);
    double before = rss_mib();
    uint64_t begin = clock_mono_ns();
    struct tenancy *t = tenancy_open(conf, NULL, &err);
    if (t == NULL)
        die(err.text);
    printf("%u tenants, %d keys each\n  %-38s %8.1f ms wall\n  %-38s %8.1f MiB\n", b->tenants, KEYS,
           "first read", (double)(clock_mono_ns() - begin) / 1e6, "memory", rss_mib() - before);
    struct snapshot *s = tenancy_acquire(t);
    for (int kind = 0; kind < KIND_COUNT; kind++)
        printf("  authentication, %-22s %8.0f ns CPU\n", kind_names[kind],
               measure_kind(b, s, (enum kind)kind));
    snapshot_release(s);
    measure_reloads(b, t);
    printf("  %-38s %8.1f MiB\n", "memory after the reloads", rss_mib() - before);
    tenancy_close(t);
}

static void run(unsigned tenants)
{
    struct bench b = {.folder = "/tmp/tenantry-bench-XXXXXX", .tenants = tenants};
    if (mkdtemp(b.folder) == NULL)
        die("cannot make a folder");
    make_files(&b);
    measure(&b);
    remove_files(&b);
    free(b.keys);
}

int main(int argc, char **argv)
{
    unsigned tenants = argc > 1 ? (unsigned)atoi(argv[1]) : 10000;
    if (tenants < 3)
        die("at least 3 tenants");
    if (argc > 2) {
        struct bench b = {.tenants = tenants};
        snprintf(b.folder, sizeof(b.folder), "%s", argv[2]);
        make_files(&b);
        printf("%s\n", b.keys[tenants * KEYS - 1]);
        free(b.keys);
        return 0;
    }
    run(10);
    run(tenants);
    return 0;
}
