"""The fault campaign: the whole product beside a Kafka of three brokers, under load, while faults drawn at random
hit every party and the network between them. At the end every item is counted: exactly once, if its attempt was
acked; at most once, if not. Ends with 0 when that holds and the ledgers balance.

    tools/campaign --bin build/dev/tenantry --seconds 600 --seed 7
"""

import argparse
import json
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from campaign import faults
from campaign.fleet import Fleet
from support import network
from support.cluster import Cluster
from support.load import Load
from support.wait import until

TENANTS = ("acme", "beta", "gamma")
# Sessions of workers end soon, so that a pause is a rebalance, too.
CONFIG = {"kafka": 'consumer: { session_timeout_ms = "6000"; heartbeat_interval_ms = "1000"; };'}


class Campaign:
    def __init__(self, args, folder, has_network):
        self.args, self.tenants = args, TENANTS
        self.rng = random.Random(args.seed)
        self.network = network.Network(faults.PARTIES, folder) if has_network else None
        self.cut_seconds = args.cuts
        places = self.network.places if has_network else {}
        self.kinds = faults.PROCESSES + (faults.CUTS if has_network else [])
        self.begun = time.monotonic()
        self.counts, self.failed, self._running, self._lock = {}, [], [], threading.Lock()
        self.cluster = Cluster(controllers=1, places=places)
        self.fleet = Fleet(folder / "system", self.cluster, places, TENANTS, CONFIG)
        self.fleet.start_supervisor()
        self.fleet.start_second(TENANTS[0])
        self.fleet.start_router()
        self.tell("all are up")
        self.recovered()
        self.load = Load(self.fleet, folder, args.rate, TENANTS)

    def tell(self, text):
        print(f"{time.monotonic() - self.begun:7.1f} s  {text}", flush=True)

    # -- faults

    def _drawn(self):
        """Faults without end: every kind once in each round."""
        while True:
            for kind in self.rng.sample(self.kinds, len(self.kinds)):
                yield kind.__name__, kind(self, self.rng)

    def _run(self, fault):
        try:
            fault.run()
        except BaseException as e:
            self.failed.append(f"{fault.text}: {type(e).__name__}: {e}")
        with self._lock:
            self._running.remove(fault)

    def _begin(self, waiting):
        """Starts the first waiting fault whose parties are free; those that the oldest one needs are kept for it."""
        with self._lock:
            taken = set().union(*(f.claims for f in self._running))
            if "second" not in taken:
                self.fleet.revive()
            if len(self._running) >= self.args.at_once:
                return False
            kept = lambda w: set() if w is waiting[0] else waiting[0][1].claims
            chosen = next((w for w in waiting if not w[1].claims & (taken | kept(w))), None)
            if chosen is None:
                return False
            self._running.append(chosen[1])
        waiting.remove(chosen)
        kind, fault = chosen
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.tell(f"{sum(self.counts.values())}: {fault.text}")
        threading.Thread(target=self._run, args=(fault,), daemon=True).start()
        return True

    def hurt(self):
        drawn, waiting = self._drawn(), []
        end = time.monotonic() + self.args.seconds
        while time.monotonic() < end and not self.failed:
            while len(waiting) < 6:
                waiting.append(next(drawn))
            if self._begin(waiting):
                time.sleep(self.rng.uniform(0, 2))
            else:
                time.sleep(0.1)
        until(lambda: not self._running, 900, lambda: f"the end of {[f.text for f in self._running]}")
        for text in self.failed:
            print(f"went wrong: {text}")
        self.tell("the last fault is over")
        self.recovered()

    def recovered(self):
        for tenant in TENANTS:
            until(lambda: faults.probe(self, tenant) == (200, 0), faults.PATIENCE, f"success for {tenant}")

    # -- the count

    def verdicts(self):
        codes = self.load.stop()
        if not set(codes) <= {0, 1}:
            raise SystemExit(f"senders ended with {codes}")
        self.tell("the load is over")
        found = {}
        for tenant in TENANTS:
            def settled():
                """Nothing of an acked attempt is missing any more."""
                found[tenant] = self.load.verdict(tenant)
                return found[tenant].missing == 0

            try:
                until(settled, faults.PATIENCE, tenant)
            except AssertionError:
                pass  # told below
        return found

    def ledger(self, tenant):
        """What it tells, whether it balances. 2: Kafka or the database did not answer."""
        ask = lambda: self.fleet.cli("ledger", tenant, "--recount", "--json", check=False, timeout=faults.PATIENCE)
        told = next((t for t in (ask() for _ in range(5)) if t.returncode != 2), None)
        if told is None:
            return {"error": "no answer"}, False
        return json.loads(told.stdout), told.returncode == 0

    def report(self):
        """The findings as text and as one line of JSON; whether all is well."""
        verdicts, well = self.verdicts(), not self.failed
        total = {"seed": self.args.seed, "faults": self.counts, "network": self.network is not None}
        for tenant, v in verdicts.items():
            books, balanced = self.ledger(tenant)
            well = well and balanced and (v.missing, v.double, v.stray) == (0, 0, 0) and v.acked_items > 0
            unacked_double = self.load.unacked_double(tenant) if v.double else 0
            acked_double = v.double - unacked_double
            print(f"{tenant}: {v.acked_items} items acked, {v.missing} missing, {acked_double} double,"
                  f" {unacked_double} double of attempts that were not acked, {v.stray} stray,"
                  f" ledger {'balances' if balanced else f'does NOT balance: {books}'}")  # fmt: skip
            for name, n in (("acked", v.acked_items), ("missing", v.missing), ("double", acked_double),
                            ("unacked_double", unacked_double), ("stray", v.stray)):  # fmt: skip
                total[name] = total.get(name, 0) + n
            kept_once = self.fleet.sql(tenant, "SELECT sum(dropped) AS n FROM tenantry_progress")[0]["n"] or 0
            total["held_twice"] = total.get("held_twice", 0) + kept_once
        print(f"{sum(self.counts.values())} faults, {total['acked']} items acked: {total['missing']} missing,"
              f" {total['double']} double; {total['unacked_double']} double of attempts that were not acked."
              f" {total['held_twice']} items stood in Kafka twice and were written once.")  # fmt: skip
        print(json.dumps({**total, "well": well}))
        return well

    def end(self):
        self.fleet.end()
        self.cluster.stop()


def arguments():
    p = argparse.ArgumentParser(prog="tools/campaign", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--seed", type=int, default=int(time.time()), help="draws the faults (default: the time)")
    p.add_argument("--seconds", type=float, default=600, help="no fault begins later (default: 600)")
    p.add_argument("--at-once", type=int, default=3, help="most faults at a time (default: 3)")
    p.add_argument("--rate", type=int, default=150, help="items per second of each of six senders (default: 150)")
    p.add_argument("--cuts", type=float, nargs="+", default=[10, 10, 60], help="seconds that a cut of the network"
                   " lasts, drawn from these (default: 10 10 60)")  # fmt: skip
    p.add_argument("--folder", help="keep logs and databases there (default: a temporary folder)")
    return p.parse_args()


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    has_network = network.enter()
    print(f"seed {args.seed}, {args.seconds:g} s")
    if not has_network:
        print("LEFT OUT: cuts of the network, because network namespaces can't be made here")
    with tempfile.TemporaryDirectory(prefix="tenantry-campaign-") as made:
        campaign = Campaign(args, Path(args.folder or made), has_network)
        try:
            campaign.hurt()
            well = campaign.report()
        finally:
            campaign.end()
    sys.exit(0 if well else 1)


main()
