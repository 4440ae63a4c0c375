"""What a model sees of the code before it has opened a file, and what is left of long tracebacks. Pure."""

from __future__ import annotations

from typing import Any

import pytest

from engine.model import TestOutcome, TestReport, TestResult
from engine.providers.anthropic.stacks import BUDGET, excerpts, frames
from engine.providers.anthropic.tools import cut
from engine.toolbox import summarise
from engine.tracebacks import shortened

LIB = "import math\n\n\ndef outer(x):\n    return inner(x)\n\n\ndef inner(x):\n    return x['k']\n\n\n"
LIB += "def other():\n    pass\n"
TEST = "from lib import outer\n\n\ndef test_a():\n    assert outer({}) == 1\n"
STACK = (
    "test_a.py:5: in test_a\n    assert outer({}) == 1\nlib.py:5: in outer\n    return inner(x)\nlib.py:9: in inner\n"
)
STACK += "    return x['k']\nE   KeyError: 'k'"


def red(detail: str = STACK, nodeid: str = "test_a.py::test_a", **more: Any) -> TestResult:
    return TestResult("cpu", nodeid, TestOutcome.FAILED, message="KeyError: 'k'", detail=detail, **more)


def shown(files: dict[str, str], *targets: TestResult, **more: Any) -> str:
    return excerpts(targets, more.pop("ran", {}), lambda path: files.get(path, ""), **more)


def test_functions_on_a_stack_are_shown_as_view_shows_them() -> None:
    said = shown({"lib.py": LIB, "test_a.py": TEST}, red())
    assert "lib.py\n     4\tdef outer(x):\n     5\t    return inner(x)\n     …\n     8\tdef inner(x):\n" in said
    assert "test_a.py\n     1\tfrom lib import outer\n" in said
    assert "def other" not in said


def test_each_line_is_shown_once_however_many_tests_fail_there() -> None:
    said = shown({"lib.py": LIB, "test_a.py": TEST}, *[red(nodeid=f"test_a.py::test_a[{n}]") for n in range(9)])
    assert said.count("def inner") == said.count("def test_a") == 1


def test_a_failed_assertion_has_no_stack_but_what_the_test_ran() -> None:
    detail = "test_a.py:5: in test_a\n    assert outer({}) == 1\nE   assert 2 == 1"
    said = shown({"lib.py": LIB, "test_a.py": TEST}, red(detail), ran={"lib.py": ("outer", "inner")})
    assert "def outer" in said
    assert "def inner" in said
    assert "def other" not in said


def test_what_the_test_names_comes_before_what_else_it_ran() -> None:
    many = "\n\n".join(f"def f{n}():\n    return {n}" for n in range(300))
    test = "from a import f299\n\n\ndef test_a():\n    assert f299() == 1\n"
    ran = {"a.py": tuple(f"f{n}" for n in range(300))}
    said = shown({"a.py": many, "test_a.py": test}, red("test_a.py:5: in test_a\n"), ran=ran, budget=600)
    assert "def f299" in said
    assert "def f0(" in said
    assert "def f200" not in said


def test_of_a_long_function_only_what_is_near_is_shown() -> None:
    lines = ["def long():", *[f"    x{n} = {n}" for n in range(400)]]
    said = shown({"lib.py": "\n".join(lines)}, red("lib.py:200: in long\n    x198 = 198\nE   Error"))
    assert "   200\t" in said
    assert len(said.splitlines()) < 25


def test_a_long_test_file_is_shown_by_its_imports_and_the_test() -> None:
    text = TEST + "\n" + "\n\n".join(f"def test_{n}():\n    assert {n}" for n in range(99))
    said = shown({"test_a.py": text}, red())
    assert "from lib import outer" in said
    assert "def test_a()" in said
    assert "def test_50" not in said


def test_paths_of_a_project_in_a_folder_are_those_of_the_repository() -> None:
    said = shown({"sub/lib.py": LIB, "sub/test_a.py": TEST}, red(), prefix="sub")
    assert said.startswith("sub/lib.py\n")
    assert "sub/test_a.py\n" in said


@pytest.mark.parametrize("text", ["", "\0", "def broken(:\n", "x" * 10**6, "(" * 5000, "\r\n\r\n"])
def test_no_text_of_a_file_breaks_it(text: str) -> None:
    assert len(shown({"lib.py": text, "test_a.py": text}, red())) < 2 * BUDGET


