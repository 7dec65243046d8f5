"""Programs under test: started with their output in a file, ended by pid, never left behind."""

import atexit
import os
import re
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .wait import TimedOut, until

# Every process not yet known to have ended. conftest.py shows their logs when a test fails.
started = []

# The parent-death signal is sent when the *thread* that started the process ends. All starts go
# through this one thread, which lives as long as the harness, so a test may start from any thread.
_starter = ThreadPoolExecutor(max_workers=1)


def tenantry_bin():
    """The program under test. Missing is an error, not a skip: a skipped test proves nothing."""
    path = os.environ.get("TENANTRY_BIN")
    if not path:
        raise RuntimeError(
            "TENANTRY_BIN isn't set: build tenantry and run tools/e2e --bin PATH_OF_THE_PROGRAM"
        )
    if not os.access(path, os.X_OK):
        raise RuntimeError(f"TENANTRY_BIN is {path}, which isn't a program that can be run")
    return path


def _tail(text, characters):
    return text if len(text) <= characters else "[...]" + text[-characters:]


def _spawn(argv, env, **options):
    # setpriv becomes the program (same pid) after asking the kernel to kill it with us. In a
    # session of its own: Ctrl-C stops pytest alone, which then ends its programs in order.
    full = ["setpriv", "--pdeathsig", "KILL", "--", *map(str, argv)]
    options["env"] = {**os.environ, **(env or {})}
    return _starter.submit(subprocess.Popen, full, start_new_session=True, **options).result()


class Process:
    """A running program. Its stdout and stderr go to the end of the file log."""

    def __init__(self, argv, log, name=None, env=None, cwd=None):
        self.name = name or Path(argv[0]).name
        self.log = Path(log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._news_start = self._log_start
        with open(self.log, "ab") as out:
            self._popen = _spawn(
                argv, env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd
            )
        started.append(self)

    @property
    def pid(self):
        return self._popen.pid

    @property
    def returncode(self):
        """The exit status (-9 when killed by signal 9), None while it runs."""
        return self._popen.poll()

    @property
    def alive(self):
        return self.returncode is None

    def signal(self, number):
        """Popen never signals a pid it has already reaped, so no stranger can be hit."""
        self._popen.send_signal(number)

    def kill9(self):
        self.signal(signal.SIGKILL)
        return self.wait_exit(30)

    def terminate(self, timeout=60):
        """SIGTERM, then the exit status. Still running after timeout: killed, and an error."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait_exit(timeout)
        except TimedOut:
            self.kill9()
            raise

    def stop(self, timeout=30):
        """Ends it in any state without complaint, for teardown."""
        if self.alive:
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGCONT)  # a stopped process would never see the first one
            try:
                self.wait_exit(timeout)
            except TimedOut:
                self.kill9()
        if self in started:
            started.remove(self)

    def wait_exit(self, timeout=60):
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimedOut(f"not within {timeout:g} s: the end of {self.name} (pid {self.pid})")

    def rss(self):
        """Resident memory in bytes."""
        return self._status("VmRSS") * 1024

    def peak_rss(self):
        return self._status("VmHWM") * 1024

    def _status(self, field):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise RuntimeError(f"{self.name} (pid {self.pid}) has no {field}: it has ended")

    def children(self, contains=""):
        """Pids of its child processes whose command line contains the text."""
        return [pid for pid in child_pids(self.pid) if contains in command_line(pid)]

    def output(self):
        """What this process (not an earlier one with the same log file) wrote so far."""
        return self._read(self._log_start)

    def _read(self, start):
        try:
            with open(self.log, "rb") as f:
                f.seek(start)
                return f.read().decode(errors="replace")
        except FileNotFoundError:  # the test's folder was removed
            return ""

    def tail(self, characters=4000):
        return _tail(self.output(), characters)

    def mark(self):
        """From here on everything is news."""
        self._news_start = self.log.stat().st_size if self.log.exists() else 0

    def news(self, characters=4000):
        """The end of what came since mark()."""
        return _tail(self._read(self._news_start), characters)

    def wait_log(self, pattern, timeout=60):
        """Waits for output that the regular expression matches, and returns the match."""
        return self.wait_for(
            lambda: re.search(pattern, self.output(), re.M), timeout, f"/{pattern}/ in its output"
        )

    def wait_for(self, cond, timeout, what):
        """until(), but ends at once when the process does."""

        def check():
            ended = not self.alive  # before cond: its last words count
            value = cond()
            if not value and ended:
                raise RuntimeError(
                    f"{self.name} ended with {self.returncode} before {what}:\n{self.tail()}"
                )
            return value

        try:
            return until(check, timeout, f"{what} of {self.name}")
        except TimedOut as e:
            raise TimedOut(f"{e}\n{self.tail()}") from None


def start_tenantry(*args, log, name=None, env=None, cwd=None, prefix=()):
    """Starts `tenantry args...`. `prefix` comes before it: how it gets into a namespace."""
    words = [str(a) for a in args]
    return Process(
        [*prefix, tenantry_bin(), *words],
        log,
        name or " ".join(["tenantry", *[w for w in words if not w.startswith("-")][:2]]),
        env,
        cwd,
    )


def run_tenantry(*args, timeout=120, check=True, env=None, cwd=None, input=None):
    """Runs `tenantry args...` to its end: a CompletedProcess with text. check: exit status 0."""
    argv = [tenantry_bin(), *map(str, args)]
    pipe = subprocess.PIPE
    process = _spawn(argv, env, stdin=pipe, stdout=pipe, stderr=pipe, cwd=cwd, text=True)
    try:
        out, err = process.communicate(input, timeout)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    done = subprocess.CompletedProcess(argv, process.returncode, out, err)
    if check and done.returncode != 0:
        raise AssertionError(
            f"tenantry {' '.join(argv[1:])} ended with {done.returncode}\n{out}{err}"
        )
    return done


def child_pids(pid):
    """Direct children, from the parent field of every /proc/PID/stat."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:  # it ended meanwhile
                continue
            # The name in brackets may hold anything; after its end come state and parent.
            if int(stat.rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def command_line(pid):
    """'' when there is no such process any more."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def exists(pid):
    """Whether the process runs (a zombie doesn't)."""
    return command_line(pid) != ""


@atexit.register
def _end_all():
    for process in list(started):
        process.stop(timeout=2)


if not shutil.which("setpriv"):
    raise RuntimeError("setpriv (package util-linux) isn't installed; run tools/deps")
