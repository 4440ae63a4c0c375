"""Quick tests first: the targets, then what a change can reach, then the diet; every suite once, at the end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from often import some
from support import DONE, Answer, Command, edit, finish, git

from engine.suites.impact import Imports, functions, owners, touched
from engine.workspace.changes import hunks

SETTINGS = {"bitnet-tui.toml": "[verify]\nimpacted_after_s = 0\n"}
PROJECT = SETTINGS | {
    "pk/__init__.py": "",
    "pk/base.py": (
        "LIMIT = 9\n\n\ndef one(x):\n    return x + 2\n\n\ndef two(x):\n    return x * 2\n\n\n"
        "def three(x):\n    return x - 3\n"
    ),
    "pk/use.py": "from pk.base import one, two\n\n\ndef both(x):\n    return one(x) + two(x)\n",
    "tests/test_base.py": "from pk.base import one, three\n\n\ndef test_cpu_one():\n    assert one(1) == 2\n\n\n"
    "def test_cpu_three():\n    assert three(4) == 1\n",
    "tests/test_use.py": "from pk.use import both\n\n\ndef test_cpu_both():\n    assert both(1) > 0\n",
    "tests/test_far.py": "def test_cpu_far():\n    assert True\n",
}
RIGHT = {"command": "str_replace", "path": "pk/base.py", "old_str": "return x + 2", "new_str": "return x + 1"}


def ran(answer: Answer, purpose: str) -> list[list[str]]:
    """The tests of each run of a suite for a purpose."""
    runs: list[list[str]] = []
    for event in answer.events:
        if event.get("purpose") != purpose:
            continue
        if event["type"] == "SuiteStarted":
            runs.append([])
        elif event["type"] == "TestFinished":
            runs[-1].append(event["result"]["nodeid"].split("::")[1])
    return [r for r in runs if r]


def test_a_claim_runs_the_targets_and_what_runs_the_change_and_then_everything_once(
    repo: Callable[..., Path], command: Command
) -> None:
    answer = command("--json", *command.script([edit(RIGHT), finish(DONE)]), cwd=repo(PROJECT))
    assert answer.code == 0, answer.result
    assert ran(answer, "attempt") == [["test_cpu_one"], ["test_cpu_both"]]
    assert ran(answer, "reach") == []  # the claim has run them
    assert [len(tests) for tests in ran(answer, "verify")] == [4]
    (chosen,) = answer.of("TestsSelected")
    assert (chosen["chosen"], chosen["of"]) == ({"cpu": 2}, {"cpu": 4})
    assert chosen["why"] == ["tests that run one (pk/base.py)"]


def test_a_change_that_breaks_what_it_can_reach_is_not_run_further(repo: Callable[..., Path], command: Command) -> None:
    wrong = RIGHT | {"new_str": "return {1: 2}.get(x, -9)"}
    files = PROJECT | {"tests/test_use.py": PROJECT["tests/test_use.py"].replace("both(1)", "both(2)")}
    more = finish({"outcome": "more-work", "summary": "as far as it goes"})
    answer = command("--json", "--max-retries", "0", *command.script([edit(wrong), more]), cwd=repo(files))
    assert answer.code == 1
    assert ran(answer, "reach") == [["test_cpu_one"], ["test_cpu_both"]]
    assert ran(answer, "verify") == []
    (verdict,) = answer.of("VerificationFinished")
    assert (verdict["verdict"], verdict["whole"]) == ("rejected", False)
    assert answer.result["tests"]["broken"] == 1
    assert "did not run" in next(e["gate"]["evidence"] for e in answer.of("GateSet") if e["gate"]["name"] == "tests")


def test_targets_that_are_red_keep_the_rest_from_running(repo: Callable[..., Path], command: Command) -> None:
    wrong = RIGHT | {"new_str": "return x + 3"}
    more = finish({"outcome": "more-work", "summary": "no"})
    answer = command("--json", "--max-retries", "0", *command.script([edit(wrong), more]), cwd=repo(PROJECT))
    assert answer.code == 1
    assert ran(answer, "reach") == [["test_cpu_one"]]


def test_what_no_one_was_seen_to_run_is_found_by_the_whole_suite(repo: Callable[..., Path], command: Command) -> None:
    """A test that runs the code in another process: the selection misses it, the last run does not."""
    other = (
        "import subprocess, sys\n\n\ndef test_cpu_process():\n"
        "    code = 'import pk.base; raise SystemExit(pk.base.one(5) != 7)'\n"
        "    assert subprocess.run([sys.executable, '-c', code]).returncode == 0\n"
    )
    answer = command(
        "--json",
        "--max-retries",
        "0",
        *command.script([edit(RIGHT), finish(DONE)]),
        cwd=repo(PROJECT | {"tests/test_other.py": other}),
    )
    assert answer.code == 3, answer.result
    assert "tests that passed before do not: tests/test_other.py::test_cpu_process" in str(answer.result)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    some(
        [
            ("LIMIT = 9", "LIMIT = 8", {"test_cpu_three", "test_cpu_both"}),  # of the module: all that use it
            ("return x - 3", "return x - 3.0", {"test_cpu_three"}),
            ("return x * 2", "return 2 * x", {"test_cpu_both"}),
        ],
        (0, 1),
    ),
)
def test_what_else_changes_is_reached_by_function_or_by_module(
    old: str, new: str, expected: set[str], repo: Callable[..., Path], command: Command
) -> None:
    calls = [edit(RIGHT), edit(RIGHT | {"old_str": old, "new_str": new}), finish(DONE)]
    answer = command("--json", *command.script(calls), cwd=repo(PROJECT))
    assert answer.code == 0, answer.result
    first, second = ran(answer, "attempt")
    assert first == ["test_cpu_one"]
    assert set(second) == expected | {"test_cpu_both"}


def test_run_tests_without_arguments_is_quick_and_says_what_it_left(
    repo: Callable[..., Path], command: Command
) -> None:
    everything = {"tool": "run_tests", "input": {}}
    suite = {"tool": "run_tests", "input": {"suite": "cpu"}}
    answer = command("--json", *command.script([edit(RIGHT), everything, suite, finish(DONE)]), cwd=repo(PROJECT))
    assert [len(tests) for tests in ran(answer, "attempt")] == [1, 1, 4, 1, 1]
    first = next(e for e in answer.of("ToolCalled") if e["tool"] == "run_tests")
    assert "the targets" in first["answer"]


def test_tests_in_workers_are_chosen_by_what_they_import(
    repo: Callable[..., Path], command: Command, python_with_workers: Path
) -> None:
    files = PROJECT | {"pytest.ini": "[pytest]\naddopts = -n 1\n"}
    script = command.script([edit(RIGHT), finish(DONE)])
    answer = command("--json", *script, cwd=repo(files), VIRTUAL_ENV=str(python_with_workers))
    assert answer.code == 0, answer.result
    assert {n for tests in ran(answer, "attempt") for n in tests} == {"test_cpu_one", "test_cpu_three", "test_cpu_both"}


def test_a_resumed_run_knows_what_tests_ran_and_one_without_the_notes_asks_imports(
    repo: Callable[..., Path], command: Command
) -> None:
    folder = repo(PROJECT)
    calls = [edit(RIGHT), finish(DONE)]
    stopped = command("--json", "--max-minutes", "0.0001", *command.script(calls), cwd=folder)
    assert stopped.code == 4
    run = stopped.events[0]["run"]
    (folder / ".bitnet-tui" / "runs" / run / "reach.json").write_text('{"v": 1, "ran": [', encoding="utf-8")
    answer = command("resume", run, "--json", "--max-minutes", "5", cwd=folder)
    assert answer.code == 0, answer.result


# -- the diet ---------------------------------------------------------------------------------------------------------


def ten(guard: str = "") -> tuple[dict[str, str], dict[str, Any]]:
    """Ten functions with a defect each, ten tests; and a change that mends them with ten hunks."""
    names = [f"f{n}" for n in range(10)]
    gap = "\n\n"
    bad = gap.join(f"def {n}(x):\n    return x - {i + 1}\n" for i, n in enumerate(names))
    good = guard + gap.join(f"def {n}(x):\n    return x + {i + 1}\n" for i, n in enumerate(names))
    tests = "import m\n" + "".join(
        f"\n\ndef test_cpu_{n}():\n    assert m.{n}(1) == {i + 2}\n" for i, n in enumerate(names)
    )
    return SETTINGS | {"m.py": bad, "test_m.py": tests}, {"command": "create", "path": "m.py", "file_text": good}


def test_a_diet_of_ten_hunks_that_are_all_needed_costs_no_run(repo: Callable[..., Path], command: Command) -> None:
    files, change = ten()
    answer = command("--json", *command.script([edit(change), finish(DONE)]), cwd=repo(files))
    assert answer.code == 0, answer.result
    (slim,) = answer.of("DietFinished")
    assert (slim["minimal"], slim["dropped"], slim["runs"]) == (True, 0, 0)


def test_a_diet_of_ten_hunks_with_fat_among_them_costs_few_runs(repo: Callable[..., Path], command: Command) -> None:
    files, change = ten("import os\n\nSPARE = os.sep\n\n\n")
    files["m.py"] += "\n\ndef spare(x):\n    return x\n"
    change["file_text"] += "\n\ndef spare(x):\n    return x + 0\n"
    answer = command("--json", *command.script([edit(change), finish(DONE)]), cwd=repo(files))
    assert answer.code == 0, answer.result
    (slim,) = answer.of("DietFinished")
    assert slim["minimal"]
    assert slim["dropped"] >= 2
    assert slim["runs"] <= 5
    assert "x + 0" not in Path(answer.result["patch"]).read_text(encoding="utf-8")


def in_one(fat: set[int], lie: str = "") -> tuple[dict[str, str], dict[str, Any]]:
    """A function of which ten lines change, each of which counts but for the fat; a target, and a test that passes."""

    def text(sign: str) -> str:
        lines = (f"    x = x {sign if n not in fat else '+ 0 *'} {n + 1}\n    str(x)\n" for n in range(10))
        return f"import os\n\n\ndef f(x):\n{lie}{''.join(lines)}    return x\n\n\ndef g(x):\n    return f(x) - f(x)\n"

    total = sum(n + 1 for n in range(10) if n not in fat)
    bad = text("-")
    for n in fat:
        bad = bad.replace(f"x + 0 * {n + 1}\n", f"x + 0 * -{n + 1}\n")
    tests = f"import m\n\n\ndef test_cpu_f():\n    assert m.f(0) == {total}\n"
    tests += "\n\ndef test_cpu_g():\n    assert m.g(1) == 0\n"
    return SETTINGS | {"m.py": bad, "test_m.py": tests}, {"command": "create", "path": "m.py", "file_text": text("+")}


@pytest.mark.parametrize(("fat", "most"), [(set(), 1), ({2, 5, 6}, 5)], ids=["all needed", "three of fat"])
def test_ten_hunks_in_one_function_cost_few_children(
    fat: set[int], most: int, repo: Callable[..., Path], command: Command
) -> None:
    files, change = in_one(fat)
    answer = command("--json", *command.script([edit(change), finish(DONE)]), cwd=repo(files))
    assert answer.code == 0, answer.result
    (slim,) = answer.of("DietFinished")
    assert (slim["minimal"], slim["dropped"]) == (True, len(fat))
    assert slim["runs"] <= most


def test_a_piece_without_which_the_tests_pass_only_in_a_fork_stays(repo: Callable[..., Path], command: Command) -> None:
    # A fork leads a session of its own; the child that decides does not.
    files, change = in_one(set(), "    if os.getsid(0) == os.getpid():\n        x = x + 2\n")
    answer = command("--json", *command.script([edit(change), finish(DONE)]), cwd=repo(files))
    assert answer.code == 0, answer.result
    (slim,) = answer.of("DietFinished")
    assert (slim["minimal"], slim["dropped"], slim["runs"]) == (True, 0, 2)


@pytest.mark.parametrize("case", ["plain", "fixture", "cached"])
def test_no_piece_can_be_taken_from_what_is_left(case: str, repo: Callable[..., Path], command: Command) -> None:
    """Each remaining hunk is taken away by hand: a test is red then, whatever the diet thought it knew."""
    source = (
        "import functools\n\n\ndef a(x):\n    return x - 1\n\n\ndef b(x):\n    return x - 2\n\n\n"
        "@functools.lru_cache\ndef c():\n    return 0\n\n\ndef d(x):\n    return x + c()\n"
    )
    good = source.replace("x - 1", "x + 1").replace("x - 2", "x + 2")
    tests = "import pytest\nimport m\n\n\ndef test_cpu_a():\n    assert m.a(1) == 2\n\n\n"
    if case == "plain":
        tests += "def test_cpu_b():\n    assert m.b(m.a(1)) == 4\n"
    elif case == "fixture":
        tests += "@pytest.fixture(scope='module')\ndef made():\n    return m.a(1)\n\n\n"
        tests += (
            "def test_cpu_first(made):\n    assert made == 2\n\n\ndef test_cpu_b(made):\n    assert m.b(made) == 4\n"
        )
    else:
        good = good.replace("return 0", "return 1").replace("return x + c()", "return x + c() + 0")
        tests += "def test_cpu_c():\n    assert m.c() == 1\n\n\ndef test_cpu_d():\n    assert m.d(1) == 2\n"
        tests += "\n\ndef test_cpu_b():\n    assert m.b(1) == 3\n"
    folder = repo(SETTINGS | {"m.py": source, "test_m.py": tests})
    change = {"command": "create", "path": "m.py", "file_text": good}
    answer = command("--json", *command.script([edit(change), finish(DONE)]), cwd=folder)
    assert answer.code == 0, answer.result
    assert answer.of("DietFinished")[0]["minimal"]
    assert command("apply", cwd=folder).code == 0
    slim = (folder / "m.py").read_text(encoding="utf-8")
    for piece in hunks("m.py", source, slim):
        left = [h for h in hunks("m.py", source, slim) if h != piece]
        lines = source.splitlines(keepends=True)
        for h in reversed(left):
            lines[h.start : h.stop] = h.new
        assert red_without(folder, "".join(lines), slim)


def red_without(folder: Path, text: str, slim: str) -> bool:
    import subprocess

    (folder / "m.py").write_text(text, encoding="utf-8")
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_m.py"]
    code = subprocess.run(argv, cwd=folder, capture_output=True, env={"PATH": "/usr/bin:/bin"}).returncode
    (folder / "m.py").write_text(slim, encoding="utf-8")
    return code == 1


# -- pure -------------------------------------------------------------------------------------------------------------


def test_functions_of_classes_branches_and_decorators_are_found() -> None:
    text = (
        "class A:\n    class B:\n        def f(self):\n            def inner():\n                return 1\n"
        "            return inner\n\nif True:\n    @one\n    @two\n    def g():\n        return 2\n"
        "try:\n    pass\nexcept ValueError:\n    async def h():\n        return 3\n"
    )
    found = {f.name: (f.first, f.body, f.last, f.decorated) for f in functions(text)}
    assert found == {"A.B.f": (3, 4, 6, False), "g": (9, 12, 12, True), "h": (16, 17, 17, False)}
    assert functions("def f(:\n") == ()
    assert [f.name for f in functions("def f():\n    pass\n\n\ndef f():\n    pass\n")] == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("def f():\n    return 1\n", "def f():\n    return 2\n", ["f"]),
        ("def f():\n    return 1\n", "def f():\n    a = 1\n    return 1\n", ["f"]),
        ("def f():\n    a = 1\n    return 1\n", "def f():\n    return 1\n", ["f"]),
        ("def f(a):\n    return 1\n", "def f(b):\n    return 1\n", [""]),
        ("X = 1\n", "X = 2\n", [""]),
        ("def f():\n    return 1\n", "def f():\n    return 1\n\n\ndef g():\n    return 2\n", [""]),
        ("def f():\n    return 1\n", "import os\n\n\ndef f():\n    return 2\n", ["", "f"]),
        ("def f():\n    return 1\n", "def g():\n    return 1\n", [""]),
    ],
)
def test_a_piece_belongs_to_the_function_it_lies_in_or_to_the_module(
    before: str, after: str, expected: list[str]
) -> None:
    assert owners(hunks("m.py", before, after), before, after) == expected


def test_a_file_that_is_new_or_gone_is_a_change_of_its_module() -> None:
    change = touched({"a.py": "x = 1\n"}, {"b.py": "y = 1\n"})
    assert (change.modules, dict(change.functions)) == (frozenset({"a.py", "b.py"}), {})


@pytest.mark.parametrize(
    ("lines", "changed", "reached"),
    [
        ([("t.py", "import p.a")], "p/a.py", {"t.py"}),
        ([("t.py", "import p.a as q, os")], "p/__init__.py", {"t.py"}),
        ([("t.py", "from p import (")], "p/a.py", {"t.py"}),
        ([("p/b.py", "from . import a"), ("t.py", "from p.b import x  # noqa")], "p/a.py", {"p/b.py", "t.py"}),
        ([("p/s/c.py", "from ..a import x")], "p/a.py", {"p/s/c.py"}),
        ([("t.py", "from p import b")], "p/a.py", set()),
        (
            [("conftest.py", "from p import a")],
            "p/a.py",
            {"conftest.py", "t.py", "p/__init__.py", "p/b.py", "p/s/c.py"},
        ),
        ([("t.py", "    from p.a import x")], "p/a.py", {"t.py"}),
        ([("t.py", "importance = 1")], "p/a.py", set()),
    ],
)
def test_who_imports_whom(lines: list[tuple[str, str]], changed: str, reached: set[str]) -> None:
    files = frozenset(["t.py", "conftest.py", "p/__init__.py", "p/a.py", "p/b.py", "p/s/c.py"])
    assert Imports(files, lines, ["."]).reached([changed]) - {changed} == reached


def sections(folder: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(folder.read_text(encoding="utf-8"))
    return found


def test_what_tests_ran_is_kept_beside_the_journal(repo: Callable[..., Path], command: Command) -> None:
    answer = command("--json", *command.script([edit(RIGHT), finish(DONE)]), cwd=repo(PROJECT))
    kept = sections(Path(answer.result["ledger"]).parent / "reach.json")["ran"]
    assert kept["cpu tests/test_use.py::test_cpu_both"] == {"pk/base.py": ["one", "two"], "pk/use.py": ["both"]}
    assert kept["cpu tests/test_far.py::test_cpu_far"] == {}
    assert not git(Path(answer.result["ledger"]).parents[3], "status", "--porcelain")
