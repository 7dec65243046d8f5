"""Workers of some tenants at a Kafka, without router and supervisor: their records are produced raw, so that a
test decides each byte and header, and every item's body is a name of its own, so that rows can be counted."""

import collections
import contextlib
import json
import os
import sqlite3
import time
from pathlib import Path

from . import otlp_build
from .kafka import Client
from .proc import Process, tenantry_bin
from .system import ALL_TABLES
from .wait import until

SIGNALS = ("traces", "metrics", "logs")
NOBODY = 65534


class Site:
    """A folder with tenantry.conf. `extra` is config text per group."""

    def __init__(self, folder, kafka, extra=None, batch_age="100ms"):
        self.folder = Path(folder)
        (self.folder / "tenants.d").mkdir(parents=True)
        self.client = Client(kafka.bootstrap)
        groups = {
            "kafka": f'brokers = "{kafka.bootstrap}";',
            "consumer": f'batch_age = "{batch_age}"; status_interval = "100ms";',
        }
        for name, text in (extra or {}).items():
            groups[name] = groups.get(name, "") + " " + text
        self.conf = self.folder / "tenantry.conf"
        self.conf.write_text("".join(f"{n}: {{ {text} }};\n" for n, text in groups.items()))
        self.processes = []

    def tenant(self, name, partitions=2, text='retry: { backoff_max = "200ms"; };'):
        return Tenant(self, name, partitions, text)

    def stop(self):
        for process in reversed(self.processes):
            process.stop()


class Tenant:
    """Its file, topics, worker, database; and what was sent to it."""

    def __init__(self, site, name, partitions, text):
        self.site, self.name, self.partitions = site, name, partitions
        self.sent = collections.Counter()
        self.serial = 0
        self.configure(text)
        self.make_topics()

    def configure(self, text):
        """Writes its file; a worker reads it at its start."""
        (self.site.folder / "tenants.d" / f"{self.name}.conf").write_text(
            f'tenant: {{ id = "{self.name}"; database: {{ path = "databases/{self.name}/rows.db"; }}; {text} }};\n'
        )

    # -- Kafka

    def topic(self, signal="logs"):
        return f"otlp.{self.name}.{signal}"

    @property
    def dlq(self):
        return self.topic("dlq")

    def make_topics(self, signals=SIGNALS, dlq=True):
        for signal in signals:
            self.site.client.create_topic(self.topic(signal), self.partitions)
        if dlq:
            self.site.client.create_topic(self.dlq, 1)

    def recreate(self, records, items=5, **options):
        """The logs topic anew, with so many records in partition 0 at once."""
        self.site.client.delete_topic(self.topic())
        self.site.client.create_topic(self.topic(), self.partitions)
        if records:
            self.send(records, items, partition=0, **options)

    def headers(self, items, **other):
        """Of our record contract; other=None leaves one out."""
        given = {
            "v": "1",
            "tenant": self.name,
            "key": "k1",
            "received_ns": time.time_ns(),
            "items": items,
            **other,
        }
        return [(f"tenantry.{k}", str(v).encode()) for k, v in given.items() if v is not None]

    def value(self, items, fill=""):
        """A request of so many log records with names of their own, and the names."""
        self.serial += 1
        names = [f"{self.name}-{os.getpid()}-{self.serial}-{i}" for i in range(items)]
        records = [otlp_build.log(n, {"fill": fill, "list": [1, {"x": None}]}) for n in names]
        return otlp_build.logs_request(records).SerializeToString(), names

    def send(self, records, items=5, fill="", partition=None, **headers):
        """So many records; what they hold must arrive."""
        made = [self.value(items, fill) for _ in range(records)]
        where = self.site.client.produce_all(
            self.topic(), [v for v, _ in made], None, self.headers(items, **headers), partition
        )
        for _, names in made:
            self.sent.update(names)
        return where

    # -- the worker

    def start(self, instance="main", env=None, user=None, binary=None):
        argv = [binary or tenantry_bin(), "consumer", self.name, "--config", self.site.conf]
        argv += ["--instance", instance]
        if user is not None:
            argv = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups",
                    "--pdeathsig", "KILL", "--", *argv]  # fmt: skip
        log = self.site.folder / f"worker-{self.name}-{len(self.site.processes)}.log"
        process = Process(argv, log, f"worker {self.name} {instance}", env, self.site.folder)
        self.site.processes.append(process)
        return process

    def status(self):
        """What the worker told last; {} when there is no worker."""
        try:
            return json.loads((self.site.folder / f"state/run/consumer-{self.name}.json").read_text())
        except FileNotFoundError:
            return {}

    def state(self):
        return self.status().get("state")

    def lag_seconds(self):
        return max((u.get("lag_seconds", 0) for u in self.status().get("units", [])), default=0)

    def lag_records(self):
        return sum(u.get("lag_records", 0) for u in self.status().get("units", []))

    def total(self, name):
        return sum(u[name] for u in self.status().get("units", []))

    # -- the database

    @property
    def database(self):
        """In a folder of its own, so that a test can take that away."""
        return self.site.folder / "state" / "databases" / self.name / "rows.db"

    def sql(self, query, *values):
        if not self.database.exists():
            return []
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=20)) as db:
                return db.execute(query, values).fetchall()
        except sqlite3.OperationalError as e:  # its tables are not made yet
            if "no such table" in str(e) or "unable to open" in str(e):
                return []
            raise

    def change(self, statement):
        with contextlib.closing(sqlite3.connect(self.database, timeout=20)) as db:
            db.execute(statement)
            db.commit()

    def stored(self):
        return collections.Counter(body for (body,) in self.sql("SELECT Body FROM otel_logs"))

    def count(self):
        rows = self.sql("SELECT " + "+".join(f"(SELECT count(*) FROM {t})" for t in ALL_TABLES))
        return rows[0][0] if rows else 0

    def progress(self):
        """Sums over all units, generations too."""
        columns = ("records", "items", "dlq_records", "lost_records", "gaps")
        sums = ",".join(f"coalesce(sum({c}),0)" for c in columns)
        rows = self.sql(f"SELECT {sums} FROM tenantry_progress")
        return dict(zip(columns, rows[0])) if rows else dict.fromkeys(columns, 0)

    def generations(self):
        """Of the logs topic, by cluster."""
        return self.sql(
            "SELECT cluster, max(generation) FROM tenantry_source WHERE topic = ? GROUP BY 1", self.topic()
        )

    # -- the verdict

    def verdict(self):
        stored = self.stored()
        missing = sum((self.sent - stored).values())
        double = sum(n - 1 for n in stored.values() if n > 1)
        stray = sum(n for name, n in stored.items() if name not in self.sent)
        return missing, double, stray

    def wait_exact(self, timeout=60):
        """Everything sent stands there, exactly once."""
        until(lambda: self.verdict()[0] == 0, timeout,
              lambda: f"all rows of {self.name}: missing, double, stray = {self.verdict()}; {self.status()}")  # fmt: skip
        assert self.verdict() == (0, 0, 0)

    def books(self):
        """The invariant of every unit: next = first + records + dead letters + lost + gaps."""
        return self.sql(
            "SELECT * FROM tenantry_progress WHERE next != first + records + dlq_records + lost_records + gaps"
        )

