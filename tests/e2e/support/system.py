"""A whole Tenantry in a folder: config, certificates, tenants, keys, `tenantry up`, their databases."""

import json
import re
import sqlite3
import urllib.error
import urllib.request
import weakref
from pathlib import Path

from .ports import free_ports
from .proc import child_pids, command_line, run_tenantry, start_tenantry
from .wait import until

TABLES = {
    "logs": ["otel_logs"],
    "traces": ["otel_traces"],
    "metrics": [
        "otel_metrics_gauge",
        "otel_metrics_sum",
        "otel_metrics_histogram",
        "otel_metrics_exponential_histogram",
        "otel_metrics_summary",
    ],
}
ALL_TABLES = [t for tables in TABLES.values() for t in tables]

# The column that holds an item's own attributes.
ATTRIBUTES = {"otel_logs": "LogAttributes", "otel_traces": "SpanAttributes"}


class System:
    """Makes the folder at once; `up()` starts it. `extra` is config text per group, e.g.
    {"consumer": 'batch_age = "100ms";'}. Without brokers it runs its own Kafka."""

    made = weakref.WeakSet()  # a failed test shows what they counted

    # Where the router listens, and what comes before a sender's program: a network of their own.
    host, send_prefix = "127.0.0.1", ()

    def __init__(self, folder, brokers=None, tenants=("acme", "beta"), extra=None, env=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, self.admin_port = free_ports(2)
        self.env = dict(env or {})
        self.process = None
        System.made.add(self)
        self.starts = 0
        self.keys = {}
        self.conf = self.folder / "tenantry.conf"
        self.write_conf(brokers, extra or {})
        self.cli("certs", "dev", "--folder", self.folder / "certs", *(["--name", self.host] if self.host != "127.0.0.1" else []))
        for tenant in tenants:
            self.add_tenant(tenant)

    def write_conf(self, brokers, extra):
        groups = {
            "router": f'listen = ( {{ address = "{self.host}:{self.port}"; }} ); threads = 2;'
            f' admin = "{self.host}:{self.admin_port}";'
            ' certificate = "certs/server.pem"; private_key = "certs/server.key";',
            "kafka": f'brokers = "{brokers or ""}";',
            "consumer": 'batch_age = "200ms"; status_interval = "200ms";',
            "supervisor": 'backoff_max = "300ms";',
        }
        for name, text in extra.items():
            groups[name] = groups.get(name, "") + " " + text
        lines = [f"{name}: {{ {text} }};" for name, text in groups.items()]
        self.conf.write_text("\n".join(lines) + "\n")

    # -- commands

    def cli(self, *args, check=True, timeout=120, env=None):
        return run_tenantry("--config", self.conf, *args, check=check, timeout=timeout, env=env)

    def add_tenant(self, tenant, *args):
        self.cli("tenant", "add", tenant, *args)
        self.keys[tenant] = self.issue_key(tenant)

    def issue_key(self, tenant, *args):
        out = self.cli("key", "issue", tenant, "--json", *args).stdout
        return json.loads(out)["key"]

    # -- processes

    def up(self, env=None, ready=True):
        self.starts += 1
        self.process = start_tenantry(
            "--config", self.conf, "up",
            log=self.folder / f"up-{self.starts}.log", name="tenantry up",
            env={**self.env, **(env or {})}, cwd=self.folder,
        )
        if ready:
            self.wait_ready()
        return self.process

    def wait_ready(self, timeout=180):
        def ready():
            if not self.process.alive:
                raise RuntimeError(f"tenantry up ended: {self.process.tail()}")
            return self.http("/readyz")[0] == 200

        until(ready, timeout, "readiness of tenantry up")

    def down(self, timeout=120):
        if self.process and self.process.alive:
            return self.process.terminate(timeout)

    def end(self, timeout=120):
        """Ends it, and checks that no process of it ended out of order or had a sanitizer complain."""
        code = self.process.terminate(timeout)
        said = self.process.output()
        bad = [line for line in said.splitlines() if re.search(
            r"ERROR: \w+Sanitizer|runtime error:|process ended|end=(?!\"exit code 0\")", line)]
        assert code == 0 and not bad, f"tenantry up ended with {code}\n" + "\n".join(bad)

    def http(self, path):
        """Status and body of an admin path; (0, "") when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://{self.host}:{self.admin_port}{path}", timeout=5) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()
        except OSError:
            return 0, ""

    def counters(self):
        """The metrics that are not 0, without histograms and help."""
        lines = self.http("/metrics")[1].splitlines()
        return "\n".join(line for line in lines if not line.startswith("#")
                         and not line.endswith(" 0") and "_bucket{" not in line)[:8000]

    def child(self, text):
        """The pid of the child of `up` whose command line contains the text, None without one."""
        for pid in child_pids(self.process.pid):
            if text in command_line(pid):
                return pid
        return None

    # -- data

    @property
    def endpoint(self):
        return f"https://{self.host.replace('127.0.0.1', 'localhost')}:{self.port}"

    @property
    def ca(self):
        return self.folder / "certs" / "ca.pem"

    def database(self, tenant):
        return self.folder / "state" / "databases" / f"{tenant}.db"

    def sql(self, tenant, query, *values):
        path = self.database(tenant)
        if not path.exists():
            return []
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20) as db:
            db.row_factory = sqlite3.Row
            try:
                return db.execute(query, values).fetchall()
            except sqlite3.OperationalError as e:
                if "no such table" in str(e):  # its worker has not made it yet
                    return []
                raise

    def rows(self, tenant, table):
        return [dict(r) for r in self.sql(tenant, f"SELECT * FROM {table}")]

    def stamps(self, tenant):
        """run, attempt, seq and number of the rows of stamped items."""
        for table in ALL_TABLES:
            column = ATTRIBUTES.get(table, "Attributes")
            yield from self.sql(
                tenant,
                f"""SELECT json_extract({column}, '$."tenantry.run"'),
                           json_extract({column}, '$."tenantry.attempt"'),
                           json_extract({column}, '$."tenantry.seq"'), count(*)
                    FROM {table} GROUP BY 1, 2, 3""",
            )

    def count(self, tenant, tables=ALL_TABLES):
        try:
            return sum(self.sql(tenant, f"SELECT count(*) FROM {t}")[0][0] for t in tables)
        except (sqlite3.OperationalError, IndexError):  # not made yet
            return 0

    def send(self, tenant, signal, count, *args, protocol="grpc", timeout=120, check=True):
        """One run of `tenantry send`, over TLS."""
        return run_tenantry(*self.send_args(tenant, signal, count, protocol), *args,
                            timeout=timeout, check=check)

    def send_args(self, tenant, signal, count=None, protocol=None, key=None):
        args = ["send", "--endpoint", self.endpoint, "--ca", str(self.ca), "--key", key or self.keys[tenant],
                "--signal", signal]
        args += ["--count", str(count)] if count is not None else []
        return args + (["--protocol", protocol] if protocol else [])
