"""SDKs in other languages as clients: programs in tests/e2e/clients/, built by tools/clients.

Each reads OTEL_EXPORTER_OTLP_ENDPOINT, _PROTOCOL, _COMPRESSION, _HEADERS, _CERTIFICATE and _TIMEOUT as the
SDK does, and besides
    CLIENT_MARK      goes onto the resource as client.mark
    RECORD_ENDPOINT  an http:// base URL: every batch is given to it first, by an exporter of the same SDK
A line of its standard input is a command:
    rich             one of everything the SDK can make
    logs COUNT SIZE  so many records with a body of so many bytes and attribute seq
    burst RATE SEC   so many spans a second for so many seconds, with attribute seq
After it everything is flushed, and a line of JSON says how each export ended:
    {"exports": [{"signal": "logs", "items": 5, "error": null}, ...]}
What the SDK itself says goes to standard error.
"""

import json
import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import grpc
from opentelemetry._logs import LogRecord

from . import otlp_build as build
from . import proc
from .ports import free_ports
from .sdk import Sdk
from .wire import GRPC_PATHS, bearer

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Way:
    """A language and how it is told to send."""

    language: str
    protocol: str
    compression: str = "none"

    def __str__(self):
        return f"{self.language}-{self.protocol.replace('/', '-')}-{self.compression}"


def launcher(name):
    """Builds it if need be. An SDK that cannot be had fails the test."""
    done = subprocess.run([ROOT / "tools" / "clients", name], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Client:
    def __init__(self, system, way, key, log, mark="", recorder=None, timeout=60, env=None):
        self._log = Path(log)
        settings = {
            "ENDPOINT": system.endpoint,
            "PROTOCOL": way.protocol,
            "COMPRESSION": way.compression,
            "CERTIFICATE": str(system.ca),
            "HEADERS": "Authorization=" + quote(f"Bearer {key}"),
            "TIMEOUT": str(timeout * 1000),
        }
        given = {f"OTEL_EXPORTER_OTLP_{k}": v for k, v in settings.items()}
        given |= {"CLIENT_MARK": mark, **({"RECORD_ENDPOINT": recorder.endpoint} if recorder else {})}
        kept = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_") and "proxy" not in k.lower()}
        self._process = subprocess.Popen(
            [launcher(way.language)], env={**kept, **given, **(env or {})}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self._log, "w"))  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # It may be in the middle of its retries; whatever matters was flushed.
        self._process.kill()
        self._process.wait()

    def do(self, command, timeout=120):
        """The exports it made of it: a list of {signal, items, error}."""
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        bound = threading.Timer(timeout, self._process.kill)
        bound.start()
        try:
            line = self._process.stdout.readline()
        finally:
            bound.cancel()
        assert line, f"the client ended, or was ended after {timeout} s:\n{self.said()}"
        return json.loads(line)["exports"]

    def said(self):
        return self._log.read_text(errors="replace")[-4000:]


_COLLECTOR_HEAD = """
receivers:{receivers}
exporters:{exporters}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:{pipelines}
"""
_RECEIVER = """
  otlp/{n}: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{port}"}}}}}}"""
_EXPORTER = """
  {kind}/{n}:
    endpoint: "{endpoint}"
    encoding: {encoding}
    compression: {compression}
    tls: {{ca_file: "{ca}"}}
    headers: {{x-api-key: "{key}"}}"""
_PIPELINE = """
    {signal}/{n}: {{receivers: [otlp/{n}], exporters: [{kind}/{n}]}}"""


