"""The code-reviewer's evidence: what the linter says anew of the change, and what was left behind in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine.gates.tools import ToolBench, linter
from engine.model import Gate, GateStatus
from engine.specialists.case import Case, Evidence, Fact
from engine.specialists.change import Edited, bench, cut, edited, judging
from engine.specialists.leftovers import leftovers

MOST_FACTS = 40
_PLACE = re.compile(r"^(?P<path>[^\s:][^:]*):(?P<line>\d{1,9}):(?:(?P<column>\d{1,9}):?)?\s*(?P<what>\S.*)$")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a tool says of a line."""

    path: str  # relative to the worktree
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


@dataclass(frozen=True, slots=True)
class Linted:
    """What the linter says: new findings, or the gate that says why it says nothing.

    Attributes
    ----------
    known : findings that were there before the change.
    complaint : its last words where it failed without a finding.
    """

    gate: Gate | None
    new: tuple[Finding, ...] = ()
    known: int = 0
    complaint: str = ""


def look(case: Case) -> Evidence:
    """Linter and left-overs on the lines of the change; the gate holds when there are neither."""
    changes = edited(case)
    code = [c for c in changes if c.python and c.after is not None]
    if not code:
        return Evidence(Gate("clippy", GateStatus.SKIPPED, "n/a-surface", "no changed Python file"))
    command = case.settings.gates.clippy
    linted = lint(command, bench(case, code), code)
    left = left_behind(case, code)
    return Evidence(judged(command, linted, left, code), tuple(told(linted, left)[:MOST_FACTS]))


def left_behind(case: Case, code: Sequence[Edited]) -> list[Finding]:
    """Left-overs on the lines of the change."""
    judges = judging(case)
    return [
        Finding(c.path, line, what)
        for c in code
        for line, what in leftovers(c)
        # A test may print what it likes.
        if not (judges(c.path) and what.startswith("print("))
    ]


def told(linted: Linted, left: Sequence[Finding]) -> list[Fact]:
    """What both found, for a model and for a reader."""
    facts = [Fact("left behind", cut(str(f))) for f in left] + [Fact("linter", cut(str(f))) for f in linted.new]
    return [*facts, Fact("linter", linted.complaint)] if linted.complaint else facts


def judged(command: Sequence[str], linted: Linted, left: Sequence[Finding], code: Sequence[Edited]) -> Gate:
    """The gate of linter and left-overs; it holds when there is nothing new of either."""
    tool = command[0] if command else "linter"
    behind = f"{len(left)} left-overs in +{sum(len(c.added) for c in code)} lines"
    first = f"; {cut(str(left[0]), 160)}" if left else ""
    if linted.gate is not None:
        if left:
            return Gate("clippy", GateStatus.FAIL, "", f"{behind}{first}; {linted.gate.evidence}")
        return Gate("clippy", GateStatus.SKIPPED, linted.gate.reason, f"{linted.gate.evidence}; {behind}")
    holds = not (left or linted.new or linted.complaint)
    first = first or (f"; {cut(str(linted.new[0]), 160)}" if linted.new else "")
    status = GateStatus.PASS if holds else GateStatus.FAIL
    return Gate("clippy", status, "", f"{words(tool, linted)}; {behind}{first}")


def words(tool: str, linted: Linted) -> str:
    """``ruff: 0 warnings``, with what was there before."""
    if linted.complaint:
        return f"{tool}: {cut(linted.complaint, 160)}"
    if linted.new or linted.known:
        return f"{tool}: {len(linted.new)} new warnings ({linted.known} before)"
    return f"{tool}: 0 warnings"


def lint(command: Sequence[str], tools: ToolBench, code: Sequence[Edited]) -> Linted:
    """Findings of the linter that the same files did not have before."""
    argv, gate = linter(command, tools)
    if gate is not None:
        return Linted(gate)
    status, lines = tools.confined([*argv, *tools.files])
    if status == 0:
        return Linted(None)
    now = findings(lines, tools)
    with tools.as_before():
        before = findings(tools.confined([*argv, *tools.files])[1], tools) if tools.files else []
    known = Counter((f.path, f.what) for f in before)
    added = {c.path: c.added for c in code}
    new = []
    # Of several that say the same, those on lines of the change are the new ones.
    for finding in sorted(now, key=lambda f: f.line in added.get(f.path, {})):
        key = (finding.path, finding.what)
        if known[key]:
            known[key] -= 1
        else:
            new.append(finding)
    complaint = "" if now or before else cut(lines[-1] if lines else f"exit {status}")
    new.sort(key=lambda f: (f.path, f.line))
    return Linted(None, tuple(new), len(before), complaint)


def findings(lines: Sequence[str], tools: ToolBench) -> list[Finding]:
    """What a tool says of places in the worktree: ``path:line:column: words``."""
    found = []
    for line in lines:
        place = _PLACE.match(line)
        if place is None:
            continue
        path = Path(place["path"])
        whole = path if path.is_absolute() else tools.cwd / path
        if whole.is_relative_to(tools.root):
            name = str(PurePosixPath(whole.relative_to(tools.root)))
            found.append(Finding(name, int(place["line"]), place["what"]))
    return found
