#include "certs/dev.h"
#include "cli/commands.h"
#include "cli/common.h"

#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void print_member(struct buf *out, const char *name, const char *folder, const char *file)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    buf_printf(out, "\"%s\": ", name);
    json_string(out, slice_str(path));
}

static void print_made(const char *folder, bool json)
{
    struct buf out = BUF_INIT;
    if (json) {
        buf_append_byte(&out, '{');
        print_member(&out, "ca", folder, CERTS_CA_FILE);
        buf_append_str(&out, ", ");
        print_member(&out, "certificate", folder, CERTS_CERT_FILE);
        buf_append_str(&out, ", ");
        print_member(&out, "private_key", folder, CERTS_KEY_FILE);
        buf_append_str(&out, "}\n");
    } else {
        buf_printf(&out, "%s/%-10s  what senders trust (OTEL_EXPORTER_OTLP_CERTIFICATE)\n", folder,
                   CERTS_CA_FILE);
        buf_printf(&out, "%s/%-10s  router.certificate\n", folder, CERTS_CERT_FILE);
        buf_printf(&out, "%s/%-10s  router.private_key\n", folder, CERTS_KEY_FILE);
    }
    cli_print(&out);
}

/* --folder, else certs/ beside the config. NULL when memory is spent. */
static const char *choose_folder(const struct args *a, struct arena *arena)
{
    const char *given = args_text(a, "--folder");
    if (given != NULL)
        return given;
    const char *beside = conf_folder(cli_config(a), arena);
    return beside ? conf_path(beside, "certs", arena) : NULL;
}

static int make(const struct args *a)
{
    struct arena arena = ARENA_INIT;
    struct errbuf err = ERRBUF_INIT;
    const char *names[ARGS_MOST_GIVEN];
    struct certs_dev d = {choose_folder(a, &arena), names, 0, args_flag(a, "--force")};
    while ((names[d.n_names] = args_text_at(a, "--name", (int)d.n_names)) != NULL)
        d.n_names++;
    int rc = d.folder ? certs_make_dev(&d, &err) : errbuf_set(&err, ENOMEM, "out of memory");
    if (rc == 0)
        print_made(d.folder, args_flag(a, "--json"));
    else
        cli_fail(a, "%s%s", err.text, rc == -EEXIST ? "; --force overwrites it" : "");
    arena_release(&arena);
    return rc == 0 ? EXIT_DONE : EXIT_FAILED;
}

int cmd_certs_dev(struct args *a)
{
    static const struct arg_row rows[] = {
        ARG_ROW_CONFIG,
        ARG_ROW_JSON,
        {"--folder", ARG_TEXT, "FOLDER", NULL, "where the files go; else certs/ beside the config"},
        {"--name", ARG_TEXTS, "NAME", NULL,
         "a further DNS name or address of the server; may be repeated"},
        {"--force", ARG_FLAG, NULL, NULL, "overwrite what is there"},
        {0},
    };
    static const struct args_spec spec = {"", 0, 0,
                                          "Makes a CA and a server certificate signed by it, to "
                                          "try Tenantry out. The certificate is\n"
                                          "for localhost, 127.0.0.1, ::1, this host's name and "
                                          "every --name. The CA's private key is\n"
                                          "thrown away: the CA can sign nothing else.",
                                          rows};
    int code = args_parse(a, &spec);
    return code == ARGS_GO_ON ? make(a) : code;
}
