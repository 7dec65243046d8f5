"""`tenantry send` against far sides that answer as told (what is on the wire, what is sent again,
what is said about it at the end) and against the real router."""

import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from support.attempts import judge, read_journals, stored
from support.otlp_server import Answer, OtlpServer
from support.ports import free_port
from support.proc import run_tenantry
from support.system import System
from support.wait import until

PROTOCOLS = ["grpc", "http/protobuf"]
SIGNALS = ["logs", "metrics", "traces"]
RETRY = {"grpc": 14, "http/protobuf": 503}
REFUSE = {"grpc": 3, "http/protobuf": 400}


@dataclass(frozen=True)
class Sent:
    code: int
    summary: dict
    attempts: list  # the lines of the attempts file

    def done(self):
        return [line for line in self.attempts if line["event"] == "done"]


@pytest.fixture
def send(tmp_path):
    """Runs `tenantry send ARGS...` to its end."""

    def run(server, protocol, *args, env=None):
        file = tmp_path / "attempts.jsonl"
        done = run_tenantry(
            "send", "--endpoint", server.endpoint, "--protocol", protocol, "--json",
            "--attempts", file, *args, check=False, env=env,
        )  # fmt: skip
        assert done.returncode in (0, 1), done.stderr
        return Sent(done.returncode, json.loads(done.stdout), lines(file))

    return run


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def items(request):
    """The attributes of every item, as a dict of native values."""
    if request.signal == "logs":
        found = [
            log
            for resource in request.message.resource_logs
            for scope in resource.scope_logs
            for log in scope.log_records
        ]
    elif request.signal == "traces":
        found = [
            span
            for resource in request.message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
    else:
        found = [
            point
            for resource in request.message.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in getattr(metric, metric.WhichOneof("data")).data_points
        ]
    return [
        {kv.key: getattr(kv.value, kv.value.WhichOneof("value")) for kv in item.attributes}
        for item in found
    ]


def stamps(request):
    return [
        (item["tenantry.run"], item["tenantry.attempt"], item["tenantry.seq"])
        for item in items(request)
    ]


@pytest.mark.parametrize("extra", [[], ["--gzip"]], ids=["plain", "gzip"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_item_arrives_once(send, protocol, extra):
    with OtlpServer(protocol) as server:
        sent = send(
            server, protocol, "--signal", "all", "--count", 250, "--batch", 20, "--run", "r1",
            "--key", "tnt_x", "--attribute", "team=blue", "--attributes", 12, *extra,
        )  # fmt: skip
    assert sent.code == 0
    found = [stamp for request in server.requests for stamp in stamps(request)]
    assert sorted(seq for _, _, seq in found) == list(range(250))
    assert {run for run, _, _ in found} == {"r1"}
    assert {request.signal for request in server.requests} == set(SIGNALS)
    for request in server.requests:
        assert request.headers["authorization"] == "Bearer tnt_x"
        assert len({attempt for _, attempt, _ in stamps(request)}) == 1
        assert all(item["team"] == "blue" and len(item) == 16 for item in items(request))
    assert sent.summary["acked"] == 250 and sent.summary["all_acked"]
    assert sent.summary["requests"] == sent.summary["attempts"] == 13
    assert all(line["outcome"] == "acked" for line in sent.done())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_refusal_that_may_pass_is_sent_again_as_a_new_attempt(send, protocol):
    answers = [Answer(RETRY[protocol], delay=1), Answer(RETRY[protocol])]
    with OtlpServer(protocol, answers) as server:
        sent = send(server, protocol, "--count", 10, "--batch", 10)
    assert sent.code == 0
    assert [{seq for _, _, seq in stamps(r)} for r in server.requests] == [set(range(10))] * 3
    assert len({attempt for r in server.requests for _, attempt, _ in stamps(r)}) == 3
    assert [line["outcome"] for line in sent.done()] == ["refused", "refused", "acked"]
    assert sent.summary["refused"][0]["attempts"] == 2
    assert sent.summary["seconds"] >= 2  # 1 s as told, then 1-4 s of its own


@pytest.mark.parametrize("in_details", [True, False], ids=["details", "own trailer"])
def test_resource_exhausted_is_sent_again_only_with_retry_info(send, in_details):
    answers = [Answer(8, delay=5, in_details=in_details)]  # longer than any of its own
    with OtlpServer("grpc", answers) as server:
        sent = send(server, "grpc", "--count", 1)
    assert sent.code == 0 and len(server.requests) == 2
    assert sent.summary["seconds"] >= 5
    with OtlpServer("grpc", [Answer(8)]) as server:
        sent = send(server, "grpc", "--count", 1)
    assert sent.code == 1 and len(server.requests) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_final_refusal_is_counted_and_not_sent_again(send, protocol):
    with OtlpServer(protocol, [Answer(REFUSE[protocol])]) as server:
        sent = send(server, protocol, "--count", 30, "--batch", 10, "--concurrency", 1)
    assert sent.code == 1 and len(server.requests) == 3
    assert sent.summary["given_up"] == 10 and sent.summary["acked"] == 20
    assert sent.summary["refused"][0]["message"] == "told to"
    first = sent.done()[0]
    assert first["outcome"] == "refused" and first["first_seq"] == 0 and first["items"] == 10
    assert first["grpc_status" if protocol == "grpc" else "status"] == REFUSE[protocol]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_retry_and_too_long_a_delay(send, protocol):
    with OtlpServer(protocol, [Answer(RETRY[protocol])]) as server:
        assert send(server, protocol, "--count", 1, "--no-retry").code == 1
    with OtlpServer(protocol, [Answer(RETRY[protocol], delay=300)]) as server:
        sent = send(server, protocol, "--count", 1, "--retry-for", "50s")
    assert sent.code == 1 and sent.summary["seconds"] < 50


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_partial_success(send, protocol):
    with OtlpServer(protocol, [Answer(rejected=3)]) as server:
        sent = send(server, protocol, "--count", 20, "--batch", 10)
    assert sent.code == 1
    assert sent.summary["acked"] == 17 and sent.summary["rejected"] == 3
    assert sorted(line["rejected"] for line in sent.done()) == [0, 3]


def test_an_attempt_is_on_the_wire_once_though_its_connection_is_lost(send):
    """libcurl alone would send it again, with the same stamps, on a new connection."""
    answers = [Answer(), Answer(lost=True), Answer(), Answer(lost=True)]
    with OtlpServer("http/protobuf", answers) as server:
        sent = send(server, "http/protobuf", "--count", 40, "--batch", 10, "--concurrency", 1)
    assert sent.code == 0 and len(server.requests) == 6
    found = Counter(attempt for r in server.requests for attempt in {s[1] for s in stamps(r)})
    assert set(found.values()) == {1}
    assert [line["outcome"] for line in sent.done()].count("unknown") == 2
    assert sent.summary["unknown_attempts"] == 2


def test_a_far_side_that_goes_away_under_load(tenantry, tmp_path):
    """Over HTTP/2: its connections end with requests in flight, and nobody listens any more."""
    file = tmp_path / "attempts.jsonl"
    with OtlpServer("grpc") as server:
        sender = tenantry("send", "--endpoint", server.endpoint, "--duration", "1h", "--batch", 5,
                          "--retry-for", "2s", "--attempts", file)  # fmt: skip
        until(lambda: len(server.requests) > 50, 30, "50 requests")
    sender.wait_for(lambda: '"unknown"' in file.read_text(), 60, "an attempt whose end is not known")
    assert sender.terminate(60) == 1
    found = Counter(stamp for r in server.requests for stamp in stamps(r))
    assert set(found.values()) == {1}
    sent_numbers = {line["attempt"] for line in lines(file) if line["event"] == "sent"}
    acked = {line["attempt"] for line in lines(file) if line.get("outcome") == "acked"}
    reached = {attempt for _, attempt, _ in found}
    assert acked <= reached <= sent_numbers


def test_a_dead_endpoint_is_tried_again_until_the_time_is_over(send):
    nobody = SimpleNamespace(endpoint=f"http://127.0.0.1:{free_port()}")
    sent = send(nobody, "grpc", "--count", 1, "--retry-for", "5s")
    assert sent.code == 1 and sent.summary["given_up"] == 1
    assert sent.summary["unknown_attempts"] >= 2
    assert all("status" not in line for line in sent.done())


def test_settings_come_from_the_environment_of_opentelemetry(send, tmp_path):
    with OtlpServer("http/protobuf") as server:
        done = run_tenantry(
            "send", "--count", 5,
            env={
                "OTEL_EXPORTER_OTLP_ENDPOINT": server.endpoint + "/",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_EXPORTER_OTLP_HEADERS": "x-api-key=a%20b, x-other=2",
                "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            },
        )  # fmt: skip
    assert done.stdout == "" and "acked       5 of 5 items" in done.stderr
    headers = server.requests[0].headers
    assert headers["x-api-key"] == "a b" and headers["x-other"] == "2"
    assert headers["content-encoding"] == "gzip"


def test_the_deadline_is_told_over_grpc(send):
    with OtlpServer("grpc") as server:
        send(server, "grpc", "--count", 1, "--timeout", "90s")
    assert 30 < server.requests[0].headers["time_remaining"] <= 90


def test_rate_and_duration(send):
    with OtlpServer("grpc") as server:
        def all_sent():
            """Not on a machine that stands still for a while."""
            sent = send(
                server, "grpc", "--rate", "200/s", "--batch", 10, "--duration", "2s", "--attributes", 0
            )
            assert sent.code == 0
            assert sent.summary["items"] <= 400 and sent.summary["seconds"] >= 1.8
            return sent.summary["items"] >= 380 and sent.summary["seconds"] < 3

        until(all_sent, 60, "380 to 400 items in 2 s")


def test_a_killed_sender_leaves_its_attempts_behind(tenantry, tmp_path):
    """Every attempt that reached the far side stands in the file as sent."""
    file = tmp_path / "attempts.jsonl"
    with OtlpServer("grpc") as server:
        sender = tenantry(
            "send", "--endpoint", server.endpoint, "--duration", "60s", "--batch", 10,
            "--attempts", file,
        )  # fmt: skip
        until(lambda: len(server.requests) > 200, 30, "200 requests")
        sender.kill9()
        reached = {attempt for r in server.requests for _, attempt, _ in stamps(r)}
    events = [(line["event"], line["attempt"]) for line in lines(file)]
    sent = {attempt for event, attempt in events if event == "sent"}
    done = {attempt for event, attempt in events if event == "done"}
    assert reached <= sent and done <= reached
    assert len(sent - done) <= 16


def test_sigterm_ends_it_in_order(tenantry):
    with OtlpServer("grpc") as server:
        sender = tenantry("send", "--endpoint", server.endpoint, "--duration", "60s")
        until(lambda: len(server.requests) > 20, 30, "20 requests")
        assert sender.terminate() == 0
    assert "acked" in sender.output()
    total = sum(len(items(r)) for r in server.requests)
    assert f"acked       {total} of {total} items" in sender.output()


@dataclass(frozen=True)
class Pair:
    key: Path
    certificate: Path


@pytest.fixture
def tls(tmp_path):
    pair = Pair(tmp_path / "key.pem", tmp_path / "certificate.pem")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=far side", "-addext",
            "subjectAltName=IP:127.0.0.1", "-keyout", pair.key, "-out", pair.certificate,
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return pair


def test_tls_is_verified(send, tls):
    with OtlpServer("grpc", tls=tls) as server:
        sent = send(server, "grpc", "--count", 500, "--batch", 5, "--ca", tls.certificate)
        assert sent.code == 0 and sent.summary["attempts"] == 100
        sent = send(server, "grpc", "--count", 10, "--retry-for", "1s")
        assert sent.code == 1 and sent.summary["acked"] == 0
    assert sum(len(items(r)) for r in server.requests) == 500


@pytest.mark.parametrize(
    "args, words",
    [
        (["--endpoint", "http://example.com:4317"], "--insecure"),
        (["--endpoint", "ftp://localhost"], "https://"),
        (["--protocol", "http/json"], "http/protobuf"),
        (["--signal", "profiles"], "logs, traces, metrics or all"),
        (["--attribute", "novalue"], "name=value"),
        (["--ca", "/nowhere/ca.pem"], "/nowhere/ca.pem"),
        (["--attempts", "/nowhere/attempts"], "/nowhere/attempts"),
    ],
)
def test_settings_that_cannot_be_used(args, words):
    done = run_tenantry("send", "--count", 1, *args, check=False)
    assert done.returncode != 0 and words in done.stderr


def test_through_the_real_router_into_the_database(kafka, tmp_path, unique):
    """All signals, protocols and codings over TLS: the rows are those the journals say."""
    system = System(tmp_path / "system", brokers=kafka.bootstrap, tenants=[unique])
    system.up()
    try:
        journals = []
        for protocol in PROTOCOLS:
            for extra in ([], ["--gzip"], ["--connections", "4"]):
                journals.append(tmp_path / f"{len(journals)}.jsonl")
                system.send(
                    unique, "all", 3000, "--batch", 50, "--attempts", journals[-1], *extra,
                    protocol=protocol,
                )  # fmt: skip

        def verdict():
            return judge(read_journals(*journals), stored(system, unique))

        until(lambda: verdict().missing == 0, 60, lambda: f"all rows: {verdict()}")
        assert verdict() == (18000, 0, 0, 0)
    finally:
        system.down()
