"""A PostgreSQL server of Debian's package, in a folder of its own, and a System whose tenants write to it."""

import contextlib
import glob
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
from pathlib import Path

import pg8000.dbapi

from . import oracle
from .ports import free_port
from .proc import Process
from .system import ALL_TABLES, ATTRIBUTES, System
from .wait import until

_NOBODY = 65534  # the server refuses to run as root
_ADMIN, _PASSWORD = "postgres", "admin-secret"


def _programs():
    """The newest there is."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[4]))
    if not found:
        raise RuntimeError("PostgreSQL isn't installed; run tools/deps, then this again")
    return Path(found[-1])


def _as_somebody():
    return ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "--"] if os.geteuid() == 0 else []


class Postgres:
    """`options` are settings of postgresql.conf. With `tls`, a pair of PEM files, it speaks TLS alone."""

    def __init__(self, options=None, tls=None):
        self.folder = Path(tempfile.mkdtemp(prefix="tenantry-postgres-"))
        self.port = free_port()
        self.data = self.folder / "data"
        self.options = {"fsync": "off", "max_connections": "50", **(options or {})}
        self.process = None
        if os.geteuid() == 0:
            os.chown(self.folder, _NOBODY, _NOBODY)
        self._init(tls)

    def _init(self, tls):
        secret = self.folder / "password"
        secret.write_text(_PASSWORD)
        secret.chmod(0o644)
        subprocess.run([*_as_somebody(), _programs() / "initdb", "-D", self.data, "-U", _ADMIN, "--no-sync", "-E", "UTF8",
                        "--locale=C", "--auth=scram-sha-256", "--pwfile", secret], check=True, capture_output=True,
                       cwd=self.folder)
        lines = [f"{k} = '{v}'" for k, v in self.options.items()]
        if tls:
            for source, name in zip(tls, ("server.crt", "server.key")):
                shutil.copy(source, self.data / name)
                (self.data / name).chmod(0o600)
                if os.geteuid() == 0:
                    os.chown(self.data / name, _NOBODY, _NOBODY)
            lines.append("ssl = on")
            (self.data / "pg_hba.conf").write_text("hostssl all all all scram-sha-256\n")
        self.tls = bool(tls)
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write("\n".join(lines) + "\n")

    # -- its life

    def start(self):
        """Waits until it takes statements. After a kill -9 its children need a moment to go."""
        def up():
            if self.process is None or not self.process.alive:
                self.process = Process(
                    [*_as_somebody(), _programs() / "postgres", "-D", self.data, "-p", str(self.port), "-h", "127.0.0.1",
                     "-k", self.folder], self.folder / "log", "postgres", cwd=self.folder)
            with contextlib.suppress(Exception):
                return self.query("SELECT 1") is not None

        until(up, 120, "PostgreSQL")
        return self

    def kill9(self):
        self.process.kill9()

    def pause(self):
        """SIGSTOP of all of it: connections stay open, and nobody answers."""
        self._signal_all(signal.SIGSTOP)

    def resume(self):
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number):
        for pid in [self.process.pid, *self.process.children()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self):
        if self.process is not None and self.process.alive:
            self.resume()
            self.process.signal(signal.SIGQUIT)
            self.process.wait_exit(60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    # -- what stands in it

    @property
    def url(self):
        return f"postgresql://127.0.0.1:{self.port}"

    def query(self, sql, *values, database="postgres"):
        """The rows, as the administrator; [] of a statement without any."""
        context = None
        if self.tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with contextlib.closing(pg8000.dbapi.connect(
                _ADMIN, host="127.0.0.1", port=self.port, password=_PASSWORD, database=database, timeout=60,
                ssl_context=context)) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(sql, values)
            return [list(r) for r in cursor.fetchall()] if cursor.description else []

    def add_user(self, name, password):
        self.query(f"CREATE ROLE \"{name}\" LOGIN PASSWORD '{password}'")
        self.query(f'CREATE DATABASE "{name}" OWNER "{name}"')


class PostgresSystem(System):
    """Its tenants have a user and a database of their name at one server."""

    def __init__(self, folder, server, brokers=None, tenants=("acme", "beta"), extra=None, timeout=None):
        self.server, self.timeout = server, timeout
        super().__init__(folder, brokers, tenants, extra)

    def add_tenant(self, tenant, *args):
        secret = self.folder / f"{tenant}.password"
        secret.write_text(f"secret-{tenant}\n")
        self.server.add_user(tenant, f"secret-{tenant}")
        super().add_tenant(
            tenant, "--database-kind", "postgres", "--database-url", self.server.url, "--database-password-file", secret,
            "--database-tls", "disable", *args)
        if self.timeout:
            path = self.folder / "tenants.d" / f"{tenant}.conf"
            path.write_text(path.read_text().replace("database: {", f'database: {{ timeout = "{self.timeout}";'))

    def sql(self, tenant, query, *values):
        try:
            return self.server.query(query, *values, database=tenant)
        except pg8000.dbapi.DatabaseError as e:
            if e.args[0].get("C") == "42P01":  # its worker has not made it yet
                return []
            raise

    def count(self, tenant, tables=ALL_TABLES):
        rows = self.sql(tenant, "SELECT " + "+".join(f"(SELECT count(*) FROM {t})" for t in tables))
        return rows[0][0] if rows else 0

    def stamps(self, tenant):
        for table in ALL_TABLES:
            a = f'"{ATTRIBUTES.get(table, "Attributes")}"'
            yield from self.sql(tenant, f"""SELECT {a}->>'tenantry.run', ({a}->>'tenantry.attempt')::bigint,
                ({a}->>'tenantry.seq')::bigint, count(*) FROM {table} GROUP BY 1, 2, 3""")

    def oracle_rows(self, tenant):
        """In the form of oracle.py."""
        found = {}
        for table in ALL_TABLES:
            columns = self.sql(tenant, f"""SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
                WHERE attrelid = to_regclass('{table}') AND attnum > 0 ORDER BY attnum""")
            some = self.sql(tenant, f"SELECT {', '.join(_selected(*c) for c in columns)} FROM {table}") if columns else []
            if some:
                found[table] = [_native(columns, row) for row in some]
        return found

    def as_stored(self, expected):
        """What the columns cannot hold of the expected rows: the nanoseconds of a second time."""
        for rows in expected.values():
            for row in rows:
                if "StartTimeUnix" in row:
                    row["StartTimeUnix"] -= row["StartTimeUnix"] % 1000
        return expected


def _selected(name, kind):
    if kind == "timestamp with time zone":
        return f'(extract(epoch FROM "{name}") * 1000000)::bigint * 1000'
    return f'"{name}"::text' if kind in ("jsonb", "numeric") else f'"{name}"'


def _whole(digits):
    """jsonb keeps decimal digits: a double of 300 of them is to be one again."""
    return int(digits) if len(digits) <= 20 else float(digits)


def _native(columns, values):
    row = {}
    for (name, kind), v in zip(columns, values):
        if kind == "jsonb":
            v = json.loads(v, parse_int=_whole)
        elif kind == "numeric" and v is not None:
            v = int(v)
        elif kind == "double precision" and v is not None:
            v = oracle.double(v)
        row[name] = v
    if row.pop("ValueInt", None) is not None:
        row["Value"] = values[[name for name, _ in columns].index("ValueInt")]
    row["TimeUnix" if "TimeUnix" in row else "Timestamp"] += row.pop("_ns")
    return row
