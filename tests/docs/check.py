#!/usr/bin/env python3
"""The documents against the tree: links lead somewhere, named files, options, commands, metrics and
log lines exist, and the lists that operations.md makes are complete.

    check.py ROOT [TENANTRY]    prints one line per finding; exit code 1 when there is any

With the program, options written behind a command are compared with its --help."""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(sys.argv[1])
PROGRAM = sys.argv[2] if len(sys.argv) > 2 else None
DOCS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
SOURCES = sorted(f for folder in ("base", "otlp", "tenancy", "router", "consumer", "cli", "certs")
                 for f in (ROOT / folder).rglob("*.[ch]"))
FOLDERS = r"(?:base|otlp|tenancy|router|consumer|cli|certs|config|tests|docs|tools|cmake)"

findings = []


def finding(doc, line, text):
    findings.append(f"{doc.relative_to(ROOT)}:{line}: {text}")


def lines(doc):
    """(number, text, is code) of each line."""
    code = False
    for number, text in enumerate(doc.read_text().splitlines(), 1):
        if text.lstrip().startswith("```"):
            code = not code
            continue
        yield number, text, code


def spans(doc):
    """Whatever stands in backticks, and the lines of code blocks."""
    for number, text, code in lines(doc):
        if code:
            yield number, text.strip()
        else:
            for span in re.findall(r"`([^`]+)`", text):
                yield number, span


def anchors(doc):
    headings = (re.match(r"#+ (.*)", text) for _, text, code in lines(doc) if not code)
    names = (re.sub(r"[^\w\- ]", "", h.group(1).lower()).replace(" ", "-") for h in headings if h)
    return set(names)


def check_links(doc):
    for number, text, code in lines(doc):
        if code:
            continue
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", text)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            there = (doc.parent / path).resolve() if path else doc
            if not there.exists():
                finding(doc, number, f"link to {path}, which does not exist")
            elif anchor and anchor not in anchors(there):
                finding(doc, number, f"link to #{anchor}, which is no heading of {there.name}")


def check_files(doc):
    """`router/net/loop.c`, `tools/check`, `tests/e2e/`, `router/admission/admission_*.c`"""
    for number, span in spans(doc):
        for name in re.findall(rf"(?<![\w./<>*-]){FOLDERS}/[\w./*-]*", span):
            name = name.rstrip(".")
            known = name.endswith((".c", ".h", ".py", ".md", ".cmake", "/", ".xml")) or name.startswith("tools/")
            if known and "NNNN" not in name and not name.startswith("docs/config.md") and not list(ROOT.glob(name.rstrip("/"))):
                finding(doc, number, f"{name} does not exist")


def source_text():
    """All sources, with string literals that stand side by side joined."""
    text = "\n".join(f.read_text() for f in SOURCES)
    return re.sub(r'"\s*\\?\s*"', "", text)


def commands():
    return re.findall(r'ROW\("([a-z ]+)",', (ROOT / "cli/commands.h").read_text())


def help_of(command, cache={}):
    if command not in cache:
        cache[command] = subprocess.run([PROGRAM, *command.split(), "--help"], capture_output=True, text=True).stdout
    return cache[command]


def check_commands(doc, known):
    for number, span in spans(doc):
        for words in re.findall(r"(?:^|[\s/`$(])tenantry ((?:--config \S+ )?[a-z][^`#|;)]*)", span):
            words = re.sub(r"^--config \S+ ", "", words)
            command = max((c for c in known if re.match(rf"{c}(?![\w-])", words)), key=len, default=None)
            group = any(c.startswith(words.split()[0] + " ") for c in known) and len(words.split()) == 1
            if command is None:
                if not group:
                    finding(doc, number, f"no command: tenantry {words}")
            elif PROGRAM:
                for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", words):
                    if option not in ("--help", "--config") and option not in help_of(command):
                        finding(doc, number, f"tenantry {command} has no option {option}")


def options():
    """Full names of all options, as `tenantry config --docs` writes them."""
    text = subprocess.run([PROGRAM, "config", "--docs"], capture_output=True, text=True).stdout
    path, names = "", set()
    for line in text.splitlines():
        if line.startswith("## "):
            path = "" if line.endswith("tenantry.conf") or "tenants.d" in line else line[3:].replace("[]", "") + "."
        elif row := re.match(r"\| `(\w+)` \|", line):
            names.add(path + row.group(1))
    return names


