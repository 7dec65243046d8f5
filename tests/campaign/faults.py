"""What can happen to the parties: rows of DECK. Each is drawn with its parameters at once, so that a seed means the
same faults, and runs on a thread of its own. `claims` are what it needs for itself while it lasts."""

import contextlib
import signal
import time
from dataclasses import dataclass
from typing import Callable

from confluent_kafka import ElectionType, KafkaException

from support import otlp_build
from support.wait import until
from support.wire import GRPC_PATHS, PROTOBUF, bearer, frame, http1, http2

BROKERS = (1, 2, 3)
PATIENCE = 300  # seconds, for what has to come on a machine that is busy


@dataclass
class Fault:
    text: str
    claims: set
    run: Callable


# ---- the router, the supervisor, workers


def router_killed(c, rng):
    pause = rng.uniform(0, 3)

    def run():
        c.fleet.router.kill9()
        time.sleep(pause)
        c.fleet.start_router()

    return Fault(f"kill -9 of the router, back after {pause:.1f} s", {"router"}, run)


def router_stopped(c, rng):
    def run():
        c.fleet.router.terminate(120)
        c.fleet.start_router()

    return Fault("SIGTERM to the router, started again", {"router"}, run)


def supervisor_killed(c, rng):
    pause = rng.uniform(0, 3)

    def run():
        c.fleet.supervisor.kill9()
        time.sleep(pause)
        c.fleet.start_supervisor()

    return Fault(f"kill -9 of the supervisor and with it its workers, back after {pause:.1f} s", {"workers"}, run)


def worker_killed(c, rng):
    tenant = rng.choice(c.tenants)
    hit = lambda: c.fleet.signal_worker(tenant, signal.SIGKILL)
    return Fault(f"kill -9 of the worker of {tenant}", {"workers"}, lambda: until(hit, PATIENCE, "a worker to kill"))


def worker_paused(c, rng):
    """Longer than its session, too: it goes on with a batch that is another one's by then."""
    tenant, pause = rng.choice(c.tenants), rng.choice([2, 8, 14])

    def run():
        pid = until(lambda: c.fleet.signal_worker(tenant, signal.SIGSTOP), PATIENCE, "a worker to stop")
        time.sleep(pause)
        assert c.fleet.signal_worker(tenant, signal.SIGCONT) == pid

    return Fault(f"worker of {tenant} stopped for {pause} s", {"workers"}, run)


def second_killed(c, rng):
    tenant = rng.choice(sorted(c.fleet.seconds))

    def run():
        c.fleet.seconds[tenant].kill9()
        c.fleet.start_second(tenant)

    return Fault(f"kill -9 of the second worker of {tenant}, started again", {"second"}, run)


def second_paused(c, rng):
    tenant, pause = rng.choice(sorted(c.fleet.seconds)), rng.choice([2, 8, 14])

    def run():
        c.fleet.seconds[tenant].signal(signal.SIGSTOP)
        time.sleep(pause)
        c.fleet.seconds[tenant].signal(signal.SIGCONT)

    return Fault(f"second worker of {tenant} stopped for {pause} s", {"second"}, run)


# ---- brokers


def asked(c, question):
    """What Kafka says, None while it does not answer."""
    try:
        return question()
    except (KafkaException, TimeoutError):
        c.cluster.forget()  # a client that was cut off may wait for ever
        return None


def wait_whole(c):
    until(lambda: asked(c, c.cluster.all_in_sync), PATIENCE, "all replicas in sync")


def lead_as_planned(c):
    """Each partition's first replica leads again: the others step back in the middle of their work."""
    with contextlib.suppress(KafkaException, TimeoutError):
        c.cluster.admin.elect_leaders(ElectionType.PREFERRED, None).result(40)


def back(c, id, planned):
    c.cluster.start_broker(id)
    wait_whole(c)
    if planned:
        lead_as_planned(c)


def broker_killed(c, rng):
    id, pause, planned = rng.choice(BROKERS), rng.uniform(0.5, 8), rng.random() < 0.8

    def run():
        c.cluster.kill9(id)
        time.sleep(pause)
        back(c, id, planned)

    return Fault(f"kill -9 of broker {id}, back after {pause:.1f} s", {"brokers"}, run)


def broker_stopped(c, rng):
    """It hands its partitions over, with requests under way."""
    id = rng.choice(BROKERS)

    def run():
        c.cluster.brokers[id].shutdown(PATIENCE)
        back(c, id, True)

    return Fault(f"SIGTERM to broker {id}, started again", {"brokers"}, run)


