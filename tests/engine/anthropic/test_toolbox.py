"""The loop with the real toolbox: the guarded tools of a run, a git repository and pytest in a child."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.events import AdvisoryRaised, EditApplied, ToolCalled
from engine.model import Outcome, TestOutcome, TestReport, TestResult
from engine.toolbox import Toolbox
from engine.workspace.area import Area
from engine.workspace.repository import Repository
from engine.workspace.scope import Scope
from tests.engine.anthropic.conftest import Make
from tests.engine.anthropic.double import Double, Say, use
from tests.engine.anthropic.kit import EDITOR, Attempt

FIX = {"command": "str_replace", "path": "lanes.py", "old_str": "v << i ", "new_str": "v << (2 * i) "}
CHEAT = {"command": "str_replace", "path": "test_it.py", "old_str": "57", "new_str": "17"}
DONE = use("finish", outcome="done", summary="lanes are two bits wide", evidence="1 passed")


@pytest.fixture
def guarded(attempt: Make, tmp_path: Path) -> Attempt:
    run = attempt()
    me = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "-A"], [*me, "commit", "-q", "-m", "start"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    folder = run.tools

    def run_tests(suite: str | None, tests: Sequence[str] | None) -> list[TestReport]:
        said = folder._pytest()
        outcome = TestOutcome.PASSED if "1 passed" in said else TestOutcome.FAILED
        result = TestResult("cpu", "test_it.py::test_cpu_pack", outcome, detail=said)
        return [TestReport("cpu", (result,), int(outcome.red))]

    def claim() -> tuple[bool, str]:
        report = run_tests(None, None)[0]
        return report.green, "the suite is red"

    run.tools = Toolbox(  # type: ignore[assignment]
        repository=Repository.open(tmp_path),
        area=Area(tmp_path),
        scope=Scope(allow=("**/*.py",), witnesses=frozenset({"test_it.py"})),
        run_tests=run_tests,
        claim=claim,
        suites=("cpu",),
        report=run.report,
        cancel=run.cancel,
    )
    return run


def test_view_edit_run_finish(double: Double, guarded: Attempt, tmp_path: Path) -> None:
    double.script = [
        Say([use(EDITOR, command="view", path="test_it.py"), use("search", pattern="def pack")]),
        Say([use(EDITOR, **CHEAT), use("shell", command="rm -rf /")]),
        Say([DONE]),
        Say([use(EDITOR, **FIX), use("run_tests", suite="cpu", tests=["test_it.py::test_cpu_pack"])]),
        Say([DONE]),
    ]
    finish = guarded.run()
    assert finish.outcome is Outcome.DONE
    assert "v << (2 * i)" in (tmp_path / "lanes.py").read_text()
    assert "57" in (tmp_path / "test_it.py").read_text()

    def answered(number: int) -> list[tuple[bool, str]]:
        blocks = double.bodies[number]["messages"][-1]["content"]
        return [(b.get("is_error", False), b["content"]) for b in blocks]

    (_, viewed), (_, found) = answered(1)
    assert "assert pack" in viewed
    assert "lanes.py:1:" in found
    (cheated, why), (unknown, _) = answered(2)
    assert cheated
    assert "protected" in why
    assert unknown
    ((early, too_soon),) = answered(3)
    assert early
    assert "not done" in too_soon
    assert [said for said in answered(4)[1:] if "1 passed" in said[1]]
    events = guarded.report.events
    assert [e for e in events if isinstance(e, EditApplied)] == [EditApplied("lanes.py", 1, 1)]
    assert [e.tool for e in events if isinstance(e, ToolCalled)][-1] == "finish"
    assert any(isinstance(e, AdvisoryRaised) for e in events)
