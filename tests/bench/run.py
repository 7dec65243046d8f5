"""Many tenants (bench_keys), then the first benchmark: what the router and the consumer cost for one thing, log records in big requests
(1,000 records × 12 attributes, gRPC). CPU time is our process's own (user + system), by /proc; broker and
sender are apart. Variants run in turns in one run, so that a drifting machine hits all alike.

    tools/bench [--records N] [--rounds N] [--smoke]
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from support import proc
from support.kafka import Client, Kafka
from support.system import System
from support.wait import until

BATCH = 1000
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def peak_rss_mib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


class Bench:
    def __init__(self, folder, bin_folder, records):
        self.folder, self.bin_folder, self.records = folder, bin_folder, records
        self.kafka = Kafka(heap="1g")
        self.results = []

    def system(self, name, compression):
        return System(self.folder / name, brokers=self.kafka.bootstrap, tenants=("acme",),
                      extra={"kafka": f'compression = "{compression}";',
                             "log": 'level = "warn";'})

    def topics(self):
        client = Client(self.kafka.bootstrap)
        for topic in ("traces", "metrics", "logs"):
            client.create_topic(f"otlp.acme.{topic}", 2)
        client.create_topic("otlp.acme.dlq", 1)
        return client

    def send(self, system, records, insecure):
        endpoint = system.endpoint.replace("https", "http") if insecure else system.endpoint
        how = ["--insecure"] if insecure else ["--ca", str(system.ca)]
        out = proc.run_tenantry(
            "send", "--endpoint", endpoint, *how, "--key", system.keys["acme"], "--signal", "logs",
            "--count", str(records), "--batch", str(BATCH), "--attributes", "10", "--concurrency", "32",
            "--connections", "2", "--json", timeout=600, check=False)
        return json.loads(out.stdout)

    def router(self, name, argv, system, insecure):
        """One round: warm up, then the counted records."""
        router = proc.Process(argv, log=self.folder / f"{name}.log", name=name)
        try:
            until(lambda: _listens(system.port), 30, f"{name} to listen")
            self.send(system, BATCH * 20, insecure)
            before = cpu_seconds(router.pid)
            report = self.send(system, self.records, insecure)
            cpu = cpu_seconds(router.pid) - before
            assert report["acked"] == self.records, report
            self.note(name, self.records, cpu, report["seconds"], peak_rss_mib(router.pid))
        finally:
            router.stop()

    def consumer(self, system, client, name="consumer, to SQLite"):
        """Drains what the rounds before left in Kafka."""
        waiting = sum(client.end_offsets("otlp.acme.logs").values()) * BATCH
        import time
        started = time.monotonic()
        worker = proc.start_tenantry("--config", system.conf, "consumer", "acme",
                                     "--brokers", self.kafka.bootstrap, log=self.folder / "consumer.log")
        try:
            until(lambda: system.count("acme", ["otel_logs"]) >= waiting, 900, "all rows")
            self.note(name, waiting, cpu_seconds(worker.pid), time.monotonic() - started,
                      peak_rss_mib(worker.pid))
        finally:
            worker.stop()

    def note(self, name, records, cpu, wall, rss):
        cpu = max(cpu, 1 / TICK)  # a few records on a fast machine take less than the clock tells
        row = {"name": name, "records": records, "cpu_s": round(cpu, 3), "wall_s": round(wall, 3),
               "records_per_cpu_s": round(records / cpu),
               "cpu_s_per_million": round(cpu / records * 1e6, 3), "peak_rss_mib": round(rss, 1)}
        self.results.append(row)
        print(json.dumps(row), flush=True)

    def table(self):
        by_name = {}
        for r in self.results:
            by_name.setdefault(r["name"], []).append(r)
        print("\n| what | records per CPU-second | CPU-s per million | wall s | peak RSS MiB |\n|---|---|---|---|---|")
        for name, rows in by_name.items():
            m = {k: statistics.median(r[k] for r in rows)
                 for k in ("records_per_cpu_s", "cpu_s_per_million", "wall_s", "peak_rss_mib")}
            print(f"| {name} | {m['records_per_cpu_s']:,.0f} | {m['cpu_s_per_million']:.2f} | {m['wall_s']:.1f}"
                  f" | {m['peak_rss_mib']:.0f} |")


def _listens(port):
    import socket
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def plain(system):
    """The same system with a plaintext listener."""
    text = system.conf.read_text().replace("127.0.0.1:%d\";" % system.port, "127.0.0.1:%d\"; tls = false;" % system.port)
    conf = system.conf.with_name("plain.conf")
    conf.write_text(text)
    return conf


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--records", type=int, default=500_000)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--smoke", action="store_true", help="does it work at all: few records, one round")
    a = p.parse_args()
    if a.smoke:
        a.records, a.rounds = 20_000, 1
    folder = Path(tempfile.mkdtemp(prefix="tenantry-bench-"))
    tenantry = proc.tenantry_bin()
    discard = Path(tenantry).parent / "tests" / "bench" / "router_discard"
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
    print(f"{platform.platform()}, {os.cpu_count()} cores, {cpu}; {a.records} records a round, {a.rounds} rounds")
    keys = Path(tenantry).parent / "tests" / "bench" / "bench_keys"
    subprocess.run([keys, "200" if a.smoke else "10000"], check=True, timeout=600)
    b = Bench(folder, Path(tenantry).parent, a.records)
    try:
        client = b.topics()
        systems = {c: b.system(c, c) for c in ("none", "lz4")}
        for _ in range(a.rounds):
            for c, system in systems.items():
                for insecure in (True, False):
                    conf = plain(system) if insecure else system.conf
                    wire = "plain" if insecure else "TLS"
                    if c == "none":
                        b.router(f"router, {wire}, discarding", [discard, conf], system, insecure)
                    b.router(f"router, {wire}, Kafka {c}",
                             [tenantry, "--config", conf, "router", "--brokers", b.kafka.bootstrap],
                             system, insecure)
        b.consumer(systems["lz4"], client)
        b.table()
    finally:
        b.kafka.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
