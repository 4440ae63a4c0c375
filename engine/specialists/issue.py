"""The issue-creator's evidence: what the run could not mend, as an issue with one criterion a failing test."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

from engine.model import Gate, GateStatus
from engine.records.redact import Redactor
from engine.specialists.case import Case, Evidence, Fact
from engine.specialists.change import cut
from engine.specialists.failures import Failing, failing, groups
from engine.specialists.markdown import code, fenced, plain

FILE = "issue.md"
MOST = 50
"""Tests an issue lists; more are counted."""
MOST_GROUPS = 20
"""Ways of failing it tells."""


def look(case: Case) -> Evidence:
    """The issue as a file; the gate holds when it has a criterion for every failing test."""
    tests = failing(case.state)
    if not tests:
        why = "no target fails: there is nothing to ask for"
        return Evidence(Gate("spec", GateStatus.SKIPPED, "n/a-surface", why))
    missing = missing_names(tests)
    text = Redactor.of(os.environ).text(written(case, tests, missing))
    facts = [Fact("missing", f"{name} ({where(case, name)})") for name in missing[:MOST]]
    facts += [Fact("fails", cut(f"{t.nodeid}: {t.message}")) for t in tests[:MOST]]
    criteria = f"{len(tests)} {'criterion' if len(tests) == 1 else 'criteria'}"
    evidence = f"issue: {criteria}" + (f"; missing: {cut(', '.join(missing), 160)}" if missing else "")
    return Evidence(Gate("spec", GateStatus.PASS, "", evidence), tuple(facts), {FILE: text.encode("utf-8", "replace")})


def missing_names(tests: Sequence[Failing]) -> list[str]:
    """What the failures say is not there, the most wanted first."""
    wanted: dict[str, int] = {}
    for test in tests:
        for name in test.missing:
            wanted[name] = wanted.get(name, 0) + 1
    return sorted(wanted, key=lambda n: -wanted[n])


def where(case: Case, name: str) -> str:
    """Whether a name is to be looked for in this project or outside of it."""
    top = name.removeprefix("module ").split(".")[0]
    roots = [r.strip("/") for r in case.place.import_roots] or [""]
    starts = [top if root in ("", ".") else f"{root}/{top}" for root in roots]
    ours = any(f == f"{s}.py" or f.startswith(f"{s}/") for s in starts for f in case.files)
    return "of this project" if ours else "outside this project"


def title(tests: Sequence[Failing], missing: Sequence[str]) -> str:
    """What is wrong, in a line."""
    many = "1 test fails" if len(tests) == 1 else f"{len(tests)} tests fail"
    if missing:
        return plain(f"{missing[0]} is missing: {many}")
    first = next(iter(groups(tests)))
    return plain(f"{many}: {first}")


def written(case: Case, tests: Sequence[Failing], missing: Sequence[str]) -> str:
    """The issue: title, what fails, what is missing, criteria, how to see it, environment."""
    parts = [f"# {title(tests, missing)}", "", "## What fails", ""]
    for signature, group in list(groups(tests).items())[:MOST_GROUPS]:
        parts += [f"{len(group)} × {code(signature)}", "", fenced(_told(group[0])), ""]
    parts += ["## What is missing", ""]
    parts += [f"- {code(name)}, {where(case, name)}" for name in missing] or [
        "Nothing by name: the code is there and does something else than the tests ask for."
    ]
    parts += ["", "## Acceptance criteria", ""]
    parts += [f"- [ ] {code(test.nodeid)} passes" for test in tests[:MOST]]
    if len(tests) > MOST:
        parts.append(f"- [ ] and {len(tests) - MOST} more tests of the same files pass")
    parts += [
        "- [ ] no test that passes now fails",
        "",
        "## How to see it",
        "",
        fenced(_commands(case, tests), "sh"),
        "",
    ]
    return "\n".join([*parts, "## Environment", "", *_environment(case), *_tried(case)]) + "\n"


def _told(test: Failing) -> str:
    place = f"{test.path}:{test.line}\n" if test.path else ""
    detail = "\n".join(test.detail.splitlines()[-30:])
    return f"{test.nodeid}\n{place}{detail or test.message}"


def _commands(case: Case, tests: Sequence[Failing]) -> str:
    commit = case.state.snapshot.head if case.state.snapshot is not None else ""
    lines = [f"git checkout {commit}"] if commit else []
    lines += [f"cd {shlex.quote(case.prefix)}"] if case.prefix else []
    names = " ".join(shlex.quote(t.nodeid) for t in tests[:10])
    return "\n".join([*lines, f"python -m pytest {names}"])


def _environment(case: Case) -> list[str]:
    python = case.interpreter
    return [f"- Python {python.version}, pytest {python.pytest}", f"- {python.platform}"]


def _tried(case: Case) -> list[str]:
    """What the run did about it."""
    rows = []
    for attempt in case.state.attempts:
        why = f": {code(cut(attempt.reasons[0], 200))}" if attempt.reasons else ""
        rows.append(f"- attempt {attempt.number}, {attempt.verdict or 'no verdict'}{why}")
    return ["", "## What was tried", "", *rows] if rows else []
