/* The writer's decisions, with a database and a DLQ that answer as told. */
#include "consumer/writer.h"

#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000, RECORDS = 3 };

static struct {
    const enum export_result *answers; /* of write and load, one after another; the last repeats */
    size_t n;
    atomic_size_t asked;
    unsigned refuses;     /* EXPORT_DATA: bit i = record i */
    atomic_int dlq_fails; /* so many times first */
    atomic_int dlq_sends;
    atomic_bool dlq_hangs; /* until cancelled */
} far_side;

static enum export_result answer(void)
{
    size_t i = atomic_fetch_add(&far_side.asked, 1);
    return far_side.answers[i < far_side.n ? i : far_side.n - 1];
}

static enum export_result fake_prepare(struct exporter *x, struct errbuf *err)
{
    (void)x, (void)err;
    return EXPORT_OK;
}

static enum export_result fake_load(struct exporter *x, const char *cluster, const char *topic,
                                    int32_t partition, struct progress *ret, struct errbuf *err)
{
    (void)x, (void)cluster, (void)topic, (void)err;
    enum export_result rc = answer();
    if (rc == EXPORT_OK)
        *ret = (struct progress){.source = 7, .known = true, .next = 100 + partition};
    return rc;
}

static enum export_result fake_write(struct exporter *x, struct batch *b, struct errbuf *err)
{
    (void)x;
    for (size_t i = 0; i < b->n_records; i++)
        assert_true(b->records[i].fate != RECORD_DEAD || b->records[i].dlq_confirmed);
    enum export_result rc = answer();
    if (rc == EXPORT_DATA)
        for (size_t i = 0; i < b->n_records; i++)
            if (far_side.refuses >> i & 1 && b->records[i].fate == RECORD_GOOD)
                b->records[i].fate = RECORD_REFUSED;
    errbuf_set(err, 0, "the database says %d", rc);
    return rc;
}

int dlq_send(struct dlq *d, struct batch *b, bool (*cancelled)(void *arg), void *arg,
             struct errbuf *err)
{
    (void)d;
    far_side.dlq_sends++;
    while (far_side.dlq_hangs && !cancelled(arg))
        continue;
    if (far_side.dlq_hangs || far_side.dlq_fails > 0) {
        far_side.dlq_fails--;
        return errbuf_set(err, EIO, "no acknowledgement");
    }
    for (size_t i = 0; i < b->n_records; i++)
        b->records[i].dlq_confirmed = b->records[i].fate == RECORD_DEAD;
    return 0;
}

static const struct exporter_ops ops = {
    .prepare = fake_prepare, .load = fake_load, .write = fake_write};
static struct exporter exporter = {&ops};
static const struct tenant_conf conf = {
    .retry = {.attempts = 3, .max_dead = 2, .backoff_max = NS_PER_MS}};
static const struct tenant tenant = {.id = "acme", .conf = &conf};

static struct writer *start(const enum export_result *answers, size_t n, unsigned refuses)
{
    struct errbuf err = ERRBUF_INIT;
    far_side.answers = answers;
    far_side.n = n;
    far_side.refuses = refuses;
    far_side.asked = 0;
    far_side.dlq_fails = far_side.dlq_sends = 0;
    far_side.dlq_hangs = false;
    struct writer *w = writer_new(&tenant, &exporter, NULL, &err);
    assert_non_null(w);
    return w;
}

#define START(refuses, ...)                                                                        \
    start((const enum export_result[]){__VA_ARGS__},                                               \
          sizeof((const enum export_result[]){__VA_ARGS__}) / sizeof(enum export_result), refuses)

static void submit(struct writer *w, struct batch *b)
{
    struct writer_job *job = writer_job_new(JOB_WRITE, NULL);
    assert_non_null(job);
    job->batch = b;
    assert_true(writer_idle(w));
    writer_submit(w, job);
}

static enum writer_result result(struct writer *w)
{
    struct writer_job *job = writer_take(w, PATIENCE_MS);
    assert_non_null(job);
    enum writer_result r = job->result;
    writer_job_free(job);
    assert_true(writer_idle(w));
    return r;
}