def coordinator_killed(c, rng):
    tenant, pause = rng.choice(c.tenants), rng.uniform(0.5, 8)

    def run():
        id = until(lambda: asked(c, lambda: c.cluster.coordinator(f"tenantry.{tenant}")), PATIENCE, "a coordinator")
        c.cluster.kill9(id)
        time.sleep(pause)
        back(c, id, True)

    return Fault(f"kill -9 of the broker that coordinates the group of {tenant}, back after {pause:.1f} s", {"brokers"}, run)


def broker_paused(c, rng):
    id, pause = rng.choice(BROKERS), rng.choice([2, 5, 12])

    def run():
        c.cluster.pause(id)
        time.sleep(pause)
        c.cluster.resume(id)
        wait_whole(c)
        lead_as_planned(c)

    return Fault(f"broker {id} stopped for {pause} s", {"brokers"}, run)


def controller_killed(c, rng):
    node, pause = rng.choice(c.cluster.controllers), rng.uniform(0.5, 6)

    def run():
        node.kill9()
        time.sleep(pause)
        node.start(c.cluster.id)
        node.wait_ready(PATIENCE)
        wait_whole(c)

    return Fault(f"kill -9 of {node.name}, back after {pause:.1f} s", {"brokers"}, run)


LOGS = otlp_build.logs_request([otlp_build.log("probe")]).SerializeToString()


def probe(c, tenant):
    """HTTP status; of gRPC the code. Anything but success and "come back" is a finding."""
    key = bearer(c.fleet.keys[tenant])
    status = http1(c.fleet, body=LOGS, headers={"Content-Type": PROTOBUF, **key}).status
    call = http2(c.fleet, path=GRPC_PATHS["logs"], body=frame(LOGS),
                 headers={"content-type": "application/grpc", "te": "trailers", **key}).grpc  # fmt: skip
    assert status in (200, 429, 503) and call.code in (0, 14), f"HTTP {status}, gRPC {call.code}"
    return status, call.code


def two_killed(c, rng):
    """Below min.insync.replicas nothing is acked; with one more broker all goes on."""
    ids, tenant = rng.sample(BROKERS, 2), rng.choice(c.tenants)

    def run():
        for id in ids:
            c.cluster.kill9(id)
        until(lambda: probe(c, tenant) == (503, 14), PATIENCE, "503 and 14")
        c.cluster.start_broker(ids[0])
        until(lambda: probe(c, tenant) == (200, 0), PATIENCE, "success with two brokers")
        back(c, ids[1], True)

    return Fault(f"kill -9 of brokers {ids[0]} and {ids[1]}: 503 and 14, then back", {"brokers", "router"}, run)


# ---- the network


PARTIES = ["client", "router", "workers", "second", *(f"broker{n}" for n in BROKERS), "controller1"]


def pairs(*kinds):
    return [(a, b) for a in PARTIES for b in PARTIES if a < b and sorted(p.rstrip("123") for p in (a, b)) in kinds]


def cut(kind):
    def network_cut(c, rng):
        a, b = rng.choice(pairs(sorted(kind)))
        seconds = rng.choice(c.cut_seconds)
        ways = rng.choice([[(a, b), (b, a)], [(a, b)], [(b, a)]])

        def run():
            for way in ways:
                c.network.cut(*way)
            time.sleep(seconds)
            for way in ways:
                c.network.heal(*way)
            if inside:
                wait_whole(c)

        inside = not {"client", "router", "workers", "second"} & {a, b}
        text = f"{a} and {b} cut off from each other" if len(ways) == 2 else f"cut from {ways[0][0]} to {ways[0][1]}"
        return Fault(f"{text} for {seconds} s", {"brokers"} if inside else {f"{a} {b}"}, run)

    return network_cut


PROCESSES = [
    router_killed, router_stopped, supervisor_killed, worker_killed, worker_paused, second_killed, second_paused,
    broker_killed, broker_killed, broker_stopped, coordinator_killed, broker_paused, controller_killed, two_killed,
]  # fmt: skip
CUTS = [cut(kind) for kind in (
    ("router", "broker"), ("router", "broker"), ("workers", "broker"), ("second", "broker"), ("client", "router"),
    ("broker", "broker"), ("broker", "controller"))]  # fmt: skip
