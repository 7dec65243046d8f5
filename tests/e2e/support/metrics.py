"""Prometheus pages as data."""

import re

LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse(page):
    """[(name, labels, value)] of every line; a line that is none fails."""
    out = []
    for line in page.splitlines():
        if line and not line.startswith("#"):
            found = LINE.match(line)
            assert found, f"not a line of metrics: {line!r}"
            out.append((found[1], dict(LABEL.findall(found[2] or "")), float(found[3])))
    return out


def select(page, name, **labels):
    """The values of the series with these labels."""
    return [v for n, have, v in parse(page) if n == name and all(have.get(k) == x for k, x in labels.items())]


def total(page, name, **labels):
    return sum(select(page, name, **labels))
