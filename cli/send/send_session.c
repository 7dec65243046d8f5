#include "cli/send/send_session.h"

#include "cli/args.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

static volatile sig_atomic_t stop;

/* The first asks for an orderly end; the second has its usual effect. */
static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static void catch_signals(void)
{
    struct sigaction once = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &once, NULL);
    sigaction(SIGTERM, &once, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void print_summary(const struct send_conf *conf, const struct send_report *r)
{
    struct buf out = BUF_INIT;
    send_report_text(r, &out);
    fprintf(stderr, "run         %s\n%s", conf->content.run, buf_cstr(&out));
    if (conf->json) {
        buf_clear(&out);
        send_report_json(r, conf->content.run, &out);
        fputs(buf_cstr(&out), stdout);
    }
    buf_release(&out);
}

static int run(const struct send_conf *conf, struct send_report *r, struct errbuf *err)
{
    struct send_journal journal = {.fd = -1};
    struct send_builder *sb = send_builder_new(&conf->content);
    struct send_http *h = send_http_new(&conf->http, err);
    int rc = h != NULL ? 0 : -ENOMEM;
    if (rc == 0 && sb == NULL)
        rc = errbuf_set(err, ENOMEM, "There is no memory for the attributes.");
    if (rc == 0)
        rc = send_journal_open(&journal, conf->attempts, conf->content.run, err);
    if (rc == 0)
        rc = send_run(&conf->plan, sb, h, &journal, r, &stop, err);
    send_journal_close(&journal);
    send_http_free(h);
    send_builder_free(sb);
    return rc;
}

int send_session(const struct send_options *o)
{
    struct errbuf err = ERRBUF_INIT;
    struct arena a = ARENA_INIT;
    struct send_conf conf;
    int status = EXIT_USAGE;
    struct send_report *r = calloc(1, sizeof(*r));
    if (r == NULL)
        errbuf_set(&err, ENOMEM, "There is no memory for the report.");
    else if (send_conf_resolve(o, &a, &conf, &err) == 0) {
        catch_signals();
        status = EXIT_FAILED;
        if (run(&conf, r, &err) == 0) {
            print_summary(&conf, r);
            status = send_report_all_acked(r) ? EXIT_DONE : EXIT_FAILED;
        }
    }
    if (err.text[0] != 0)
        fprintf(stderr, "tenantry send: %s\n", err.text);
    free(r);
    arena_release(&a);
    return status;
}
