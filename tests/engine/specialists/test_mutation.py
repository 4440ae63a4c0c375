"""The mutation score is of the touched functions, by tests that pass, and says how many of how many were tried."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli

from engine.cancel import CancelToken
from engine.config import SandboxSettings
from engine.model import GateStatus
from engine.specialists import mutation
from engine.specialists.case import Case
from engine.suites import sandbox
from engine.suites.environment import scrubbed
from engine.suites.limits import Limits
from engine.suites.runner import SuiteRunner
from tests.engine.specialists.kit import FIXED, MOD, results

Make = Callable[..., Case]
SOURCE = """\
def clamp(x, low, high):
    return x


class Box:
    def grow(self, n):
        return n
"""
DONE = """\
def clamp(x, low, high):
    if x < low:
        return low
    return min(x, high)


class Box:
    def grow(self, n):
        return n * 2
"""
TESTS = """\
from pack.limits import Box, clamp


def test_clamp():
    assert clamp(5, 0, 3) == 3


def test_box():
    assert Box().grow(0) == 0


def test_red():
    assert clamp(1, 0, 3) == 7
"""
NODES = {
    "tests/test_l.py::test_clamp": "passed",
    "tests/test_l.py::test_box": "passed",
    "tests/test_l.py::test_red": "failed",
}
PROJECT = """\
[tool.pytest.ini_options]
addopts = ["-q"]

[tool.mutmut]
paths_to_mutate = [
  "elsewhere",
]

