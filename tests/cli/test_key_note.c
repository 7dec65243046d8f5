/* What the listing of keys says of them: one row per situation. Now is 1,000,000 s. */
#include "cli/key_note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW 1000000ull
#define H   3600ull

static const struct row {
    int line;
    struct key key;       /* of id AAAAAAAA */
    struct key_usage use; /* id "" = never */
    uint64_t since_s;     /* counting; 0 = no router has told */
    uint64_t complete_s;  /* 0 = now */
    const char *state, *note;
} rows[] = {
    {__LINE__, {.created_s = 1}, {.id = ""}, 1, 0, "active", ""},
    {__LINE__, {.created_s = 1}, {.id = ""}, 0, 0, "active", ""},
    {__LINE__, {.created_s = 1, .expires_s = NOW + 1}, {.id = ""}, 1, 0, "active", ""},
    /* rotated */
    {__LINE__,
     {.successor = "B"},
     {.id = "A", .last_s = NOW - 3 * H - 100},
     1,
     0,
     "active",
     "safe to revoke: unused for 3 h"},
    {__LINE__,
     {.successor = "B"},
     {.id = "A", .last_s = NOW - 50 * H},
     1,
     0,
     "active",
     "safe to revoke: unused for 2 d"},
    {__LINE__,
     {.successor = "B"},
     {.id = "A", .last_s = NOW - H},
     1,
     0,
     "active",
     "safe to revoke: unused for 60 min"},
    {__LINE__,
     {.successor = "B"},
     {.id = "A", .last_s = NOW - H + 1},
     1,
     0,
     "active",
     "still in use: 59 min ago"},
    {__LINE__,
     {.successor = "B"},
     {.id = "A", .last_s = NOW - 5},
     1,
     0,
     "active",
     "still in use: 5 s ago"},
    {__LINE__,
     {.successor = "B"},
     {.id = "A", .last_s = NOW + 5},
     1,
     0,
     "active",
     "still in use: 0 s ago"},
    /* never used, as far as it was counted */
    {__LINE__, {.successor = "B"}, {.id = ""}, 1, 0, "active", "safe to revoke: unused for 11 d"},
    {__LINE__, {.successor = "B"}, {.id = ""}, NOW - 300, 0, "active", "not seen in use for 5 min"},
    {__LINE__,
     {.successor = "B", .created_s = NOW - 300},
     {.id = ""},
     1,
     0,
     "active",
     "not seen in use for 5 min"},
    {__LINE__, {.successor = "B"}, {.id = ""}, 0, 0, "active", "no router has told of its use"},
    /* a router fell silent */
    {__LINE__,
     {.successor = "B"},
     {.id = "A", .last_s = NOW - 30 * H},
     1,
     NOW - 30 * H + 1800,
     "active",
     "still in use: 30 min ago, but router edge.0 has told nothing for 29 h"},
    {__LINE__,
     {.successor = "B"},
     {.id = "A", .last_s = NOW - 30 * H},
     1,
     NOW - 10 * H,
     "active",
     "unused for 20 h, but router edge.0 has told nothing for 10 h"},
    /* out of force */
    {__LINE__, {.revoked = true}, {.id = ""}, 1, 0, "revoked", ""},
    {__LINE__,
     {.revoked = true, .successor = "B"},
     {.id = "A", .refused = 12, .last_refused_s = NOW - 600},
     1,
     0,
     "revoked",
     "refused 12 times since, last 10 min ago"},
    {__LINE__,
     {.expires_s = NOW},
     {.id = "A", .refused = 1, .last_refused_s = NOW},
     1,
     0,
     "expired",
     "refused 1 times since, last 0 s ago"},
    {__LINE__, {.expires_s = NOW}, {.id = "A", .last_s = NOW - 9}, 1, 0, "expired", ""},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        struct key k = r->key;
        struct key_usage use = r->use;
        struct usage u = {.any = r->since_s != 0, .since_s = r->since_s, .complete_s = NOW};
        struct buf note = BUF_INIT;
        memcpy(k.id, "AAAAAAAA", 9);
        if (use.id[0] != 0) {
            memcpy(use.id, k.id, 9);
            u.keys = &use;
            u.n = 1;
        }
        if (r->complete_s != 0) {
            u.complete_s = r->complete_s;
            u.silent = "edge.0";
        }
        key_note(&k, &u, NOW, &note);
        if (strcmp(buf_cstr(&note), r->note) != 0 || strcmp(key_state(&k, NOW), r->state) != 0)
            fail_msg("row at line %d: %s, \"%s\"", r->line, key_state(&k, NOW), buf_cstr(&note));
        buf_release(&note);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