def test_frames_are_read_from_the_stack_and_not_from_what_was_printed() -> None:
    printed = "--- Captured stdout call ---\nsecret.py:1: in x\n"
    assert frames(f"{STACK}\n{printed}") == [("lib.py", 9), ("lib.py", 5), ("test_a.py", 5)]
    assert frames("/usr/lib/python3/ast.py:3: in parse\n<string>:1: in f\n") == []


def test_everything_together_has_a_budget() -> None:
    big = "\n\n".join(f"def f{n}():\n    return '{'x' * 200}'" for n in range(900))
    said = shown({"lib.py": big, "test_a.py": TEST}, red(), ran={"lib.py": tuple(f"f{n}" for n in range(900))})
    assert len(said) < BUDGET + 1000


# -- tracebacks -------------------------------------------------------------------------------------------------------

PRINTED = "\n--- Captured stdout call ---\n" + "noise\n" * 900


@pytest.mark.parametrize("limit", [400, 1800, 3000])
def test_what_was_printed_does_not_hide_what_was_asserted(limit: int) -> None:
    said = shortened(STACK + PRINTED, limit)
    assert "E   KeyError: 'k'" in said
    assert "lib.py:9: in inner" in said
    assert "noise" in said
    assert len(said) <= limit + 60


def test_a_long_difference_keeps_its_first_line_and_the_line_that_raised() -> None:
    detail = "t.py:1: in t\n    assert f() == g()\nE   AssertionError: assert [0] == [1]\n"
    detail += "\n".join(f"E     - {n}" for n in range(2000))
    said = shortened("a.py:1: in deep\n    x\n" * 500 + detail, 1800)
    assert "assert f() == g()" in said
    assert "E   AssertionError: assert [0] == [1]" in said
    assert "E     - 1999" in said
    assert len(said) < 1900


def test_a_line_without_end_is_cut() -> None:
    said = shortened("t.py:1: in t\nE   assert " + "9" * 10**6, 3000)
    assert len(said) < 600
    assert "more characters" in said
    assert len(cut("short\n" + "x" * 10**6 + "\nend", "run_tests")) > 15_000


def test_many_failures_fit_one_answer() -> None:
    results = tuple(red(STACK + PRINTED, f"t.py::test_{n}") for n in range(500))
    said = summarise([TestReport("cpu", results, 1)])
    assert len(said) < 16_000
    assert "460 more failures" in said


def frame(place: str, line: str = "???") -> str:
    return f"{place}\n    {line}\n           ^^^^\n"


UNCOLLECTED = (
    frame("/v/site-packages/_pytest/python.py:528: in importtestmodule", "mod = import_path(")
    + frame("/v/site-packages/_pytest/pathlib.py:640: in import_path")
    + frame("/usr/lib/python3.11/importlib/__init__.py:126: in import_module")
    + frame("<frozen importlib._bootstrap>:1204: in _gcd_import")
    + frame("<frozen importlib._bootstrap_external>:940: in exec_module")
    + frame("/v/site-packages/_pytest/assertion/rewrite.py:185: in exec_module", "exec(co, module.__dict__)")
    + 'test_a.py:1: in <module>\n    from lib import outer\nE     File "lib.py", line 3\nE   SyntaxError: no'
)


def test_who_imports_a_file_is_not_told_of() -> None:
    said = shortened(UNCOLLECTED, 3000)
    assert said.startswith("test_a.py:1: in <module>\n    from lib import outer\nE     File")
    late = "shelf.py:1: in f\n    g()\n" + frame("/t/lent/bitnet_tui_plugin.py:290: in ring") + "E   Failed: timed out"
    assert shortened(late, 3000) == "shelf.py:1: in f\n    g()\nE   Failed: timed out"
    own = frame("pkg/importlib/__init__.py:1: in load") + frame("lib/_pytest/python.py:1: in mine") + "E   Error"
    assert shortened(own, 3000) == own


def test_what_was_shown_of_a_test_is_not_shown_again() -> None:
    report = TestReport("cpu", (red(UNCOLLECTED, "test_a.py", phase="collect"), red()), 1)
    said = summarise([report, report])
    assert said.count("SyntaxError") == 1
    assert said.count("FAILED test_a.py (failed)") == said.count("  as above") == 2