static struct writer_view view(struct writer *w)
{
    struct writer_view v;
    writer_view(w, &v);
    return v;
}

static void wait_phase(struct writer *w, enum writer_phase phase)
{
    uint64_t due = clock_mono_ns() + PATIENCE_MS * NS_PER_MS;
    while (view(w).phase != phase)
        assert_true(clock_mono_ns() < due);
}

struct small_batch {
    struct batch b;
    struct batch_record records[RECORDS];
    struct batch_unit unit;
};

static struct batch *small_batch(struct small_batch *s)
{
    *s = (struct small_batch){0};
    s->b.records = s->records;
    s->b.n_records = RECORDS;
    s->b.units = &s->unit;
    s->b.n_units = 1;
    for (int i = 0; i < RECORDS; i++)
        s->records[i].error_class = "data";
    return &s->b;
}

static void test_transient_failures_are_retried_until_it_works(void **state)
{
    (void)state;
    struct small_batch s;
    struct writer *w = START(0, EXPORT_TRANSIENT, EXPORT_TRANSIENT, EXPORT_TRANSIENT, EXPORT_OK);
    submit(w, small_batch(&s));
    assert_int_equal(result(w), WRITER_DONE);
    assert_int_equal(far_side.asked, 4);
    assert_int_equal(view(w).retries, 3);
    assert_int_equal(view(w).phase, WRITER_IDLE);
    assert_string_equal(view(w).reason, "");
    writer_free(w);
}

static void test_a_configuration_error_parks_visibly_until_cancelled(void **state)
{
    (void)state;
    struct small_batch s;
    struct writer *w = START(0, EXPORT_CONFIGURATION);
    submit(w, small_batch(&s));
    wait_phase(w, WRITER_PARKED);
    assert_non_null(strstr(view(w).reason, "the database says"));
    assert_null(writer_take(w, 0));
    assert_false(writer_idle(w));
    writer_cancel(w); /* long before the next look, which is seconds away */
    assert_int_equal(result(w), WRITER_CANCELLED);
    assert_int_equal(far_side.asked, 1);
    writer_free(w);
}

static void test_refused_records_die_after_their_attempts(void **state)
{
    (void)state;
    struct small_batch s;
    struct writer *w = START(1u << 1, EXPORT_DATA, EXPORT_DATA, EXPORT_DATA, EXPORT_OK);
    submit(w, small_batch(&s));
    assert_int_equal(result(w), WRITER_DONE);
    assert_int_equal(s.records[0].fate, RECORD_GOOD);
    assert_int_equal(s.records[1].fate, RECORD_DEAD);
    assert_int_equal(s.records[2].fate, RECORD_GOOD);
    assert_int_equal(s.records[1].attempts, 3);
    assert_string_equal(s.records[1].error_class, "data");
    assert_int_equal(far_side.dlq_sends, 1);
    assert_int_equal(view(w).dead_letters, 1);
    writer_free(w);
}

static void test_a_record_that_gets_in_later_lives(void **state)
{
    (void)state;
    struct small_batch s;
    struct writer *w = START(1, EXPORT_DATA, EXPORT_DATA, EXPORT_OK);
    submit(w, small_batch(&s));
    assert_int_equal(result(w), WRITER_DONE);
    assert_int_equal(s.records[0].fate, RECORD_GOOD);
    assert_int_equal(far_side.dlq_sends, 0);
    writer_free(w);
}

static void test_nothing_is_written_before_the_dlq_has_acknowledged(void **state)
{
    (void)state;
    struct small_batch s;
    struct writer *w = START(0, EXPORT_TRANSIENT, EXPORT_OK);
    small_batch(&s)->records[2].fate = RECORD_DEAD;
    far_side.dlq_fails = 2;
    submit(w, &s.b);
    assert_int_equal(result(w), WRITER_DONE);
    assert_int_equal(far_side.dlq_sends, 3); /* once it is confirmed it is not sent again */
    assert_int_equal(far_side.asked, 2);
    assert_int_equal(view(w).dead_letters, 1);
    writer_free(w);
}