class Collector:
    """One Collector with a pipeline for each (way, key): a receiver of its own and an exporter as a user
    would configure it, with the default queue and retries."""

    def __init__(self, system, ways, folder):
        self._ways = [way for way, _ in ways]
        self._ports = free_ports(len(ways))
        receivers, exporters, pipelines = "", "", ""
        for n, ((way, key), port) in enumerate(zip(ways, self._ports)):
            given = dict(n=n, port=port, ca=system.ca, key=key, compression=way.compression,
                         encoding="json" if way.protocol == "http/json" else "proto")
            if way.protocol == "grpc":
                given |= dict(kind="otlp_grpc", endpoint=system.endpoint.removeprefix("https://"))
                exporters += _EXPORTER.replace("    encoding: {encoding}\n", "").format(**given)
            else:
                given |= dict(kind="otlp_http", endpoint=system.endpoint)
                exporters += _EXPORTER.format(**given)
            receivers += _RECEIVER.format(**given)
            pipelines += "".join(_PIPELINE.format(signal=s, **given) for s in ("traces", "metrics", "logs"))
        config = Path(folder) / "collector.yaml"
        config.write_text(_COLLECTOR_HEAD.format(receivers=receivers, exporters=exporters, pipelines=pipelines))
        self.process = proc.Process([launcher("collector"), "--config", config],
                                    Path(folder) / "collector.log", "collector")
        try:
            self.process.wait_log("Everything is ready", 60)
        except BaseException:
            self.process.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()

    def send(self, way, signal, message):
        """Hands a message to the pipeline of that way; its receiver takes it at once."""
        n = self._ways.index(way)
        with grpc.insecure_channel(f"127.0.0.1:{self._ports[n]}", [("grpc.enable_http_proxy", 0)]) as channel:
            call = channel.unary_unary(GRPC_PATHS[signal], lambda m: m.SerializeToString(), lambda m: m)
            call(message, timeout=30)


class PythonClient:
    """The Python SDK with the interface of Client."""

    def __init__(self, system, way, key, log=None, mark="", timeout=60, **_):
        self._sdk = Sdk(system.endpoint, way.protocol, way.compression, system.ca, bearer(key),
                        {"client.mark": mark}, timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._sdk.shutdown()

    def do(self, command, timeout=120):
        """Reports the last attempt alone: earlier ones of the same batch were repeated."""
        name, *numbers = command.split()
        before = len(self._sdk.attempts)
        {"logs": self._logs, "burst": self._burst}[name](*map(int, numbers))
        self._sdk.flush(timeout)
        last = self._sdk.attempts[before:][-1]
        return [{"signal": last.signal, "items": int(numbers[0]), "error": None if last.ok else last.status}]

    def _logs(self, count, size):
        for seq in range(count):
            self._sdk.logger.emit(LogRecord(timestamp=time.time_ns(), body="x" * size, attributes={"seq": seq}))

    def _burst(self, rate, seconds):
        start, seq = time.monotonic(), 0
        while seq < rate * seconds:
            due = min(rate * seconds, rate * (time.monotonic() - start))
            while seq < due:
                self._sdk.tracer.start_span("burst", attributes={"seq": seq}).end()
                seq += 1
            time.sleep(0.02)

    def said(self):
        return [a.status for a in self._sdk.attempts]


class CollectorClient(Collector):
    """A Collector with one pipeline, with the interface of Client."""

    def __init__(self, system, way, key, log, mark="", **_):
        self._way, self._mark = way, mark
        folder = Path(log).with_suffix("")
        folder.mkdir()
        super().__init__(system, [(way, key)], folder)

    def do(self, command, timeout=120):
        """Until it says that it dropped the data; with success it says nothing, and this returns after
        timeout at the latest, or when it is stopped."""
        name, count, size = command.split()
        assert name == "logs"
        records = [build.log("x" * int(size), {"seq": seq}) for seq in range(int(count))]
        self.send(self._way, "logs", build.logs_request(records, build.resource({"client.mark": self._mark})))
        return []

    def dropped(self):
        return "Dropping data" in self.process.output()

    def said(self):
        return self.process.tail()


def connect(system, way, key, log, **options):
    """The client of that language."""
    kind = {"python": PythonClient, "collector": CollectorClient}.get(way.language, Client)
    return kind(system, way, key, log, **options)


def together(ways, work):
    """work(way) for all at once: each mostly waits."""
    failures = []

    def run(way):
        try:
            work(way)
        except BaseException as e:
            failures.append((way, e))

    threads = [threading.Thread(target=run, args=(way,), daemon=True) for way in ways]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for way, e in failures:
        print(f"{way}: {e}")
    if failures:
        raise failures[0][1]