[tool.x]
y = 1
"""


def confined(case: Case) -> Case:
    """The same case in the sandbox a run would have here."""
    if not shutil.which("bwrap"):
        pytest.skip("missing-tool: bubblewrap is not installed")
    python = case.interpreter
    env = scrubbed(os.environ)
    visible = [*case.repository.folders(), *map(Path, (*python.prefixes, *python.path, python.executable, sys.prefix))]
    limits = Limits.of(SandboxSettings(), [600.0])
    chosen = sandbox.confine("auto", visible, python.executable, env, limits=limits)
    assert chosen.bwrap
    runner = SuiteRunner("a-run", python, chosen, dict(os.environ), CancelToken())
    return dataclasses.replace(case, confined=lambda argv, seconds: runner.command(argv, case.place, seconds))


def test_survivors_of_the_touched_functions_are_named_from_inside_the_sandbox(case: Make) -> None:
    untouched = "def other(x):\n    return x + 1\n"
    before = {
        "src/pack/__init__.py": "",
        "src/pack/limits.py": SOURCE,
        "src/pack/other.py": untouched,
        "tests/test_l.py": TESTS,
        "pyproject.toml": PROJECT,
    }
    made = confined(case(before, {"src/pack/limits.py": DONE}, state=results(NODES)))
    found = mutation.look(made)
    assert found.gate.status is GateStatus.FAIL, found.gate
    assert found.gate.evidence.endswith("killed; src/pack/limits.py: clamp, Box.grow"), found.gate
    assert "other" not in found.gate.evidence
    survivors = [f for f in found.facts if f.about == "survives"]
    assert any("-    if x < low:\n+    if x <= low:" in f.text for f in survivors), found.facts
    assert any("-    return n * 2" in f.text for f in survivors), found.facts


def test_tests_that_notice_everything_pass_in_a_flat_project_whose_code_lies_in_one_file(case: Make) -> None:
    tests = "from calc import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n"
    state = results({"tests/test_calc.py::test_add": "passed"})
    made = case({"calc.py": MOD, "tests/test_calc.py": tests}, {"calc.py": FIXED}, state=state)
    found = mutation.look(made)
    assert (found.gate.status, found.gate.evidence) == (GateStatus.PASS, "mutation: 100 %, 1/1 killed; calc.py: add")
    assert found.facts == ()


def test_without_mutmut_the_gate_says_what_to_install(case: Make) -> None:
    state = results({"tests/test_calc.py::test_add": "passed"})
    made = case({"calc.py": MOD}, {"calc.py": FIXED}, state=state)
    bare = dataclasses.replace(made, interpreter=dataclasses.replace(made.interpreter, path=()))
    gate = mutation.look(bare).gate
    assert (gate.name, gate.word) == ("mutation", "skipped (missing-tool)")
    assert "pip install mutmut" in gate.evidence


def test_a_change_of_tests_alone_or_one_no_passing_test_reaches_has_no_score(case: Make) -> None:
    made = case(
        {"calc.py": MOD, "tests/test_calc.py": "def test_a():\n    pass\n"},
        {"calc.py": FIXED},
        state=results({"tests/test_calc.py::test_a": "passed"}),
    )
    assert mutation.look(made).gate.evidence == "no test file that passes reaches calc.py"
    tests = dataclasses.replace(made, changed=("tests/test_calc.py",))
    assert mutation.look(tests).gate.evidence == "no function of the code was touched"
    assert mutation.look(tests).gate.word == "skipped (n/a-surface)"


def test_tests_that_pass_and_tests_the_change_brought_are_run_where_they_reach_the_code(case: Make) -> None:
    uses = "from calc import add\n\n\ndef test_a():\n    assert add\n"
    before = {"p/calc.py": MOD, "p/tests/test_b.py": uses, "p/tests/test_other.py": "def test_a():\n    pass\n"}
    state = results({"tests/test_b.py::test_a": "passed", "tests/test_other.py::test_a": "passed"})
    after = {"p/calc.py": FIXED, "p/tests/test_a.py": uses, "p/tests/test_away.py": "import os\n"}
    made = case(before, after, state=state, prefix="p")
    assert mutation.tests_of(made, {"calc.py": ("add",)}) == ("tests/test_a.py", "tests/test_b.py")


def test_the_copy_has_settings_of_ours_and_keeps_the_projects_other_ones(case: Make, tmp_path: Path) -> None:
    made = case({"calc.py": MOD, "pyproject.toml": PROJECT, "data.txt": "1"}, {"calc.py": FIXED}, state=results(NODES))
    copy = tmp_path / "m" / "project"
    assert mutation.prepare(made, copy, {"calc.py": ("add",)}, ("tests/test_l.py",)) == ""
    read = tomli.loads((copy / "pyproject.toml").read_text())
    mine = read["tool"].pop("mutmut")
    assert read == {"tool": {"pytest": {"ini_options": {"addopts": ["-q"]}}, "x": {"y": 1}}}
    assert mine["source_paths"] == mine["only_mutate"] == ["calc.py"]
    assert mine["also_copy"] == ["data.txt"]
    assert mine["pytest_add_cli_args"][-4:] == ["-m", "(not gpu)", "--deselect", "tests/test_l.py::test_red"]


def test_settings_behind_a_link_are_neither_read_nor_run_with(case: Make, tmp_path: Path) -> None:
    made = case({"calc.py": MOD}, {"calc.py": FIXED}, state=results(NODES))
    (tmp_path / "foreign.toml").write_text("[tool.pytest.ini_options]\naddopts = ['-p', 'foreign']\n")
    (made.place.worktree / "pyproject.toml").symlink_to(tmp_path / "foreign.toml")
    said = mutation.prepare(made, tmp_path / "m" / "project", {"calc.py": ("add",)}, ("tests/test_l.py",))
    assert said == "pyproject.toml is a link, or too long: mutmut cannot be given settings there"


def test_a_score_is_rounded_down_and_says_how_many_of_how_many_were_tried() -> None:
    status = {f"m{n}": "killed" if n < 3 else "survived" for n in range(4)} | {"m9": "not checked"}
    answer = {"all": 10, "chosen": list(status), "status": status, "shown": {"m3": "-a\n+b"}, "why": "time"}
    found = mutation.judged(answer, "", {"calc.py": ("add",)})
    assert found.gate.evidence == "mutation: 75 %, 3/4 killed (4 of 10 tried); calc.py: add"
    assert [(f.about, f.text) for f in found.facts] == [("survives", "-a\n+b")]
    eighty = mutation.judged(
        {"all": 5, "chosen": ["m"], "status": {str(n): "survived" if n == 4 else "timeout" for n in range(5)}}, "", {}
    )
    assert eighty.gate.status is GateStatus.PASS


def test_a_function_no_test_runs_fails_and_a_tool_that_did_not_work_is_no_verdict() -> None:
    touched = {"calc.py": ("add",)}
    answer = {"all": 2, "chosen": ["m"], "status": {"m": "not checked"}, "shown": {}, "why": "mutmut ended with 1"}
    untested = mutation.judged(
        answer, "Stopping early, because we could not find any test case for any mutant", touched
    )
    assert untested.gate.evidence == "mutation: 0 %, no test runs calc.py: add"
    assert untested.gate.status is GateStatus.FAIL
    forged = {"all": "many", "chosen": 1, "status": {"m": ["killed"]}, "shown": [], "why": {}}
    assert mutation.judged(forged, "", touched).gate.word == "skipped (missing-tool)"
    broken = mutation.judged(answer, "failed to collect stats. runner returned 1", touched)
    assert broken.gate.word == "skipped (missing-tool)"
    assert mutation.judged({**answer, "why": "time"}, "", touched).gate.word == "skipped (bounded-by-policy)"
    assert mutation.judged({"all": 0, "chosen": [], "why": ""}, "", touched).gate.word == "skipped (n/a-surface)"
    assert mutation.judged({}, "ended after 300 s", touched).gate.word == "skipped (missing-tool)"
