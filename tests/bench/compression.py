"""How small telemetry becomes on its way into Kafka, and what that costs: for each signal and size of request, the bytes
that the router received against those in the topic's segments, records per batch, and the router's CPU time in ms
per MB received. The telemetry is made up to look like that of a shop on Kubernetes: 24 pods, each request from one.

    tools/bench compression [--items N] [--codecs none,lz4,zstd:3,...] [--connections N] [--settings TEXT]
"""

import argparse
import http.client
import random
import shutil
import statistics
import struct
import tempfile
import threading
import time
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from run import cpu_seconds
from support import proc
from support.kafka import Client, Kafka
from support.otlp_build import value
from support.system import System
from support.wait import until

SIZES = (10, 100, 1000)
SIGNALS = ("traces", "metrics", "logs")
CODECS = "none,lz4,lz4:9,zstd:1,zstd:3,zstd:9"
SERVICES = ["frontend", "cart", "checkout", "payment", "catalog", "shipping", "currency", "email"]
ROUTES = ["/api/cart", "/api/checkout", "/api/products/{id}", "/api/currency", "/api/recommendations", "/healthz"]
LINES = [
    "GET /api/products/{n} 200 {d} ms",
    "order {u} placed by user {n}, total {d}.{c} EUR, {c} items",
    "payment of {d}.{c} EUR accepted by provider, transaction {u}",
    "cache miss for key product:{n}:price, read from the database in {c} ms",
    "retrying request to shipping:8080 after {d} ms: connection reset by peer",
    '{{"level":"info","msg":"request done","path":"/api/cart","status":200,"user":"{n}","ms":{d}}}',
]


