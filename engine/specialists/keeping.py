"""Whether a specialist's change may stay: nothing that was green is lost, and tests are only added to."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.flow.agents import Agent
from engine.model import Purpose, TestReport
from engine.verify import acceptance, suspicion
from engine.verify.suspicion import Sources

if TYPE_CHECKING:
    from engine.loop import Loop


def losses(loop: Loop, hop: int, agent: Agent, before: str, after: str, *, binary: bool = False) -> str:
    """Why what an agent changed has to be undone; empty if it may stay.

    Every suite runs in a fresh worktree of the tree it left, unless it wrote documents only.

    Parameters
    ----------
    binary
        Its tool wrote it, and files that are not text may be among it.
    """
    texts = loop.keeper.texts(before, after) or (({}, {}) if binary else None)
    if texts is None:
        return "it changed or removed files that are not text"
    if agent.scope == "docs":
        return ""
    if agent.scope == "tests" and (gone := weakened(*texts)):
        return f"tests may be added to, not changed: {gone[0]}"
    if agent.scope not in ("tests", "fixtures"):
        found = suspicion.look(Sources(*texts, {}), lambda word: False)
        if grave := [a for a in found if a.grave]:
            return f"{grave[0].path}:{grave[0].line}: {grave[0].text}"
    commit = loop.plan.repository.scratch_commit(after, loop.workshop.snapshot.commit)
    reports = []
    for name in loop.plan.suites:
        skipped = loop.left_out(name)
        place = loop.workshop.place("verify", commit, fresh=skipped is None)
        reports.append(loop.suite(name, place, Purpose.REVIEW, hop, skipped))
    return "; ".join(problems(loop, agent, reports)[:2])


def problems(loop: Loop, agent: Agent, reports: Sequence[TestReport]) -> list[str]:
    """What is lost against the verified change, as a full round of every suite shows it."""
    baseline = loop.baseline
    lost: list[str] = []
    if agent.scope in ("tests", "fixtures"):
        known = set(baseline.outcomes) | set(baseline.targets)
        new = [r for report in reports for r in report.results if r.key not in known]
        lost += [f"the new test {r.nodeid} does not pass: {r.message}" for r in new if not r.outcome.passed]
        if not any(r.outcome.red for r in new):
            # The rule is about the tests this run began with.
            reports = [replace(r, results=tuple(t for t in r.results if t.key in known)) for r in reports]
    lost += acceptance.judge(baseline, reports).reasons
    lost += [f"{path} was changed while the tests ran" for report in reports for path in report.rewritten]
    lost += [f"a part of pytest was replaced: {part}" for report in reports for part in report.replaced]
    return lost


def weakened(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Statements of test files that are not there any more as they were, imports aside; by place.

    Examples
    --------
    >>> weakened({"t.py": "def test_a():\\n    assert f() == 1\\n"}, {"t.py": "def test_a():\\n    assert f()\\n"})
    ['test_a in t.py']
    >>> weakened({"t.py": "import a\\n"}, {"t.py": "import a, b\\n\\ndef test_b():\\n    assert b.f()\\n"})
    []
    """
    gone = []
    for path, old in before.items():
        try:
            was, now = _parts(old), _parts(after.get(path, ""))
        except SyntaxError:
            gone.append(f"{path} does not parse")
            continue
        for name, shapes in was.items():
            if any(shape not in now.get(name, []) for shape in shapes) or len(now.get(name, [])) > len(shapes):
                gone.append(f"{name} in {path}")
    return gone


def _parts(text: str) -> dict[str, list[str]]:
    """What a test file says, by name: functions, methods, and all else but imports."""
    parts: dict[str, list[str]] = {}

    def add(body: Sequence[ast.stmt], prefix: str) -> None:
        for number, node in enumerate(body):
            if isinstance(node, ast.Import | ast.ImportFrom):
                continue
            if isinstance(node, ast.ClassDef):
                head = [ast.dump(d) for d in (*node.bases, *node.decorator_list, *node.keywords)]
                parts.setdefault(f"class {prefix}{node.name}", []).append(repr(head))
                add(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                parts.setdefault(prefix + node.name, []).append(ast.dump(node))
            elif prefix or number or not isinstance(node, ast.Expr):
                parts.setdefault(_target(node), []).append(ast.dump(node))

    add(ast.parse(text).body, "")
    return parts


def _target(node: ast.stmt) -> str:
    """What a plain statement is about: the name it gives a value, else its text."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return ast.unparse(node)[:60]
