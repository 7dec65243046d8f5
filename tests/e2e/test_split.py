"""Requests of more than one Kafka record may hold (DESIGN §4, "records are bounded"): they become several, and
the answer waits for all."""

import grpc
import pytest
import requests

from support import otlp_build as build
from support.otlp_build import RESPONSES
from support.system import System
from support.wait import until

MB = 1000 * 1000
LOGS_METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


@pytest.fixture(scope="module")
def system(kafka, tmp_path_factory):
    it = System(tmp_path_factory.mktemp("split"), brokers=kafka.bootstrap, tenants=("acme",),
                extra={"router": 'answer_timeout = "60s";', "kafka": 'prefix = "split";'})  # fmt: skip
    it.up()
    until(lambda: post(it, build.logs_request([build.log("first")]).SerializeToString()).ok, 60, "the topics")
    yield it
    it.down()


def post(system, body, signal="logs", port=None):
    return requests.post(
        f"https://127.0.0.1:{port or system.port}/v1/{signal}", data=body, verify=str(system.ca), timeout=120,
        headers={"content-type": "application/x-protobuf", "x-api-key": system.keys["acme"]},
    )  # fmt: skip


def send_http(system, body):
    answer = post(system, body)
    assert answer.status_code == 200, answer.text
    return RESPONSES["logs"].FromString(answer.content)


def send_grpc(system, body):
    credentials = grpc.ssl_channel_credentials(system.ca.read_bytes())
    with grpc.secure_channel(f"localhost:{system.port}", credentials) as channel:
        call = channel.unary_unary(LOGS_METHOD, response_deserializer=RESPONSES["logs"].FromString)
        return call(body, timeout=120, metadata=(("x-api-key", system.keys["acme"]),))


SENDERS = {"http": send_http, "grpc": send_grpc}


def stored(system, name):
    """How many rows this request has, how many different ones, and the bytes of their bodies."""
    rows = system.sql("acme", """SELECT count(*), count(DISTINCT json_extract(LogAttributes, '$.seq')), sum(length(Body))
                                 FROM otel_logs WHERE ServiceName = ? AND ScopeName = 'scope of it'""", name)
    return tuple(rows[0]) if rows else (0, 0, None)


def request_of(name, records):
    """Two resources: one is named, and its records are in a scope that is."""
    named = build.logs_request(records, res=build.resource({"service.name": name}), sc=build.scope("scope of it"))
    other = build.logs_request([build.log("of another resource")], res=build.resource({"service.name": f"not {name}"}))
    named.MergeFrom(other)
    return named.SerializeToString()


@pytest.mark.parametrize("protocol", SENDERS)
@pytest.mark.parametrize("megabytes,items", [(12, 24000), (60, 3000)])
def test_a_large_request_arrives_whole(system, protocol, megabytes, items):
    """R88, R175: done when 7 of the issue; 60 MB is below the default of 64 MiB."""
    name = f"{megabytes} MB over {protocol}"
    size = megabytes * MB // items
    text = (name + "." * size)[:size]
    body = request_of(name, [build.log(text, {"seq": i}) for i in range(items)])
    assert megabytes * MB < len(body) < 64 << 20
    assert not SENDERS[protocol](system, body).HasField("partial_success")
    until(lambda: stored(system, name) == (items, items, items * size), 120, lambda: f"{name}: {stored(system, name)}")
    ledger = system.cli("ledger", "acme", "--recount", check=False)
    assert ledger.returncode == 0, ledger.stdout + ledger.stderr


@pytest.mark.parametrize("protocol", SENDERS)
def test_an_item_too_large_is_refused_alone(system, protocol):
    """R104, R182, R270: 11 MB do not fit a record of 10 MB; its neighbours do."""
    name = f"neighbours over {protocol}"
    records = [build.log("before", {"seq": 1}), build.log("x" * 11 * MB, {"seq": 2}), build.log("behind", {"seq": 3})]
    partial = SENDERS[protocol](system, request_of(name, records)).partial_success
    assert partial.rejected_log_records == 1
    assert partial.error_message == ("1 of 4 log records rejected; in the first one, with its resource and scope it is "
                                     "larger than one record may be")
    until(lambda: stored(system, name) == (2, 2, 12), 60, lambda: f"the neighbours: {stored(system, name)}")
