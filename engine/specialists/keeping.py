"""Whether a specialist's change may stay: nothing that was green is lost, and tests are only added to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.flow.agents import Agent
from engine.model import Purpose, TestReport, Verdict
from engine.specialists.additions import Tests
from engine.state import RunState
from engine.verify import acceptance, suspicion
from engine.verify.suspicion import Sources

if TYPE_CHECKING:
    from engine.loop import Loop


def losses(loop: Loop, hop: int, agent: Agent, before: str, after: str, *, binary: bool = False) -> str:
    """Why what an agent changed has to be undone; empty if it may stay.

    Every suite runs in a fresh worktree of the tree it left, also after documents: some are tests, or read by one.

    Parameters
    ----------
    binary
        Its tool wrote it, and files that are not text may be among it.
    """
    if said := forbidden(loop, agent, before, after, binary=binary):
        return said
    commit = loop.plan.repository.scratch_commit(after, loop.workshop.snapshot.commit)
    reports = []
    for name in loop.plan.suites:
        skipped = loop.left_out(name)
        place = loop.workshop.place("verify", commit, fresh=skipped is None)
        reports.append(loop.suite(name, place, Purpose.REVIEW, hop, skipped))
    return "; ".join(problems(loop, agent, reports)[:2])


def forbidden(loop: Loop, agent: Agent, before: str, after: str, *, binary: bool = False) -> str:
    """What of a change cannot stay whatever the suites show; empty where nothing is. As :func:`losses`."""
    texts = loop.keeper.texts(before, after) or (({}, {}) if binary else None)
    if texts is None:
        return "it changed or removed files that are not text"
    if agent.scope == "tests" and (gone := weakened(*texts)):
        return f"tests may be added to, not changed: {gone[0]}"
    if agent.scope not in ("tests", "fixtures", "docs"):
        found = suspicion.look(Sources(*texts, {}), lambda word: False)
        if grave := [a for a in found if a.grave]:
            return f"{grave[0].path}:{grave[0].line}: {grave[0].text}"
    return ""


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
    attempt = loop.state.attempt
    if attempt is not None and not (attempt.verdict is Verdict.VERIFIED or attempt.doubted):
        lost += _no_longer(loop.state, attempt.stage if attempt.failing_after is not None else "audit1", reports)
    elif attempt is None:
        lost += _no_longer(loop.state, "audit1", reports)
    else:
        lost += acceptance.judge(baseline, reports).reasons
    lost += [f"{path} was changed while the tests ran" for report in reports for path in report.rewritten]
    lost += [f"a part of pytest was replaced: {part}" for report in reports for part in report.replaced]
    return lost


def _no_longer(state: RunState, stage: str, reports: Sequence[TestReport]) -> list[str]:
    """What passed in the tree an agent was handed, where that was not green, and does not any more."""
    found = {r.key: r.outcome for report in reports for r in report.results}
    passed = [key for key, outcome in state.outcomes(stage).items() if outcome.passed]
    gone = sorted(key for key in passed if key not in found or not found[key].passed)
    return [f"{len(gone)} tests that passed do not: {gone[0].split(' ', 1)[1]}"] if gone else []


def weakened(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What of the tests in some files does not mean any more what it meant; by place.

    Functions, methods and plain statements stay as they are, names stay bound to what they were bound to, and what is
    new is a function, a class, an import or a value under a name nothing here used before.

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
            was, now = Tests.read(old), Tests.read(after.get(path, ""))
        except (SyntaxError, ValueError, RecursionError):
            gone.append(f"{path} does not parse")
            continue
        gone += [f"{name} in {path}" for name in was.changed(now)]
    return gone
