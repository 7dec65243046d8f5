#!/usr/bin/env python3
"""The requirements on an OTLP server (requirements.txt) against the tests that prove them.

    table.py ROOT              prints one line per finding; exit code 1 when there is any
    table.py ROOT --write FILE writes the table for readers

A rule belongs to a test when its number (R87, or a range R114-R116) stands in it: in its name, docstring or
comments, in the comment right above it, or in what it uses of its own file: a row of a table, a helper. What
stands in the comment that opens a file belongs to nobody.

The last column of requirements.txt says why a rule has no test:
    void R113: why     the case never arises; a test proves the other rule
    not yet: why       missing; there may be only as many of them as NOT_YET says
    anything else      why a SHOULD or MAY is not met, or in part (then it has tests, too)
A MUST or P-MUST is proved by a test, void, or `not yet`."""
import ast
import re
import sys
from collections import Counter
from pathlib import Path

LEVELS = {"MUST": 117, "P-MUST": 84, "SHOULD": 45, "P-SHOULD": 33, "MAY": 26}  # how many of each there are
NOT_YET = 0  # only ever lowered
RULES = re.compile(r"(?<![A-Za-z0-9])R([1-9]\d{0,2})(?:\s*-\s*R([1-9]\d{0,2}))?(?![A-Za-z0-9])")


def rules(text):
    """All numbers in a text, ranges spelled out."""
    for first, last in RULES.findall(text):
        yield from range(int(first), int(last or first) + 1)


# ---- requirements.txt


class Requirement:
    def __init__(self, line, part, number, level, text, reason):
        self.line, self.part, self.number = line, part, number
        self.level, self.text, self.reason = level, text, reason
        self.tests = {}  # by test, the names of its rows
        found = re.match(r"(void|not yet)(?: R(\d+))?: ", reason)
        self.kind = found[1] if found else "reason" if reason else None
        self.other = int(found[2]) if found and found[2] else None


def read_requirements(path):
    part, found = None, {}
    for line, text in enumerate(path.read_text().splitlines(), 1):
        if text.startswith("#"):
            part = text.lstrip("# ")
        elif text:
            number, level, words, reason = (text.split("\t") + [""])[:4]
            r = Requirement(line, part, int(number.removeprefix("R")), level, words, reason)
            found[r.number] = r
    return found


# ---- tests: a file is a list of blocks; a test owns its block and those it mentions by name


class Block:
    def __init__(self, name, first, lines, is_test=False, labels=None):
        self.name, self.first, self.text, self.is_test = name, first, "\n".join(lines), is_test
        self.labels = labels or {}  # line: what the row there is called

    def rules(self):
        """(number, label of the row) of each."""
        for i, line in enumerate(self.text.splitlines(), self.first):
            for number in rules(line):
                yield number, self.labels.get(i)


def with_comment(lines, first, sign):
    """The line where the comment right above a line begins."""
    while first > 1 and lines[first - 2].lstrip().startswith(sign):
        first -= 1
    return first


def python_labels(node):
    """By line, the first text of the row of a table that stands there: its name."""
    labels = {}
    for n in getattr(node.value, "elts", []):
        parts = n.elts if isinstance(n, ast.Tuple) else n.args if isinstance(n, ast.Call) else []
        if len(parts) > 1 and isinstance(parts[0], ast.Constant) and isinstance(parts[0].value, str):
            labels |= {line: parts[0].value for line in range(n.lineno, n.end_lineno + 1)}
    return labels


def python_blocks(text):
    lines = text.splitlines()
    for node in ast.parse(text).body:
        names, is_test = [], False
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            rare = any("mark.long" in ast.unparse(d) for d in node.decorator_list)  # not run with every change
            names, is_test = [node.name], node.name.startswith("test_") and not rare
        elif isinstance(node, ast.Assign):
            names = [t.id for t in node.targets if isinstance(t, ast.Name)]
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        first = with_comment(lines, first, "#")
        labels = python_labels(node) if isinstance(node, ast.Assign) else None
        for name in names:
            yield Block(name, first, lines[first - 1:node.end_lineno], is_test, labels)


def c_blocks(text):
    """Functions and tables begin in the first column and end with a brace there."""
    lines = text.splitlines()
    tests = set(re.findall(r"cmocka_unit_test\w*\(\s*(\w+)", text))
    start = name = comment = None
    for i, line in enumerate(lines, 1):
        if start is None:
            if line.startswith("/*"):
                comment = i
            elif re.match(r"[a-z]", line) and not line.endswith(";"):
                start = comment or i
            elif line.startswith("#define") and (macro := re.match(r"#define (\w+)", line)):
                end = i
                while lines[end - 1].endswith("\\"):
                    end += 1
                yield Block(macro[1], comment or i, lines[(comment or i) - 1:end])
                comment = None
            elif not line or not line.startswith((" ", "\t")):
                comment = None
        if start is not None and name is None:
            found = re.search(r"(\w+)(?:\(|(?:\[\w*\])+ = \{)", line)
            name = found[1] if found else None
        if start is not None and line.startswith("}"):
            if name:
                yield Block(name, start, lines[start - 1:i], name in tests)
            start = name = comment = None