class Shop:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.now = 1_790_000_000_000_000_000
        self.pods = [(s, f"{s}-{self.r.randbytes(5).hex()[:9]}-{self.r.randbytes(3).hex()[:5]}", f"10.1.{self.r.randrange(9)}.{self.r.randrange(255)}")
                     for s in SERVICES for _ in range(3)]  # fmt: skip

    def put(self, attributes, pairs):
        for key, v in pairs.items():
            attributes.add(key=key, value=value(v))

    def request(self, signal, n):
        """One pod's batch, with the resource that an SDK and the k8sattributes processor make."""
        service, pod, address = self.r.choice(self.pods)
        self.now += self.r.randrange(50_000_000)
        top = {"traces": ExportTraceServiceRequest, "metrics": ExportMetricsServiceRequest, "logs": ExportLogsServiceRequest}[signal]()
        group = {"traces": "resource_spans", "metrics": "resource_metrics", "logs": "resource_logs"}[signal]
        group = getattr(top, group).add()
        self.put(group.resource.attributes, {
            "service.name": service, "service.namespace": "shop", "service.version": "2.14.3", "deployment.environment": "production",
            "k8s.cluster.name": "eu-west-1-prod", "k8s.namespace.name": "shop", "k8s.deployment.name": service, "k8s.pod.name": pod,
            "k8s.pod.ip": address, "k8s.node.name": f"ip-{address.replace('.', '-')}.ec2.internal", "telemetry.sdk.language": "java",
            "telemetry.sdk.name": "opentelemetry", "telemetry.sdk.version": "1.42.1", "host.arch": "amd64", "os.type": "linux"})  # fmt: skip
        scope = {"traces": "scope_spans", "metrics": "scope_metrics", "logs": "scope_logs"}[signal]
        scope = getattr(group, scope).add()
        scope.scope.name, scope.scope.version = "io.opentelemetry.tomcat-10.0", "2.8.0-alpha"
        {"traces": self.spans, "metrics": self.points, "logs": self.records}[signal](scope, n, service, address)
        return top.SerializeToString()

    def spans(self, scope, n, service, address):
        trace, parent = b"", b""
        for i in range(n):
            if i % 6 == 0:
                trace, parent = self.r.randbytes(16), b""
            self.now += self.r.randrange(2_000_000)
            took = int(self.r.lognormvariate(16, 1))
            span = scope.spans.add(trace_id=trace, span_id=self.r.randbytes(8), parent_span_id=parent, flags=0x101,
                                   start_time_unix_nano=self.now, end_time_unix_nano=self.now + took)  # fmt: skip
            parent = span.span_id
            if i % 6 < 3:
                route = self.r.choice(ROUTES)
                span.name, span.kind = f"GET {route}", 2 if i % 6 == 0 else 3
                self.put(span.attributes, {
                    "http.request.method": "GET", "http.route": route, "url.path": route.replace("{id}", str(self.r.randrange(5000))), "url.scheme": "http",
                    "http.response.status_code": self.r.choice([200] * 30 + [404, 500]), "server.address": f"{service}.shop.svc", "server.port": 8080,
                    "client.address": address, "network.peer.port": self.r.randrange(30000, 60000), "user_agent.original": "okhttp/4.12.0",
                    "thread.id": self.r.randrange(20, 60), "thread.name": f"http-nio-8080-exec-{self.r.randrange(1, 40)}"})  # fmt: skip
            else:
                span.name, span.kind = "SELECT shop.products", 3
                self.put(span.attributes, {
                    "db.system": "postgresql", "db.name": "shop", "db.operation": "SELECT", "db.sql.table": "products", "server.address": "pg-0.shop.svc",
                    "db.statement": "SELECT id, name, price, stock FROM products WHERE id = ? AND region = ?", "thread.id": self.r.randrange(20, 60)})  # fmt: skip

    def records(self, scope, n, *_):
        for _ in range(n):
            self.now += self.r.randrange(5_000_000)
            text = self.r.choice(LINES).format(n=self.r.randrange(10**6), d=self.r.randrange(1000), c=self.r.randrange(100), u=self.r.randbytes(8).hex())
            level = self.r.choice([(9, "INFO")] * 12 + [(13, "WARN"), (17, "ERROR"), (5, "DEBUG")])
            log = scope.log_records.add(time_unix_nano=self.now, observed_time_unix_nano=self.now + 31_000, severity_number=level[0],
                                        severity_text=level[1], body=value(text), flags=1)  # fmt: skip
            if self.r.random() < 0.7:
                log.trace_id, log.span_id = self.r.randbytes(16), self.r.randbytes(8)
            self.put(log.attributes, {
                "log.file.name": "app.log", "log.iostream": "stdout", "thread.name": f"http-nio-8080-exec-{self.r.randrange(1, 40)}",
                "code.namespace": self.r.choice(["shop.cart.CartService", "shop.order.OrderController", "shop.cache.PriceCache"]),
                "code.lineno": self.r.randrange(20, 400), "user.id": str(self.r.randrange(10**6))})  # fmt: skip

    def points(self, scope, n, service, *_):
        start = self.now - 3_600_000_000_000
        for i in range(n):
            labels = {"http.route": self.r.choice(ROUTES), "http.request.method": self.r.choice(["GET", "POST"]), "http.response.status_code": self.r.choice([200, 404, 500])}
            times = {"start_time_unix_nano": start, "time_unix_nano": self.now}
            if i % 3 == 0:
                m = scope.metrics.add(name="http.server.request.duration", unit="s", description="Duration of HTTP server requests.")
                m.histogram.aggregation_temporality = 2
                counts = [self.r.randrange(2000) // (k + 1) for k in range(15)]
                p = m.histogram.data_points.add(count=sum(counts), sum=self.r.random() * 1000, min=0.001, max=self.r.random() * 5, bucket_counts=counts,
                                                explicit_bounds=[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10], **times)  # fmt: skip
            elif i % 3 == 1:
                m = scope.metrics.add(name="http.server.active_requests", unit="{request}", description="Number of active HTTP server requests.")
                m.sum.aggregation_temporality, m.sum.is_monotonic = 2, False
                p = m.sum.data_points.add(as_int=self.r.randrange(200), **times)
            else:
                m = scope.metrics.add(name="jvm.memory.used", unit="By", description="Measure of memory used.")
                labels = {"jvm.memory.type": "heap", "jvm.memory.pool.name": self.r.choice(["G1 Eden Space", "G1 Old Gen", "G1 Survivor Space"])}
                p = m.gauge.data_points.add(as_int=self.r.randrange(10**9), **times)
            self.put(p.attributes, labels)


def batches(kafka, topic):
    """(batches, records, bytes) of each partition in the segments on the disk."""
    found = []
    for folder in sorted((kafka.dir / "data").glob(f"{topic}-[0-9]*")):
        n = records = size = 0
        for segment in folder.glob("*.log"):
            data, at = segment.read_bytes(), 0
            while at + 61 <= len(data) and (length := struct.unpack_from(">i", data, at + 8)[0]) > 0:
                n, records, size = n + 1, records + struct.unpack_from(">i", data, at + 57)[0], size + 12 + length
                at += 12 + length
        found.append((n, records, size))
    return found


def post_all(system, tenant, signal, bodies, connections):
    left, lock = list(bodies), threading.Lock()

    def run():
        c = http.client.HTTPConnection("127.0.0.1", system.port, timeout=60)
        while True:
            with lock:
                if not left:
                    return
                body = left.pop()
            c.request("POST", f"/v1/{signal}", body, {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {system.keys[tenant]}"})
            answer = c.getresponse()
            assert answer.status == 200, (answer.status, answer.read())
            answer.read()

    threads = [threading.Thread(target=run) for _ in range(connections)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def measure(a, kafka, folder, codec, bodies):
    """{(signal, size): (sent bytes, stored bytes, records per batch, cpu seconds, largest and smallest partition)}"""
    name = codec.replace(":", "-")
    kind, _, level = codec.partition(":")
    extra = f'prefix = "{name}"; compression = "{kind}"; compression_level = {level or 0}; {a.settings}'
    system = System(folder / name, brokers=kafka.bootstrap, tenants=[f"t{n}" for n in SIZES], extra={"kafka": extra})
    text = system.conf.read_text()
    system.conf.write_text(text.replace(f'127.0.0.1:{system.port}";', f'127.0.0.1:{system.port}"; tls = false;'))
    for n in SIZES:
        for signal in SIGNALS:
            Client(kafka.bootstrap).create_topic(f"{name}.t{n}.{signal}", 2)
    router = proc.start_tenantry("--config", system.conf, "router", log=folder / f"{name}.log")
    found = {}
    try:
        until(lambda: system.http("/readyz")[0] == 200, 60, "readiness")
        for signal in SIGNALS:
            for n in SIZES:
                before, begun = cpu_seconds(router.pid), time.monotonic()
                post_all(system, f"t{n}", signal, bodies[signal, n], a.connections)
                wall, cpu = time.monotonic() - begun, cpu_seconds(router.pid) - before
                stored = batches(kafka, f"{name}.t{n}.{signal}")
                sent = sum(map(len, bodies[signal, n]))
                per_batch = sum(r for _, r, _ in stored) / max(1, sum(b for b, _, _ in stored))
                found[signal, n] = (sent, sum(s for *_, s in stored), per_batch, cpu)
                print(f"{codec:7} {signal:8}{n:5}: {sent / 1e6:6.2f} MB in {wall:5.2f} s, ratio {sent / found[signal, n][1]:5.2f}, "
                      f"{per_batch:5.1f} records per batch, {cpu:.2f} CPU-s, records by partition {[r for _, r, _ in stored]}", flush=True)  # fmt: skip
    finally:
        router.stop()
    return found


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--items", type=int, default=20_000, help="of each signal and size")
    p.add_argument("--codecs", default=CODECS)
    p.add_argument("--connections", type=int, default=8, help="that send, each one request at a time")
    p.add_argument("--settings", default="", help="more of the kafka group, e.g. 'linger = \"20ms\";'")
    a = p.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tenantry-bench-"))
    bodies = {}
    for signal in SIGNALS:
        for n in SIZES:
            shop = Shop(n)
            bodies[signal, n] = [shop.request(signal, n) for _ in range(a.items // n)]
    kafka = Kafka(heap="1g")
    try:
        results = {codec: measure(a, kafka, folder, codec, bodies) for codec in a.codecs.split(",")}
    finally:
        kafka.stop()
        shutil.rmtree(folder, ignore_errors=True)
    codecs = list(results)
    print("\n| signal | items per request | bytes per request | records per batch | " + " | ".join(codecs) + " |")
    print("|---|---|---|---|" + "---|" * len(codecs))
    for signal in SIGNALS:
        for n in SIZES:
            rows = [results[c][signal, n] for c in codecs]
            cells = [f"{sent / stored:.1f} ({cpu * 1e3 / (sent / 1e6):.0f})" for sent, stored, _, cpu in rows]
            per_batch = statistics.median(row[2] for row in rows)
            print(f"| {signal} | {n} | {rows[0][0] / len(bodies[signal, n]):,.0f} | {per_batch:.0f} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
