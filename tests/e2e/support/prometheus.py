"""Which alerts of config/alerts.rules.yml fire, by Prometheus' own engine (tests/e2e/clients/prometheus) on pages
of a real system. The pages are real, the time is not: a trouble of a moment is made to go on for an hour."""

import json
import re
import subprocess
import time
from pathlib import Path

from .clients import launcher

RULES = Path(__file__).resolve().parents[3] / "config" / "alerts.rules.yml"
STEP = 15
WELL, TROUBLE = 1200, 2400  # seconds
_LINE = re.compile(r"^([\w:]+(?:\{.*\})?) (\S+)$")
_COUNTER = re.compile(r"^\w+(_total|_bucket|_sum|_count)(\{|$)")


def names():
    return set(re.findall(r"^ *- alert: (\w+)$", RULES.read_text(), re.M))


def _series(page):
    found = (_LINE.match(line) for line in page.splitlines() if not line.startswith("#"))
    return {m[1]: float(m[2]) for m in found if m}


def _grown(before, after, k):
    """The page after so many times of what happened between the two."""
    lines = []
    for series, value in after.items():
        if _COUNTER.match(series):
            start = before.get(series, 0)
            value = start + k * max(value - start, 0)
        lines.append(f"{series} {value!r}")
    return "\n".join(lines) + "\n"


def going_on(before, after):
    """Scrapes: well for a while, then in trouble until now. after=None: nobody answers."""
    now = time.time()
    first, last = _series(before), None if after is None else _series(after)
    out = [(now - t, _grown({}, first, 1)) for t in range(TROUBLE + WELL, TROUBLE, -STEP)]
    for k in range(TROUBLE // STEP + 1):
        out.append((now - TROUBLE + k * STEP, None if last is None else _grown(first, last, k)))
    return out


def alerts(scrapes):
    """[{"alert", "labels", "summary"}] that fire at the last scrape."""
    lines = "".join(json.dumps({"at": at, "page": page} if page is not None else {"at": at}) + "\n" for at, page in scrapes)
    done = subprocess.run([launcher("prometheus"), RULES], input=lines, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