def proofs(path, root):
    """(number, test, row) for each rule of each test in a file."""
    text = path.read_text()
    blocks = list((python_blocks if path.suffix == ".py" else c_blocks)(text))
    if path.suffix == ".c":  # helpers of the headers beside it
        for header in re.findall(r'#include "(\w+\.h)"', text):
            if (path.parent / header).exists():
                blocks += c_blocks((path.parent / header).read_text())
    by_name = {}
    for b in blocks:
        by_name.setdefault(b.name, []).append(b)
    # rows[0] uses a table, but not for what its rows say
    words = {id(b): set(re.findall(r"\w+(?!\w*\[\d)", b.text)) for b in blocks}
    where = str(path.relative_to(root / "tests"))
    for test in blocks:
        if not test.is_test:
            continue
        seen, todo = set(), [test]
        while todo:
            b = todo.pop()
            if id(b) in seen:
                continue
            seen.add(id(b))
            for number, label in b.rules():
                yield number, f"{where}: {test.name}", label
            todo += [o for w in words[id(b)] for o in by_name.get(w, []) if not o.is_test]


def test_files(root):
    tests = root / "tests"
    yield from sorted(tests.glob("e2e/test_*.py"))
    yield from sorted(tests.glob("*/test_*.c"))


# ---- what holds


def check(requirements, found):
    """One line per finding."""
    levels = Counter(r.level for r in requirements.values())
    if levels != LEVELS or sorted(requirements) != list(range(1, sum(LEVELS.values()) + 1)):
        yield f"requirements.txt: not the rows there are: {dict(levels)}"
    for number, tests in sorted(found.items()):
        if number not in requirements:
            yield f"{next(iter(tests))}: there is no R{number}"
    for r in requirements.values():
        other = requirements.get(r.other)
        if r.kind == "void" and not (other and other.tests and other is not r):
            yield f"R{r.number}: {r.reason}: no test proves that one"
        elif not r.kind and not r.tests:
            yield f"R{r.number} ({r.level}): neither a test nor a reason: {r.text}"
        elif r.kind == "reason" and r.level.endswith("MUST"):
            yield f"R{r.number}: a {r.level} needs more than a reason: {r.reason}"
    missing = [r for r in requirements.values() if r.kind == "not yet"]
    if len(missing) != NOT_YET:
        yield f"{len(missing)} rows are `not yet`, NOT_YET says {NOT_YET}; lower it, never raise it"


STATES = ("proved", "void", "in part", "not met", "not yet")


def state(r):
    if r.kind == "reason":
        return "in part" if r.tests else "not met"
    return r.kind or "proved"


def describe(r):
    """What the last column of the table says."""
    told = []
    for test, rows in list(r.tests.items())[:4]:
        named = ", ".join(rows[:3]) + (" ..." if len(rows) > 3 else "")
        told.append(f"`{test}`" + (f" ({named})" if rows else ""))
    if len(r.tests) > 4:
        told.append(f"and {len(r.tests) - 4} more")
    if r.reason:
        told.insert(0, ("" if r.kind in ("void", "not yet") else f"{state(r)}: ") + r.reason)
    return "; ".join(told).replace("|", "\\|")


def page(requirements):
    yield "# Requirements on an OTLP server, and the tests that prove them"
    yield ""
    yield "Made at build time from `tests/conformance/requirements.txt` and the tests that name a rule. *void*: the case never"
    yield "arises, as another rule's test proves."
    yield ""
    yield "| level | rows | " + " | ".join(STATES) + " |"
    yield "|---|" + "---|" * (len(STATES) + 1)
    for level in LEVELS:
        rows = [r for r in requirements.values() if r.level == level]
        states = Counter(map(state, rows))
        yield f"| {level} | {len(rows)} | " + " | ".join(str(states[s]) for s in STATES) + " |"
    part = None
    for r in requirements.values():
        if r.part != part:
            part = r.part
            yield from ("", f"## {part}", "", "| rule | level | requirement | test, or why not |", "|---|---|---|---|")
        yield f"| R{r.number} | {r.level} | {r.text} | {describe(r)} |"


def main():
    root = Path(sys.argv[1]).resolve()
    requirements = read_requirements(root / "tests/conformance/requirements.txt")
    found = {}
    for path in test_files(root):
        for number, test, row in proofs(path, root):
            rows = found.setdefault(number, {}).setdefault(test, [])
            if row and row not in rows:
                rows.append(row)
    for number, tests in found.items():
        if number in requirements:
            requirements[number].tests = tests
    if "--write" in sys.argv:
        out, text = Path(sys.argv[sys.argv.index("--write") + 1]), "\n".join(page(requirements)) + "\n"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text)
        return 0
    findings = list(check(requirements, found))
    for r in requirements.values():
        if r.kind == "not yet":
            print(f"R{r.number} ({r.level}) {r.reason}")
    states = Counter(map(state, requirements.values()))
    print("\n".join(findings) or ", ".join(f"{states[s]} {s}" for s in STATES))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
