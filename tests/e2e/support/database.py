"""The rows of a tenant's SQLite database in the form of oracle.py."""

import json
import re

from . import oracle
from .system import ALL_TABLES
from .wait import until

_JSON = re.compile(r"(Attributes$|^Events\.|^Links\.|^Exemplars\.|^ValueAtQuantiles\.|BucketCounts$|"
                   r"^ExplicitBounds$)")
_BOOL = {"IsMonotonic"}


def rows(system, tenant):
    """{table: [row, ...]}, without tables that are empty or not there yet."""
    if hasattr(system, "oracle_rows"):
        return system.oracle_rows(tenant)
    there = {r["name"] for r in system.sql(tenant, "SELECT name FROM sqlite_master")}
    found = {t: [_native(r) for r in system.rows(tenant, t)] for t in ALL_TABLES if t in there}
    return {t: some for t, some in found.items() if some}


def _native(row):
    return {name: _value(name, v) for name, v in row.items()}


def _value(name, v):
    if _JSON.search(name):
        return json.loads(v)
    if name in _BOOL:
        assert v in (0, 1)
        return bool(v)
    return v


def assert_rows(system, tenant, messages, timeout=30):
    """Waits until as many rows are there as the messages make; then they have to be exactly those."""
    expected = oracle.rows_of(messages)
    if hasattr(system, "as_stored"):
        expected = system.as_stored(expected)
    total = sum(len(some) for some in expected.values())
    until(lambda: system.count(tenant) >= total, timeout,
          lambda: f"{total} rows of {tenant}, {system.count(tenant)} so far")
    stored = rows(system, tenant)
    assert stored.keys() == expected.keys()
    for table, want in expected.items():
        missing, extra = oracle.missing_and_extra(want, stored[table])
        assert not missing and not extra, (
            f"{table} of {tenant}: {len(missing)} missing, {len(extra)} too many;"
            f" the first:\n{_difference(missing, extra)}")


def _difference(missing, extra):
    """The columns in which the first pair differs, or one row when it has no counterpart."""
    if not missing or not extra:
        return json.dumps((missing or extra)[0], indent=1)
    a = missing[0]
    b = min(extra, key=lambda e: sum(a[k] != e.get(k) for k in a))
    return "\n".join(f"{k}: expected {a[k]!r}, stored {b.get(k)!r}" for k in a if a[k] != b.get(k))
