#include "cli/commands.h"
#include "cli/send/send_session.h"

static const struct arg_row rows[] = {
    {"--endpoint", ARG_TEXT, "URL", NULL,
     "where to; else OTEL_EXPORTER_OTLP_ENDPOINT, else https://localhost:4317 or :4318"},
    {"--protocol", ARG_TEXT, "P", NULL,
     "grpc or http/protobuf; else OTEL_EXPORTER_OTLP_PROTOCOL, else grpc"},
    {"--http", ARG_TEXT, "V", NULL, "1.1 or 2; else 2 where it can be agreed"},
    {"--key", ARG_TEXT, "KEY", NULL, "ingestion key; else by OTEL_EXPORTER_OTLP_HEADERS"},
    {"--key-file", ARG_TEXT, "FILE", NULL, "file that holds the key"},
    {"--ca", ARG_TEXT, "FILE", NULL,
     "CA of the endpoint; else OTEL_EXPORTER_OTLP_CERTIFICATE, else the system's"},
    {"--insecure", ARG_FLAG, NULL, NULL, "no TLS: http:// also to other machines"},
    {"--gzip", ARG_FLAG, NULL, NULL, "compress; also by OTEL_EXPORTER_OTLP_COMPRESSION=gzip"},
    {"--signal", ARG_TEXT, "S", "logs", "logs, traces, metrics, or all in turns"},
    {"--count", ARG_UINT, "N", NULL, "items in all; 1000, or with --duration without end"},
    {"--batch", ARG_UINT, "N", "100", "items per request"},
    {"--rate", ARG_RATE, "N/s", NULL, "items per second; else as fast as answers come"},
    {"--duration", ARG_DURATION, "TIME", NULL, "begin no request later than this"},
    {"--concurrency", ARG_UINT, "N", "16", "most requests unfinished at a time"},
    {"--connections", ARG_UINT, "N", "1", "most connections, over HTTP/2"},
    {"--service", ARG_TEXT, "NAME", "tenantry-send", "service.name of the resource"},
    {"--attributes", ARG_UINT, "N", "4", "made-up attributes per item"},
    {"--attribute", ARG_TEXTS, "K=V", NULL, "one more attribute, may be repeated"},
    {"--run", ARG_TEXT, "NAME", NULL, "value of tenantry.run; else random"},
    {"--timeout", ARG_DURATION, "TIME", "10s", "longest wait for an answer"},
    {"--retry-for", ARG_DURATION, "TIME", "60s", "give a request up after this time"},
    {"--no-retry", ARG_FLAG, NULL, NULL, "send each request once"},
    {"--attempts", ARG_TEXT, "FILE", NULL, "append each attempt's start and end as JSON lines"},
    ARG_ROW_JSON,
    {0},
};

static const struct args_spec spec = {
    "", 0, 0,
    "Sends made-up telemetry by OTLP and says what became of it, for trying out and for load.\n"
    "What may pass is sent again, as the specification says. Every item carries the attributes\n"
    "tenantry.run, tenantry.attempt (new for each repetition) and tenantry.seq. Exit status 0: "
    "every\n"
    "item was acked.",
    rows};

static void read_options(const struct args *a, struct send_options *o)
{
    *o = (struct send_options){
        .endpoint = args_text(a, "--endpoint"),
        .protocol = args_text(a, "--protocol"),
        .http = args_text(a, "--http"),
        .key = args_text(a, "--key"),
        .key_file = args_text(a, "--key-file"),
        .ca = args_text(a, "--ca"),
        .signal = args_text(a, "--signal"),
        .run = args_text(a, "--run"),
        .service = args_text(a, "--service"),
        .attempts = args_text(a, "--attempts"),
        .count = args_number(a, "--count"),
        .batch = args_number(a, "--batch"),
        .rate = args_number(a, "--rate"),
        .concurrency = args_number(a, "--concurrency"),
        .connections = args_number(a, "--connections"),
        .made_up = args_number(a, "--attributes"),
        .duration_ns = args_number(a, "--duration"),
        .retry_for_ns = args_number(a, "--retry-for"),
        .timeout_ns = args_number(a, "--timeout"),
        .insecure = args_flag(a, "--insecure"),
        .gzip = args_flag(a, "--gzip"),
        .no_retry = args_flag(a, "--no-retry"),
        .json = args_flag(a, "--json"),
    };
}

int cmd_send(struct args *a)
{
    const char *attributes[ARGS_MOST_GIVEN + 1];
    struct send_options o;
    int n = 0, code = args_parse(a, &spec);
    if (code != ARGS_GO_ON)
        return code;
    while ((attributes[n] = args_text_at(a, "--attribute", n)) != NULL)
        n++;
    read_options(a, &o);
    o.attributes = attributes;
    return send_session(&o);
}
