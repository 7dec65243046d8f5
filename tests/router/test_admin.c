/* The admin listener over real HTTP. */
#include "admission_home.h"
#include "router/admin.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <utime.h>

/* The whole answer of a GET. */
static const char *get(const struct router_admin *a, const char *path, struct buf *out)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)router_admin_port(a)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_true(dprintf(fd, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path) > 0);
    buf_clear(out);
    for (;;) {
        uint8_t *room = buf_reserve(out, 4096);
        ssize_t n = read(fd, room, 4096);
        if (n <= 0)
            break;
        out->len += (size_t)n;
    }
    close(fd);
    return buf_cstr(out);
}

static void has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, text);
}

static void write_worker_page(struct home *h, const char *name, const char *tenant, bool stale)
{
    char path[512], file[128], text[256];
    mkdir(temp_path(&h->folder, "state", path), 0700);
    mkdir(temp_path(&h->folder, "state/run", path), 0700);
    snprintf(file, sizeof(file), "state/run/%s", name);
    snprintf(text, sizeof(text),
             "# TYPE tenantry_lag_records gauge\ntenantry_lag_records{tenant=\"%s\"} 5\n", tenant);
    temp_write(&h->folder, file, text);
    if (stale)
        utime(temp_path(&h->folder, file, path), &(struct utimbuf){1000, 1000});
}

static void test_pages(void **state)
{
    (void)state;
    struct home *h = home_open("", "admin = \"127.0.0.1:0\";");
    struct errbuf err = ERRBUF_INIT;
    struct router_admin *a = router_admin_start(&h->router, &err);
    struct buf b = BUF_INIT;
    if (a == NULL)
        fail_msg("%s", err.text);
    write_worker_page(h, "consumer-acme.prom", "acme", false);
    write_worker_page(h, "consumer-old.prom", "old", true);
    write_worker_page(h, "consumer-acme.json", "json", false);
    struct request *req = run_logs(h, 3, 10);
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    request_unref(req);

    has(get(a, "/healthz", &b), "HTTP/1.1 200");
    has(get(a, "/readyz", &b), "HTTP/1.1 200");
    fake.kafka_down = true;
    has(get(a, "/readyz", &b), "HTTP/1.1 503");
    has(get(a, "/readyz", &b), "no Kafka broker is reachable");
    fake.kafka_down = false;
    atomic_store(&h->router.leaving, true);
    has(get(a, "/readyz", &b), "draining");
    has(get(a, "/api/status", &b), "\"ready\":false,\"not_ready_because\":\"draining\"");
    atomic_store(&h->router.leaving, false);
    has(get(a, "/api/status", &b), "\"ready\":true,\"not_ready_because\":null");
    has(get(a, "/api/status", &b),
        "{\"id\":\"acme\",\"suspended\":false,\"in_flight_bytes\":0,"
        "\"signals\":{\"logs\":{\"accepted\":{\"requests\":1,\"items\":3");
    has(get(a, "/api/status", &b), ",\"ack_seconds\":{\"p50_below\":0.0");
    has(get(a, "/api/status", &b), ",\"bytes_per_second\":0.0,\"items_per_second\":0.0,");
    has(get(a, "/api/status", &b), ",\"kafka\":null,\"workers\":[]}");
    temp_write(&h->folder, "state/run/lag.json", "{\"written_at_ms\":5}");
    temp_write(&h->folder, "state/run/consumer-a.json", "{\"tenant\":\"a\"}");
    temp_write(&h->folder, "state/run/consumer-b.json", "{\"tenant\":\"b\"}");
    temp_write(&h->folder, "state/run/consumer-c.json", "{\"half\":");
    has(get(a, "/api/status", &b),
        ",\"kafka\":{\"written_at_ms\":5},\"workers\":[{\"tenant\":\"a\"},{\"tenant\":\"b\"}]}");
    has(get(a, "/api/status", &b), "{\"id\":\"late\",\"suspended\":true");

    const char *metrics = get(a, "/metrics", &b);
    has(metrics, "text/plain; version=0.0.4");
    has(metrics,
        "\ntenantry_requests_total{tenant=\"acme\",signal=\"logs\",outcome=\"accepted\"} 1\n");
    has(metrics, "\ntenantry_produce_ack_seconds_count{tenant=\"acme\",signal=\"logs\"} 1\n");
    has(metrics, "\ntenantry_in_flight_bytes{tenant=\"acme\"} 0\n");
    has(metrics, "\ntenantry_kafka_up 1\n");
    has(metrics, "\ntenantry_lag_records{tenant=\"acme\"} 5\n");
    assert_null(strstr(metrics, "tenant=\"old\""));
    assert_null(strstr(metrics, "tenant=\"json\""));
    router_admin_stop(a);
    router_admin_stop(NULL);
    buf_release(&b);
    home_close(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
