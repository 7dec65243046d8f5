"""Done when 3: another HTTP/2 client at its extremes: windows of one byte, 100 streams at once, 1,000
connections. Every request is answered as it should be, and what was accepted stands in the database once."""

import re
import subprocess

import pytest

from support import otlp_build as build
from support.system import System
from support.wait import until
from support.wire import GRPC_PATHS, PROTOBUF, frame, warm_up


@pytest.fixture(scope="module")
def system(kafka, tmp_path_factory):
    system = System(
        tmp_path_factory.mktemp("h2load"), brokers=kafka.bootstrap, tenants=("acme",),
        # Whatever the machine's pace: 1,000 handshakes and their requests take as long as they take.
        extra={"kafka": 'prefix = "h2load";',
               "router": 'handshake_timeout = "4m"; header_timeout = "4m"; body_timeout = "4m";'
                         ' answer_timeout = "1m";'})  # fmt: skip
    system.up()
    warm_up(system, "acme")
    until(lambda: system.count("acme", ["otel_logs"]) == 1, 30, "the row of the warm-up")
    system.expected = 1
    yield system
    system.end()


LOGS = build.logs_request([build.log("from h2load")]).SerializeToString()
JSON = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","body":{"stringValue":"x"}}]}]}]}'

# The answers: only headers, two bytes, a framed message between headers and trailers.
KINDS = {
    "protobuf": ("/v1/logs", LOGS, {"content-type": PROTOBUF}),
    "json": ("/v1/logs", JSON, {"content-type": "application/json"}),
    "grpc": (GRPC_PATHS["logs"], frame(LOGS), {"content-type": "application/grpc", "te": "trailers"}),
}


def run(system, tmp_path, kind, requests, *options, key=None):
    """Runs h2load to its end: requests that were answered in full, answers by class of status."""
    path, body, headers = KINDS[kind]
    data = tmp_path / "body"
    data.write_bytes(body)
    headers = {**headers, "x-api-key": key or system.keys["acme"]}
    argv = ["prlimit", "--nofile=4096", "h2load", "--npn-list=h2", "-n", requests, "-t", 1, "-d", data,
            *options, *[f"-H{n}: {v}" for n, v in headers.items()], f"{system.endpoint}{path}"]
    ended = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=240)
    told = ended.stdout
    assert ended.returncode == 0, ended.stderr + told
    print(*re.findall(r"^(?:finished|requests|status codes).*", told, re.M), sep="\n")
    total = re.search(r"requests: (\d+) total, (\d+) started, (\d+) done", told)
    assert int(total[1]) == requests, told
    codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", told)
    return int(total[3]), dict(zip(("2xx", "3xx", "4xx", "5xx"), map(int, codes.groups())))


def h2load(system, tmp_path, kind, requests, *options, key=None):
    """The same where every request has to be answered in full."""
    done, answers = run(system, tmp_path, kind, requests, *options, key=key)
    assert done == requests
    return answers


def http2_cut(system):
    found = re.search(r'^tenantry_router_http2_cut_total\{reason="control_frames"\} (\d+)', system.http("/metrics")[1], re.M)
    return int(found[1]) if found else 0


def all_taken(system, answers, requests):
    """Each was accepted, and stands in the database once."""
    assert answers == {"2xx": requests, "3xx": 0, "4xx": 0, "5xx": 0}
    system.expected += requests
    until(lambda: system.count("acme", ["otel_logs"]) >= system.expected, 60, "the rows")
    assert system.count("acme", ["otel_logs"]) == system.expected


@pytest.mark.parametrize("kind", KINDS)
def test_windows_of_one_byte(system, tmp_path, kind):
    """Each answer leaves byte by byte, on 100 streams of each connection."""
    requests = 1000
    all_taken(system, h2load(system, tmp_path, kind, requests, "-c", 4, "-m", 100, "-w", 1), requests)


def test_a_refusal_through_windows_of_one_byte(system, tmp_path):
    """Its body needs a window update for each byte."""
    answers = h2load(system, tmp_path, "protobuf", 10, "-c", 2, "-m", 5, "-w", 1, key="tnt_wrong")
    assert answers == {"2xx": 0, "3xx": 0, "4xx": 10, "5xx": 0}


def test_thousands_of_window_updates_for_nothing_are_cut(system, tmp_path):
    """Without a good key that is an attack (router/http/http2_guard.h); who behaves is served as before."""
    cut = http2_cut(system)
    done, _ = run(system, tmp_path, "protobuf", 400, "-c", 2, "-m", 100, "-w", 1, key="tnt_wrong")
    assert done < 400 and http2_cut(system) > cut
    all_taken(system, h2load(system, tmp_path, "grpc", 100, "-c", 2, "-m", 100), 100)


def test_a_hundred_streams_at_once(system, tmp_path):
    """R46, R290."""
    requests = 5000
    all_taken(system, h2load(system, tmp_path, "grpc", requests, "-c", 2, "-m", 100), requests)


def test_a_thousand_connections(system, tmp_path):
    """R291."""
    requests = 3000
    all_taken(system, h2load(system, tmp_path, "protobuf", requests, "-c", 1000, "-m", 2), requests)
