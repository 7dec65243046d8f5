#include "consumer/supervise/own_kafka.h"

#include "base/child.h"
#include "base/file.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define KAFKA_VERSION "4.3.1" /* as tools/kafka/pom.xml */
#define DEFAULT_HEAP  "-Xmx512m"
#define FIRST_PORT    10000 /* its ports are chosen from here to below LAST_PORT */
#define LAST_PORT     20000

/* A small node on loopback. The session timeout: after kill -9 the controller refuses the new
 * broker until the old one's session is over. */
static const char properties_format[] =
    "process.roles=broker,controller\n"
    "node.id=1\n"
    "controller.quorum.voters=1@127.0.0.1:%d\n"
    "controller.listener.names=CONTROLLER\n"
    "listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d\n"
    "advertised.listeners=PLAINTEXT://127.0.0.1:%d\n"
    "log.dirs=%s/data\n"
    "auto.create.topics.enable=false\n"
    "offsets.topic.replication.factor=1\n"
    "offsets.topic.num.partitions=3\n"
    "transaction.state.log.replication.factor=1\n"
    "transaction.state.log.min.isr=1\n"
    "transaction.state.log.num.partitions=3\n"
    "share.coordinator.state.topic.replication.factor=1\n"
    "share.coordinator.state.topic.min.isr=1\n"
    "broker.session.timeout.ms=2000\n"
    "broker.heartbeat.interval.ms=500\n"
    "group.initial.rebalance.delay.ms=0\n"
    "message.max.bytes=%" PRIu64 "\n"
    "replica.fetch.max.bytes=%" PRIu64 "\n"
    "log.cleaner.dedupe.buffer.size=16777216\n"
    "num.network.threads=2\n"
    "num.io.threads=4\n";

static const char log4j_text[] = "appender.out.type = Console\n"
                                 "appender.out.name = out\n"
                                 "appender.out.layout.type = PatternLayout\n"
                                 "appender.out.layout.pattern = %d{ISO8601} %p %m (%c)%n\n"
                                 "rootLogger.level = WARN\n"
                                 "rootLogger.appenderRef.out.ref = out\n";

static int find_jars(struct own_kafka *k, const struct conf *conf, struct errbuf *err)
{
    char home[1024];
    const char *cache = getenv("XDG_CACHE_HOME"), *user = getenv("HOME");
    if (conf->kafka.home[0] != 0)
        snprintf(home, sizeof(home), "%s", conf->kafka.home);
    else if (cache != NULL && cache[0] != 0)
        snprintf(home, sizeof(home), "%s/tenantry/kafka-" KAFKA_VERSION, cache);
    else
        snprintf(home, sizeof(home), "%s/.cache/tenantry/kafka-" KAFKA_VERSION, user ? user : "");
    char libs[1100];
    snprintf(libs, sizeof(libs), "%s/libs", home);
    if (access(libs, R_OK) < 0)
        return errbuf_set(
            err, ENOENT,
            "Kafka's jars are not in %s: run tools/kafka/fetch, or set kafka.home, or set "
            "kafka.brokers to use a cluster you have",
            libs);
    snprintf(k->classpath, sizeof(k->classpath), "%s/*", libs);
    return 0;
}

/* The port when nobody listens there, else 0. For port 0: one of the kernel's choice. */
static int try_port(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    int on = 1, found = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        bind(fd, (struct sockaddr *)&a, size) == 0 &&
        getsockname(fd, (struct sockaddr *)&a, &size) == 0)
        found = ntohs(a.sin_port);
    if (fd >= 0)
        close(fd);
    return found;
}

/* Where the kernel begins to take the ports of outgoing connections from. */
static int first_client_port(void)
{
    struct buf text = BUF_INIT_CEILING(64);
    int first = 32768;
    if (file_read("/proc/sys/net/ipv4/ip_local_port_range", &text, NULL) == 0)
        sscanf(buf_cstr(&text), "%d", &first);
    buf_release(&text);
    return first;
}

/* A port that is free now and isn't `taken`; 0 on failure. Not one of the kernel's choice: while
 * Kafka is away, a connection to somewhere could be given that, and Kafka could not come back. */
static int free_port(int taken)
{
    int end = first_client_port();
    end = end < LAST_PORT ? end : LAST_PORT;
    for (int i = 0; i < 1000 && end > FIRST_PORT; i++) {
        uint32_t random;
        if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
            break;
        int port = FIRST_PORT + (int)(random % (uint32_t)(end - FIRST_PORT));
        if (port != taken && try_port(port) != 0)
            return port;
    }
    return try_port(0);
}

/* Ports are kept in <folder>/ports, so that clients and the controller quorum find it again. */
static int choose_ports(struct own_kafka *k, const struct conf *conf, int *broker, int *controller,
                        struct errbuf *err)
{
    char path[2112];
    struct buf text = BUF_INIT_CEILING(64);
    snprintf(path, sizeof(path), "%s/ports", k->folder);
    int wanted = (int)conf->kafka.port;
    if (file_read(path, &text, NULL) == 0 &&
        sscanf(buf_cstr(&text), "%d %d", broker, controller) == 2 &&
        (wanted == 0 || wanted == *broker)) {
        buf_release(&text);
        return 0;
    }
    *broker = wanted ? wanted : free_port(0);
    *controller = free_port(*broker);
    buf_clear(&text);
    buf_printf(&text, "%d %d\n", *broker, *controller);
    int rc = *broker == 0 || *controller == 0
                 ? errbuf_set(err, EADDRNOTAVAIL, "no free port on 127.0.0.1 for the own Kafka")
                 : file_replace(path, buf_slice(&text), 0644, err);
    buf_release(&text);
    return rc;
}

