"""Fixtures every end-to-end test may use."""

import contextlib
import importlib.util
import inspect
import os
import sqlite3
import uuid
from pathlib import Path

import pytest

from support import proc, sanitizer
from support.cluster import Cluster
from support.kafka import Kafka
from support.system import System
from support.workers import Site


@pytest.fixture(scope="session", autouse=True)
def all_reports(tmp_path_factory):
    """The folder of the sanitizers' reports, of all processes. What comes after the last test counts, too."""
    folder = tmp_path_factory.mktemp("reports")
    os.environ.update(sanitizer.environment(folder))
    seen = set()
    yield folder, seen
    sanitizer.assert_none(folder, seen)


@pytest.fixture(autouse=True)
def no_reports(all_reports):
    """A report is a failure, even when all else went well."""
    yield
    sanitizer.assert_none(*all_reports)


@pytest.fixture(scope="session")
def kafka():
    """One Kafka for all tests that don't hurt it. Take names from `unique`: others share it."""
    with Kafka() as broker:
        yield broker


@pytest.fixture
def own_kafka():
    """A Kafka for one test alone, to be killed, paused and wiped."""
    with Kafka() as broker:
        yield broker


@pytest.fixture
def own_cluster():
    """Three brokers for one test alone."""
    with Cluster() as brokers:
        yield brokers


@pytest.fixture
def unique():
    """A name nobody else uses, fit for a tenant, a topic or a file."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def tenantry_bin():
    """The program under test; without one the test is an error, never skipped."""
    return proc.tenantry_bin()


@pytest.fixture
def tenantry(tenantry_bin, tmp_path):
    """Starts `tenantry ARGS...`, with its output in the test's folder, and ends it afterwards."""
    mine = []

    def start(*args, name=None, env=None, cwd=None):
        log = tmp_path / f"tenantry-{len(mine)}.log"
        mine.append(proc.start_tenantry(*args, log=log, name=name, env=env, cwd=cwd or tmp_path))
        return mine[-1]

    yield start
    for process in reversed(mine):
        process.stop()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    proc.started[:] = [process for process in proc.started if process.alive]
    for process in proc.started:
        process.mark()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what each program said during this test, and what routers have counted."""
    report = yield
    if report.failed:
        for process in proc.started:
            state = "running" if process.alive else f"ended with {process.returncode}"
            title = f"log of {process.name} (pid {process.pid}, {state})"
            report.sections.append((title, process.news(20_000) or "(nothing)"))
        for system in list(System.made):
            if system.process is not None and system.process.alive:
                report.sections.append((f"counters of {system.folder.name}", system.counters()))
        if broken := _rules(item):
            told = "\n".join(f"R{r.number} ({r.level}): {r.text}" for r in broken)
            report.sections.append(("requirements that this test proves", told))
    return report


def _table():
    """tests/conformance/table.py, which knows the requirements by number."""
    path = Path(__file__).parents[1] / "conformance/table.py"
    spec = importlib.util.spec_from_file_location("conformance_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, module.read_requirements(path.with_name("requirements.txt"))


def _rules(item):
    """The requirements that a test's name, docstring or row speak of, else its text."""
    table, requirements = _table()
    row = getattr(item, "callspec", None)
    for text in (f"{item.name} {row and row.params}", item.function.__doc__ or "", inspect.getsource(item.function)):
        if numbers := sorted(set(table.rules(text))):
            return [requirements[n] for n in numbers if n in requirements]
    return []


@pytest.fixture
def site(kafka, tmp_path):
    """Workers at the shared Kafka."""
    made = Site(tmp_path / "site", kafka)
    yield made
    made.stop()


@pytest.fixture
def own_site(own_kafka, tmp_path):
    """Workers at a Kafka that the test may hurt."""
    made = Site(tmp_path / "site", own_kafka)
    yield made
    made.stop()


@pytest.fixture
def locked():
    """with locked(tenant): another connection holds the lock of its database."""

    @contextlib.contextmanager
    def lock(tenant):
        with contextlib.closing(sqlite3.connect(tenant.database, timeout=30)) as db:
            db.isolation_level = None
            db.execute("BEGIN EXCLUSIVE")
            yield
            db.execute("ROLLBACK")

    return lock