def check_options(doc, known):
    groups = {n.split(".")[0] for n in known if "." in n} - {"tenant"}
    below_tenant = {n.removeprefix("tenant.") for n in known if n.startswith("tenant.")}
    groups |= {n.split(".")[0] for n in below_tenant if "." in n}
    for number, span in spans(doc):
        name = re.fullmatch(r"([a-z]+(?:\.[a-z_]+)+)(?: = .*)?", span)
        if name and name.group(1).split(".")[0] in groups:
            n = name.group(1)
            prefix = any(k.startswith(n + ".") for k in known | below_tenant)
            if n not in known | below_tenant and not prefix and not n.endswith((".c", ".h", ".d", ".conf", ".md", ".json", ".log")):
                finding(doc, number, f"no option {n}")


def metrics(text):
    names = set(re.findall(r'"(tenantry_[a-z0-9_]+)(?:"|\{)', text))
    return {n for n in names if not re.fullmatch(r"tenantry_(schema|source|progress|recent)", n)}


def check_metrics(known):
    used = set()
    for file in [*DOCS, ROOT / "config/alerts.rules.yml"]:
        if not file.exists():
            continue
        for number, text in enumerate(file.read_text().splitlines(), 1):
            for name in re.findall(r"\btenantry_[a-z0-9_]+", text):
                base = re.sub(r"_(bucket|sum|count)$", "", name)
                if re.fullmatch(r"tenantry_(schema|source|progress|recent|base)", name):  # tables, a library
                    continue
                if name not in known and base not in known:
                    finding(file, number, f"no metric {name}")
                if file.name == "operations.md":
                    used |= {name, base}
    for name in sorted(known - used):
        findings.append(f"docs/operations.md: metric {name} is missing")


def table(doc, heading):
    """First cells, without backticks, of the table below a heading."""
    inside = False
    for number, text, _ in lines(doc):
        if text.startswith("#"):
            inside = text.lstrip("# ") == heading
        elif inside and (row := re.match(r"\| `([^`]+)` \|", text)):
            yield number, row.group(1)


def check_operations(doc, text):
    """Its tables of outcomes, worker states and log lines against the rows of the sources."""
    outcomes = re.findall(r'^\s*ROW\([A-Z0-9_]+, "([a-z0-9_]+)", \d', (ROOT / "router/admission/outcome.h").read_text(), re.M)
    states = re.findall(r'ROW\([A-Z_]+, "([a-z_]+)"\)', (ROOT / "consumer/worker_status.h").read_text())
    for heading, rows in (("How requests end", outcomes), ("States of a worker", states)):
        told = {name for _, name in table(doc, heading)}
        for name in sorted(set(rows) - told):
            findings.append(f"docs/operations.md: {heading}: {name} is missing")
        for name in sorted(told - set(rows)):
            findings.append(f"docs/operations.md: {heading}: there is no {name}")
    for number, message in table(doc, "Log lines"):
        if message.rstrip("…") not in text:
            finding(doc, number, f"no such log line: {message}")


def check_guards(doc):
    """One row in the table of security.md for each row of GUARDS: option and reason."""
    text = re.sub(r"\s*\\\n\s*", " ", (ROOT / "router/net/guards.h").read_text())
    rows = re.findall(r'ROW\((\w+), (\w+), "(\w+)", "([^"]+)", "([^"]+)"\)', text)
    told = [[cell.strip() for cell in line.strip("|").split("|")] for line in doc.read_text().splitlines()
            if line.startswith("|")]
    for name, _, reason, option, seen in rows:
        if not any(len(c) == 4 and c[2] == f"`{reason}`" and c[3] == seen and (option == "-" or c[0] == f"`{option}`")
                   for c in told):
            finding(doc, 1, f"the guard {name} (option {option}, reason {reason}, \"{seen}\") is not in the table")
    if not rows:
        finding(doc, 1, "no row of GUARDS was found")


def main():
    text, known = source_text(), commands()
    for doc in DOCS:
        check_links(doc)
        check_files(doc)
        check_commands(doc, known)
        if PROGRAM:
            check_options(doc, options())
    check_metrics(metrics(text))
    check_operations(ROOT / "docs/operations.md", text)
    check_guards(ROOT / "docs/security.md")
    print("\n".join(findings) or f"{len(DOCS)} documents, nothing to complain about")
    return 1 if findings else 0


sys.exit(main())
