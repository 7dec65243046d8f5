"""Each attack of attackers.py beside a tenant that behaves: what that tenant notices, what the router needs, and what
cut the attack off. One router with its defaults, one real Kafka, one sender at a steady rate; the attacker runs on one
core at the lowest priority. Between attacks the sender goes on alone: that is the "after" of one and the "before" of the
next.

    tools/attack [--bin PATH] [--seconds N] [--rest N] [--core N] [--json FILE] [NAME...]

Exit status 1: the router ended, a request of the tenant that behaves failed, memory went over the ceiling, or something
of an attack was left behind.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import attackers
from run import cpu_seconds
from support import proc
from support.attacks import AttackedFront
from support.kafka import Kafka
from support.wait import TimedOut, until

RATE, BATCH = 2000, 20  # items: 100 requests a second
MIB = 1 << 20
# What the router may have resident: at rest, and for each connection that may be open what one is allowed to make it
# keep (docs/security.md), beside the bodies that are held.
CEILING, CEILING_CONNECTIONS = 512 * MIB, 1024 * MIB
COUNTERS = re.compile(
    r'^tenantry_router_(?:connections_refused|connections_closed|http2_cut|handshakes_failed)_total'
    r'(?:\{.*?reason="(\w+)".*?\})? (\S+)$', re.M)  # fmt: skip
OUTCOMES = re.compile(r'^tenantry_requests_total\{(.*)\} (\S+)$', re.M)


def counted(front):
    """Connections that were ended, by guard; requests of others than the tenant that behaves, by outcome."""
    text, found = front.http("/metrics")[1], {}
    for reason, value in COUNTERS.findall(text):
        reason = reason or "handshakes_failed"
        found[reason] = found.get(reason, 0) + float(value)
    for labels, value in OUTCOMES.findall(text):
        outcome = re.search(r'outcome="(\w+)"', labels)
        if outcome and 'tenant="good"' not in labels:
            found[outcome[1]] = found.get(outcome[1], 0) + float(value)
    return found


class Sender:
    """The tenant that behaves, for some seconds."""

    def __init__(self, front, protocol, seconds, log):
        args = front.send_args("good", "all", protocol=protocol)
        how = ["--rate", f"{RATE}/s", "--batch", BATCH, "--duration", f"{seconds}s", "--concurrency", 256,
               "--no-retry", "--timeout", "30s", "--attempts", f"{log}.attempts", "--json"]  # fmt: skip
        self.attempts = Path(f"{log}.attempts")
        self.attempts.unlink(missing_ok=True)
        self.process = proc.start_tenantry(*args, *how, log=log)

    def report(self, seconds):
        self.process.wait_exit(seconds + 60)
        said = self.process.output()
        self.process.stop()
        it = json.loads(said[said.index("{") :])
        return {"requests": it["requests"], "failed": it["attempts"] - it["acked_attempts"],
                "p50_ms": it["latency_ms"]["p50"], "p99_ms": it["latency_ms"]["p99"],
                "max_ms": it["latency_ms"]["max"], "behind_ms": it["behind_ms"], "why": self.failures()}  # fmt: skip

    def failures(self):
        """What was said of each request that failed, and after how long."""
        done = [json.loads(text) for text in self.attempts.read_text().splitlines()]
        return [f"{a['message']} ({a['ms']:.0f} ms)" for a in done if a["event"] == "done" and a["outcome"] != "acked"]


class Memory:
    """The most that a process has resident, looked at 20 times a second."""

    def __init__(self, process):
        self.process, self.most, self._over = process, process.rss(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self):
        while not self._over.wait(0.05) and self.process.alive:
            self.most = max(self.most, self.process.rss())

    def end(self):
        self._over.set()
        self._thread.join()
        return self.most


class Siege:
    def __init__(self, options):
        self.options = options
        self.folder = Path(tempfile.mkdtemp(prefix="tenantry-attack-"))
        self.kafka = Kafka(heap="512m")
        self.front = self.extra = self.protocol = self.before = None
        self.fronts, self.results = 0, []

    def close(self):
        if self.front:
            self.front.process.stop()
        self.kafka.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def use(self, extra="", protocol="grpc"):
        """A router with these options: the one there is, or another."""
        if self.front is not None and self.extra == extra:
            return
        if self.front is not None:
            self.front.process.terminate(60)
        self.fronts += 1
        name = f"attack{self.fronts}"
        self.front = AttackedFront(self.folder / name, self.kafka, name, extra)
        self.extra, self.protocol = extra, protocol
        self.rest(2)  # connects to Kafka, warms up
        self.before = self.rest(self.options.rest)

    def rest(self, seconds):
        return Sender(self.front, self.protocol, seconds, self.folder / "rest.log").report(seconds)

    def attacker(self, name, seconds):
        """Its summary, once it has ended."""
        front = self.front
        target = self.folder / "target.json"
        target.write_text(json.dumps({"port": front.port, "ca": str(front.ca), "key": front.key}))
        argv = ["taskset", "-c", str(self.options.core), "nice", "-n", "19", sys.executable, attackers.__file__, name,
                str(target), str(seconds)]  # fmt: skip
        log = self.folder / "attacker.log"
        it = proc.Process(argv, log=log, name=f"attacker {name}")
        try:
            it.wait_exit(seconds + 60)
            said = it.output()
            assert it.returncode == 0, f"the attacker {name} failed:\n{said}"
            return json.loads(said[said.rindex("{") :])
        except TimedOut:
            return {"acts": None, "connections": None, "cpu_s": cpu_seconds(it.pid), "killed": True}
        finally:
            it.stop(5)

    def attack(self, name):
        text, _, *extra = attackers.ATTACKS[name]
        self.use(*extra)
        front, seconds = self.front, self.options.seconds
        counts, cpu, start = counted(front), cpu_seconds(front.process.pid), time.monotonic()
        memory = Memory(front.process)
        sender = Sender(front, self.protocol, seconds, self.folder / "during.log")
        told = self.attacker(name, seconds)
        took = time.monotonic() - start
        during = sender.report(seconds)
        row = {"name": name, "attack": text, "seconds": round(took, 1), "before": self.before, "during": during,
               "alive": front.process.alive, "attacker": told}  # fmt: skip
        if row["alive"]:
            row["router_cpu"] = (cpu_seconds(front.process.pid) - cpu) / took
            row["rss_max"] = memory.end()
            row["after"] = self.before = self.rest(self.options.rest)
            now = counted(front)
            row["counted"] = {k: round(v - counts.get(k, 0)) for k, v in now.items() if v > counts.get(k, 0)}
            row["left"] = self.left()
        row["attacker_cpu"] = told["cpu_s"] / took
        row["wrong"] = self.judge(row)
        self.results.append(row)
        return row

    def left(self):
        try:
            until(lambda: not self.front.left(), 30, "nothing held any more")
            return {}
        except TimedOut:
            return self.front.left()

    def judge(self, row):
        if not row["alive"]:
            self.front = None
            return ["the router ended"]
        wrong = [f"{row[when]['failed']} requests failed {when}: " + "; ".join(sorted(set(row[when]["why"]))[:5])
                 for when in ("during", "after") if row[when]["failed"]]  # fmt: skip
        if row["rss_max"] > self.ceiling(row["name"]):
            wrong.append("over the memory ceiling")
        return wrong + [f"{name} = {value:g} left" for name, value in row["left"].items()]

    @staticmethod
    def ceiling(name):
        return CEILING_CONNECTIONS if name == "idle" else CEILING


HEAD = """
| attack | requests / failed | p50 ms before, during, after | p99 ms before, during, after | router: RSS max MiB, CPU | \
attacker: connections, CPU | what was counted |
|---|---|---|---|---|---|---|"""


def line(row):
    phases = [row[when] for when in ("before", "during", "after") if when in row]
    p50, p99 = (", ".join(f"{p[k]:.1f}" for p in phases) for k in ("p50_ms", "p99_ms"))
    counts = sorted(row.get("counted", {}).items(), key=lambda kv: -kv[1])
    said = ", ".join(f"{k} {v:,}" for k, v in counts)
    attacker = row["attacker"]["connections"]
    return (f"| {row['attack']} | {row['during']['requests']:,} / {row['during']['failed']} | {p50} | {p99}"
            f" | {row.get('rss_max', 0) / MIB:.0f}, {row.get('router_cpu', 0):.0%}"
            f" | {'?' if attacker is None else format(attacker, ',')}, {row['attacker_cpu']:.0%} | {said} |")  # fmt: skip


def summary(rows):
    doubled = [r["attack"] for r in rows if r["alive"] and r["during"]["p99_ms"] > 2 * r["before"]["p99_ms"]]
    lines = [f"{len(rows)} attacks, {sum(r['during']['requests'] for r in rows):,} requests beside them,"
             f" {sum(r['during']['failed'] for r in rows)} failed;"
             f" p99 more than doubled in {len(doubled)}."]  # fmt: skip
    for r in rows:
        lines += [f"WRONG: {r['attack']}: {what}" for what in r["wrong"]]
    return "\n".join(lines)


def options():
    p = argparse.ArgumentParser(prog="tools/attack", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--seconds", type=int, default=30, help="how long each attack goes on (30)")
    p.add_argument("--rest", type=int, default=3, help="how long the sender is alone between them (3)")
    p.add_argument("--core", type=int, default=os.cpu_count() - 1, help="where the attacker runs (the last core)")
    p.add_argument("--json", type=Path, help="also write the figures to this file")
    p.add_argument("names", nargs="*", metavar="NAME", help="some attacks only: " + ", ".join(attackers.ATTACKS))
    it = p.parse_args()
    if unknown := [name for name in it.names if name not in attackers.ATTACKS]:
        p.error(f"there is no attack {unknown[0]!r}; there are {', '.join(attackers.ATTACKS)}")
    return it


def main():
    o = options()
    load = os.getloadavg()[0]
    version = subprocess.run([proc.tenantry_bin(), "--version"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"{version}; {platform.platform()}, {os.cpu_count()} cores, load {load:.1f} before;"
          f" each attack {o.seconds} s on core {o.core}, nice 19; {RATE // BATCH} requests/s beside it;"
          f" RSS ceiling {CEILING // MIB} MiB, with 10,000 connections {CEILING_CONNECTIONS // MIB} MiB")  # fmt: skip
    siege = Siege(o)
    # Those with options of their own last: each needs a router of its own.
    names = o.names or sorted(attackers.ATTACKS, key=lambda name: len(attackers.ATTACKS[name]))
    try:
        print(HEAD, flush=True)
        for name in names:
            print(line(siege.attack(name)), flush=True)
        print("\n" + summary(siege.results))
    finally:
        if o.json:
            o.json.write_text(json.dumps({"version": version, "load": load, "rows": siege.results}, indent=1) + "\n")
        siege.close()
    return 1 if any(r["wrong"] for r in siege.results) else 0


if __name__ == "__main__":
    sys.exit(main())
