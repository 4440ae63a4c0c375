"""The spec-analyzer's evidence: assertions that contradict each other side by side, or why the targets stay red."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.model import Advisory, Gate, GateStatus
from engine.records.redact import Redactor
from engine.specialists.case import Case, Evidence, Fact
from engine.specialists.change import cut, read
from engine.specialists.failures import Failing, failing, groups
from engine.specialists.markdown import code, fenced
from engine.suites.impact import functions
from engine.verify.contradiction import CODE, contradictions

FILE = "analysis.md"
MOST_FACTS = 40
MOST_GROUPS = 20
"""Ways of failing an analysis tells; contradictions, too."""
_PLACE = re.compile(r"(?P<path>[^\s;:]{1,400}\.py):(?P<line>\d{1,9})")


@dataclass(frozen=True, slots=True)
class Side:
    """One of the assertions: where it stands, and the test it stands in."""

    path: str
    line: int
    source: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


def look(case: Case) -> Evidence:
    """The gate holds when something can be said: a contradiction, or failures with the code they end in."""
    tests = failing(case.state)
    found = named(case, tests)
    if not found and not tests:
        why = "no target fails and no tests contradict each other"
        return Evidence(Gate("spec", GateStatus.SKIPPED, "n/a-surface", why))
    grouped = groups(tests)
    telling = {s: g for s, g in grouped.items() if any(t.path or t.detail or t.missing for t in g)}
    pairs = [(advisory, sides(case, advisory)) for advisory in found[:MOST_GROUPS]]
    text = Redactor.of(os.environ).text(written(case, pairs, grouped))
    facts = [fact for advisory, both in pairs for fact in _facts(advisory, both)]
    facts += [Fact("fails alike", f"{len(g)} × {s}; in {_paths(g)}") for s, g in grouped.items()]
    status = GateStatus.PASS if found or telling else GateStatus.FAIL
    keep = {FILE: text.encode("utf-8", "replace")}
    return Evidence(Gate("spec", status, "", _evidence(found, grouped, telling)), tuple(facts[:MOST_FACTS]), keep)


def _facts(advisory: Advisory, both: Sequence[Side]) -> Iterator[Fact]:
    yield Fact("contradiction", cut(advisory.text))
    for side in both:
        yield Fact("the assertion", f"{side}\n{side.source[:1500]}")


def _evidence(
    found: Sequence[Advisory], grouped: Mapping[str, Sequence[Failing]], telling: Mapping[str, Sequence[Failing]]
) -> str:
    parts = []
    if found:
        many = "1 contradiction" if len(found) == 1 else f"{len(found)} contradictions"
        parts.append(f"{many}: {cut(found[0].text, 200)}")
    if grouped:
        tests = sum(map(len, grouped.values()))
        parts.append(f"{tests} red targets in {len(grouped)} ways of failing")
        if not telling and not found:
            parts.append("nothing says where or why they fail")
        else:
            parts.append(cut(f"most often {next(iter(grouped))}", 160))
    return f"analysis: {'; '.join(parts)}"


def named(case: Case, tests: Sequence[Failing]) -> list[Advisory]:
    """Contradictions the run has noted; else those that the targets' files hold now."""
    noted = [a for a in case.state.advisories if a.code == CODE]
    if noted:
        return list(dict.fromkeys(noted))
    nodeids = [row.nodeid for row in case.state.targets]
    # Both halves of a contradiction may lie in files of any suite, so all that were collected are read.
    paths = sorted({row.nodeid.split("::", 1)[0] for row in case.state.tests.values()})
    sources = {path: text for path in paths if (text := _source(case, path))}
    return list(contradictions(sources, nodeids))


def _source(case: Case, path: str) -> str:
    """A file of the project's worktree; empty if there is none that can be read."""
    return read(case, f"{case.prefix}/{path}" if case.prefix else path)


def sides(case: Case, advisory: Advisory) -> list[Side]:
    """The places an advisory names, with the source of the tests they are in."""
    return list(_sides(case, advisory))


def _sides(case: Case, advisory: Advisory) -> Iterator[Side]:
    places = [(m["path"], int(m["line"])) for m in _PLACE.finditer(advisory.text)]
    for path, line in dict.fromkeys([*places, (advisory.path, advisory.line)]):
        text = _source(case, path) if path else ""
        if not text:
            continue
        lines = text.split("\n")
        around = next((f for f in functions(text) if f.first <= line <= f.last), None)
        first, last = (around.first, around.last) if around is not None else (line, line)
        # A long test is shown around the line that counts.
        first, last = max(first, line - 15), min(last, line + 5, len(lines))
        shown = (f"{'>' if n == line else ' '} {n:4} {lines[n - 1]}" for n in range(first, last + 1))
        yield Side(path, line, "\n".join(shown))


def _paths(group: Sequence[Failing]) -> str:
    places = dict.fromkeys(f"{t.path}:{t.line}" for t in group if t.path)
    return cut(", ".join(places), 200) or "no place that is known"


def written(
    case: Case, pairs: Sequence[tuple[Advisory, Sequence[Side]]], grouped: Mapping[str, Sequence[Failing]]
) -> str:
    """The analysis: the contradictions, the ways of failing, what was tried, what is at risk."""
    parts = ["# Analysis", ""]
    for number, (advisory, both) in enumerate(pairs, 1):
        parts += [f"## Contradiction {number}", "", fenced(cut(advisory.text)), ""]
        for name, side in zip("ABCDEFGH", both, strict=False):
            parts += [f"{name}: {code(str(side))}", "", fenced(side.source, "python"), ""]
        parts += ["One of them has to give: no change of the code makes both true.", ""]
    if grouped:
        parts += ["## How the targets fail", ""]
    for signature, group in list(grouped.items())[:MOST_GROUPS]:
        parts += [f"- {len(group)} × {code(signature)}", f"  - in {code(_paths(group))}"]
        parts += [f"  - {code(t.nodeid)}" for t in group[:10]]
        if len(group) > 10:
            parts.append(f"  - and {len(group) - 10} more")
    parts += ["", "## What was tried", ""]
    for attempt in case.state.attempts:
        moved = attempt.progress
        numbers = f"fixed {len(moved.fixed)}, broken {len(moved.broken)}, still red {len(moved.still)}"
        parts.append(f"- attempt {attempt.number}: {attempt.verdict or 'no verdict'}; {numbers}; diff {attempt.diff}")
    if not case.state.attempts:
        parts.append("Nothing yet.")
    return "\n".join([*parts, "", "## Risk", "", *_risk(case, grouped)]) + "\n"


def _risk(case: Case, grouped: Mapping[str, Sequence[Failing]]) -> list[str]:
    """What stands beside the failing targets, in numbers."""
    red = {t.nodeid for group in grouped.values() for t in group}
    files = {nodeid.split("::", 1)[0] for nodeid in red}
    beside = [
        row
        for row in case.state.tests.values()
        if row.nodeid.split("::", 1)[0] in files and row.outcome is not None and row.outcome.passed
    ]
    places = {t.path for group in grouped.values() for t in group if t.path}
    return [
        f"- {len(beside)} tests pass in the same {len(files)} test files and would judge any change",
        f"- {len(places)} files hold the lines the failures end in",
    ]
