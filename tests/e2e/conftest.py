"""Fixtures every end-to-end test may use."""

import uuid

import pytest

from support import proc
from support.kafka import Kafka


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
    for process in proc.started:
        process.mark()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what each program that runs, or ended in this test, said during it."""
    report = yield
    if report.failed:
        for process in proc.started:
            state = "running" if process.alive else f"ended with {process.returncode}"
            title = f"log of {process.name} (pid {process.pid}, {state})"
            report.sections.append((title, process.news() or "(nothing)"))
    return report
