"""Promise 3, counted: each item of an acked attempt stands in the database exactly once, each item of an
attempt that got no answer or an error at most once. From the journals of `tenantry send` and the rows."""

import collections
import json
from pathlib import Path


Attempt = collections.namedtuple("Attempt", "run number signal first_seq items acked")


def read_journals(*paths):
    """All attempts of the journals. One without a second line has no known outcome: not acked."""
    attempts = {}
    for path in paths:
        for line in Path(path).read_text().splitlines():
            try:
                e = json.loads(line)
            except ValueError:
                continue  # the last line of a killed sender
            key = (e["run"], e["attempt"])
            acked = e["event"] == "done" and e["outcome"] == "acked" and not e.get("rejected")
            attempts[key] = Attempt(*key, e["signal"], e["first_seq"], e["items"], acked)
    return attempts


def stored(system, tenant):
    """(run, attempt) -> Counter of seq, over all tables."""
    found = collections.defaultdict(collections.Counter)
    for run, attempt, seq, n in system.stamps(tenant):
        if run is not None:
            found[(run, attempt)][seq] += n
    return found


Verdict = collections.namedtuple("Verdict", "acked_items missing double stray")


def doubles(seqs):
    return sum(n - 1 for n in seqs.values() if n > 1)


def unacked_double(attempts, found):
    """Those of the doubles whose attempt was not acked."""
    return sum(doubles(seqs) for key, seqs in found.items() if key not in attempts or not attempts[key].acked)


def judge(attempts, found):
    """missing: items of acked attempts that are not there. double: items there more than once.
    stray: items of attempts that nobody sent."""
    missing = double = stray = acked_items = 0
    for key, attempt in attempts.items():
        seqs = found.get(key, {})
        if attempt.acked:
            acked_items += attempt.items
            missing += sum(s not in seqs for s in
                           range(attempt.first_seq, attempt.first_seq + attempt.items))
    for key, seqs in found.items():
        if key not in attempts:
            stray += sum(seqs.values())
        double += doubles(seqs)
    return Verdict(acked_items, missing, double, stray)