static void test_waiting_for_the_dlq_can_be_cancelled(void **state)
{
    (void)state;
    struct small_batch s;
    struct writer *w = START(0, EXPORT_OK);
    small_batch(&s)->records[0].fate = RECORD_DEAD;
    far_side.dlq_hangs = true;
    submit(w, &s.b);
    wait_phase(w, WRITER_BUSY);
    writer_cancel(w);
    assert_int_equal(result(w), WRITER_CANCELLED);
    assert_int_equal(far_side.asked, 0);
    writer_free(w);
}

static void test_too_many_refused_records_stop_the_unit(void **state)
{
    (void)state;
    struct small_batch s;
    struct writer *w = START(7, EXPORT_DATA);
    submit(w, small_batch(&s));
    assert_int_equal(result(w), WRITER_STOPPED);
    assert_true(s.unit.stopped);
    assert_int_equal(far_side.asked, 1); /* no further attempts, and nothing in the DLQ */
    assert_int_equal(far_side.dlq_sends, 0);
    small_batch(&s)->units[0].breaker = (struct breaker){10, 1};
    s.records[0].fate = s.records[1].fate = RECORD_DEAD;
    submit(w, &s.b);
    assert_int_equal(result(w), WRITER_STOPPED);
    assert_int_equal(far_side.asked, 1); /* the database was not asked */
    assert_int_equal(far_side.dlq_sends, 0);
    writer_free(w);
}

static void test_a_fenced_write_ends(void **state)
{
    (void)state;
    struct small_batch s;
    struct writer *w = START(0, EXPORT_FENCED);
    submit(w, small_batch(&s));
    assert_int_equal(result(w), WRITER_FENCED);
    assert_int_equal(far_side.asked, 1);
    writer_free(w);
}

static void test_progress_is_loaded_and_the_next_job_follows(void **state)
{
    (void)state;
    struct small_batch s;
    struct writer *w = START(0, EXPORT_TRANSIENT, EXPORT_OK);
    struct writer_job *job = writer_job_new(JOB_LOAD, "cluster");
    assert_int_equal(writer_job_add(job, "otlp.acme.logs", 0, 1), 0);
    assert_int_equal(writer_job_add(job, "otlp.acme.logs", 1, 1), 0);
    writer_submit(w, job);
    job = writer_take(w, PATIENCE_MS);
    assert_int_equal(job->result, WRITER_DONE);
    assert_int_equal(job->units[0].progress.next, 100);
    assert_int_equal(job->units[1].progress.next, 101);
    writer_job_free(job);
    writer_cancel(w); /* nothing is under way: the next job is not touched */
    submit(w, small_batch(&s));
    assert_int_equal(result(w), WRITER_DONE);
    writer_free(w);
}

static void test_freed_in_the_middle_of_a_job(void **state)
{
    (void)state;
    struct small_batch s;
    struct writer *w = START(0, EXPORT_TRANSIENT);
    submit(w, small_batch(&s));
    wait_phase(w, WRITER_RETRYING);
    writer_free(w);
    writer_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transient_failures_are_retried_until_it_works),
        cmocka_unit_test(test_a_configuration_error_parks_visibly_until_cancelled),
        cmocka_unit_test(test_refused_records_die_after_their_attempts),
        cmocka_unit_test(test_a_record_that_gets_in_later_lives),
        cmocka_unit_test(test_nothing_is_written_before_the_dlq_has_acknowledged),
        cmocka_unit_test(test_waiting_for_the_dlq_can_be_cancelled),
        cmocka_unit_test(test_too_many_refused_records_stop_the_unit),
        cmocka_unit_test(test_a_fenced_write_ends),
        cmocka_unit_test(test_progress_is_loaded_and_the_next_job_follows),
        cmocka_unit_test(test_freed_in_the_middle_of_a_job),
    };
    return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