static int write_properties(struct own_kafka *k, const struct conf *conf, struct errbuf *err)
{
    int broker, controller;
    if (choose_ports(k, conf, &broker, &controller, err) < 0)
        return -EINVAL;
    uint64_t largest = conf->record.max_bytes + 4 * 1024 * 1024;
    struct buf text = BUF_INIT;
    buf_printf(&text, properties_format, controller, broker, controller, broker, k->folder, largest,
               largest);
    snprintf(k->properties, sizeof(k->properties), "%s/server.properties", k->folder);
    snprintf(k->brokers, sizeof(k->brokers), "127.0.0.1:%d", broker);
    int rc = file_replace(k->properties, buf_slice(&text), 0644, err);
    buf_release(&text);
    char log4j[2112];
    snprintf(log4j, sizeof(log4j), "%s/log4j2.properties", k->folder);
    snprintf(k->log_option, sizeof(k->log_option), "-Dlog4j2.configurationFile=%s", log4j);
    return rc < 0 ? rc : file_replace(log4j, slice_str(log4j_text), 0644, err);
}

static void arguments(struct own_kafka *k, const char *const *main_and_more)
{
    const char *const first[] = {"java",
                                 DEFAULT_HEAP,
                                 "-XX:+UseSerialGC",
                                 "-XX:TieredStopAtLevel=1",
                                 k->folder_option,
                                 k->log_option,
                                 "-cp",
                                 k->classpath};
    size_t n = 0;
    for (; n < sizeof(first) / sizeof(first[0]); n++)
        k->argv[n] = first[n];
    while (*main_and_more != NULL)
        k->argv[n++] = *main_and_more++;
    k->argv[n] = NULL;
}

/* 22 characters of base64url: what Kafka takes for a cluster id. */
static void make_cluster_id(char out[23])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t random[22];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        memset(random, 7, sizeof(random));
    for (int i = 0; i < 22; i++)
        out[i] = digits[random[i] % 64];
    out[0] = 'T';  /* never '-', which the tool would take for an option */
    out[21] = 'A'; /* the last character carries 4 bits only */
    out[22] = 0;
}

static int wait_for(pid_t pid, const struct own_kafka *k, struct errbuf *err)
{
    int status;
    char text[64];
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return errbuf_set(err, errno, "waitpid: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return errbuf_set(err, EIO, "the own Kafka's data folder cannot be formatted (%s): see %s",
                      child_status_text(status, text, sizeof(text)), k->log);
}

static int format_data(struct own_kafka *k, struct errbuf *err)
{
    char mark[2112], id[23];
    snprintf(mark, sizeof(mark), "%s/data/meta.properties", k->folder);
    if (access(mark, F_OK) == 0)
        return 0;
    log_event(LOG_INFO, "making the data folder of the own Kafka", log_str("folder", k->folder));
    make_cluster_id(id);
    arguments(k, (const char *const[]){"kafka.tools.StorageTool", "format", "-t", id, "-c",
                                       k->properties, "--ignore-formatted", NULL});
    struct child_spec spec = {.argv = k->argv, .output_file = k->log, .death_signal = SIGKILL};
    pid_t pid = child_start(&spec, err);
    if (pid == -ENOENT)
        return errbuf_set(err, ENOENT,
                          "java is not installed: run tools/deps, or set kafka.brokers");
    return pid < 0 ? (int)pid : wait_for(pid, k, err);
}

/* Java unpacks libraries into its temporary folder, and leaves them there when it is killed. */
static int clear_temporary(struct own_kafka *k, struct errbuf *err)
{
    char folder[2112], path[2400], **names;
    snprintf(folder, sizeof(folder), "%s/tmp", k->folder);
    snprintf(k->folder_option, sizeof(k->folder_option), "-Djava.io.tmpdir=%s", folder);
    int n = file_list(folder, "", &names, err);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    if (n < 0)
        return n;
    file_list_free(names, n);
    return file_make_folder(folder, 0755, err);
}

int own_kafka_prepare(struct own_kafka *k, const struct conf *conf, struct errbuf *err)
{
    memset(k, 0, sizeof(*k));
    snprintf(k->folder, sizeof(k->folder), "%s/kafka", conf->state);
    snprintf(k->log, sizeof(k->log), "%s/kafka.log", k->folder);
    int rc = find_jars(k, conf, err);
    if (rc == 0)
        rc = file_make_folder(k->folder, 0755, err);
    if (rc == 0)
        rc = clear_temporary(k, err);
    if (rc == 0)
        rc = write_properties(k, conf, err);
    if (rc == 0)
        rc = format_data(k, err);
    if (rc == 0)
        arguments(k, (const char *const[]){"kafka.Kafka", k->properties, NULL});
    return rc;
}
